"""The application: routes, and what stands in front of them."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final, TypeAlias

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route

from polyvec.errors import PolyvecError, StoreError
from polyvec.gateway import control, data, namespaces
from polyvec.gateway.answers import JSON, dump, failure, success
from polyvec.gateway.auth import Auth
from polyvec.gateway.call import Call, Gateway
from polyvec.gateway.catalog import Catalog
from polyvec.gateway.errors import Code, Refusal, WrongDimension, from_polyvec
from polyvec.gateway.indexes import PREFIX, Indexes
from polyvec.gateway.limits import Limits
from polyvec.gateway.listing import Listings
from polyvec.gateway.log import Observed
from polyvec.gateway.metrics import MEDIA_TYPE, Metrics
from polyvec.gateway.openapi import describe
from polyvec.gateway.paths import is_data_plane

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from starlette.requests import Request

    from polyvec.gateway.call import Answer
    from polyvec.gateway.settings import Settings
    from polyvec.store_async import AsyncVectorStore

    Handler: TypeAlias = Callable[[Call], Awaitable[Answer]]

_log: Final = logging.getLogger("polyvec.gateway")

READY_WITHIN_S: Final = 5.0
CLIENT_GONE: Final = 499

_INDEX: Final = PREFIX + "{index}"

# Method, path, handler; the busiest first.
DATA: Final[tuple[tuple[str, str, Handler], ...]] = (
    ("POST", f"{_INDEX}/query", data.query),
    ("POST", f"{_INDEX}/vectors/upsert", data.upsert),
    ("GET", f"{_INDEX}/vectors/fetch", data.fetch),
    ("GET", f"{_INDEX}/vectors/list", data.list_ids),
    ("POST", f"{_INDEX}/vectors/update", data.update),
    ("POST", f"{_INDEX}/vectors/delete", data.delete),
    ("POST", f"{_INDEX}/vectors/fetch_by_metadata", data.fetch_by_metadata),
    ("POST", f"{_INDEX}/describe_index_stats", data.stats),
    ("GET", f"{_INDEX}/namespaces", namespaces.list_namespaces),
    ("POST", f"{_INDEX}/namespaces", namespaces.create_namespace),
)

# A namespace may hold a slash, which a server sees decoded: these come after every longer path.
NAMESPACE: Final[tuple[tuple[str, str, Handler], ...]] = (
    ("GET", _INDEX + "/namespaces/{namespace:path}", namespaces.describe_namespace),
    ("DELETE", _INDEX + "/namespaces/{namespace:path}", namespaces.delete_namespace),
)

CONTROL: Final[tuple[tuple[str, str, Handler], ...]] = (
    ("GET", "/indexes", control.list_indexes),
    ("POST", "/indexes", control.create_index),
    ("GET", "/indexes/{index}", control.describe_index),
    ("PATCH", "/indexes/{index}", control.configure_index),
    ("DELETE", "/indexes/{index}", control.delete_index),
)

# What Pinecone has and the gateway has not; any method.
ABSENT: Final = (
    _INDEX + "/namespaces/{namespace}/documents/{verb}",
    _INDEX + "/records/namespaces/{namespace}/{verb}",
    _INDEX + "/bulk/imports",
    _INDEX + "/bulk/imports/{id}",
    "/indexes/create-for-model",
    "/indexes/{index}/backups",
    "/indexes/{index}/backup-schedules",
    "/backups",
    "/backups/{rest:path}",
    "/restore-jobs",
    "/restore-jobs/{rest:path}",
    "/collections",
    "/collections/{rest:path}",
    "/embed",
    "/rerank",
    "/models",
    "/models/{rest:path}",
)
_ALL_METHODS: Final = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def build(store: AsyncVectorStore, settings: Settings) -> Starlette:
    """Return the gateway over a store, which it closes when it ends."""
    indexes = Indexes(store, settings.visibility_delay_s)
    gateway = Gateway(store, settings, Catalog(store), indexes, Listings())
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None]:
        yield
        await indexes.drain()
        await store.aclose()

    def routes(table: tuple[tuple[str, str, Handler], ...]) -> list[Route]:
        return [Route(p, _endpoint(gateway, handler), methods=[m]) for m, p, handler in table]

    absent = _endpoint(gateway, control.absent)
    app = Starlette(
        routes=[
            *_open_routes(gateway, metrics),
            *routes(DATA),
            *(Route(path, absent, methods=_ALL_METHODS) for path in ABSENT),
            *routes(NAMESPACE),
            *routes(CONTROL),
        ],
        middleware=[
            Middleware(Observed, metrics=metrics),
            Middleware(Auth, key=settings.api_key),
            Middleware(Limits, most=settings.max_concurrency),
        ],
        lifespan=lifespan,
        exception_handlers={404: _no_route, 405: _no_route},
    )
    app.state.gateway = gateway
    app.router.redirect_slashes = False  # a redirect is no answer of the contract
    return app


def _endpoint(gateway: Gateway, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Return a handler with its failures in the words of the contract."""
    operation = getattr(handler, "__name__", "none")

    async def endpoint(request: Request) -> Response:
        request.scope["polyvec.operation"] = operation
        try:
            async with asyncio.timeout(gateway.settings.timeout_s):
                return success(await _answer(handler, Call(gateway, request)))
        except Refusal as exc:
            refusal = exc
        except PolyvecError as exc:
            refusal = from_polyvec(exc)
            if isinstance(exc, StoreError) and not exc.retryable and "index" in request.path_params:
                # The collection may have been dropped or made anew by somebody else.
                with suppress(PolyvecError, Refusal):
                    await gateway.indexes.reopen(request.path_params["index"])
        except TimeoutError:
            seconds = gateway.settings.timeout_s
            message = f"The request took longer than {seconds:g} seconds"
            refusal = Refusal(Code.DEADLINE_EXCEEDED, message)
        except ClientDisconnect:
            return Response(status_code=CLIENT_GONE)
        except Exception:  # noqa: BLE001 - a bug too is answered in the contract's form
            request_id = request.scope.get("polyvec.request_id")
            _log.exception("request %s failed", request_id)
            refusal = Refusal(Code.INTERNAL, f"Internal error; request id {request_id}")
        return failure(refusal, data_plane=is_data_plane(request.url.path))

    return endpoint


async def _answer(handler: Handler, call: Call) -> Answer:
    try:
        return await handler(call)
    except WrongDimension:
        known = await call.index()
        # Somebody else may have made the collection anew, with another dimension.
        if await call.gateway.indexes.reopen(call.name) is known:
            raise
        return await handler(call)


async def _no_route(request: Request, exc: Exception) -> Response:
    code = Code.METHOD_NOT_ALLOWED if getattr(exc, "status_code", 404) == 405 else Code.NOT_FOUND
    path = request.scope["path"]
    refusal = Refusal(code, f"{request.method} {path[:80]} is no call of the contract")
    return failure(refusal, data_plane=is_data_plane(path))


def _open_routes(gateway: Gateway, metrics: Metrics) -> list[Route]:
    """Return the routes that need no key."""
    description = dump(describe(gateway.settings))

    async def healthz(_: Request) -> Response:
        return Response(b'{"status":"ok"}', media_type=JSON)

    async def readyz(_: Request) -> Response:
        try:
            await gateway.store.ping(timeout_s=READY_WITHIN_S)
        except PolyvecError as exc:
            _log.warning("not ready: %s", exc)
            return Response(b'{"status":"the store does not answer"}', 503, media_type=JSON)
        return Response(b'{"status":"ok"}', media_type=JSON)

    async def show_metrics(_: Request) -> Response:
        return Response(metrics.expose(), media_type=MEDIA_TYPE)

    async def openapi(_: Request) -> Response:
        return Response(description, media_type=JSON)

    return [
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", show_metrics),
        Route("/openapi.json", openapi),
    ]
