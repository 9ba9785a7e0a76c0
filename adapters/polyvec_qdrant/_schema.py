"""Collections: what Qdrant is asked for, and what it tells of them. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from qdrant_client import models

from polyvec.errors import InvalidRequestError, NotSupportedError
from polyvec.paths import parse_path
from polyvec.schema import HNSW, Flat
from polyvec.types import Metric, as_any
from polyvec_qdrant._layout import NS, TERMS, natural_key, order_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from polyvec.paths import Path
    from polyvec.schema import CollectionSpec, Index, NativeLayout
    from polyvec_qdrant._config import QdrantConfig

MARKER: Final = "polyvec"
LAYOUT_VERSION: Final = 1
EXACT_M: Final = 0
"""HNSW's `m` of a collection without an index: qdrant.tech/documentation/concepts/indexing."""

DISTANCES: Final = {
    Metric.COSINE: models.Distance.COSINE,
    Metric.DOT: models.Distance.DOT,
    Metric.EUCLIDEAN: models.Distance.EUCLID,
}
METRICS: Final = {distance: metric for metric, distance in DISTANCES.items()}


@dataclass(frozen=True, slots=True)
class Layout:
    """What filters and records of an opened collection depend on.

    Parameters
    ----------
    ours
        Whether polyvec made it.
    server
        Whether a server holds it; local mode differs in a few conditions.
    indexes
        Natural path, without quotes, to the kind of payload index that somebody gave it.
    ef_search
        Of the collection's index, as it was created.
    vector
        Name of the vector; empty for the default one.
    text, namespace
        Keys of the payload that play these roles (of others' collections only).
    lost
        What a replaced point would lose; empty where it can be written.
    quantized
        Whether searches compare shortened vectors unless they are told to score again.
    """

    ours: bool
    server: bool
    indexes: Mapping[str, str] = field(default_factory=dict[str, str])
    ef_search: int | None = None
    vector: str = ""
    text: str | None = None
    namespace: str | None = None
    lost: str = ""
    quantized: bool = False


def creation_of(spec: CollectionSpec, config: QdrantConfig) -> dict[str, Any]:
    """Return the arguments of `create_collection`."""
    arguments: dict[str, Any] = {
        "vectors_config": models.VectorParams(
            size=spec.dimension, distance=DISTANCES[spec.metric], on_disk=config.on_disk
        ),
        "hnsw_config": _hnsw_of(spec),
        "metadata": {MARKER: _marker_for(spec)},
    }
    if config.on_disk:
        arguments["on_disk_payload"] = True
    if config.quantization is not None:
        arguments["quantization_config"] = _quantization_of(config.quantization)
    return arguments


def _marker_for(spec: CollectionSpec) -> dict[str, Any]:
    return {
        "version": LAYOUT_VERSION,
        "dimension": spec.dimension,
        "metric": spec.metric.value,
        "ef_search": spec.index.ef_search if isinstance(spec.index, HNSW) else None,
        "index_fields": {path: kind.__name__ for path, kind in spec.index_fields.items()},
    }


def _hnsw_of(spec: CollectionSpec) -> models.HnswConfigDiff | None:
    match spec.index:
        case None:
            return None
        case HNSW(m, ef_construction):
            return models.HnswConfigDiff(m=m, ef_construct=ef_construction)
        case Flat():
            return models.HnswConfigDiff(m=EXACT_M)
        case index if index.best_effort:
            return None
        case index:
            raise NotSupportedError(
                f"qdrant has no {index.kind} index, which collection {spec.name!r} asks for; "
                "use HNSW() or Flat(), leave index= out, or set best_effort=True"
            )


def _quantization_of(kind: str) -> Any:
    if kind == "int8":
        scalar = models.ScalarQuantizationConfig(type=models.ScalarType.INT8, always_ram=True)
        return models.ScalarQuantization(scalar=scalar)
    return models.BinaryQuantization(binary=models.BinaryQuantizationConfig(always_ram=True))


def payload_indexes(fields: Mapping[str, type]) -> Iterator[tuple[str, Any]]:
    """Yield the payload indexes of a collection of ours: field and kind.

    Terms serve equality, membership and presence of every field. An index of the user's serves
    orderings: numbers by a float index, because an integer one drops floats (measured, 1.18.3).
    """
    yield NS, models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=True)
    yield TERMS, models.PayloadSchemaType.KEYWORD
    for text, kind in fields.items():
        path: Path = parse_path(text)
        key = order_key(path) if kind is str else natural_key(path)
        if key is None or kind is bool:
            continue
        moment = kind is datetime
        yield key, models.PayloadSchemaType.DATETIME if moment else models.PayloadSchemaType.FLOAT


def marker_of(metadata: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the marker of a collection, None for one that polyvec did not make."""
    marker: Any = None if metadata is None else metadata.get(MARKER)
    is_ours = isinstance(marker, dict) and "version" in marker
    return as_any(marker) if is_ours else None


def fields_of(marker: Mapping[str, Any]) -> dict[str, type]:
    """Return the fields that a collection of ours was to index."""
    kinds: dict[str, type] = {kind.__name__: kind for kind in (str, int, float, bool, datetime)}
    return {path: kinds[name] for path, name in marker["index_fields"].items()}


def indexes_of(info: models.CollectionInfo) -> dict[str, str]:
    """Return the kind of each payload index, by its path without quotes."""
    return {
        key.replace('"', ""): str(getattr(index.data_type, "value", index.data_type))
        for key, index in (info.payload_schema or {}).items()
    }


def index_of(info: models.CollectionInfo, ef_search: int | None, *, server: bool) -> Index:
    """Return the index that Qdrant reports; local mode reports a graph and has none."""
    hnsw = info.config.hnsw_config
    if hnsw.m == EXACT_M or not server:
        return Flat()
    return HNSW(m=hnsw.m, ef_construction=hnsw.ef_construct, ef_search=ef_search)


def vector_of(
    info: models.CollectionInfo, native: NativeLayout | None, name: str
) -> tuple[str, models.VectorParams]:
    """Return name and parameters of the vector of a collection.

    Raises
    ------
    InvalidRequestError
        It has several and none was named, or not the one that was.
    NotSupportedError
        The vector is a list of vectors.
    """
    vectors: Any = info.config.params.vectors
    named: dict[str, models.VectorParams] = (
        as_any(vectors) if isinstance(vectors, dict) else {"": vectors} if vectors else {}
    )
    wanted = native.vector if native is not None else None
    if wanted is None and len(named) == 1:
        wanted = next(iter(named))
    if wanted is None or wanted not in named:
        raise InvalidRequestError(
            f"collection {name!r} has the vectors {sorted(named)}, "
            + ("and none was named" if wanted is None else f"not {wanted!r}")
            + "; open it with native=NativeLayout(vector=...)"
        )
    params = named[wanted]
    if params.multivector_config is not None:
        raise NotSupportedError(f"collection {name!r}: {wanted!r} holds several vectors a record")
    if params.distance not in METRICS:
        raise NotSupportedError(
            f"collection {name!r}: {wanted!r} is compared by {params.distance.value!r}; expected "
            f"one of {', '.join(distance.value for distance in METRICS)}"
        )
    return wanted, params


def loss_of(info: models.CollectionInfo, params: models.VectorParams) -> str:
    """Return what a point would lose if it were replaced; empty for nothing."""
    vectors = info.config.params.vectors
    if (isinstance(vectors, dict) and len(vectors) > 1) or info.config.params.sparse_vectors:
        return "have several vectors, and a replace would drop the others"
    if params.datatype not in (None, models.Datatype.FLOAT32):
        # Measured, 1.18.3: as uint8 2.6 becomes 2, and 300 becomes 255.
        return f"have {params.datatype.value} vectors, which do not keep float32"
    return ""


def is_quantized(info: models.CollectionInfo) -> bool:
    """Tell whether the collection's vectors, or some of them, are quantised."""
    vectors: Any = info.config.params.vectors
    each: list[Any] = list(as_any(vectors).values()) if isinstance(vectors, dict) else [vectors]
    own = any(params is not None and params.quantization_config is not None for params in each)
    return own or info.config.quantization_config is not None


def search_params(
    params: Index | None, layout: Layout, *, exact: bool
) -> models.SearchParams | None:
    """Return the settings of one search; None where none differs from the server's.

    Local mode takes none: it is exact, and would warn.

    Raises
    ------
    NotSupportedError
        A setting that Qdrant has only for a whole collection, or not at all.
    """
    if not layout.server:
        if params is not None and not isinstance(params, Flat) and not params.best_effort:
            raise NotSupportedError(
                f"local mode of qdrant compares with every vector, got {params!r} for one search; "
                "use a server, or set best_effort=True"
            )
        return None
    ef = layout.ef_search
    if isinstance(params, HNSW):
        changed = params.m is not None or params.ef_construction is not None
        if changed and not params.best_effort:
            raise NotSupportedError(
                f"m and ef_construction belong to the collection's index, got {params!r} for one "
                "search; give ef_search only, or set best_effort=True"
            )
        ef = params.ef_search or ef
    elif isinstance(params, Flat):
        exact = True
    elif params is not None and not params.best_effort:
        raise NotSupportedError(
            f"qdrant has no {params.kind} index, got {params!r} for one search; "
            "use HNSW(ef_search=...) or Flat()"
        )
    if ef is None and not exact and not layout.quantized:
        return None  # the client copies every object of a request, for some 15 µs each
    # Scores of quantised vectors are off in the third digit unless they are computed again.
    again = (
        models.QuantizationSearchParams(rescore=True) if layout.quantized and not exact else None
    )
    return models.SearchParams(hnsw_ef=ef, exact=exact, quantization=again)
