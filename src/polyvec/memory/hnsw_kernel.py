"""The environment variable that forces a kernel of the graph index; read without numba."""

from __future__ import annotations

import os
from typing import Final

from polyvec.errors import ConfigError

VARIABLE: Final = "POLYVEC_HNSW_KERNEL"

PORTABLE: Final = "portable"
VNNI: Final = "vnni"


def wanted() -> str:
    """Return the kernel that the variable names, empty for the faster one.

    Raises
    ------
    ConfigError
        It names none.
    """
    name = os.environ.get(VARIABLE, "")
    if name not in ("", PORTABLE, VNNI):
        raise ConfigError(
            f"{VARIABLE}={name!r}: expected {PORTABLE!r}, {VNNI!r}, or nothing for the faster one"
        )
    return name
