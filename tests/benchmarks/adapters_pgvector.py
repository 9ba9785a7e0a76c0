"""pgvector by hand: what a careful user of psycopg and psycopg_pool writes, in our layout."""

from __future__ import annotations

import functools
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

import numpy as np
import psycopg
import psycopg_pool
from bench_adapters import Case
from psycopg.adapt import Dumper
from psycopg.pq import Format
from tests.services import server

import polyvec
from polyvec import HNSW, Collection, F, Flat
from polyvec.types import Include
from polyvec_pgvector._sql import trusted

RECORDS: Final = 10_000
DIMENSION: Final = 384
TOP_K: Final = 10
PAGE: Final = 1_000

REPLACE: Final = (
    "ON CONFLICT (namespace, id) DO UPDATE SET vector = excluded.vector, text = excluded.text, "
    "metadata = excluded.metadata, sidecar = excluded.sidecar"
)
NAMES: Final = "namespace, id, vector, text, metadata, sidecar"


class Binary:
    """A value in PostgreSQL's binary format."""

    def __init__(self, data: bytes) -> None:
        self.data = data


class BinaryDumper(Dumper):
    """Sends it as it is."""

    format = Format.BINARY
    oid = 0

    def dump(self, obj: Binary) -> bytes:
        return obj.data


sql = trusted


class ByHand:
    """The same verbs without polyvec.

    Parameters
    ----------
    url
        The server.
    table
        One that polyvec made.
    """

    def __init__(self, url: str, table: str) -> None:
        self.table = table
        self.pool = psycopg_pool.ConnectionPool(
            url, min_size=1, max_size=8, open=True, configure=self.configure,
            kwargs={"autocommit": True},
        )  # fmt: skip

    @staticmethod
    def configure(connection: psycopg.Connection[Any]) -> None:
        connection.adapters.register_dumper(Binary, BinaryDumper)
        connection.execute("SET hnsw.ef_search = 100")
        connection.execute("SET hnsw.iterative_scan = relaxed_order")

    def truncate(self) -> None:
        with self.pool.connection() as connection:
            connection.execute(sql(f"TRUNCATE {self.table}"))

    def vectors(self, block: Any) -> list[bytes]:
        head = struct.pack(">hh", block.shape[1], 0)
        return [head + row.tobytes() for row in block.astype(">f4")]

    def upsert(self, data: Data) -> None:
        """COPY into a temporary table, then INSERT … ON CONFLICT: the fastest that replaces."""
        pack = struct.pack
        null, head = pack(">i", -1), pack(">hi", 6, 0)
        parts = [b"PGCOPY\n\xff\r\n\x00" + pack(">ii", 0, 0)]
        for record_id, vector, item, text in zip(
            data.ids, self.vectors(data.vectors), data.metadata, data.texts, strict=True
        ):
            key, body, words = record_id.encode(), json.dumps(item).encode(), text.encode()
            parts += (
                head, pack(">i", len(key)), key, pack(">i", len(vector)), vector,
                pack(">i", len(words)), words, pack(">i", len(body) + 1), b"\x01", body, null,
            )  # fmt: skip
        parts.append(pack(">h", -1))
        with self.pool.connection() as connection, connection.transaction():
            connection.execute(
                sql(
                    "CREATE TEMP TABLE fresh (namespace text, id text, vector vector, text text, "
                    "metadata jsonb, sidecar jsonb) ON COMMIT DROP"
                )
            )
            with connection.cursor().copy("COPY fresh FROM STDIN (FORMAT binary)") as copy:
                copy.write(b"".join(parts))
            connection.execute(
                sql(f"INSERT INTO {self.table} ({NAMES}) SELECT * FROM fresh {REPLACE}")
            )

    def executemany(self, data: Data) -> None:
        with self.pool.connection() as connection, connection.transaction():
            connection.cursor().executemany(
                sql(
                    f"INSERT INTO {self.table} ({NAMES}) "
                    f"VALUES ('', %s, %b::vector, %s, %s::jsonb, NULL) {REPLACE}"
                ),
                [
                    (key, Binary(vector), text, json.dumps(item))
                    for key, vector, text, item in zip(
                        data.ids,
                        self.vectors(data.vectors),
                        data.texts,
                        data.metadata,
                        strict=True,
                    )
                ],
            )

    def query(self, vector: Any, where: str = "", values: tuple[Any, ...] = ()) -> list[Any]:
        packed = Binary(struct.pack(">hh", DIMENSION, 0) + vector.astype(">f4").tobytes())
        with self.pool.connection() as connection:
            found = connection.execute(
                sql(
                    "SELECT id, sidecar, metadata::text, text, vector <=> %b::vector AS distance "
                    f"FROM {self.table} WHERE namespace = %s {where} ORDER BY distance "
                    f"LIMIT {TOP_K}"
                ),
                (packed, "", *values),
                prepare=False,
                binary=True,
            ).fetchall()
        return [(row[0], 1 - row[4], json.loads(row[2]), row[3]) for row in found]

    def get(self, ids: list[str]) -> list[Any]:
        with self.pool.connection() as connection:
            found = connection.execute(
                sql(
                    "SELECT id, sidecar, vector, metadata::text, text "
                    f"FROM {self.table} WHERE namespace = '' AND id = ANY(%s)"
                ),
                (ids,),
                binary=True,
            ).fetchall()
        return self.read(found)

    def read(self, found: list[Any]) -> list[Any]:
        block = np.array([np.frombuffer(row[2], ">f4", offset=4) for row in found], np.float32)
        return [
            (row[0], vector, json.loads(row[3]), row[4])
            for row, vector in zip(found, block, strict=True)
        ]

    def scan(self) -> int:
        after, total = 0, 0
        while True:
            with self.pool.connection() as connection:
                found = connection.execute(
                    sql(
                        "SELECT id, sidecar, vector, metadata::text, text, key "
                        f"FROM {self.table} WHERE namespace = '' AND key > %s "
                        f"ORDER BY key LIMIT {PAGE}"
                    ),
                    (after,),
                    binary=True,
                ).fetchall()
            if not found:
                return total
            total += len(self.read(found))
            after = found[-1][-1]

    def one(self, text: str, values: tuple[Any, ...]) -> Any:
        with self.pool.connection() as connection:
            return connection.execute(sql(text), values, prepare=False).fetchone()

    def run(self, text: str, values: tuple[Any, ...]) -> None:
        with self.pool.connection() as connection:
            connection.execute(sql(text), values)


@dataclass(frozen=True, slots=True)
class Data:
    """The records that both sides write."""

    ids: list[str]
    vectors: Any
    metadata: list[dict[str, Any]]
    texts: list[str]

    def first(self, number: int) -> Data:
        """Return the first records."""
        return Data(
            self.ids[:number],
            self.vectors[:number],
            self.metadata[:number],
            self.texts[:number],
        )


def made() -> Data:
    """Return records around 200 centres, as embeddings lie."""
    generator = np.random.default_rng(7)
    centres = generator.normal(size=(200, DIMENSION))
    block = centres[generator.integers(200, size=RECORDS)]
    block = (block + 0.5 * generator.normal(size=block.shape)).astype(np.float32)
    return Data(
        [f"doc_{at:06}" for at in range(RECORDS)],
        block,
        [{"category": f"c{at % 50}", "price": at * 0.5, "n": at} for at in range(RECORDS)],
        [f"text of record {at}" for at in range(RECORDS)],
    )


def cases() -> Iterator[Case]:
    """Yield each verb, in an order in which the data of the last ones serves the next ones."""
    url, data = server("pgvector").url, made()
    with polyvec.connect(url) as store:
        for name in ("bench_ours", "bench_raw", "bench_query"):
            store.drop_collection(name, missing_ok=True)
        ours = store.create_collection("bench_ours", dimension=DIMENSION, index=Flat())
        store.create_collection("bench_raw", dimension=DIMENSION, index=Flat())
        mine, theirs = ByHand(url, "bench_ours"), ByHand(url, "bench_raw")
        yield from _loads(ours, mine, theirs, data)
        yield from _reads(ours, mine, data)
        yield from _changes(ours, theirs, data)
        yield from _searches(url, store, data)
        for hand in (mine, theirs):
            hand.pool.close()


def _write(ours: Collection[Any], data: Data) -> None:
    ours.upsert(ids=data.ids, vectors=data.vectors, metadata=data.metadata, texts=data.texts)


def _loads(ours: Collection[Any], mine: ByHand, theirs: ByHand, data: Data) -> Iterator[Case]:
    def empty() -> None:
        mine.truncate()
        theirs.truncate()

    def write() -> None:
        _write(ours, data)

    def by_hand() -> None:
        theirs.upsert(data)

    yield Case("upsert, 10,000 x 384 new", write, by_hand, 1.05, before=empty)
    many = functools.partial(theirs.executemany, data)
    yield Case("bulk load / executemany", write, many, 0.7, before=empty)
    write()
    by_hand()
    yield Case("upsert, 10,000 x 384 replaced", write, by_hand, 1.05)


def _reads(ours: Collection[Any], mine: ByHand, data: Data) -> Iterator[Case]:
    asked = data.ids[5:105]
    everything: tuple[Include, ...] = ("vector", "metadata", "text")
    yield Case("get, 100 records", lambda: ours.get(asked), lambda: mine.get(asked), calls=5)
    yield Case(
        "scan, 10,000 records with vectors",
        lambda: [len(b) for b in ours.scan(include=everything, batch_size=PAGE)],
        mine.scan,
        1.1,
    )
    yield Case(
        "count with a filter",
        lambda: ours.count(F("category") == "c7"),
        lambda: mine.one(
            "SELECT count(*) FROM bench_ours WHERE namespace = %s AND metadata @> %s::jsonb",
            ("", '{"category":"c7"}'),
        ),
        calls=10,
    )


def _changes(ours: Collection[Any], theirs: ByHand, data: Data) -> Iterator[Case]:
    one, thousand, numbers = data.first(1), data.first(1000), count()
    yield Case(
        "upsert, 1 record",
        lambda: _write(ours, one),
        lambda: theirs.executemany(one),
        calls=20,
    )
    # Ours reads the record first: a merge that breaks a rule must change nothing.
    yield Case(
        "update, 1 record",
        lambda: ours.update(one.ids, set={"n": next(numbers)}),
        lambda: theirs.run(
            "UPDATE bench_raw SET metadata = metadata || %s::jsonb "
            "WHERE namespace = %s AND id = ANY(%s)",
            (json.dumps({"n": next(numbers)}), "", one.ids),
        ),
        calls=20,
    )

    def refill() -> None:
        _write(ours, thousand)
        theirs.upsert(thousand)

    yield Case(
        "delete, 1,000 records",
        lambda: ours.delete(thousand.ids),
        lambda: theirs.run(
            "DELETE FROM bench_raw WHERE namespace = %s AND id = ANY(%s)", ("", thousand.ids)
        ),
        before=refill,
    )


def _searches(url: str, store: polyvec.VectorStore, data: Data) -> Iterator[Case]:
    """Both sides search the same graph."""
    searched = store.create_collection("bench_query", dimension=DIMENSION, index=HNSW())
    _write(searched, data)
    hand = ByHand(url, "bench_query")
    hand.run("ANALYZE bench_query", ())
    queries = iter(data.vectors[at % RECORDS] for at in count())
    where = F("n") >= RECORDS // 2
    yield Case(
        "query, top 10 of 10,000",
        lambda: searched.query(next(queries), top_k=TOP_K),
        lambda: hand.query(next(queries)),
        1.05,
        50.0,
        calls=10,
    )
    yield Case(
        "query, filter keeps half",
        lambda: searched.query(next(queries), top_k=TOP_K, filter=where),
        lambda: hand.query(
            next(queries),
            "AND (CASE WHEN jsonb_typeof(metadata -> 'n') = 'number' "
            "THEN (metadata -> 'n')::numeric END) >= %s",
            (RECORDS // 2,),
        ),
        1.05,
        50.0,
        calls=10,
    )
    hand.pool.close()
