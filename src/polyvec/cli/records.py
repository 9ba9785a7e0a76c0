"""Commands about records: count, query."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from polyvec.cli.arguments import (
    CollectionArgument,
    FilterOption,
    JsonOption,
    NamespaceOption,
    StoreArgument,
    read_filter,
    read_include,
    read_vector,
)
from polyvec.cli.output import print_json, record_json, stdout, table

if TYPE_CHECKING:
    from polyvec.collection import Collection
    from polyvec.records import Hit


def count(
    store: StoreArgument,
    collection: CollectionArgument,
    filter: FilterOption = None,
    namespace: NamespaceOption = "",
    everywhere: Annotated[
        bool, typer.Option("--all-namespaces", "-A", help="Count over all namespaces.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Count the records that match a filter, exactly."""
    import polyvec

    where = read_filter(filter)
    with polyvec.connect(store) as opened:
        found = opened.collection(collection)
        names = list(found.namespaces()) if everywhere else [namespace]
        total = sum(found.namespace(name).count(where) for name in names)
    if as_json:
        print_json({"count": total})
    else:
        stdout().print(str(total))


def query(
    store: StoreArgument,
    collection: CollectionArgument,
    id: Annotated[
        str | None, typer.Option("--id", help="Search with the vector of this stored record.")
    ] = None,
    vector: Annotated[
        str | None,
        typer.Option(
            "--vector",
            metavar="JSON|@FILE|-",
            help="The vector: a JSON list, a file (@v.npy or @v.json), or - for standard input.",
        ),
    ] = None,
    filter: FilterOption = None,
    namespace: NamespaceOption = "",
    top_k: Annotated[int, typer.Option("--top-k", "-k", help="Hits wanted.")] = 10,
    min_score: Annotated[
        float | None, typer.Option("--min-score", help="Keep hits with at least this score.")
    ] = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="Compare with every vector, whatever the index.")
    ] = False,
    include: Annotated[
        str, typer.Option("--include", help="Columns, with commas: metadata,text,vector.")
    ] = "metadata,text",
    as_json: JsonOption = False,
) -> None:
    """Find the records nearest to a vector, best first."""
    import polyvec

    if (id is None) == (vector is None):
        raise typer.BadParameter("give one of --id and --vector")
    where, columns = read_filter(filter), read_include(include)
    numbers: Any = None if vector is None else read_vector(vector)
    with polyvec.connect(store) as opened:
        found = opened.collection(collection).namespace(namespace)
        hits = found.query(
            numbers if id is None else _stored_vector(found, id),
            top_k=top_k,
            filter=where,
            min_score=min_score,
            exact=exact,
            include=columns,
        )
    if as_json:
        print_json({"hits": [_hit_json(hit) for hit in hits]})
    else:
        stdout().print(hits_table(hits))


def _stored_vector(collection: Collection[Any], id: str) -> Any:
    found = collection.get([id], include=("vector",))
    if not found:
        where = f"namespace {collection.namespace_name!r} of {collection.name!r}"
        raise typer.BadParameter(f"--id: {where} has no record {id!r}")
    if "vector" not in found[0].model_fields_set:
        raise typer.BadParameter(f"--id: record {id!r} has no vector")
    return found[0].vector


def _hit_json(hit: Hit[Any]) -> dict[str, Any]:
    return {"score": hit.score, "distance": hit.distance, **record_json(hit.record)}


def hits_table(hits: list[Hit[Any]], title: str = "") -> Any:
    """Return hits as a table, with the columns that they have."""
    from polyvec.metadata import to_json

    wanted = [c for c in ("text", "metadata") if hits and c in hits[0].record.model_fields_set]
    rows: list[list[object]] = []
    for hit in hits:
        shown: dict[str, Any] = {}
        if "text" in wanted:
            shown["text"] = hit.record.text
        if "metadata" in wanted:
            shown["metadata"] = to_json(hit.record.metadata)
        rows.append([hit.id, hit.score, *(shown[column] for column in wanted)])
    return table(("id", "score", *wanted), rows, title)
