"""Collections: what Milvus is asked for, and what it tells of them. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from pymilvus import DataType, MilvusClient

from polyvec.errors import NotSupportedError
from polyvec.schema import HNSW, IVF, Flat
from polyvec.types import Metric
from polyvec_milvus._layout import (
    LAYOUT_VERSION,
    META,
    NS,
    PK,
    SIDE,
    SIDE_PREFIX,
    TEXT,
    VECTOR,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from polyvec.schema import CollectionSpec, Index
    from polyvec_milvus._native import Fields

METRICS: Final = {Metric.COSINE: "COSINE", Metric.DOT: "IP", Metric.EUCLIDEAN: "L2"}
KIND_OF: Final[dict[type, str]] = {Flat: "FLAT", HNSW: "HNSW", IVF: "IVF_FLAT"}
METRIC_OF: Final = {name: metric for metric, name in METRICS.items()}

# What the vendor's pages recommend; the server has no defaults of its own.
HNSW_M: Final = 16
HNSW_EF_CONSTRUCTION: Final = 200
HNSW_EF: Final = 100
IVF_LISTS: Final = 128
IVF_PROBES: Final = 16

LONGEST_PK: Final = 4_096
LONGEST_NS: Final = 2_048
LONGEST_TEXT: Final = 65_535
MARKER: Final = "polyvec"

_client: Final[Any] = MilvusClient  # its types are partly unknown

_PREFIX: Final = "polyvec__"
_ALLOWED: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
_OURS: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")


@dataclass(frozen=True, slots=True)
class Layout:
    """What filters and records of an opened collection depend on.

    Parameters
    ----------
    name
        As Milvus knows it.
    identity
        The number of the collection, never used again; 0 on Milvus Lite.
    ours
        Whether polyvec made it.
    server
        Whether a server holds it; Milvus Lite differs in a few expressions.
    kind
        Milvus's name of the vector's index.
    vector
        Name of the vector's field.
    effort
        `ef_search` or `probes` of the collection's index, as it was created.
    fields
        Of a collection that polyvec did not make.
    """

    name: str
    identity: int
    ours: bool
    server: bool
    kind: str
    vector: str = VECTOR
    effort: int | None = None
    fields: Fields | None = field(default=None)


def physical(name: str) -> str:
    """Return a name as Milvus allows it: letters, digits and underscores."""
    if _OURS.fullmatch(name) and ("-" in name or name.startswith(_PREFIX)):
        return _PREFIX + name.replace("_", "_u").replace("-", "_d")
    return name


def aliases_in(answer: Any) -> list[str]:
    """Return the aliases in an answer, which is a dict of one client and a list of the other."""
    if isinstance(answer, dict):
        return list(cast("dict[str, list[str]]", answer)["aliases"])
    return list(cast("list[str]", answer))


def spellings(name: str) -> list[str]:
    """Return the names under which Milvus may know a collection or an alias.

    The second one is that of a collection of others whose name only looks like one of ours.
    """
    found = [physical(name)]
    if name not in found and logical(name) == name:
        found.append(name)
    return [one for one in found if _ALLOWED.fullmatch(one)]


def logical(name: str) -> str:
    """Return the name that `physical` was given; that of any other collection stays."""
    if name.startswith(_PREFIX):
        rest = name.removeprefix(_PREFIX)
        found = re.sub("_[ud]", lambda match: "_" if match[0] == "_u" else "-", rest)
        if physical(found) == name:
            return found
    return name


def schema_for(spec: CollectionSpec) -> Any:
    """Return the fields of a new collection."""
    effort = effort_of(spec.index)
    marker = json.dumps({MARKER: {"version": LAYOUT_VERSION, "effort": effort}})
    made = _client.create_schema(auto_id=False, enable_dynamic_field=False, description=marker)
    made.add_field(PK, DataType.VARCHAR, is_primary=True, max_length=LONGEST_PK)
    made.add_field(NS, DataType.VARCHAR, max_length=LONGEST_NS)
    made.add_field(VECTOR, DataType.FLOAT_VECTOR, dim=spec.dimension)
    made.add_field(META, DataType.JSON)
    made.add_field(TEXT, DataType.VARCHAR, max_length=LONGEST_TEXT)
    made.add_field(SIDE, DataType.JSON)
    return made


def effort_of(index: Index | None) -> int | None:
    """Return what a search by an index is to spend."""
    match index:
        case HNSW(_, _, ef_search):
            return ef_search
        case IVF(_, probes):
            return probes
        case _:
            return None


def index_for(spec: CollectionSpec, server: bool, default: str) -> Any:
    """Return the index of a new collection's vectors: the default unless another is asked for."""
    kind, params = default, dict[str, int]()
    index = spec.index
    if not server and index is not None and not isinstance(index, Flat):
        if not index.best_effort:
            raise NotSupportedError(
                f"milvus lite has no {index.kind} index that keeps its settings, which collection "
                f"{spec.name!r} asks for; use Flat(), leave index= out, or set best_effort=True"
            )
    elif isinstance(index, Flat):
        kind = "FLAT"
    elif isinstance(index, HNSW):
        kind = "HNSW"
        params = {
            "M": index.m or HNSW_M,
            "efConstruction": index.ef_construction or HNSW_EF_CONSTRUCTION,
        }
    elif isinstance(index, IVF):
        kind, params = "IVF_FLAT", {"nlist": index.lists or IVF_LISTS}
    made = _client.prepare_index_params()
    made.add_index(
        VECTOR,
        index_type=kind,
        index_name=VECTOR,
        metric_type=METRICS[spec.metric],
        params=params,
    )
    return made


def index_of(described: Mapping[str, Any], effort: int | None) -> Index | None:
    """Return the index that Milvus reports; None for one of a kind that polyvec has no word for."""
    params = dict(described)
    if isinstance(nested := params.get("params"), dict):
        params |= nested
    match described.get("index_type"):
        case "FLAT":
            return Flat()
        case "HNSW":
            return HNSW(int(params["M"]), int(params["efConstruction"]), effort)
        case "IVF_FLAT":
            return IVF(int(params["nlist"]), effort)
        case _:
            return None


def is_ours(described: Mapping[str, Any], name: str) -> bool:
    """Tell whether polyvec made a collection; its fields are the marker, which Lite keeps too.

    Raises
    ------
    NotSupportedError
        A newer polyvec made it.
    """
    names = {one["name"] for one in described["fields"]}
    sides = [one for one in names if re.fullmatch(rf"{SIDE_PREFIX}\d+", one)]
    if not sides:
        return False
    if SIDE not in sides:
        raise NotSupportedError(
            f"collection {name!r} has layout version {sides[0].removeprefix(SIDE_PREFIX)}, "
            f"expected {LAYOUT_VERSION}; upgrade polyvec"
        )
    return names == {PK, NS, VECTOR, META, TEXT, SIDE}


def marked_effort(described: Mapping[str, Any]) -> int | None:
    """Return the effort in a collection's marker."""
    try:
        effort: Any = json.loads(described["description"])[MARKER]["effort"]
    except (ValueError, KeyError, TypeError):
        return None
    return effort if isinstance(effort, int) else None


def is_flat(layout: Layout) -> bool:
    """Tell whether every search of a collection is exact."""
    return layout.kind in ("FLAT", "")


def search_params(params: Index | None, layout: Layout, metric: Metric, k: int) -> dict[str, Any]:
    """Return the settings of one search.

    Raises
    ------
    NotSupportedError
        A setting that Milvus has only for a whole collection, or that the index does not have.
    """
    effort = layout.effort
    if params is not None and not isinstance(params, Flat):
        _check_search(params, layout)
        if layout.kind == KIND_OF[type(params)]:
            effort = effort_of(params) or effort
    settings: dict[str, Any] = {}
    if layout.kind == "HNSW":
        settings["ef"] = max(k, effort or HNSW_EF)  # fewer than k is an error
    elif layout.kind == "IVF_FLAT":
        settings["nprobe"] = effort or IVF_PROBES
    # A collection that was made anew with another metric refuses.
    return {"metric_type": METRICS[metric], "params": settings}


def _check_search(params: HNSW | IVF, layout: Layout) -> None:
    if params.best_effort:
        return
    fixed = (params.m, params.ef_construction) if isinstance(params, HNSW) else (params.lists,)
    if any(one is not None for one in fixed):
        raise NotSupportedError(
            f"how an index is built cannot change for one search, got {params!r}; give ef_search "
            "or probes only, or set best_effort=True"
        )
    # A FLAT index honours every wish for effort: it compares with all.
    if not is_flat(layout) and layout.kind != KIND_OF[type(params)]:
        raise NotSupportedError(
            f"the index of this collection is {layout.kind}, got {params!r} for one search; set "
            "best_effort=True"
        )
