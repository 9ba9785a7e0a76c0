"""Sample data that ships with polyvec: 2,000 WordNet synsets with their embeddings.

WordNet 3.0, Copyright 2006 by Princeton University; the licence is `LICENSE-wordnet.txt` in this
folder. The vectors are all-MiniLM-L6-v2 embeddings of the texts, stored as int8 per row.
"""

from __future__ import annotations

import importlib
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from polyvec.errors import MissingDependencyError
from polyvec.records import RecordBatch

__all__ = ["SAMPLE_PATH", "sample"]

SAMPLE_PATH: Final = Path(__file__).parent / "wordnet-sample.parquet"
"""Parquet: id, text, pos, topic, lemmas, relations, vector_int8."""


def sample() -> RecordBatch:
    """Return the sample: ids, unit vectors, metadata and texts of 2,000 records.

    The file is read once per process; every call returns its own copy.

    Returns
    -------
    RecordBatch
        `vectors` has shape `(2000, 384)`, float32, unit length. `metadata` has
        `pos` (noun, verb, adj, adv), `topic` (one of 45, such as
        `"noun.artifact"`), `lemmas` (a list of words) and `relations` (an int).
        `texts` are such as `"pickup: anything with restorative powers"`.

    Raises
    ------
    MissingDependencyError
        pyarrow is not installed.
    """
    batch = _read()
    assert batch.vectors is not None
    assert batch.metadata is not None
    assert batch.texts is not None
    return replace(
        batch,
        ids=list(batch.ids),
        vectors=batch.vectors.copy(),
        metadata=[{**fields, "lemmas": list(fields["lemmas"])} for fields in batch.metadata],
        texts=list(batch.texts),
    )


@cache
def _read() -> RecordBatch:
    try:
        parquet: Any = importlib.import_module("pyarrow.parquet")  # it ships no type information
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] != "pyarrow":
            raise
        raise MissingDependencyError(
            "the sample data is a Parquet file, and pyarrow is not installed; "
            "run: pip install 'polyvec[parquet]'"
        ) from missing
    table = parquet.read_table(SAMPLE_PATH)
    steps = table["vector_int8"].combine_chunks().flatten().to_numpy()
    vectors = np.ascontiguousarray(steps.reshape(table.num_rows, -1), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return RecordBatch(
        ids=table["id"].to_pylist(),
        vectors=vectors,
        metadata=table.select(["pos", "topic", "lemmas", "relations"]).to_pylist(),
        texts=table["text"].to_pylist(),
    )
