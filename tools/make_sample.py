"""Cut the sample that ships with polyvec out of the full WordNet embeddings.

`python tools/make_sample.py PATH` reads a Parquet file with the columns id, text, pos, topic,
lemmas, relations and vector_int8, and writes 2,000 of its rows to
`src/polyvec/data/wordnet-sample.parquet`. Half of the rows are neighbourhoods (an anchor and the
records closest to it), so that a query over so small a cut still finds relatives; the other half
is drawn at random. The same input and seed give the same rows.
"""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

ROWS: Final = 2000
ANCHORS: Final = 100
NEIGHBOURS: Final = 10
MAX_BYTES: Final = 1_500_000
TARGET: Final = Path(__file__).parents[1] / "src/polyvec/data/wordnet-sample.parquet"


def choose(vectors: npt.NDArray[np.float32], seed: int) -> npt.NDArray[np.intp]:
    """Return the sorted row numbers of the sample.

    Parameters
    ----------
    vectors
        Shape `(n, dimension)`, unit length, at least `ROWS` of them.
    seed
        Of the anchors and of the random half.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(vectors))
    similarity = vectors[order[:ANCHORS]] @ vectors.T
    chosen = dict.fromkeys(np.argsort(-similarity, axis=1, kind="stable")[:, :NEIGHBOURS].flat)
    for row in order[ANCHORS:]:
        if len(chosen) >= ROWS:
            break
        chosen.setdefault(row)
    return np.sort(np.fromiter(chosen, dtype=np.intp))


def main() -> None:
    """Write the sample, and say what was written."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("source", type=Path, help="the full Parquet file")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--target", type=Path, default=TARGET, help="default: %(default)s")
    arguments = parser.parse_args()

    parquet: Any = importlib.import_module("pyarrow.parquet")  # it ships no type information
    table = parquet.read_table(arguments.source)
    vectors = table["vector_int8"].combine_chunks().flatten().to_numpy().astype(np.float32)
    vectors = vectors.reshape(table.num_rows, -1)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    sample = table.take(choose(vectors, arguments.seed)).replace_schema_metadata(None)
    target: Path = arguments.target
    parquet.write_table(sample, target, compression="zstd", compression_level=19)

    size = target.stat().st_size
    if size > MAX_BYTES:
        raise SystemExit(f"{target} has {size} bytes; expected at most {MAX_BYTES}")
    print(f"{target}: {sample.num_rows} records, {size} bytes")


if __name__ == "__main__":
    main()
