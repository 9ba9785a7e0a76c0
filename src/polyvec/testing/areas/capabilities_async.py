"""Capabilities: declared means that it works, undeclared that it is refused before any I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from polyvec.capabilities import AsyncKind, Consistency, Feature, ScanStability, UpdateAtomicity
from polyvec.errors import NotSupportedError
from polyvec.schema import HNSW, IVF, Flat
from polyvec.testing.rows import DIMENSION, sample, vectors
from polyvec.testing.rules import AsyncArea, Tier
from polyvec.types import Metric

if TYPE_CHECKING:
    from polyvec.schema import Index
    from polyvec.testing.lab_async import AsyncLab


class AsyncCapabilities(AsyncArea):
    """Each line of the capabilities, in both directions."""

    area = "capabilities"
    tier = Tier.EXTENDED

    async def test_capabilities_are_whole(self, lab: AsyncLab) -> None:
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

    async def test_limits_are_usable(self, lab: AsyncLab) -> None:
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
    async def test_each_metric(self, lab: AsyncLab, metric: Metric) -> None:
        name = lab.collection_name()
        if metric in lab.capabilities.metrics:
            made = await lab.store.create_collection(name, dimension=DIMENSION, metric=metric)
            assert (await made.describe()).metric is metric
            return
        with pytest.raises(NotSupportedError, match=metric.value):
            await lab.store.create_collection(name, dimension=DIMENSION, metric=metric)
        assert not await lab.store.has_collection(name)

    @pytest.mark.parametrize("index", [HNSW(), IVF(), Flat()], ids=lambda index: index.kind)
    async def test_each_index_kind(self, lab: AsyncLab, index: Index) -> None:
        name = lab.collection_name()
        shape: dict[str, Any] = {"dimension": DIMENSION, "metric": lab.metric, "index": index}
        if index.kind in lab.capabilities.index_kinds:
            made = await lab.store.create_collection(name, **shape)
            await lab.write(made, sample(3))
            await lab.holds(made, sample(3))
            return
        with pytest.raises(NotSupportedError, match=index.kind):
            await lab.store.create_collection(name, **shape)
        assert not await lab.store.has_collection(name)

    @pytest.mark.parametrize(
        "index",
        [HNSW(m=8, ef_construction=50, ef_search=60), IVF(lists=4, probes=2), Flat()],
        ids=lambda index: index.kind,
    )
    async def test_each_index_kind_with_settings(self, lab: AsyncLab, index: Index) -> None:
        """A setting is honoured or refused; both are right, ignoring it is not."""
        name = lab.collection_name()
        try:
            made = await lab.store.create_collection(
                name, dimension=DIMENSION, metric=lab.metric, index=index
            )
        except NotSupportedError:
            assert not await lab.store.has_collection(name)
            return
        assert index.kind in lab.capabilities.index_kinds
        told = (await made.describe()).index
        assert told is None or told.kind == index.kind

    @pytest.mark.parametrize(
        "search", [HNSW(ef_search=50), IVF(probes=2), Flat()], ids=lambda index: index.kind
    )
    async def test_each_search_setting(self, lab: AsyncLab, search: Index) -> None:
        space = await lab.filled(sample(5))
        if search.kind not in lab.capabilities.index_kinds:
            with pytest.raises(NotSupportedError, match=search.kind):
                await space.query(vectors(1)[0], search=search)
            return
        try:
            hits = await space.query(vectors(1)[0], top_k=5, search=search)
        except NotSupportedError:
            return  # this collection's index is of another kind
        assert {hit.id for hit in hits} <= set(sample(5))

    async def test_aliases_are_there_or_refused(self, lab: AsyncLab) -> None:
        if lab.has(Feature.ALIASES):
            assert isinstance(await lab.store.aliases(), dict)
            return
        made = await lab.collection()
        name = (await made.describe()).name
        for call in (
            lambda: lab.store.set_alias(f"{name}_live", name),
            lab.store.aliases,
            lambda: lab.store.drop_alias(f"{name}_live"),
        ):
            with pytest.raises(NotSupportedError, match="aliases"):
                await call()
        assert await lab.store.has_collection(name)

    async def test_vendor_client_is_reachable(self, lab: AsyncLab) -> None:
        await lab.store.ping()
        _ = lab.store.client
        assert lab.store.capabilities == lab.capabilities
