# Generated from collections_async.py by tools/unasync.py. Do not edit.
"""Collections and namespaces of one store (synchronous source)."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Final

from pinecone.errors.exceptions import ConflictError

from polyvec import _runtime
from polyvec.errors import (
    CollectionExistsError,
    CollectionNotFoundError,
    DeadlineError,
    StoreError,
)
from polyvec.primitives import StaleLayout
from polyvec_pinecone import _errors, _names, _schema
from polyvec_pinecone._layout import SPACE
from polyvec_pinecone._schema import FAILED, Layout
from polyvec_pinecone._transport import seconds_left

if TYPE_CHECKING:
    from polyvec.primitives import OpenedCollection
    from polyvec.schema import CollectionSpec, NativeLayout
    from polyvec_pinecone._config import PineconeConfig
    from polyvec_pinecone.links import Link

FIRST_POLL_S: Final = 0.25
LONGEST_POLL_S: Final = 5.0
PAGE: Final = 100
"""Namespaces of one page: docs.pinecone.io/reference/api/database-limits."""

_log: Final = logging.getLogger("polyvec")


class Collections:
    """Finds and makes the collections of one store.

    Parameters
    ----------
    link
        The connection.
    config
        What new indexes are made with.
    """

    def __init__(self, link: Link, config: PineconeConfig) -> None:
        self._link = link
        self._config = config

    def names(self) -> list[str]:
        """Return the names of all collections."""
        client = self._link.open()
        found = list(client.indexes.list())
        return [_schema.name_of(model) for model in found if _schema.is_dense(model)]

    def create(self, spec: CollectionSpec) -> None:
        """Create an index, and wait until it can be written."""
        arguments = _schema.creation_of(spec, self._config)
        client = self._link.open()
        try:
            model: Any = client.indexes.create(**arguments)
        except ConflictError as exc:
            raise CollectionExistsError(
                f"a collection {spec.name!r} exists already; choose another name",
                store="pinecone",
                operation="create_collection",
            ) from exc
        started, pause_s = time.monotonic(), FIRST_POLL_S
        while not model.status.ready:
            waited_s = time.monotonic() - started
            state = model.status.state
            if state in FAILED:
                raise StoreError(
                    f"index {model.name!r} does not become ready: its state is {state!r}",
                    store="pinecone",
                    operation="create_collection",
                )
            left_s = min(seconds_left(), self._config.ready_timeout_s - waited_s)
            if left_s <= pause_s:
                raise DeadlineError(
                    f"index {model.name!r} is {state!r} after {waited_s:.0f} s; it goes on, and "
                    "opens once it is ready (see ready_timeout_s)",
                    store="pinecone",
                    operation="create_collection",
                )
            _log.info("index %r is %s, %.0f s so far", model.name, state, waited_s)
            _runtime.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_POLL_S)
            model = client.indexes.describe(model.name)

    def open(self, name: str, native: NativeLayout | None) -> OpenedCollection:
        """Read what Pinecone knows of an index.

        Raises
        ------
        CollectionNotFoundError
            There is none.
        InvalidRequestError, NotSupportedError
            It cannot be read, see `_schema.opened`.
        """
        return _schema.opened(self._describe(name, "open_collection"), native)

    def _describe(self, name: str, operation: str) -> Any:
        """Return the index that a collection of ours is, or one of somebody else's."""
        encoded = _names.to_index(name)
        found = self._model(encoded)
        if found is None and encoded != name and _names.is_index_name(name):
            found = self._model(name)  # somebody else's, whose name looks encoded
        if found is None or _schema.name_of(found) != name:
            raise CollectionNotFoundError(
                f"no collection is named {name!r}", store="pinecone", operation=operation
            )
        return found

    def _model(self, index: str) -> Any:
        client = self._link.open()
        try:
            return client.indexes.describe(index)
        except Exception as exc:
            if _errors.is_absent(exc):
                return None
            raise

    def confirm(self, collection: OpenedCollection) -> None:
        """See that an index is still the one that was opened.

        Raises
        ------
        CollectionNotFoundError
            It is gone.
        StaleLayout
            Another one has its name.
        """
        layout: Layout = collection.layout
        now = _schema.opened(self._describe(collection.name, "open_collection"), None)
        same = (now.dimension, now.metric) == (collection.dimension, collection.metric)
        known: Layout = now.layout
        if not same or (known.ours, known.number, known.host) != (
            layout.ours,
            layout.number,
            layout.host,
        ):
            raise StaleLayout

    def drop(self, name: str) -> None:
        """Delete an index, and wait until it is gone."""
        model = self._describe(name, "drop_collection")
        client = self._link.open()
        client.indexes.delete(model.name, timeout=-1)
        pause_s = FIRST_POLL_S
        while (left := self._model(model.name)) is not None:
            if _schema.tags_of(left).get(_schema.NUMBER) != _number_of(model):
                return  # somebody made another one of that name
            if seconds_left() <= pause_s:
                raise DeadlineError(
                    f"index {model.name!r} is still {left.status.state!r}; it is being deleted",
                    store="pinecone",
                    operation="drop_collection",
                )
            _runtime.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_POLL_S)

    def namespaces(self, collection: OpenedCollection) -> dict[str, int]:
        """Return the number of records of each namespace that holds one."""
        layout: Layout = collection.layout
        index = self._link.index(layout.host)
        found: dict[str, int] = {}
        token: str | None = None
        while True:
            page: Any = index.list_namespaces_paginated(
                limit=PAGE, pagination_token=token, **self._link.limits()
            )
            for space in page.namespaces:
                if space.record_count:
                    name = self._name_of(index, space.name, layout)
                    found[name] = int(space.record_count)
            token = None if page.pagination is None else page.pagination.next
            if not token:
                return found

    def _name_of(self, index: Any, stored: str, layout: Layout) -> str:
        """Return our name of a namespace; a record tells what a hash stands for."""
        if not layout.ours:
            return "" if stored == _names.DEFAULT else stored
        if not _names.is_hashed(stored):
            return _names.from_space(stored)
        limits = self._link.limits()
        listed = index.list_paginated(namespace=stored, limit=1, **limits)
        ids = [one.id for one in listed.vectors]
        if not ids:
            return stored
        answer = index.fetch(ids=ids, namespace=stored, **limits)
        records: list[Any] = list(answer.vectors.values())
        metadata: dict[str, Any] = (records[0].metadata or {}) if records else {}
        return _names.from_space(stored, metadata.get(SPACE))


def _number_of(model: Any) -> str | None:
    return _schema.tags_of(model).get(_schema.NUMBER)
