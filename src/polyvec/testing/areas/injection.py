# Generated from injection_async.py by tools/unasync.py. Do not edit.
"""Hostile strings in every place that takes one; a sentinel beside them stays untouched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from polyvec.filters import F
from polyvec.testing.corpus import HOSTILE, KEYS, WITH_NUL
from polyvec.testing.oracle import Row, matching
from polyvec.testing.rows import sample, vector, vectors
from polyvec.testing.rules import Area

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polyvec.collection import Collection
    from polyvec.testing.lab import Lab
    from polyvec.testing.oracle import Rows

SENTINEL: Rows = sample(3, seed=77, prefix="sentinel")
VALUES = (*HOSTILE, *WITH_NUL)


def _by_value() -> Rows:
    return {
        f"v{at:03}": Row(vector(at + 1), {"v": text, "list": [text], "o": {"v": text}}, text)
        for at, text in enumerate(VALUES)
    }


class Injection(Area):
    """A string is data, whatever it looks like."""

    area = "injection"

    def _guarded(self, lab: Lab) -> Iterator[Collection[Any]]:
        """Yield a namespace, and check afterwards what lies beside it."""
        other = lab.collection()
        lab.write(other, SENTINEL)
        space, beside = lab.namespace(), lab.namespace()
        lab.write(beside, SENTINEL)
        collections = sorted(lab.store.list_collections())
        yield space
        lab.holds(other, SENTINEL)
        lab.holds(beside, SENTINEL)
        assert sorted(lab.store.list_collections()) == collections

    def test_hostile_values_are_equal_to_themselves_only(self, lab: Lab) -> None:
        rows = _by_value()
        for space in self._guarded(lab):
            lab.write(space, rows)
            lab.holds(space, rows)
            for key, row in rows.items():
                text = row.metadata["v"]
                for where in (F("v") == text, F("list").contains(text), F("o.v").is_in([text])):
                    assert lab.ids(space, filter=where) == [key], where
                assert space.count(F("v") != text) == len(rows) - 1
            hits = space.query(
                vector(1), top_k=lab.everything, filter=F("v") == VALUES[0], exact=True
            )
            assert [hit.id for hit in hits] == ["v000"]

    def test_hostile_prefixes(self, lab: Lab) -> None:
        rows = _by_value()
        for space in self._guarded(lab):
            lab.write(space, rows)
            for text in VALUES:
                where = F("v").starts_with(text)
                assert set(lab.ids(space, filter=where)) == matching(rows, where), where

    def test_hostile_operands_of_orderings(self, lab: Lab) -> None:
        rows = _by_value()
        for space in self._guarded(lab):
            lab.write(space, rows)
            for text in VALUES[::3]:
                where = F("v") < text
                expected = matching(rows, where, allow_empty=True)
                assert set(lab.ids(space, filter=where)) == expected, where

    def test_hostile_operands_delete_only_their_own(self, lab: Lab) -> None:
        rows = _by_value()
        for space in self._guarded(lab):
            lab.write(space, rows)
            for key, row in list(rows.items())[::4]:
                space.delete(filter=F("v") == row.metadata["v"])
                lab.settle(space, [key], absent=True)
                del rows[key]
                assert space.count() == len(rows)
            lab.holds(space, rows)

    def test_hostile_ids(self, lab: Lab) -> None:
        rows = {text: Row(vector(at + 1), {"at": at}) for at, text in enumerate(HOSTILE)}
        for space in self._guarded(lab):
            lab.write(space, rows)
            for text in HOSTILE:
                (record,) = space.get([text])
                assert record.id == text
                assert record.metadata == rows[text].metadata
            for text in HOSTILE[::3]:
                space.update([text], set={"touched": True})
                rows[text] = Row(rows[text].vector, {**rows[text].metadata, "touched": True})
            lab.holds(space, rows)
            for text in HOSTILE[::2]:
                space.delete([text])
                lab.settle(space, [text], absent=True)
                del rows[text]
                assert space.count() == len(rows)
            lab.holds(space, rows)

    def test_hostile_keys(self, lab: Lab) -> None:
        rows = {
            f"k{at:03}": Row(vector(at + 1), {key: at, "o": {key: "x"}})
            for at, key in enumerate(KEYS)
        }
        for space in self._guarded(lab):
            lab.write(space, rows)
            lab.holds(space, rows)
            for at, key in enumerate(KEYS):
                wanted = [f"k{at:03}"]
                assert lab.ids(space, filter=F((key,)).exists()) == wanted, key
                assert lab.ids(space, filter=F((key,)) == at) == wanted, key
                assert lab.ids(space, filter=F(("o", key)) == "x") == wanted, key
            for at, key in list(enumerate(KEYS))[::5]:
                space.update([f"k{at:03}"], unset=[key])
                rows[f"k{at:03}"] = Row(vector(at + 1), {"o": {key: "x"}})
            lab.holds(space, rows)

    def test_hostile_namespaces(self, lab: Lab) -> None:
        most = lab.capabilities.limits.namespace_bytes
        names = [text for text in HOSTILE if most is None or len(text.encode()) <= most][::2]
        for space in self._guarded(lab):
            for at, name in enumerate(names):
                space.namespace(name).upsert(
                    ids=["a"], vectors=vectors(1, seed=at + 1), metadata=[{"at": at}]
                )
            for at, name in enumerate(names):
                lab.settle(space.namespace(name), ["a"])
                lab.holds(space.namespace(name), {"a": Row(vector(at + 1), {"at": at})})
            for name in names:
                space.drop_namespace(name)
                lab.settle(space.namespace(name), ["a"], absent=True)
            left = space.namespaces()
            assert not set(names) & set(left)

    def test_hostile_collection_names(self, lab: Lab) -> None:
        for space in self._guarded(lab):
            for text in HOSTILE:
                assert not lab.store.has_collection(text) or text in (lab.store.list_collections())
            assert space.count() == 0

    @pytest.mark.parametrize("verb", ["update", "upsert"])
    def test_hostile_texts(self, lab: Lab, verb: str) -> None:
        rows = {f"t{at:03}": Row(vector(at + 1), {}, text) for at, text in enumerate(VALUES)}
        for space in self._guarded(lab):
            if verb == "upsert":
                lab.write(space, rows)
            else:
                lab.write(space, {key: Row(row.vector) for key, row in rows.items()})
                space.update(list(rows), texts=[row.text for row in rows.values()])
            lab.holds(space, rows)
