# Generated from filters_async.py by tools/unasync.py. Do not edit.
"""Filters: the enumerated corpus, by every verb that takes one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from polyvec.filter_json import to_dict
from polyvec.filters import F
from polyvec.rewrite import is_all
from polyvec.testing.cases import CASES, Case
from polyvec.testing.lab import SCRATCH
from polyvec.testing.oracle import matching, ranking
from polyvec.testing.rows import sample, vector
from polyvec.testing.rules import Area
from polyvec.testing.world import WORLD

if TYPE_CHECKING:
    from polyvec.testing.lab import Lab


class Filters(Area):
    """One meaning: whatever `evaluate.matches` says, no more and no less."""

    area = "filters"

    @pytest.mark.parametrize("case", CASES, ids=str)
    def test_filter(self, lab: Lab, case: Case) -> None:
        expected = matching(WORLD, case.where, allow_empty=case.empty, allow_all=case.all)
        space = lab.kept("world", WORLD)
        hits = space.query(
            vector(1), top_k=lab.everything, filter=case.where, exact=True, include=()
        )
        assert {hit.id for hit in hits} == expected
        assert len(hits) == len(expected)
        assert space.count(case.where) == len(expected)
        scanned = lab.ids(space, filter=case.where)
        assert sorted(scanned) == sorted(expected)

    @pytest.mark.parametrize("case", CASES[::4], ids=str)
    def test_filter_through_the_index(self, lab: Lab, case: Case) -> None:
        expected = matching(WORLD, case.where, allow_empty=case.empty, allow_all=case.all)
        space = lab.kept("world", WORLD)
        wanted = min(5, len(expected))
        hits = space.query(vector(2), top_k=5, filter=case.where, include=())
        assert len(hits) == wanted
        assert {hit.id for hit in hits} <= expected

    @pytest.mark.parametrize("case", CASES[::4], ids=str)
    def test_filter_as_dict(self, lab: Lab, case: Case) -> None:
        expected = matching(WORLD, case.where, allow_empty=case.empty, allow_all=case.all)
        space = lab.kept("world", WORLD)
        assert space.count(to_dict(case.where)) == len(expected)

    @pytest.mark.parametrize("case", [case for case in CASES if not is_all(case.where)], ids=str)
    def test_delete_by(self, lab: Lab, case: Case) -> None:
        gone = matching(WORLD, case.where, allow_empty=case.empty, allow_all=case.all)
        space = lab.scratch(WORLD)
        lab.discard(SCRATCH)
        space.delete(filter=case.where)
        lab.settle(space, sorted(gone), absent=True)
        assert set(lab.ids(space)) == WORLD.keys() - gone
        lab.write(space, {key: WORLD[key] for key in gone})
        lab.pool.kept[SCRATCH] = space  # whole again, for the next case

    @pytest.mark.parametrize("case", CASES[::6], ids=str)
    def test_update_by(self, lab: Lab, case: Case) -> None:
        if is_all(case.where):
            pytest.skip("an update of everything is refused, see the area bad input")
        hit = matching(WORLD, case.where, allow_empty=case.empty, allow_all=case.all)
        space = lab.scratch(WORLD)
        lab.discard(SCRATCH)
        space.update(filter=case.where, set={"touched": 1})

        def touches(wanted: set[str]) -> None:
            found = lab.read_all(space)
            got = {key for key, (_, item, _) in found.items() if item and "touched" in item}
            assert got == wanted

        lab.eventually(lambda: touches(hit))
        space.update(sorted(hit), unset=["touched"])
        lab.eventually(lambda: touches(set()))
        lab.pool.kept[SCRATCH] = space

    def test_thousands_of_operands(self, lab: Lab) -> None:
        rows = sample(25)
        space = lab.kept("scan", rows)
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
            assert sorted(lab.ids(space, filter=where)) == sorted(expected)
            assert space.count(where) == len(expected)

    def test_ranking_under_a_filter(self, lab: Lab) -> None:
        space = lab.kept("world", WORLD)
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
            hits = space.query(vector(3), top_k=9, filter=case.where, exact=True)
            assert [hit.id for hit in hits] == [key for key, _ in expected]
