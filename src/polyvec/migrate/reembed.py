"""New vectors for the texts of a collection, never computed twice.

A cache in the journal's directory, keyed by the name of the model and a hash of the text, is what
makes a resumed migration, and its verification, cost no embedding again.
"""

from __future__ import annotations

import hashlib
import importlib
import sqlite3
from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import numpy as np

from polyvec.errors import InvalidRequestError, MigrationError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from polyvec.records import RecordBatch
    from polyvec.types import Vector

    Embed: TypeAlias = Callable[[list[str]], npt.ArrayLike]

CACHE_NAME: Final = "embeddings.sqlite"
CHUNK: Final = 500
NO_TEXT: Final = "it has no text to embed"


def name_of(embed: Embed | str) -> str:
    """Return `package.module:function` of a function, or the text itself."""
    if isinstance(embed, str):
        return embed
    return f"{getattr(embed, '__module__', '?')}:{getattr(embed, '__qualname__', repr(embed))}"


def load(name: str) -> Embed:
    """Return the function that `package.module:function` names.

    Raises
    ------
    InvalidRequestError
        It cannot be imported, or is no function.
    """
    module, _, attribute = name.partition(":")
    if not module or not attribute:
        raise InvalidRequestError(f"reembed={name!r}: expected 'package.module:function'")
    try:
        found: Any = importlib.import_module(module)
        for step in attribute.split("."):
            found = getattr(found, step)
    except (ImportError, AttributeError) as exc:
        raise InvalidRequestError(f"reembed={name!r}: {exc}") from None
    if not callable(found):
        raise InvalidRequestError(f"reembed={name!r} is a {type(found).__name__}, no function")
    return cast("Embed", found)


def dimension_of(embed: Embed) -> int:
    """Return the length of the vectors that a function makes, by asking it for one."""
    return int(_embedded(embed, ["dimension"], None).shape[1])


def _embedded(embed: Embed, texts: list[str], dimension: int | None) -> Vector:
    """Call the function and check what it returns."""
    made = np.asarray(embed(texts), dtype=np.float32)
    if made.ndim != 2 or len(made) != len(texts) or (dimension and made.shape[1] != dimension):
        wanted = f"({len(texts)}, {dimension or 'dimension'})"
        raise MigrationError(f"the embedder returned shape {made.shape}; expected {wanted}")
    if not np.isfinite(made).all():
        raise MigrationError("the embedder returned numbers that are not finite")
    return made


class Reembedder:
    """Replaces the vectors of batches.

    Parameters
    ----------
    embed
        `n` texts to `(n, dimension)` numbers; called from several threads.
    model
        Name of the model, part of the cache's key.
    dimension
        Of the new vectors.
    folder
        Where the cache is.
    """

    def __init__(self, embed: Embed, model: str, dimension: int, folder: Path) -> None:
        self._embed = embed
        self._model = model
        self._dimension = dimension
        self._guard = Lock()
        self.embedded = 0
        """Texts that were embedded by this run; the others came from the cache."""
        self._base = sqlite3.connect(
            folder / CACHE_NAME, check_same_thread=False, isolation_level=None
        )
        self._base.execute("PRAGMA journal_mode = WAL")
        self._base.execute("PRAGMA synchronous = NORMAL")
        self._base.execute(
            "CREATE TABLE IF NOT EXISTS vectors (model TEXT, hash BLOB, vector BLOB NOT NULL, "
            "PRIMARY KEY (model, hash)) WITHOUT ROWID"
        )

    def close(self) -> None:
        """Close the cache."""
        with self._guard:
            self._base.close()

    def __call__(self, batch: RecordBatch) -> tuple[RecordBatch, dict[int, str]]:
        """Return the batch with new vectors, and the rows that have no text."""
        assert batch.texts is not None
        bare = {row: NO_TEXT for row, text in enumerate(batch.texts) if text is None}
        texts = {text: self._hash(text) for text in batch.texts if text is not None}
        known = self._cached(list(texts.values()))
        missing = [text for text, digest in texts.items() if digest not in known]
        if missing:
            made = _embedded(self._embed, missing, self._dimension)
            self._store([(texts[text], row) for text, row in zip(missing, made, strict=True)])
            known.update((texts[text], row) for text, row in zip(missing, made, strict=True))
        vectors = np.zeros((len(batch), self._dimension), dtype=np.float32)
        for row, text in enumerate(batch.texts):
            if text is not None:
                vectors[row] = known[texts[text]]
        return replace(batch, vectors=vectors, present=None), bare

    @staticmethod
    def _hash(text: str) -> bytes:
        return hashlib.blake2b(text.encode(), digest_size=20).digest()

    def _cached(self, hashes: Sequence[bytes]) -> dict[bytes, Vector]:
        found: dict[bytes, Vector] = {}
        with self._guard:
            for start in range(0, len(hashes), CHUNK):
                part = hashes[start : start + CHUNK]
                marks = ", ".join("?" * len(part))
                rows = self._base.execute(
                    f"SELECT hash, vector FROM vectors WHERE model = ? AND hash IN ({marks})",  # noqa: S608 - question marks
                    (self._model, *part),
                )
                found.update((digest, np.frombuffer(data, np.float32)) for digest, data in rows)
        return found

    def _store(self, rows: list[tuple[bytes, Vector]]) -> None:
        with self._guard:
            self.embedded += len(rows)
            self._base.execute("BEGIN IMMEDIATE")
            self._base.executemany(
                "INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)",
                [(self._model, digest, vector.tobytes()) for digest, vector in rows],
            )
            self._base.execute("COMMIT")
