"""The configuration of a Milvus store."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, SecretStr, model_validator

from polyvec.config import StoreConfig, secret_from_environment
from polyvec.config_types import Flag, Port, Secret, StorePath, Text
from polyvec.places import path_of, server_of

if TYPE_CHECKING:
    from polyvec.url import StoreUrl


def _token() -> SecretStr | None:
    return secret_from_environment("MILVUS_TOKEN")


class MilvusConfig(StoreConfig, frozen=True):
    """`milvus://host:19530/database`, or `milvus:///file.db` without a server.

    Parameters
    ----------
    file
        An embedded database; its name ends in `.db`.
    host, port
        A server.
    database
        The path of the URL; None: the server's default database.
    user, password
        Of the server; before the `@` of the URL.
    token
        In place of user and password; `MILVUS_TOKEN` unless one of the three is given.
    tls
        Whether the server is spoken to over TLS.
    default_index
        Of collections created without `index=`: `"flat"` compares with every vector; `"auto"` is
        the server's choice (AUTOINDEX; the only one on Zilliz Cloud), and approximate.
    """

    placed: ClassVar[frozenset[str]] = frozenset(
        {"file", "host", "port", "database", "user", "password"}
    )

    backend: Literal["milvus"] = "milvus"
    file: StorePath | None = None
    host: Text | None = None
    port: Port = 19530
    database: Text | None = None
    user: Text | None = None
    password: SecretStr | None = None
    token: Secret | None = Field(default_factory=_token)
    tls: Flag = False
    default_index: Literal["flat", "auto"] = "flat"

    @classmethod
    def place_of(cls, url: StoreUrl) -> dict[str, object]:
        if not url.hosts:
            if (path := path_of(url, what="file")) is None:
                raise url.error("no place given; expected 'milvus://host' or 'milvus:///file.db'")
            return {"file": path}
        place = server_of(url)
        if (database := url.path.removeprefix("/").removesuffix("/")) != "":
            if "/" in database:
                raise url.error("the path after the host is one name, that of a database")
            place["database"] = database
        if url.user is not None:
            place |= {"user": url.user, "password": url.password}
        return place

    @model_validator(mode="after")
    def _check_place(self) -> Self:
        if (self.file is None) == (self.host is None):
            found = "none of them" if self.file is None else "both"
            raise ValueError(f"expected one of file and host, got {found}")
        of_servers = {"port", "database", "user", "password", "token", "tls", "default_index"}
        given = self.model_fields_set & of_servers
        if self.file is not None and given:
            raise ValueError(f"{', '.join(sorted(given))} only with a host; a file has no server")
        # The client takes any other name for the address of a server.
        if self.file is not None and self.file.suffix != ".db":
            raise ValueError(f"file {self.file.name!r}: the name of the file must end in '.db'")
        return self

    @model_validator(mode="after")
    def _check_user(self) -> Self:
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password go together, one of them is missing")
        if self.user is not None and self.token is not None and "token" in self.model_fields_set:
            raise ValueError("user and token are both given; leave one out")
        return self
