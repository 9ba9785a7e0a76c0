"""The `Api-Key` header, compared in constant time."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers

from polyvec.gateway.answers import failure
from polyvec.gateway.errors import Code, Refusal
from polyvec.gateway.paths import is_data_plane, is_open

if TYPE_CHECKING:
    from pydantic import SecretStr
    from starlette.types import ASGIApp, Receive, Scope, Send

_REFUSED: Final = Refusal(Code.UNAUTHENTICATED, "Invalid API key.")


class Auth:
    """Lets requests in that carry the key; health, metrics and the description are open.

    Parameters
    ----------
    app
        What comes behind.
    key
        The key, or None to let everybody in.
    """

    def __init__(self, app: ASGIApp, key: SecretStr | None) -> None:
        self._app = app
        self._key = None if key is None else key.get_secret_value().encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._key is not None and not is_open(scope["path"]):
            sent = Headers(scope=scope).get("api-key", "")
            if not hmac.compare_digest(sent.encode(), self._key):
                refused = failure(_REFUSED, data_plane=is_data_plane(scope["path"]))
                await refused(scope, receive, send)
                return
        await self._app(scope, receive, send)
