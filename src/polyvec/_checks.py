"""Arguments of the verbs: checked whole, before any I/O. Pure.

Arguments are not coerced: `top_k="3"` is an `InvalidRequestError`.
"""

from __future__ import annotations

import math
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from polyvec.errors import (
    DimensionMismatchError,
    InvalidRecordError,
    InvalidRequestError,
    NotSupportedError,
)
from polyvec.metadata import has_surrogate
from polyvec.schema import HNSW, IVF, Flat
from polyvec.types import ALL_COLUMNS, USUAL, USUAL_COLUMNS, Include, Metric, as_any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polyvec.capabilities import Capabilities, Limits
    from polyvec.schema import Index
    from polyvec.types import Vector

MAX_ID_LENGTH: Final = 512
MAX_NAMESPACE_LENGTH: Final = 256
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}", re.ASCII)
_TINY: Final = float(np.finfo(np.float32).tiny)


def check_id(value: object) -> str:
    """Return an id, or raise `InvalidRecordError` that says why it is none."""
    if not isinstance(value, str):
        raise InvalidRecordError(f"id {value!r} is {type(value).__name__}; expected str")
    if not 1 <= len(value) <= MAX_ID_LENGTH:
        shown = value if len(value) <= 40 else f"{value[:40]}…"
        raise InvalidRecordError(
            f"id {shown!r} has {len(value)} code points; expected 1 to {MAX_ID_LENGTH}"
        )
    if "\0" in value or has_surrogate(value):
        raise InvalidRecordError(f"id {value!r} holds NUL or a lone surrogate; remove it")
    return value if type(value) is str else str.__str__(value)


def check_ids(values: object, what: str = "ids") -> list[str]:
    """Return a list of ids; a bare string or an iterator is refused."""
    items = check_sequence(values, what)
    return [check_id(item) for item in items]


def unique(ids: Sequence[str]) -> list[str]:
    """Return the ids without repeats, in the order of their first appearance."""
    return list(dict.fromkeys(ids))


def check_sequence(values: object, what: str) -> Sequence[Any]:
    """Return a sequence that can be checked whole before anything is sent."""
    items: Any = as_any(values)
    if isinstance(values, (list, tuple)):
        return cast("Sequence[Any]", items)
    if isinstance(values, np.ndarray) and items.ndim == 1:
        return cast("Sequence[Any]", items.tolist())
    hint = "wrap it in a list" if isinstance(values, str) else "pass a list"
    raise InvalidRequestError(f"{what} is {type(items).__name__}; expected a list; {hint}")


def check_namespace(value: object) -> str:
    """Return a namespace name: 0 to 256 code points without NUL."""
    if not isinstance(value, str):
        raise InvalidRequestError(f"namespace {value!r} is {type(value).__name__}; expected str")
    if len(value) > MAX_NAMESPACE_LENGTH:
        raise InvalidRequestError(
            f"namespace {value[:40] + '…'!r} has {len(value)} code points; "
            f"expected at most {MAX_NAMESPACE_LENGTH}"
        )
    if "\0" in value or has_surrogate(value):
        raise InvalidRequestError(f"namespace {value!r} holds NUL or a lone surrogate; remove it")
    return str.__str__(value)


def check_new_name(value: object, what: str = "collection name") -> str:
    """Return the name for a new collection or alias."""
    if not isinstance(value, str) or _NAME.fullmatch(value) is None:
        shown = value if not isinstance(value, str) or len(value) <= 80 else f"{value[:80]}…"
        raise InvalidRequestError(
            f"{what} {shown!r}: expected 1 to 63 of A-Z a-z 0-9 _ - starting with a letter"
        )
    return str.__str__(value)


def check_name(value: object, what: str = "collection name") -> str:
    """Return the name of an existing collection or alias, whatever its vendor allows."""
    if not isinstance(value, str):
        raise InvalidRequestError(f"{what} {value!r} is {type(value).__name__}; expected str")
    if not value or "\0" in value or has_surrogate(value):
        raise InvalidRequestError(
            f"{what} {value!r}: expected at least one character, no NUL, no lone surrogate"
        )
    return str.__str__(value)


def check_int(value: object, what: str, lowest: int, highest: int | None = None) -> int:
    """Return an int within bounds; bools and other numbers are refused."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidRequestError(f"{what}={value!r} is {type(value).__name__}; expected int")
    if value < lowest or (highest is not None and value > highest):
        most = "" if highest is None else f" and at most {highest}"
        raise InvalidRequestError(f"{what}={value!r}: expected at least {lowest}{most}")
    return value


def check_min_score(value: object) -> float | None:
    """Return a score threshold, or None."""
    if value is None:
        return None
    if not isinstance(value, bool) and isinstance(value, (int, float)):
        with suppress(OverflowError):  # an int that no float holds
            score = float(value)
            if not math.isnan(score):
                return score
    shown = repr(value)
    shown = shown if len(shown) <= 80 else f"{shown[:80]}…"
    raise InvalidRequestError(f"min_score={shown}: expected a number, or None")


def check_columns(include: object) -> frozenset[Include]:
    """Return the columns that `include` names."""
    if include is USUAL:
        return USUAL_COLUMNS
    if not isinstance(include, (tuple, list, set, frozenset)):
        raise InvalidRequestError(
            f"include={include!r}: expected a tuple of 'metadata', 'text', 'vector', "
            "for example include=('metadata',)"
        )
    columns = cast("tuple[object, ...]", tuple(cast("Any", include)))
    for name in columns:
        if not isinstance(name, str) or name not in ALL_COLUMNS:
            raise InvalidRequestError(
                f"include has {name!r}; expected any of 'metadata', 'text', 'vector'"
            )
    return cast("frozenset[Include]", frozenset(columns))


def check_metric(value: object) -> Metric:
    """Return a metric from its name."""
    try:
        return Metric(cast("Any", value))
    except ValueError:
        raise InvalidRequestError(
            f"metric={value!r}: expected one of {', '.join(repr(m.value) for m in Metric)}"
        ) from None


def check_index(index: object, capabilities: Capabilities, what: str) -> Index | None:
    """Return an index that the store can honour; a wish it cannot becomes None."""
    if index is None:
        return None
    if not isinstance(index, (HNSW, IVF, Flat)):
        raise InvalidRequestError(
            f"{what}={index!r} is {type(index).__name__}; expected HNSW(...), IVF(...) or Flat()"
        )
    if index.kind in capabilities.index_kinds:
        return index
    if index.best_effort:
        return None
    known = ", ".join(sorted(capabilities.index_kinds)) or "none"
    raise NotSupportedError(
        f"{capabilities.store} has no {index.kind} index (it has: {known}); "
        "leave it out, or pass best_effort=True"
    )


def check_dimension(value: object, limits: Limits, store: str) -> int:
    """Return the number of dimensions for a new collection."""
    dimension = check_int(value, "dimension", 1)
    if limits.dimensions is not None and dimension > limits.dimensions:
        raise NotSupportedError(
            f"dimension={dimension}: {store} holds at most {limits.dimensions} dimensions"
        )
    return dimension


def check_queries(value: object, dimension: int, metric: Metric, *, many: bool) -> Vector:
    """Return query vectors, shape `(q, dimension)`, float32, C-contiguous, finite.

    Parameters
    ----------
    value
        One vector, or with `many` a block of shape `(q, dimension)`.
    dimension, metric
        Of the collection.
    many
        Whether a block is expected.
    """
    array = as_numbers(value, "query")
    if many and array.ndim == 1 and array.size == 0:
        return np.empty((0, dimension), dtype=np.float32)
    expected = "(queries, dimension)" if many else "(dimension,)"
    if array.ndim != 1 + many:
        raise InvalidRequestError(
            f"query has shape {array.shape}; expected {expected}"
            + ("; use query_many for several queries" if not many and array.ndim == 2 else "")
        )
    if array.shape[-1] != dimension:
        raise DimensionMismatchError(
            f"query has {array.shape[-1]} dimensions; the collection has {dimension}"
        )
    block = to_float32(array.reshape(-1, dimension))
    for row in faulty_rows(block, metric):
        which = f"query {row}" if many else "query"
        raise InvalidRequestError(f"{which} {vector_fault(block[row])}")
    return block


def as_numbers(value: object, what: str) -> np.ndarray[Any, Any]:
    """Return an array of real numbers; ragged lists, text and bools are refused."""
    try:
        array = np.asarray(value)
    except (ValueError, TypeError):
        raise InvalidRequestError(
            f"{what} is not a rectangular array of numbers: got {type(value).__name__}"
        ) from None
    if array.dtype.kind not in "fiu" and array.size:
        raise InvalidRequestError(
            f"{what} has dtype {array.dtype}; expected floats (an array of float32 is best)"
        )
    return array


def to_float32(array: np.ndarray[Any, Any]) -> Vector:
    """Convert numbers; what does not fit becomes infinity, which the caller refuses."""
    if array.dtype == np.float32 and array.flags.c_contiguous:
        return array
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(array, dtype=np.float32)


def faulty_rows(block: Vector, metric: Metric) -> list[int]:
    """Return the rows that hold NaN or infinity or, for cosine, are zero."""
    if len(block) == 1:  # a query: every microsecond of it is on top of the client's
        return [0] if _is_faulty(block[0], metric) else []
    # One pass over the block: any NaN or infinity makes its row's sum of squares not finite;
    # only rows that look wrong there (or overflow there) are looked at again, number by number.
    with np.errstate(over="ignore", invalid="ignore"):
        squares = np.einsum("ij,ij->i", block, block)
    suspect = ~np.isfinite(squares)
    if metric is Metric.COSINE:
        suspect |= squares < _TINY
    return [int(row) for row in np.flatnonzero(suspect) if _is_faulty(block[row], metric)]


def _is_faulty(vector: Vector, metric: Metric) -> bool:
    # Unlike dot, vdot has no warning to suppress where a square overflows.
    if _TINY < np.vdot(vector, vector) < math.inf:  # it is right, then; NaN compares as false
        return False
    if not np.isfinite(vector).all():
        return True
    return metric is Metric.COSINE and not vector.any()


def vector_fault(vector: Vector) -> str:
    """Say what is wrong with a vector that `faulty_rows` named."""
    bad = np.flatnonzero(~np.isfinite(vector))
    if bad.size:
        at = int(bad[0])
        return (
            f"has {float(vector[at])!r} at position {at}; expected finite float32 numbers "
            "(a float64 beyond 3.4e38 becomes infinity)"
        )
    return "is the zero vector, which has no direction; cosine needs at least one number not 0"
