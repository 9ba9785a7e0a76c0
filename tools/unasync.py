"""Write the sync twin of every `*_async.py`; with `--check`, only compare.

Only modules that do I/O come in two colours: translation, checks and errors
are pure and shared. The twin `x.py` is made from `x_async.py` by substituting
text, prose included, so that a reader can predict it line by line. What has no
synchronous form (tasks, sleeping, locks) lives in a pair written by hand,
`_runtime_async.py` and `_runtime.py`, and is refused anywhere else.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import io
import re
import subprocess
import sys
import tempfile
import tokenize
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
FOLDERS: Final = ("src", "adapters", "tests")
SUFFIX: Final = "_async.py"
HAND_WRITTEN: Final = frozenset({"_runtime_async.py"})
HEADER: Final = "# Generated from {name} by tools/unasync.py. Do not edit.\n"

# Applied in this order to the whole text.
RULES: Final[tuple[tuple[str, str], ...]] = (
    (r"\b([Aa])n asynchronous", r"\1 synchronous"),
    (r"\basynchronous", "synchronous"),
    (r"\bAsynchronous", "Synchronous"),
    # "an AsyncStore" is "a Store", but "an AsyncAdapter" is still "an Adapter"
    (r"\b([Aa])n (`*)Async(?=[B-DF-HJ-NP-TV-Z])", r"\1 \2"),
    # the names of types, except AsyncKind: it is one of the capabilities of both colours
    (r"\b(_?)Async(?!Kind\b)(?=[A-Z])", r"\1"),
    (r"\basync (?=def\b|with\b|for\b)", ""),
    (r"\bawait ", ""),
    (r"\b__a(enter|exit|iter|next)__\b", r"__\1__"),
    (r"\ba(next|iter)(?=\()", r"\1"),
    # what a call will give is what it gives; brackets may nest twice inside
    (r"\bAwaitable\[((?:[^\[\]]|\[(?:[^\[\]]|\[[^\[\]]*\])*\])*)\]", r"\1"),
    (r"\bStopAsyncIteration\b", "StopIteration"),
    (r"\bAbstractAsync(?=[A-Z])", "Abstract"),
    (r"\basynccontextmanager\b", "contextmanager"),
    (r"\baclos(e|ing)\b", r"clos\1"),
    # modules and functions: store_async, connect_async
    (r"\b(\w*[A-Za-z0-9])_async\b", r"\1"),
)
# Words of the language and of the library that no rule translates.
ASYNC_ONLY: Final = frozenset({"async", "await", "asyncio", "anyio"})
# Besides imports (their order, those that no longer serve): what ruff accepts of
# `async for` and `async with` only.
FIXES: Final = "I,F401,C416,PERF401,PERF402,SIM117"
DIFF_LINES: Final = 20


class UnasyncError(Exception):
    """A source cannot be translated."""


def find_sources(root: Path) -> list[Path]:
    """Return every `*_async.py` below `root` that has a generated twin, sorted."""
    return [
        path
        for path in _python_files(root)
        if path.name.endswith(SUFFIX) and path.name not in HAND_WRITTEN
    ]


def find_orphans(root: Path) -> list[Path]:
    """Return every generated file below `root` whose source is gone, sorted."""
    return [
        path
        for path in _python_files(root)
        if _is_generated(path) and not path.with_name(path.stem + SUFFIX).exists()
    ]


def twin_of(source: Path) -> Path:
    """Return the path of the file that is generated from `source`."""
    return source.with_name(source.name.removesuffix(SUFFIX) + ".py")


def substitute(text: str) -> tuple[str, frozenset[str]]:
    """Return the synchronous form of `text`, and the patterns of the rules that changed it."""
    used: set[str] = set()
    for pattern, replacement in RULES:
        text, count = re.subn(pattern, replacement, text)
        if count:
            used.add(pattern)
    return text, frozenset(used)


def untranslated(text: str) -> list[tuple[int, str]]:
    """Return line number and word of all that is still asynchronous in the code of `text`.

    Comments and strings are not code.

    Raises
    ------
    UnasyncError
        `text` is not Python.
    """
    try:
        ast.parse(text)
    except SyntaxError as exc:
        raise UnasyncError(f"not Python: {exc}") from exc
    return [
        (token.start[0], token.string)
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.NAME and token.string in ASYNC_ONLY
    ]


def convert(sources: Iterable[Path], root: Path) -> dict[Path, str]:
    """Return the path and the text of the twin of each source.

    Parameters
    ----------
    sources
        Files below `root`.
    root
        The folder whose `pyproject.toml` holds the settings of the formatter.

    Raises
    ------
    UnasyncError
        A source is not Python, or holds what has no synchronous form.
    """
    twins: dict[Path, str] = {}
    for source in sources:
        text, _ = substitute(source.read_text(encoding="utf-8"))
        where = source.relative_to(root)
        try:
            left = untranslated(text)
        except UnasyncError as exc:
            raise UnasyncError(f"{where}: {exc}") from exc
        if left:
            line, word = left[0]
            raise UnasyncError(
                f"{where}:{line}: {word!r} has no synchronous form; move it to _runtime_async.py"
            )
        twins[twin_of(source)] = HEADER.format(name=source.name) + text
    return _tidy(twins, root)


def _tidy(twins: Mapping[Path, str], root: Path) -> dict[Path, str]:
    # A copy of the tree lets two calls of ruff serve all files, and leaves the checkout alone.
    if not twins:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        copies = {path: Path(folder) / path.relative_to(root) for path in twins}
        for path, copy in copies.items():
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(twins[path], encoding="utf-8")
        settings = ["--quiet", "--no-cache", "--config", str(root / "pyproject.toml")]
        fix = ["check", "--select", FIXES, "--fix", "--unsafe-fixes", "--exit-zero"]
        for command in (fix, ["format"]):
            _ruff([*command, *settings, *map(str, copies.values())])
        return {path: copy.read_text(encoding="utf-8") for path, copy in copies.items()}


def _ruff(arguments: Sequence[str]) -> None:
    command = [sys.executable, "-m", "ruff", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UnasyncError(f"ruff failed: {done.stderr.strip() or done.stdout.strip()}")


def find_stale(twins: Mapping[Path, str], root: Path) -> Iterator[str]:
    """Yield a report on each twin that is missing, edited by hand or out of date.

    A report has the start of the difference, which is what the fix will change.
    """
    for path, wanted in twins.items():
        found = path.read_text(encoding="utf-8") if path.exists() else ""
        if found == wanted:
            continue
        name = str(path.relative_to(root))
        before, after = found.splitlines(), wanted.splitlines()
        lines = list(difflib.unified_diff(before, after, "found", "wanted", n=1, lineterm=""))
        cut = [f"… {len(lines) - DIFF_LINES} more lines"] if len(lines) > DIFF_LINES else []
        yield "\n".join([f"stale: {name}", *lines[:DIFF_LINES], *cut])


def write(twins: Mapping[Path, str], root: Path) -> Iterator[str]:
    """Write the twins that changed; yield a refusal for each file that somebody wrote by hand."""
    for path, wanted in twins.items():
        name = path.relative_to(root)
        if path.exists() and not _is_generated(path):
            yield f"refused: {name} is not a generated file; rename it or its async source"
        elif not path.exists() or path.read_text(encoding="utf-8") != wanted:
            path.write_text(wanted, encoding="utf-8")
            print(f"wrote {name}")


def unused_rules(sources: Iterable[Path]) -> list[str]:
    """Return the patterns that change none of `sources`, in the order of `RULES`."""
    used: set[str] = set()
    for source in sources:
        used |= substitute(source.read_text(encoding="utf-8"))[1]
    return [pattern for pattern, _ in RULES if pattern not in used]


def _python_files(root: Path) -> list[Path]:
    return sorted(path for folder in FOLDERS for path in (root / folder).rglob("*.py"))


def _is_generated(path: Path) -> bool:
    with path.open(encoding="utf-8") as file:
        return file.readline() == HEADER.format(name=path.stem + SUFFIX)


def _selected(paths: Sequence[Path], root: Path) -> list[Path]:
    sources = find_sources(root)
    if not paths:
        return sources
    wanted = [path.resolve() for path in paths]
    for path in wanted:
        if path not in sources:
            raise UnasyncError(f"{str(path)!r} is not the async source of a generated file")
    return wanted


def main(argv: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Run the command; return 0, or 1 if there is something to mend, or 2 for a bad source."""
    parser = argparse.ArgumentParser(description="Write the sync twin of every *_async.py.")
    parser.add_argument("paths", nargs="*", type=Path, help="sources; default: all of them")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    parser.add_argument("--unused", action="store_true", help="list rules that change no source")
    options = parser.parse_args(argv)
    try:
        sources = _selected(options.paths, root)
        if options.unused:
            reports = [f"unused rule: {pattern}" for pattern in unused_rules(sources)]
        else:
            twins = convert(sources, root)
            reports = list((find_stale if options.check else write)(twins, root))
            reports += [
                f"orphan: {path.relative_to(root)} has no {path.stem}{SUFFIX}; delete it"
                for path in find_orphans(root)
            ]
    except UnasyncError as exc:
        print(f"unasync: {exc}", file=sys.stderr)
        return 2
    for report in reports:
        print(report)
    return 1 if reports else 0


if __name__ == "__main__":
    sys.exit(main())
