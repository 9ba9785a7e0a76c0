"""Bad input: refused by name before any I/O, and nothing of the call is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydantic import ValidationError

from polyvec.errors import (
    DimensionMismatchError,
    InvalidRecordError,
    InvalidRequestError,
    NotSupportedError,
    PolyvecError,
)
from polyvec.records import VectorRecord
from polyvec.schema import Flat
from polyvec.testing.bad_calls import BadCall
from polyvec.testing.bad_requests import BAD_CALLS, BAD_SCANS
from polyvec.testing.oracle import Row, Rows
from polyvec.testing.rows import DIMENSION, vector, vectors
from polyvec.testing.rules import AsyncArea
from polyvec.types import Metric

if TYPE_CHECKING:
    from polyvec.collection_async import AsyncCollection
    from polyvec.testing.lab_async import AsyncLab

KEPT: Rows = {
    "kept_1": Row(vector(1), {"n": 1, "tags": ["a"]}, "one"),
    "kept_2": Row(vector(2), {"n": 2}, None),
}


class AsyncBadInput(AsyncArea):
    """A call that is refused leaves everything as it was."""

    area = "bad input"

    async def _space(self, lab: AsyncLab) -> AsyncCollection[Any]:
        return await lab.kept("bad", KEPT)

    @pytest.mark.parametrize("bad", BAD_CALLS, ids=str)
    async def test_refused(self, lab: AsyncLab, bad: BadCall) -> None:
        space = await self._space(lab)
        with pytest.raises(bad.error) as caught:
            await bad.call(space)
        message = str(caught.value)
        assert message, "an error must say what is wrong"
        for text in bad.mentions:
            assert text in message, f"{message!r} does not mention {text!r}"
        await lab.holds(space, KEPT)

    @pytest.mark.parametrize(
        ("name", "wrong", "error"), BAD_SCANS, ids=[name for name, _, _ in BAD_SCANS]
    )
    async def test_scan_refused(
        self, lab: AsyncLab, name: str, wrong: dict[str, Any], error: type[PolyvecError]
    ) -> None:
        space = await self._space(lab)
        scan: dict[str, Any] = {"include": (), **wrong}
        with pytest.raises(error):
            _ = [batch async for batch in space.scan(**scan)]

    async def test_zero_vector_for_cosine(self, lab: AsyncLab) -> None:
        if Metric.COSINE not in lab.capabilities.metrics:
            pytest.skip("the store has no cosine")
        space = await lab.namespace(metric=Metric.COSINE)
        zero = np.zeros(DIMENSION, dtype=np.float32)
        with pytest.raises(InvalidRecordError, match="bad"):
            await space.upsert(ids=["good", "bad"], vectors=np.stack([vector(), zero]))
        with pytest.raises(PolyvecError, match="zero"):
            await space.query(zero)
        assert await space.count() == 0

    async def test_one_bad_record_in_many(self, lab: AsyncLab) -> None:
        space = await lab.namespace()
        count = 2000
        block = vectors(count)
        block[count - 1, 2] = np.nan
        ids = [f"r{at}" for at in range(count)]
        with pytest.raises(InvalidRecordError, match=f"r{count - 1}"):
            await space.upsert(ids=ids, vectors=block)
        assert await space.count() == 0
        assert await lab.ids(space) == []

    async def test_bad_record_beside_a_good_one_with_its_id(self, lab: AsyncLab) -> None:
        space = await lab.filled({"a": Row(vector(1), {"n": 1})})
        block = vectors(2, seed=3)
        block[0, 0] = np.inf  # the last of duplicates wins, but every record is checked
        with pytest.raises(InvalidRecordError):
            await space.upsert(ids=["a", "a"], vectors=block)
        await lab.holds(space, {"a": Row(vector(1), {"n": 1})})

    async def test_records_of_another_dimension(self, lab: AsyncLab) -> None:
        space = await lab.namespace()
        good = VectorRecord(id="good", vector=vector())
        bad = VectorRecord(id="bad", vector=vector(1, DIMENSION + 1))
        with pytest.raises(DimensionMismatchError, match=f"bad.*{DIMENSION + 1}.*{DIMENSION}"):
            await space.upsert([good, bad])
        assert await space.count() == 0

    async def test_record_changed_after_it_was_checked(self, lab: AsyncLab) -> None:
        space = await lab.namespace()
        metadata: dict[str, Any] = {"n": 1}
        record = VectorRecord(id="a", vector=vector(), metadata=metadata)
        record.metadata["n"] = {1, 2}
        with pytest.raises(InvalidRecordError):
            await space.upsert([record])
        record = VectorRecord(id="a", vector=vector())
        record.vector[0] = np.nan
        with pytest.raises(InvalidRecordError):
            await space.upsert([record])
        assert await space.count() == 0

    async def test_models_check_types_themselves(self, lab: AsyncLab) -> None:
        wrong: tuple[dict[str, Any], ...] = (
            {"id": 7},
            {"vector": "1,2"},
            {"vector": [[1.0]]},
            {"vector": []},
            {"text": 7},
            {"unknown": 1},
        )
        for change in wrong:
            fields: dict[str, Any] = {"id": "a", "vector": vector(), **change}
            with pytest.raises(ValidationError):
                VectorRecord(**fields)

    async def test_over_long_for_this_store(self, lab: AsyncLab) -> None:
        limits = lab.capabilities.limits
        space = await lab.namespace()
        if limits.text_bytes is not None:
            with pytest.raises(InvalidRecordError, match="text"):
                await space.upsert(
                    ids=["a"], vectors=vectors(1), texts=["x" * (limits.text_bytes + 1)]
                )
        filler = {"m": "y" * 30_000}
        text = "x" * min(limits.text_bytes or 2**20, limits.record_bytes or 0)
        if limits.record_bytes is not None and len(text) + 30_000 > limits.record_bytes:
            with pytest.raises(InvalidRecordError, match=str(limits.record_bytes)):
                await space.upsert(ids=["a"], vectors=vectors(1), texts=[text], metadata=[filler])
        assert await space.count() == 0

    async def test_top_k_beyond_the_limit(self, lab: AsyncLab) -> None:
        space = await self._space(lab)
        most = lab.capabilities.limits.top_k
        with pytest.raises(InvalidRequestError, match=str(most)):
            await space.query(vector(), top_k=most + 1)
        assert len(await space.query(vector(), top_k=most, exact=True)) == len(KEPT)

    async def test_dimension_beyond_the_limit(self, lab: AsyncLab) -> None:
        most = lab.capabilities.limits.dimensions
        if most is None:
            pytest.skip("the store states no longest vector")
        name = lab.collection_name()
        with pytest.raises(NotSupportedError, match=str(most)):
            await lab.store.create_collection(name, dimension=most + 1, metric=lab.metric)
        assert not await lab.store.has_collection(name)

    async def test_search_setting_of_an_absent_index(self, lab: AsyncLab) -> None:
        if "flat" in lab.capabilities.index_kinds:
            pytest.skip("the store has a flat index")
        space = await self._space(lab)
        with pytest.raises(NotSupportedError, match="flat"):
            await space.query(vector(), search=Flat())
