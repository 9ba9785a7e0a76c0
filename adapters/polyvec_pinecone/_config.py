"""The configuration of a Pinecone store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal

from pydantic import Field, field_validator

from polyvec.config import StoreConfig, secret_from_environment
from polyvec.config_types import Flag, Port, Secret, Text
from polyvec.errors import ConfigError
from polyvec.places import refuse_path, refuse_user, server_of

if TYPE_CHECKING:
    from pydantic import SecretStr

    from polyvec.url import StoreUrl

MOST_TAGS: Final = 17
RESERVED_TAG: Final = "polyvec"


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
    tags
        Of new indexes: `key=value`, several with commas between them. At most 17: Pinecone has
        room for 20, and three are polyvec's.
    deletion_protection
        Whether new indexes refuse to be dropped until somebody takes the protection off.
    ready_timeout_s
        Seconds that a new index may take to become ready, above 0.
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
    tags: Text | None = None
    deletion_protection: Flag = False
    ready_timeout_s: Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)] = 300.0

    @field_validator("tags")
    @classmethod
    def _check_tags(cls, tags: str | None) -> str | None:
        _read_tags(tags)
        return tags

    def tags_by_key(self) -> dict[str, str]:
        """Return the tags of new indexes."""
        return _read_tags(self.tags)

    def address(self) -> str | None:
        """Return the address of the control plane, None for Pinecone's own."""
        if self.host is None:
            return None
        name = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port is None else f":{self.port}"
        return f"{'https' if self.tls else 'http'}://{name}{port}"

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


def _read_tags(text: str | None) -> dict[str, str]:
    """Return tags by their keys.

    Raises
    ------
    ValueError
        A tag without `=`, a key twice, too many, or one of polyvec's.
    """
    tags: dict[str, str] = {}
    for part in [] if text is None else text.split(","):
        key, equals, value = part.partition("=")
        if not equals or not key or not value:
            raise ValueError(f"tag {part!r}: expected key=value")
        if key in tags:
            raise ValueError(f"tag {key!r} is given twice")
        if key.startswith(RESERVED_TAG):
            raise ValueError(f"tag {key!r}: those that start with {RESERVED_TAG!r} are reserved")
        tags[key] = value
    if len(tags) > MOST_TAGS:
        raise ValueError(f"{len(tags)} tags; expected at most {MOST_TAGS}")
    return tags
