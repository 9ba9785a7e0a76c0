"""Filters as Mongo-style dicts, in both directions.

`{"price": {"$lt": 50}, "tag": "x"}` is `(F("price") < 50) & (F("tag") == "x")`. Datetimes stay
datetime objects: the dict is JSON in shape, not in text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeAlias, cast

from polyvec.errors import FilterError
from polyvec.filter_check import check_depth
from polyvec.filters import (
    And,
    Contains,
    ContainsAll,
    ContainsAny,
    Eq,
    Exists,
    Field,
    Filter,
    Ge,
    Gt,
    In,
    Le,
    Leaf,
    Lt,
    Not,
    Or,
    StartsWith,
)
from polyvec.operands import Operand
from polyvec.paths import format_path, show
from polyvec.rewrite import flatten

FilterDict: TypeAlias = dict[str, Any]
"""A filter in Mongo style, as `to_dict` writes it."""

MAX_NESTING: Final = 1_000
"""How deep a dict may be nested before it is read; what that flattens to is checked later."""

_JOINTS: Final[dict[str, type[And | Or]]] = {"$and": And, "$or": Or}
_WORDS: Final[Mapping[type[Leaf], str]] = {
    Eq: "$eq",
    Lt: "$lt",
    Le: "$lte",
    Gt: "$gt",
    Ge: "$gte",
    In: "$in",
    Contains: "$contains",
    ContainsAny: "$containsAny",
    ContainsAll: "$containsAll",
    Exists: "$exists",
    StartsWith: "$startsWith",
}
_NEGATIONS: Final[Mapping[type[Leaf], str]] = {Eq: "$ne", In: "$nin"}
_OPERATORS: Final[Mapping[str, Callable[[Field, Any], Filter]]] = {
    "$eq": Field.__eq__,
    "$ne": Field.__ne__,
    "$gt": Field.__gt__,
    "$gte": Field.__ge__,
    "$lt": Field.__lt__,
    "$lte": Field.__le__,
    "$in": lambda field, operand: field.is_in(_list("$in", operand)),
    "$nin": lambda field, operand: field.not_in(_list("$nin", operand)),
    "$exists": lambda field, operand: field.exists() if _flag(operand) else field.is_missing(),
    "$contains": Field.contains,
    "$containsAny": lambda field, operand: field.contains_any(_list("$containsAny", operand)),
    "$containsAll": lambda field, operand: field.contains_all(_list("$containsAll", operand)),
    "$startsWith": Field.starts_with,
}


def coerce(filter: object) -> Filter | None:
    """Return what a verb was given as `filter=` as a filter; None stays None.

    Raises
    ------
    FilterError
        If it is no filter, no dict and not None, or a dict that is no filter.
    """
    if filter is None or isinstance(filter, Filter):
        return filter
    if isinstance(filter, Mapping):
        return from_dict(cast("Mapping[str, object]", filter))
    hint = "a field is no filter until it is compared" if isinstance(filter, Field) else ""
    raise FilterError(
        f"filter is {show(filter)} of type {type(filter).__name__}; expected a filter such as "
        f"F('price') < 50, a dict such as {{'price': {{'$lt': 50}}}}, or None"
        + (f"; {hint}" if hint else "")
    )


def from_dict(filter: Mapping[str, object]) -> Filter:
    r"""Read a Mongo-style dict.

    Several keys, and several operators of a field, are joined by And; `{}` is all records. A dot
    in a key is a step into an object, and `\.` is a dot of the key itself.

    Raises
    ------
    FilterError
        If an operator is unknown or has an operand that it cannot have.

    Examples
    --------
    >>> from_dict({"price": {"$gt": 1, "$lte": 3}, "$not": {"tags": {"$contains": "old"}}})
    (F('price') > 1) & (F('price') <= 3) & ~F('tags').contains('old')
    """
    return flatten(_Reader().read(filter))


def to_dict(filter: Filter) -> FilterDict:
    """Write a filter as a Mongo-style dict.

    `from_dict` gives a filter of the same normal form back. The filter must not be deeper than
    `filter_check.check_depth` allows.

    Examples
    --------
    >>> from polyvec.filters import F
    >>> to_dict((F("price") < 50) & (F("author.name") != "Ada"))
    {'$and': [{'price': {'$lt': 50}}, {'author.name': {'$ne': 'Ada'}}]}
    """
    check_depth(filter)
    return _write(flatten(filter))


def _write(node: Filter) -> FilterDict:
    match node:
        case And(operands):
            return {"$and": [_write(operand) for operand in operands]} if operands else {}
        case Or(operands):
            return {"$or": [_write(operand) for operand in operands]}
        case Not(operand):
            return _write_not(operand)
        case _:
            return {format_path(node.path): {_WORDS[type(node)]: _operand_of(node)}}


def _write_not(operand: Filter) -> FilterDict:
    match operand:
        case And() | Or() | Not():
            return {"$not": _write(operand)}
        case Exists(path):
            return {format_path(path): {"$exists": False}}
        case Eq(path) | In(path):
            return {format_path(path): {_NEGATIONS[type(operand)]: _operand_of(operand)}}
        case _:
            inner = {_WORDS[type(operand)]: _operand_of(operand)}
            return {format_path(operand.path): {"$not": inner}}


def _operand_of(leaf: Leaf) -> object:
    match leaf:
        case Exists():
            return True
        case StartsWith(_, prefix):
            return prefix
        case In(_, values) | ContainsAny(_, values) | ContainsAll(_, values):
            return _listed(values)
        case _:
            return _listed(leaf.value)


def _listed(value: Operand | None) -> object:
    return [_listed(item) for item in value] if isinstance(value, tuple) else value


class _Reader:
    """Reads one dict with a stack of its own, so that no nesting exhausts Python's."""

    def __init__(self) -> None:
        self._todo: list[Callable[[], None]] = []
        self._done: list[Filter] = []

    def read(self, filter: object) -> Filter:
        self._todo.append(partial(self._object, filter, "the filter", 0))
        while self._todo:
            self._todo.pop()()
        return self._done.pop()

    def _later(self, kind: type[And | Or], tasks: Sequence[Callable[[], None]]) -> None:
        """Do the tasks in order, then join what they leave."""
        self._todo.append(partial(self._join, kind, len(tasks)))
        self._todo.extend(reversed(tasks))

    def _join(self, kind: type[And | Or], count: int) -> None:
        start = len(self._done) - count
        parts = self._done[start:]
        del self._done[start:]
        self._done.append(parts[0] if count == 1 else kind(*parts))

    def _negate(self) -> None:
        self._done.append(Not(self._done.pop()))

    def _object(self, value: object, where: str, level: int) -> None:
        if level > MAX_NESTING:
            raise FilterError(f"the filter dict is nested deeper than {MAX_NESTING} levels")
        if not isinstance(value, Mapping):
            raise FilterError(
                f"{where} is {show(value)} of type {type(value).__name__}; expected a dict "
                "such as {'price': {'$lt': 50}}"
            )
        entries = cast("Mapping[object, object]", value)
        self._later(And, [partial(self._entry, k, v, level) for k, v in entries.items()])

    def _entry(self, key: object, value: object, level: int) -> None:
        if not isinstance(key, str):
            raise FilterError(
                f"filter key {show(key)} is of type {type(key).__name__}; expected the name of a "
                "field, '$and', '$or' or '$not'"
            )
        if key in _JOINTS:
            parts = _list(key, value)
            where = f"an item of {key!r}"
            tasks = [partial(self._object, part, where, level + 1) for part in parts]
            self._later(_JOINTS[key], tasks)
        elif key == "$not":
            self._todo += [self._negate, partial(self._object, value, "'$not'", level + 1)]
        elif key.startswith("$"):
            raise _unknown_word(key, [*_JOINTS, "$not"])
        else:
            self._field(Field(key), value, level)

    def _field(self, field: Field, value: object, level: int) -> None:
        if level > MAX_NESTING:
            raise FilterError(f"the filter dict is nested deeper than {MAX_NESTING} levels")
        if not isinstance(value, Mapping):
            self._done.append(field == value)
            return
        operators = cast("Mapping[object, object]", value)
        _check_operators(field, operators)
        words = cast("Mapping[str, object]", operators)
        self._later(And, [partial(self._operator, field, w, v, level) for w, v in words.items()])

    def _operator(self, field: Field, word: str, operand: Any, level: int) -> None:
        if word == "$not":
            if not isinstance(operand, Mapping):
                raise FilterError(
                    f"field {format_path(field.path)!r}: '$not' takes a dict of operators, got "
                    f"{show(operand)}; write '$ne' for not equal"
                )
            self._todo += [self._negate, partial(self._field, field, operand, level + 1)]
        elif word in _OPERATORS:
            self._done.append(_OPERATORS[word](field, operand))
        else:
            raise _unknown_word(word, [*_OPERATORS, "$not"])


def _check_operators(field: Field, value: Mapping[object, object]) -> None:
    """Tell a dict of operators from an object, which is no operand."""
    name = format_path(field.path)
    others = [key for key in value if not (isinstance(key, str) and key.startswith("$"))]
    if not value:
        raise FilterError(
            f"field {name!r}: {{}} is no operand and holds no operator; "
            f"write {{{name!r}: {{'$exists': True}}}} for a field that is there"
        )
    if len(others) == len(value):
        inner = others[0]
        raise FilterError(
            f"field {name!r}: an object is no operand; name the field inside it, as in "
            f"{{{f'{name}.{inner}'!r}: {show(value[inner])}}}"
        )
    if others:
        raise FilterError(
            f"field {name!r}: operators and the keys {show(others)} are mixed; expected operators "
            "only, or the dotted name of the field inside"
        )


def _list(word: str, operand: object) -> Sequence[Any]:
    if isinstance(operand, (list, tuple)):
        return cast("Sequence[Any]", operand)
    raise FilterError(
        f"{word!r} takes a list, got {show(operand)} of type {type(operand).__name__}"
    )


def _flag(operand: object) -> bool:
    if isinstance(operand, bool):
        return operand
    raise FilterError(
        f"'$exists' takes True or False, got {show(operand)} of type {type(operand).__name__}"
    )


def _unknown_word(word: str, allowed: Sequence[str]) -> FilterError:
    from difflib import get_close_matches

    if word in _OPERATORS:
        return FilterError(
            f"operator {word!r} stands where a field is expected; write it inside a field, "
            f"as in {{'price': {{{word!r}: …}}}}"
        )
    if word in _JOINTS:
        return FilterError(
            f"{word!r} stands inside a field; expected it on top, as in "
            f"{{{word!r}: [{{…}}, {{…}}]}}"
        )
    close = get_close_matches(word, allowed, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return FilterError(f"unknown operator {word!r}; {hint}expected one of {', '.join(allowed)}")
