"""Where a store is: a directory, a process's own memory, or a server."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import model_validator

from polyvec.config import StoreConfig
from polyvec.config_types import Flag, StorePath, Text
from polyvec.url import StoreUrl

IN_MEMORY = ":memory:"


def path_of(url: StoreUrl, *, what: str = "directory") -> str | None:
    """Return the local path of a URL without a host, None where it has none.

    Raises
    ------
    ConfigError
        There is a host, or `/` or `:memory:` in place of a path.
    """
    if url.hosts or url.user is not None:
        raise url.error(
            f"{url.scheme!r} takes a {what}, not a host; the path is absolute after "
            f"'{url.scheme}:///' and relative after '{url.scheme}:./'"
        )
    if url.path == f"/{IN_MEMORY}":
        raise url.error(f"{url.scheme!r} has no form {IN_MEMORY!r}; expected a {what}")
    if url.path == "/":
        raise url.error(f"expected a {what} after '{url.scheme}:///'")
    return url.path or None


def server_of(url: StoreUrl) -> dict[str, object]:
    """Return `host` and, where the URL has one, `port`.

    Raises
    ------
    ConfigError
        No host, or more than one.
    """
    if len(url.hosts) != 1 or not url.hosts[0][0]:
        found = "more than one host" if len(url.hosts) > 1 else "no host"
        raise url.error(f"{found}; expected '{url.scheme}://host' or '{url.scheme}://host:port'")
    ((host, port),) = url.hosts
    if host.startswith(("/", "@")):
        raise url.error("the host has characters that no host name has")
    return {"host": host} if port is None else {"host": host, "port": port}


def refuse_user(url: StoreUrl, *, instead: str) -> None:
    """Raise `ConfigError` when the URL has a user name or password."""
    if url.user is not None:
        raise url.error(f"{url.scheme!r} takes no user name or password before '@'; use {instead}")


def refuse_path(url: StoreUrl) -> None:
    """Raise `ConfigError` when the URL of a server has a path."""
    if url.path not in ("", "/"):
        raise url.error(f"{url.scheme!r} takes no path after the host")


class EmbeddedOrServer(StoreConfig, frozen=True):
    """A backend whose client also runs without a server: one of `dir`, `in_memory`, `host`.

    Parameters
    ----------
    dir
        Directory of an embedded database.
    in_memory
        An embedded database that ends with the store.
    host
        A server; the subclass adds its `port`.
    tls
        Whether the server is spoken to over TLS.
    """

    placed: ClassVar[frozenset[str]] = frozenset({"dir", "in_memory", "host", "port"})
    server_only: ClassVar[frozenset[str]] = frozenset({"port", "tls"})
    """Fields that mean nothing without `host`."""

    dir: StorePath | None = None
    in_memory: Flag = False
    host: Text | None = None
    tls: Flag = False

    @classmethod
    def place_of(cls, url: StoreUrl) -> dict[str, object]:
        if url.hosts:
            return server_of(url)
        if url.path == f"/{IN_MEMORY}":
            refuse_user(url, instead="a host")
            return {"in_memory": True}
        if (path := path_of(url)) is None:
            raise url.error(
                f"no place given; expected '{url.scheme}://host', '{url.scheme}:///directory' "
                f"or '{url.scheme}:///{IN_MEMORY}'"
            )
        return {"dir": path}

    @model_validator(mode="after")
    def _check_one_place(self) -> Self:
        given = [
            name
            for name, is_given in (
                ("dir", self.dir is not None),
                ("in_memory", self.in_memory),
                ("host", self.host is not None),
            )
            if is_given
        ]
        if len(given) != 1:
            found = " and ".join(given) or "none of them"
            raise ValueError(f"expected one of dir, in_memory and host, got {found}")
        if self.host is None and (wrong := sorted(self.server_only & self.model_fields_set)):
            raise ValueError(
                f"{', '.join(wrong)} only with a host; {given[0]} has no server to apply it to"
            )
        return self
