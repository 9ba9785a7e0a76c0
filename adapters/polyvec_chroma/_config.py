"""The configuration of a Chroma store."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, SecretStr, model_validator

from polyvec.config import secret_from_environment
from polyvec.config_types import Port, Secret, Text
from polyvec.places import EmbeddedOrServer, refuse_path

if TYPE_CHECKING:
    from polyvec.url import StoreUrl


def _key() -> SecretStr | None:
    return secret_from_environment("CHROMA_API_KEY")


class ChromaConfig(EmbeddedOrServer, frozen=True):
    """`chroma://host:8000`, `chroma:///dir` or `chroma:///:memory:`.

    Parameters
    ----------
    port
        Port of the server.
    api_key
        Sent in the header `x-chroma-token`; `CHROMA_API_KEY` unless given. Of use to a
        server only.
    user, password
        Basic authentication of a proxy before the server.
    tenant, database
        None: the server's own default of each.
    """

    placed: ClassVar[frozenset[str]] = EmbeddedOrServer.placed | {"user", "password"}
    server_only: ClassVar[frozenset[str]] = frozenset(
        {"port", "tls", "api_key", "user", "password"}
    )

    backend: Literal["chroma"] = "chroma"
    port: Port = 8000
    api_key: Secret | None = Field(default_factory=_key)
    user: Text | None = None
    password: SecretStr | None = None
    tenant: Text | None = None
    database: Text | None = None

    @classmethod
    def place_of(cls, url: StoreUrl) -> dict[str, object]:
        place = super().place_of(url)
        if url.hosts:
            refuse_path(url)
        if url.user is not None:
            place |= {"user": url.user, "password": url.password}
        return place

    @model_validator(mode="after")
    def _check_user(self) -> Self:
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password go together, one of them is missing")
        return self
