# Generated from namespaces_async.py by tools/unasync.py. Do not edit.
"""Namespaces are isolated: no verb on one reads or changes another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from polyvec.filters import F
from polyvec.testing.corpus import HOSTILE
from polyvec.testing.oracle import Row
from polyvec.testing.rows import rows_of, sample, vector, vectors
from polyvec.testing.rules import Area

if TYPE_CHECKING:
    from polyvec.collection import Collection
    from polyvec.testing.lab import Lab
    from polyvec.testing.oracle import Rows


def _rows(owner: str, seed: int) -> Rows:
    """Return rows with the same ids for every owner, and metadata that tells them apart."""
    return rows_of([{"n": at, "owner": owner} for at in range(6)], seed=seed)


class Namespaces(Area):
    """The same id in two namespaces is two records."""

    area = "namespaces"

    def _two(self, lab: Lab) -> tuple[Collection[Any], Collection[Any]]:
        ours, theirs = lab.namespace(), lab.namespace()
        lab.write(theirs, _rows("theirs", 2))
        lab.write(ours, _rows("ours", 1))
        return ours, theirs

    def test_reads_do_not_leak(self, lab: Lab) -> None:
        ours, theirs = self._two(lab)
        lab.holds(ours, _rows("ours", 1))
        lab.holds(theirs, _rows("theirs", 2))
        target = _rows("theirs", 2)["r003"].vector
        for exact in (True, False):
            hits = ours.query(target, top_k=lab.everything, exact=exact)
            assert {hit.record.metadata["owner"] for hit in hits} == {"ours"}
            assert len(hits) == 6
        (many,) = ours.query_many(target[None, :], top_k=6)
        assert {hit.record.metadata["owner"] for hit in many} == {"ours"}
        assert ours.query(target, filter=F("owner") == "theirs") == []
        assert ours.count(F("owner") == "theirs") == 0
        assert ours.count(F("owner") != "ours") == 0
        assert lab.ids(ours, filter=F("owner") == "theirs") == []
        assert (ours.get(["r002"]))[0].metadata["owner"] == "ours"
        assert (ours.why("r002", F("owner") == "theirs")).found

    def test_only_they_have_the_record(self, lab: Lab) -> None:
        ours, theirs = self._two(lab)
        secret = {"secret": Row(vector(9), {"owner": "theirs"}, "secret")}
        lab.write(theirs, secret)
        assert ours.get(["secret"]) == []
        assert not (ours.why("secret", None)).found
        hits = ours.query(vector(9), top_k=lab.everything, exact=True)
        assert "secret" not in {hit.id for hit in hits}
        ours.update(["secret"], set={"owner": "ours"})
        ours.delete(["secret"])
        lab.holds(
            theirs, {**_rows("theirs", 2), "secret": Row(vector(9), {"owner": "theirs"}, "secret")}
        )

    def test_upsert_stays_inside(self, lab: Lab) -> None:
        ours, theirs = self._two(lab)
        lab.write(ours, _rows("new", 3))
        lab.holds(ours, _rows("new", 3))
        lab.holds(theirs, _rows("theirs", 2))

    def test_update_stays_inside(self, lab: Lab) -> None:
        ours, theirs = self._two(lab)
        ours.update(["r001"], set={"n": 99}, vectors=vectors(1, seed=8), texts=["new"])
        rows = _rows("ours", 1)
        rows["r001"] = Row(vector(8), {"n": 99, "owner": "ours"}, "new")
        lab.holds(ours, rows)
        ours.update(filter=F("n") < 50, set={"low": True})
        lab.holds(theirs, _rows("theirs", 2))

        def changed() -> None:
            assert ours.count(F("low").exists()) == 5

        lab.eventually(changed)

    def test_delete_stays_inside(self, lab: Lab) -> None:
        ours, theirs = self._two(lab)
        ours.delete(["r000", "r001"])
        ours.delete(filter=F("n") > 3)
        ours.delete(["r002"], filter=F("n") == 2)
        lab.settle(ours, ["r000", "r001", "r002", "r004", "r005"], absent=True)
        lab.holds(ours, {"r003": _rows("ours", 1)["r003"]})
        lab.holds(theirs, _rows("theirs", 2))

    def test_clear_stays_inside(self, lab: Lab) -> None:
        ours, theirs = self._two(lab)
        ours.clear()
        lab.settle(ours, list(_rows("ours", 1)), absent=True)
        lab.holds(ours, {})
        lab.holds(theirs, _rows("theirs", 2))

    def test_drop_stays_inside(self, lab: Lab) -> None:
        ours, theirs = self._two(lab)
        name = lab.name_of(ours)
        theirs.drop_namespace(name)  # the collection's verb, from any of its handles
        lab.settle(ours, list(_rows("ours", 1)), absent=True)
        lab.holds(ours, {})
        lab.holds(theirs, _rows("theirs", 2))
        theirs.drop_namespace(name)  # an absent namespace is no error

    def test_unknown_namespace_is_empty(self, lab: Lab) -> None:
        space = lab.namespace()
        assert space.count() == 0
        assert space.count(F("n") == 1) == 0
        assert space.get(["a"]) == []
        assert space.query(vector(), top_k=3) == []
        assert space.query(vector(), top_k=3, exact=True) == []
        assert space.query_many(vectors(2), top_k=3) == [[], []]
        assert lab.ids(space) == []
        space.delete(["a"])
        space.delete(filter=F("n") == 1)
        space.update(["a"], set={"n": 1})
        space.clear()
        assert lab.name_of(space) not in space.namespaces()

    def test_listing_counts_each_namespace(self, lab: Lab) -> None:
        made = lab.collection()
        assert made.namespaces() == {}
        lab.write(made, sample(2))
        lab.write(made.namespace("tenant_1"), sample(5))
        lab.write(made.namespace("Tenant_1"), sample(1))
        assert made.namespaces() == {"": 2, "tenant_1": 5, "Tenant_1": 1}
        info = made.describe()
        assert info.namespaces == {"": 2, "tenant_1": 5, "Tenant_1": 1}
        assert info.count == 8
        # A namespace exists while it holds a record.
        made.namespace("Tenant_1").delete(["r000"])
        lab.settle(made.namespace("Tenant_1"), ["r000"], absent=True)
        made.namespace("tenant_1").clear()
        lab.settle(made.namespace("tenant_1"), list(sample(5)), absent=True)
        assert made.namespaces() == {"": 2}
        assert (made.describe()).count == 2

    def test_default_namespace_is_one_of_them(self, lab: Lab) -> None:
        made = lab.collection()
        lab.write(made, _rows("default", 1))
        lab.write(made.namespace("other"), _rows("other", 2))
        lab.holds(made, _rows("default", 1))
        lab.holds(made.namespace(""), _rows("default", 1))
        lab.holds(made.namespace("other").namespace(""), _rows("default", 1))
        made.clear()
        lab.settle(made, list(_rows("default", 1)), absent=True)
        lab.holds(made.namespace("other"), _rows("other", 2))

    def test_every_kind_of_name(self, lab: Lab) -> None:
        most = lab.capabilities.limits.namespace_bytes
        names = [*HOSTILE, "n" * 256, "é" * 256, "__default__", "default", "_default", "public"]
        kept = [name for name in names if most is None or len(name.encode()) <= most]
        made = lab.collection()
        for at, name in enumerate(kept):
            made.namespace(name).upsert(
                ids=["a"], vectors=vectors(1, seed=at + 1), metadata=[{"at": at}]
            )
        for name in kept:
            lab.settle(made.namespace(name), ["a"])
        assert made.namespaces() == dict.fromkeys(kept, 1)
        for at, name in enumerate(kept):
            lab.holds(made.namespace(name), {"a": Row(vector(at + 1), {"at": at})})
        made.drop_namespace(kept[0])
        lab.settle(made.namespace(kept[0]), ["a"], absent=True)
        assert made.namespaces() == dict.fromkeys(kept[1:], 1)

    @pytest.mark.parametrize(
        ("one", "other"),
        [("a", "A"), ("a", "a "), ("a", "aa"), ("a", "a/b"), ("é", "e\u0301"), ("1", "01")],
    )
    def test_names_that_look_alike(self, lab: Lab, one: str, other: str) -> None:
        prefix = lab.name_of(lab.namespace())
        first = lab.namespace(name=prefix + one)
        second = lab.namespace(name=prefix + other)
        lab.write(first, _rows("first", 1))
        lab.write(second, _rows("second", 2))
        first.delete(["r001"])
        lab.settle(first, ["r001"], absent=True)
        lab.holds(second, _rows("second", 2))
        second.clear()
        lab.settle(second, list(_rows("second", 2)), absent=True)
        assert first.count() == 5
