"""The compiler behind one typed name, with a cache that is always writable and never wrong.

What is found in numba's cache is run, so two of its ways are mended here (read in 0.68.1,
numba/core/caching.py):

- It takes code for fresh by the time and size of the one file a function stands in. Installed
  files may all have one time, and a function compiles in what it calls from others. So the folder
  is named after the text of all files here.
- It reads the list of compiled versions, adds one, and writes list and code one after the other.
  Processes that compile at the same time give their versions one name, and one then runs the code
  of the other. So only one process writes at a time.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

from polyvec.errors import MissingDependencyError
from polyvec.memory.hnsw import cpu

P = ParamSpec("P")
R = TypeVar("R")


def jit(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` on its first call, or find it in the cache; releases the GIL.

    Sums may be reordered, so that a loop over floats becomes vector code. Integers
    give the same result everywhere.

    Raises
    ------
    MissingDependencyError
        numba is not installed.
    """
    return _compiled(function, called_from_python=True)


def inner(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` as `jit` does, for calls from compiled code alone.

    It has no entry that takes Python's arguments apart, which is a tenth of a first build.
    """
    return _compiled(function, called_from_python=False)


def _compiled(function: Callable[P, R], *, called_from_python: bool) -> Callable[P, R]:
    try:
        import numba
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            "HNSW needs numba; run: pip install 'polyvec[hnsw]'"
        ) from error
    numba_any = cast("Any", numba)  # numba ships no types
    config = numba_any.config
    before = config.CACHE_DIR
    # numba reads the setting when it decorates; other users of numba keep theirs.
    folder = Path(before) if before else _cache_folder()
    config.CACHE_DIR = str(folder / _fingerprint())
    try:
        decorate = numba_any.njit(
            cache=True,
            nogil=True,
            fastmath=True,
            error_model="numpy",
            no_cfunc_wrapper=True,  # nobody calls from C; a third of a first build
            no_cpython_wrapper=not called_from_python,
        )
        compiled = decorate(function)
    finally:
        config.CACHE_DIR = before
    if not config.DISABLE_JIT:
        _write_alone(compiled._cache)  # noqa: SLF001 - numba has no public name for it
    return cast("Callable[P, R]", compiled)


def _write_alone(written: Any) -> None:
    """Let a function's cache be written by one process at a time; reading needs no lock."""
    save = written.save_overload

    def save_alone(signature: Any, compiled: Any) -> None:
        folder = Path(written.cache_path)
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder / "lock"):
            save(signature, compiled)

    written.save_overload = save_alone


@contextmanager
def _alone(path: Path) -> Generator[None]:
    """Hold a lock among processes; Windows, which lacks it, goes without."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@cache
def _fingerprint() -> str:
    """Return a name for the code of this package, and for the choice that is a constant in it."""
    digest = sha256(cpu.CHOSEN.encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@cache
def _cache_folder() -> Path:
    """Return a folder that this user can write: their cache, else a temporary one."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
    wanted = Path(home) / "polyvec" / "numba"
    try:
        wanted.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=wanted):
            return wanted
    except OSError:
        # A private folder with a name nobody can guess: code is loaded from it.
        private = tempfile.mkdtemp(prefix="polyvec-numba-")
        atexit.register(shutil.rmtree, private, ignore_errors=True)
        return Path(private)
