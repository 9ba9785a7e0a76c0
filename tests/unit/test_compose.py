"""The form of compose/compose.yaml: no engine has to be there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml  # type: ignore[import-untyped]  # it is here by way of mkdocs, its stubs are not
from tests.services import MODULES

COMPOSE: Final = Path(__file__).parents[2] / "compose" / "compose.yaml"
DOCUMENT: Final[dict[str, Any]] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
SERVICES: Final[dict[str, dict[str, Any]]] = DOCUMENT["services"]


def test_there_is_a_service_for_every_backend_that_docker_can_give() -> None:
    folder = Path(__file__).parents[1] / "services"
    asked = re.compile(r"docker\.up\(\"([a-z]+)\"")
    for backend in MODULES:
        text = (folder / f"{backend}.py").read_text(encoding="utf-8")
        assert set(asked.findall(text)) <= set(SERVICES)


@pytest.mark.parametrize("name", sorted(name for name in SERVICES if "image" in SERVICES[name]))
def test_a_service_is_pinned_healthy_and_on_loopback(name: str) -> None:
    service = SERVICES[name]
    image, _, tag = str(service["image"]).rpartition(":")
    assert image
    assert re.search(r"\d+\.\d+", tag), "a version, not a moving tag"
    assert service["healthcheck"]["test"]
    for port in service["ports"]:
        assert re.fullmatch(r"127\.0\.0\.1::\d+", port), "a free port of loopback only"
