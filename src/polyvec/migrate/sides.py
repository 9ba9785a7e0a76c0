"""The two ends of a migration: a store, and what makes it the same store another day."""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from polyvec.config import StoreConfig, resolve
from polyvec.store import VectorStore, connect
from polyvec.url import looks_like_url, mask_url

if TYPE_CHECKING:
    from collections.abc import Generator

Endpoint: TypeAlias = str | StoreConfig | VectorStore
"""A URL, the name of a profile, a configuration, or an open store."""

TUNING: Final = frozenset({"timeout_s", "max_concurrency", "max_attempts", "max_metadata_bytes"})
"""Fields that change how a store is used, not which one it is."""


@dataclass(frozen=True, slots=True)
class Side:
    """One end of a migration.

    Parameters
    ----------
    store
        Open.
    shown
        A name for people, without secrets.
    identity
        Equal for the same place, in any process; a digest of the configuration without its
        secrets and without what only tunes it.
    """

    store: VectorStore
    shown: str
    identity: str


@contextmanager
def open_sides(source: Endpoint, target: Endpoint) -> Generator[tuple[Side, Side]]:
    """Give both ends; close the stores that were opened here.

    Two names of one place share a store: a directory can be opened only once.
    """
    opened: list[VectorStore] = []

    def side(end: Endpoint) -> Side:
        if isinstance(end, VectorStore):
            return Side(end, end.config.backend, identity_of(end.config))
        config = resolve(end)
        identity = identity_of(config)
        for store in opened:
            if identity_of(store.config) == identity:
                return Side(store, _shown(end, config), identity)
        opened.append(connect(config))
        return Side(opened[-1], _shown(end, config), identity)

    try:
        yield side(source), side(target)
    finally:
        for store in opened:
            store.close()


def identity_of(config: StoreConfig) -> str:
    """Return a digest that the same place has in every process; no secret goes into it."""
    # A dump in JSON mode writes every secret as the same asterisks.
    fields: dict[str, Any] = config.model_dump(mode="json", exclude=set(TUNING))
    text = json.dumps(fields, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _shown(end: str | StoreConfig, config: StoreConfig) -> str:
    if not isinstance(end, str):
        return config.backend
    return mask_url(end) if looks_like_url(end) else f"profile {end}"
