"""Arguments that several verbs share: filters, selections, patches, query settings. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel

from polyvec import _checks, _prepare
from polyvec.capabilities import Consistency
from polyvec.errors import InvalidRecordError, InvalidRequestError, NotSupportedError
from polyvec.filter_check import check_filter
from polyvec.filter_json import coerce
from polyvec.metadata import key_fault
from polyvec.paths import parse_path
from polyvec.primitives import Patch
from polyvec.rewrite import is_all
from polyvec.schema import NativeLayout
from polyvec.types import as_any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polyvec._prepare import Rules
    from polyvec.capabilities import Capabilities
    from polyvec.filters import Filter
    from polyvec.primitives import Columns
    from polyvec.schema import Index

FIELD_CLASSES: Final = (str, int, float, bool, datetime)
CANDIDATES_PER_HIT: Final = 100
LEAST_BUDGET: Final = 10_000


@dataclass(frozen=True, slots=True)
class Asked:
    """The settings of a query, checked; see `AsyncCollection.query`."""

    where: Filter | None
    top_k: int
    columns: Columns
    params: Index | None
    min_score: float | None
    budget: int
    exact: bool


def check_where(value: object, model: type[BaseModel] | None) -> Filter | None:
    """Return a filter from nodes or a dict, checked for depth and against a typed model."""
    where = coerce(value)
    if where is not None:
        check_filter(where, model)
    return where


def check_query(
    can: Capabilities,
    where: Filter | None,
    *,
    top_k: object,
    min_score: object,
    include: object,
    search: object,
    exact: object,
    max_candidates: object,
) -> Asked:
    """Return the settings of a query, held against what the store can do."""
    hits = _checks.check_int(top_k, "top_k", 1, can.limits.top_k)
    if not isinstance(exact, bool):
        raise InvalidRequestError(f"exact={exact!r} is {type(exact).__name__}; expected bool")
    if exact and search is not None:
        raise InvalidRequestError("exact=True uses no index; leave search= out, or exact=")
    if max_candidates is None:
        budget = max(CANDIDATES_PER_HIT * hits, LEAST_BUDGET)
    else:
        budget = _checks.check_int(max_candidates, "max_candidates", hits)
    return Asked(
        where=where,
        top_k=hits,
        columns=_checks.check_columns(include),
        params=_checks.check_index(search, can, "search"),
        min_score=_checks.check_min_score(min_score),
        budget=budget,
        exact=exact,
    )


def check_consistency(value: object, can: Capabilities) -> str | None:
    """Return `"strong"` or None."""
    if value is None:
        return None
    if value != Consistency.STRONG.value:
        raise InvalidRequestError(f"consistency={value!r}: expected 'strong' or None")
    if can.consistency is Consistency.EVENTUAL:
        raise NotSupportedError(
            f"{can.store} has no strong reads; use wait_until_visible after a write"
        )
    return Consistency.STRONG.value


def check_selection(verb: str, ids: object, where: Filter | None) -> list[str] | None:
    """Return the ids a delete or update names; None where only a filter chooses.

    Raises
    ------
    InvalidRequestError
        Everything would be chosen: neither ids nor filter, or a filter that is
        always true.
    """
    if ids is not None:
        return _checks.unique(_checks.check_ids(ids))
    if where is None or is_all(where):
        what = "neither ids nor a filter" if where is None else f"a filter that is all: {where!r}"
        raise InvalidRequestError(
            f"{verb} got {what}; expected ids or a filter that leaves records out"
            + ("; clear() empties a namespace" if verb == "delete" else "")
        )
    return None


def check_patch(
    rules: Rules, ids: object, values: object, unset: object, vectors: object, texts: object
) -> Patch:
    """Return the checked change of an update; vectors and texts are parallel to `ids`."""
    changed = {} if values is None else _prepare.check_set(rules, values)
    keys = () if unset is None else _checks.check_sequence(unset, "unset")
    for key in keys:
        if (fault := key_fault(key)) is not None:
            raise InvalidRecordError(f"unset: {fault}")
    removed = frozenset(map(str.__str__, keys))
    if both := sorted(removed & changed.keys()):
        raise InvalidRequestError(f"set and unset both name {both[0]!r}; expected one of them")
    if ids is None and (vectors is not None or texts is not None):
        raise InvalidRequestError("vectors= and texts= are parallel to ids; pass ids= too")
    if not changed and not removed and vectors is None and texts is None:
        raise InvalidRequestError(
            "update got nothing to change; expected set=, unset=, vectors= or texts="
        )
    names = [] if ids is None else _checks.check_ids(ids)
    block = None if vectors is None else _prepare.check_vectors(rules, names, vectors)
    words = None
    if texts is not None:
        words = _prepare.check_texts(names, _prepare.column(texts, "texts", names))
    return last_of_patch(names, Patch(changed, removed, block, words))


def last_of_patch(names: Sequence[str], patch: Patch) -> Patch:
    """Bring a patch to unique ids in the order of their first appearance; the last value wins."""
    if patch.vectors is None and patch.texts is None:
        return patch
    last = {name: row for row, name in enumerate(names)}
    return take_rows(patch, [last[name] for name in _checks.unique(names)])


def take_rows(patch: Patch, rows: list[int]) -> Patch:
    """Return the patch with the given rows of its vectors and texts."""
    return Patch(
        patch.set,
        patch.unset,
        None if patch.vectors is None else patch.vectors[rows],
        None if patch.texts is None else [patch.texts[row] for row in rows],
    )


def check_index_fields(fields: object) -> dict[str, type]:
    """Return field to class, for the fields that a backend should index."""
    if fields is None:
        return {}
    if not isinstance(fields, Mapping):
        raise InvalidRequestError(f"index_fields={fields!r}: expected a dict of field to class")
    checked: dict[str, type] = {}
    given: Mapping[Any, Any] = as_any(fields)
    for path, kind in given.items():
        if not isinstance(path, str) or kind not in FIELD_CLASSES:
            raise InvalidRequestError(
                f"index_fields[{path!r}] is {kind!r}; expected a field name with one of "
                "str, int, float, bool, datetime"
            )
        parse_path(path)
        checked[path] = kind
    return checked


def check_native(native: object) -> NativeLayout | None:
    """Return how to read a native collection, or None."""
    if native is not None and not isinstance(native, NativeLayout):
        raise InvalidRequestError(
            f"native={native!r} is {type(native).__name__}; expected NativeLayout(...) or None"
        )
    return native


def check_model(model: object) -> type[BaseModel]:
    """Return a metadata model for a typed collection."""
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise InvalidRequestError(
            f"metadata={model!r}: expected a class derived from polyvec.Metadata"
        )
    return model
