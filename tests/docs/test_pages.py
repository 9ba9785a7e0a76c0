"""The examples of the documentation run, in order, and print what the page says.

A block of `python` runs in the namespace of its page; a block of `text` right
after it is its output. `<!-- not run -->` before a block leaves it out.
"""

from __future__ import annotations

import contextlib
import doctest
import importlib
import io
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

import polyvec

ROOT: Final = Path(__file__).resolve().parents[2]
PAGES: Final = (
    "README.md",
    "docs/tutorial.md",
    "docs/how-to/migrate.md",
    "docs/how-to/migrate-online.md",
)
FENCE: Final = re.compile(
    r"(?P<skip><!-- not run -->\s*)?^```(?P<kind>python|text)\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """One piece of code, its line on the page, and the output that the page promises."""

    line: int
    code: str
    output: str | None


def blocks_of(text: str) -> Iterator[Block]:
    """Yield the code blocks of a page."""
    found = [match for match in FENCE.finditer(text) if not match["skip"]]
    for at, match in enumerate(found):
        if match["kind"] != "python":
            continue
        after = found[at + 1] if at + 1 < len(found) else None
        output = None
        if after is not None and after["kind"] == "text":
            between = text[match.end() : after.start()]
            output = after["body"] if not between.strip() else None
        yield Block(text.count("\n", 0, match.start("body")), match["body"], output)


@pytest.mark.parametrize("page", PAGES)
def test_examples_run_and_print_what_the_page_says(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = list(blocks_of((ROOT / page).read_text(encoding="utf-8")))
    assert blocks, f"{page} has no example"
    names: dict[str, Any] = {"__name__": "__page__"}
    for block in blocks:
        # Empty lines in front give tracebacks the line of the page.
        code = compile("\n" * block.line + block.code, page, "exec", dont_inherit=True)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(code, names)  # noqa: S102 - our own documentation
        if block.output is not None:
            assert printed.getvalue() == block.output, f"{page}:{block.line}"


def modules() -> list[str]:
    """Return every module of the package that can be imported here."""
    found = pkgutil.walk_packages(polyvec.__path__, "polyvec.")
    names = [module.name for module in found]
    # The suite is a pytest plugin: it has to be imported before pytest starts, or not at all.
    return [n for n in names if "__main__" not in n and not n.startswith("polyvec.testing.")]


def test_examples_in_docstrings_run() -> None:
    tried = 0
    for name in modules():
        result = doctest.testmod(importlib.import_module(name))
        assert result.failed == 0, name
        tried += result.attempted
    assert tried > 10
