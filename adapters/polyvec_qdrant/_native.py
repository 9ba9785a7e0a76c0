"""Collections that polyvec did not make: leaves to conditions, and records. Pure.

Qdrant's conditions look at a scalar or at the items of a list, one level; a path that ends in `[]`
is empty for a scalar. That tells the two apart. Strings have no order there, datetimes are strings,
and an index of another kind changes answers: such leaves are bounds or left to the core.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, cast

from qdrant_client import models

from polyvec.errors import InvalidRecordError, NotSupportedError
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
    Leaf,
    Lt,
)
from polyvec.types import as_any
from polyvec_qdrant import _order
from polyvec_qdrant._conditions import (
    Condition,
    Side,
    both,
    bounds,
    either,
    matches,
    neither,
    ranged,
)
from polyvec_qdrant._layout import natural_key

if TYPE_CHECKING:
    from polyvec.bounds import Bounds
    from polyvec.paths import Path
    from polyvec_qdrant._schema import Layout

Sides = tuple[Side, Side]

_WORDS: Final[dict[type, str]] = {Lt: "lt", Le: "lte", Gt: "gt", Ge: "gte"}
_SPOILERS: Final = ("integer", "datetime")
LARGEST: Final = 1e21
SMALLEST: Final = 1e-21
MAX_INT_ID: Final = 2**64

NOTHING: Final[Sides] = (False, False)
UNSURE: Final[Sides] = (False, True)


def leaf(node: Leaf, negated: bool, layout: Layout) -> Bounds:
    """Compile a leaf or its complement."""
    lower, upper = _sides(node, layout)
    return bounds(node, negated, lower, upper)


def _sides(node: Leaf, layout: Layout) -> Sides:
    key = natural_key(node.path)
    if key is None:
        return UNSURE
    match node:
        case Exists():
            return _exists(key)
        case In(path, values):
            return _any([_equal(key, path, value, layout, in_list=False) for value in values])
        case ContainsAny(path, values):
            return _any([_equal(key, path, value, layout, in_list=True) for value in values])
        case ContainsAll(path, values):
            if not values:
                return neither(_no_items(key)), True  # an empty list is one too
            return _every([_equal(key, path, value, layout, in_list=True) for value in values])
        case Eq(path, value):
            return _equal(key, path, value, layout, in_list=False)
        case Contains(path, value):
            return _equal(key, path, value, layout, in_list=True)
        case Lt(path, value) | Le(path, value) | Gt(path, value) | Ge(path, value):
            return _ordering(_WORDS[type(node)], key, path, value, layout)
        case _:  # a prefix
            return False, both(_some(key), _no_items(key))


def _any(sides: Sequence[Sides]) -> Sides:
    upper = either(*(side[1] for side in sides))
    if all(low is high for low, high in sides):
        return upper, upper
    return either(*(side[0] for side in sides)), upper


def _every(sides: Sequence[Sides]) -> Sides:
    upper = both(*(side[1] for side in sides))
    if all(low is high for low, high in sides):
        return upper, upper
    return both(*(side[0] for side in sides)), upper


def _is_empty(key: str) -> Condition:
    return models.IsEmptyCondition(is_empty=models.PayloadField(key=key))


def _some(key: str) -> Side:
    """Neither missing, nor null, nor an empty list."""
    return neither(_is_empty(key))


def _no_items(key: str) -> Condition:
    """No list, or one with nothing in it to see."""
    return _is_empty(f"{key}[]")


def _exists(key: str) -> Sides:
    # No condition tells an empty list from a missing field on every server: up to 1.19 a missing
    # field has no count of values, since then it has the count 0, which an empty list has too
    # (github.com/qdrant/qdrant/issues/9065; measured with 1.18.3 and with the engine of 1.20).
    return _some(key), True


def _equal(key: str, path: Path, value: Any, layout: Layout, *, in_list: bool) -> Sides:
    """Return the bounds of a field that equals a value, or of a list that has it."""
    if isinstance(value, datetime):
        return NOTHING  # a native datetime is a string
    if isinstance(value, tuple):
        return False, both(_some(key), neither(_no_items(key))) if _has_scalar(
            as_any(value)
        ) else True
    side = neither(_no_items(key)) if in_list else _no_items(key)
    kind = layout.indexes.get(".".join(path))
    if isinstance(value, (bool, str)):
        found = both(matches(key, [value]), side)
        return (False, found) if kind == "uuid" and isinstance(value, str) else (found, found)
    if kind in _SPOILERS or not _is_usual(value):
        return False, both(_some(key), side)
    if _order.is_safe(value):
        found = both(ranged(key, gte=value, lte=value), side)
        return found, found
    near = ranged(key, gte=_order.below(value), lte=_order.above(value))
    return False, both(near, side)


def _has_scalar(items: Sequence[object]) -> bool:
    return any(isinstance(item, (str, int, float)) for item in items)


def _is_usual(value: float) -> bool:
    return value == 0 or SMALLEST < abs(value) < LARGEST


def _ordering(word: str, key: str, path: Path, value: Any, layout: Layout) -> Sides:
    if isinstance(value, datetime):
        return NOTHING
    alone = _no_items(key)
    if isinstance(value, str):
        return False, both(_some(key), alone)
    if layout.indexes.get(".".join(path)) in _SPOILERS or not _is_usual(value):
        return False, both(_some(key), alone)
    if _order.is_safe(value):
        found = both(ranged(key, **{word: value}), alone)
        return found, found
    below, above = _order.below(value), _order.above(value)
    if word in ("lt", "lte"):
        return both(ranged(key, lte=below), alone), both(ranged(key, lte=above), alone)
    return both(ranged(key, gte=above), alone), both(ranged(key, gte=below), alone)


def point_id_of(record_id: str) -> int | str | None:
    """Return the point id that an id of ours stands for; None where there can be no such point."""
    if record_id.isascii() and record_id.isdigit() and str(int(record_id)) == record_id:
        number = int(record_id)
        return number if number < MAX_INT_ID else None
    try:
        canonical = str(uuid.UUID(record_id))
    except ValueError:
        return None
    return canonical if canonical == record_id else None


def metadata_of(payload: Mapping[str, Any], layout: Layout) -> dict[str, Any]:
    """Return the metadata of a point that polyvec did not write."""
    roles = (layout.text, layout.namespace)
    return {key: value for key, value in payload.items() if key not in roles}


def text_of(payload: Mapping[str, Any], layout: Layout) -> str | None:
    """Return the text of a point, None where no key plays that role."""
    text = None if layout.text is None else payload.get(layout.text)
    return text if isinstance(text, str) else None


def payload_of(
    record_id: str, metadata: Mapping[str, Any], text: str | None, namespace: str, layout: Layout
) -> dict[str, Any]:
    """Return the payload of a point in a collection that polyvec did not make.

    Raises
    ------
    InvalidRecordError
        Something that such a payload would not give back as it was.
    """
    for key, value in metadata.items():
        if (fault := _fault(value)) is not None:
            raise InvalidRecordError(
                f"record {record_id!r}: {key!r} has {fault}, which qdrant does not give back in a "
                "collection that polyvec did not make; leave it out, or use one of polyvec's"
            )
        if key in (layout.text, layout.namespace):
            raise InvalidRecordError(
                f"record {record_id!r}: {key!r} is the text or the namespace of this collection"
            )
    payload = dict(metadata)
    if layout.namespace is not None and namespace:
        payload[layout.namespace] = namespace
    if text is not None:
        if layout.text is None:
            raise NotSupportedError(
                f"record {record_id!r} has a text; open the collection with "
                "native=NativeLayout(text=...) to say which key holds it"
            )
        payload[layout.text] = text
    return payload


def _fault(value: object) -> str | None:
    match value:
        case datetime():
            return "a datetime"
        case float() if not _order.is_safe(value):
            return f"a float of more than 15 digits ({value!r})"
        case list():
            return next(filter(None, map(_fault, cast("list[object]", value))), None)
        case dict():
            return next(filter(None, map(_fault, cast("dict[str, object]", value).values())), None)
        case _:
            return None
