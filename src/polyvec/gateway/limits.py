"""No more requests at once than the gateway can carry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from polyvec.gateway.answers import failure
from polyvec.gateway.errors import RETRY_AFTER_S, Code, Refusal
from polyvec.gateway.paths import is_data_plane, is_open

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_FULL: Final = Refusal(
    Code.RESOURCE_EXHAUSTED,
    "Too many requests are under way. Retry after the time in the Retry-After header.",
    retry_after_s=RETRY_AFTER_S,
)


class Limits:
    """Answers 429 while `most` requests are under way.

    Parameters
    ----------
    app
        What comes behind.
    most
        Requests under way at once.
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or is_open(scope["path"]):
            await self._app(scope, receive, send)
            return
        if self._under_way >= self._most:
            await failure(_FULL, data_plane=is_data_plane(scope["path"]))(scope, receive, send)
            return
        self._under_way += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._under_way -= 1
