"""What every store must answer: a plain dict of rows, `evaluate.matches`, float64 distances.

A case whose expected answer is empty or everything proves nothing: a store that
ignores the filter, or finds nothing, would pass it. Such a case fails as vacuous
unless it says that it means it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from polyvec.evaluate import matches
from polyvec.records import VectorRecord
from polyvec.scoring import best_rows, exact_scores

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from polyvec.filters import Filter
    from polyvec.types import Metric, Vector


@dataclass(frozen=True, slots=True)
class Row:
    """One expected record: vector, metadata, text."""

    vector: Vector
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    text: str | None = None


Rows: TypeAlias = "dict[str, Row]"
"""Id to row: what one namespace should hold."""


class VacuousCase(AssertionError):  # noqa: N818 - it is an assertion about the test itself
    """The expected answer is empty or everything, and the case does not say that it means it."""


def records(rows: Mapping[str, Row]) -> list[VectorRecord[dict[str, Any]]]:
    """Return rows as records to upsert."""
    return [
        VectorRecord(id=key, vector=row.vector, metadata=row.metadata, text=row.text)
        for key, row in rows.items()
    ]


def matching(
    rows: Mapping[str, Row],
    where: Filter | None,
    *,
    allow_empty: bool = False,
    allow_all: bool = False,
) -> set[str]:
    """Return the ids of the rows that match, and refuse a vacuous case.

    Raises
    ------
    VacuousCase
        None or all of the rows match, and the flag for it is not set.
    """
    found = {key for key, row in rows.items() if matches(where, row.metadata)}
    if not found and not allow_empty:
        raise VacuousCase(f"no row matches {where!r}: change the case or allow_empty=True")
    if len(found) == len(rows) and where is not None and not allow_all:
        raise VacuousCase(f"every row matches {where!r}: change the case or allow_all=True")
    return found


def ranking(
    rows: Mapping[str, Row],
    query: Vector,
    metric: Metric,
    *,
    k: int | None = None,
    where: Filter | None = None,
    min_score: float | None = None,
    allow_empty: bool = False,
    allow_all: bool = False,
) -> list[tuple[str, float]]:
    """Return id and score of the best rows, best first, ties by id; float64 throughout."""
    allowed = matching(rows, where, allow_empty=allow_empty, allow_all=allow_all)
    ids = [key for key in rows if key in allowed]
    if not ids:
        return []
    block = np.stack([rows[key].vector for key in ids])
    scores = exact_scores(query[None, :], block, metric)[0]
    order: list[int] = best_rows(scores, ids, k if k is not None else len(ids)).tolist()
    ranked = [(ids[row], float(scores[row])) for row in order]
    kept = [pair for pair in ranked if min_score is None or pair[1] >= min_score]
    if min_score is not None and not allow_empty and len(kept) in (0, len(ranked)):
        raise VacuousCase(f"min_score={min_score!r} keeps {len(kept)} of {len(ranked)} hits")
    return kept


def replaced(rows: Rows, written: Iterable[tuple[str, Row]]) -> None:
    """Apply an upsert: the last of several rows with one id wins, and replaces everything."""
    for key, row in written:
        rows[key] = row


def patched(
    rows: Rows,
    ids: Sequence[str],
    *,
    set: Mapping[str, Any] | None = None,
    unset: Sequence[str] = (),
    vectors: Sequence[Vector] | None = None,
    texts: Sequence[str | None] | None = None,
) -> None:
    """Apply an update to the ids that exist: top-level keys merge, the rest stays."""
    for at, key in enumerate(ids):
        if (row := rows.get(key)) is None:
            continue
        kept = {name: value for name, value in row.metadata.items() if name not in unset}
        rows[key] = Row(
            row.vector if vectors is None else vectors[at],
            {**kept, **(set or {})},
            row.text if texts is None else texts[at],
        )
