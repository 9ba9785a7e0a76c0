"""How far a namespace is: what is remembered of writes, and that it stays small."""

from __future__ import annotations

import httpx

from polyvec_pinecone import _marks
from polyvec_pinecone._marks import Marks, MarksOf


def answer(**headers: str) -> httpx.Headers:
    return httpx.Headers({name.replace("_", "-"): value for name, value in headers.items()})


def test_numbers_only_rise() -> None:
    marks = Marks()
    marks.note(answer(x_pinecone_request_lsn="7"))
    marks.note(answer(X_Pinecone_Lsn_Committed="5", x_pinecone_max_indexed_lsn="3"))
    marks.note(answer(x_pinecone_lsn_reconciled="4", date="today"))
    marks.note(answer(x_pinecone_request_lsn="soon"))
    assert (marks.committed, marks.indexed) == (7, 4)


def test_what_was_deleted_is_not_known() -> None:
    marks = Marks()
    marks.wrote(["a", "b", "c"])
    marks.deleted(["b", "x"])
    assert marks.known(["x", "c", "b", "a"]) == ["c", "a"]
    marks.deleted(None)
    assert marks.known(["a"]) == []


def test_the_last_ids_are_remembered() -> None:
    marks = Marks()
    marks.wrote(f"r{at}" for at in range(_marks.MOST_REMEMBERED))
    marks.wrote(["new"])
    assert marks.known(["r0", "r1", "new"]) == ["r1", "new"]


def test_namespaces_are_apart_and_not_kept_for_ever() -> None:
    found = MarksOf()
    first = found.get("h", "first")
    first.wrote(["a"])
    first.committed = 7
    assert found.get("h", "second").known(["a"]) == []
    for at in range(_marks.MOST_WITH_IDS):
        found.get("h", f"n{at}")
    again = found.get("h", "first")
    assert again is first
    assert again.known(["a"]) == []  # it is looked for then
    assert again.committed == 7  # and an update still waits
    for at in range(_marks.MOST_SPACES):
        found.get("h", f"m{at}")
    assert found.get("h", "first") is not first
