"""Single faults: each a small, named class of a real bug, injected into a memory store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import pytest

Install = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Parameters
    ----------
    name
        What goes wrong, as an identifier.
    peer
        Where the bug was seen; numbers are rows of the peer survey.
    where
        What is patched.
    install
        Patches it, for as long as the `MonkeyPatch` lives.
    """

    name: str
    peer: str
    where: str
    install: Install


FAULTS: Final[dict[str, Fault]] = {}


def fault(peer: str, where: str) -> Callable[[Install], Install]:
    """Register a fault under the name of its function."""

    def register(install: Install) -> Install:
        add(install.__name__, peer, where, install)
        return install

    return register


def add(name: str, peer: str, where: str, install: Install) -> None:
    """Register a fault; a name is used once."""
    assert name not in FAULTS, f"two faults are called {name!r}"
    FAULTS[name] = Fault(name, peer, where, install)
