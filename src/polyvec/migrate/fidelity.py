"""What the target cannot hold: the source's records against the target's rules. Pure."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, cast

import numpy as np

from polyvec import _prepare
from polyvec.errors import InvalidRecordError, NotSupportedError
from polyvec.migrate.plan import Example, Fidelity, FieldReport, Finding
from polyvec.paths import format_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polyvec._prepare import Rules
    from polyvec.capabilities import Capabilities
    from polyvec.paths import Path
    from polyvec.records import RecordBatch

MOST_FIELDS: Final = 500
MOST_MORE: Final = 10_000
"""Further fields are counted up to here: records may have keys of their own."""
MOST_EXAMPLES: Final = 5
DEEPEST: Final = 8
_NUMBER: Final = re.compile(r"\d[\d.,e+-]*")


Place: TypeAlias = tuple[str, str]
"""Namespace and id of a record."""


class Check(Protocol):
    """Raises `InvalidRecordError` or `NotSupportedError` for a batch that cannot be stored."""

    def __call__(self, records: RecordBatch) -> None:
        """Check."""
        ...


def check_by_rules(rules: Rules, can: Capabilities, namespace: str) -> Check:
    """Return the check for a collection that does not exist yet: what capabilities tell."""

    def check(records: RecordBatch) -> None:
        batch = _prepare.prepare_upsert(rules, records, None, None, None, None)
        sizes = _prepare.sizes_of(batch, namespace, exact=can.limits.record_bytes is not None)
        _prepare.check_sizes(batch, namespace, can.limits, sizes, can.store)

    return check


def faults(check: Check, batch: RecordBatch, start: int = 0) -> dict[int, str]:
    """Return row to reason for every record of a batch that cannot be stored."""
    if not len(batch):
        return {}
    try:
        check(batch)
    except (InvalidRecordError, NotSupportedError) as exc:
        if len(batch) == 1:
            return {start: str(exc)}
    else:
        return {}
    # By halves: few records are bad, and a check costs a pass over its rows.
    middle = len(batch) // 2
    left, right = batch.slice(0, middle), batch.slice(middle, len(batch))
    return {**faults(check, left, start), **faults(check, right, start + middle)}


class _Extreme:
    """The record with the most of something."""

    def __init__(self) -> None:
        self.most = -1.0
        self.example: Place | None = None

    def see(self, amount: float, example: Place) -> None:
        if amount > self.most:
            self.most, self.example = amount, example


class FidelityScan:
    """Collects what the plan says about the source's records."""

    def __init__(self) -> None:
        self.read = 0
        self.bytes = 0
        self._refused: dict[str, tuple[int, list[Place]]] = {}
        self._fields: dict[Path, tuple[dict[str, int], dict[str, Place]]] = {}
        self._more: set[Path] = set()
        self._bare: tuple[int, list[Place]] = (0, [])
        self._extremes = {name: _Extreme() for name in ("id", "text", "size", "norm")}

    def add(self, namespace: str, batch: RecordBatch, bad: dict[int, str]) -> None:
        """Take in a batch; `bad` is row to reason for records that cannot be stored."""
        self.read += len(batch)
        metadata, texts, present = batch.metadata or [], batch.texts or [], batch.present
        if batch.vectors is not None:
            self.bytes += batch.vectors.nbytes
        for row, (record_id, item, text) in enumerate(zip(batch.ids, metadata, texts, strict=True)):
            example = (namespace, record_id)
            size = len(record_id) + len(text or "") + len(str(item))
            self.bytes += size
            self._extremes["id"].see(len(record_id.encode("utf-8", "replace")), example)
            self._extremes["text"].see(len(text or ""), example)
            self._extremes["size"].see(size, example)
            if present is not None and not present[row]:
                self._bare = (self._bare[0] + 1, [*self._bare[1], example][:MOST_EXAMPLES])
            for path, kind in _classes(item, ()):
                self._see_field(path, kind, example)
            if row in bad:
                self._refuse(bad[row], record_id, example)
        if batch.vectors is not None and len(batch):
            largest = np.nan_to_num(np.abs(batch.vectors)).max(axis=1)
            row = int(largest.argmax())
            self._extremes["norm"].see(float(largest[row]), (namespace, batch.ids[row]))

    def _see_field(self, path: Path, kind: str, example: Place) -> None:
        if path not in self._fields:
            if len(self._fields) >= MOST_FIELDS:
                if len(self._more) < MOST_MORE:
                    self._more.add(path)
                return
            self._fields[path] = ({}, {})
        counts, examples = self._fields[path]
        counts[kind] = counts.get(kind, 0) + 1
        examples.setdefault(kind, example)

    def _refuse(self, reason: str, record_id: str, example: Place) -> None:
        kind = _kind_of(reason, record_id)
        count, examples = self._refused.get(kind, (0, []))
        self._refused[kind] = (count + 1, [*examples, example][:MOST_EXAMPLES])

    def report(self, *, complete: bool, changes: list[Finding]) -> Fidelity:
        """Return what was found, with what is known of the two stores."""
        count, examples = self._bare
        if count:
            what = "without a vector: counted and scanned, never found by a query"
            changes = [*changes, Finding(what=what, count=count, examples=_shown(examples))]
        fields = [
            FieldReport(
                path=format_path(path),
                classes=counts,
                examples={kind: _example(place) for kind, place in shown.items()},
            )
            for path, (counts, shown) in sorted(self._fields.items())
        ]
        extremes = (one.example for one in self._extremes.values())
        probes = {place: _example(place) for place in (*extremes, *examples[:1]) if place}
        for field in fields[:50]:
            probes.update({(e.namespace, e.id): e for e in field.examples.values()})
        return Fidelity(
            read=self.read,
            complete=complete,
            refused=[
                Finding(what=what, count=count, examples=_shown(shown))
                for what, (count, shown) in sorted(self._refused.items())
            ],
            changes=changes,
            fields=fields,
            more_fields=len(self._more),
            probes=list(probes.values()),
        )


def _example(place: Place) -> Example:
    return Example(namespace=place[0], id=place[1])


def _shown(places: list[Place]) -> list[Example]:
    return [_example(place) for place in places]


def _kind_of(reason: str, record_id: str) -> str:
    """Return a reason without what differs from record to record."""
    text = reason.replace(f"record {record_id!r}", "a record").replace(repr(record_id), "…")
    return _NUMBER.sub("N", text)[:300]


def _classes(value: object, path: Path) -> Iterator[tuple[Path, str]]:
    """Yield path and class of every field of an object, its inner ones too."""
    if len(path) > DEEPEST or not isinstance(value, dict):
        return
    for key, item in cast("dict[str, Any]", value).items():
        inner = (*path, key)
        yield inner, class_of(item)
        if isinstance(item, dict):
            yield from _classes(cast("object", item), inner)


def class_of(value: object) -> str:
    """Return the class of a metadata value, by the name that the filter language has for it."""
    match value:
        case None:
            return "null"
        case bool():
            return "bool"
        case int() | float() | str():
            return type(value).__name__
        case datetime():
            return "datetime"
        case list():
            return "list"
        case dict():
            return "object"
        case _:
            return type(value).__name__
