"""Answers of a query: checked, ordered, cut. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from operator import gt
from typing import TYPE_CHECKING, Any

import numpy as np

from polyvec.errors import InvalidRecordError
from polyvec.evaluate import compile_predicate
from polyvec.primitives import Found
from polyvec.records import Hit, RecordBatch, concat, make_record
from polyvec.scoring import best_rows
from polyvec.types import METADATA, Metric

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy.typing as npt
    from pydantic import BaseModel

    from polyvec._arguments import Asked
    from polyvec.bounds import Compiled
    from polyvec.primitives import Columns
    from polyvec.schema import Index

    Predicate = Callable[[Mapping[str, object]], bool]


@dataclass(frozen=True, slots=True)
class Plan:
    """One query, or many with the same settings.

    Parameters
    ----------
    compiled
        The filter.
    predicate
        Its residual as a function of the metadata; None where nothing is checked.
    top_k
        Hits wanted.
    columns
        Columns the caller asked for.
    params
        Settings for the index, or None.
    min_score
        Lowest score wanted, or None.
    budget
        Most candidates to look at per query.
    """

    compiled: Compiled
    predicate: Predicate | None
    top_k: int
    columns: Columns
    params: Index | None
    min_score: float | None
    budget: int

    @classmethod
    def of(cls, asked: Asked, compiled: Compiled) -> Plan:
        """Return the plan for checked settings and a compiled filter."""
        residual = compiled.residual
        return cls(
            compiled=compiled,
            predicate=None if residual is None else compile_predicate(residual),
            top_k=asked.top_k,
            columns=asked.columns,
            params=asked.params,
            min_score=asked.min_score,
            budget=asked.budget,
        )

    @property
    def fetched(self) -> Columns:
        """The columns to fetch: those asked for, and metadata where it is checked."""
        return self.columns if self.predicate is None else self.columns | METADATA

    def enough(self, found: Found, kept: Found) -> bool:
        """Whether more candidates cannot change the answer."""
        if len(kept.batch) >= self.top_k:
            return True
        lowest = float(found.scores.min()) if len(found.scores) else np.inf
        return self.min_score is not None and lowest < self.min_score


def empty_found() -> Found:
    """Return the answer without hits."""
    return Found(RecordBatch([]), np.empty(0))


def rows_that_match(batch: RecordBatch, predicate: Predicate) -> list[int]:
    """Return the rows whose metadata satisfies the predicate."""
    assert batch.metadata is not None
    return [row for row, metadata in enumerate(batch.metadata) if predicate(metadata)]


def checked(found: Found, predicate: Predicate | None) -> Found:
    """Keep the hits that satisfy the residual."""
    if predicate is None or not len(found.batch):
        return found
    rows = rows_that_match(found.batch, predicate)
    if len(rows) == len(found.batch):
        return found
    return Found(found.batch.take(rows), found.scores[rows])


def finish(found: Found, plan: Plan, metric: Metric) -> Found:
    """Order by score, ties by id; apply `min_score`; cut to `top_k`."""
    ids, values = found.batch.ids, found.scores.tolist()
    if metric is Metric.COSINE and values and not -1.0 <= min(values) <= max(values) <= 1.0:
        values = [min(1.0, max(-1.0, value)) for value in values]
    elif plan.min_score is None and len(ids) <= plan.top_k and _falls(values):
        batch = found.batch.only(plan.columns)  # most answers of a server
        return found if batch is found.batch else Found(batch, found.scores)
    order = sorted(range(len(ids)), key=lambda row: (-values[row], ids[row]))
    if plan.min_score is not None:
        order = [row for row in order if values[row] >= plan.min_score]
    order = order[: plan.top_k]
    batch = found.batch if order == list(range(len(ids))) else found.batch.take(order)
    return Found(batch.only(plan.columns), np.array([values[row] for row in order]))


def _falls(values: list[float]) -> bool:
    """Tell whether each value is less than the one before."""
    return all(map(gt, values, values[1:]))


def to_hits(found: Found, metric: Metric, model: type[BaseModel] | None) -> list[Hit[Any]]:
    """Return hits with records, typed where the collection is."""
    batch, cosine = found.batch, metric is Metric.COSINE
    hits: list[Hit[Any]] = []
    for row, (record_id, score) in enumerate(zip(batch.ids, found.scores.tolist(), strict=True)):
        columns: dict[str, Any] = {"id": record_id}
        if batch.vectors is not None:
            columns["vector"] = batch.vectors[row]
        if batch.metadata is not None:
            item = batch.metadata[row]
            columns["metadata"] = item if model is None else typed(model, record_id, item)
        if batch.texts is not None:
            columns["text"] = batch.texts[row]
        distance = 1.0 - score if cosine else -score
        hits.append(Hit(record_id, score, distance, make_record(columns)))
    return hits


def typed(model: type[BaseModel], record_id: str, metadata: object) -> BaseModel:
    """Return stored metadata as a model."""
    from pydantic import ValidationError

    try:
        return model.model_validate(metadata)
    except ValidationError as exc:
        raise InvalidRecordError(
            f"record {record_id!r}: its stored metadata does not fit {model.__name__}; "
            f"open the collection without metadata={model.__name__} to read it"
        ) from exc


class TopK:
    """The best of a stream of records, ties by id.

    Parameters
    ----------
    k
        How many to keep, at least 1.
    """

    def __init__(self, k: int) -> None:
        self._k = k
        self._best: Found | None = None

    def offer(self, batch: RecordBatch, scores: npt.NDArray[np.float64]) -> None:
        """Take what belongs to the best so far."""
        if self._best is not None and len(self._best.batch) >= self._k:
            # Most of a long stream is worse than the k-th best: drop it before anything is copied.
            rows = np.flatnonzero(scores >= self._best.scores[-1])
            if not rows.size:
                return
            batch, scores = batch.take(rows), scores[rows]
        if self._best is not None:
            batch = concat([self._best.batch, batch])
            scores = np.concatenate([self._best.scores, scores])
        rows = best_rows(scores, batch.ids, self._k)
        self._best = Found(batch.take(rows), scores[rows])

    def found(self) -> Found:
        """Return the best, best first."""
        return empty_found() if self._best is None else self._best
