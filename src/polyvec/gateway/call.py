"""One request on its way through a handler."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson

from polyvec.gateway.errors import Code, Refusal, invalid, unimplemented
from polyvec.gateway.fields import json_object, show

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from polyvec.gateway.catalog import Catalog
    from polyvec.gateway.fields import Json
    from polyvec.gateway.indexes import Index, Indexes
    from polyvec.gateway.listing import Listings
    from polyvec.gateway.settings import Settings
    from polyvec.store_async import AsyncVectorStore

VERSIONS: Final = ("2025-01", "2026-07")
"""The first and the last API version; official clients send theirs with each request."""

STRIPS_NULL_SINCE: Final = "2026-07"
LSN_COMMITTED: Final = "x-pinecone-request-lsn"
LSN_INDEXED: Final = "x-pinecone-max-indexed-lsn"

_VERSION: Final = re.compile(r"(\d{4}-\d{2})(?:\.[a-z]+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Gateway:
    """What all requests share."""

    store: AsyncVectorStore
    settings: Settings
    catalog: Catalog
    indexes: Indexes
    listings: Listings


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer."""

    content: Mapping[str, Any] | None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


class Call:
    """A request, read lazily.

    Parameters
    ----------
    gateway
        What all requests share.
    request
        Starlette's request.
    """

    def __init__(self, gateway: Gateway, request: Request) -> None:
        self.gateway = gateway
        self.request = request
        self.version = read_version(request.headers.get("x-pinecone-api-version"))
        self.query = request.query_params
        self._body: Json | None = None

    @property
    def strips_null(self) -> bool:
        """Whether nulls in metadata are dropped (2026-07) or refused (before)."""
        return self.version >= STRIPS_NULL_SINCE

    @property
    def name(self) -> str:
        """The index that the path names."""
        return str(self.request.path_params["index"])

    @property
    def namespace(self) -> str:
        """The namespace that the path names."""
        return str(self.request.path_params["namespace"])

    @property
    def base(self) -> str:
        """How the client reaches the gateway."""
        return self.gateway.settings.public_url or str(self.request.base_url)

    async def index(self) -> Index:
        """Return the index that the path names."""
        return await self.gateway.indexes.get(self.name)

    async def body(self) -> Json:
        """Return the JSON object of the body, `{}` for an empty one."""
        if self._body is None:
            raw = await self._raw()
            try:
                value: object = orjson.loads(raw) if raw else {}
            except orjson.JSONDecodeError as exc:
                raise invalid(f"The body is not JSON: {exc}") from None
            self._body = json_object(value, "The body")
        return self._body

    async def _raw(self) -> bytes:
        if (encoding := self.request.headers.get("content-encoding", "identity")) != "identity":
            raise invalid(f"Content-Encoding {show(encoding)} is not supported; send plain JSON")
        most = self.gateway.settings.max_body_bytes
        said = self.request.headers.get("content-length", "")
        if said.isdigit() and int(said[:19]) > most:
            raise _too_long(most)
        chunks: list[bytes] = []
        size = 0
        async for chunk in self.request.stream():
            size += len(chunk)
            if size > most:
                raise _too_long(most)
            chunks.append(chunk)
        return b"".join(chunks)

    def written(self, content: Mapping[str, Any], lsn: int) -> Answer:
        """Return the answer to a write."""
        return Answer(content, headers={LSN_COMMITTED: str(lsn)})

    def read(self, content: Mapping[str, Any], index: Index) -> Answer:
        """Return the answer to a read."""
        return Answer(content, headers={LSN_INDEXED: str(index.writes.applied)})


def read_version(sent: str | None) -> str:
    """Return the API version of a request, the newest where it names none."""
    if sent is None:
        return VERSIONS[-1]
    found = _VERSION.fullmatch(sent)
    if found is None or not VERSIONS[0] <= found[1] <= VERSIONS[1]:
        raise invalid(
            f"X-Pinecone-Api-Version {show(sent)} is not supported; expected "
            f"{VERSIONS[0]} to {VERSIONS[1]}"
        )
    return found[1]


def refuse_sparse(*values: object) -> None:
    """Refuse sparse vectors."""
    if any(value is not None for value in values):
        raise unimplemented("sparse vectors are")


def _too_long(most: int) -> Refusal:
    return Refusal(Code.PAYLOAD_TOO_LARGE, f"The body is longer than {most} bytes")
