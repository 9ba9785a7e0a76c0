"""What is left to the running primitive: one limit for all the calls that it makes.

Vendors' clients have time-outs for a connection, or none; so an adapter opens `within` around its
calls, and whatever sends them asks for `left`.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

from polyvec._setting import Setting

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import httpx

CONNECT_S: Final = 10.0
"""Longest wait for a connection; an answer may take as long as the caller allows."""

_end: ContextVar[float | None] = ContextVar("polyvec_end", default=None)


def within(timeout_s: float | None, longest_s: float | None = None) -> AbstractContextManager[None]:
    """Give the calls made inside at most so much time, together.

    Parameters
    ----------
    timeout_s
        Seconds; None leaves the limit around this one as it is.
    longest_s
        For None where there is no limit around; None for no limit.
    """
    end = _end.get()
    given = timeout_s if timeout_s is not None or end is not None else longest_s
    return Setting(_end, end if given is None else time.monotonic() + given)


def left() -> float | None:
    """Return the seconds that are left, 0 and less where it is over; None without a limit."""
    end = _end.get()
    return None if end is None else end - time.monotonic()


def limit(request: httpx.Request, longest_s: float) -> None:
    """Set the timeouts of a request to what is left.

    Parameters
    ----------
    request
        Not sent yet.
    longest_s
        Seconds for a request without a limit.

    Raises
    ------
    httpx.PoolTimeout
        Nothing is left.
    """
    import httpx  # an extra's

    found = left()
    seconds = longest_s if found is None else found
    if seconds <= 0:
        raise httpx.PoolTimeout("no time is left for this request", request=request)
    limits = {"read": seconds, "write": seconds, "pool": seconds}
    connect = {"connect": min(seconds, CONNECT_S)}
    request.extensions = {**request.extensions, "timeout": limits | connect}
