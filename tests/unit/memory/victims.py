"""Processes that a test kills: how they speak, and the one that forks them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[3]


def say(word: object) -> None:
    """Tell the test how far the victim is."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


@contextmanager
def breeding(program: str) -> Generator[subprocess.Popen[str]]:
    """Run a file of tests as a program, which forks a victim for each line it reads.

    Forking saves the time of importing and compiling for each of them.
    """
    # A process with one thread can be forked safely.
    one_thread = dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    with subprocess.Popen(
        [sys.executable, program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
        env={**os.environ, **one_thread, "PYTHONPATH": str(ROOT)},
    ) as process:
        yield process
        process.kill()
