"""What a migration changes on the way: fields renamed and dropped, namespaces mapped. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel, ConfigDict, Field

from polyvec.errors import FilterError, InvalidRequestError
from polyvec.filter_json import coerce, to_dict
from polyvec.metadata import from_json, to_json
from polyvec.paths import parse_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from polyvec.filters import Filter
    from polyvec.paths import Path
    from polyvec.records import RecordBatch
    from polyvec.types import MetadataDict


class Transforms(BaseModel, frozen=True):
    """Which records move, and how they change.

    Parameters
    ----------
    where
        A filter as JSON text, on the source's metadata; None for all records.
    rename
        Old field to new one, with dots for steps into objects.
    drop
        Fields that are left behind.
    namespace_map
        Source namespace to target namespace; others keep their name.
    reembed
        `package.module:function` that makes new vectors of the texts, or None.
    """

    model_config = ConfigDict(extra="forbid")

    where: str | None = None
    rename: dict[str, str] = Field(default_factory=dict[str, str])
    drop: list[str] = Field(default_factory=list[str])
    namespace_map: dict[str, str] = Field(default_factory=dict[str, str])
    reembed: str | None = None

    @property
    def filter(self) -> Filter | None:
        """The filter, None for all records."""
        return None if self.where is None else coerce(from_json(self.where))

    @property
    def changes_metadata(self) -> bool:
        """Whether any record's metadata may change."""
        return bool(self.rename or self.drop)

    def target_of(self, namespace: str) -> str:
        """Return the target's name of a source namespace."""
        return self.namespace_map.get(namespace, namespace)

    def source_of(self, namespace: str) -> str:
        """Return the source's name of a target namespace; no two of them share one."""
        for old, new in self.namespace_map.items():
            if new == namespace:
                return old
        return namespace


def make_transforms(
    *,
    where: Filter | Mapping[str, Any] | None = None,
    rename: Mapping[str, str] | None = None,
    drop: Sequence[str] = (),
    namespace_map: Mapping[str, str] | None = None,
    reembed: str | None = None,
) -> Transforms:
    """Check what a caller asked for and return it.

    Raises
    ------
    FilterError
        The filter is malformed.
    InvalidRequestError
        A field is named twice, or cannot be a field.
    """
    node = coerce(where)
    rename, fields = dict(rename or {}), [*(rename or {}), *drop]
    try:
        paths = [parse_path(text) for text in (*fields, *rename.values())]
    except FilterError as exc:
        raise InvalidRequestError(f"rename or drop: {exc}") from None
    for at, one in enumerate(paths):
        for other in paths[at + 1 :]:
            short, long = sorted((one, other), key=len)
            if long[: len(short)] == short:
                raise InvalidRequestError(
                    f"rename and drop name {'.'.join(short)!r} and {'.'.join(long)!r}; "
                    "each field may take part once, and not together with its parent"
                )
    return Transforms(
        where=None if node is None else to_json(dict(to_dict(node))),
        rename=rename,
        drop=list(drop),
        namespace_map=dict(namespace_map or {}),
        reembed=reembed,
    )


def apply(transforms: Transforms, batch: RecordBatch) -> tuple[RecordBatch, dict[int, str]]:
    """Return a batch with the metadata that the target is to have, and the rows that clash.

    Returns
    -------
    tuple
        The batch, and row to reason for records that cannot be renamed: the new field is
        there already, or its parent is no object.
    """
    if not transforms.changes_metadata or batch.metadata is None:
        return batch, {}
    drops = [parse_path(text) for text in transforms.drop]
    renames = [(parse_path(old), parse_path(new)) for old, new in transforms.rename.items()]
    changed: list[MetadataDict] = []
    clashes: dict[int, str] = {}
    for row, item in enumerate(batch.metadata):
        copy = _copy(item)
        for path in drops:
            _take(copy, path)
        for old, new in renames:
            if (reason := _move(copy, old, new)) is not None:
                clashes[row] = reason
        changed.append(copy)
    return replace(batch, metadata=changed), clashes


def _copy(value: Any) -> Any:
    """Copy objects; everything else is never changed in place."""
    if isinstance(value, dict):
        items = cast("MetadataDict", value)
        return {key: _copy(item) for key, item in items.items()}
    return value


_ABSENT: Any = object()


def _take(metadata: MetadataDict, path: Path) -> Any:
    """Remove a field and return its value."""
    *parents, key = path
    at = metadata
    for parent in parents:
        inner: Any = at.get(parent)
        if not isinstance(inner, dict):
            return _ABSENT
        at = cast("MetadataDict", inner)
    return at.pop(key, _ABSENT)


def _move(metadata: MetadataDict, old: Path, new: Path) -> str | None:
    """Move a field; return why that cannot be done, or None."""
    value = _take(metadata, old)
    if value is _ABSENT:
        return None
    *parents, key = new
    at = metadata
    for parent in parents:
        inner: Any = at.setdefault(parent, {})
        if not isinstance(inner, dict):
            return f"rename to {'.'.join(new)!r}: {parent!r} is no object"
        at = cast("MetadataDict", inner)
    if key in at:
        return f"rename to {'.'.join(new)!r}: the record has that field already"
    at[key] = value
    return None
