from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Iterator
from typing import Any

import pytest

import polyvec

NEEDED = ("httpx", "orjson", "prometheus_client", "starlette", "threadpoolctl", "uvicorn")
missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
if missing:  # the extra `serve` is not part of every environment
    collect_ignore_glob = ["test_*.py"]


class Api:
    """The application without a socket: one request after the other."""

    def __init__(self, store_url: str = "memory://", **settings: Any) -> None:
        from polyvec.gateway.app import build
        from polyvec.gateway.settings import Settings

        self._runner = asyncio.Runner()
        self.store = polyvec.connect_async(store_url)
        self.app = build(self.store, Settings(**settings))

    def run(self, coroutine: Any) -> Any:
        """Run a coroutine in the application's loop."""
        return self._runner.run(coroutine)

    def send(self, method: str, path: str, **request: Any) -> Any:
        """Send a request and return httpx's response."""

        async def sending() -> Any:
            import httpx

            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
                return await client.request(method, path, **request)

        return self.run(sending())

    def ok(self, method: str, path: str, **request: Any) -> Any:
        """Send a request that succeeds, and return its JSON."""
        answer = self.send(method, path, **request)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def create(self, name: str = "docs", dimension: int = 2, metric: str = "cosine") -> str:
        """Create an index and return the path of its host."""
        body = {"name": name, "dimension": dimension, "metric": metric}
        host: str = self.ok("POST", "/indexes", json=body)["host"]
        return host.removeprefix("http://here")

    def close(self) -> None:
        """Close the store."""
        self.run(self.store.aclose())
        self._runner.close()


@pytest.fixture
def api() -> Iterator[Api]:
    """A gateway over an empty memory store."""
    made = Api()
    yield made
    made.close()
