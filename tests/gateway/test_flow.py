"""The tutorial flow, by both official clients, over several stores, with equal results."""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest
from tests.gateway import flow
from tests.services import server
from tests.services.pinecone import Gateway

from polyvec.config import resolve
from polyvec.errors import MissingDependencyError, NotSupportedError
from polyvec.registry import open_adapter

JS_CLIENT: Final = "@pinecone-database/pinecone"
JS_VERSION: Final = "9.0.0"
INSTALLED_WITHIN_S: Final = 240
FLOW_WITHIN_S: Final = 240

EXPECTED_INDEX: Final = [flow.DIMENSION, "cosine", True]


def store_url(kind: str) -> str:
    """Return the URL of a store, or skip."""
    if kind == "pgvector":
        return server(kind).url
    url = {"memory": "memory://", "qdrant": "qdrant:///:memory:"}[kind]
    try:
        open_adapter(resolve(url)).close()
    except (NotSupportedError, MissingDependencyError) as exc:
        pytest.skip(str(exc))
    return url


@pytest.fixture(scope="module", params=["memory", "pgvector", "qdrant"])
def gateway(request: pytest.FixtureRequest) -> Iterator[Gateway]:
    running = Gateway(store_url(request.param))
    yield running
    running.stop()


@functools.cache
def of_memory() -> dict[str, Any]:
    """Return what the Python client sees over the reference store."""
    if importlib.util.find_spec("pinecone") is None:
        pytest.skip("the client is not installed; run: pip install pinecone")
    running = Gateway()
    try:
        return flow.run(running.base, "tutorial")
    finally:
        running.stop()


@functools.cache
def js_folder() -> Path:
    """Return a folder where the JavaScript client is installed, outside the checkout; or skip."""
    npm = shutil.which("npm")
    if shutil.which("node") is None or npm is None:
        pytest.skip("node and npm are not installed")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "polyvec" / "npm" / f"pinecone-{JS_VERSION}"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Made beside it and moved, so that no worker sees half of it.
        with tempfile.TemporaryDirectory(dir=folder.parent) as made:
            command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]
            command += [made, f"{JS_CLIENT}@{JS_VERSION}"]
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                check=False,
                timeout=INSTALLED_WITHIN_S,
            )
            if done.returncode:
                pytest.skip(f"npm cannot install {JS_CLIENT}: {done.stderr.strip()[-200:]}")
            target = Path(made) / "client"
            target.mkdir()
            for part in Path(made).iterdir():
                if part != target:
                    part.rename(target / part.name)
            try:
                target.rename(folder)
            except OSError:  # another worker was first
                assert folder.exists()
    return folder


def run_js(script: str, *arguments: str, cwd: Path) -> str:
    """Run a module that imports the client, and return what it printed."""
    path = cwd / "script.mjs"
    path.write_text(script, encoding="utf-8")
    modules = cwd / "node_modules"
    if not modules.exists():
        modules.symlink_to(js_folder() / "node_modules", target_is_directory=True)
    command = [str(shutil.which("node")), str(path), *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=cwd, timeout=FLOW_WITHIN_S
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_flow_sees_what_it_wrote() -> None:
    seen = of_memory()
    assert seen["index"] == EXPECTED_INDEX
    assert seen["stats"] == [305, {"__default__": 5, "movies": 300}]
    assert len(seen["query"]) == 5
    for record_id, score, title in seen["query"]:
        at = int(record_id.partition("#")[2])
        assert title == f"film {at}"
        assert "drama" in (flow.GENRES[at % 3], flow.GENRES[at % 2])
        assert 1960 <= 1950 + at % 75 < 2010
        assert at % 4
        assert -1 <= score <= 1
    assert seen["query by id"][0] == ["b#003", 1.0, flow.DIMENSION]
    assert seen["default namespace"][0] == "plain-1"
    assert len(seen["default namespace"]) == 5
    (metadata, first) = seen["fetch"]["a#002"]
    assert metadata["year"] == 3000
    assert metadata["title"] == "film 2"
    assert first == round(flow.vector(5000)[0], 6)
    assert seen["update by filter"] == sorted(
        r["id"] for r in flow.records() if r["metadata"]["year"] < 1955 and r["id"] != "a#002"
    )
    gone = {"a#000", "b#001", "a#002"}
    left = [
        r["id"]
        for r in flow.records()
        if r["id"] not in gone and "action" not in r["metadata"]["genres"]
    ]
    assert seen["after ids"] == [302, {"__default__": 5, "movies": 297}]
    assert seen["after filter"] == [len(left) + 5, {"__default__": 5, "movies": len(left)}]
    listed = [record_id for page in seen["pages"] for record_id in page]
    assert listed == sorted(record_id for record_id in left if record_id.startswith("b#0"))
    assert [len(page) for page in seen["pages"][:-1]] == [7] * (len(seen["pages"]) - 1)
    assert len(seen["pages"]) > 2
    assert seen["after all"] == [len(left), {"movies": len(left)}]
    assert seen["left"] is False


def test_the_python_client_sees_the_same_over_every_store(gateway: Gateway) -> None:
    assert flow.run(gateway.base, f"py-{uuid4().hex[:8]}") == of_memory()


def test_the_javascript_client_sees_the_same(gateway: Gateway, tmp_path: Path) -> None:
    script = (Path(__file__).parent / "flow.mjs").read_text(encoding="utf-8")
    name = f"js-{uuid4().hex[:8]}"
    printed = run_js(script, gateway.base, name, "any", cwd=tmp_path)
    assert json.loads(printed) == of_memory()
