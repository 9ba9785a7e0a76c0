"""docs/gateway.md: its examples run and print what the page says; its tables are the code's."""

from __future__ import annotations

import contextlib
import io
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from tests.gateway.test_flow import run_js
from tests.services.pinecone import Gateway

from polyvec.gateway import mapping
from polyvec.gateway.paths import OPEN

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs" / "gateway.md").read_text(encoding="utf-8")
DOCKERFILE: Final = (ROOT / "compose" / "gateway.Dockerfile").read_text(encoding="utf-8")
INSTRUCTIONS: Final = {
    "FROM",
    "WORKDIR",
    "COPY",
    "RUN",
    "USER",
    "EXPOSE",
    "STOPSIGNAL",
    "HEALTHCHECK",
    "ENTRYPOINT",
    "CMD",
}
ADDRESS: Final = "http://127.0.0.1:5080"
EXAMPLE: Final = re.compile(
    r"^```(python|javascript)\n(.*?)^```\n+^```text\n(.*?)^```$", re.MULTILINE | re.DOTALL
)


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    running = Gateway("memory://")
    yield running
    running.stop()


def examples(language: str) -> list[tuple[str, str]]:
    """Return the examples of a language with their outputs."""
    return [(code, output) for kind, code, output in EXAMPLE.findall(PAGE) if kind == language]


def test_every_example_has_an_output() -> None:
    blocks = re.findall(r"^```(?:python|javascript)$", PAGE, re.MULTILINE)
    assert len(blocks) == len(EXAMPLE.findall(PAGE)) == 2


def test_the_python_example(gateway: Gateway) -> None:
    pytest.importorskip("pinecone")
    ((code, expected),) = examples("python")
    printed = io.StringIO()
    scope: dict[str, Any] = {}
    with contextlib.redirect_stdout(printed):
        exec(compile(code.replace(ADDRESS, gateway.base), "gateway.md", "exec"), scope)  # noqa: S102 - our own page
    for name in ("articles", "client"):
        scope[name].close()
    assert printed.getvalue() == expected


def test_the_javascript_example(gateway: Gateway, tmp_path: Path) -> None:
    ((code, expected),) = examples("javascript")
    assert run_js(code.replace(ADDRESS, gateway.base), cwd=tmp_path) == expected


def rows(text: str) -> list[list[str]]:
    """Return the cells of the tables of a text."""
    lines = [line.strip().strip("|") for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.split(" | ")] for line in lines]


def test_the_mapping_is_the_modules() -> None:
    assert mapping.__doc__ is not None
    stated = [row for row in rows(mapping.__doc__) if row[0] != "Pinecone" and len(row) == 2]
    assert len(stated) > 10
    shown = rows(PAGE)
    assert [row for row in stated if row not in shown] == []


def test_options_and_paths_exist() -> None:
    from typer.main import get_command

    from polyvec.cli.app import app

    command: Any = get_command(app)
    options = {o for p in command.commands["serve"].params for o in (*p.opts, *p.secondary_opts)}
    named = set(re.findall(r"`(--[a-z-]+)`", PAGE))
    assert named
    assert named <= options
    assert set(re.findall(r"^\| `(/[a-z.]+)` \|", PAGE, re.MULTILINE)) == OPEN


def instructions(text: str) -> list[tuple[str, str]]:
    """Return the instructions of a Dockerfile with their arguments."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    whole = "\n".join(lines).replace("\\\n", " ")
    return [
        (word, rest.strip())
        for word, _, rest in (x.partition(" ") for x in whole.splitlines())
        if word
    ]


def test_the_dockerfile_has_form() -> None:
    found = instructions(DOCKERFILE)
    assert {word for word, _ in found} == INSTRUCTIONS
    assert found[0][0] == "FROM"
    assert all(":" in rest for word, rest in found if word == "FROM")  # a version
    for word, rest in found:
        if word == "COPY" and not rest.startswith("--from="):
            *sources, _ = rest.split()
            assert all((ROOT / source).exists() for source in sources)


def test_the_container_has_extras_that_exist() -> None:
    (asked,) = re.findall(r'"\.\[([a-z,]+)\]"', DOCKERFILE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert set(asked.split(",")) <= set(project["project"]["optional-dependencies"])
