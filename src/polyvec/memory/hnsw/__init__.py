"""A graph index after Malkov and Yashunin, in Python that numba compiles.

"Efficient and robust approximate nearest neighbor search using Hierarchical
Navigable Small World graphs", arXiv:1603.09320. The routines carry the numbers
of its algorithms. They run as plain Python under `NUMBA_DISABLE_JIT=1`.
"""

from __future__ import annotations

from polyvec.memory.hnsw.graph import Graph

__all__ = ["Graph"]
