"""Services of `compose/compose.yaml`, when a Docker engine answers."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Final

COMPOSE: Final = Path(__file__).parents[2] / "compose" / "compose.yaml"
ENGINE_ANSWERS_WITHIN_S: Final = 10
HEALTHY_WITHIN_S: Final = 300


@cache
def has_engine() -> bool:
    """Tell whether there is a Docker command and an engine behind it."""
    docker = shutil.which("docker")
    if docker is None:
        return False
    try:
        asked = subprocess.run(
            [docker, "info"], capture_output=True, check=False, timeout=ENGINE_ANSWERS_WITHIN_S
        )
    except subprocess.TimeoutExpired:
        return False
    return asked.returncode == 0


def up(service: str, port: int) -> tuple[str, int]:
    """Start a service, wait until it is healthy, and return where its port is on this machine."""
    compose = [str(shutil.which("docker")), "compose", "--file", str(COMPOSE)]
    start = [*compose, "up", "--detach", "--wait", service]
    subprocess.run(start, check=True, capture_output=True, timeout=HEALTHY_WITHIN_S)
    asked = subprocess.run(
        [*compose, "port", service, str(port)], check=True, capture_output=True, text=True
    )
    host, _, number = asked.stdout.strip().rpartition(":")
    return host, int(number)


def down(service: str) -> None:
    """Remove a service and its data."""
    compose = [str(shutil.which("docker")), "compose", "--file", str(COMPOSE)]
    remove = [*compose, "rm", "--stop", "--force", "--volumes", service]
    subprocess.run(remove, check=False, capture_output=True)
