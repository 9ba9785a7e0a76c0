"""Errors of the client as errors of polyvec; without a server."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from pinecone.errors import exceptions as theirs

from polyvec.errors import (
    AccessError,
    CollectionExistsError,
    CollectionNotFoundError,
    DeadlineError,
    RateLimitedError,
    RejectedError,
    StoreError,
    UnavailableError,
)
from polyvec_pinecone import _errors


@pytest.mark.parametrize(
    ("exc", "kind"),
    [
        (theirs.ApiError("Bad.", 400), RejectedError),
        (theirs.ApiError("Bad.", 422), RejectedError),
        (theirs.UnauthorizedError("Invalid API key.", 401), AccessError),
        (theirs.PaymentRequiredError("Pay.", 402), AccessError),
        (theirs.ForbiddenError("Deletion protection is enabled.", 403), AccessError),
        (theirs.NotFoundError("Resource x not found", 404), CollectionNotFoundError),
        (theirs.ApiError("Slow.", 408), DeadlineError),
        (theirs.ConflictError("Resource already exists.", 409), CollectionExistsError),
        (theirs.FailedPreconditionError("Pending.", 412), RejectedError),
        (theirs.PayloadTooLargeError("Too large.", 413), RejectedError),
        (theirs.RateLimitError("Slow down.", 429), RateLimitedError),
        (theirs.ApiError("gRPC says so.", 429), RateLimitedError),
        (theirs.ServiceError("Oops.", 500), UnavailableError),
        (theirs.ServiceError("Oops.", 503), UnavailableError),
        (theirs.ServiceError("Oops.", 504), DeadlineError),
        (theirs.PineconeTimeoutError("t"), DeadlineError),
        (theirs.PineconeConnectionError("c; request to https://h"), UnavailableError),
        (theirs.ResponseParsingError("p"), StoreError),
        (httpx.InvalidURL("URL too long"), RejectedError),
        (httpx.ReadError("r"), UnavailableError),
        (OSError(28, "No space left"), StoreError),
    ],
    ids=lambda value: getattr(value, "__name__", None) or type(value).__name__,
)
def test_by_class_and_status(exc: Exception, kind: type[StoreError]) -> None:
    found = _errors.map_error(exc, "upsert")
    assert type(found) is kind
    assert "pinecone.upsert: " in str(found)
    assert "https://" not in str(found)


@pytest.mark.parametrize("exc", [ValueError("x"), theirs.PineconeTypeError("x"), KeyError("x")])
def test_unknown_ones_pass(exc: Exception) -> None:
    assert _errors.map_error(exc, "upsert") is None
    assert _errors.map_error(RejectedError("ours"), "upsert") is None


def test_retry_after() -> None:
    answer: Any = theirs.RateLimitError("Slow down.", 429, retry_after=7.0)
    found = _errors.map_error(answer, "query")
    assert isinstance(found, RateLimitedError)
    assert found.retry_after_s == 7.0
    assert found.retryable


def test_long_texts_are_cut() -> None:
    found = _errors.map_error(theirs.ApiError("X" * 1000, 400), "query")
    assert len(str(found)) < 350


def test_what_may_mean_that_the_index_is_gone() -> None:
    assert _errors.is_doubtful(theirs.NotFoundError("x", 404))
    assert _errors.is_doubtful(theirs.ApiError("x", 400))
    assert _errors.is_doubtful(theirs.PineconeConnectionError("x"))
    assert not _errors.is_doubtful(theirs.ServiceError("x", 500))
    assert not _errors.is_doubtful(ValueError("x"))
