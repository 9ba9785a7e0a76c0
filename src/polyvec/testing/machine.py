"""A state machine of all verbs against a naive dict model, for either colour of store.

Rules are plain functions in both suites: Hypothesis cannot await. `lab.run`
waits for what an asynchronous verb returned, and returns a synchronous result
as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from polyvec.evaluate import matches
from polyvec.rewrite import is_all
from polyvec.testing import random_cases
from polyvec.testing.checks import check_hits, check_rows
from polyvec.testing.oracle import Row, Rows, patched, ranking, replaced

if TYPE_CHECKING:
    from polyvec.filters import Filter
    from polyvec.types import Vector

_SPACES = st.integers(0, 1)
_IDS = st.lists(st.sampled_from(random_cases.IDS), max_size=4)


class Verbs(RuleBasedStateMachine):
    """All verbs that change or read records; `machine_for` gives it the `lab`."""

    lab: Any

    def __init__(self) -> None:
        super().__init__()
        self.spaces: list[Any] = [self.lab.run(self.lab.namespace()) for _ in range(2)]
        self.models: list[Rows] = [{}, {}]

    def selected(self, at: int, where: Filter) -> set[str]:
        """Return what a filter selects in the model; empty and all are welcome here."""
        return {key for key, row in self.models[at].items() if matches(where, row.metadata)}

    @rule(at=_SPACES, written=random_cases.rows())
    def upsert(self, at: int, written: list[tuple[str, Row]]) -> None:
        block = [row.vector for _, row in written]
        self.lab.run(
            self.spaces[at].upsert(
                ids=[key for key, _ in written],
                vectors=block,
                metadata=[row.metadata for _, row in written],
                texts=[row.text for _, row in written],
            )
        )
        self.lab.run(self.lab.settle(self.spaces[at], [key for key, _ in written]))
        replaced(self.models[at], written)

    @rule(
        at=_SPACES,
        ids=st.lists(st.sampled_from(random_cases.IDS), max_size=4, unique=True),
        change=random_cases.changes(),
        unset=st.lists(random_cases.keys(), max_size=2),
    )
    def update(self, at: int, ids: list[str], change: dict[str, Any], unset: list[str]) -> None:
        gone = [key for key in unset if key not in change]
        self.lab.run(self.spaces[at].update(ids, set=change, unset=gone))
        patched(self.models[at], ids, set=change, unset=gone)

    @rule(at=_SPACES, where=random_cases.filters(), value=random_cases.values())
    def update_by_filter(self, at: int, where: Filter, value: Any) -> None:
        if is_all(where):
            return
        chosen = sorted(self.selected(at, where))
        self.lab.run(self.spaces[at].update(filter=where, set={"b": value}))
        patched(self.models[at], chosen, set={"b": value})

    @rule(at=_SPACES, ids=_IDS)
    def delete(self, at: int, ids: list[str]) -> None:
        self.lab.run(self.spaces[at].delete(ids))
        self.forget(at, set(ids))

    @rule(at=_SPACES, where=random_cases.filters())
    def delete_by_filter(self, at: int, where: Filter) -> None:
        if is_all(where):
            return
        gone = self.selected(at, where)
        self.lab.run(self.spaces[at].delete(filter=where))
        self.forget(at, gone)

    @rule(at=_SPACES, ids=_IDS, where=random_cases.filters())
    def delete_both(self, at: int, ids: list[str], where: Filter) -> None:
        if is_all(where) and not ids:
            return
        gone = self.selected(at, where) & set(ids)
        self.lab.run(self.spaces[at].delete(ids, filter=where))
        self.forget(at, gone)

    def forget(self, at: int, gone: set[str]) -> None:
        """Remove rows from the model, and wait until readers miss them too."""
        self.lab.run(self.lab.settle(self.spaces[at], sorted(gone), absent=True))
        for key in gone:
            self.models[at].pop(key, None)

    @rule(at=_SPACES)
    def clear(self, at: int) -> None:
        self.lab.run(self.spaces[at].clear())
        self.forget(at, set(self.models[at]))

    @rule(at=_SPACES, ids=_IDS)
    def get(self, at: int, ids: list[str]) -> None:
        asked = list(dict.fromkeys(ids))
        found = self.lab.run(self.spaces[at].get(asked))
        model = self.models[at]
        assert [record.id for record in found] == [key for key in asked if key in model]
        got = {record.id: (record.vector, record.metadata, record.text) for record in found}
        check_rows(got, {key: model[key] for key in got}, self.lab.capabilities)

    @rule(
        at=_SPACES,
        query=random_cases.vectors(),
        where=random_cases.maybe_filter(),
        k=st.integers(1, 8),
    )
    def query(self, at: int, query: Vector, where: Filter | None, k: int) -> None:
        model = self.models[at]
        expected = ranking(
            model, query, self.lab.metric, k=k, where=where, allow_empty=True, allow_all=True
        )
        hits = self.lab.run(self.spaces[at].query(query, top_k=k, filter=where, exact=True))
        check_hits(hits, expected, model, query, self.lab.metric, self.lab.capabilities)

    @rule(at=_SPACES, where=random_cases.filters(), size=st.integers(1, 4))
    def count_and_scan(self, at: int, where: Filter, size: int) -> None:
        wanted = self.selected(at, where)
        assert self.lab.run(self.spaces[at].count(where)) == len(wanted)
        found = self.lab.run(self.lab.ids(self.spaces[at], filter=where, batch_size=size))
        assert sorted(found) == sorted(wanted)

    @invariant()
    def spaces_hold_their_models(self) -> None:
        """Both namespaces, after every step: what one verb did may show in the other."""
        for space, model in zip(self.spaces, self.models, strict=True):
            self.lab.run(self.lab.holds(space, model))

    def teardown(self) -> None:
        for space in self.spaces:
            self.lab.run(space.clear())


def machine_for(lab: Any) -> type[RuleBasedStateMachine]:
    """Return a new machine class over two fresh namespaces of one collection per run."""
    return type("VerbsOfOneStore", (Verbs,), {"lab": lab})
