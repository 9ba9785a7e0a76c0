"""The compact table of ids against a dict."""

from __future__ import annotations

import sys

from hypothesis import given
from hypothesis import strategies as st

from polyvec.snapshot.ids import Ids

FEW = st.sampled_from(["a", "b", "ä", "😀", "a/b", "10", "1", " ", "x" * 512])
TEXTS = FEW | st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)


@given(st.lists(st.tuples(st.booleans(), TEXTS), max_size=200))
def test_it_answers_as_a_dict_does(steps: list[tuple[bool, str]]) -> None:
    ids, model, given_out = Ids(), dict[str, int](), 0
    for adding, text in steps:
        assert ids.find(text) == model.get(text)
        if not adding:
            assert ids.remove(text) == model.pop(text, None)
        elif text not in model:
            assert ids.append(text) == given_out
            model[text] = given_out
            given_out += 1
        assert len(ids) == len(model)
    assert ids.places == given_out
    assert list(ids) == sorted(model, key=model.__getitem__)
    assert all(ids.at(place) == text for text, place in model.items())
    places = set(model.values())
    assert [bool(live) for live in ids.live()] == [at in places for at in range(given_out)]
    assert all(ids.is_live(at) == (at in places) for at in range(given_out))


def test_many_come_and_go() -> None:
    ids = Ids()
    for at in range(20_000):
        ids.append(f"record-{at}")
        if at % 2:
            ids.remove(f"record-{at - 1}")
    assert len(ids) == 10_000
    assert all(ids.find(f"record-{at}") == (at if at % 2 else None) for at in range(20_000))


def test_it_is_small() -> None:
    ids = Ids()
    for at in range(50_000):
        ids.append(f"record-{at:08}")
    parts = (ids._text, ids._ends, ids._hashes, ids._live, ids._slots)  # pyright: ignore[reportPrivateUsage]  # their size is what it is for
    assert sum(map(sys.getsizeof, parts)) < 50_000 * 64
