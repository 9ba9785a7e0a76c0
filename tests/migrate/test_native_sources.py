"""Collections that only the vendor's client made, moved to pgvector and to Qdrant.

The report names what changes, and the records arrive as polyvec reads them from the source.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import numpy as np
import pytest
from tests.migrate.records import everything
from tests.services import server

import polyvec
from polyvec import VectorStore
from polyvec.migrate import make_plan, migrate

DIMENSION: Final = 4
COUNT: Final = 30
TARGETS: Final = ("pgvector", "qdrant")
Made = tuple[VectorStore, str, str]
"""An open store, the collection's name, and options for the source's URL."""


def vectors() -> Any:
    return np.random.default_rng(3).normal(size=(COUNT, DIMENSION)).astype(np.float32)


def from_chroma() -> Iterator[Made]:
    with polyvec.connect("chroma:///:memory:") as store:
        store.ping()
        name = f"native_{uuid4().hex[:8]}"
        made = store.client.create_collection(name)
        made.add(
            ids=[f"doc {at}" for at in range(COUNT)],
            embeddings=vectors(),
            metadatas=[{"price": at / 2, "live": at % 2 == 0, "n": at} for at in range(COUNT)],
            documents=[f"text {at}" for at in range(COUNT)],
        )
        yield store, name, ""


def from_qdrant() -> Iterator[Made]:
    from qdrant_client import models

    with polyvec.connect("qdrant:///:memory:") as store:
        store.ping()
        name = f"native_{uuid4().hex[:8]}"
        store.client.create_collection(
            name, models.VectorParams(size=DIMENSION, distance=models.Distance.COSINE)
        )
        points = [
            models.PointStruct(
                id=at,
                vector=row.tolist(),
                payload={"price": at / 2, "tags": ["a", "b"], "o": {"n": at}, "none": None},
            )
            for at, row in enumerate(vectors())
        ]
        store.client.upsert(name, points)
        yield store, name, ""


def from_pgvector() -> Iterator[Made]:
    import psycopg
    from psycopg import sql

    url = server("pgvector").url
    name = f"native_{uuid4().hex[:8]}"
    table = sql.Identifier(name)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        connection.execute(
            sql.SQL(
                "CREATE TABLE {} (id bigint PRIMARY KEY, title text, price numeric(8, 2), "
                "seen timestamptz, tags text[], code uuid, embedding vector(4))"
            ).format(table)
        )
        for at, row in enumerate(vectors()):
            values = (at, f"title {at}", at / 2, ["a", "it's"], str(row.tolist()))
            connection.execute(
                sql.SQL(
                    "INSERT INTO {} VALUES (%s, %s, %s, '2024-01-02 03:04:05.6+02', %s, "
                    "'550e8400-e29b-41d4-a716-446655440000', %s)"
                ).format(table),
                values,
            )
        connection.execute(
            sql.SQL("CREATE INDEX ON {} USING hnsw (embedding vector_cosine_ops)").format(table)
        )
        with polyvec.connect(url) as store:
            yield store, name, ""
        connection.execute(sql.SQL("DROP TABLE {}").format(table))


def from_milvus() -> Iterator[Made]:
    from pymilvus import DataType

    with polyvec.connect(server("milvus").url) as store:
        store.ping()
        client: Any = store.client
        name = f"native_{uuid4().hex[:8]}"
        fields = client.create_schema(auto_id=False, enable_dynamic_field=True)
        fields.add_field("no", DataType.INT64, is_primary=True)
        fields.add_field("emb", DataType.FLOAT_VECTOR, dim=DIMENSION)
        fields.add_field("price", DataType.DOUBLE)
        fields.add_field("info", DataType.JSON)
        index = client.prepare_index_params()
        index.add_index("emb", metric_type="COSINE", index_type="FLAT")
        client.create_collection(
            name, schema=fields, index_params=index, consistency_level="Strong"
        )
        rows = [
            {"no": at, "emb": row, "price": at / 2, "info": {"n": at}, "colour": "it's"}
            for at, row in enumerate(vectors())
        ]
        client.insert(name, rows)
        yield store, name, ""
        client.drop_collection(name)


def from_weaviate() -> Iterator[Made]:
    from weaviate.classes.config import Configure, DataType, Property
    from weaviate.classes.data import DataObject

    with polyvec.connect(server("weaviate").url) as store:
        store.ping()
        name = f"Native{uuid4().hex[:8]}"
        made = store.client.collections.create(
            name,
            properties=[
                Property(name="price", data_type=DataType.NUMBER),
                Property(name="title", data_type=DataType.TEXT),
                Property(name="seen", data_type=DataType.DATE),
            ],
            vector_config=Configure.Vectors.self_provided(),
        )
        seen = datetime(2024, 1, 2, 3, 4, 5, 600000, tzinfo=UTC)
        items = [
            DataObject(
                uuid=UUID(int=at + 1),
                properties={"price": at / 2, "title": f" Title {at}", "seen": seen},
                vector=row.tolist(),
            )
            for at, row in enumerate(vectors())
        ]
        assert not made.data.insert_many(items).errors
        yield store, name, ""
        store.client.collections.delete(name)


def from_pinecone() -> Iterator[Made]:
    from pinecone import Pinecone

    from polyvec_pinecone.links import arguments_of

    with polyvec.connect(server("pinecone").url) as store:
        name = f"native-{uuid4().hex[:8]}"
        client = Pinecone(**arguments_of(store.config))  # type: ignore[arg-type]  # it is Pinecone's
        client.indexes.create(name=name, dimension=DIMENSION, metric="cosine", timeout=60)
        ids = [f"doc#{at}" for at in range(COUNT)]
        with client.index(name=name) as index:
            index.upsert(
                vectors=[
                    (key, row.tolist(), {"price": at / 2, "tags": ["a", "it's"]})
                    for at, (key, row) in enumerate(zip(ids, vectors(), strict=True))
                ]
            )
        store.collection(name).wait_until_visible(ids)
        yield store, name, ""
        client.indexes.delete(name, timeout=60)
        client.close()


MAKERS: Final[dict[str, Callable[[], Iterator[Made]]]] = {
    "chroma": from_chroma,
    "qdrant": from_qdrant,
    "pgvector": from_pgvector,
    "milvus": from_milvus,
    "weaviate": from_weaviate,
    "pinecone": from_pinecone,
}


@pytest.fixture(params=sorted(MAKERS))
def made(request: pytest.FixtureRequest) -> Iterator[Made]:
    yield from MAKERS[request.param]()


@pytest.mark.parametrize("target", TARGETS)
def test_a_native_collection_moves(made: Made, target: str, tmp_path: Path) -> None:
    store, name, _ = made
    to = f"moved_{uuid4().hex[:8]}"
    with polyvec.connect(server(target).url) as goal:
        plan = make_plan(store, goal, name, to=to)
        changes = " ".join(change.what for change in plan.fidelity.changes)
        assert "was not made by polyvec; its fields become metadata, its ids text" in changes
        assert plan.fidelity.read == COUNT
        assert not plan.fidelity.refused
        assert {"price"} <= {field.path for field in plan.fidelity.fields}
        try:
            report = migrate(store, goal, plan=plan, journal=tmp_path / "j", queries=0)
            assert (report.ok, report.count) == (True, COUNT)
            source, moved = everything(store.collection(name)), everything(goal.collection(to))
            assert moved.keys() == source.keys()
            for key, record in source.items():
                assert moved[key].metadata == record.metadata
                assert moved[key].text == record.text
            assert goal.collection(to).describe().layout == "polyvec"
        finally:
            goal.drop_collection(to, missing_ok=True)
