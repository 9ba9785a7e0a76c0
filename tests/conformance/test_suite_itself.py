"""The suite is held to its own rules: gaps, vacuity, overriding, tiers, cleaning up."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console

from polyvec import F
from polyvec.errors import ConfigError, InvalidRequestError
from polyvec.testing import AsyncConformanceSuite, ConformanceSuite, Gap, GapKind, Sharing, run
from polyvec.testing.cases import CASES
from polyvec.testing.corpus import HOSTILE
from polyvec.testing.oracle import VacuousCase, matching, ranking
from polyvec.testing.report import Outcome
from polyvec.testing.rows import sample, vector
from polyvec.testing.rules import sharing_of
from polyvec.testing.world import WORLD
from polyvec.types import Metric

pytest_plugins = ["pytester"]

HEAD = """
from polyvec.testing import AsyncConformanceSuite, ConformanceSuite, Gap, GapKind
import pytest

def gap(test, raises=AssertionError):
    return Gap(test=test, kind=GapKind.THEIRS, raises=raises, reason="why", source="https://x")
"""


def _run(pytester: pytest.Pytester, body: str, *options: str) -> pytest.RunResult:
    """Run a test module like a third party's, in a process of its own."""
    pytester.makepyfile(test_store=HEAD + body)
    arguments = ("-p", "polyvec.testing.plugin", "-p", "no:randomly", "-p", "no:cacheprovider")
    return pytester.runpytest_subprocess(*arguments, "-q", "-rA", *options)


class TestGaps:
    def test_gap_that_fails_as_declared_is_an_xfail(self, pytester: pytest.Pytester) -> None:
        body = """
class TestStore(ConformanceSuite):
    url = "memory://{tmp}"
    gaps = (gap("test_closing_twice", raises=pytest.skip.Exception),)
"""
        # A skip is no failure, so this gap is red; the next one is a real failure.
        result = _run(pytester, body, "-k", "test_closing_twice")
        result.assert_outcomes(skipped=1)

    def test_gap_that_passes_is_red(self, pytester: pytest.Pytester) -> None:
        body = """
class TestStore(ConformanceSuite):
    url = "memory://"
    gaps = (gap("test_closing_twice"),)
"""
        result = _run(pytester, body, "-k", "test_closing_twice")
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["*XPASS(strict)*gap (theirs): why*https://x*"])

    def test_declared_failure_is_an_xfail(self, pytester: pytest.Pytester) -> None:
        result = _run(pytester, _broken("AssertionError"), "-k", "test_count_follows")
        result.assert_outcomes(xfailed=1)

    def test_another_failure_than_declared_is_red(self, pytester: pytest.Pytester) -> None:
        result = _run(pytester, _broken("KeyError"), "-k", "test_count_follows")
        result.assert_outcomes(failed=1)

    def test_gap_of_an_unknown_test_is_red(self, pytester: pytest.Pytester) -> None:
        body = """
class TestStore(ConformanceSuite):
    url = "memory://"
    gaps = (gap("test_of_nothing"),)
"""
        result = _run(pytester, body)
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(["*'test_of_nothing' names no test of the suite*"])

    def test_gap_of_an_unknown_case_is_red(self, pytester: pytest.Pytester) -> None:
        body = """
class TestStore(ConformanceSuite):
    url = "memory://"
    gaps = (gap("test_filter[no such case]"),)
"""
        result = _run(pytester, body, "-k", "test_filter")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(["*'test_filter[[]no such case]' names no case*"])

    def test_gap_covers_by_name_and_by_pattern(self) -> None:
        def gap(test: str) -> Gap:
            return Gap(test=test, kind=GapKind.OURS, raises=ValueError, reason="r", source="s")

        assert gap("test_a").covers("test_a")
        assert gap("test_a").covers("test_a[x]")
        assert not gap("test_a").covers("test_ab")
        assert gap("test_a[x]").covers("test_a[x]")
        assert not gap("test_a[x]").covers("test_a[y]")
        assert gap("test_a[*tags*]").covers("test_a[F('tags') == 1]")
        assert gap("test_a*").covers("test_ab[x]")

    def test_foreign_xfail_is_refused(self, pytester: pytest.Pytester) -> None:
        body = """
@pytest.mark.xfail
class TestStore(ConformanceSuite):
    url = "memory://"
"""
        result = _run(pytester, body)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(["*declare a Gap*"])


def _broken(error: str) -> str:
    """Return a class over a store whose count is wrong, with a gap for it."""
    return f"""
import polyvec
right = polyvec.Collection.count

def wrong(self, *args, **kw):
    return right(self, *args, **kw) + 1

class TestStore(ConformanceSuite):
    url = "memory://"
    gaps = (gap("test_count_follows_every_write", raises={error}),)

    @pytest.fixture(autouse=True)
    def broken(self, monkeypatch):
        monkeypatch.setattr(polyvec.Collection, "count", wrong)
"""


class TestOverriding:
    @pytest.mark.parametrize(
        "line",
        [
            "def test_closing_twice(self): pass",
            "test_closing_twice = None",
            "def test_every_area_is_here(self): pass",
            "_guarded = None",
            "area = 'mine'",
        ],
    )
    def test_overriding_is_refused(self, line: str) -> None:
        name = line.removeprefix("def ").partition("(")[0].partition(" ")[0]
        with pytest.raises(TypeError, match="declare a Gap"):
            type("TestStore", (ConformanceSuite,), {name: None, "__module__": __name__})

    def test_own_tests_and_fixtures_may_be_added(self) -> None:
        added = {"test_of_mine": print, "url": "memory://", "__module__": __name__}
        assert issubclass(type("Added", (ConformanceSuite,), added), ConformanceSuite)

    def test_forgotten_area_is_red(self, pytester: pytest.Pytester) -> None:
        body = """
from polyvec.testing.areas.reads import Reads

class TestStore(Reads):
    url = "memory://"
"""
        result = _run(pytester, body, "-k", "test_every_area")
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["*has the areas*'filters'*"])

    def test_areas_may_be_spread_or_left_out_with_a_reason(self, pytester: pytest.Pytester) -> None:
        body = """
from polyvec.testing.areas.reads import Reads
from polyvec.testing.areas.filters import Filters

class TestReads(Reads):
    url = "memory://"

class TestFilters(Filters):
    url = "memory://"
    omitted = {area: "not yet" for area in (
        "collections", "records", "bad input", "upsert", "update", "delete", "namespaces",
        "search", "scan", "explain and why", "describe and count", "typed metadata",
        "consistency", "closing", "concurrency", "injection", "aliases", "capabilities",
        "stress", "recall")}
"""
        result = _run(pytester, body, "-k", "test_every_area")
        result.assert_outcomes(passed=2)

    def test_both_colours_have_the_same_tests(self) -> None:
        def names(cls: type) -> set[str]:
            return {name for name in dir(cls) if name.startswith("test_")}

        only_async = names(AsyncConformanceSuite) - names(ConformanceSuite)
        assert only_async == {"test_loop_is_free_while_a_verb_runs"}
        assert names(ConformanceSuite) < names(AsyncConformanceSuite)
        assert len(names(ConformanceSuite)) > 150


class TestVacuity:
    ROWS = sample(6)

    def test_nothing_expected_is_refused(self) -> None:
        with pytest.raises(VacuousCase, match="no row"):
            matching(self.ROWS, F("kind") == "nowhere")
        assert matching(self.ROWS, F("kind") == "nowhere", allow_empty=True) == set()

    def test_everything_expected_is_refused(self) -> None:
        with pytest.raises(VacuousCase, match="every row"):
            matching(self.ROWS, F("n") >= 0)
        assert len(matching(self.ROWS, F("n") >= 0, allow_all=True)) == 6

    def test_threshold_that_cuts_nothing_is_refused(self) -> None:
        with pytest.raises(VacuousCase, match="min_score"):
            ranking(self.ROWS, vector(), Metric.COSINE, min_score=-2.0)
        with pytest.raises(VacuousCase, match="min_score"):
            ranking(self.ROWS, vector(), Metric.COSINE, min_score=2.0)

    def test_every_case_of_the_corpus_says_what_it_means(self) -> None:
        assert len(CASES) > 500
        for case in CASES:
            found = matching(WORLD, case.where, allow_empty=case.empty, allow_all=case.all)
            assert (not found) == case.empty
            assert (len(found) == len(WORLD)) == case.all

    def test_corpus_is_large_and_distinct(self) -> None:
        assert len(HOSTILE) == len(set(HOSTILE)) >= 60


class TestPlugin:
    def test_runs_asynchronous_tests_without_other_plugins(self, pytester: pytest.Pytester) -> None:
        body = """
class TestStore(AsyncConformanceSuite):
    url = "memory://"
"""
        result = _run(pytester, body, "-k", "test_in_the_order_asked or test_context_manager")
        result.assert_outcomes(passed=2)

    def test_tiers_are_selected(self, pytester: pytest.Pytester) -> None:
        body = """
class TestStore(ConformanceSuite):
    url = "memory://"
"""
        result = _run(pytester, body, "--conformance-tiers=recall")
        result.assert_outcomes(passed=4)

    def test_unknown_tier_is_refused(self, pytester: pytest.Pytester) -> None:
        result = _run(pytester, "", "--conformance-tiers=some")
        assert result.ret == pytest.ExitCode.USAGE_ERROR

    def test_a_class_without_a_store_says_so(self, pytester: pytest.Pytester) -> None:
        body = """
class TestStore(ConformanceSuite):
    pass
"""
        result = _run(pytester, body, "-k", "test_closing_twice")
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(["*set `url`, or override the fixture `store_url`*"])

    def test_a_store_that_cannot_be_opened_fails_every_test(
        self, pytester: pytest.Pytester
    ) -> None:
        body = """
class TestStore(ConformanceSuite):
    url = "memory:///dev/null/x"
"""
        result = _run(pytester, body, "-k", "test_closing")
        result.assert_outcomes(errors=2)
        result.stdout.fnmatch_lines(["*the store could not be opened*"])

    def test_nothing_is_left_behind(self, pytester: pytest.Pytester) -> None:
        body = """
import polyvec
URL = "memory://{folder}"

class TestStore(ConformanceSuite):
    url = URL

class TestStoreAsync(AsyncConformanceSuite):
    url = URL + "_async"
""".replace("{folder}", str(pytester.path / "kept"))
        result = _run(pytester, body, "-k", "test_replaces_the or test_dropped or test_get_inc")
        assert result.ret == 0
        import polyvec

        for place in ("kept", "kept_async"):
            with polyvec.connect(f"memory://{pytester.path / place}") as store:
                assert store.list_collections() == []

    def test_tests_pass_in_any_order_and_on_several_workers(
        self, pytester: pytest.Pytester
    ) -> None:
        body = """
class TestStore(ConformanceSuite):
    url = "memory://{tmp}"
"""
        pytester.makepyfile(test_store=HEAD + body)
        result = pytester.runpytest_subprocess(
            *("-p", "polyvec.testing.plugin", "-p", "no:cacheprovider", "-p", "xdist", "-n", "2"),
            *("-q", "-k", "scan or namespaces or closing"),
        )
        assert result.ret == 0


class TestSharing:
    def test_is_read_off_the_url(self) -> None:
        wanted = {
            "memory://": Sharing.PRIVATE,
            "memory:///tmp/x": Sharing.EXCLUSIVE,
            "chroma:///tmp/x": Sharing.EXCLUSIVE,
            "chroma:///:memory:": Sharing.PRIVATE,
            "chroma://host:8000": Sharing.SHARED,
            "qdrant://host": Sharing.SHARED,
            "parquet:./x": Sharing.EXCLUSIVE,
        }
        assert {url: sharing_of(url) for url in wanted} == wanted


class TestRunner:
    def test_writes_table_json_and_junit(self, tmp_path: Path) -> None:
        console = Console(record=True, width=120, file=(tmp_path / "out.txt").open("w"))
        seen: list[tuple[int, int]] = []
        report = run(
            "memory://",
            select="test_closing or test_ties or test_context",
            json=tmp_path / "report.json",
            junit=tmp_path / "report.xml",
            console=console,
            progress=lambda done, total: seen.append((done, total)),
        )
        console.file.close()
        assert report.ok
        assert report.backend == "memory"
        assert {case.colour for case in report.cases} == {"sync", "async"}
        assert report.counts()["search"][Outcome.PASSED] == 2 * 3
        assert report.counts()["closing"][Outcome.PASSED] == 2 * 3
        said = json.loads((tmp_path / "report.json").read_text())
        assert said["ok"]
        assert said["counts"]["closing"] == {"passed": 6, "gap": 0, "failed": 0, "skipped": 0}
        suites = ElementTree.parse(tmp_path / "report.xml").getroot()  # noqa: S314 - our own file
        assert sum(int(suite.get("tests", 0)) for suite in suites) == len(report.cases)
        shown = console.export_text()
        assert "conformance of memory://" in shown
        assert "closing" in shown
        assert seen[-1][0] == seen[-1][1]

    def test_skips_have_reasons(self, tmp_path: Path) -> None:
        report = run(f"memory://{tmp_path / 'db'}", select="test_closing_twice", colours=["sync"])
        assert [case.outcome for case in report.cases] == [Outcome.SKIPPED]
        assert "directory" in report.reasons("closing")[0]
        assert not report.ok, "nothing passed"

    def test_arguments_are_checked(self) -> None:
        with pytest.raises(InvalidRequestError, match="'some'"):
            run("memory://", tiers=["some"])
        with pytest.raises(InvalidRequestError, match="stress=0"):
            run("memory://", stress=0)
        with pytest.raises(ConfigError):
            run("nowhere://")
