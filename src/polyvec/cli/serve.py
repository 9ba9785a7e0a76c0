"""The command that runs the gateway."""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

import typer
from pydantic import SecretStr

from polyvec.cli.arguments import StoreArgument

PORT: Final = 5080
KEY_VARIABLE: Final = "POLYVEC_GATEWAY_API_KEY"
NEEDED: Final = ("orjson", "prometheus_client", "starlette", "threadpoolctl", "uvicorn")

HostOption: TypeAlias = Annotated[str, typer.Option("--host", help="Address to listen at.")]
PortOption: TypeAlias = Annotated[
    int, typer.Option("--port", help="Port to listen at; 0 takes a free one.", min=0, max=65535)
]
KeyOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--api-key",
        envvar=KEY_VARIABLE,
        show_envvar=True,
        help="What clients must send as Api-Key; without it everybody is let in. The variable "
        "keeps it out of the list of processes.",
    ),
]
InsecureOption: TypeAlias = Annotated[
    bool, typer.Option("--insecure", help="Listen beyond this machine without a key.")
]
PublicUrlOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--public-url",
        help="How clients reach the gateway, where that is not how they address it.",
    ),
]
RequestSizeOption: TypeAlias = Annotated[
    float, typer.Option("--max-request-mb", help="Most MiB of vectors and metadata in an upsert.")
]
ConcurrencyOption: TypeAlias = Annotated[
    int, typer.Option("--max-concurrency", help="Requests at once; more are answered 429.")
]
TimeoutOption: TypeAlias = Annotated[
    float, typer.Option("--timeout-s", help="Seconds until a request is answered 504.")
]
GracefulOption: TypeAlias = Annotated[
    float, typer.Option("--graceful-s", help="Seconds for requests under way at the end.")
]
AccessLogOption: TypeAlias = Annotated[
    bool, typer.Option("--access-log/--no-access-log", help="A JSON line per request.")
]
DelayOption: TypeAlias = Annotated[
    float, typer.Option("--visibility-delay", hidden=True, help="Seconds until writes show.")
]


def serve(
    store: StoreArgument,
    host: HostOption = "127.0.0.1",
    port: PortOption = PORT,
    api_key: KeyOption = None,
    insecure: InsecureOption = False,
    public_url: PublicUrlOption = None,
    max_request_mb: RequestSizeOption = 2.0,
    max_concurrency: ConcurrencyOption = 256,
    timeout_s: TimeoutOption = 60.0,
    graceful_s: GracefulOption = 30.0,
    access_log: AccessLogOption = True,
    visibility_delay_s: DelayOption = 0.0,
) -> None:
    """Serve a store to clients of Pinecone."""
    import polyvec
    from polyvec.errors import MissingDependencyError

    try:
        from polyvec.gateway import server
        from polyvec.gateway.settings import MIB, Settings
    except ModuleNotFoundError as exc:
        missing = (exc.name or "").partition(".")[0]
        if missing not in NEEDED:
            raise
        raise MissingDependencyError(
            f"the gateway needs {missing}, which is not installed; "
            "run: pip install 'polyvec[serve]'"
        ) from None
    settings = Settings(
        host=host,
        port=port,
        api_key=None if api_key is None else SecretStr(api_key),
        insecure=insecure,
        public_url=public_url,
        max_request_bytes=round(max_request_mb * MIB),
        max_body_bytes=round(max(max_request_mb * 8, 1) * MIB),
        max_concurrency=max_concurrency,
        timeout_s=timeout_s,
        graceful_s=graceful_s,
        visibility_delay_s=visibility_delay_s,
    )
    server.run(polyvec.connect_async(store), settings, access_log=access_log)
