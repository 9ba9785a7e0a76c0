"""`polyvec demo` shows the same about every backend, record for record."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache

from tests.services import Server

MAIN = "from polyvec.cli import main; main()"


@cache
def steps(*arguments: str) -> str:
    """Return what the demo prints from its second step on: the first table names the store."""
    command = [sys.executable, "-c", MAIN, "demo", *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    text = re.sub(r"done in [0-9.]+ s", "", ran.stdout)
    return re.sub(r"[0-9.]+ MB", "MB", text).partition("\n2. ")[2]


def test_the_demo_is_the_same_as_in_memory(running: Server) -> None:
    found = steps(running.url)
    assert "ice skating: skating on ice" in found
    assert found == steps()
