"""Values of one field as small integers whose order is the order of the values.

Each class of values (bool, number, str, datetime) has a sorted vocabulary, and
the vocabularies lie one after the other on the line of codes. So every leaf of
a filter is a range of codes, or a set of them, and comparing a whole column is
one vectorised pass. The vocabularies hold Python values and are compared by
Python, so ints beyond 2**53, floats and datetimes compare exactly.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import datetime
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from polyvec.operands import instant_us

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from polyvec.types import Scalar

Mask: TypeAlias = npt.NDArray[np.bool_]

MISSING: Final = 0
OTHER: Final = 1
"""The code of objects, which no operand equals."""
LIST: Final = 2
FIRST: Final = 3
"""The lowest code of a vocabulary."""

NOWHERE: Final = range(0)


class Kind(IntEnum):
    """The classes of scalars that have a vocabulary, in the order of their codes."""

    BOOL = 0
    NUMBER = 1
    TEXT = 2
    INSTANT = 3


def kind_and_key(value: Scalar) -> tuple[Kind, Any]:
    """Return the class of an operand and the value that its vocabulary is sorted by."""
    if isinstance(value, bool):
        return Kind.BOOL, value
    if isinstance(value, (int, float)):
        return Kind.NUMBER, value
    if isinstance(value, str):
        return Kind.TEXT, value
    return Kind.INSTANT, instant_us(value)


class Coded:
    """A column of values, coded.

    Parameters
    ----------
    values
        Metadata values of any class; None is missing.

    Attributes
    ----------
    codes
        Shape `(n,)`, int32: `MISSING`, `OTHER`, `LIST`, or the place of the
        value in the vocabularies.
    """

    __slots__ = ("_bases", "_stop", "_vocabularies", "codes")

    def __init__(self, values: Sequence[object]) -> None:
        self.codes = np.zeros(len(values), dtype=np.int32)
        self._vocabularies: list[list[Any]] = [[] for _ in Kind]
        self._bases = [FIRST for _ in Kind]
        types = set(map(type, values))
        for code, chosen in _special_types(types):
            self.codes[_rows(values, types, chosen)] = code
        stop = FIRST
        for kind, chosen in _kinds(types):
            stop = self._add(values, kind, _rows(values, types, chosen), stop)
        self._stop = stop

    def _add(self, values: Sequence[object], kind: Kind, rows: Any, base: int) -> int:
        """Build one vocabulary from `base` on and return where it ends."""
        chosen: Any = values if isinstance(rows, slice) else [values[row] for row in rows]
        keys: Any = [instant_us(value) for value in chosen] if kind is Kind.INSTANT else chosen
        vocabulary: list[Any] = sorted(set(keys))
        place = dict(zip(vocabulary, range(base, base + len(vocabulary)), strict=True))
        self.codes[rows] = np.fromiter(map(place.__getitem__, keys), np.int32, len(keys))
        self._vocabularies[kind] = vocabulary
        self._bases[kind] = base
        return base + len(vocabulary)

    def equal(self, value: Scalar) -> range:
        """Return the codes of a scalar: one, or none."""
        kind, key = kind_and_key(value)
        vocabulary = self._vocabularies[kind]
        at = bisect_left(vocabulary, key)
        if at == len(vocabulary) or vocabulary[at] != key:
            return NOWHERE
        return range(self._bases[kind] + at, self._bases[kind] + at + 1)

    def below(self, value: Scalar, *, included: bool) -> range:
        """Return the codes of the same class below a value."""
        kind, key = kind_and_key(value)
        bisect = bisect_right if included else bisect_left
        base = self._bases[kind]
        return range(base, base + bisect(self._vocabularies[kind], key))

    def above(self, value: Scalar, *, included: bool) -> range:
        """Return the codes of the same class above a value."""
        kind, key = kind_and_key(value)
        vocabulary = self._vocabularies[kind]
        bisect = bisect_left if included else bisect_right
        base = self._bases[kind]
        return range(base + bisect(vocabulary, key), base + len(vocabulary))

    def starting(self, prefix: str) -> range:
        """Return the codes of the texts with a prefix: they are neighbours in code point order."""
        vocabulary, length = self._vocabularies[Kind.TEXT], len(prefix)
        start = bisect_left(vocabulary, prefix)
        stop = bisect_right(vocabulary, prefix, start, key=lambda text: text[:length])
        base = self._bases[Kind.TEXT]
        return range(base + start, base + stop)

    @property
    def present(self) -> range:
        """The codes of everything that is not missing."""
        return range(OTHER, self._stop)

    def within(self, codes: range) -> Mask:
        """Return which values have one of neighbouring codes; shape `(n,)`, a new array."""
        if len(codes) == 0:
            return np.zeros(len(self.codes), dtype=np.bool_)
        if len(codes) == 1:
            return np.equal(self.codes, codes.start)
        if codes.stop == self._stop:
            return np.greater_equal(self.codes, codes.start)
        mask = self.codes >= codes.start
        mask &= self.codes < codes.stop
        return mask

    def among(self, chosen: Iterable[range]) -> Mask:
        """Return which values have one of several codes; shape `(n,)`, a new array."""
        ranges = [codes for codes in chosen if len(codes)]
        if len(ranges) <= 1:
            return self.within(ranges[0] if ranges else NOWHERE)
        table = np.zeros(self._stop, dtype=np.bool_)
        for codes in ranges:
            table[codes.start : codes.stop] = True
        mask: Mask = table[self.codes]
        return mask


def _special_types(types: set[type]) -> list[tuple[int, set[type]]]:
    """Return the types without a vocabulary, with the code of their values."""
    lists = {kind for kind in types if _is_list(kind)}
    scalars = {kind for kind in types if _kind_of(kind) is not None}
    others = types - lists - scalars - {type(None)}
    return [(code, kinds) for code, kinds in ((LIST, lists), (OTHER, others)) if kinds]


def _kinds(types: set[type]) -> list[tuple[Kind, set[type]]]:
    found = [(kind, {one for one in types if _kind_of(one) is kind}) for kind in Kind]
    return [(kind, chosen) for kind, chosen in found if chosen]


def _is_list(kind: type) -> bool:
    return issubclass(kind, (list, tuple))


def _kind_of(kind: type) -> Kind | None:
    if issubclass(kind, bool):
        return Kind.BOOL
    if issubclass(kind, (int, float)):
        return Kind.NUMBER
    if issubclass(kind, str):
        return Kind.TEXT
    return Kind.INSTANT if issubclass(kind, datetime) else None


def _rows(values: Sequence[object], types: set[type], chosen: set[type]) -> Any:
    """Return the rows of the values that have one of the chosen types."""
    if types == chosen:
        return slice(None)
    return [row for row, value in enumerate(values) if type(value) in chosen]
