from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import unasync

SOURCE = '''\
"""An asynchronous store, opened by `connect_async`; see `store_async`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Self

from polyvec._runtime_async import gather
from polyvec.capabilities import AsyncKind


class AsyncStore:
    """The work of an AsyncStore over an `AsyncAdapter`."""

    kind = AsyncKind.NATIVE

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close; closing twice is fine."""

    async def first(self, rows: AsyncIterator[int]) -> int | None:
        try:
            return await anext(aiter(rows))
        except StopAsyncIteration:
            return None

    async def total(self, rows: AsyncIterator[int]) -> int:
        found = [row async for row in rows]
        async with AsyncExitStack(), self._turn():
            return sum(await gather(found))

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        yield
'''
TWIN = '''\
# Generated from store_async.py by tools/unasync.py. Do not edit.
"""A synchronous store, opened by `connect`; see `store`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Self

from polyvec._runtime import gather
from polyvec.capabilities import AsyncKind


class Store:
    """The work of a Store over an `Adapter`."""

    kind = AsyncKind.NATIVE

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close; closing twice is fine."""

    def first(self, rows: Iterator[int]) -> int | None:
        try:
            return next(iter(rows))
        except StopIteration:
            return None

    def total(self, rows: Iterator[int]) -> int:
        found = list(rows)
        with ExitStack(), self._turn():
            return sum(gather(found))

    @contextmanager
    def _turn(self) -> Iterator[None]:
        yield
'''


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copy(unasync.ROOT / "pyproject.toml", tmp_path)
    for folder in unasync.FOLDERS:
        (tmp_path / folder / "polyvec").mkdir(parents=True)
    (tmp_path / "src/polyvec/store_async.py").write_text(SOURCE)
    return tmp_path


def test_the_twin_is_the_source_in_the_other_colour(root: Path) -> None:
    assert unasync.main([], root) == 0
    assert (root / "src/polyvec/store.py").read_text() == TWIN


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ("async with a, b:", "with a, b:"),
        ("{k: v async for k, v in rows}", "{k: v for k, v in rows}"),
        ("(row async for row in rows if await ok(row))", "(row for row in rows if ok(row))"),
        ("import polyvec.collection_async as c", "import polyvec.collection as c"),
        ("open_store_async(url)", "open_store(url)"),
        ("_Async = _AsyncThing", "_Async = _Thing"),
        ("rows: AsyncGenerator[int, None]", "rows: Generator[int, None]"),
        ("# an AsyncAdapter is not an AsyncStore", "# an Adapter is not a Store"),
        ("Asynchronous and asynchronously", "Synchronous and synchronously"),
        ("async with aclosing(rows):", "with closing(rows):"),
    ],
)
def test_substitution(found: str, wanted: str) -> None:
    assert unasync.substitute(found)[0] == wanted


@pytest.mark.parametrize(
    "text",
    [
        "async_kind",  # a capability of both colours
        "AsyncKind.THREAD",
        "is_async_only",
        "# the client has no async form",
        "a protocol's __aiter",
        "next(iter(rows))",
        "_async",
        "enclose(awaited)",
    ],
)
def test_what_has_no_colour_stays(text: str) -> None:
    assert unasync.substitute(text) == (text, frozenset())


def test_imports_are_sorted_again(root: Path) -> None:
    # "a_async" sorts before "ab", its twin "a" too; "AsyncB" sorts before "Az", "B" after it
    source = root / "src/polyvec/x_async.py"
    source.write_text("from polyvec.a import AsyncB, Az\n\nprint(AsyncB, Az)\n")
    unasync.main([], root)
    assert "import Az, B\n" in (root / "src/polyvec/x.py").read_text()


def test_every_folder_is_searched_and_the_runtime_pair_is_left_alone(root: Path) -> None:
    for name in ("adapters/polyvec/io_async.py", "tests/polyvec/test_io_async.py"):
        (root / name).write_text("async def f() -> None: ...\n")
    (root / "src/polyvec/_runtime_async.py").write_text("import asyncio\n")
    assert unasync.main([], root) == 0
    assert (root / "adapters/polyvec/io.py").exists()
    assert (root / "tests/polyvec/test_io.py").exists()
    assert not (root / "src/polyvec/_runtime.py").exists()


def test_check_accepts_what_was_written(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    unasync.main([], root)
    capsys.readouterr()
    assert unasync.main(["--check"], root) == 0
    assert capsys.readouterr().out == ""


def test_writing_again_touches_nothing(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    unasync.main([], root)
    assert capsys.readouterr().out == "wrote src/polyvec/store.py\n"
    unasync.main([], root)
    assert capsys.readouterr().out == ""


def test_check_shows_what_is_stale_and_writes_nothing(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unasync.main([], root)
    capsys.readouterr()
    twin = root / "src/polyvec/store.py"
    edited = twin.read_text().replace("return None", "return -1")
    twin.write_text(edited)
    assert unasync.main(["--check"], root) == 1
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "stale: src/polyvec/store.py"
    assert "-            return -1" in shown
    assert "+            return None" in shown
    assert twin.read_text() == edited


def test_check_reports_a_missing_twin_and_cuts_the_difference(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert unasync.main(["--check"], root) == 1
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "stale: src/polyvec/store.py"
    assert len(shown) == unasync.DIFF_LINES + 2
    assert shown[-1].endswith("more lines")


def test_a_twin_without_its_source_is_an_orphan(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unasync.main([], root)
    capsys.readouterr()
    (root / "src/polyvec/store_async.py").unlink()
    assert unasync.main(["--check"], root) == 1
    assert capsys.readouterr().out == (
        "orphan: src/polyvec/store.py has no store_async.py; delete it\n"
    )


def test_a_file_written_by_hand_is_never_overwritten(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    twin = root / "src/polyvec/store.py"
    twin.write_text("by = 'hand'\n")
    assert unasync.main([], root) == 1
    assert "refused: src/polyvec/store.py" in capsys.readouterr().out
    assert twin.read_text() == "by = 'hand'\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\nimport asyncio\n", "src/polyvec/bad_async.py:2: 'asyncio' has no synchronous"),
        ("f = (await\n    g())\n", "src/polyvec/bad_async.py:1: 'await' has no synchronous"),
        ("x = = 1\n", "src/polyvec/bad_async.py: not Python: invalid syntax"),
    ],
)
def test_a_source_that_cannot_be_translated_is_named_and_nothing_is_written(
    root: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    (root / "src/polyvec/bad_async.py").write_text(text)
    assert unasync.main([], root) == 2
    assert message in capsys.readouterr().err
    assert not (root / "src/polyvec/store.py").exists()


def test_only_the_named_sources_are_written(root: Path) -> None:
    other = root / "src/polyvec/other_async.py"
    other.write_text("async def f() -> None: ...\n")
    assert unasync.main([str(other)], root) == 0
    assert other.with_name("other.py").exists()
    assert not (root / "src/polyvec/store.py").exists()


def test_a_path_that_is_no_source_is_refused(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert unasync.main([str(root / "src/polyvec/none.py")], root) == 2
    assert "none.py' is not the async source" in capsys.readouterr().err


def test_unused_rules_are_listed(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = root / "src/polyvec/store_async.py"
    source.write_text("async def f() -> None:\n    await f()\n")
    assert unasync.main(["--unused"], root) == 1
    listed = capsys.readouterr().out
    assert r"\bStopAsyncIteration\b" in listed
    assert r"\bawait " not in listed


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("Callable[[], Awaitable[int]]", "Callable[[], int]"),
        ("Awaitable[dict[str, list[int]]]", "dict[str, list[int]]"),
        ("list[Awaitable[T]], Awaitable[U]", "list[T], U"),
        ("AbstractAsyncContextManager[None]", "AbstractContextManager[None]"),
    ],
)
def test_types_of_what_is_awaited(source: str, wanted: str) -> None:
    assert unasync.substitute(source)[0] == wanted


def test_every_rule_is_tested_here() -> None:
    text = SOURCE + "\n# Asynchronous, asynchronous, AbstractAsyncContextManager, Awaitable[int]"
    assert unasync.substitute(text)[1] == {pattern for pattern, _ in unasync.RULES}


def test_the_command_runs_from_anywhere(tmp_path: Path) -> None:
    tool = Path(unasync.__file__)
    command = [sys.executable, str(tool), "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "--check" in done.stdout
