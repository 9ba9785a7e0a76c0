"""The configuration of a Weaviate store."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from polyvec.config import StoreConfig, secret_from_environment
from polyvec.config_types import Flag, Port, Secret, Text
from polyvec.places import refuse_path, refuse_user, server_of

if TYPE_CHECKING:
    from pydantic import SecretStr

    from polyvec.url import StoreUrl


def _key() -> SecretStr | None:
    return secret_from_environment("WEAVIATE_API_KEY")


class WeaviateConfig(StoreConfig, frozen=True):
    """`weaviate://host:8080?grpc_port=50051`. Weaviate needs both of its ports.

    Parameters
    ----------
    host, port
        The REST interface.
    grpc_host, grpc_port
        The gRPC interface; `grpc_host` None: the same host.
    tls
        Whether both are spoken to over TLS.
    api_key
        `WEAVIATE_API_KEY` unless given.
    """

    placed: ClassVar[frozenset[str]] = frozenset({"host", "port"})

    backend: Literal["weaviate"] = "weaviate"
    host: Text
    port: Port = 8080
    grpc_host: Text | None = None
    grpc_port: Port = 50051
    tls: Flag = False
    api_key: Secret | None = Field(default_factory=_key)

    @classmethod
    def place_of(cls, url: StoreUrl) -> dict[str, object]:
        refuse_user(url, instead="?api_key=")
        refuse_path(url)
        return server_of(url)

    @model_validator(mode="after")
    def _check_ports(self) -> Self:
        # The client refuses it too, but only when it connects.
        if self.port == self.grpc_port and self.grpc_host in (None, self.host):
            raise ValueError(
                f"port and grpc_port are both {self.port} on one host; give each its own"
            )
        return self
