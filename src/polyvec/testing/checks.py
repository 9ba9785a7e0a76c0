"""Comparisons of what a store returned with what the oracle says."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from polyvec.types import Metric, distance_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from polyvec.capabilities import Capabilities
    from polyvec.records import Hit, VectorRecord
    from polyvec.testing.oracle import Row
    from polyvec.types import Vector


def same_value(got: object, want: object) -> bool:
    """Tell whether a metadata value came back equal in class and in value.

    True is not 1 and 1 is not 1.0; datetimes keep instant, microseconds and
    offset; the order of keys and the sign of zero are not compared.
    """
    if type(got) is not type(want):
        return False
    match want:
        case dict():
            expected, found = cast("dict[str, object]", want), cast("dict[str, object]", got)
            return expected.keys() == found.keys() and all(
                same_value(found[key], value) for key, value in expected.items()
            )
        case list():
            wanted, items = cast("list[object]", want), cast("list[object]", got)
            return len(wanted) == len(items) and all(map(same_value, items, wanted))
        case datetime():
            other = cast("datetime", got)
            return other.utcoffset() == want.utcoffset() and (
                other.replace(tzinfo=None) == want.replace(tzinfo=None)
            )
        case _:
            return got == want


def check_row(
    key: str,
    got: tuple[Vector | None, dict[str, Any] | None, str | None],
    want: Row,
    capabilities: Capabilities,
) -> None:
    """Assert that vector, metadata and text came back as they were written."""
    vector, metadata, text = got
    assert metadata is not None
    assert vector is not None
    assert same_value(metadata, want.metadata), (
        f"record {key!r}: metadata {metadata!r}, expected {want.metadata!r}"
    )
    assert text == want.text, f"record {key!r}: text {text!r}, expected {want.text!r}"
    check_vector(key, vector, want.vector, capabilities.vector_tolerance)


def check_vector(key: str, got: Vector, want: Vector, tolerance: float) -> None:
    """Assert that a vector came back: equal bits, or within the declared relative error."""
    assert got.dtype == np.float32, f"record {key!r}: vector of dtype {got.dtype}"
    assert got.shape == want.shape, f"record {key!r}: shape {got.shape}, expected {want.shape}"
    if tolerance == 0.0:
        # Values, not bytes: the sign of zero is not promised.
        assert np.array_equal(got, want), f"record {key!r}: vector {got!r}, expected {want!r}"
        return
    error = np.abs(got.astype(np.float64) - want) / np.maximum(np.abs(want), 1e-30)
    assert error.max(initial=0.0) <= tolerance, f"record {key!r}: off by {error.max()} relative"


def check_record(
    record: VectorRecord[Any], rows: Mapping[str, Row], capabilities: Capabilities
) -> None:
    """Assert that a whole record came back as it was written."""
    assert record.id in rows, f"record {record.id!r} was never written here"
    got = (record.vector, record.metadata, record.text)
    check_row(record.id, got, rows[record.id], capabilities)


def check_rows(
    got: Mapping[str, tuple[Vector | None, dict[str, Any] | None, str | None]],
    want: Mapping[str, Row],
    capabilities: Capabilities,
) -> None:
    """Assert that a namespace holds exactly the expected rows."""
    missing, extra = want.keys() - got.keys(), got.keys() - want.keys()
    assert not missing, f"records are missing: {sorted(missing)[:9]!r}"
    assert not extra, f"records should not be there: {sorted(extra)[:9]!r}"
    for key, row in want.items():
        check_row(key, got[key], row, capabilities)


def tolerance_of(metric: Metric, query: Vector, row: Vector, capabilities: Capabilities) -> float:
    """Return how far a score may be from the float64 one; see `Capabilities.score_tolerance`."""
    left = float(np.linalg.norm(query.astype(np.float64)))
    right = float(np.linalg.norm(row.astype(np.float64)))
    scale = {Metric.COSINE: 1.0, Metric.DOT: left * right, Metric.EUCLIDEAN: left + right}[metric]
    # Floor: a score is one float64 rounding away from the oracle's at best.
    return max(capabilities.score_tolerance, 1e-12) * scale


def check_hits(
    hits: Sequence[Hit[Any]],
    expected: Sequence[tuple[str, float]],
    rows: Mapping[str, Row],
    query: Vector,
    metric: Metric,
    capabilities: Capabilities,
) -> None:
    """Assert that hits are the oracle's ranking: same length, right scores, right order.

    Two rows may change places only where their exact scores are closer than
    the store's declared tolerance; equal returned scores are ordered by id.
    """
    found = [hit.id for hit in hits]
    wanted = [key for key, _ in expected]
    assert len(set(found)) == len(found), f"a record was found twice: {found!r}"
    assert len(found) == len(wanted), f"found {found!r}, expected {wanted!r}"
    exact = dict(expected)
    order = [(-hit.score, hit.id) for hit in hits]
    assert order == sorted(order), f"not by score, ties by id: {order!r}"
    for hit, (rival, best) in zip(hits, expected, strict=True):
        assert hit.id in rows, f"{hit.id!r} should not be found"
        allowed = tolerance_of(metric, query, rows[hit.id].vector, capabilities)
        slack = allowed + tolerance_of(metric, query, rows[rival].vector, capabilities)
        if hit.id not in exact or hit.id != rival:
            assert abs(hit.score - best) <= slack, f"found {found!r}, expected {wanted!r}"
        score = exact.get(hit.id, best)
        assert abs(hit.score - score) <= slack, (
            f"{hit.id!r}: score {hit.score!r}, expected {score!r}"
        )
        check_distance(hit, metric)


def check_distance(hit: Hit[Any], metric: Metric) -> None:
    """Assert that `distance` is the one that belongs to `score`."""
    wanted = distance_of(hit.score, metric)
    assert abs(hit.distance - wanted) <= 1e-9 * max(1.0, abs(wanted)), (
        f"{hit.id!r}: distance {hit.distance!r} with score {hit.score!r}, expected {wanted!r}"
    )
