# A fault reaches inside and puts a function of any shape in place of a method: there is
# nothing here for a type checker to prove.
# pyright: basic
# ruff: noqa: ARG005 - a lambda has the arguments of the method it replaces
"""Faults of the core's checks: records, arguments, typed metadata, cursors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.mutants.registry import fault

from polyvec._calls import Caller
from polyvec.collection import Collection
from polyvec.errors import InvalidRecordError, InvalidRequestError
from polyvec.filters import Or


@fault("validation record by record, while writing", "upsert")
def written_before_the_bad_record(patch: pytest.MonkeyPatch) -> None:
    right = Collection.upsert

    def upsert(self: Any, records: Any = None, **columns: Any) -> None:
        try:
            right(self, records, **columns)
        except InvalidRecordError:
            if isinstance(records, list) and records:
                right(self, records[:1])
            elif columns.get("ids"):
                first = {name: value[:1] for name, value in columns.items() if name != "timeout_s"}
                right(self, **first)
            raise

    patch.setattr(Collection, "upsert", upsert)


@fault("#37 haystack Chroma: unsupported values dropped", "core, check of metadata")
def unsupported_values_dropped(patch: pytest.MonkeyPatch) -> None:
    from polyvec import metadata

    right = metadata.normalise

    def normalise(item: Any, record_id: str) -> Any:
        try:
            return right(item, record_id)
        except InvalidRecordError:
            if not isinstance(item, dict):
                raise
            kept: dict[str, Any] = {}
            for key, value in item.items():
                try:
                    kept.update(right({key: value}, record_id))
                except InvalidRecordError:
                    continue
            return kept

    patch.setattr("polyvec._prepare.normalise", normalise)


@fault("#38 vector-io: NaN becomes 0", "core, check of metadata")
def nan_becomes_zero(patch: pytest.MonkeyPatch) -> None:
    from polyvec import metadata

    right = metadata.normalise

    def normalise(item: Any, record_id: str) -> Any:
        if isinstance(item, dict):
            item = {key: 0 if value != value else value for key, value in item.items()}  # noqa: PLR0124
        return right(item, record_id)

    patch.setattr("polyvec._prepare.normalise", normalise)


@fault("vectors cut or padded to fit", "core, check of vectors")
def bad_vectors_accepted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("polyvec._prepare.faulty_rows", lambda block, metric: [])


@fault("#36 delete(None) deletes all; delete of everything", "core, check of a selection")
def delete_of_everything_allowed(patch: pytest.MonkeyPatch) -> None:
    right = Collection.delete

    def delete(self: Any, ids: Any = None, *, filter: Any = None, **kw: Any) -> None:
        try:
            right(self, ids, filter=filter, **kw)
        except InvalidRequestError:
            if ids is not None:
                raise
            self.clear()

    patch.setattr(Collection, "delete", delete)


@fault("typed metadata not validated on write", "core, typed metadata")
def model_not_applied_on_write(patch: pytest.MonkeyPatch) -> None:
    right = Collection._rules
    patch.setattr(Collection, "_rules", lambda self: replace(right(self), model=None))


@fault("typed metadata returned as a dict", "core, typed metadata")
def model_not_applied_on_read(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("polyvec._ranking.typed", lambda model, key, item: item)
    patch.setattr("polyvec._read_verbs.typed", lambda model, key, item: item, raising=False)


@fault("2.1 a filter on a field the model lacks", "core, typed filters")
def unknown_fields_allowed_in_filters(patch: pytest.MonkeyPatch) -> None:
    from polyvec import filter_check

    right = filter_check.check_filter
    for module in ("polyvec._arguments", "polyvec.filter_check", "polyvec._bound"):
        patch.setattr(
            f"{module}.check_filter", lambda node, model: right(node, None), raising=False
        )


@fault("deep filters sent to the server", "core, depth of filters")
def deep_filters_allowed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("polyvec.filter_check.check_depth", lambda node: None)


@fault("arguments coerced", "core, check of top_k")
def top_k_coerced(patch: pytest.MonkeyPatch) -> None:
    right = Collection.query

    def query(self: Any, vector: Any, *, top_k: Any = 10, **kw: Any) -> Any:
        return right(self, vector, top_k=max(1, int(top_k or 1)), **kw)

    patch.setattr(Collection, "query", query)


@fault("unknown include ignored", "core, check of include")
def unknown_include_ignored(patch: pytest.MonkeyPatch) -> None:
    from polyvec.types import ALL_COLUMNS

    def check_columns(include: Any) -> Any:
        return frozenset(name for name in include if name in ALL_COLUMNS)

    for module in ("polyvec._checks", "polyvec._arguments", "polyvec._read_verbs"):
        patch.setattr(f"{module}.check_columns", check_columns, raising=False)


@fault("over-long and empty ids accepted", "core, check of ids")
def bad_ids_accepted(patch: pytest.MonkeyPatch) -> None:
    for module in ("polyvec._checks", "polyvec._prepare", "polyvec._arguments"):
        patch.setattr(f"{module}.check_id", str, raising=False)


@fault("metadata of any size", "core, check of sizes")
def metadata_size_unchecked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("polyvec._prepare.check_metadata_size", lambda *args: None)


@fault("reserved and empty keys accepted", "core, check of keys")
def bad_keys_accepted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("polyvec.metadata.key_fault", lambda key: None)


@fault("errors that say nothing", "core, errors")
def errors_without_the_id(patch: pytest.MonkeyPatch) -> None:
    from polyvec.errors import InvalidRecordError

    patch.setattr(InvalidRecordError, "__str__", lambda self: "invalid record")


@fault("cursors of another filter accepted; foreign text starts anew", "core, cursors")
def foreign_cursor_starts_anew(patch: pytest.MonkeyPatch) -> None:
    from polyvec import _cursor
    from polyvec.errors import InvalidRequestError

    right = _cursor.decode

    def decode(cursor: Any, *args: Any) -> Any:
        try:
            return right(cursor, *args)
        except InvalidRequestError:
            return right(None, *args)

    patch.setattr(_cursor, "decode", decode)


@fault("the last batch has no cursor", "core, cursors")
def last_batch_without_a_cursor(patch: pytest.MonkeyPatch) -> None:
    right = Collection.scan

    def scan(self: Any, *args: Any, **kw: Any) -> Any:
        size = kw.get("batch_size", 1000)
        for batch in right(self, *args, **kw):
            yield batch if len(batch) == size else replace(batch, cursor=None)

    patch.setattr(Collection, "scan", scan)


@fault("batch_size ignored", "scan")
def batch_size_ignored(patch: pytest.MonkeyPatch) -> None:
    right = Collection.scan

    def scan(self: Any, *args: Any, **kw: Any) -> Any:
        size = kw.pop("batch_size", 1000)
        valid = isinstance(size, int) and not isinstance(size, bool) and size > 0
        return right(self, *args, batch_size=1000 if valid else size, **kw)

    patch.setattr(Collection, "scan", scan)


@fault("a store error in place of an empty answer", "core, empty filters")
def impossible_filter_matches_all(patch: pytest.MonkeyPatch) -> None:
    from polyvec import bounds

    right = bounds.compile_filter

    def compile_filter(node: Any, *args: Any) -> Any:
        found = right(node, *args)
        return bounds.EVERYTHING if found.filter == Or() else found

    for module in ("polyvec.bounds", "polyvec._scope"):
        patch.setattr(f"{module}.compile_filter", compile_filter)


@fault("retry hides who is closed", "core, calls")
def closed_error_from_nowhere(patch: pytest.MonkeyPatch) -> None:
    right = Caller.check_open

    def check_open(self: Any) -> None:
        if self.closed:
            raise RuntimeError("connection is closed")
        right(self)

    patch.setattr(Caller, "check_open", check_open)
