"""Answers as bytes: JSON by orjson, which writes float32 arrays as they are, and short."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson
from starlette.responses import Response

from polyvec.gateway.errors import body

if TYPE_CHECKING:
    from collections.abc import Mapping

    from polyvec.gateway.call import Answer
    from polyvec.gateway.errors import Refusal

JSON: Final = "application/json"


def dump(content: Mapping[str, Any]) -> bytes:
    """Return JSON."""
    return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)


def success(answer: Answer) -> Response:
    """Return the response of an answer."""
    content = b"" if answer.content is None else dump(answer.content)
    kind = None if answer.content is None else JSON
    return Response(content, answer.status, headers=dict(answer.headers), media_type=kind)


def failure(refusal: Refusal, *, data_plane: bool) -> Response:
    """Return the response of a refusal, in the form of its plane."""
    headers: dict[str, str] = {}
    if refusal.retry_after_s is not None:
        headers["retry-after"] = str(refusal.retry_after_s)
    content = dump(body(refusal, data_plane=data_plane))
    return Response(content, refusal.code.status, headers=headers, media_type=JSON)
