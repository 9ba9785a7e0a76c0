"""The configuration of a PostgreSQL store with the extension pgvector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal, cast

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from polyvec.config import StoreConfig
from polyvec.config_types import Flag, Text
from polyvec.options import did_you_mean, show_name

if TYPE_CHECKING:
    from polyvec.url import StoreUrl

# Keywords of libpq 18; https://www.postgresql.org/docs/18/libpq-connect.html#LIBPQ-PARAMKEYWORDS
_OWN_FIELDS: Final = ("host", "port", "dbname", "user", "password")
_PARAMETERS: Final = frozenset(
    {
        "application_name",
        "channel_binding",
        "client_encoding",
        "connect_timeout",
        "fallback_application_name",
        "gssdelegation",
        "gssencmode",
        "gsslib",
        "hostaddr",
        "keepalives",
        "keepalives_count",
        "keepalives_idle",
        "keepalives_interval",
        "krbsrvname",
        "load_balance_hosts",
        "max_protocol_version",
        "min_protocol_version",
        "oauth_client_id",
        "oauth_client_secret",
        "oauth_issuer",
        "oauth_scope",
        "options",
        "passfile",
        "replication",
        "require_auth",
        "requirepeer",
        "scram_client_key",
        "scram_server_key",
        "service",
        "servicefile",
        "ssl_max_protocol_version",
        "ssl_min_protocol_version",
        "sslcert",
        "sslcertmode",
        "sslcompression",
        "sslcrl",
        "sslcrldir",
        "sslkey",
        "sslkeylogfile",
        "sslmode",
        "sslnegotiation",
        "sslpassword",
        "sslrootcert",
        "sslsni",
        "target_session_attrs",
        "tcp_user_timeout",
    }
)


def _port_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _check_ports(text: str) -> str:
    # One port, or one for each host; an empty item is libpq's default.
    for port in text.split(","):
        if port and not (port.isascii() and port.isdigit() and 1 <= int(port[:6]) <= 65_535):
            raise ValueError("expected a port from 1 to 65535, or several with commas")
    return text


def _check_parameters(parameters: dict[str, SecretStr]) -> dict[str, SecretStr]:
    for name in parameters:
        if name not in _PARAMETERS:
            known = sorted(_PARAMETERS)
            raise ValueError(
                f"libpq has no parameter {show_name(name)!r}{did_you_mean(name, known)}; "
                f"known: {', '.join(known)}"
            )
    return parameters


class PgvectorConfig(StoreConfig, frozen=True):
    """`postgresql://user:password@host:5432/database?schema=…`, with every libpq parameter.

    What is left out, libpq takes from its own environment variables, its service file and
    its password file.

    Parameters
    ----------
    host, port, dbname, user, password
        As in libpq: several hosts and their ports with commas between them; a host that
        begins with `/` is the directory of a Unix-domain socket.
    schema_name
        Schema of the tables; `schema` in URLs, profiles and as an argument.
    parameters
        Other libpq parameters, for example `sslmode`. Their values are never shown, because
        some of them are secrets.
    transaction_pooling
        True behind PgBouncer in transaction mode: no prepared statements, and settings only
        inside the transaction of a search, which costs two more round trips.
    halfvec
        New collections get a vector index over half precision: half the memory, and up to
        4,000 dimensions. Hits are ranked again by the full vectors.
    defer_index
        New collections get no vector index, for a bulk load; searches are exact until
        `polyvec_pgvector.maintenance.build_index` has built it.
    """

    placed: ClassVar[frozenset[str]] = frozenset({"parameters"})

    backend: Literal["pgvector"] = "pgvector"
    host: Text | None = None
    port: Annotated[Text, BeforeValidator(_port_text), AfterValidator(_check_ports)] | None = None
    dbname: Text | None = None
    user: Text | None = None
    password: SecretStr | None = None
    schema_name: Text = Field(default="public", alias="schema")
    parameters: Annotated[dict[str, SecretStr], AfterValidator(_check_parameters)] = Field(
        default_factory=dict[str, SecretStr]
    )
    transaction_pooling: Flag = False
    halfvec: Flag = False
    defer_index: Flag = False

    @classmethod
    def place_of(cls, url: StoreUrl) -> dict[str, object]:
        if url.path.startswith("."):
            raise url.error("PostgreSQL has no form without a server")
        # As in libpq, an empty part is the same as none.
        parts = {
            "host": ",".join(host for host, _ in url.hosts),
            "port": _ports(url),
            "dbname": url.path.removeprefix("/"),
            "user": url.user,
            "password": url.password,
        }
        return {name: part for name, part in parts.items() if part}

    @classmethod
    def option_fields(cls) -> dict[str, Any]:
        return super().option_fields() | dict.fromkeys(_PARAMETERS, SecretStr)

    @model_validator(mode="before")
    @classmethod
    def _gather_parameters(cls, values: object) -> object:
        """Let libpq parameters stand beside our fields, as they do in a URL."""
        if not isinstance(values, Mapping):
            return values
        fields = dict(cast("Mapping[str, object]", values))
        given = {name: fields.pop(name) for name in _PARAMETERS & fields.keys()}
        parameters = fields.get("parameters", {})
        if given and isinstance(parameters, Mapping):
            fields["parameters"] = {**parameters, **given}
        return fields

    def libpq_parameters(self) -> dict[str, str]:
        """Return the arguments for `psycopg.connect(**...)`, secrets in the clear."""
        own = {name: getattr(self, name) for name in _OWN_FIELDS}
        return {
            name: value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            for name, value in {**own, **self.parameters}.items()
            if value is not None
        }


def _ports(url: StoreUrl) -> str:
    ports = ["" if port is None else str(port) for _, port in url.hosts]
    return ",".join(ports) if any(ports) else ""
