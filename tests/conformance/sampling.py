"""Which cases of the filter corpus a run of the tests takes from each class.

Every case runs on every backend in its first, synchronous class. What else speaks to the same
server, or is the same adapter in another colour, shares the translation of filters, which is what
the corpus is about: there each fourth case runs, another quarter in each class, which spares a run
the largest part of its time. `POLYVEC_TEST_ALL=1`, and `polyvec conformance URL`, run all of them.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final
from zlib import crc32

if TYPE_CHECKING:
    import pytest

ONE_OF: Final = 4
REPEATING: Final = frozenset(
    {
        "TestChromaMemory",  # the engine of the server, in this process
        "TestChromaServerAsync",
        "TestMemoryAsync",
        "TestMemoryDirectory",
        "TestMemoryDirectoryAsync",
        "TestMilvusAsync",
        "TestPgvectorAsync",
        "TestPgvectorTransactionPooling",
        "TestPineconeAsync",
        "TestPoorStoreAsync",
        "TestQdrantServerAsync",
        "TestQdrantServerGrpc",
        "TestWeaviateAsync",
    }
)


def is_left_out(item: pytest.Item) -> bool:
    """Tell whether a test is a case that this run does not take."""
    place = getattr(item, "cls", None)
    call = getattr(item, "callspec", None)
    if place is None or place.__name__ not in REPEATING or call is None:
        return False
    if "case" not in call.indices or not place.__module__.startswith("tests.conformance."):
        return False
    return bool((call.indices["case"] + crc32(place.__name__.encode())) % ONE_OF)


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
