"""The examples of docs/cli.md, run in order in an empty folder."""

from __future__ import annotations

import doctest
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
PAGE = Path(__file__).parents[2] / "docs" / "cli.md"


def examples() -> list[tuple[str, str]]:
    """Return each command of the page with the output below it."""
    found: list[tuple[str, str]] = []
    for block in re.findall(r"```console\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        for example in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = example.partition("\n")
            found.append((command, output))
    return found


def without_trailing_spaces(text: str) -> str:
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def test_the_examples_of_the_page(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    commands: set[str] = set()
    for command, expected in examples():
        program, name, *arguments = shlex.split(command)
        assert program == "polyvec"
        commands.add(name)
        done = run(name, *arguments)
        fails = expected.startswith("polyvec: error: ")
        assert done.code == (2 if fails else 0), f"{command}\n{done.err}"
        got = without_trailing_spaces(done.out + done.err)
        # "..." stands for anything, as in a doctest.
        same = doctest.OutputChecker().check_output(expected, got, doctest.ELLIPSIS)
        assert same, f"{command}\nexpected:\n{expected}\ngot:\n{got}"
    assert commands >= {
        "demo",
        "ping",
        "ls",
        "describe",
        "count",
        "query",
        "export",
        "import",
        "migrate",
    }
