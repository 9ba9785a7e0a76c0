"""Load on a gateway: many clients, queries and upserts mixed; every answer and every write checked.

    python -m tests.gateway.load --clients 64 --seconds 30

The gateway runs as a process of its own over the memory store. Each client is a connection that
sends one request after the other: a query in four of five, else an upsert of a record of its own.
At the end every record that was acknowledged is read back. Memory is the gateway's resident set,
measured each second.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import httpx
import numpy as np
from tests.services.pinecone import Gateway
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

if TYPE_CHECKING:
    from polyvec.types import Vector

import polyvec

DIMENSION: Final = 384
RECORDS: Final = 5_000  # a multiple of BATCH
UPSERT_EVERY: Final = 5
BATCH: Final = 500
KEPT_PER_CLIENT: Final = 50
"""A client writes this many ids in turn, so that the store does not grow for ever."""

FETCHED: Final = 100
COMPARED: Final = 500
"""Queries of the comparison with the store alone."""


@dataclass
class Outcome:
    """What one client saw."""

    query_s: list[float] = field(default_factory=list[float])
    upsert_s: list[float] = field(default_factory=list[float])
    errors: list[str] = field(default_factory=list[str])
    written: dict[str, Vector] = field(default_factory=dict[str, "Vector"])


def body(vectors: Any, ids: list[str]) -> bytes:
    """Return an upsert."""
    rows = [
        {"id": i, "values": v.tolist(), "metadata": {"n": at % 10}}
        for at, (i, v) in enumerate(zip(ids, vectors, strict=True))
    ]
    return json.dumps({"vectors": rows}).encode()


class Connection:
    """HTTP/1.1 without the comforts: the clients share the machine with the gateway.

    Parameters
    ----------
    address
        `http://host:port`.
    """

    def __init__(self, address: str) -> None:
        place = urlsplit(address)
        self._host, self._port = place.hostname, place.port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, content: bytes) -> tuple[int, bytes]:
        """Return status and body of an answer."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port)
        reader, writer = self._streams
        head = f"POST {path} HTTP/1.1\r\nhost: {self._host}\r\ncontent-length: {len(content)}"
        writer.write(head.encode() + b"\r\n\r\n" + content)
        lines = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
        length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
        return int(lines[0].split()[1]), await reader.readexactly(length)

    async def close(self) -> None:
        """Close the connection."""
        if self._streams is not None:
            self._streams[1].close()
            await self._streams[1].wait_closed()


async def client(address: str, number: int, end: float) -> Outcome:
    """Send requests until the end."""
    rng = np.random.default_rng(number)
    outcome = Outcome()
    # Made before: the clients share the machine with the gateway.
    vectors = rng.normal(size=(KEPT_PER_CLIENT, DIMENSION)).astype(np.float32)
    ids = [f"c{number}-{at}" for at in range(KEPT_PER_CLIENT)]
    upserts = [body(vectors[at : at + 1], [ids[at]]) for at in range(KEPT_PER_CLIENT)]
    queries = [
        json.dumps({"vector": v.tolist(), "topK": 10, "includeMetadata": True}).encode()
        for v in vectors
    ]
    connection = Connection(address)
    at = 0
    while time.perf_counter() < end:
        at += 1
        row = at % KEPT_PER_CLIENT
        writes = at % UPSERT_EVERY == 0
        path = "/i/load/vectors/upsert" if writes else "/i/load/query"
        start = time.perf_counter()
        status, answer = await connection.post(path, upserts[row] if writes else queries[row])
        seconds = time.perf_counter() - start
        if status != 200:
            outcome.errors.append(f"{status} {answer[:100]!r}")
        elif writes:
            outcome.upsert_s.append(seconds)
            outcome.written[ids[row]] = vectors[row]
        else:
            outcome.query_s.append(seconds)
            if answer.count(b'"id"') != 10:
                outcome.errors.append("a query found fewer than 10")
    await connection.close()
    return outcome


async def lost(address: str, written: dict[str, Vector]) -> list[str]:
    """Return the acknowledged records that are not there as they were written."""
    missing: list[str] = []
    names = sorted(written)
    async with httpx.AsyncClient(base_url=address, timeout=60) as connection:
        for start in range(0, len(names), FETCHED):
            chunk = names[start : start + FETCHED]
            answer = await connection.get("/i/load/vectors/fetch", params={"ids": chunk})
            found = answer.raise_for_status().json()["vectors"]
            missing += [i for i in chunk if i not in found or not _equal(found[i], written[i])]
    return missing


def _equal(found: dict[str, Any], vector: Vector) -> bool:
    return np.array_equal(np.array(found["values"], dtype=np.float32), vector)


def resident_mib(pid: int) -> float:
    """Return the resident memory of a process (Linux), 0 where it cannot be read."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def watch(pid: int, end: float) -> list[float]:
    """Return the memory of the gateway, second by second."""
    seen: list[float] = []
    while time.perf_counter() < end:
        seen.append(resident_mib(pid))
        await asyncio.sleep(1)
    return seen


def share(address: str, first: int, count: int, seconds: float) -> list[Outcome]:
    """Run some of the clients in this process."""

    async def together() -> list[Outcome]:
        end = time.perf_counter() + seconds
        running = [client(address, first + at, end) for at in range(count)]
        return list(await asyncio.gather(*running))

    return asyncio.run(together())


def fill(address: str, records: int) -> None:
    """Make the index and its first records."""
    rng = np.random.default_rng(0)
    with httpx.Client(base_url=address, timeout=60) as connection:
        made = {"name": "load", "dimension": DIMENSION, "metric": "cosine"}
        connection.post("/indexes", json=made).raise_for_status()
        for start in range(0, records, BATCH):
            vectors = rng.normal(size=(BATCH, DIMENSION)).astype(np.float32)
            content = body(vectors, [f"s{at}" for at in range(start, start + BATCH)])
            connection.post("/i/load/vectors/upsert", content=content).raise_for_status()


def percentile(seconds: list[float], share_: float) -> float:
    """Return a percentile in milliseconds."""
    return float(np.percentile(seconds, share_)) * 1000


def compare(address: str, count: int) -> tuple[float, float]:
    """Return the median query in milliseconds: through the gateway, and on the store alone."""
    rng = np.random.default_rng(1)
    queries = rng.normal(size=(COMPARED, DIMENSION)).astype(np.float32)
    through: list[float] = []
    alone: list[float] = []
    with polyvec.connect("memory://") as store, httpx.Client(base_url=address) as connection:
        records = store.create_collection("load", dimension=DIMENSION, metric="cosine")
        rows = np.random.default_rng(0).normal(size=(count, DIMENSION)).astype(np.float32)
        metadata = [{"n": float(at % 10)} for at in range(count)]
        records.upsert(ids=[f"s{at}" for at in range(count)], vectors=rows, metadata=metadata)
        for vector in queries:
            request = {"vector": vector.tolist(), "topK": 10, "includeMetadata": True}
            start = time.perf_counter()
            connection.post("/i/load/query", json=request).raise_for_status()
            middle = time.perf_counter()
            records.query(vector, top_k=10, include=("metadata",))
            through.append(middle - start)
            alone.append(time.perf_counter() - middle)
    return median(through) * 1000, median(alone) * 1000


def main(arguments: list[str] | None = None) -> int:
    """Run the load and print what came of it."""
    parser = argparse.ArgumentParser(description="Load on a gateway over the memory store.")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--records", type=int, default=RECORDS)
    options = parser.parse_args(arguments)
    threadpool_limits(limits=1, user_api="blas")  # as the gateway does
    gateway = Gateway("memory://", options=("--no-access-log",))
    try:
        fill(gateway.base, options.records)
        through, alone = compare(gateway.base, options.records)

        async def everything() -> tuple[list[float], list[Outcome]]:
            memory = asyncio.create_task(
                watch(gateway.process.pid, time.perf_counter() + options.seconds)
            )
            outcomes = await asyncio.to_thread(
                share, gateway.base, 0, options.clients, options.seconds
            )
            return await memory, outcomes

        memory, outcomes = asyncio.run(everything())
        written = {i: v for outcome in outcomes for i, v in outcome.written.items()}
        missing = asyncio.run(lost(gateway.base, written))
    finally:
        gateway.stop()
    errors = [error for outcome in outcomes for error in outcome.errors]
    query_s = [s for outcome in outcomes for s in outcome.query_s]
    upsert_s = [s for outcome in outcomes for s in outcome.upsert_s]
    report = {
        "clients": options.clients,
        "seconds": options.seconds,
        "requests_per_s": round((len(query_s) + len(upsert_s)) / options.seconds),
        "query_ms": {f"p{p}": round(percentile(query_s, p), 1) for p in (50, 99)},
        "upsert_ms": {f"p{p}": round(percentile(upsert_s, p), 1) for p in (50, 99)},
        "errors": len(errors),
        "lost_writes": len(missing),
        "memory_mib": {"start": round(memory[0]), "end": round(memory[-1])},
        "one_client_query_ms": {"gateway": round(through, 2), "store": round(alone, 2)},
    }
    sys.stdout.write(json.dumps(report, indent=2) + "\n")
    for problem in [*errors[:3], *missing[:3]]:
        sys.stderr.write(f"{problem}\n")
    return 1 if errors or missing else 0


if __name__ == "__main__":
    sys.exit(main())
