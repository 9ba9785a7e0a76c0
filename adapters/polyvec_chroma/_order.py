"""Ints that sort as values do. Pure.

Chroma orders numbers only, and reads a float back off by its last digit (its log is JSON, read by
a parser that is not exact; measured with 1.5.9). An int of 64 bits it keeps and compares exactly.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Final

PREFIX_BYTES: Final = 7
"""Bytes of a text that its order holds; the length takes the last four bits."""

_LENGTH_BITS: Final = 4
_MASK: Final = 0x7FFF_FFFF_FFFF_FFFF
MIN_INT: Final = -(2**63)
MAX_INT: Final = 2**63 - 1


def order_of_float(value: float) -> int:
    """Return an int that sorts as the float does; both zeros give one int.

    Examples
    --------
    >>> order_of_float(-1.5) < order_of_float(0.0) < order_of_float(5e-324)
    True
    """
    (bits,) = struct.unpack("<q", struct.pack("<d", value + 0.0))
    return int(bits) if bits >= 0 else int(bits) ^ _MASK


def float_of_order(order: int) -> float:
    """Return the float that an int stands for; the inverse of `order_of_float`."""
    bits = order if order >= 0 else order ^ _MASK
    (value,) = struct.unpack("<d", struct.pack("<q", bits))
    return float(value)


def order_of_text(text: str) -> int:
    """Return an int that sorts as the text by code point, as far as seven bytes tell.

    Code points sort as their UTF-8 bytes do. Texts of up to seven bytes have an int of their
    own; longer ones share one when they begin alike.

    Examples
    --------
    >>> order_of_text("a") < order_of_text("aa") < order_of_text("b")
    True
    """
    data = text[:PREFIX_BYTES].encode()
    # A cut of seven code points has all of the first seven bytes, but not the whole length.
    length = min(len(data) if len(text) <= PREFIX_BYTES else PREFIX_BYTES + 1, PREFIX_BYTES + 1)
    head = int.from_bytes(data[:PREFIX_BYTES].ljust(PREFIX_BYTES, b"\0"), "big")
    return head << _LENGTH_BITS | length


def is_whole(text: str) -> bool:
    """Return whether the order of a text is its alone."""
    return len(text.encode()) <= PREFIX_BYTES


def orders_of_prefix(prefix: str) -> tuple[int, int]:
    """Return the least and the greatest order of texts that begin with a prefix.

    Of a prefix longer than seven bytes: of texts that may begin with it.
    """
    data = prefix.encode()
    if len(data) > PREFIX_BYTES:
        order = order_of_text(prefix)
        return order, order
    low = int.from_bytes(data.ljust(PREFIX_BYTES, b"\0"), "big") << _LENGTH_BITS | len(data)
    high = int.from_bytes(data.ljust(PREFIX_BYTES, b"\xff"), "big") << _LENGTH_BITS | 0xF
    return low, high


@dataclass(frozen=True, slots=True)
class Bound:
    """One side of an ordering for values of one class: all, none, or a comparison.

    Parameters
    ----------
    op
        `"$lt"`, `"$lte"`, `"$gt"` or `"$gte"`; None for all or none.
    value
        What is compared with; without `op` 1 for all and 0 for none.
    """

    op: str | None
    value: int


_ALL: Final = Bound(None, 1)
_NONE: Final = Bound(None, 0)


def bound_of_ints(op: str, operand: float) -> Bound:
    """Return what an ordering with any number means for ints of 64 bits."""
    if not float(operand).is_integer():
        below = op in ("$lt", "$lte")
        op = "$lte" if below else "$gte"
        limit = math.floor(operand) if below else math.ceil(operand)
    else:
        limit = int(operand)
    if limit > MAX_INT:
        return _ALL if op in ("$lt", "$lte") else _NONE
    if limit < MIN_INT:
        return _NONE if op in ("$lt", "$lte") else _ALL
    return Bound(op, limit)


def bound_of_floats(op: str, operand: float) -> Bound:
    """Return what an ordering with any number means for floats, as a bound of their orders."""
    nearest = float(operand)
    if nearest > operand:  # no float lies between the operand and the one above it
        op = "$lt" if op in ("$lt", "$lte") else "$gte"
    elif nearest < operand:
        op = "$lte" if op in ("$lt", "$lte") else "$gt"
    return Bound(op, order_of_float(nearest))
