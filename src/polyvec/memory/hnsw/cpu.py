"""Which instructions compare int8 codes: chosen once, when the index is loaded.

- `vnni`: AVX-512 VNNI, which multiplies and adds 64 codes at a time (Intel since Ice Lake, AMD
  since Zen 4).
- `portable`: what numba makes of a loop for this processor.

Both give the same integers, hence the same graph and the same answers.
"""

from __future__ import annotations

import os
from typing import Any, Final, cast

from polyvec.errors import ConfigError
from polyvec.memory.hnsw_kernel import PORTABLE, VARIABLE, VNNI, wanted

NEEDED: Final = ("avx512vnni", "avx512bw", "avx512f")
"""Features of a processor by LLVM's names that `vnni` needs; `bw` masks single bytes."""


def has_vnni() -> bool:
    """Tell whether the compiler knows this processor to have what `vnni` needs."""
    from llvmlite import binding  # type: ignore[import-untyped]  # it ships no types

    features = cast("Any", binding).get_host_cpu_features()
    return all(features.get(name) for name in NEEDED)


def choose() -> str:
    """Return which instructions to use: the variable's choice, or the fastest that there are.

    Raises
    ------
    ConfigError
        The variable names none, or one that this processor lacks.
    """
    asked = wanted()
    if asked == PORTABLE:
        return PORTABLE
    # Uncompiled code has no instructions of its own.
    if os.environ.get("NUMBA_DISABLE_JIT", "0") == "0" and has_vnni():
        return VNNI
    if asked == VNNI:
        raise ConfigError(
            f"{VARIABLE}={VNNI!r}: this processor lacks {', '.join(NEEDED)}, or numba does not "
            f"compile; set it to {PORTABLE!r}, or leave it out"
        )
    return PORTABLE


CHOSEN: Final = choose()
