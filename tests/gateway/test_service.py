"""What a service owes besides its contract: keys, limits, health, metrics, logs, an orderly end."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import subprocess
import sys
from typing import Any, Final

import httpx
import pytest
from pydantic import SecretStr
from tests.gateway.conftest import Api
from tests.services.pinecone import PROGRAM, Gateway

import polyvec
from polyvec.collection_async import AsyncCollection
from polyvec.errors import (
    AccessError,
    ClosedError,
    CollectionExistsError,
    CollectionNotFoundError,
    ConfigError,
    DeadlineError,
    DimensionMismatchError,
    FilterError,
    InvalidRecordError,
    InvalidRequestError,
    NotSupportedError,
    PartialWriteError,
    PolyvecError,
    RateLimitedError,
    RejectedError,
    SearchBudgetError,
    StoreError,
    UnavailableError,
)
from polyvec.gateway.errors import body, from_polyvec
from polyvec.gateway.settings import Settings, is_loopback

KEY: Final = "correct horse"
OPEN: Final = ("/healthz", "/readyz", "/metrics", "/openapi.json")


@pytest.fixture
def locked() -> Any:
    made = Api(api_key=SecretStr(KEY))
    yield made
    made.close()


@pytest.mark.parametrize("sent", [{}, {"Api-Key": ""}, {"Api-Key": KEY + "x"}, {"Api-Key": "é"}])
def test_a_wrong_key_is_refused_on_both_planes(locked: Api, sent: dict[str, str]) -> None:
    headers = {name: value.encode() for name, value in sent.items()}
    control = locked.send("GET", "/indexes", headers=headers)
    assert (control.status_code, control.json()["error"]) == (
        401,
        {"code": "UNAUTHENTICATED", "message": "Invalid API key."},
    )
    data = locked.send("POST", "/i/docs/query", headers=headers)
    assert (data.status_code, data.json()) == (
        401,
        {"code": 16, "message": "Invalid API key.", "details": []},
    )


def test_the_right_key_is_let_in(locked: Api) -> None:
    assert locked.ok("GET", "/indexes", headers={"api-key": KEY}) == {"indexes": []}


@pytest.mark.parametrize("path", OPEN)
def test_health_metrics_and_description_need_no_key(locked: Api, path: str) -> None:
    assert locked.send("GET", path).status_code == 200


def test_the_description_names_the_key_only_where_one_is_asked_for(locked: Api, api: Api) -> None:
    assert locked.ok("GET", "/openapi.json")["security"] == [{"key": []}]
    assert "security" not in api.ok("GET", "/openapi.json")


def test_the_key_is_shown_nowhere() -> None:
    assert KEY not in repr(Settings(api_key=SecretStr(KEY)))


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104 - refused
        ("::", False),
        ("192.168.0.1", False),
        ("example.org", False),
    ],
)
def test_beyond_loopback_a_key_or_a_word_is_needed(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
    Settings(host=host, api_key=SecretStr(KEY)).check_exposure()
    Settings(host=host, insecure=True).check_exposure()
    if expected:
        Settings(host=host).check_exposure()
    else:
        with pytest.raises(ConfigError, match="--insecure"):
            Settings(host=host).check_exposure()


@pytest.mark.parametrize(
    "wrong",
    [
        {"api_key": SecretStr("")},
        {"api_key": SecretStr("clé")},
        {"api_key": SecretStr(" x")},
        {"public_url": "example.org"},
        {"public_url": "http://x?y=1"},
        {"max_concurrency": 0},
        {"timeout_s": -1},
        {"visibility_delay_s": -1},
    ],
)
def test_settings_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Settings(**wrong)


def serve(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM, "serve", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_the_command_refuses_to_be_open_to_a_network() -> None:
    done = serve("memory://", "--host", "0.0.0.0", "--port", "0")  # noqa: S104 - refused
    assert done.returncode == 2
    assert "POLYVEC_GATEWAY_API_KEY" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_taken_port_is_one_line() -> None:
    running = Gateway()
    try:
        done = serve("memory://", "--port", str(running.address[1]))
    finally:
        running.stop()
    assert done.returncode == 2
    assert "cannot listen" in done.stderr


def test_hosts_follow_the_request_or_the_setting(api: Api) -> None:
    api.create()
    headers = {"host": "gateway.test:81"}
    model = api.ok("GET", "/indexes/docs", headers=headers)
    assert model["host"] == "http://gateway.test:81/i/docs"
    made = Api(public_url="https://vectors.example.org/pinecone/")
    body = {"name": "docs", "dimension": 2}
    model = made.ok("POST", "/indexes", json=body)
    assert model["host"] == "https://vectors.example.org/pinecone/i/docs"
    made.close()


class Slow:
    """Holds every query until it is let go."""

    def __init__(self, made: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        self.arrived = 0
        self.go = asyncio.Event()

        async def slow(*_: Any, **__: Any) -> list[Any]:
            self.arrived += 1
            await self.go.wait()
            return []

        made.create()
        monkeypatch.setattr(AsyncCollection, "query", slow)


async def query(client: httpx.AsyncClient) -> httpx.Response:
    return await client.post("/i/docs/query", json={"vector": [1, 0], "topK": 1})


def test_beyond_the_bound_requests_are_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Api(max_concurrency=2)
    slow = Slow(made, monkeypatch)

    async def crowd() -> None:
        transport = httpx.ASGITransport(app=made.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            first = [asyncio.create_task(query(client)) for _ in range(2)]
            while slow.arrived < 2:
                await asyncio.sleep(0)
            refused = await query(client)
            assert refused.status_code == 429
            assert refused.headers["retry-after"] == "1"
            assert refused.json()["code"] == 8
            assert (await client.get("/healthz")).status_code == 200
            slow.go.set()
            assert [answer.status_code for answer in await asyncio.gather(*first)] == [200, 200]
            assert (await query(client)).status_code == 200

    made.run(crowd())
    made.close()


def test_a_request_has_a_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Api(timeout_s=0.05)
    Slow(made, monkeypatch)
    answer = made.send("POST", "/i/docs/query", json={"vector": [1, 0], "topK": 1})
    assert (answer.status_code, answer.json()["code"]) == (504, 4)
    made.close()


def test_a_bug_is_answered_in_the_contracts_form_without_its_text(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    api.create()

    async def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("inner details")

    monkeypatch.setattr(AsyncCollection, "query", broken)
    request = {"vector": [1, 0], "topK": 1}
    answer = api.send("POST", "/i/docs/query", json=request, headers={"x-request-id": "r-1"})
    assert answer.status_code == 500
    assert answer.json() == {
        "code": 13,
        "message": "Internal error; request id r-1",
        "details": [],
    }
    assert "inner details" in caplog.text


@pytest.mark.parametrize("sent", ["r-1", "A.b_c-9"])
def test_a_request_id_is_kept(api: Api, sent: str) -> None:
    headers = api.send("GET", "/indexes", headers={"x-request-id": sent}).headers
    assert headers["x-request-id"] == headers["x-pinecone-request-id"] == sent


@pytest.mark.parametrize("sent", ["", "a b", "x" * 65, "a\x1b[31m"])
def test_an_odd_request_id_is_replaced(api: Api, sent: str) -> None:
    found = api.send("GET", "/indexes", headers={"x-request-id": sent}).headers["x-request-id"]
    assert re.fullmatch("[0-9a-f]{32}", found)


def test_the_access_log_is_json_without_what_is_nobodys_business(
    locked: Api, caplog: pytest.LogCaptureFixture
) -> None:
    private = "r-private"
    headers = {"api-key": KEY}
    with caplog.at_level(logging.INFO, logger="polyvec.gateway.access"):
        locked.ok("POST", "/indexes", json={"name": "docs", "dimension": 2}, headers=headers)
        vectors = [{"id": private, "values": [0.25, 1], "metadata": {private: private}}]
        locked.ok("POST", "/i/docs/vectors/upsert", json={"vectors": vectors}, headers=headers)
        locked.ok("GET", "/i/docs/vectors/fetch", params={"ids": private}, headers=headers)
        locked.send("GET", "/indexes")
        locked.ok("GET", "/healthz")
    lines = [json.loads(record.getMessage()) for record in caplog.records]
    assert [(line["operation"], line["index"], line["status"]) for line in lines] == [
        ("create_index", None, 201),
        ("upsert", "docs", 200),
        ("fetch", "docs", 200),
        ("none", None, 401),
    ]
    keys = {"time", "request_id", "client", "method", "operation", "index", "status", "ms"}
    assert all(line.keys() == keys | {"bytes_in", "bytes_out"} for line in lines)
    assert lines[1]["bytes_in"] > 0
    for hidden in (private, "0.25", KEY):
        assert hidden not in caplog.text


def test_metrics(api: Api) -> None:
    api.create()
    api.ok("POST", "/i/docs/query", json={"vector": [1, 0], "topK": 1})
    api.send("POST", "/i/docs/query", json={})
    text = api.send("GET", "/metrics").text
    line = 'polyvec_gateway_requests_total{{operation="query",status="{}"}} 1.0'
    assert line.format(200) in text
    assert line.format(400) in text
    assert 'polyvec_gateway_request_seconds_count{operation="query"} 2.0' in text
    assert "polyvec_gateway_requests_under_way 0.0" in text


def test_ready_means_that_the_store_answers(api: Api) -> None:
    assert api.send("GET", "/readyz").status_code == 200
    api.run(api.store.aclose())
    assert api.send("GET", "/readyz").status_code == 503
    assert api.send("GET", "/healthz").status_code == 200
    answer = api.send("GET", "/indexes")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "UNAVAILABLE")


@pytest.mark.parametrize(
    ("error", "status", "number"),
    [
        (InvalidRecordError("x"), 400, 3),
        (DimensionMismatchError("x"), 400, 3),
        (InvalidRequestError("x"), 400, 3),
        (FilterError("x"), 400, 3),
        (RejectedError("x"), 400, 3),
        (SearchBudgetError("x"), 400, 9),
        (CollectionNotFoundError("x"), 404, 5),
        (CollectionExistsError("x"), 409, 6),
        (RateLimitedError("x"), 429, 8),
        (NotSupportedError("x"), 501, 12),
        (AccessError("x"), 503, 14),
        (UnavailableError("x"), 503, 14),
        (PartialWriteError("x", failed={}), 503, 14),
        (StoreError("x"), 503, 14),
        (ClosedError("x"), 503, 14),
        (DeadlineError("x"), 504, 4),
        (PolyvecError("x"), 400, 3),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_failures_of_the_store(error: PolyvecError, status: int, number: int) -> None:
    refusal = from_polyvec(error)
    data, control = body(refusal, data_plane=True), body(refusal, data_plane=False)
    assert (refusal.code.status, data["code"], control["status"]) == (status, number, status)
    assert "x" in data["message"]


def test_the_stores_own_wait_is_passed_on() -> None:
    assert from_polyvec(RateLimitedError("x", retry_after_s=7.2)).retry_after_s == 7
    assert from_polyvec(RateLimitedError("x")).retry_after_s == 1
    assert from_polyvec(UnavailableError("x")).retry_after_s is None


def test_a_delayed_write_is_checked_at_once_and_seen_later() -> None:
    made = Api(visibility_delay_s=0.2)
    host = made.create()
    vector = {"id": "a", "values": [1, 0]}
    written = made.send("POST", f"{host}/vectors/upsert", json={"vectors": [vector]})
    committed = int(written.headers["x-pinecone-request-lsn"])
    refused = made.send("POST", f"{host}/vectors/upsert", json={"vectors": [{"id": "a"}]})
    assert refused.status_code == 400

    def read() -> tuple[int, int]:
        answer = made.send("POST", f"{host}/query", json={"vector": [1, 0], "topK": 1})
        return len(answer.json()["matches"]), int(answer.headers["x-pinecone-max-indexed-lsn"])

    assert read() == (0, committed - 1)
    while read()[0] == 0:  # the test's own time limit ends it
        pass
    assert read() == (1, committed)
    made.close()


def test_delayed_writes_keep_their_order_and_end_with_the_gateway() -> None:
    made = Api(visibility_delay_s=60)
    host = made.create()
    for at in range(5):
        vectors = [{"id": "a", "values": [1, at]}, {"id": f"b{at}", "values": [1, 1]}]
        made.ok("POST", f"{host}/vectors/upsert", json={"vectors": vectors})
    made.ok("POST", f"{host}/vectors/delete", json={"ids": ["b0"]})

    async def drained() -> list[Any]:
        await made.app.state.gateway.indexes.drain()
        records = await made.store.collection("docs")
        return await records.get(["a", "b0", "b4"])

    found = made.run(drained())
    assert [record.id for record in found] == ["a", "b4"]
    assert found[0].vector.tolist() == [1.0, 4.0]
    made.close()


def test_importing_polyvec_loads_nothing_of_the_gateway() -> None:
    code = "import sys, polyvec, polyvec.cli; print(sorted({'starlette', 'uvicorn', 'orjson', "
    code += "'prometheus_client', 'polyvec.gateway'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "[]\n"


def test_the_end_waits_for_requests_under_way() -> None:
    # Each answer is some megabytes long, so that most are under way when the first is there.
    running = Gateway()
    with httpx.Client(base_url=running.base) as client:
        client.post("/indexes", json={"name": "docs", "dimension": 128}).raise_for_status()
        wide = [0.5] * 128
        for start in range(0, 5_000, 1_000):
            vectors = [{"id": str(at), "values": wide} for at in range(start, start + 1_000)]
            client.post("/i/docs/vectors/upsert", json={"vectors": vectors}).raise_for_status()

    async def last_words() -> list[int]:
        limits = httpx.Limits(max_connections=10)
        async with httpx.AsyncClient(base_url=running.base, limits=limits, timeout=60) as client:
            request = {"vector": wide, "topK": 5_000, "includeValues": True}
            sent = [
                asyncio.create_task(client.post("/i/docs/query", json=request)) for _ in range(10)
            ]
            while not any(task.done() for task in sent):
                await asyncio.sleep(0.005)
            under_way = sum(not task.done() for task in sent)
            assert under_way > 0
            running.process.terminate()
            return [answer.status_code for answer in await asyncio.gather(*sent)]

    statuses = asyncio.run(last_words())
    code = running.process.wait(timeout=60)
    log = running.log.read_text(encoding="utf-8")
    running.stop()
    assert statuses == [200] * 10
    assert code in (0, -15)  # uvicorn ends by the signal it was sent
    assert "Traceback" not in log


def test_a_gateway_that_was_killed_comes_back_with_its_data() -> None:
    running = Gateway()
    try:
        body = {"name": "docs", "dimension": 2, "deletion_protection": "enabled"}
        httpx.post(f"{running.base}/indexes", json=body).raise_for_status()
        vectors = {"vectors": [{"id": "a", "values": [1, 2]}]}
        httpx.post(f"{running.base}/i/docs/vectors/upsert", json=vectors).raise_for_status()
        running.kill()
        running.restart()
        found = httpx.get(f"{running.base}/i/docs/vectors/fetch", params={"ids": "a"}).json()
        assert found["vectors"] == {"a": {"id": "a", "values": [1.0, 2.0]}}
        assert httpx.delete(f"{running.base}/indexes/docs").status_code == 403
    finally:
        running.stop()


def test_the_version_of_the_description_is_polyvecs(api: Api) -> None:
    assert api.ok("GET", "/openapi.json")["info"]["version"] == polyvec.__version__


def test_a_fetch_of_many_long_ids_fits_into_a_url() -> None:
    running = Gateway("memory://")
    try:
        with httpx.Client(base_url=running.base) as client:
            client.post("/indexes", json={"name": "docs", "dimension": 2}).raise_for_status()
            names = [f"{at:03}" + "#" * 500 for at in range(40)]  # "#" is three bytes in a URL
            vectors = [{"id": name, "values": [1, 1]} for name in names]
            client.post("/i/docs/vectors/upsert", json={"vectors": vectors}).raise_for_status()
            found = client.get("/i/docs/vectors/fetch", params={"ids": names})
        assert found.status_code == 200
        assert sorted(found.json()["vectors"]) == names
    finally:
        running.stop()


def test_a_read_is_not_ahead_of_a_write_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Api()
    made.create()
    started, go = asyncio.Event(), asyncio.Event()
    upsert = AsyncCollection.upsert

    async def slow(self: Any, *args: Any, **kwargs: Any) -> None:
        if kwargs["ids"] == ["slow"]:
            started.set()
            await go.wait()
        await upsert(self, *args, **kwargs)

    monkeypatch.setattr(AsyncCollection, "upsert", slow)

    async def overtake() -> list[int]:
        transport = httpx.ASGITransport(app=made.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:

            async def write(name: str) -> int:
                body = {"vectors": [{"id": name, "values": [1, 1]}]}
                answer = await client.post("/i/docs/vectors/upsert", json=body)
                return int(answer.headers["x-pinecone-request-lsn"])

            async def read() -> int:
                return int((await query(client)).headers["x-pinecone-max-indexed-lsn"])

            before = await read()
            waiting = asyncio.create_task(write("slow"))
            await started.wait()
            second = await write("fast")
            between = await read()
            go.set()
            first = await waiting
            return [before, first, second, between, await read()]

    before, first, second, between, after = made.run(overtake())
    assert (first, second) == (before + 1, before + 2)
    assert between == before
    assert after == second
    made.close()


def test_a_missing_package_is_named() -> None:
    code = f"import sys; sys.modules['starlette'] = None; {PROGRAM}"
    command = [sys.executable, "-c", code, "serve", "memory://"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "starlette" in done.stderr
    assert "pip install 'polyvec[serve]'" in done.stderr
