# A fault reaches inside and puts a function of any shape in place of a method: there is
# nothing here for a type checker to prove.
# pyright: basic
"""A witness: the same calls with and without a fault must give different answers.

A fault without a difference would count as a survivor although no test could
notice it; one that only crashes would count as killed although it is no fault
of meaning.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from itertools import count, product
from typing import Any, Final

import numpy as np

import polyvec
from polyvec import F, Metadata
from polyvec.testing.bad_requests import BAD_CALLS
from polyvec.testing.cases import CASES
from polyvec.testing.corpus import HOSTILE, KEYS
from polyvec.testing.oracle import Row, records
from polyvec.testing.rows import sample, vector, vectors
from polyvec.testing.together import at_once
from polyvec.testing.world import WORLD

Transcript = dict[str, str]
"""Call to answer, in the order of the calls."""
CRASHES: Final = (TypeError, AttributeError, NameError, KeyError, IndexError, AssertionError)


class Meta(Metadata):
    """A typed collection's model."""

    category: str


def differences(clean: Transcript) -> str:
    """Return what is wrong with the installed fault as a fault; empty when it changes an answer."""
    changed = {call: got for call, got in transcript().items() if clean.get(call) != got}
    if not changed:
        return "no call of the witness shows a difference"
    if all(got.startswith("crash") for got in changed.values()):
        return f"only crashes: {next(iter(changed.items()))}"
    return ""


def transcript() -> Transcript:
    """Make the calls and note each answer, or the class of its error."""
    said: Transcript = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for group in (_filters, _scores, _writes, _places, _checks, _concurrency):
            store = polyvec.connect("memory://")
            numbers = count()

            def note(
                name: str, call: Callable[[], Any], group: Any = group, numbers: Any = numbers
            ) -> None:
                said[f"{group.__name__} {next(numbers)} {name}"] = _answer(call)

            try:
                group(store, note)
            except Exception as exc:  # noqa: BLE001 - a fault may break what the calls build on
                said[f"{group.__name__} stopped"] = f"crash {type(exc).__name__}: {exc}"
            finally:
                store.close()
    return said


def _answer(call: Callable[[], Any]) -> str:
    try:
        return repr(call())
    except CRASHES as exc:
        return f"crash {type(exc).__name__}: {exc}"
    except Exception as exc:  # noqa: BLE001 - a fault may raise anything
        return f"{type(exc).__name__}: {exc}"


def _whole(space: Any) -> Any:
    """Return everything a namespace holds, readable and in a stable order."""
    found: list[tuple[Any, ...]] = []
    for batch in space.scan(include=("vector", "metadata", "text"), batch_size=7):
        for at, key in enumerate(batch.ids):
            vector = None if batch.vectors is None else batch.vectors[at].tolist()
            item = None if batch.metadata is None else sorted(batch.metadata[at].items(), key=repr)
            found.append((key, vector, item, None if batch.texts is None else batch.texts[at]))
    return sorted(found, key=repr)


def _hits(hits: Any) -> Any:
    return [(hit.id, hit.score, hit.distance, repr(dict(hit.record.__dict__))) for hit in hits]


def _filters(store: Any, note: Any) -> None:
    space = store.create_collection("world", dimension=4)
    space.upsert(records(WORLD))
    for case in CASES:
        note(f"count {case}", lambda case=case: space.count(case.where))
    for case in CASES[::7]:
        note(
            f"query {case}",
            lambda case=case: _hits(space.query(vector(1), filter=case.where, top_k=3)),
        )
        note(
            f"exact {case}",
            lambda case=case: _hits(space.query(vector(1), filter=case.where, exact=True)),
        )
        note(f"scan {case}", lambda case=case: [b.ids for b in space.scan(filter=case.where)])
        note(f"explain {case}", lambda case=case: space.explain(case.where))
        note(f"why {case}", lambda case=case: space.why("w003", case.where))
    note("why nobody", lambda: space.why("nobody", None))
    note("everything", lambda: _whole(space))
    note("get", lambda: [repr(r) for r in space.get(list(WORLD)[::3])])
    many = store.create_collection("many", dimension=4)
    many.upsert(
        ids=[f"v{at}" for at in range(len(HOSTILE))],
        vectors=vectors(len(HOSTILE)),
        metadata=[{"v": text, "in": [text]} for text in HOSTILE],
    )
    for text in HOSTILE:
        note(f"value {text!r}", lambda text=text: many.count(F("v") == text))
        note(f"prefix {text!r}", lambda text=text: many.count(F("v").starts_with(text)))
        note(f"list {text!r}", lambda text=text: many.count(F("in").contains(text)))
    many.upsert(
        ids=list(HOSTILE),
        vectors=vectors(len(HOSTILE)),
        metadata=[{key: 1} for key in [*KEYS, *HOSTILE][: len(HOSTILE)]]
        if len(KEYS) >= len(HOSTILE)
        else [{KEYS[at % len(KEYS)]: 1} for at in range(len(HOSTILE))],
    )
    for key in KEYS:
        note(f"key {key!r}", lambda key=key: many.count(F((key,)) == 1))
    for key in HOSTILE[::5]:
        note(f"id {key!r}", lambda key=key: [r.id for r in many.get([key])])
    note("in of many", lambda: many.count(F("v").is_in([*(f"no{at}" for at in range(200)), "é"])))


def _scores(store: Any, note: Any) -> None:
    for metric in ("cosine", "dot", "euclidean"):
        space = store.create_collection(f"m_{metric}", dimension=4, metric=metric)
        space.upsert(records(sample(150, seed=3)))
        twins = np.repeat(vectors(1, seed=4), 30, axis=0)
        space.upsert(ids=[f"{at:02}t{29 - at:02}" for at in range(30)], vectors=twins)
        for query in (vector(4), vector(9), -vector(4), twins[0] * 3):
            for exact, k in product((True, False), (1, 5, 170)):
                _note_query(note, space, query, top_k=k, exact=exact)
            best = space.query(query, top_k=9, exact=True)
            least = best[min(4, len(best) - 1)].score if best else 0.0
            _note_query(note, space, query, min_score=least, exact=True)
            _note_query(note, space, query, min_score=-0.3, top_k=90)
        many = space.query_many(vectors(120, seed=8), top_k=2)
        note("many", [_hits(hits) for hits in many].copy)
        note("vectors", [r.vector.tolist() for r in space.get(["r001", "r002"])].copy)


def _note_query(note: Any, space: Any, query: Any, **settings: Any) -> None:
    note(f"query {settings}", lambda: _hits(space.query(query, **settings)))


def _writes(store: Any, note: Any) -> None:
    base = store.create_collection("writes", dimension=4)
    space, other = base.namespace("A"), base.namespace("a")
    for one in (space, other, base, base.namespace("a ")):
        one.upsert(records(sample(12)))
    steps: dict[str, Callable[[], Any]] = {
        "replace": lambda: space.upsert(
            records({"r001": Row(vector(9), {"new": 1, "author": {"x": 1}})})
        ),
        "twice": lambda: space.upsert(
            ids=["d", "d"], vectors=vectors(2), metadata=[{"v": 1}, {"v": 2}]
        ),
        "update": lambda: space.update(
            ["r002", "nobody", "r003"],
            set={"author": {"x": 1}, "k": 2},
            unset=["n"],
            vectors=vectors(3, seed=7),
            texts=["x", "y", None],
        ),
        "update 2": lambda: space.update(["r004"], set={"k": 2}),
        "update by": lambda: space.update(filter=F("n") > 9, set={"late": True}),
        "update both": lambda: space.update(
            ["r000", "r010"], filter=F("kind") == "red", set={"z": 1}
        ),
        "delete": lambda: space.delete(["r005", "r006", "r00"]),
        "delete by": lambda: space.delete(filter=F("n") == 7),
        "delete both": lambda: space.delete(["r008", "r009"], filter=F("kind") == "red"),
        "prefix": lambda: space.upsert(ids=["doc1", "doc10", "Doc1", " doc1"], vectors=vectors(4)),
        "delete doc1": lambda: space.delete(["doc1"]),
        "clear": other.clear,
        "nothing": lambda: space.update(["nobody"], set={"a": 1}),
        "large": lambda: base.upsert(records(sample(1300, prefix="l"))),
        "large delete": lambda: base.delete(filter=F("n") > 30),
        "drop": lambda: base.drop_namespace("A"),
    }
    for name, step in steps.items():
        note(name, step)
        for where in (space, other, base, base.namespace("a ")):
            note(f"after {name}", lambda where=where: _whole(where))
            note("count", lambda where=where: where.count())
        note("namespaces", base.namespaces)
        note("describe", other.describe)
    big = store.create_collection("big", dimension=4)
    big.upsert(ids=[f"b{at}" for at in range(2345)], vectors=vectors(2345))
    note("big count", big.count)
    note("big scan", lambda: sum(len(batch) for batch in big.scan()))
    note("big get", lambda: len(big.get([f"b{at}" for at in range(2345)])))
    note("get order", lambda: [r.id for r in big.get(["b9", "b1", "b10"])])
    note("one", lambda: [r.id for r in big.get(["b1"])])
    note("sizes", lambda: [len(batch) for batch in big.scan(batch_size=100)])
    note("cursors", lambda: [batch.cursor for batch in big.scan(batch_size=1000)])
    note(
        "resumed",
        lambda: [len(b) for b in big.scan(after=next(iter(big.scan(batch_size=9))).cursor)],
    )
    note("while deleting", lambda: _scan_and_delete(big))
    rich = store.create_collection("rich", dimension=4)
    rich.upsert(records({"a": Row(vector(1), {"tags": ["x"], "o": {"k": 1}}, "")}))
    rich.get(["a"])[0].metadata["tags"].append("y")
    note("aliasing", lambda: _whole(rich))
    note("include", lambda: dict(rich.get(["a"], include=("text",))[0].__dict__))
    note("not included", lambda: rich.get(["a"], include=("text",))[0].metadata)
    note("query columns", lambda: _hits(rich.query(vector(1))))


def _scan_and_delete(space: Any) -> int:
    seen = 0
    for batch in space.scan(batch_size=500):
        seen += len(batch)
        space.delete(batch.ids[:400])
        space.upsert(ids=batch.ids[400:410], vectors=vectors(len(batch.ids[400:410])))
    return seen


def _places(store: Any, note: Any) -> None:
    steps: dict[str, Callable[[], Any]] = {
        "create": lambda: store.create_collection("One", dimension=4, metric="dot").describe(),
        "case": lambda: store.create_collection("one", dimension=5).describe(),
        "again": lambda: store.create_collection("One", dimension=4, metric="dot"),
        "exist_ok": lambda: store.create_collection("One", dimension=9, exist_ok=True).describe(),
        "fill": lambda: store.collection("One").upsert(ids=["a"], vectors=vectors(1)),
        "create over": lambda: store.create_collection("One", dimension=4),
        "count": lambda: store.collection("One").count(),
        "alias": lambda: store.set_alias("live", "One"),
        "list": store.list_collections,
        "through": lambda: store.collection("live").describe(),
        "switch": lambda: store.set_alias("live", "one"),
        "through 2": lambda: store.collection("live").describe(),
        "shadow": lambda: store.set_alias("One", "one"),
        "shadow 2": lambda: store.collection("One").describe(),
        "drop alias as collection": lambda: store.drop_collection("live"),
        "list 2": store.list_collections,
        "drop alias": lambda: store.drop_alias("live"),
        "list 3": store.list_collections,
        "alias 2": lambda: store.set_alias("live", "One"),
        "drop": lambda: store.drop_collection("One"),
        "aliases": store.aliases,
        "through 3": lambda: store.collection("live"),
        "absent": lambda: store.collection("nowhere"),
        "drop absent": lambda: store.drop_collection("nowhere"),
        "afresh": lambda: store.create_collection("One", dimension=4).count(),
        "ivf": lambda: store.create_collection("ivf", dimension=4, index=polyvec.IVF()),
        "twice": _closed_twice,
        "closed": lambda: _closed().list_collections(),
        "with": lambda: _left().list_collections(),
        "wait": lambda: store.collection("One").wait_until_visible(["no"], timeout_s=0.05),
    }
    for name, step in steps.items():
        note(name, step)
    space = store.create_collection("wait", dimension=4)
    space.upsert(ids=["a"], vectors=vectors(1))
    note("wait 2", lambda: space.wait_until_visible(["a", "no"], timeout_s=0.05))
    note("gone", lambda: space.wait_until_visible(["a"], timeout_s=0.05, absent=True))
    typed = store.create_collection("typed", dimension=4, metadata=Meta)
    note("typed", lambda: typed.upsert(ids=["a"], vectors=vectors(1), metadata=[{"x": 1}]))
    note(
        "typed 2", lambda: typed.upsert(ids=["b"], vectors=vectors(1), metadata=[{"category": "x"}])
    )
    note("typed 3", lambda: [repr(r.metadata) for r in typed.get(["a", "b"])])
    note("typed 4", lambda: typed.count(F("nowhere") == 1))
    note("typed 5", lambda: [repr(h.record.metadata) for h in typed.query(vector(1))])


def _closed() -> Any:
    store = polyvec.connect("memory://")
    store.ping()
    store.close()
    return store


def _closed_twice() -> None:
    _closed().close()


def _left() -> Any:
    with polyvec.connect("memory://") as store:
        store.ping()
    return store


def _checks(store: Any, note: Any) -> None:
    space = store.create_collection("checks", dimension=4)
    kept = {"kept_1": Row(vector(1), {"n": 1}), "kept_2": Row(vector(2), {"n": 2})}
    space.upsert(records(kept))
    for bad in BAD_CALLS:
        note(bad.name, lambda bad=bad: bad.call(space))
        note(f"after {bad.name}", lambda: _whole(space))
        space.clear()
        space.upsert(records(kept))
    note("foreign cursor", lambda: list(space.scan(after="x")))


def _concurrency(store: Any, note: Any) -> None:
    space = store.create_collection("threads", dimension=4)
    space.upsert(records({"a": Row(vector(1), {})}))

    def updating(at: int) -> Callable[[], Any]:
        return lambda: space.update(["a"], set={f"k{at}": at})

    at_once([updating(at) for at in range(12)])
    note("updates", lambda: _whole(space))
    seen: list[int] = []

    def reading() -> None:
        seen.extend(len(space.get(["a"])) for _ in range(200))

    def writing() -> None:
        for at in range(30):
            space.upsert(records({"a": Row(vector(at + 1), {})}))

    at_once([reading, writing])
    note("never absent", lambda: set(seen))
