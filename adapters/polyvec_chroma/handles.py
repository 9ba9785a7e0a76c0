"""Chroma's handles of a collection, for annotations: the package has no marker of its types."""

from __future__ import annotations

from chromadb.api.models.AsyncCollection import (  # pyright: ignore[reportMissingTypeStubs] - see above
    AsyncCollection,
)
from chromadb.api.models.Collection import (  # pyright: ignore[reportMissingTypeStubs] - see above
    Collection,
)

__all__ = ["AsyncCollection", "Collection"]
