"""Filters: the enumerated corpus, by every verb that takes one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from polyvec.filter_json import to_dict
from polyvec.filters import F
from polyvec.rewrite import is_all
from polyvec.testing.cases import CASES, Case
from polyvec.testing.lab_async import SCRATCH
from polyvec.testing.oracle import matching, ranking
from polyvec.testing.rows import sample, vector
from polyvec.testing.rules import AsyncArea
from polyvec.testing.world import WORLD

if TYPE_CHECKING:
    from polyvec.testing.lab_async import AsyncLab


class AsyncFilters(AsyncArea):
    """One meaning: whatever `evaluate.matches` says, no more and no less."""

    area = "filters"

    @pytest.mark.parametrize("case", CASES, ids=str)
    async def test_filter(self, lab: AsyncLab, case: Case) -> None:
        expected = matching(WORLD, case.where, allow_empty=case.empty, allow_all=case.all)
        space = await lab.kept("world", WORLD)
        hits = await space.query(
            vector(1), top_k=lab.everything, filter=case.where, exact=True, include=()
        )
        assert {hit.id for hit in hits} == expected
        assert len(hits) == len(expected)
        assert await space.count(case.where) == len(expected)
        scanned = await lab.ids(space, filter=case.where)
        assert sorted(scanned) == sorted(expected)

    @pytest.mark.parametrize("case", CASES[::4], ids=str)
    async def test_filter_through_the_index(self, lab: AsyncLab, case: Case) -> None:
        expected = matching(WORLD, case.where, allow_empty=case.empty, allow_all=case.all)
        space = await lab.kept("world", WORLD)
        wanted = min(5, len(expected))
        hits = await space.query(vector(2), top_k=5, filter=case.where, include=())
        assert len(hits) == wanted
        assert {hit.id for hit in hits} <= expected

    @pytest.mark.parametrize("case", CASES[::4], ids=str)
    async def test_filter_as_dict(self, lab: AsyncLab, case: Case) -> None:
        expected = matching(WORLD, case.where, allow_empty=case.empty, allow_all=case.all)
        space = await lab.kept("world", WORLD)
        assert await space.count(to_dict(case.where)) == len(expected)

    @pytest.mark.parametrize("case", [case for case in CASES if not is_all(case.where)], ids=str)
    async def test_delete_by(self, lab: AsyncLab, case: Case) -> None:
        gone = matching(WORLD, case.where, allow_empty=case.empty, allow_all=case.all)
        space = await lab.scratch(WORLD)
        lab.discard(SCRATCH)
        await space.delete(filter=case.where)
        await lab.settle(space, sorted(gone), absent=True)
        assert set(await lab.ids(space)) == WORLD.keys() - gone
        await lab.write(space, {key: WORLD[key] for key in gone})
        lab.pool.kept[SCRATCH] = space  # whole again, for the next case

    @pytest.mark.parametrize("case", CASES[::6], ids=str)
    async def test_update_by(self, lab: AsyncLab, case: Case) -> None:
        if is_all(case.where):
            pytest.skip("an update of everything is refused, see the area bad input")
        hit = matching(WORLD, case.where, allow_empty=case.empty, allow_all=case.all)
        space = await lab.scratch(WORLD)
        lab.discard(SCRATCH)
        await space.update(filter=case.where, set={"touched": 1})

        async def touches(wanted: set[str]) -> None:
            found = await lab.read_all(space)
            got = {key for key, (_, item, _) in found.items() if item and "touched" in item}
            assert got == wanted

        await lab.eventually(lambda: touches(hit))
        await space.update(sorted(hit), unset=["touched"])
        await lab.eventually(lambda: touches(set()))
        lab.pool.kept[SCRATCH] = space

    async def test_thousands_of_operands(self, lab: AsyncLab) -> None:
        rows = sample(25)
        space = await lab.kept("scan", rows)
        numbers: list[object] = [*range(20, 1500), 3, 7, True, "red", 2.5]
        texts: list[object] = [f"absent {at}" for at in range(1500)]
        for where in (
            F("n").is_in(numbers),
            F("n").not_in(numbers),
            F("kind").is_in([*texts, "red"]),
            F("kind").not_in([*texts, "red"]),
            F("tags").contains_any([f"absent {at}" for at in range(1500)] + ["blue"]),
        ):
            expected = matching(rows, where)
            assert sorted(await lab.ids(space, filter=where)) == sorted(expected)
            assert await space.count(where) == len(expected)

    async def test_ranking_under_a_filter(self, lab: AsyncLab) -> None:
        space = await lab.kept("world", WORLD)
        for case in CASES[::25]:
            expected = ranking(
                WORLD,
                vector(3),
                lab.metric,
                k=9,
                where=case.where,
                allow_empty=case.empty,
                allow_all=case.all,
            )
            hits = await space.query(vector(3), top_k=9, filter=case.where, exact=True)
            assert [hit.id for hit in hits] == [key for key, _ in expected]
