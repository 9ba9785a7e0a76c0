"""Get, and the columns that a read includes."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any, Final

import pytest

from polyvec.errors import NotIncludedError
from polyvec.filters import F
from polyvec.testing.checks import check_record
from polyvec.testing.rows import sample, vector
from polyvec.testing.rules import AsyncArea

if TYPE_CHECKING:
    from polyvec.records import VectorRecord
    from polyvec.testing.lab_async import AsyncLab

COLUMNS: Final = ("metadata", "text", "vector")
INCLUDES: Final = [chosen for size in range(4) for chosen in combinations(COLUMNS, size)]
ROWS: Final = sample(6)


def _check_columns(record: VectorRecord[Any], include: tuple[str, ...]) -> None:
    """Assert that the record has the columns named, and explains the others."""
    for name in COLUMNS:
        if name in include:
            value, written = getattr(record, name), getattr(ROWS[record.id], name)
            assert (value == written) if name != "vector" else value.shape == written.shape
        else:
            with pytest.raises(NotIncludedError, match=name):
                getattr(record, name)


class AsyncReads(AsyncArea):
    """Records by id, and what comes with them."""

    area = "get and include"

    async def test_in_the_order_asked(self, lab: AsyncLab) -> None:
        space = await lab.kept("reads", ROWS)
        order = ["r004", "r000", "r005", "r001"]
        found = await space.get(order)
        assert [record.id for record in found] == order
        for record in found:
            check_record(record, ROWS, lab.capabilities)

    async def test_missing_ids_are_absent(self, lab: AsyncLab) -> None:
        space = await lab.kept("reads", ROWS)
        found = await space.get(["nobody", "r003", "r00", "R003", "r0033", "r001"])
        assert [record.id for record in found] == ["r003", "r001"]
        assert await space.get(["nobody"]) == []

    async def test_nothing_asked_nothing_found(self, lab: AsyncLab) -> None:
        space = await lab.kept("reads", ROWS)
        assert await space.get([]) == []

    async def test_an_id_asked_twice_comes_as_asked(self, lab: AsyncLab) -> None:
        space = await lab.kept("reads", ROWS)
        found = await space.get(["r002", "r001", "r002"])
        assert [record.id for record in found][:2] == ["r002", "r001"]
        assert {record.id for record in found} == {"r001", "r002"}

    async def test_more_than_one_request(self, lab: AsyncLab) -> None:
        rows = sample(1100)
        space = await lab.filled(rows)
        order = sorted(rows, reverse=True)
        found = await space.get([*order, "nobody"], include=("metadata",))
        assert [record.id for record in found] == order
        assert [record.metadata for record in found] == [rows[key].metadata for key in order]

    @pytest.mark.parametrize("include", INCLUDES, ids=lambda value: "+".join(value) or "nothing")
    async def test_get_includes(self, lab: AsyncLab, include: tuple[Any, ...]) -> None:
        space = await lab.kept("reads", ROWS)
        found = await space.get(["r001", "r002"], include=include)
        assert [record.id for record in found] == ["r001", "r002"]
        for record in found:
            _check_columns(record, include)

    @pytest.mark.parametrize("include", INCLUDES, ids=lambda value: "+".join(value) or "nothing")
    @pytest.mark.parametrize("exact", [True, False], ids=["exact", "index"])
    async def test_query_includes(
        self, lab: AsyncLab, include: tuple[Any, ...], exact: bool
    ) -> None:
        space = await lab.kept("reads", ROWS)
        hits = await space.query(vector(1), top_k=3, include=include, exact=exact)
        assert len(hits) == 3
        for hit in hits:
            assert hit.id == hit.record.id
            _check_columns(hit.record, include)
        filtered = await space.query(
            vector(1), top_k=3, include=include, exact=exact, filter=F("n") > 2
        )
        assert len(filtered) == 3
        for hit in filtered:
            _check_columns(hit.record, include)

    @pytest.mark.parametrize("include", INCLUDES, ids=lambda value: "+".join(value) or "nothing")
    async def test_scan_includes(self, lab: AsyncLab, include: tuple[Any, ...]) -> None:
        space = await lab.kept("reads", ROWS)
        for where in (None, F("n") > 2):
            seen = 0
            async for batch in space.scan(filter=where, include=include):
                seen += len(batch)
                assert (batch.vectors is not None) == ("vector" in include)
                assert (batch.metadata is not None) == ("metadata" in include)
                assert (batch.texts is not None) == ("text" in include)
            assert seen == (6 if where is None else 3)

    async def test_includes_by_default(self, lab: AsyncLab) -> None:
        space = await lab.kept("reads", ROWS)
        (record,) = await space.get(["r001"])
        _check_columns(record, COLUMNS)
        (hit,) = await space.query(ROWS["r001"].vector, top_k=1)
        _check_columns(hit.record, ("metadata", "text"))
        (many,) = (await space.query_many(ROWS["r001"].vector[None, :], top_k=1))[0]
        _check_columns(many.record, ("metadata", "text"))
        batches = [batch async for batch in space.scan()]
        assert all(batch.vectors is None for batch in batches)
        assert all(batch.metadata is not None and batch.texts is not None for batch in batches)
