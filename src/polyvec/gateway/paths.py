"""Which paths are what."""

from __future__ import annotations

from typing import Final

from polyvec.gateway.indexes import PREFIX

OPEN: Final = frozenset({"/healthz", "/readyz", "/metrics", "/openapi.json"})
"""For supervisors and people: no key, no limit, not in the log."""


def is_open(path: str) -> bool:
    """Whether a path is none of the contract's."""
    return path in OPEN


def is_data_plane(path: str) -> bool:
    """Whether a path is below the host of an index."""
    return path.startswith(PREFIX)
