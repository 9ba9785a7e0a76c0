"""Which cases of the filter corpus a run of the tests takes from each class.

On every backend one class, the first and synchronous one, selects by every case; deletes and
updates by a filter, which share its translation and cost many times a read, take each fourth. What
else speaks to the same server, or is the same adapter in another colour, shares the translation,
too: there each twelfth case runs, others in each class, and a quarter of the random examples.
`POLYVEC_TEST_ALL=1`, and `polyvec conformance URL`, run all of them.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final
from zlib import crc32

if TYPE_CHECKING:
    import pytest

ONE_OF: Final = 12
OF_WRITES: Final = 4
OF_RANDOM: Final = 4
WRITES: Final = frozenset({"test_delete_by", "test_update_by"})
IN_PROCESS: Final = frozenset({"TestMemory", "TestPoorStore"})
"""Classes where a write costs no more than a read."""
REPEATING: Final = frozenset(
    {
        "TestChromaMemory",  # the engine of the server, in this process
        "TestChromaServerAsync",
        "TestEventualStore",
        "TestMemoryAsync",
        "TestMemoryDirectory",
        "TestMemoryDirectoryAsync",
        "TestMemoryHnsw",
        "TestMilvusAsync",
        "TestPgvectorAsync",
        "TestPgvectorTransactionPooling",
        "TestPineconeAsync",
        "TestPineconeGrpc",
        "TestPoorStoreAsync",
        "TestQdrantServerAsync",
        "TestQdrantServerGrpc",
        "TestWeaviateAsync",
    }
)


def one_of(class_name: str, test: str) -> int:
    """Return of how many cases a class takes one; 1 for all of them."""
    if class_name in REPEATING:
        return ONE_OF
    return OF_WRITES if test in WRITES and class_name not in IN_PROCESS else 1


def examples(class_name: str, asked: int) -> int:
    """Return how many random cases each test of the stress tier of a class gets."""
    if class_name not in REPEATING or os.environ.get("POLYVEC_TEST_ALL"):
        return asked
    return max(1, asked // OF_RANDOM)


def is_left_out(item: pytest.Item) -> bool:
    """Tell whether a test is a case that this run does not take."""
    place = getattr(item, "cls", None)
    call = getattr(item, "callspec", None)
    if place is None or call is None or "case" not in call.indices:
        return False
    if not place.__module__.startswith("tests.conformance."):
        return False
    every = one_of(place.__name__, item.name.partition("[")[0])
    return bool((call.indices["case"] + crc32(place.__name__.encode())) % every)


def take(items: list[pytest.Item], config: pytest.Config) -> None:
    """Deselect the cases that this run does not take."""
    if os.environ.get("POLYVEC_TEST_ALL"):
        return
    taken: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for item in items:
        (left_out if is_left_out(item) else taken).append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = taken
