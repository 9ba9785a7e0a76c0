"""One limit for all the calls of a primitive."""

from __future__ import annotations

import httpx
import pytest

from polyvec._time_left import CONNECT_S, left, limit, within


def test_without_a_limit() -> None:
    assert left() is None
    with within(None):
        assert left() is None


def test_none_leaves_the_limit_around_as_it_is() -> None:
    with within(60), within(None), within(None, 1.0):
        seconds = left()
        assert seconds is not None
        assert 50 < seconds <= 60
    assert left() is None


def test_the_longest_holds_where_nothing_is_around() -> None:
    with within(None, 60), within(None, 1.0):
        seconds = left()
        assert seconds is not None
        assert 50 < seconds <= 60


def test_a_request_gets_what_is_left() -> None:
    request = httpx.Request("GET", "http://db.example")
    limit(request, 600)
    assert request.extensions["timeout"] == {
        "connect": CONNECT_S, "read": 600, "write": 600, "pool": 600,
    }  # fmt: skip
    with within(5):
        limit(request, 600)
    assert set(request.extensions["timeout"]) == {"connect", "read", "write", "pool"}
    assert all(4 < seconds <= 5 for seconds in request.extensions["timeout"].values())


def test_a_request_is_not_sent_when_nothing_is_left() -> None:
    with within(-1), pytest.raises(httpx.PoolTimeout):
        limit(httpx.Request("GET", "http://db.example"), 600)
