"""`python -m tests.services.qdrant_engine FOLDER PORT GRPC_PORT`: serve until killed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import uvicorn
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from tests.services.qdrant_engine import handlers
from tests.services.qdrant_engine.database import Database, Refused
from tests.services.qdrant_engine.grpc_layer import serve
from tests.services.qdrant_engine.handlers import Handler

VERSION: Final = "1.20.0"
"""Of the server whose conditions the engine's are like; the tests know versions apart."""
MOST_BYTES: Final = 33_554_432

ROUTES: Final[tuple[tuple[str, str, Handler], ...]] = (
    ("GET", "/collections", handlers.collections),
    ("GET", "/aliases", handlers.aliases),
    ("POST", "/collections/aliases", handlers.change_aliases),
    ("GET", "/collections/{name}", handlers.collection),
    ("PUT", "/collections/{name}", handlers.create),
    ("DELETE", "/collections/{name}", handlers.drop),
    ("PUT", "/collections/{name}/index", handlers.index),
    ("POST", "/collections/{name}/facet", handlers.facet),
    ("PUT", "/collections/{name}/points", handlers.upsert),
    ("POST", "/collections/{name}/points", handlers.retrieve),
    ("POST", "/collections/{name}/points/delete", handlers.delete),
    ("POST", "/collections/{name}/points/payload", handlers.set_payload),
    ("POST", "/collections/{name}/points/scroll", handlers.scroll),
    ("POST", "/collections/{name}/points/query/batch", handlers.query),
    ("POST", "/collections/{name}/points/count", handlers.count),
)


def answer(status: int, told: dict[str, Any]) -> Response:
    """Return an answer in the form of a server."""
    content = json.dumps({**told, "time": 0.001}, allow_nan=False).encode()
    return Response(content, status, media_type="application/json")


def endpoint(db: Database, handler: Handler) -> Callable[[Request], Any]:
    """Return a handler with its failures as a server tells them."""

    def handled(at: dict[str, str], raw: bytes) -> Response:
        if len(raw) > MOST_BYTES:
            text = f"Payload error: JSON payload ({len(raw)} bytes) is larger than allowed"
            return answer(400, {"status": {"error": text}})
        try:
            result = handler(db, at, json.loads(raw) if raw else None)
        except Refused as refused:
            return answer(refused.status, {"status": {"error": str(refused)}})
        except ValidationError as wrong:
            return answer(422, {"status": {"error": f"Validation error: {wrong}"}})
        except Exception as wrong:  # noqa: BLE001 - the engine has one class for all it refuses
            return answer(400, {"status": {"error": f"Wrong input: {wrong}"}})
        return answer(200, {"result": result, "status": "ok"})

    async def call(request: Request) -> Response:
        return await run_in_threadpool(handled, request.path_params, await request.body())

    return call


def main() -> None:
    """Serve."""
    folder, port, grpc_port = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    db = Database(folder)
    kept = serve(db, f"127.0.0.1:{grpc_port}")
    told = json.dumps({"title": "qdrant engine under test", "version": VERSION})
    routes = [Route(path, endpoint(db, handler), methods=[verb]) for verb, path, handler in ROUTES]

    async def root(_: Request) -> Response:
        return Response(told, media_type="application/json")

    app = Starlette(routes=[Route("/", root), *routes])
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False)
    kept.stop(None)


if __name__ == "__main__":
    main()
