"""How a gateway is set up."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from polyvec.errors import ConfigError

MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one gateway.

    Parameters
    ----------
    host, port
        Where it listens.
    api_key
        What clients must send as `Api-Key`; None lets everybody in.
    insecure
        Listen beyond loopback without a key.
    public_url
        How clients reach the gateway, for the hosts of its indexes; None takes it from the
        `Host` header of each request.
    max_request_bytes
        Most bytes of vectors (4 for a number) and metadata (compact JSON) in one upsert.
    max_body_bytes
        Longest request body.
    max_concurrency
        Requests under way at once; more are answered with 429.
    timeout_s
        Seconds until a request is answered with 504.
    graceful_s
        Seconds that requests under way get when the gateway is asked to stop.
    visibility_delay_s
        For tests: seconds until a write can be read.
    """

    host: str = "127.0.0.1"
    port: int = 5080
    api_key: SecretStr | None = None
    insecure: bool = False
    public_url: str | None = None
    max_request_bytes: int = 2 * MIB
    max_body_bytes: int = 16 * MIB
    max_concurrency: int = 256
    timeout_s: float = 60.0
    graceful_s: float = 30.0
    visibility_delay_s: float = 0.0

    def __post_init__(self) -> None:
        if self.api_key is not None:
            _check_key(self.api_key.get_secret_value())
        if self.public_url is not None:
            _check_url(self.public_url)
        for name in ("max_request_bytes", "max_body_bytes", "max_concurrency", "timeout_s"):
            value = getattr(self, name)
            if not value > 0:
                raise ConfigError(f"{name}={value!r}: expected a number above 0")
        if self.visibility_delay_s < 0:
            raise ConfigError(f"visibility_delay_s={self.visibility_delay_s!r}: expected 0 or more")

    def check_exposure(self) -> None:
        """Refuse to listen to a network without a key.

        Raises
        ------
        ConfigError
            The host is not loopback, there is no key, and `insecure` was not asked for.
        """
        if self.api_key is None and not self.insecure and not is_loopback(self.host):
            raise ConfigError(
                f"host {self.host!r} is reachable from other machines and no API key is set; set "
                "POLYVEC_GATEWAY_API_KEY (or --api-key), or pass --insecure to let everybody in"
            )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address; a name other than localhost may not."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_key(key: str) -> None:
    # What a header can carry in every client.
    if not key or not key.isascii() or not key.isprintable() or key != key.strip():
        raise ConfigError(
            "the API key is empty or holds more than printable ASCII; give another, or none at all"
        )


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        raise ConfigError(
            f"public_url={url!r}: expected http:// or https://, a host, and a path or nothing"
        )
