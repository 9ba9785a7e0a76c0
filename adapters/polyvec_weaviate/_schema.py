"""Collections: what Weaviate is asked for, and what it tells of them. Pure."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from weaviate.classes.config import (
    Configure,
    DataType,
    Property,
    Tokenization,
    VectorDistances,
)

from polyvec.errors import NotSupportedError
from polyvec.paths import parse_path
from polyvec.schema import HNSW, Flat
from polyvec.types import Metric, as_any
from polyvec_weaviate._columns import (
    KIND_OF,
    MOST,
    claim_on,
    claims_of,
    columns_of,
    is_own,
    names_for,
    property_for,
)
from polyvec_weaviate._layout import DOC, GUARD, ID, NS, TERMS, TEXT, VECTOR

if TYPE_CHECKING:
    from collections.abc import Mapping

    from polyvec.schema import CollectionSpec, Index
    from polyvec_weaviate._columns import Column

MARKER: Final = "polyvec"
LAYOUT_VERSION: Final = 1

DISTANCES: Final = {
    Metric.COSINE: VectorDistances.COSINE,
    Metric.DOT: VectorDistances.DOT,
    Metric.EUCLIDEAN: VectorDistances.L2_SQUARED,
}
METRICS: Final = {distance.value: metric for metric, distance in DISTANCES.items()}


@dataclass(frozen=True, slots=True)
class Layout:
    """What filters and records of an opened collection depend on.

    Parameters
    ----------
    ours
        Whether polyvec made it.
    name
        Weaviate's name of it.
    number
        Of a collection of ours: never used again, part of every record's namespace.
    columns
        Field to property, of ours.
    most
        Properties for fields at most, of ours.
    taken
        Names of properties in lower case, of ours: Weaviate tells them apart by that only.
    claims
        What the names of properties, in lower case, are for, of ours; see `_columns.CLAIM`.
    vector
        Name of the vector; empty for the unnamed one of collections of others.
    properties
        Property to what Weaviate says of it, of collections of others.
    text, namespace
        Properties that play these roles, of collections of others.
    tenants
        Whether each namespace is a tenant.
    writable
        Whether an object can be replaced without losing something.
    exact
        Objects that a filter may leave for a search to compare with every one of them: 0 for none,
        None for any number.
    """

    ours: bool
    name: str
    number: str = ""
    columns: Mapping[Column, str] = field(default_factory=dict[Any, str])
    most: int = MOST
    taken: frozenset[str] = frozenset()
    claims: Mapping[str, str] = field(default_factory=dict[str, str])
    vector: str = VECTOR
    properties: Mapping[str, Any] = field(default_factory=dict[str, Any])
    text: str | None = None
    namespace: str | None = None
    tenants: bool = False
    writable: bool = True
    exact: int | None = 0

    def free_name(self, column: Column) -> str | None:
        """Return the best name that a new property of a field can have, claimed or not yet."""
        if column in self.columns or len(self.columns) >= self.most:
            return None
        free = (name for name in names_for(column) if name.lower() not in self.taken)
        mine = (None, claim_on(column))
        return next((n for n in free if is_own(n) or self.claims.get(n.lower()) in mine), None)

    def is_claimed(self, name: str) -> bool:
        """Tell whether it is settled what the name of a property is for."""
        return is_own(name) or name.lower() in self.claims


def creation_of(spec: CollectionSpec, name: str) -> dict[str, Any]:
    """Return the arguments of `collections.create`.

    Raises
    ------
    NotSupportedError
        Weaviate has no such index.
    """
    marker = _marker_for(spec)
    return {
        "name": name,
        "description": json.dumps({MARKER: marker}),
        "properties": [*_own_properties(marker["number"]), *_user_properties(spec)],
        "vector_config": Configure.Vectors.self_provided(
            name=VECTOR, vector_index_config=_index_for(spec)
        ),
    }


def _marker_for(spec: CollectionSpec) -> dict[str, Any]:
    return {
        "version": LAYOUT_VERSION,
        "name": spec.name,
        "number": uuid.uuid4().hex[:12],
        "dimension": spec.dimension,
        "metric": spec.metric.value,
        "most": MOST,
    }


def _own_properties(number: str) -> list[Property]:
    unsearched = {
        "data_type": DataType.TEXT,
        "index_filterable": False,
        "index_searchable": False,
    }
    nested = Property(name="nothing", **as_any(unsearched))
    whole: dict[str, Any] = {"tokenization": Tokenization.FIELD, "index_searchable": False}
    return [
        Property(name=NS, data_type=DataType.TEXT, **whole),
        Property(name=TERMS, data_type=DataType.TEXT_ARRAY, **whole),
        *(Property(name=name, **as_any(unsearched)) for name in (ID, TEXT, DOC)),
        Property(name=GUARD + number, data_type=DataType.OBJECT, nested_properties=[nested]),
    ]


def _user_properties(spec: CollectionSpec) -> list[Property]:
    """Return the properties of fields that are known beforehand: those cost little at creation."""
    found: list[Property] = []
    taken: set[str] = set()
    for text, kind in list(spec.index_fields.items())[:MOST]:
        column: Column = (parse_path(text), KIND_OF[kind])
        free = [name for name in names_for(column) if name.lower() not in taken]
        if free:
            taken.add(free[0].lower())
            found.append(property_for(column, free[0]))
    return found


def _index_for(spec: CollectionSpec) -> Any:
    distance = DISTANCES[spec.metric]
    # An administrator's DEFAULT_QUANTIZATION would make scores estimates.
    exact: Any = Configure.VectorIndex.Quantizer.none()
    match spec.index:
        case HNSW(m, ef_construction, ef_search):
            return Configure.VectorIndex.hnsw(
                distance_metric=distance,
                max_connections=m,
                ef_construction=ef_construction,
                ef=ef_search,
                quantizer=exact,
            )
        case Flat():
            return Configure.VectorIndex.flat(distance_metric=distance, quantizer=exact)
        case None:
            return Configure.VectorIndex.hnsw(distance_metric=distance, quantizer=exact)
        case index if index.best_effort:
            return Configure.VectorIndex.hnsw(distance_metric=distance, quantizer=exact)
        case index:
            raise NotSupportedError(
                f"weaviate has no {index.kind} index, which collection {spec.name!r} asks for; "
                "use HNSW() or Flat(), leave index= out, or set best_effort=True"
            )


def marker_of(description: str | None) -> dict[str, Any] | None:
    """Return the marker of a collection, None for one that polyvec did not make."""
    if not (description or "").startswith(f'{{"{MARKER}"'):
        return None
    try:
        marker: Any = json.loads(str(description))[MARKER]
    except (ValueError, KeyError):
        return None
    return as_any(marker) if isinstance(marker, dict) and "version" in marker else None


def own_layout(marker: Mapping[str, Any], config: Any) -> Layout:
    """Return the layout of a collection of ours."""
    return Layout(
        ours=True,
        name=config.name,
        number=marker["number"],
        columns=columns_of(config.properties),
        most=marker["most"],
        taken=frozenset(each.name.lower() for each in config.properties),
        claims=claims_of(config.properties),
        exact=exact_of(config.vector_config[VECTOR].vector_index_config),
    )


def exact_of(settings: Any) -> int | None:
    """Return how many objects a filter may leave for an exact search, see `Layout.exact`.

    A graph is not walked below its flatSearchCutoff; half of that, so that objects written
    meanwhile do not matter. Quantised vectors give estimates.
    """
    if settings.quantizer is not None:
        return 0
    match str(settings.vector_index_type()):
        case "flat":
            return None
        case "hnsw":
            return int(settings.flat_search_cutoff) // 2
        case _:  # one that changes from the one to the other
            return 0


def index_of(settings: Any) -> Index | None:
    """Return the index that Weaviate reports, None for a kind that polyvec has no name for."""
    kind = str(settings.vector_index_type())
    if kind == "flat":
        return Flat()
    if kind != "hnsw":
        return None
    ef = settings.ef
    return HNSW(
        m=settings.max_connections,
        ef_construction=settings.ef_construction,
        ef_search=ef if ef > 0 else None,  # -1: by the number of hits asked for
    )


def check_search(params: Index | None) -> bool:
    """Return whether one search is to be exact.

    Raises
    ------
    NotSupportedError
        Weaviate has the setting only for a whole collection, or not at all.
    """
    match params:
        case None:
            return False
        case Flat():
            return True
        case _ if params.best_effort:
            return False
        case HNSW(None, None, None):
            return False
        case _:
            raise NotSupportedError(
                f"weaviate has no settings for one search, got {params!r}; give them to "
                "create_collection, use exact=True, or set best_effort=True"
            )
