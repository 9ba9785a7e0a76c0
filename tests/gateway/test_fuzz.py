"""Random requests by the gateway's description: no 500, no hang, every refusal in its form.

1,000 requests; in CI (`POLYVEC_HYPOTHESIS=ci`), or with `POLYVEC_FUZZ_REQUESTS`, 5,000 or more.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.gateway.conftest import Api
from tests.gateway.requests_of import Description, Operation, Sent

from polyvec.gateway.openapi import describe
from polyvec.gateway.settings import Settings

DIMENSION: Final = 3
IN_CI: Final = settings.get_current_profile_name() == "ci"
REQUESTS: Final = int(os.environ.get("POLYVEC_FUZZ_REQUESTS") or (5_000 if IN_CI else 1_000))
ANSWERED_WITHIN_S: Final = 10.0
"""A request that takes longer is answered 504, which fails the test as a hang."""

DESCRIPTION: Final = Description(describe(Settings()), DIMENSION)


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[Api]:
    made = Api(timeout_s=ANSWERED_WITHIN_S)
    prepare(made)
    yield made
    made.close()


def prepare(api: Api) -> None:
    """Make the index under test, with records, if a request has removed it."""
    names = {one["name"] for one in api.ok("GET", "/indexes")["indexes"]}
    if "fuzz" in names:
        return
    host = api.create("fuzz", DIMENSION, "dotproduct")
    vectors = [
        {"id": "a", "values": [1, 0, 0], "metadata": {"n": 1, "tag": "x", "tags": ["x", "y"]}},
        {"id": "b", "values": [0, 1, 0], "metadata": {"n": 2.5, "flag": True}},
        {"id": "c", "values": [0, 0, 1]},
    ]
    for namespace in ("", "s"):
        api.ok("POST", f"{host}/vectors/upsert", json={"vectors": vectors, "namespace": namespace})


def check(sent: Sent, answer: Any) -> None:
    """Check one answer against the contract."""
    assert answer.status_code not in (500, 503, 504), (sent, answer.text)
    assert answer.headers["x-request-id"]
    if answer.is_success:
        if answer.content:
            assert isinstance(answer.json(), dict)
        return
    body = answer.json()
    if sent.path.startswith("/i/"):
        assert body.keys() == {"code", "message", "details"}
        assert isinstance(body["code"], int)
        assert body["message"]
    else:
        assert body.keys() == {"error", "status"}
        assert body["error"].keys() == {"code", "message"}
        assert body["status"] == answer.status_code


@given(request=DESCRIPTION.requests(), again=st.booleans())
@settings(
    max_examples=REQUESTS,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
def test_no_request_breaks_the_gateway(fuzzed: Api, request: Sent, again: bool) -> None:
    prepare(fuzzed)
    for _ in range(1 + again):  # what can be sent once can be sent twice
        answer = fuzzed.send(
            request.method, request.path, headers=request.headers, content=request.content
        )
        check(request, answer)


@pytest.mark.parametrize("operation", DESCRIPTION.operations, ids=lambda one: one[2]["operationId"])
def test_the_requests_reach_the_operation(fuzzed: Api, operation: Operation) -> None:
    # Up to 500 requests to this one operation: about one in ten succeeds where fewest do.
    reached = False

    @given(request=DESCRIPTION.requests_to(*operation))
    @settings(max_examples=500, derandomize=True, database=None)
    def reach(request: Sent) -> None:
        nonlocal reached
        if reached:
            return
        prepare(fuzzed)
        answer = fuzzed.send(
            request.method, request.path, headers=request.headers, content=request.content
        )
        check(request, answer)
        reached = answer.is_success

    reach()
    assert reached
