"""All verbs in random order against a naive model of dicts: 300 runs on the memory store.

`poor://` is the same store with the longer ways of the core, and takes some three times as long.
"""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from polyvec.testing.lab import Lab, Pool
from polyvec.testing.machine import machine_for
from polyvec.testing.random_cases import stress
from polyvec.testing.rules import Sharing

RUNS: Final = {"memory://": 300, "poor://": 100}
STEPS: Final = 20


def _as_it_is(value: Any) -> Any:
    return value


@pytest.mark.parametrize("url", RUNS)
def test_all_verbs_against_a_model(url: str) -> None:
    pool = Pool(url, Sharing.PRIVATE)
    lab = Lab(pool, _as_it_is, RUNS[url])
    try:
        run_state_machine_as_test(
            machine_for(lab), settings=settings(stress(RUNS[url]), stateful_step_count=STEPS)
        )
    finally:
        lab.close()
        pool.close()
