"""One field over a range of rows, ready for every leaf. Built once, never changed."""

from __future__ import annotations

from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from polyvec.evaluate import find
from polyvec.filters import (
    Contains,
    ContainsAll,
    ContainsAny,
    Eq,
    Exists,
    Ge,
    Gt,
    In,
    Le,
    Lt,
    StartsWith,
)
from polyvec.memory.coded import LIST, Coded
from polyvec.operands import operand_key

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from polyvec.filters import Leaf
    from polyvec.memory.coded import Mask
    from polyvec.operands import Operand
    from polyvec.paths import Path
    from polyvec.types import MetadataDict


class Segment:
    """The values of one path in rows `start` to `stop` (excluded).

    Parameters
    ----------
    path
        The field.
    metadata
        The metadata of those rows, which nobody may change.
    start
        Number of the first row.
    """

    def __init__(self, path: Path, metadata: Sequence[MetadataDict], start: int) -> None:
        self.start = start
        self.stop = start + len(metadata)
        self._path = path
        self._metadata = metadata
        self._coded = Coded(self._values(metadata))

    def __len__(self) -> int:
        return self.stop - self.start

    def _values(self, metadata: Sequence[MetadataDict]) -> list[object]:
        if len(self._path) == 1:
            key = self._path[0]
            return [row.get(key) for row in metadata]
        return [find(self._path, row) for row in metadata]

    def mask(self, leaf: Leaf) -> Mask:
        """Return which rows satisfy a leaf on this path; shape `(stop - start,)`, a new array."""
        coded = self._coded
        match leaf:
            case Eq(_, value):
                return self._equal_any((value,))
            case In(_, values):
                return self._equal_any(values)
            case Lt(_, value):
                return coded.within(coded.below(value, included=False))
            case Le(_, value):
                return coded.within(coded.below(value, included=True))
            case Gt(_, value):
                return coded.within(coded.above(value, included=False))
            case Ge(_, value):
                return coded.within(coded.above(value, included=True))
            case StartsWith(_, prefix):
                return coded.within(coded.starting(prefix))
            case Exists():
                return coded.within(coded.present)
            case Contains(_, value):
                return self._holding((value,))
            case ContainsAny(_, values):
                return self._holding(values)
            case ContainsAll(_, values):
                mask: Mask = np.equal(coded.codes, LIST)
                for value in values:
                    mask &= self._holding((value,))
                return mask

    def _equal_any(self, values: Sequence[Operand]) -> Mask:
        scalars = [value for value in values if not isinstance(value, tuple)]
        mask = self._coded.among(map(self._coded.equal, scalars))
        for value in values:
            if isinstance(value, tuple):
                mask[self._lists.get(operand_key(value), [])] = True
        return mask

    def _holding(self, values: Sequence[Any]) -> Mask:
        """Return which rows are lists with one of the values among their items."""
        items, owners = self._items
        mask = np.zeros(len(self), dtype=np.bool_)
        mask[owners[items.among(map(items.equal, values))]] = True
        return mask

    @cached_property
    def _list_rows(self) -> list[tuple[int, list[object]]]:
        rows = np.flatnonzero(self._coded.codes == LIST).tolist()
        values = self._values([self._metadata[row] for row in rows])
        return list(zip(rows, cast("list[list[object]]", values), strict=True))

    @cached_property
    def _items(self) -> tuple[Coded, Any]:
        """The items of all lists one after the other, and the row that each belongs to."""
        items = list(chain.from_iterable(value for _, value in self._list_rows))
        lengths = [len(value) for _, value in self._list_rows]
        owners = np.repeat(np.array([row for row, _ in self._list_rows], dtype=np.intp), lengths)
        return Coded(items), owners

    @cached_property
    def _lists(self) -> dict[Hashable, list[int]]:
        """Rows by whole list; lists that hold an object equal no operand and are left out."""
        rows: dict[Hashable, list[int]] = {}
        for row, value in self._list_rows:
            if not _holds_object(value):
                rows.setdefault(operand_key(cast("Operand", _as_operand(value))), []).append(row)
        return rows


def _holds_object(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        return any(map(_holds_object, cast("list[object]", value)))
    return isinstance(value, dict)


def _as_operand(value: object) -> object:
    if isinstance(value, (list, tuple)):
        return tuple(map(_as_operand, cast("list[object]", value)))
    return value
