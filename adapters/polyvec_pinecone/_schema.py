"""Collections: what Pinecone is asked for, and what it tells of them. Pure.

A collection of ours is an index with the tag `polyvec`, whose value is the layout version. Two more
tags are a number that no other index has, and the name where the index's own is a hash of it.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from polyvec.errors import InvalidRequestError, NotSupportedError, StoreError
from polyvec.primitives import OpenedCollection
from polyvec.types import Metric
from polyvec_pinecone import _names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from polyvec.schema import CollectionSpec, Index, NativeLayout
    from polyvec_pinecone._config import PineconeConfig

MARKER: Final = "polyvec"
NUMBER: Final = "polyvec-number"
NAME: Final = "polyvec-name"
LAYOUT_VERSION: Final = 1
LONGEST_TAG: Final = 120

METRICS: Final = {
    Metric.COSINE: "cosine",
    Metric.DOT: "dotproduct",
    Metric.EUCLIDEAN: "euclidean",
}
OURS: Final = {name: metric for metric, name in METRICS.items()}

FAILED: Final = ("InitializationFailed", "Terminating", "Disabled", "Terminated")
"""States from which an index does not become ready: pinecone 10.2, `poll_index_until_ready`."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What filters and records of an opened collection depend on.

    Parameters
    ----------
    ours
        Whether polyvec made it.
    index
        Its name at Pinecone.
    host
        Where its data is.
    number
        Of this index and of no other; empty for one that polyvec did not make.
    text
        Key of the metadata that is the text (of others' indexes only).
    """

    ours: bool
    index: str
    host: str
    number: str = ""
    text: str | None = None


def creation_of(spec: CollectionSpec, config: PineconeConfig) -> dict[str, Any]:
    """Return the arguments of `indexes.create`.

    Raises
    ------
    NotSupportedError
        An index setting: Pinecone has none to offer.
    """
    if spec.index is not None and not spec.index.best_effort:
        raise NotSupportedError(
            f"pinecone chooses its index itself, and collection {spec.name!r} asks for "
            f"{spec.index!r}; leave index= out, or set best_effort=True"
        )
    name = _names.to_index(spec.name)
    tags = {**config.tags_by_key(), MARKER: str(LAYOUT_VERSION), NUMBER: secrets.token_hex(8)}
    if _names.from_index(name) != spec.name:
        tags[NAME] = spec.name
    dense = {
        "type": "dense_vector",
        "dimension": spec.dimension,
        "metric": METRICS[spec.metric],
    }
    return {
        "name": name,
        "schema": {"fields": {"_values": dense}},
        "deployment": {
            "deployment_type": "managed",
            "cloud": config.cloud,
            "region": config.region,
        },
        "deletion_protection": "enabled" if config.deletion_protection else "disabled",
        "tags": tags,
        "timeout": -1,  # we wait ourselves: with a deadline, and telling how far it is
    }


def check_search(params: Index | None) -> None:
    """Raise `NotSupportedError` for settings of one search."""
    if params is not None and not params.best_effort:
        raise NotSupportedError(
            f"pinecone has no settings for a search, got {params!r}; leave search= out, use "
            "exact=True, or set best_effort=True"
        )


def name_of(model: Any) -> str:
    """Return the name of the collection that an index is."""
    tags = tags_of(model)
    if MARKER not in tags:
        return str(model.name)
    return _names.from_index(model.name, tags.get(NAME))


def tags_of(model: Any) -> Mapping[str, str]:
    """Return the tags of an index."""
    tags: Mapping[str, str] = model.tags or {}
    return tags


def is_dense(model: Any) -> bool:
    """Tell whether an index holds dense vectors under the vectors API."""
    return model.dimension is not None and model.metric in OURS


def opened(model: Any, native: NativeLayout | None) -> OpenedCollection:
    """Return what an index is as a collection.

    Raises
    ------
    NotSupportedError
        A newer layout, or an index without dense vectors.
    InvalidRequestError
        A role that Pinecone's records do not have.
    StoreError
        The index has no host yet.
    """
    name, tags = name_of(model), tags_of(model)
    if not is_dense(model):
        raise NotSupportedError(
            f"index {name!r} has no dense vectors (or a schema of documents); polyvec reads "
            "indexes that were made with a dimension and a metric"
        )
    if model.host is None:
        raise StoreError(
            f"index {name!r} has no host yet; wait until it is ready", store="pinecone"
        )
    version = tags.get(MARKER)
    details: dict[str, Any] = {
        "index": model.name,
        "state": model.status.state,
        "deletion_protection": model.deletion_protection,
        "tags": {key: value for key, value in tags.items() if not key.startswith(MARKER)},
    }
    if version is not None:
        if not version.isdigit() or int(version) > LAYOUT_VERSION:
            raise NotSupportedError(
                f"collection {name!r} has layout version {version!r}, expected at most "
                f"{LAYOUT_VERSION}; upgrade polyvec"
            )
        layout = Layout(True, model.name, model.host, tags.get(NUMBER, ""))
        details["layout_version"] = int(version)
    else:
        layout = Layout(False, model.name, model.host, "", _text_role(native, name))
        details["text"] = layout.text
    return OpenedCollection(
        name=name,
        dimension=model.dimension,
        metric=OURS[model.metric],
        index=None,  # Pinecone does not say
        layout_kind="polyvec" if layout.ours else "native",
        layout=layout,
        details=details,
    )


def _text_role(native: NativeLayout | None, name: str) -> str | None:
    if native is None:
        return None
    for role in ("id", "vector", "namespace"):
        if getattr(native, role) is not None:
            raise InvalidRequestError(
                f"collection {name!r}: a record of pinecone has one {role}; leave {role}= out"
            )
    return native.text
