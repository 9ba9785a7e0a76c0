"""The table at the end of a run: no backend may go missing in silence."""

from __future__ import annotations

from collections import Counter

import pytest
from tests.services import summary


@pytest.mark.parametrize(
    ("node", "backend"),
    [
        ("tests/conformance/test_pgvector.py::TestPgvector::test_x[a]", "pgvector"),
        ("tests/adapters/pgvector/test_server.py::test_x", "pgvector"),
        ("tests/adapters/live/test_faults.py::test_refused[pgvector]", "pgvector"),
        ("tests/adapters/live/test_hostile.py::test_ids[pgvector-ids]", "pgvector"),
        ("tests/conformance/test_memory.py::TestMemory::test_x", None),
        ("tests/adapters/third_party/test_sqlite.py::test_x", None),
        ("tests/unit/test_url.py::test_x[pgvector]", None),
    ],
)
def test_a_test_is_counted_for_its_backend(node: str, backend: str | None) -> None:
    assert summary.backend_of(node) == backend


def test_a_backend_without_a_server_is_missing() -> None:
    counted = {"pgvector": Counter(passed=3), "chroma": Counter(skipped=9)}
    found = {"pgvector": "PostgreSQL 18", "chroma": f"{summary.NOT_RUN}: no package"}
    assert summary.missing(found, counted) == ["chroma"]


def test_a_backend_whose_tests_asked_for_no_server_is_not_missing() -> None:
    assert summary.missing({}, {"chroma": Counter(passed=9)}) == []
