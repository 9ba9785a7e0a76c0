"""From what a caller hands to `upsert` and `update` to a checked batch. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, cast

import numpy as np
from pydantic import BaseModel, TypeAdapter, ValidationError

from polyvec._checks import (
    as_numbers,
    check_id,
    check_ids,
    check_sequence,
    faulty_rows,
    to_float32,
    vector_fault,
)
from polyvec.errors import DimensionMismatchError, InvalidRecordError, InvalidRequestError
from polyvec.metadata import has_surrogate, normalise, size_at_most, size_of
from polyvec.records import RecordBatch, VectorRecord, as_vector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt

    from polyvec.capabilities import Limits
    from polyvec.types import MetadataDict, Metric, Vector

_COLUMNS: Final = "records=, or the columns ids=, vectors=, metadata=, texts="


@dataclass(frozen=True, slots=True)
class Rules:
    """What the records of one collection must keep to.

    Parameters
    ----------
    dimension, metric
        Of the collection.
    model
        The metadata model of a typed collection, else None.
    max_metadata_bytes
        Most bytes of compact UTF-8 JSON.
    """

    dimension: int
    metric: Metric
    model: type[BaseModel] | None
    max_metadata_bytes: int


def prepare_upsert(
    rules: Rules, records: object, ids: object, vectors: object, metadata: object, texts: object
) -> RecordBatch:
    """Return a checked batch with unique ids: the last of equal ids wins.

    Raises
    ------
    InvalidRequestError
        Both records and columns, neither, or columns of different lengths.
    InvalidRecordError
        A record cannot be stored; names its id and the reason.
    """
    if records is not None:
        if any(column is not None for column in (ids, vectors, metadata, texts)):
            raise InvalidRequestError(f"upsert got records and columns; expected {_COLUMNS}")
        batch = _from_records(rules, records)
    elif ids is None or vectors is None:
        raise InvalidRequestError(
            f"upsert got no {'ids' if ids is None else 'vectors'}; expected {_COLUMNS}"
        )
    else:
        batch = _from_columns(rules, ids, vectors, metadata, texts)
    return _last_of_duplicates(batch)


def _from_records(rules: Rules, records: object) -> RecordBatch:
    if isinstance(records, RecordBatch):
        return _from_batch(rules, records)
    items = check_sequence(records, "records")
    for at, item in enumerate(items):
        if not isinstance(item, VectorRecord):
            raise InvalidRequestError(
                f"records[{at}] is {type(item).__name__}; expected VectorRecord"
            )
    rows = cast("Sequence[VectorRecord[Any]]", items)
    ids = [check_id(row.id) for row in rows]
    return RecordBatch(
        ids=ids,
        vectors=_stack(rules, ids, [row.vector for row in rows]),
        metadata=check_metadata(rules, ids, [row.metadata for row in rows]),
        texts=check_texts(ids, [row.text for row in rows]),
    )


def _from_batch(rules: Rules, batch: RecordBatch) -> RecordBatch:
    """Take a batch of a scan as it is; records without a vector stay without."""
    if batch.vectors is None and len(batch):
        raise InvalidRequestError("the batch has no vectors; scan with include=('vector', …)")
    if batch.cursor is not None and None in (batch.metadata, batch.texts) and len(batch):
        raise InvalidRequestError(  # an upsert replaces whole records
            "the batch of a scan lacks metadata or texts, which writing it would erase; "
            "scan with include=('metadata', 'text', 'vector')"
        )
    ids = check_ids(batch.ids)
    present = batch.present
    vectors = check_vectors(rules, ids, batch.vectors, present) if ids else _no_vectors(rules)
    return RecordBatch(
        ids=ids,
        vectors=vectors,
        metadata=check_metadata(rules, ids, batch.metadata),
        texts=check_texts(ids, batch.texts),
        present=None if present is None or bool(present.all()) else present,
    )


def _from_columns(
    rules: Rules, ids: object, vectors: object, metadata: object, texts: object
) -> RecordBatch:
    names = check_ids(ids)
    return RecordBatch(
        ids=names,
        vectors=check_vectors(rules, names, vectors),
        metadata=check_metadata(rules, names, column(metadata, "metadata", names)),
        texts=check_texts(names, column(texts, "texts", names)),
    )


def column(values: object, what: str, ids: Sequence[str]) -> Sequence[Any] | None:
    """Return a column as long as the ids, or None."""
    if values is None:
        return None
    items = check_sequence(values, what)
    if len(items) != len(ids):
        raise InvalidRequestError(f"{len(items)} {what} for {len(ids)} ids; expected as many")
    return items


def _no_vectors(rules: Rules) -> Vector:
    return np.empty((0, rules.dimension), dtype=np.float32)


def _stack(rules: Rules, ids: Sequence[str], vectors: Sequence[Vector]) -> Vector:
    checked = list(map(_as_built, ids, vectors))
    for record_id, vector in zip(ids, checked, strict=True):
        if len(vector) != rules.dimension:
            raise DimensionMismatchError(
                f"record {record_id!r} has {len(vector)} dimensions; "
                f"the collection has {rules.dimension}"
            )
    if not ids:
        return _no_vectors(rules)
    return check_vectors(rules, ids, np.stack(checked))


def _as_built(record_id: str, vector: Vector) -> Vector:
    """Check a vector again: assigning to a record checks nothing."""
    if type(vector) is np.ndarray and vector.ndim == 1 and vector.dtype == np.float32:
        return vector
    try:
        return as_vector(vector)
    except ValueError as exc:
        raise InvalidRecordError(f"record {record_id!r}: vector: {exc}") from None


def check_vectors(
    rules: Rules,
    ids: Sequence[str],
    vectors: object,
    present: npt.NDArray[np.bool_] | None = None,
) -> Vector:
    """Return `(n, dimension)` float32 vectors for `n` ids, finite and not zero for cosine."""
    array = as_numbers(vectors, "vectors")
    if not ids and array.size == 0:
        return _no_vectors(rules)
    if array.ndim != 2:
        raise InvalidRequestError(
            f"vectors have shape {array.shape}; expected ({len(ids)}, {rules.dimension})"
        )
    if len(array) != len(ids):
        raise InvalidRequestError(f"{len(array)} vectors for {len(ids)} ids; expected as many")
    if array.shape[1] != rules.dimension:
        raise DimensionMismatchError(
            f"record {ids[0]!r} and the others have {array.shape[1]} dimensions; "
            f"the collection has {rules.dimension}"
        )
    block = to_float32(array)
    for row in faulty_rows(block, rules.metric):
        if present is None or present[row]:
            raise InvalidRecordError(f"record {ids[row]!r}: vector {vector_fault(block[row])}")
    return block


def check_metadata(
    rules: Rules, ids: Sequence[str], metadata: Sequence[Any] | None
) -> list[MetadataDict]:
    """Return plain, checked copies; without metadata every record gets an empty object."""
    if metadata is None:
        if rules.model is None:
            return [{} for _ in ids]
        metadata = [None] * len(ids)
    plain: list[MetadataDict] = []
    for record_id, item in zip(ids, metadata, strict=True):
        value = normalise(_untyped(rules, record_id, item), record_id)
        check_metadata_size(rules, record_id, value)
        plain.append(value)
    return plain


def check_merged(rules: Rules, ids: Sequence[str], metadata: Sequence[MetadataDict]) -> None:
    """Hold the outcome of an update against the rules; what is stored is what was merged."""
    for record_id, item in zip(ids, metadata, strict=True):
        if rules.model is not None:
            _validated(rules.model, record_id, item)
        check_metadata_size(rules, record_id, item)


def check_set(rules: Rules, values: object) -> MetadataDict:
    """Return the plain `set=` of an update, converted by the model of a typed collection."""
    plain = normalise(values, None)
    if rules.model is None:
        return plain
    fields = {
        field.serialization_alias or field.alias or name: field
        for name, field in rules.model.model_fields.items()
    }
    converted: MetadataDict = {}
    for key, value in plain.items():
        if (field := fields.get(key)) is None:
            if rules.model.model_config.get("extra") == "allow":
                converted[key] = value
                continue
            raise InvalidRecordError(
                f"set[{key!r}]: {rules.model.__name__} has no such field; "
                f"it has {', '.join(sorted(fields))}"
            )
        try:
            annotated: Any = Annotated[field.annotation, field]
            adapter: TypeAdapter[Any] = TypeAdapter(annotated)
            converted[key] = adapter.dump_python(adapter.validate_python(value), by_alias=True)
        except ValidationError as exc:
            raise InvalidRecordError(f"set[{key!r}]: {_detail(exc)}") from exc
    return normalise(converted, None)


def check_metadata_size(rules: Rules, record_id: str, metadata: MetadataDict) -> None:
    """Raise `InvalidRecordError` for metadata over `max_metadata_bytes`."""
    most = rules.max_metadata_bytes
    if size_at_most(metadata) > most and (size := size_of(metadata)) > most:
        raise InvalidRecordError(
            f"record {record_id!r}: metadata has {size} bytes of JSON; expected at most "
            f"{most}; raise max_metadata_bytes of the store, or store less"
        )


def _untyped(rules: Rules, record_id: str, item: object) -> object:
    """Validate against the model of a typed collection; turn models into dicts."""
    if rules.model is None:
        if item is None:
            return {}
        return (
            item.model_dump(by_alias=True, round_trip=True) if isinstance(item, BaseModel) else item
        )
    if isinstance(item, BaseModel):  # validated again: attributes may have changed since
        item = item.model_dump(by_alias=True, round_trip=True)
    return _validated(rules.model, record_id, {} if item is None else item).model_dump(
        by_alias=True, round_trip=True
    )


def _validated(model: type[BaseModel], record_id: str, item: object) -> BaseModel:
    try:
        return model.model_validate(item)
    except ValidationError as exc:
        raise InvalidRecordError(
            f"record {record_id!r}: metadata does not fit {model.__name__}: {_detail(exc)}"
        ) from exc


def _detail(exc: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, error['loc'])) or 'value'}: {error['msg']}"
        for error in exc.errors(include_url=False, include_input=False)
    )


def check_texts(ids: Sequence[str], texts: Sequence[Any] | None) -> list[str | None]:
    """Return texts, each a str without lone surrogates or None."""
    if texts is None:
        return [None] * len(ids)
    for record_id, text in zip(ids, texts, strict=True):
        if text is None:
            continue
        if not isinstance(text, str):
            raise InvalidRecordError(
                f"record {record_id!r}: text is {type(text).__name__}; expected str or None"
            )
        if has_surrogate(text):
            raise InvalidRecordError(
                f"record {record_id!r}: text holds a lone surrogate; remove it"
            )
    return [None if text is None else str.__str__(text) for text in texts]


def _last_of_duplicates(batch: RecordBatch) -> RecordBatch:
    last = {record_id: row for row, record_id in enumerate(batch.ids)}
    return batch if len(last) == len(batch) else batch.take(sorted(last.values()))


def sizes_of(batch: RecordBatch, namespace: str, *, exact: bool) -> list[int]:
    """Return the UTF-8 bytes of id, namespace, text and compact JSON of each record.

    Not exact: what those surely do not exceed, a little more at most.
    """
    json_bytes = size_of if exact else size_at_most
    assert batch.metadata is not None
    assert batch.texts is not None
    space = len(namespace.encode())
    return [
        space + len(record_id.encode()) + len((text or "").encode()) + json_bytes(metadata)
        for record_id, text, metadata in zip(batch.ids, batch.texts, batch.metadata, strict=True)
    ]


def check_sizes(
    batch: RecordBatch, namespace: str, limits: Limits, sizes: Sequence[int], store: str
) -> None:
    """Hold every record against what the store can take."""
    assert batch.texts is not None
    ids, texts = batch.ids, [text or "" for text in batch.texts]
    _check_bytes([namespace], limits.namespace_bytes, store, lambda _: f"namespace {namespace!r}")
    _check_bytes(ids, limits.id_bytes, store, lambda at: f"record {ids[at]!r}: id")
    _check_bytes(texts, limits.text_bytes, store, lambda at: f"record {ids[at]!r}: text")
    if limits.record_bytes is None:
        return
    for record_id, size in zip(ids, sizes, strict=True):
        if size > limits.record_bytes:
            raise InvalidRecordError(
                f"record {record_id!r} has {size} bytes; {store} holds at most "
                f"{limits.record_bytes} in one record (id, text and metadata together)"
            )


def _check_bytes(
    values: Sequence[str], limit: int | None, store: str, subject: Callable[[int], str]
) -> None:
    """Hold each of some texts against a limit; `subject` names the one in a place."""
    if limit is None or 4 * max(map(len, values), default=0) <= limit:
        return
    for at, value in enumerate(values):
        if (size := len(value.encode())) > limit:
            raise InvalidRecordError(
                f"{subject(at)} has {size} bytes of UTF-8; {store} holds {limit}"
            )


def split(batch: RecordBatch, sizes: Sequence[int], limits: Limits) -> Iterator[RecordBatch]:
    """Cut a batch so that each part keeps to the store's count and byte limits."""
    per_vector = 0 if batch.vectors is None else 4 * batch.vectors.shape[1]
    start, used = 0, 0
    for row, size in enumerate(sizes):
        need = size + per_vector
        full = row - start >= limits.batch_records
        if limits.batch_bytes is not None and used + need > limits.batch_bytes and row > start:
            full = True
        if full:
            yield batch.slice(start, row)
            start, used = row, 0
        used += need
    if start < len(batch):
        yield batch.slice(start, len(batch))
