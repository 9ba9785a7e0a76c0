"""The cost model: what it must say whatever its constants are."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyvec.memory.hnsw_costs import pool_for, sift_cost, visit_cost
from polyvec.memory.planner import Plan, Question, Route, plan, scan_cost

LARGE = Question(
    rows=100_000,
    passing=100_000,
    masked=False,
    dimension=384,
    queries=1,
    k=10,
    ef=100,
    nodes=100_000,
    row_bytes=384,
    waiting=0,
)


def masked(passing: int) -> Question:
    return replace(LARGE, masked=True, passing=passing)


@st.composite
def questions(draw: st.DrawFn) -> Question:
    rows = draw(st.integers(1, 10**7))
    passing = draw(st.integers(0, rows))
    return Question(
        rows=rows,
        passing=passing,
        masked=passing < rows or draw(st.booleans()),
        dimension=draw(st.integers(1, 4096)),
        queries=draw(st.integers(1, 1000)),
        k=draw(st.integers(1, 1000)),
        ef=draw(st.integers(1, 1000)),
        nodes=draw(st.integers(0, rows)),
        row_bytes=draw(st.integers(1, 16_384)),
        waiting=draw(st.integers(0, passing)),
    )


@pytest.mark.parametrize(
    ("asked", "route"),
    [
        (LARGE, Route.GRAPH),
        (replace(LARGE, nodes=0), Route.SCAN),
        (replace(LARGE, rows=1000, passing=1000, nodes=1000), Route.CODES),
        (replace(LARGE, rows=1000, passing=1000, nodes=1000, queries=64), Route.SCAN),
        (replace(LARGE, k=20_000), Route.CODES),
        (replace(LARGE, queries=64, ef=1200), Route.SCAN),  # the codes would cost more
        (replace(LARGE, waiting=90_000), Route.SCAN),
        (masked(50_000), Route.MASKED_GRAPH),
        (masked(1000), Route.CODES),
        (masked(100), Route.SCAN_OF_MASK),
        (masked(0), Route.SCAN_OF_MASK),
    ],
)
def test_the_route(asked: Question, route: Route) -> None:
    assert plan(asked).route is route


def test_so_many_nodes_that_pass_are_kept() -> None:
    assert plan(LARGE).width == 100
    assert plan(masked(50_000)).width == 100
    assert plan(replace(masked(50_000), k=300)).width == 300


@given(questions())
def test_a_walk_may_cost_what_the_cheapest_scan_costs_and_no_more(asked: Question) -> None:
    chosen = plan(asked)
    if chosen.route in {Route.SCAN, Route.SCAN_OF_MASK}:
        assert chosen == Plan(chosen.route)
        return
    in_graph = min(asked.nodes, asked.passing - asked.waiting)
    assert 1 <= chosen.width <= in_graph
    codes = sift_cost(asked.row_bytes, in_graph, asked.nodes, asked.queries)
    if chosen.route is Route.CODES:
        assert chosen.most == 0
        assert codes < scan_cost(asked)
        return
    assert (chosen.route is Route.MASKED_GRAPH) == asked.masked
    pool = pool_for(chosen.width, in_graph, asked.nodes)
    spent = chosen.most * visit_cost(asked.row_bytes, pool)
    assert chosen.most == 1 or 0 < spent <= min(codes, scan_cost(asked))


@given(questions())
def test_a_forced_walk_goes_to_its_end(asked: Question) -> None:
    chosen = plan(asked, force=True)
    walks = chosen.route in {Route.GRAPH, Route.MASKED_GRAPH}
    assert walks == (asked.nodes > 0 and asked.passing > asked.waiting)
    assert not walks or chosen.most > asked.nodes
