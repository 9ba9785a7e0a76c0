"""`manifest.json`: what a snapshot of a collection is made of.

It names the spec, the records per namespace, and the parts in the order they were written, each
with its rows, bytes and SHA-256. A part that the manifest does not name does not exist: writing
the manifest is the moment at which a change happens.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from polyvec.errors import RejectedError
from polyvec.schema import CollectionSpec
from polyvec.snapshot.files import replacing
from polyvec.types import Metric

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST_NAME: Final = "manifest.json"
FORMAT: Final = "polyvec-snapshot"
VERSION: Final = 1

_FIELD_TYPES: Final[dict[str, type]] = {
    kind.__name__: kind for kind in (str, int, float, bool, datetime)
}


@dataclass(frozen=True, slots=True)
class Part:
    """One Parquet file.

    Parameters
    ----------
    number
        Rises with every part; a later part's word about a record counts.
    rows, bytes, sha256
        Of the file.
    """

    number: int
    rows: int
    bytes: int
    sha256: str

    @property
    def file(self) -> str:
        """Name of the file; names sort as numbers do."""
        return f"part-{self.number:08d}.parquet"


@dataclass(frozen=True, slots=True)
class Manifest:
    """The state of one collection.

    Parameters
    ----------
    spec
        Without an index: searches compare with every vector.
    namespaces
        Namespace to its number of records; no zeros.
    parts
        In the order they count, later ones above earlier ones.
    next_part, next_key
        The first numbers that were never used.
    """

    spec: CollectionSpec
    namespaces: dict[str, int]
    parts: tuple[Part, ...] = ()
    next_part: int = 0
    next_key: int = 0

    def save(self, folder: Path) -> None:
        """Write the manifest of a collection's folder, atomically and durably."""
        with replacing(folder / MANIFEST_NAME) as temporary:
            temporary.write_text(self.to_json(), encoding="utf-8")

    def to_json(self) -> str:
        """Return the text of the file."""
        spec = self.spec
        content = {
            "format": FORMAT,
            "version": VERSION,
            "spec": {
                "name": spec.name,
                "dimension": spec.dimension,
                "metric": spec.metric.value,
                "index_fields": {path: kind.__name__ for path, kind in spec.index_fields.items()},
            },
            "count": sum(self.namespaces.values()),
            "namespaces": dict(sorted(self.namespaces.items())),
            "next_part": self.next_part,
            "next_key": self.next_key,
            "parts": [
                {"file": part.file, "rows": part.rows, "bytes": part.bytes, "sha256": part.sha256}
                for part in self.parts
            ],
        }
        return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def load_manifest(folder: Path) -> Manifest:
    """Read the manifest of a collection's folder.

    The name of the collection is that of its folder, so that a copied folder is
    a copied collection.

    Raises
    ------
    FileNotFoundError
        There is none.
    RejectedError
        It is damaged, or was written by a newer polyvec.
    """
    path = folder / MANIFEST_NAME
    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        content: dict[str, Any] = json.loads(text)
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']!r}, expected {FORMAT!r}")
        version = int(content["version"])
        if version > VERSION:
            raise RejectedError(
                f"{str(path)!r} has format version {version}, this polyvec reads up to {VERSION}; "
                "upgrade polyvec",
                store="parquet",
            )
        return replace_name(_parse(content), folder.name)
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise RejectedError(
            f"{str(path)!r} is damaged ({type(exc).__name__}: {exc}); "
            "take the snapshot again or restore the file",
            store="parquet",
        ) from exc


def replace_name(manifest: Manifest, name: str) -> Manifest:
    """Return the manifest of the same collection under another name."""
    return replace(manifest, spec=replace(manifest.spec, name=name))


def _parse(content: dict[str, Any]) -> Manifest:
    spec = content["spec"]
    return Manifest(
        spec=CollectionSpec(
            name=spec["name"],
            dimension=int(spec["dimension"]),
            metric=Metric(spec["metric"]),
            index_fields={path: _FIELD_TYPES[k] for path, k in spec["index_fields"].items()},
        ),
        namespaces={name: int(count) for name, count in content["namespaces"].items()},
        parts=tuple(
            Part(
                number=int(part["file"].removeprefix("part-").removesuffix(".parquet")),
                rows=int(part["rows"]),
                bytes=int(part["bytes"]),
                sha256=str(part["sha256"]),
            )
            for part in content["parts"]
        ),
        next_part=int(content["next_part"]),
        next_key=int(content["next_key"]),
    )
