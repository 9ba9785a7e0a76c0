"""Explain and why: what the server decides, and which clauses reject a record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from polyvec.evaluate import matches, why
from polyvec.filters import And, F, Or
from polyvec.rewrite import is_all, is_none
from polyvec.testing.cases import CASES, Case
from polyvec.testing.rows import sample
from polyvec.testing.rules import AsyncArea
from polyvec.testing.world import WORLD

if TYPE_CHECKING:
    from polyvec.filters import Filter
    from polyvec.testing.lab_async import AsyncLab

SOME: Final = CASES[::9]


class AsyncExplanations(AsyncArea):
    """The split of a filter keeps its meaning; a rejection names its clauses."""

    area = "explain and why"

    @pytest.mark.parametrize("case", SOME, ids=str)
    async def test_explained_parts_make_the_whole(self, lab: AsyncLab, case: Case) -> None:
        space = await lab.kept("world", WORLD)
        explained = await space.explain(case.where)
        parts = [part for part in (explained.pushed, explained.residual) if part is not None]
        for row in WORLD.values():
            assert matches(And(*parts), row.metadata) == matches(case.where, row.metadata)

    async def test_explain_of_no_filter(self, lab: AsyncLab) -> None:
        space = await lab.kept("world", WORLD)
        explained = await space.explain(None)
        assert is_all(explained.pushed)
        assert explained.residual is None

    async def test_explain_takes_a_dict(self, lab: AsyncLab) -> None:
        space = await lab.kept("world", WORLD)
        explained = await space.explain({"num": {"$gt": 3}})
        parts = [part for part in (explained.pushed, explained.residual) if part is not None]
        assert not is_all(And(*parts))

    @pytest.mark.parametrize("case", SOME, ids=str)
    async def test_why_names_the_rejecting_clauses(self, lab: AsyncLab, case: Case) -> None:
        space = await lab.kept("world", WORLD)
        for key in list(WORLD)[:: len(WORLD) // 8]:
            metadata = WORLD[key].metadata
            answer = await space.why(key, case.where)
            assert answer.found
            assert answer.matches == matches(case.where, metadata)
            assert set(answer.rejected_by) == set(why(case.where, metadata))
            assert bool(answer.rejected_by) != answer.matches
            for clause in answer.rejected_by:
                assert not matches(clause, metadata)

    async def test_why_of_an_absent_record(self, lab: AsyncLab) -> None:
        space = await lab.kept("world", WORLD)
        for where in (None, F("num") == 1, Or()):
            answer = await space.why("nobody", where)
            assert not answer.found
            assert not answer.matches
            assert answer.rejected_by == ()

    async def test_why_without_a_filter(self, lab: AsyncLab) -> None:
        space = await lab.kept("world", WORLD)
        answer = await space.why("w000", None)
        assert answer.found
        assert answer.matches
        assert answer.rejected_by == ()

    async def test_why_of_several_clauses(self, lab: AsyncLab) -> None:
        space = await lab.filled(sample(3))
        wrong: tuple[Filter, ...] = (F("n") == 5, F("kind") != "red")
        answer = await space.why("r000", And(*wrong, F("n") < 9))
        assert set(answer.rejected_by) == set(wrong)
        answer = await space.why("r000", {"n": 5, "kind": "red"})
        assert set(answer.rejected_by) == {F("n") == 5}
        never = await space.why("r000", (F("n") == 5) & ~(F("n") == 5))
        assert [is_none(clause) for clause in never.rejected_by] == [True]
