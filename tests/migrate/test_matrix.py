"""A ring through all backends, there and back; `make test-migrate-matrix` runs every pair."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
from tests.migrate.records import adversarial
from tests.migrate.there_and_back import BACKENDS, opened, ring, there_and_back

RECORDS: Final = 240


def test_the_ring_has_every_backend_on_both_sides() -> None:
    assert {one for one, _ in ring()} == {other for _, other in ring()} == set(BACKENDS)


@pytest.mark.parametrize(("one", "other"), ring())
def test_records_come_back_as_they_were(one: str, other: str, tmp_path: Path) -> None:
    sample = adversarial(RECORDS)
    with opened(one, tmp_path / "one") as a, opened(other, tmp_path / "other") as b:
        there_and_back(a, b, sample, tmp_path)
