"""The data plane against the contract."""

from __future__ import annotations

import json
from typing import Any, Final

import numpy as np
import pytest
from tests.gateway.conftest import Api

from polyvec import VectorRecord

VECTORS: Final[list[dict[str, Any]]] = [
    {"id": "a", "values": [1.0, 0.0], "metadata": {"n": 1, "tag": "x"}},
    {"id": "b", "values": [0.0, 1.0], "metadata": {"n": 2, "tag": ["x", "y"]}},
    {"id": "c", "values": [0.6, 0.8]},
]
USAGE: Final = {"readUnits": 1}


@pytest.fixture
def host(api: Api) -> str:
    """The path of an index with three records in its default namespace and one in `s`."""
    path = api.create()
    assert api.ok("POST", f"{path}/vectors/upsert", json={"vectors": VECTORS}) == {
        "upsertedCount": 3
    }
    one = [{"id": "a", "values": [3, 4]}]
    api.ok("POST", f"{path}/vectors/upsert", json={"vectors": one, "namespace": "s"})
    return path


def error(answer: Any) -> tuple[int, int, str]:
    """Return status, code and message of a data-plane error in its form."""
    body = answer.json()
    assert body.keys() == {"code", "message", "details"}
    assert body["details"] == []
    return answer.status_code, body["code"], body["message"]


def ids(api: Api, host: str, namespace: str = "") -> list[str]:
    """Return all ids of a namespace."""
    listed = api.ok("GET", f"{host}/vectors/list", params={"namespace": namespace})
    return [item["id"] for item in listed["vectors"]]


def fetched(api: Api, host: str, record_id: str, namespace: str = "") -> dict[str, Any]:
    """Return one vector."""
    params = {"ids": record_id, "namespace": namespace}
    found: dict[str, Any] = api.ok("GET", f"{host}/vectors/fetch", params=params)["vectors"]
    return dict(found[record_id])


def test_query_by_vector(api: Api, host: str) -> None:
    body = {"vector": [1, 0], "topK": 2, "includeMetadata": True, "includeValues": True}
    answer = api.ok("POST", f"{host}/query", json=body)
    assert answer == {
        "matches": [
            {
                "id": "a",
                "score": 1.0,
                "values": [1.0, 0.0],
                "metadata": {"n": 1.0, "tag": "x"},
            },
            {"id": "c", "score": pytest.approx(0.6), "values": [0.6, 0.8]},
        ],
        "namespace": "",
        "usage": USAGE,
    }


def test_query_gives_only_what_is_asked_for(api: Api, host: str) -> None:
    answer = api.ok("POST", f"{host}/query", json={"vector": [1, 0], "topK": 1})
    assert answer["matches"] == [{"id": "a", "score": 1.0}]


def test_query_by_id_in_a_namespace(api: Api, host: str) -> None:
    answer = api.ok("POST", f"{host}/query", json={"id": "a", "topK": 5, "namespace": "s"})
    assert answer["namespace"] == "s"
    assert [match["id"] for match in answer["matches"]] == ["a"]


def test_query_by_an_absent_id_finds_nothing(api: Api, host: str) -> None:
    assert api.ok("POST", f"{host}/query", json={"id": "zz", "topK": 5})["matches"] == []


def test_query_with_a_filter(api: Api, host: str) -> None:
    body = {"vector": [1, 0], "topK": 5, "filter": {"tag": "x", "n": {"$gt": 1}}}
    matches = api.ok("POST", f"{host}/query", json=body)["matches"]
    assert [match["id"] for match in matches] == ["b"]


def test_default_namespace_has_two_names(api: Api, host: str) -> None:
    assert ids(api, host, "__default__") == ids(api, host) == ["a", "b", "c"]
    assert ids(api, host, "absent") == []


@pytest.mark.parametrize(("metric", "expected"), [("euclidean", 25.0), ("dotproduct", -7.0)])
def test_scores(api: Api, metric: str, expected: float) -> None:
    host = api.create(metric=metric)
    api.ok("POST", f"{host}/vectors/upsert", json={"vectors": [{"id": "a", "values": [3, 4]}]})
    query = [0, 0] if metric == "euclidean" else [-1, -1]
    answer = api.ok("POST", f"{host}/query", json={"vector": query, "topK": 1})
    assert answer["matches"] == [{"id": "a", "score": expected}]


def test_fetch(api: Api, host: str) -> None:
    answer = api.ok("GET", f"{host}/vectors/fetch", params={"ids": ["b", "zz", "c"]})
    assert answer == {
        "vectors": {
            "b": {
                "id": "b",
                "values": [0.0, 1.0],
                "metadata": {"n": 2.0, "tag": ["x", "y"]},
            },
            "c": {"id": "c", "values": [0.6, 0.8]},
        },
        "namespace": "",
        "usage": USAGE,
    }


def test_upsert_replaces_the_whole_record(api: Api, host: str) -> None:
    one = [{"id": "a", "values": [0, 2], "metadata": {"other": True}}]
    api.ok("POST", f"{host}/vectors/upsert", json={"vectors": one})
    assert fetched(api, host, "a") == {
        "id": "a",
        "values": [0.0, 2.0],
        "metadata": one[0]["metadata"],
    }
    assert fetched(api, host, "a", "s")["values"] == [3.0, 4.0]


def test_float32_comes_back_equal_and_short(api: Api, host: str) -> None:
    rng = np.random.default_rng(7)
    values = rng.normal(size=2).astype(np.float32)
    one = [{"id": "r", "values": values.tolist()}]
    api.ok("POST", f"{host}/vectors/upsert", json={"vectors": one})
    answer = api.send("GET", f"{host}/vectors/fetch", params={"ids": "r"})
    back = answer.json()["vectors"]["r"]["values"]
    assert np.array_equal(np.array(back, dtype=np.float32), values)
    assert len(answer.content) < 120


def test_fetch_by_metadata_page_by_page(api: Api) -> None:
    host = api.create()
    vectors = [
        {"id": f"{at:02}", "values": [1, at], "metadata": {"n": at, "odd": at % 2 == 1}}
        for at in range(25)
    ]
    api.ok("POST", f"{host}/vectors/upsert", json={"vectors": vectors})
    body: dict[str, Any] = {"filter": {"odd": True}, "limit": 5}
    found: list[str] = []
    pages = 0
    while True:
        answer = api.ok("POST", f"{host}/vectors/fetch_by_metadata", json=body)
        assert len(answer["vectors"]) <= 5
        for record_id, vector in answer["vectors"].items():
            assert vector["values"] == [1.0, vector["metadata"]["n"]]
            found.append(record_id)
        pages += 1
        if "pagination" not in answer:
            break
        body["paginationToken"] = answer["pagination"]["next"]
    assert sorted(found) == [f"{at:02}" for at in range(1, 25, 2)]
    assert pages > 2
    everything = api.ok(
        "POST",
        f"{host}/vectors/fetch_by_metadata",
        json={"filter": {"$or": [{"n": {"$exists": True}}, {"n": {"$exists": False}}]}},
    )
    assert len(everything["vectors"]) == 25
    assert "pagination" not in everything


def test_list_is_sorted_and_paged(api: Api) -> None:
    host = api.create()
    names = [f"d#{at}" for at in range(150)] + ["D", "e", "~"]
    for start in (0, 100):
        vectors = [{"id": name, "values": [1, 1]} for name in names[start : start + 100]]
        api.ok("POST", f"{host}/vectors/upsert", json={"vectors": vectors})
    first = api.ok("GET", f"{host}/vectors/list")
    token = first["pagination"]["next"]
    second = api.ok("GET", f"{host}/vectors/list", params={"paginationToken": token})
    assert "pagination" not in second
    listed = [item["id"] for page in (first, second) for item in page["vectors"]]
    assert listed == sorted(names)
    assert len(first["vectors"]) == 100
    params = {"prefix": "d#14", "limit": "4"}
    page = api.ok("GET", f"{host}/vectors/list", params=params)
    assert [item["id"] for item in page["vectors"]] == ["d#14", "d#140", "d#141", "d#142"]
    rest = api.ok(
        "GET",
        f"{host}/vectors/list",
        params=params | {"limit": "100", "paginationToken": page["pagination"]["next"]},
    )
    assert [item["id"] for item in rest["vectors"]] == [f"d#14{at}" for at in range(3, 10)]


def test_a_new_listing_sees_new_records(api: Api, host: str) -> None:
    assert ids(api, host) == ["a", "b", "c"]
    api.ok("POST", f"{host}/vectors/delete", json={"ids": ["b"]})
    assert ids(api, host) == ["a", "c"]


def test_update_merges_metadata_and_keeps_the_rest(api: Api, host: str) -> None:
    body = {"id": "a", "setMetadata": {"n": 5, "new": "z", "none": None}}
    assert api.ok("POST", f"{host}/vectors/update", json=body) == {}
    expected = {"n": 5.0, "tag": "x", "new": "z"}
    assert fetched(api, host, "a") == {"id": "a", "values": [1.0, 0.0], "metadata": expected}
    api.ok("POST", f"{host}/vectors/update", json={"id": "a", "values": [0, 7]})
    assert fetched(api, host, "a") == {"id": "a", "values": [0.0, 7.0], "metadata": expected}


def test_update_of_an_absent_id_makes_no_record(api: Api, host: str) -> None:
    body = {"id": "zz", "setMetadata": {"n": 5}}
    assert api.ok("POST", f"{host}/vectors/update", json=body) == {}
    assert ids(api, host) == ["a", "b", "c"]


def test_update_by_filter(api: Api, host: str) -> None:
    body = {"filter": {"tag": "x"}, "setMetadata": {"seen": True}, "dryRun": True}
    assert api.ok("POST", f"{host}/vectors/update", json=body) == {"matchedRecords": 2}
    assert "seen" not in fetched(api, host, "a")["metadata"]
    body["dryRun"] = False
    assert api.ok("POST", f"{host}/vectors/update", json=body) == {"matchedRecords": 2}
    assert [fetched(api, host, i)["metadata"]["seen"] for i in ("a", "b")] == [True, True]
    assert "metadata" not in fetched(api, host, "c")


def test_update_of_all_by_a_filter_that_is_always_true(api: Api, host: str) -> None:
    body: dict[str, Any] = {"filter": {"n": {"$nin": []}}, "setMetadata": {"seen": True}}
    assert api.ok("POST", f"{host}/vectors/update", json=body) == {"matchedRecords": 3}
    assert fetched(api, host, "c")["metadata"] == {"seen": True}


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ({"ids": ["a", "zz"]}, ["b", "c"]),
        ({"filter": {"n": {"$gte": 2}}}, ["a", "c"]),
        ({"filter": {"n": {"$ne": 2}}}, ["b"]),
        ({"filter": {"n": {"$nin": []}}}, []),
        ({"filter": {"n": {"$in": []}}}, ["a", "b", "c"]),
        ({"deleteAll": True}, []),
        ({"deleteAll": True, "namespace": "absent"}, ["a", "b", "c"]),
    ],
)
def test_delete(api: Api, host: str, body: dict[str, Any], left: list[str]) -> None:
    assert api.ok("POST", f"{host}/vectors/delete", json=body) == {}
    assert ids(api, host) == left
    assert ids(api, host, "s") == ["a"]


def test_stats(api: Api, host: str) -> None:
    expected = {
        "namespaces": {"__default__": {"vectorCount": 3}, "s": {"vectorCount": 1}},
        "dimension": 2,
        "indexFullness": 0,
        "totalVectorCount": 4,
        "metric": "cosine",
        "vectorType": "dense",
    }
    assert api.ok("POST", f"{host}/describe_index_stats", json={}) == expected
    assert api.ok("POST", f"{host}/describe_index_stats") == expected
    assert api.ok("POST", f"{host}/describe_index_stats", json={"filter": {}}) == expected


def test_namespaces(api: Api, host: str) -> None:
    schema = {"fields": {"tag": {"filterable": True}}}
    made = api.ok("POST", f"{host}/namespaces", json={"name": "a/b c", "schema": schema})
    assert made == {"name": "a/b c", "record_count": 0, "schema": schema}
    listed = api.ok("GET", f"{host}/namespaces")
    assert listed == {
        "namespaces": [
            {"name": "__default__", "record_count": 3},
            made,
            {"name": "s", "record_count": 1},
        ],
        "total_count": 3,
    }
    page = api.ok("GET", f"{host}/namespaces", params={"limit": 2})
    token = page["pagination"]["next"]
    rest = api.ok("GET", f"{host}/namespaces", params={"limit": 2, "paginationToken": token})
    assert [one["name"] for one in rest["namespaces"]] == ["s"]
    assert "pagination" not in rest
    assert api.ok("GET", f"{host}/namespaces/a%2Fb%20c") == made
    assert api.ok("DELETE", f"{host}/namespaces/a%2Fb%20c") == {}
    assert error(api.send("GET", f"{host}/namespaces/a%2Fb%20c"))[:2] == (404, 5)
    assert api.ok("DELETE", f"{host}/namespaces/s") == {}
    assert ids(api, host, "s") == []
    prefixed = api.ok("GET", f"{host}/namespaces", params={"prefix": "__"})
    assert [one["name"] for one in prefixed["namespaces"]] == ["__default__"]


@pytest.mark.parametrize(
    ("name", "status"), [("s", 409), ("__default__", 400), ("", 400), ("é", 400), ("x" * 257, 400)]
)
def test_a_namespace_that_cannot_be_made(api: Api, host: str, name: str, status: int) -> None:
    answer = api.send("POST", f"{host}/namespaces", json={"name": name})
    assert error(answer)[:2] == (status, {409: 6, 400: 3}[status])


def test_numbers_of_writes_rise_and_reads_tell_how_far_they_are(api: Api, host: str) -> None:
    body = {"vectors": [{"id": "n", "values": [1, 1]}]}
    first = api.send("POST", f"{host}/vectors/upsert", json=body).headers
    second = api.send("POST", f"{host}/vectors/delete", json={"ids": ["n"]}).headers
    committed = int(second["x-pinecone-request-lsn"])
    assert committed > int(first["x-pinecone-request-lsn"])
    read = api.send("POST", f"{host}/query", json={"vector": [1, 0], "topK": 1}).headers
    assert int(read["x-pinecone-max-indexed-lsn"]) >= committed


def one(**change: Any) -> dict[str, Any]:
    """Return an upsert of one vector."""
    vector = {"id": "n", "values": [1, 1]} | change
    return {"vectors": [{key: value for key, value in vector.items() if value is not ...}]}


REFUSED: Final[tuple[tuple[str, Any, str], ...]] = (
    ("upsert", {}, "vectors must be a list"),
    ("upsert", {"vectors": []}, "1 to 1000 items"),
    ("upsert", {"vectors": [1]}, "must be an object"),
    ("upsert", {"vectors": [{"id": "a", "values": [1, 1]}] * 1001}, "1 to 1000 items"),
    ("upsert", one(values=[1]), "Vector dimension 1 does not match the dimension of the index 2"),
    (
        "upsert",
        one(values=[0, 0]),
        "Dense vectors must contain at least one non-zero value. Vector ID 'n' contains only zeros",
    ),
    ("upsert", one(values=...), "values must be a list"),
    ("upsert", one(id=...), "Vector ID"),
    ("upsert", one(id="é"), "ASCII"),
    ("upsert", one(id="x" * 513), "at most 512"),
    (
        "upsert",
        one(metadata={"k": {"a": 1}}),
        "string, number, boolean or list of strings, got '{'a': 1}' for field 'k'",
    ),
    ("upsert", one(metadata={"$k": 1}), "must not start with '$'"),
    ("upsert", one(metadata={"k": "x" * 40_960}), "exceeds the limit of 40960 bytes"),
    ("upsert", one(metadata=[1]), "metadata must be an object"),
    ("upsert", one() | {"namespace": 5}, "namespace must be a string"),
    ("upsert", one() | {"namespace": "x" * 257}, "at most 256"),
    ("query", {"vector": [1, 0]}, "topK must be an integer"),
    ("query", {"vector": [1, 0], "topK": 0}, "between 1 and 10000"),
    ("query", {"vector": [1, 0], "topK": 10_001}, "between 1 and 10000"),
    ("query", {"vector": [1, 0], "topK": "3"}, "topK must be an integer"),
    ("query", {"topK": 3}, "exactly one of vector and id"),
    ("query", {"topK": 3, "vector": [1, 0], "id": "a"}, "exactly one of vector and id"),
    ("query", {"topK": 3, "vector": [1, 0, 0]}, "Vector dimension 3 does not match"),
    ("query", {"topK": 3, "vector": [1, 0], "filter": {"a": {"$like": "x"}}}, "valid operator"),
    ("query", {"topK": 3, "vector": [1, 0], "includeValues": 1}, "must be a boolean"),
    ("fetch_by_metadata", {}, "filter must not be empty"),
    ("fetch_by_metadata", {"filter": {}}, "filter must not be empty"),
    ("fetch_by_metadata", {"filter": {"a": 1}, "limit": 0}, "between 1 and 10000"),
    ("fetch_by_metadata", {"filter": {"a": 1}, "paginationToken": "x"}, "cursor"),
    ("update", {}, "filter must not be empty"),
    ("update", {"id": "a", "filter": {"n": 1}}, "not both"),
    ("update", {"filter": {"n": 1}, "values": [1, 1]}, "values must not be set"),
    ("update", {"id": "a", "values": [0, 0]}, "non-zero"),
    ("update", {"id": "a", "setMetadata": {"k": [1]}}, "list of strings"),
    ("delete", {}, "exactly one of"),
    ("delete", {"ids": []}, "exactly one of"),
    ("delete", {"ids": ["a"], "deleteAll": True}, "exactly one of"),
    ("delete", {"ids": ["a"], "filter": {"n": 1}}, "exactly one of"),
    ("delete", {"ids": ["a"] * 1001}, "1 to 1000 items"),
    ("delete", {"ids": [1]}, "must hold strings"),
    ("delete", {"filter": {}}, "filter must not be empty"),
)
PATHS: Final = {"query": "query"}


@pytest.mark.parametrize(
    ("verb", "body", "message"), REFUSED, ids=[f"{v}-{m[:30]}" for v, _, m in REFUSED]
)
def test_a_request_is_refused_and_changes_nothing(
    api: Api, host: str, verb: str, body: Any, message: str
) -> None:
    answer = api.send("POST", f"{host}/{PATHS.get(verb, f'vectors/{verb}')}", json=body)
    status, code, found = error(answer)
    assert (status, code) == (400, 3)
    assert message in found
    assert ids(api, host) == ["a", "b", "c"]
    assert fetched(api, host, "a")["metadata"] == {"n": 1.0, "tag": "x"}


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("vectors/upsert", one(sparseValues={"indices": [1], "values": [1.0]})),
        ("query", {"topK": 1, "vector": [1, 0], "sparseVector": {"indices": [], "values": []}}),
        ("vectors/update", {"id": "a", "sparseValues": {"indices": [1], "values": [1.0]}}),
        ("bulk/imports", {"uri": "s3://x"}),
        ("namespaces/s/documents/upsert", {"documents": []}),
        ("records/namespaces/s/search", {}),
    ],
)
def test_what_the_gateway_has_not(api: Api, host: str, verb: str, body: dict[str, Any]) -> None:
    assert error(api.send("POST", f"{host}/{verb}", json=body))[:2] == (501, 12)


@pytest.mark.parametrize("content", [b"{", b"[]", b"null", b"\xff", b"[" * 3000, b"NaN"])
def test_a_body_that_is_no_object(api: Api, host: str, content: bytes) -> None:
    assert error(api.send("POST", f"{host}/query", content=content))[:2] == (400, 3)


def test_a_null_in_metadata_before_2026_07(api: Api, host: str) -> None:
    headers = {"X-Pinecone-Api-Version": "2026-04"}
    answer = api.send(
        "POST", f"{host}/vectors/upsert", json=one(metadata={"k": None}), headers=headers
    )
    assert error(answer)[:2] == (400, 3)
    api.ok("POST", f"{host}/vectors/upsert", json=one(metadata={"k": None, "l": 1}))
    assert fetched(api, host, "n")["metadata"] == {"l": 1.0}


@pytest.mark.parametrize("params", [{}, {"ids": ["x"] * 1001}])
def test_fetch_takes_1_to_1000_ids(api: Api, host: str, params: dict[str, Any]) -> None:
    assert error(api.send("GET", f"{host}/vectors/fetch", params=params))[:2] == (400, 3)


@pytest.mark.parametrize(
    "params",
    [{"limit": "0"}, {"limit": "101"}, {"limit": "x"}, {"limit": "٣"}, {"paginationToken": "!"}],
)
def test_list_refuses(api: Api, host: str, params: dict[str, Any]) -> None:
    assert error(api.send("GET", f"{host}/vectors/list", params=params))[:2] == (400, 3)


def test_stats_by_filter_are_refused_as_serverless_does(api: Api, host: str) -> None:
    answer = api.send("POST", f"{host}/describe_index_stats", json={"filter": {"n": 1}})
    assert error(answer)[:2] == (400, 3)


def test_two_megabytes_are_counted_as_float32_and_metadata() -> None:
    made = Api(max_request_bytes=1000, max_body_bytes=100_000)
    host = made.create(dimension=100)
    wide = [0.12345678901234567] * 100  # 400 bytes of float32, 2,000 of JSON
    two = [{"id": f"{at}", "values": wide} for at in range(2)]
    made.ok("POST", f"{host}/vectors/upsert", json={"vectors": two})
    three = [*two, {"id": "2", "values": wide}]
    answer = made.send("POST", f"{host}/vectors/upsert", json={"vectors": three})
    assert error(answer)[:2] == (400, 3)
    assert "Request size 1200 bytes exceeds the maximum supported size of 1000" in answer.text
    heavy = [two[0], two[1] | {"metadata": {"k": "x" * 300}}]
    answer = made.send("POST", f"{host}/vectors/upsert", json={"vectors": heavy})
    assert error(answer)[:2] == (400, 3)
    made.close()


def test_a_long_body_is_413_whether_or_not_its_length_is_told() -> None:
    made = Api(max_body_bytes=1000)
    host = made.create()
    content = json.dumps({"vectors": [], "padding": "x" * 2000}).encode()

    async def pieces() -> Any:
        for start in range(0, len(content), 100):
            yield content[start : start + 100]

    for body in (content, pieces()):
        answer = made.send("POST", f"{host}/vectors/upsert", content=body)
        assert error(answer)[:2] == (413, 3)
    made.close()


def test_records_of_polyvec_keep_what_pinecone_has_no_word_for(api: Api) -> None:
    host = api.create()

    async def write() -> None:
        records = await api.store.collection("docs")
        await records.upsert(
            [
                VectorRecord(
                    id="né",
                    vector=np.ones(2, dtype=np.float32),
                    metadata={"n": 2**60},
                    text="a text",
                )
            ]
        )

    api.run(write())
    assert ids(api, host) == ["né"]
    assert fetched(api, host, "né")["metadata"] == {"n": float(2**60)}
    api.ok("POST", f"{host}/vectors/delete", json={"ids": ["né"]})
    assert ids(api, host) == []
