from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.cli.conftest import run
from tests.migrate.records import adversarial
from tests.migrate.test_command import Run

import polyvec
from polyvec import (
    ConfigError,
    InvalidRequestError,
    MigrationError,
    NotSupportedError,
    VectorStore,
)
from polyvec.migrate import cutover, migrate, rollback

SAMPLE = adversarial(60)
__all__ = ["run"]

TOML = """\
# who changes this tells the operators

[stores.live]
# the old one
url = "{old}"
timeout_s = 30

[stores.live.native.articles]
text = "body"

[stores.other]
url = "memory://"   # [stores.live] in a comment

[stores.new]
url = "{new}"
max_attempts = 3
"""


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    path = tmp_path / "polyvec.toml"
    old, new = f"parquet://{tmp_path}/old", f"memory://{tmp_path}/new"
    path.write_text(TOML.format(old=old, new=new), encoding="utf-8")
    with polyvec.connect("live") as store:
        SAMPLE.load(store, "docs")
    return path


def test_an_alias_is_switched_and_switched_back(source: VectorStore) -> None:
    SAMPLE.load(source, "docs")
    source.set_alias("live", "docs")
    assert migrate(source, source, "docs", to="docs2", journal="j").ok
    cutover("j", source, alias="live")
    assert source.aliases() == {"live": "docs2"}
    with pytest.raises(MigrationError, match="cut over already"):
        cutover("j", source, alias="live")
    rollback("j", source)
    assert source.aliases() == {"live": "docs"}
    with pytest.raises(MigrationError, match="nothing to roll back"):
        rollback("j", source)


def test_an_alias_that_was_not_there(source: VectorStore, target: VectorStore) -> None:
    SAMPLE.load(source, "docs")
    assert migrate(source, target, "docs", journal="j").ok
    cutover("j", target, alias="live")
    assert target.collection("live").name == "docs"
    rollback("j", target)
    assert target.aliases() == {}


def test_an_alias_that_moved_on_is_left_alone(source: VectorStore) -> None:
    SAMPLE.load(source, "docs")
    migrate(source, source, "docs", to="docs2", journal="j")
    cutover("j", source, alias="live")
    SAMPLE.load(source, "docs3")
    source.set_alias("live", "docs3")
    with pytest.raises(MigrationError, match="points to 'docs3' by now"):
        rollback("j", source)
    assert source.aliases() == {"live": "docs3"}


def test_only_what_was_verified(source: VectorStore, target: VectorStore) -> None:
    SAMPLE.load(source, "docs")
    migrate(source, target, "docs", journal="j", verify="none")
    with pytest.raises(MigrationError, match="no full verification"):
        cutover("j", target, alias="live")
    migrate(source, target, "docs", journal="j", verify="sample", resume=True)
    with pytest.raises(MigrationError, match="no full verification"):
        cutover("j", target, alias="live")
    assert target.aliases() == {}
    target.collection("docs").upsert(ids=["extra"], vectors=[[1.0] * 8])
    assert not migrate(source, target, "docs", journal="j", resume=True).ok
    with pytest.raises(MigrationError, match="no full verification"):
        cutover("j", target, alias="live")
    cutover("j", target, alias="live", force=True)
    assert target.aliases() == {"live": "docs"}


def test_wrong_arguments(source: VectorStore, target: VectorStore, tmp_path: Path) -> None:
    SAMPLE.load(source, "docs")
    migrate(source, target, "docs", journal="j")
    with pytest.raises(InvalidRequestError, match="an alias or a profile"):
        cutover("j", target)
    with pytest.raises(InvalidRequestError, match="an alias or a profile"):
        cutover("j", target, alias="a", profile="b")
    with pytest.raises(MigrationError, match="not the target"):
        cutover("j", f"parquet://{tmp_path}/x", alias="a")
    snapshot = f"parquet://{tmp_path}/snap"
    assert migrate(source, snapshot, "docs", journal="k").ok
    with pytest.raises(NotSupportedError, match="switch a profile"):
        cutover("k", snapshot, alias="live")
    with pytest.raises(MigrationError, match="nothing to roll back"):
        rollback("k", snapshot)


def test_a_profile_is_switched_and_switched_back(toml: Path) -> None:
    before = toml.read_text(encoding="utf-8")
    toml.chmod(0o640)
    report = migrate("live", "new", "docs")
    assert report.ok
    cutover(report.journal, "new", profile="live")
    with polyvec.connect("live") as store:
        assert store.capabilities.store == "memory"
        assert sum(store.collection("docs").namespaces().values()) == SAMPLE.count
    with polyvec.connect("live_before_cutover") as store:
        assert store.capabilities.store == "parquet"
    after = toml.read_text(encoding="utf-8")
    assert "# who changes this tells the operators" in after
    assert "[stores.live_before_cutover.native.articles]" in after
    assert "[stores.live.native" not in after
    assert toml.stat().st_mode & 0o777 == 0o640
    rollback(report.journal)
    assert toml.read_text(encoding="utf-8") == before


def test_what_came_into_the_file_since_stays(toml: Path) -> None:
    report = migrate("live", "new", "docs")
    cutover(report.journal, "new", profile="live")
    with toml.open("a", encoding="utf-8") as file:
        file.write('\n[stores.later]\nurl = "memory://"\n')
    rollback(report.journal)
    with polyvec.connect("live") as store:
        assert store.capabilities.store == "parquet"
    assert "[stores.later]" in toml.read_text(encoding="utf-8")


def test_a_profile_that_cannot_be_switched(toml: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = migrate("live", "new", "docs")
    with pytest.raises(MigrationError, match="'other' is not the source"):
        cutover(report.journal, "new", profile="other")
    monkeypatch.setenv("POLYVEC_STORES__LIVE__URL", os.fspath(f"parquet://{toml.parent}/old"))
    with pytest.raises((ConfigError, MigrationError)):
        cutover(report.journal, "new", profile="live")
    monkeypatch.delenv("POLYVEC_STORES__LIVE__URL")
    text = toml.read_text(encoding="utf-8")
    inline = text[: text.index("[stores.live]")] + text[text.index("[stores.other]") :]
    place = f"parquet://{toml.parent}/old"
    native = "native = {articles = {text = 'body'}}"
    toml.write_text(f"stores.live = {{url = '{place}', {native}}}\n{inline}", encoding="utf-8")
    with pytest.raises(MigrationError, match="by hand"):
        cutover(report.journal, "new", profile="live")
    with polyvec.connect("live") as store:
        assert store.capabilities.store == "parquet"


def test_the_commands(run: Run, toml: Path) -> None:
    assert run("migrate", "live", "new", "-c", "docs", "--journal", "j").code == 0
    done = run("cutover", "j", "new", "--profile", "live")
    assert done.code == 0, done.err
    assert "profile live now leads to the target" in done.out
    with polyvec.connect("live") as store:
        assert store.capabilities.store == "memory"
    assert run("rollback", "j").out == "rolled back\n"
    again = run("rollback", "j")
    assert (again.code, "nothing to roll back" in again.err) == (1, True)
    assert run("cutover", "j", "new").code == 2
