"""The configuration of a Qdrant store."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from polyvec.config import secret_from_environment
from polyvec.config_types import Flag, Port, Secret, Text
from polyvec.places import EmbeddedOrServer, refuse_user

if TYPE_CHECKING:
    from pydantic import SecretStr

    from polyvec.url import StoreUrl


def _key() -> SecretStr | None:
    return secret_from_environment("QDRANT_API_KEY")


class QdrantConfig(EmbeddedOrServer, frozen=True):
    """`qdrant://host:6333`, `qdrant:///dir` or `qdrant:///:memory:`.

    Parameters
    ----------
    port
        Port of the REST interface.
    grpc_port
        Port of the gRPC interface, usually 6334. None: everything goes over REST.
    api_key
        `QDRANT_API_KEY` unless given. Of use to a server only.
    prefix
        Path before every REST path, for a server behind a proxy; the path of the URL.
    on_disk
        New collections keep vectors and payloads on the disk of the server.
    quantization
        New collections search by `"int8"` or `"binary"` vectors; scores are those of the full ones.
    """

    placed: ClassVar[frozenset[str]] = EmbeddedOrServer.placed | {"prefix"}
    server_only: ClassVar[frozenset[str]] = frozenset(
        {"port", "tls", "grpc_port", "api_key", "prefix", "on_disk", "quantization"}
    )

    backend: Literal["qdrant"] = "qdrant"
    port: Port = 6333
    grpc_port: Port | None = None
    api_key: Secret | None = Field(default_factory=_key)
    prefix: Text | None = None
    on_disk: Flag = False
    quantization: Literal["int8", "binary"] | None = None

    @classmethod
    def place_of(cls, url: StoreUrl) -> dict[str, object]:
        refuse_user(url, instead="?api_key=")
        prefix = url.path.strip("/")
        return super().place_of(url) | ({"prefix": prefix} if url.hosts and prefix else {})
