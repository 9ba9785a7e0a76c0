"""Random records, filters and sequences of verbs against the oracle; for both colours.

The tests are plain functions in both suites, with inner functions for
Hypothesis: `@given` on a method fails as soon as two subclasses exist.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

from polyvec.errors import PolyvecError
from polyvec.evaluate import matches
from polyvec.filter_json import to_dict
from polyvec.testing import random_cases
from polyvec.testing.checks import check_hits
from polyvec.testing.machine import machine_for
from polyvec.testing.oracle import Row, Rows, ranking, records, replaced
from polyvec.testing.rows import vector
from polyvec.testing.rules import Area, AsyncArea, SuiteRules, Tier

if TYPE_CHECKING:
    from polyvec.filters import Filter
    from polyvec.types import Vector


STEPS: Final = 30
"""Verbs in one sequence, at most."""


class _Stress(SuiteRules):
    """What no list of cases has thought of."""

    area = "stress"
    tier = Tier.STRESS

    def test_random_records_read_back(self, lab: Any) -> None:
        space = lab.run(lab.namespace())

        @random_cases.stress(lab.examples)
        @given(random_cases.rows())
        def check(written: list[tuple[str, Row]]) -> None:
            rows: Rows = {}
            replaced(rows, written)
            lab.run(space.clear())
            lab.run(
                space.upsert(
                    ids=[key for key, _ in written],
                    vectors=[row.vector for _, row in written],
                    metadata=[row.metadata for _, row in written],
                    texts=[row.text for _, row in written],
                )
            )
            lab.run(lab.holds(space, rows))

        check()

    def test_random_filters(self, lab: Any) -> None:
        space = lab.run(lab.namespace())

        @random_cases.stress(lab.examples)
        @given(
            random_cases.rows(random_cases.IDS + tuple(f"i{at}" for at in range(20))),
            st.lists(random_cases.filters(), min_size=1, max_size=8),
            random_cases.vectors(),
        )
        def check(written: list[tuple[str, Row]], filters: list[Filter], query: Vector) -> None:
            rows: Rows = {}
            replaced(rows, written)
            lab.run(space.clear())
            lab.run(lab.write(space, rows))
            for where in filters:
                wanted = {key for key, row in rows.items() if matches(where, row.metadata)}
                assert lab.run(space.count(where)) == len(wanted), where
                assert lab.run(space.count(to_dict(where))) == len(wanted), where
                assert set(lab.run(lab.ids(space, filter=where))) == wanted, where
                expected = ranking(
                    rows, query, lab.metric, k=4, where=where, allow_empty=True, allow_all=True
                )
                hits = lab.run(space.query(query, top_k=4, filter=where, exact=True))
                check_hits(hits, expected, rows, query, lab.metric, lab.capabilities)

        check()

    def test_random_bad_records_are_refused(self, lab: Any) -> None:
        rows = {"kept": Row(vector(1), {"n": 1}, "kept")}
        space = lab.run(lab.filled(rows))
        bad_values = st.sampled_from(
            (float("nan"), float("inf"), 2**63, {1}, b"x", object(), "\ud800", (1,), 1j)
        )
        bad_metadata = bad_values.map(lambda bad: {"v": bad})
        hidden = st.recursive(
            bad_metadata,
            lambda inner: (
                inner.map(lambda item: {"o": item}) | inner.map(lambda item: {"l": [item]})
            ),
            max_leaves=3,
        )

        @random_cases.stress(lab.examples)
        @given(random_cases.rows(), hidden, st.integers(0, 6))
        def check(written: list[tuple[str, Row]], bad: dict[str, Any], place: int) -> None:
            at = min(place, len(written))
            ids = [key for key, _ in written]
            block = [row.vector for _, row in written]
            items = [row.metadata for _, row in written]
            ids.insert(at, "bad")
            block.insert(at, vector(2))
            items.insert(at, bad)
            try:
                lab.run(space.upsert(ids=ids, vectors=block, metadata=items))
            except PolyvecError as exc:
                assert "'bad'" in str(exc)  # noqa: PT017 - Hypothesis reports the case better
            else:
                raise AssertionError(f"{bad!r} was accepted")
            lab.run(lab.holds(space, rows))

        check()

    def test_sequences_of_verbs(self, lab: Any) -> None:
        few = random_cases.stress(max(1, lab.examples // 4))
        run_state_machine_as_test(
            machine_for(lab), settings=settings(few, stateful_step_count=STEPS)
        )

    def test_random_many_queries(self, lab: Any) -> None:
        rows = {f"r{at}": Row(vector(at + 1), {"n": at}) for at in range(30)}
        space = lab.run(lab.filled(rows))
        assert len(records(rows)) == 30

        @random_cases.stress(lab.examples)
        @given(random_cases.vectors(), st.integers(1, 40), st.integers(0, 31))
        def check(query: Vector, k: int, bound: int) -> None:
            every = ranking(rows, query, lab.metric, k=k)
            hits = lab.run(space.query(query, top_k=k, exact=True))
            check_hits(hits, every, rows, query, lab.metric, lab.capabilities)
            where = {"n": {"$lt": bound}}
            found = lab.run(space.query(query, top_k=k, filter=where, exact=True))
            assert [int(hit.id[1:]) < bound for hit in found] == [True] * min(k, bound, 30)

        check()


class AsyncStress(AsyncArea, _Stress):
    """The stress tier of the asynchronous suite."""


class Stress(Area, _Stress):
    """The stress tier of the synchronous suite."""
