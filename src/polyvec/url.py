"""Store URLs: their parts, and how one is shown without its secrets.

`scheme://[user[:password]@]host[:port][/path][?options]`, `scheme:///absolute/path[?options]`
and `scheme:./relative/path[?options]`. Every part may be percent-encoded, and reserved
characters in it must be. What the parts mean is the business of each backend's configuration.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Final
from urllib.parse import unquote

from polyvec.errors import ConfigError
from polyvec.options import MASK, show_name

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_RELATIVE: Final = re.compile(r"\.{1,2}(/|$)")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_HOST: Final = re.compile(r"[\w.-]+")
_PORT: Final = re.compile(r"[0-9]{1,5}")

# What may be shown: hosts with numeric ports, and options that are never secret. The lists
# say what is shown, not what is hidden, so that a misspelt `api_key` is hidden too.
_SHOWN_HOSTS: Final = re.compile(r"(?:(\[[0-9A-Fa-f:.%]+\]|[\w.%-]*)(:[0-9]{1,5})?(,|$))+")
_SHOWN_OPTION: Final = re.compile(
    r"(tls|grpc|grpc_port|grpc_host|cloud|region|schema|tenant|database|sslmode|timeout_s"
    r"|max_concurrency|max_attempts|max_metadata_bytes|native\.[^=]*)=[^@]*"
)


@dataclass(frozen=True, slots=True, repr=False)
class StoreUrl:
    """A URL in parts, percent-decoded. Its `repr` and `str` hide every secret.

    Parameters
    ----------
    scheme
        In lower case.
    user, password
        None where the URL has none; an empty text is kept.
    hosts
        Host (without brackets) and port; more than one where commas separate them, none
        for an empty authority. Ports are 1..65535.
    path
        `""`, or with its leading `/`, `./` or `../`.
    options
        Name and value in their order, each name once.
    masked
        The URL as it may be shown.
    """

    scheme: str
    user: str | None
    password: str | None
    hosts: tuple[tuple[str, int | None], ...]
    path: str
    options: tuple[tuple[str, str], ...]
    masked: str

    def __repr__(self) -> str:
        return f"StoreUrl({self.masked!r})"

    @classmethod
    def parse(cls, text: str) -> StoreUrl:
        """Split a URL.

        Raises
        ------
        ConfigError
            The text is no store URL; the message says where, without secrets.
        """
        masked = mask_url(text)
        try:
            return _parse(text, masked)
        except _BadUrl as exc:
            problem = str(exc)
        # Raised here, so that no exception with more of the URL hangs on it.
        raise ConfigError(f"bad URL {masked!r}: {problem}")

    def error(self, problem: str) -> ConfigError:
        """Return the error for a part that the backend cannot use."""
        return ConfigError(f"bad URL {self.masked!r}: {problem}")


def looks_like_url(text: str) -> bool:
    """Return whether a target is meant as a URL; names of profiles have no colon."""
    return ":" in text


def mask_url(text: str) -> str:
    """Return a URL as it may be shown; never raises.

    The password, and the value of every option that could be secret, become `***`. A text
    whose parts cannot be told apart for sure, such as a password with a bare `/`, is hidden
    from the `://` on.
    """
    scheme, colon, rest = text.partition(":")
    if not colon or not _SCHEME.fullmatch(scheme) or _CONTROL.search(text):
        return MASK
    before, mark, query = rest.partition("?")
    hidden = f"{scheme}://{MASK}"
    if "#" in rest:
        return hidden
    if before.startswith("//"):
        authority, slash, path = before[2:].partition("/")
        userinfo, at, hosts = authority.rpartition("@")
        if "@" in userinfo or not _SHOWN_HOSTS.fullmatch(hosts):
            return hidden
        if authority and ("@" in path or "@" in query):
            return hidden
        user, has_password, _ = userinfo.partition(":")
        shown = f"{user}:{MASK}" if has_password else MASK
        before = f"//{shown if at else ''}{at}{hosts}{slash}{path}"
    elif not _RELATIVE.match(before):
        return hidden
    return f"{scheme}:{before}{mark}{'&'.join(map(_mask_option, query.split('&')))}"


def _mask_option(option: str) -> str:
    if not option or _SHOWN_OPTION.fullmatch(option):
        return option
    name, equals, _ = option.partition("=")
    return f"{show_name(name)}={MASK}" if equals else MASK


class _BadUrl(Exception):  # noqa: N818  # never leaves this module
    """What is wrong, without the URL and without a secret."""


def _parse(text: str, masked: str) -> StoreUrl:
    scheme, colon, rest = text.partition(":")
    if not colon or not _SCHEME.fullmatch(scheme):
        raise _BadUrl("expected 'scheme://…'")
    if _CONTROL.search(text):
        raise _BadUrl("it holds a control character or a lone surrogate; percent-encode it")
    if "#" in rest:
        raise _BadUrl("'#' has no meaning here; write '%23' where it is part of a value")
    before, _, query = rest.partition("?")
    user = password = None
    hosts: tuple[tuple[str, int | None], ...] = ()
    if before.startswith("//"):
        authority, slash, path = before[2:].partition("/")
        path = slash + path
        user, password, hosts = _split_authority(authority)
        if authority and "@" in path:
            raise _BadUrl(
                "'@' after the host: write '%40' for it in a path; in a password, "
                "write '%2F' for '/' and '%3F' for '?'"
            )
    elif _RELATIVE.match(before):
        path = before
    else:
        raise _BadUrl(
            f"expected '{scheme}://host', '{scheme}:///absolute/path' or '{scheme}:./relative/path'"
        )
    path = _decode(path, "the path")
    options = _split_options(query)
    return StoreUrl(scheme.lower(), user, password, hosts, path, options, masked)


def _split_authority(
    authority: str,
) -> tuple[str | None, str | None, tuple[tuple[str, int | None], ...]]:
    user = password = None
    userinfo, at, places = authority.rpartition("@")
    if "@" in userinfo:
        raise _BadUrl("more than one '@'; write '%40' for it in a user name or a password")
    if at:
        user, colon, password_text = userinfo.partition(":")
        user = _decode(user, "the user name")
        password = _decode(password_text, "the password") if colon else None
    if not places:
        return user, password, ()
    return user, password, tuple(_split_host(place) for place in places.split(","))


def _split_host(place: str) -> tuple[str, int | None]:
    if place.startswith("["):
        host, bracket, after = place[1:].partition("]")
        if not bracket or (after and not after.startswith(":")):
            raise _BadUrl("an IPv6 host has the form '[::1]' or '[::1]:8080'")
        host = _decode(host, "the host")
        if not _is_ipv6(host):
            raise _BadUrl("the host in brackets is not an IPv6 address")
        colon, port = after[:1], after[1:]
    else:
        host, colon, port = place.partition(":")
        if ":" in port:
            raise _BadUrl("more than one ':' in the host; an IPv6 address stands in brackets")
        host = _decode(host, "the host")
        # A socket directory of PostgreSQL is a host that begins with a slash.
        if host and not host.startswith(("/", "@")) and not _HOST.fullmatch(host):
            raise _BadUrl("the host has characters that no host name has")
    return host, _read_port(port) if colon else None


def _is_ipv6(host: str) -> bool:
    try:
        IPv6Address(host)
    except ValueError:
        return False
    return True


def _read_port(text: str) -> int:
    # The text is not shown: it may be a password whose '@host' was forgotten.
    if not _PORT.fullmatch(text) or not 1 <= int(text) <= 65_535:
        raise _BadUrl("the port, after the ':' of the host, is not a number from 1 to 65535")
    return int(text)


def _split_options(query: str) -> tuple[tuple[str, str], ...]:
    if not query:
        return ()
    options: dict[str, str] = {}
    for number, option in enumerate(query.split("&"), start=1):
        name, equals, value = option.partition("=")
        if not equals or not name:
            raise _BadUrl(f"option number {number} is not of the form 'name=value'")
        name = _decode(name, f"the name of option number {number}")
        shown = show_name(name)
        if name in options:
            raise _BadUrl(f"option {shown!r} is given twice")
        options[name] = _decode(value, f"the value of option {shown!r}")
    return tuple(options.items())


def _decode(text: str, where: str) -> str:
    if _PERCENT.search(text):
        raise _BadUrl(f"{where} has a '%' without two hex digits; write '%25' for a bare one")
    try:
        decoded = unquote(text, errors="strict")
    except UnicodeDecodeError:
        decoded = "\0"
    if "\0" in decoded:
        raise _BadUrl(f"{where} is not UTF-8 without NUL once it is decoded")
    return decoded
