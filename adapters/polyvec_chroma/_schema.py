"""Names, markers and configurations of collections. Pure.

A collection of ours is one collection of Chroma, which holds the default namespace, and one more
for each other namespace, see docs/decisions/0005-chroma-namespaces.md. All of them have a marker:
JSON text under the key `polyvec` of their metadata.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from polyvec.errors import NotSupportedError
from polyvec.schema import HNSW
from polyvec.types import Metric, as_any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from polyvec.schema import CollectionSpec, Index, NativeLayout

MARKER: Final = "polyvec"
LAYOUT_VERSION: Final = 1
SUFFIX: Final = ".polyvec"
"""Added to names that Chroma refuses: no name of ours has a dot."""

SPACES: Final = {Metric.COSINE: "cosine", Metric.DOT: "ip", Metric.EUCLIDEAN: "l2"}
METRICS: Final = {space: metric for metric, space in SPACES.items()}

_ALLOWED: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{1,510}[a-zA-Z0-9]")
_SLUG: Final = re.compile(r"[^a-zA-Z0-9]+")
LONGEST_SLUG: Final = 40


@dataclass(frozen=True, slots=True)
class Layout:
    """What filters and records of an opened collection depend on.

    Parameters
    ----------
    key
        Chroma's id of the collection: a dropped one that is made again has another.
    name
        Chroma's name of it.
    ours
        Whether polyvec made it.
    mixed
        Whether somebody else's client added records to it (of ours only).
    configuration
        Its index, for the collections of further namespaces.
    """

    key: str
    name: str
    ours: bool
    mixed: bool
    configuration: Mapping[str, Any]


def server_name(name: str) -> str | None:
    """Return Chroma's name for a collection; None for one that Chroma cannot have."""
    if _ALLOWED.fullmatch(name):
        return name
    longer = name + SUFFIX
    return longer if _ALLOWED.fullmatch(longer) else None


def own_name(name: str, metadata: Mapping[str, Any] | None) -> str | None:
    """Return our name for one of Chroma's collections; None for that of a namespace."""
    marker = marker_of(metadata)
    if marker is None:
        return name
    if "parent" in marker:
        return None
    return name.removesuffix(SUFFIX)


def namespace_name(layout: Layout, namespace: str) -> str:
    """Return Chroma's name for the collection of a namespace other than the default one.

    Readable as far as Chroma lets it be, and bound to the id of its collection: a collection
    that is dropped and made again does not find the namespaces of the old one.
    """
    slug = _SLUG.sub("-", namespace).strip("-")[:LONGEST_SLUG]
    digest = hashlib.sha256(f"{layout.key}/{namespace}".encode()).hexdigest()[:32]
    return f"{layout.name[:400]}.{slug}{'.' if slug else ''}{digest}"


def marker_of(metadata: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the marker of a collection, None for one that polyvec did not make."""
    text = None if metadata is None else metadata.get(MARKER)
    if not isinstance(text, str):
        return None
    try:
        marker: Any = json.loads(text)
    except ValueError:
        return None
    is_ours = isinstance(marker, dict) and "version" in marker
    return as_any(marker) if is_ours else None


def collection_metadata(spec: CollectionSpec) -> dict[str, str]:
    """Return the metadata of a new collection: its marker."""
    marker = {
        "version": LAYOUT_VERSION,
        "dimension": spec.dimension,
        "metric": spec.metric.value,
        # A wish that Chroma has no use for: it indexes every field.
        "index_fields": {path: kind.__name__ for path, kind in spec.index_fields.items()},
    }
    return {MARKER: json.dumps(marker, ensure_ascii=False)}


def namespace_metadata(layout: Layout, namespace: str) -> dict[str, str]:
    """Return the metadata of the collection of a namespace: its marker."""
    marker = {"version": LAYOUT_VERSION, "parent": layout.key, "namespace": namespace}
    return {MARKER: json.dumps(marker, ensure_ascii=False)}


def configuration_of(spec: CollectionSpec) -> dict[str, Any]:
    """Return the index of a new collection.

    Raises
    ------
    NotSupportedError
        It asks for an index that Chroma does not have.
    """
    hnsw: dict[str, Any] = {"space": SPACES[spec.metric]}
    index = spec.index
    if isinstance(index, HNSW):
        settings = {
            "max_neighbors": index.m,
            "ef_construction": index.ef_construction,
            "ef_search": index.ef_search,
        }
        hnsw |= {name: value for name, value in settings.items() if value is not None}
    elif index is not None and not index.best_effort:
        raise NotSupportedError(
            f"chroma has no {index.kind} index, which collection {spec.name!r} asks for; "
            "leave index= out, use HNSW(), or set best_effort=True"
        )
    return {"hnsw": hnsw, "embedding_function": None}


def index_of(configuration: Mapping[str, Any]) -> HNSW | None:
    """Return the index that Chroma reports."""
    hnsw = configuration.get("hnsw")
    if not hnsw:
        return None
    return HNSW(
        m=hnsw.get("max_neighbors"),
        ef_construction=hnsw.get("ef_construction"),
        ef_search=hnsw.get("ef_search"),
    )


def metric_of(configuration: Mapping[str, Any], metadata: Mapping[str, Any] | None) -> Metric:
    """Return the metric of a collection; old ones have it in their metadata."""
    hnsw: dict[str, Any] = configuration.get("hnsw") or configuration.get("spann") or {}
    space: str = hnsw.get("space") or (metadata or {}).get("hnsw:space") or "l2"
    return METRICS[space]


def check_params(params: Index | None) -> None:
    """Refuse settings of one search: Chroma has none."""
    if params is not None and not params.best_effort:
        raise NotSupportedError(
            f"chroma takes no settings for one search, got {params!r}; give them to "
            "create_collection(index=), use exact=True, or set best_effort=True"
        )


def check_native(native: NativeLayout | None, name: str) -> None:
    """Refuse roles that Chroma's own fields have already."""
    if native is None:
        return
    roles = {"id": native.id, "vector": native.vector, "text": native.text}
    roles["namespace"] = native.namespace
    if given := [role for role, value in roles.items() if value is not None]:
        raise NotSupportedError(
            f"collection {name!r}: in chroma {', '.join(given)} cannot be given a field of its "
            "own; ids, embeddings and documents are what they are, and there is one namespace"
        )
