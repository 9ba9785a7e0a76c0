"""The command that measures a store: writes, queries with their recall, filters, reads."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polyvec.cli.arguments import JsonOption, StoreArgument
from polyvec.cli.output import print_json, stderr, stdout, table
from polyvec.errors import PolyvecError

if TYPE_CHECKING:
    from collections.abc import Generator

    from polyvec.cli.bench_steps import Row
    from polyvec.store import VectorStore


def bench(
    store: StoreArgument,
    records: Annotated[int, typer.Option("--records", min=100, help="Records to write.")] = 2_000,
    dimension: Annotated[
        int | None,
        typer.Option("--dimension", min=2, help="Random vectors of this length, not embeddings."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            exists=True,
            dir_okay=False,
            help="Parquet with a column `vector` or `vector_int8`; the default is the sample.",
        ),
    ] = None,
    ef: Annotated[
        str, typer.Option("--ef", metavar="N,N", help="Values of ef_search, with commas.")
    ] = "16,64,200",
    queries: Annotated[int, typer.Option("--queries", min=1, help="Queries of each row.")] = 100,
    top_k: Annotated[int, typer.Option("--top-k", "-k", min=1, help="Hits wanted.")] = 10,
    as_json: JsonOption = False,
) -> None:
    """Measure a store; writes into a collection of its own, which it drops at the end."""
    import polyvec
    from polyvec.cli.bench_data import vectors_for
    from polyvec.cli.bench_steps import BenchRun, own_name
    from polyvec.cli.progress import bars

    pools = _pools(ef)
    if data is not None and dimension is not None:
        raise typer.BadParameter("give one of --data and --dimension")
    rows, asked, words = vectors_for(data, dimension, records, queries)
    if top_k > len(rows):
        raise typer.BadParameter(f"--top-k is {top_k}, and there are {len(rows)} records")
    with polyvec.connect(store) as opened:
        opened.ping()
        name = own_name()
        notes = stderr()
        notes.print(
            f"writing {len(rows):,} records into collection {name!r} of {opened.capabilities.store}"
            ", which is dropped at the end"
        )
        with _dropping(opened, name), bars(notes) as show:
            found = BenchRun(opened, name, rows, asked, top_k, show).measure(pools)
    if as_json:
        said = {"store": opened.capabilities.store, "data": words, "records": len(rows)}
        print_json({**said, "top_k": top_k, "rows": [row.as_json() for row in found]})
    else:
        _show(found, f"{opened.capabilities.store}: {words}")


@contextmanager
def _dropping(store: VectorStore, name: str) -> Generator[None]:
    """Drop the collection afterwards; a failure or an interrupt before is what is told."""
    try:
        yield
    except BaseException:
        with suppress(PolyvecError):
            store.drop_collection(name, missing_ok=True)
        raise
    store.drop_collection(name, missing_ok=True)


def _pools(text: str) -> list[int]:
    try:
        pools = [int(part) for part in text.split(",")]
    except ValueError:
        pools = []
    if not pools or min(pools) < 1:
        raise typer.BadParameter(f"--ef is {text!r}; expected numbers of at least 1, with commas")
    return pools


def _show(found: list[Row], title: str) -> None:
    shown: list[list[object]] = [
        [
            row.verb,
            row.terms,
            f"{row.median_ms:.2f}",
            f"{row.p99_ms:.2f}",
            f"{row.rate:,.0f}",
            "-" if row.recall is None else f"{row.recall:.4f}",
        ]
        for row in found
    ]
    heads: Any = ("verb", "terms", "median ms", "p99 ms", "records or queries/s", "recall")
    stdout().print(table(heads, shown, title))
