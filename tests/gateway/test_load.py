"""The load script for a moment: every answer right, no write lost."""

from __future__ import annotations

import json

import pytest
from tests.gateway import load


def test_many_clients_lose_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    code = load.main(["--clients", "16", "--seconds", "1.5", "--records", "500"])
    report = json.loads(capfd.readouterr().out)
    assert code == 0, report
    assert (report["errors"], report["lost_writes"]) == (0, 0)
    assert report["requests_per_s"] > 0
