"""The control plane against the contract."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from tests.gateway.conftest import Api

from polyvec.errors import CollectionExistsError

OLD: Final[dict[str, Any]] = {
    "name": "docs",
    "dimension": 3,
    "metric": "dotproduct",
    "vector_type": "dense",
    "spec": {"serverless": {"cloud": "gcp", "region": "us-central1"}},
    "tags": {"team": "search"},
    "deletion_protection": "enabled",
}
NEW: Final[dict[str, Any]] = {
    "name": "docs",
    "schema": {
        "fields": {"_values": {"type": "dense_vector", "dimension": 3, "metric": "dotproduct"}}
    },
    "deployment": {"deployment_type": "managed", "cloud": "gcp", "region": "us-central1"},
    "tags": {"team": "search"},
    "deletion_protection": "enabled",
}
MODEL: Final[dict[str, Any]] = {
    "name": "docs",
    "host": "http://here/i/docs",
    "status": {"ready": True, "state": "Ready"},
    "deletion_protection": "enabled",
    "tags": {"team": "search"},
    "dimension": 3,
    "metric": "dotproduct",
    "vector_type": "dense",
    "spec": OLD["spec"],
    "schema": NEW["schema"],
    "deployment": NEW["deployment"],
    "read_capacity": {
        "mode": "OnDemand",
        "status": {"state": "Ready", "current_shards": None, "current_replicas": None},
    },
}


@pytest.mark.parametrize(("version", "body"), [("2025-01", OLD), ("2026-07", NEW)])
def test_create_describe_list_in_both_forms(api: Api, version: str, body: dict[str, Any]) -> None:
    headers = {"X-Pinecone-Api-Version": version}
    created = api.send("POST", "/indexes", json=body, headers=headers)
    assert created.status_code == 201
    assert created.json() == MODEL
    assert api.ok("GET", "/indexes/docs", headers=headers) == MODEL
    assert api.ok("GET", "/indexes", headers=headers) == {"indexes": [MODEL]}


def test_the_least_that_create_takes(api: Api) -> None:
    model = api.ok("POST", "/indexes", json={"name": "1st", "dimension": 2})
    assert (model["metric"], model["deletion_protection"]) == ("cosine", "disabled")
    assert model["tags"] is None
    assert model["host"] == "http://here/i/1st"
    assert api.run(api.store.list_collections()) == ["x_1st"]
    assert [one["name"] for one in api.ok("GET", "/indexes")["indexes"]] == ["1st"]


def error(answer: Any) -> tuple[int, str, str]:
    """Return status, code and message of a control-plane error in its form."""
    body = answer.json()
    assert body.keys() == {"error", "status"}
    assert body["status"] == answer.status_code
    return answer.status_code, body["error"]["code"], body["error"]["message"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"name": "Docs"}, 400),
        ({"name": "-docs"}, 400),
        ({"name": "x" * 46}, 400),
        ({"name": ""}, 400),
        ({"name": None}, 400),
        ({"dimension": 0}, 400),
        ({"dimension": 20_001}, 400),
        ({"dimension": "3"}, 400),
        ({"dimension": 2.5}, 400),
        ({"dimension": True}, 400),
        ({"metric": "manhattan"}, 400),
        ({"vector_type": "odd"}, 400),
        ({"deletion_protection": "on"}, 400),
        ({"tags": {"a b": "x"}}, 400),
        ({"tags": {f"t{at}": "x" for at in range(21)}}, 400),
        ({"tags": ["x"]}, 400),
        ({"spec": "serverless"}, 400),
        ({"spec": {"serverless": {"cloud": "aws"}}}, 400),
        ({"vector_type": "sparse"}, 501),
        ({"spec": {"pod": {"environment": "x"}}}, 501),
        ({"source_collection": "x"}, 501),
        ({"schema": {"fields": {"_sparse_values": {"type": "sparse_vector"}}}}, 501),
        ({"schema": {"fields": {"body": {"type": "string"}}}}, 501),
        ({"schema": {"fields": {"_values": {"type": "string"}}}}, 400),
        ({"deployment": {"deployment_type": "pod"}}, 501),
        ({"read_capacity": {"mode": "Dedicated"}}, 501),
    ],
)
def test_a_create_is_refused(api: Api, change: dict[str, Any], status: int) -> None:
    answer = api.send("POST", "/indexes", json={"name": "docs", "dimension": 3} | change)
    found, code, message = error(answer)
    assert (found, code) == (status, {400: "INVALID_ARGUMENT", 501: "UNIMPLEMENTED"}[status])
    assert message
    assert api.ok("GET", "/indexes") == {"indexes": []}


def test_a_name_is_taken_once(api: Api) -> None:
    api.create()
    again = api.send("POST", "/indexes", json={"name": "docs", "dimension": 2})
    assert error(again) == (409, "ALREADY_EXISTS", "Resource already exists.")


def test_whoever_hears_that_an_index_exists_can_describe_it(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store may reserve a name before it has made what the name is of."""
    right = api.store.create_collection
    reserved: set[str] = set()

    async def slowly(name: str, **settings: Any) -> Any:
        if name in reserved:
            raise CollectionExistsError(f"{name!r} exists")
        reserved.add(name)
        await asyncio.sleep(0.05)  # the other one comes meanwhile
        return await right(name, **settings)

    monkeypatch.setattr(api.store, "create_collection", slowly)
    body = {"name": "docs", "dimension": 2}

    async def both() -> list[tuple[int, int]]:
        transport = httpx.ASGITransport(app=api.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:

            async def one() -> tuple[int, int]:
                made = await client.post("/indexes", json=body)
                return made.status_code, (await client.get("/indexes/docs")).status_code

            return list(await asyncio.gather(one(), one()))

    assert sorted(api.run(both())) == [(201, 200), (409, 200)]


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize("name", ["absent", "polyvec_gateway"])
def test_an_index_that_does_not_exist(api: Api, method: str, name: str) -> None:
    api.ok("POST", "/indexes", json=OLD)  # with extras, so that the gateway's collection is there
    answer = api.send(method, f"/indexes/{name}", json={})
    assert error(answer) == (404, "NOT_FOUND", f"Resource {name} not found")


def test_deletion_protection(api: Api) -> None:
    api.ok("POST", "/indexes", json=OLD)
    status, code, message = error(api.send("DELETE", "/indexes/docs"))
    assert (status, code) == (403, "FORBIDDEN")
    assert "Deletion protection is enabled" in message
    off = api.ok("PATCH", "/indexes/docs", json={"deletion_protection": "disabled"})
    assert off == MODEL | {"deletion_protection": "disabled"}
    deleted = api.send("DELETE", "/indexes/docs")
    assert (deleted.status_code, deleted.content) == (202, b"")
    assert api.send("GET", "/indexes/docs").status_code == 404


def test_tags_are_merged_and_an_empty_value_removes_one(api: Api) -> None:
    api.create()
    api.ok("PATCH", "/indexes/docs", json={"tags": {"a": "1", "b": "2"}})
    model = api.ok("PATCH", "/indexes/docs", json={"tags": {"a": "", "c": "3"}})
    assert model["tags"] == {"b": "2", "c": "3"}
    assert api.ok("GET", "/indexes/docs")["tags"] == {"b": "2", "c": "3"}


def test_a_new_index_inherits_nothing_of_a_deleted_one(api: Api) -> None:
    api.ok("POST", "/indexes", json=OLD | {"deletion_protection": "disabled"})
    api.ok("DELETE", "/indexes/docs")
    host = api.create(dimension=2)
    assert api.ok("GET", "/indexes/docs")["tags"] is None
    api.ok("POST", f"{host}/vectors/upsert", json={"vectors": [{"id": "a", "values": [1, 2]}]})


def test_extras_survive_a_restart(tmp_path: Path) -> None:
    url = f"memory://{tmp_path}/store"
    first = Api(url)
    first.ok("POST", "/indexes", json=OLD)
    first.ok("POST", "/i/docs/namespaces", json={"name": "empty"})
    first.close()
    second = Api(url)
    assert second.ok("GET", "/indexes") == {"indexes": [MODEL]}
    assert second.send("DELETE", "/indexes/docs").status_code == 403
    listed = second.ok("GET", "/i/docs/namespaces")["namespaces"]
    assert listed == [{"name": "empty", "record_count": 0}]
    second.close()


def test_the_gateways_collection_may_be_dropped(api: Api) -> None:
    api.ok("POST", "/indexes", json=OLD)
    api.run(api.store.drop_collection("polyvec_gateway"))
    assert api.ok("GET", "/indexes/docs")["tags"] is None
    assert api.ok("GET", "/indexes")["indexes"][0]["deletion_protection"] == "disabled"
    api.ok("PATCH", "/indexes/docs", json={"tags": {"a": "1"}})
    assert api.ok("GET", "/indexes/docs")["tags"] == {"a": "1"}


def test_an_index_without_extras_adds_nothing_to_the_store(api: Api) -> None:
    api.create()
    assert api.run(api.store.list_collections()) == ["docs"]


def test_collections_of_polyvec_are_indexes(api: Api) -> None:
    async def make() -> None:
        made = await api.store.create_collection("My_Docs", dimension=2, metric="euclidean")
        await made.upsert(ids=["a"], vectors=[[0, 3]], metadata=[{"n": 3, "deep": {"x": 1}}])

    api.run(make())
    model = api.ok("GET", "/indexes/My_Docs")
    assert (model["dimension"], model["metric"]) == (2, "euclidean")
    body = {"vector": [4, 0], "topK": 1, "includeMetadata": True}
    found = api.ok("POST", "/i/My_Docs/query", json=body)["matches"]
    assert found == [{"id": "a", "score": 25.0, "metadata": {"n": 3.0, "deep": {"x": 1.0}}}]


def test_an_index_dropped_by_somebody_else_is_gone(api: Api) -> None:
    host = api.create()
    api.ok("POST", f"{host}/query", json={"vector": [1, 0], "topK": 1})
    api.run(api.store.drop_collection("docs"))
    answer = api.send("POST", f"{host}/query", json={"vector": [1, 0], "topK": 1})
    assert (answer.status_code, answer.json()["code"]) == (404, 5)
    assert api.send("GET", "/indexes/docs").status_code == 404


def test_an_index_made_anew_by_somebody_else_is_opened_anew(api: Api) -> None:
    host = api.create(dimension=2)

    async def remake() -> None:
        await api.store.drop_collection("docs")
        await api.store.create_collection("docs", dimension=3)

    api.run(remake())
    api.ok("POST", f"{host}/vectors/upsert", json={"vectors": [{"id": "a", "values": [1, 2, 3]}]})
    assert api.ok("GET", "/indexes/docs")["dimension"] == 3


@pytest.mark.parametrize("version", ["2024-07", "2026-10", "1", "", "2025-01-01", "20260-7"])
def test_a_version_outside_of_the_contract(api: Api, version: str) -> None:
    answer = api.send("GET", "/indexes", headers={"X-Pinecone-Api-Version": version})
    assert error(answer)[:2] == (400, "INVALID_ARGUMENT")


@pytest.mark.parametrize("version", ["2025-01", "2025-04", "2025-10", "2026-01.alpha", "2026-07"])
def test_a_version_of_the_contract(api: Api, version: str) -> None:
    api.ok("GET", "/indexes", headers={"X-Pinecone-Api-Version": version})


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/indexes/create-for-model"),
        ("GET", "/collections"),
        ("POST", "/indexes/docs/backups"),
        ("GET", "/backups/x"),
        ("POST", "/embed"),
        ("GET", "/models/m"),
    ],
)
def test_what_the_gateway_has_not(api: Api, method: str, path: str) -> None:
    status, code, message = error(api.send(method, path))
    assert (status, code) == (501, "UNIMPLEMENTED")
    assert "not available" in message


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 404), ("PUT", "/indexes", 405), ("GET", "/indexes/", 404), ("GET", "/a/b", 404)],
)
def test_what_no_one_has(api: Api, method: str, path: str, status: int) -> None:
    assert error(api.send(method, path))[0] == status


def test_a_path_that_hosts_nothing(api: Api) -> None:
    answer = api.send("GET", "/i/docs/nothing")
    assert (answer.status_code, answer.json()["code"]) == (404, 5)
