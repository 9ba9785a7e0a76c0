"""Commands about a store: ping, ls, describe, capabilities."""

from __future__ import annotations

import time
from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polyvec.cli.arguments import CollectionArgument, JsonOption, StoreArgument
from polyvec.cli.output import print_json, stdout, table

if TYPE_CHECKING:
    from polyvec.capabilities import Capabilities
    from polyvec.schema import CollectionInfo, Index
    from polyvec.store import VectorStore


def ping(store: StoreArgument, as_json: JsonOption = False) -> None:
    """Ask the store for a sign of life."""
    import polyvec

    with polyvec.connect(store) as opened:
        start = time.perf_counter()
        opened.ping()
        seconds = time.perf_counter() - start
        name = opened.capabilities.store
    if as_json:
        print_json({"store": name, "ok": True, "seconds": round(seconds, 6)})
    else:
        stdout().print(f"{name}: ok, {seconds * 1000:.1f} ms")


def ls(store: StoreArgument, as_json: JsonOption = False) -> None:
    """List the collections of a store."""
    import polyvec
    from polyvec.capabilities import Feature

    with polyvec.connect(store) as opened:
        rows = [_row(opened, name) for name in opened.list_collections()]
        has_aliases = Feature.ALIASES in opened.capabilities.features
        aliases = opened.aliases() if has_aliases else {}
    if as_json:
        print_json({"collections": rows, "aliases": aliases})
        return
    console = stdout()
    columns = ("name", "dimension", "metric", "records", "namespaces", "layout")
    console.print(table(columns, [[row.get(c, row.get("error")) for c in columns] for row in rows]))
    if aliases:
        console.print(table(("alias", "collection"), sorted(aliases.items())))


def _row(store: VectorStore, name: str) -> dict[str, Any]:
    """Describe one collection; one that cannot be read does not hide the others."""
    from polyvec.errors import PolyvecError

    try:
        info = store.collection(name).describe()
    except PolyvecError as exc:
        if exc.retryable:
            raise
        return {"name": name, "error": str(exc)}
    return {
        "name": info.name,
        "dimension": info.dimension,
        "metric": info.metric.value,
        "records": info.count,
        "namespaces": len(info.namespaces),
        "layout": info.layout,
    }


def describe(
    store: StoreArgument, collection: CollectionArgument, as_json: JsonOption = False
) -> None:
    """Show a collection: dimension, metric, index, records per namespace."""
    import polyvec

    with polyvec.connect(store) as opened:
        info = opened.collection(collection).describe()
    document = _info_json(info)
    if as_json:
        print_json(document)
        return
    console = stdout()
    facts = {name: value for name, value in document.items() if name != "namespaces"}
    details: dict[str, Any] = facts.pop("details")
    console.print(table(("what", "value"), [*facts.items(), *details.items()]))
    console.print(table(("namespace", "records"), [(repr(n), c) for n, c in _sizes(info)]))


def _sizes(info: CollectionInfo) -> list[tuple[str, int]]:
    return sorted(info.namespaces.items())


def _info_json(info: CollectionInfo) -> dict[str, Any]:
    return {
        "name": info.name,
        "dimension": info.dimension,
        "metric": info.metric.value,
        "index": None if info.index is None else _index_json(info.index),
        "count": info.count,
        "layout": info.layout,
        "namespaces": info.namespaces,
        "details": {name: _plain(value) for name, value in info.details.items()},
    }


def _index_json(index: Index) -> dict[str, Any]:
    # `best_effort` is how it was asked for, and says nothing of what is there.
    names = [field.name for field in fields(index) if field.name != "best_effort"]
    settings = {name: getattr(index, name) for name in names}
    return {"kind": index.kind} | {n: value for n, value in settings.items() if value is not None}


def _plain(value: Any) -> Any:
    """Details are the adapter's own: what JSON does not know is shown by its text."""
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def capabilities(
    store: StoreArgument,
    offline: Annotated[
        bool, typer.Option("--offline", help="What the adapter can do at most; asks no server.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what a store can do: features, metrics, limits, consistency."""
    import polyvec

    with polyvec.connect(store) as opened:
        if not offline:
            opened.ping()
        can = opened.capabilities
    document = _capabilities_json(can)
    if as_json:
        print_json(document)
        return
    limits: dict[str, Any] = document.pop("limits")
    console = stdout()
    # As text: a tolerance is too small for the four digits of a table.
    rows = [(n, str(v) if isinstance(v, float) else v) for n, v in document.items()]
    console.print(table(("capability", "value"), rows))
    shown = [(name, "no limit" if value is None else value) for name, value in limits.items()]
    console.print(table(("limit", "value"), shown))


def _capabilities_json(can: Capabilities) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for name in (field.name for field in fields(can)):
        value = getattr(can, name)
        if isinstance(value, frozenset):
            document[name] = sorted(map(str, value))  # pyright: ignore[reportUnknownArgumentType]  # of strings
        elif name == "limits":
            document[name] = {limit.name: getattr(value, limit.name) for limit in fields(value)}
        else:
            document[name] = value if isinstance(value, (bool, float)) else str(value)
    return document
