"""What the demo does, step by step: a few words, the line of code, the result as a table."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from rich.text import Text

from polyvec.capabilities import Consistency
from polyvec.cli.output import printable, table
from polyvec.cli.progress import bars
from polyvec.errors import CollectionExistsError
from polyvec.filters import F

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

    from polyvec.collection import Collection
    from polyvec.filters import Filter
    from polyvec.records import Hit, RecordBatch
    from polyvec.store import VectorStore

QUERY_ID: Final = "n00448640"
"""A record of the sample: ice skating."""

PERSONS: Final = (F("topic") == "noun.person") & (F("relations") >= 3)
PERSONS_CODE: Final = '(F("topic") == "noun.person") & (F("relations") >= 3)'
UPSERT_ROWS: Final = 250
TEXT_WIDTH: Final = 68


class Demo:
    """One run of the demo.

    Parameters
    ----------
    store
        An open store.
    names
        For the collection to make; its copy gets `_copy` behind it. Nothing had these names; the
        first that nobody has taken since is used.
    made
        Takes the names of the collections as they are made.
    sample
        From `polyvec.data.sample`.
    console, progress
        For results and for the progress bars.
    """

    def __init__(
        self,
        store: VectorStore,
        names: Iterator[str],
        made: list[str],
        sample: RecordBatch,
        console: Console,
        progress: Console,
    ) -> None:
        self._store = store
        self._names = names
        self._made = made
        self._sample = sample
        self._console = console
        self._progress = progress
        self._steps = 0
        self._name: str
        self._words: Collection[dict[str, Any]]
        self._nouns: Collection[dict[str, Any]]

    def run(self) -> None:
        """Run all steps in order."""
        steps: list[Callable[[], None]] = [
            self._create,
            self._upsert,
            self._query,
            self._query_filtered,
            self._explain,
            self._update,
            self._delete,
            self._count,
            self._scan,
            self._snapshot,
        ]
        for step in steps:
            step()

    def _say(self, words: str, code: str) -> None:
        self._steps += 1
        self._console.print()
        self._console.print(Text(f"{self._steps}. {words}", style="bold"))
        self._console.print(Text(f"   {code}", style="cyan"))

    def _show(self, columns: tuple[str, ...], rows: list[list[object]]) -> None:
        self._console.print(table(columns, rows))

    def _create(self) -> None:
        for name in self._names:
            with suppress(CollectionExistsError):  # another demo was faster
                self._words = self._store.create_collection(name, dimension=384, metric="cosine")
                self._name = name
                break
        self._made.append(self._name)
        self._say(
            "Create a collection",
            f'words = store.create_collection("{self._name}", dimension=384, metric="cosine")',
        )
        self._nouns = self._words.namespace("noun")
        info = self._words.describe()
        self._show(
            ("store", "collection", "dimension", "metric"),
            [[self._store.capabilities.store, info.name, info.dimension, info.metric.value]],
        )

    def _upsert(self) -> None:
        self._say(
            "Write 2,000 records, a namespace for each part of speech",
            'nouns = words.namespace("noun"); nouns.upsert(batch)',
        )
        metadata = self._sample.metadata or []
        kinds = [fields["pos"] for fields in metadata]
        done = 0
        with bars(self._progress) as show:
            for kind in dict.fromkeys(kinds):
                rows = [row for row, other in enumerate(kinds) if other == kind]
                for start in range(0, len(rows), UPSERT_ROWS):
                    batch = self._sample.take(rows[start : start + UPSERT_ROWS])
                    self._words.namespace(kind).upsert(batch)
                    self._settle(self._words.namespace(kind), batch.ids)
                    done += len(batch)
                    show("upsert", done, len(kinds))
        self._show(("namespace", "records"), [[n, c] for n, c in self._words.namespaces().items()])

    def _settle(
        self, collection: Collection[dict[str, Any]], ids: list[str], *, absent: bool = False
    ) -> None:
        """Wait where a finished write is seen only a moment later."""
        if self._store.capabilities.consistency is Consistency.EVENTUAL:
            collection.wait_until_visible(ids, absent=absent)

    def _query(self) -> None:
        self._say(
            "Find the nouns nearest to one of them",
            "nouns.query(record.vector, top_k=6, exact=True)",
        )
        hits = self._nouns.query(self._query_vector(), top_k=6, exact=True)
        self._show_hits(hits)

    def _query_vector(self) -> Any:
        [record] = self._nouns.get([QUERY_ID])
        return record.vector

    def _show_hits(self, hits: list[Hit[dict[str, Any]]]) -> None:
        rows: list[list[object]] = [
            [
                hit.id,
                hit.score,
                hit.record.metadata["topic"],
                hit.record.metadata["relations"],
                _short(hit.record.text),
            ]
            for hit in hits
        ]
        self._show(("id", "score", "topic", "relations", "text"), rows)

    def _query_filtered(self) -> None:
        self._say(
            "The same, among persons with at least 3 relations",
            f"nouns.query(record.vector, top_k=6, exact=True, filter={PERSONS_CODE})",
        )
        hits = self._nouns.query(self._query_vector(), top_k=6, exact=True, filter=PERSONS)
        self._show_hits(hits)

    def _explain(self) -> None:
        self._say(
            "Who decides this filter, and why does it reject a record",
            f'nouns.explain(filter); nouns.why("{QUERY_ID}", filter)',
        )
        plan = self._nouns.explain(PERSONS)
        why = self._nouns.why(QUERY_ID, PERSONS)
        self._show(
            ("question", "answer"),
            [
                ["decided by the store", plan.pushed],
                ["checked by polyvec", plan.residual],
                [f"{QUERY_ID} matches", why.matches],
                ["rejected by", ", ".join(map(repr, why.rejected_by))],
            ],
        )

    def _update(self) -> None:
        self._say(
            "Change metadata in place; other keys stay",
            f'nouns.update(["{QUERY_ID}"], set={{"rating": 5, "read": True}}, unset=["lemmas"])',
        )
        before = self._nouns.get([QUERY_ID])[0].metadata
        self._nouns.update([QUERY_ID], set={"rating": 5, "read": True}, unset=["lemmas"])
        self._settle(self._nouns, [QUERY_ID])
        after = self._nouns.get([QUERY_ID])[0].metadata
        keys = sorted(before.keys() | after.keys())
        self._show(("key", "before", "after"), [[k, before.get(k), after.get(k)] for k in keys])

    def _delete(self) -> None:
        plants: Filter = F("topic") == "noun.plant"
        self._say("Delete by filter", 'nouns.delete(filter=F("topic") == "noun.plant")')
        before = self._nouns.count()
        ids = [record_id for batch in self._nouns.scan(plants) for record_id in batch.ids]
        self._nouns.delete(filter=plants)
        self._settle(self._nouns, ids, absent=True)
        self._show(
            ("nouns before", "deleted", "nouns after"), [[before, len(ids), self._nouns.count()]]
        )

    def _count(self) -> None:
        self._say("Count exactly, by any filter", "nouns.count(filter)")
        skating = F("lemmas").contains("skater")
        filters: list[Filter] = [PERSONS, ~F("lemmas").exists(), skating, F("relations") != 3]
        self._show(("filter", "records"), [[f, self._nouns.count(f)] for f in filters])

    def _scan(self) -> None:
        self._say(
            "Scan everything, batch by batch, vectors included",
            'for batch in nouns.scan(batch_size=500, include=("vector",)): ...',
        )
        rows: list[list[object]] = []
        seen: set[str] = set()
        for batch in self._nouns.scan(batch_size=500, include=("vector",)):
            assert batch.vectors is not None
            seen.update(batch.ids)
            norm = float(np.linalg.norm(batch.vectors, axis=1).mean())
            rows.append([len(rows) + 1, len(batch), len(seen), norm])
        self._show(("batch", "records", "distinct ids so far", "mean norm"), rows)

    def _snapshot(self) -> None:
        from polyvec.migrate import copy_collection
        from polyvec.snapshot._config import ParquetConfig
        from polyvec.store import connect

        self._say(
            "Export a Parquet snapshot, import it again, compare every record",
            'copy_collection(store, polyvec.connect("parquet:///dir"), name)',
        )
        copy_name = f"{self._name}_copy"
        self._made.append(copy_name)
        with tempfile.TemporaryDirectory() as folder, bars(self._progress) as show:
            with connect(ParquetConfig(dir=Path(folder))) as files:
                out = copy_collection(
                    self._store,
                    files,
                    self._name,
                    progress=lambda p: show(f"{p.phase} export", p.done, p.total),
                )
                back = copy_collection(
                    files,
                    self._store,
                    self._name,
                    to=copy_name,
                    progress=lambda p: show(f"{p.phase} import", p.done, p.total),
                )
            size = sum(path.stat().st_size for path in Path(folder).rglob("*.parquet"))
        copy = self._store.collection(copy_name).namespace("noun")
        vector = self._query_vector()
        ours = self._nouns.query(vector, top_k=50, exact=True)
        theirs = copy.query(vector, top_k=50, exact=True)
        self._show(
            ("what", "records", "equal"),
            [
                [f"export, {size / 1e6:.1f} MB", out.count, out.ok],
                ["import", back.count, back.ok],
                ["50 hits of a query", len(theirs), [h.id for h in ours] == [h.id for h in theirs]],
            ],
        )


def _short(text: str | None) -> str:
    shown = printable(text or "")
    return shown if len(shown) <= TEXT_WIDTH else f"{shown[: TEXT_WIDTH - 1]}…"
