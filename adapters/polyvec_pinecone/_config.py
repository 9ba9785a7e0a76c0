"""The configuration of a Pinecone store."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from polyvec.config import StoreConfig, secret_from_environment
from polyvec.config_types import Flag, Port, Secret, Text
from polyvec.errors import ConfigError
from polyvec.places import refuse_path, refuse_user, server_of

if TYPE_CHECKING:
    from pydantic import SecretStr

    from polyvec.url import StoreUrl


def _key() -> SecretStr | None:
    return secret_from_environment("PINECONE_API_KEY")


class PineconeConfig(StoreConfig, frozen=True):
    """`pinecone://?cloud=aws&region=us-east-1`, or `pinecone://host:port` for another server.

    Parameters
    ----------
    api_key
        `PINECONE_API_KEY` unless given. Pinecone itself needs one; without a key, a server
        given by `host` must do without.
    cloud, region
        Where new indexes are created.
    host, port
        The control plane; None: Pinecone's own. `port` None: the default of the protocol.
    tls
        Whether `host` is spoken to over TLS.
    grpc
        Whether data goes over gRPC; the synchronous client only.
    """

    placed: ClassVar[frozenset[str]] = frozenset({"host", "port"})

    backend: Literal["pinecone"] = "pinecone"
    api_key: Secret | None = Field(default_factory=_key)
    cloud: Text = "aws"
    region: Text = "us-east-1"
    host: Text | None = None
    port: Port | None = None
    tls: Flag = True
    grpc: Flag = False

    @classmethod
    def place_of(cls, url: StoreUrl) -> dict[str, object]:
        refuse_user(url, instead="?api_key=")
        refuse_path(url)
        return server_of(url) if url.hosts else {}

    def check_complete(self) -> None:
        """Raise `ConfigError` when Pinecone itself is meant and there is no key."""
        if self.host is None and self.api_key is None:
            raise ConfigError(
                "pinecone needs an API key; set PINECONE_API_KEY, or give the option api_key"
            )
