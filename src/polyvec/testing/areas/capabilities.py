# Generated from capabilities_async.py by tools/unasync.py. Do not edit.
"""Capabilities: declared means that it works, undeclared that it is refused before any I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from polyvec.capabilities import AsyncKind, Consistency, Feature, ScanStability, UpdateAtomicity
from polyvec.errors import NotSupportedError
from polyvec.schema import HNSW, IVF, Flat
from polyvec.testing.rows import DIMENSION, sample, vectors
from polyvec.testing.rules import Area, Tier
from polyvec.types import Metric

if TYPE_CHECKING:
    from polyvec.schema import Index
    from polyvec.testing.lab import Lab


class Capabilities(Area):
    """Each line of the capabilities, in both directions."""

    area = "capabilities"
    tier = Tier.EXTENDED

    def test_capabilities_are_whole(self, lab: Lab) -> None:
        told = lab.capabilities
        assert told.store
        assert told.metrics <= set(Metric)
        assert told.metrics
        assert told.features <= set(Feature)
        assert told.index_kinds <= {"hnsw", "ivf", "flat"}
        assert isinstance(told.consistency, Consistency)
        assert isinstance(told.update_atomicity, UpdateAtomicity)
        assert isinstance(told.scan_stability, ScanStability)
        assert isinstance(told.async_kind, AsyncKind)
        assert 0.0 <= told.vector_tolerance <= 1e-6
        assert 0.0 <= told.score_tolerance < 0.1
        assert 0.0 < told.recall_floor <= 1.0

    def test_limits_are_usable(self, lab: Lab) -> None:
        limits = lab.capabilities.limits
        numbers = (
            *(limits.top_k, limits.batch_records, limits.id_batch, limits.query_batch),
            *(limits.scan_batch, limits.concurrency),
        )
        assert all(number >= 1 for number in numbers)
        optional = (
            *(limits.dimensions, limits.batch_bytes, limits.id_bytes, limits.namespace_bytes),
            *(limits.text_bytes, limits.record_bytes),
        )
        assert all(number is None or number >= 1 for number in optional)

    @pytest.mark.parametrize("metric", list(Metric), ids=str)
    def test_each_metric(self, lab: Lab, metric: Metric) -> None:
        name = lab.collection_name()
        if metric in lab.capabilities.metrics:
            made = lab.store.create_collection(name, dimension=DIMENSION, metric=metric)
            assert (made.describe()).metric is metric
            return
        with pytest.raises(NotSupportedError, match=metric.value):
            lab.store.create_collection(name, dimension=DIMENSION, metric=metric)
        assert not lab.store.has_collection(name)

    @pytest.mark.parametrize("index", [HNSW(), IVF(), Flat()], ids=lambda index: index.kind)
    def test_each_index_kind(self, lab: Lab, index: Index) -> None:
        name = lab.collection_name()
        shape: dict[str, Any] = {"dimension": DIMENSION, "metric": lab.metric, "index": index}
        if index.kind in lab.capabilities.index_kinds:
            made = lab.store.create_collection(name, **shape)
            lab.write(made, sample(3))
            lab.holds(made, sample(3))
            return
        with pytest.raises(NotSupportedError, match=index.kind):
            lab.store.create_collection(name, **shape)
        assert not lab.store.has_collection(name)

    @pytest.mark.parametrize(
        "index",
        [HNSW(m=8, ef_construction=50, ef_search=60), IVF(lists=4, probes=2), Flat()],
        ids=lambda index: index.kind,
    )
    def test_each_index_kind_with_settings(self, lab: Lab, index: Index) -> None:
        """A setting is honoured or refused; both are right, ignoring it is not."""
        name = lab.collection_name()
        try:
            made = lab.store.create_collection(
                name, dimension=DIMENSION, metric=lab.metric, index=index
            )
        except NotSupportedError:
            assert not lab.store.has_collection(name)
            return
        assert index.kind in lab.capabilities.index_kinds
        told = (made.describe()).index
        assert told is None or told.kind == index.kind

    @pytest.mark.parametrize(
        "search", [HNSW(ef_search=50), IVF(probes=2), Flat()], ids=lambda index: index.kind
    )
    def test_each_search_setting(self, lab: Lab, search: Index) -> None:
        space = lab.filled(sample(5))
        if search.kind not in lab.capabilities.index_kinds:
            with pytest.raises(NotSupportedError, match=search.kind):
                space.query(vectors(1)[0], search=search)
            return
        try:
            hits = space.query(vectors(1)[0], top_k=5, search=search)
        except NotSupportedError:
            return  # this collection's index is of another kind
        assert {hit.id for hit in hits} <= set(sample(5))

    def test_aliases_are_there_or_refused(self, lab: Lab) -> None:
        if lab.has(Feature.ALIASES):
            assert isinstance(lab.store.aliases(), dict)
            return
        made = lab.collection()
        name = (made.describe()).name
        for call in (
            lambda: lab.store.set_alias(f"{name}_live", name),
            lab.store.aliases,
            lambda: lab.store.drop_alias(f"{name}_live"),
        ):
            with pytest.raises(NotSupportedError, match="aliases"):
                call()
        assert lab.store.has_collection(name)

    def test_vendor_client_is_reachable(self, lab: Lab) -> None:
        lab.store.ping()
        _ = lab.store.client
        assert lab.store.capabilities == lab.capabilities
