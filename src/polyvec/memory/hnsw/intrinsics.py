"""Two instructions that no loop in Python turns into: a prefetch and a product of bytes.

Addresses are numbers; nothing here knows how long an array is. Uncompiled (`NUMBA_DISABLE_JIT=1`)
the prefetch does nothing, and the product is never asked for (see `cpu`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import numba as _numba
from llvmlite import ir as _ir  # type: ignore[import-untyped]  # it ships no types
from numba.core import cgutils as _cgutils
from numba.extending import intrinsic as _intrinsic

if TYPE_CHECKING:
    from collections.abc import Callable

# None of them has types that say anything.
numba, ir, cgutils, intrinsic = (cast("Any", each) for each in (_numba, _ir, _cgutils, _intrinsic))

LINE: Final = 64
"""Bytes of a line of the cache, and of a register."""

LANES: Final = LINE // 4

_INT: Final[Any] = ir.IntType(32)
_BYTES: Final[Any] = ir.VectorType(ir.IntType(8), LINE)
_SUMS: Final[Any] = ir.VectorType(_INT, LANES)
_LONG: Final[Any] = ir.IntType(64)

COMPILED: Final[bool] = not numba.config.DISABLE_JIT


def _prefetch(typing: Any, address: Any) -> tuple[Any, Callable[..., Any]]:
    """Ask for a line of the cache: read, keep in all levels (LLVM's `llvm.prefetch`)."""

    def emit(context: Any, builder: Any, _: Any, args: Any) -> Any:
        pointer = builder.inttoptr(args[0], ir.IntType(8).as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, _INT, _INT, _INT])
        call = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(call, [pointer, _INT(0), _INT(3), _INT(1)])
        return context.get_dummy_value()

    return numba.types.void(numba.types.int64), emit


def _dot_four(
    typing: Any, query: Any, one: Any, two: Any, three: Any, four: Any, size: Any, out: Any
) -> tuple[Any, Callable[..., Any]]:
    """Write the products of a query with four rows to `out`, as int32.

    The query is `size` unsigned bytes, and zeros up to a multiple of 64; rows are signed bytes.
    `vpdpbusd` adds four products to each of 16 sums (Intel, Intrinsics Guide,
    `_mm512_dpbusd_epi32`). The last bytes of a row are read under a mask, so that nothing
    beyond it is touched.
    """

    def emit(context: Any, builder: Any, _: Any, args: Any) -> Any:
        base, rows, count, out = args[0], args[1:5], args[5], args[6]
        sums = [cgutils.alloca_once(builder, _SUMS) for _ in rows]
        for each in sums:
            builder.store(ir.Constant(_SUMS, [0] * LANES), each)
        kind = ir.FunctionType(_SUMS, [_SUMS, _SUMS, _SUMS])
        name = "llvm.x86.avx512.vpdpbusd.512"
        add = cgutils.get_or_insert_function(builder.module, kind, name)

        def load(address: Any) -> Any:
            pointer = builder.inttoptr(address, _SUMS.as_pointer())
            return builder.load(pointer, align=1)

        def add_all(offset: Any, read: Callable[[Any], Any]) -> None:
            asked = load(builder.add(base, offset))
            for each, row in zip(sums, rows, strict=True):
                found = read(builder.add(row, offset))
                builder.store(builder.call(add, [builder.load(each), asked, found]), each)

        with cgutils.for_range(builder, builder.udiv(count, _LONG(LINE))) as loop:
            add_all(builder.mul(loop.index, _LONG(LINE)), load)
        rest = builder.and_(count, _LONG(LINE - 1))
        with builder.if_then(builder.icmp_unsigned("!=", rest, _LONG(0))):
            bits = builder.sub(builder.shl(_LONG(1), rest), _LONG(1))
            mask = builder.bitcast(bits, ir.VectorType(ir.IntType(1), LINE))
            add_all(builder.sub(count, rest), lambda address: _load_some(builder, address, mask))
        total = ir.FunctionType(_INT, [_SUMS])
        add_up = cgutils.get_or_insert_function(
            builder.module, total, "llvm.vector.reduce.add.v16i32"
        )
        for at, each in enumerate(sums):
            pointer = builder.inttoptr(builder.add(out, _LONG(4 * at)), _INT.as_pointer())
            builder.store(builder.call(add_up, [builder.load(each)]), pointer)
        return context.get_dummy_value()

    return numba.types.void(*[numba.types.int64] * 7), emit


def _load_some(builder: Any, address: Any, mask: Any) -> Any:
    """Load the bytes that a mask names, zeros for the others."""
    pointer = builder.inttoptr(address, _BYTES.as_pointer())
    flags = ir.VectorType(ir.IntType(1), LINE)
    kind = ir.FunctionType(_BYTES, [pointer.type, _INT, flags, _BYTES])
    call = cgutils.get_or_insert_function(builder.module, kind, "llvm.masked.load.v64i8.p0")
    zeros = ir.Constant(_BYTES, [0] * LINE)
    return builder.bitcast(builder.call(call, [pointer, _INT(1), mask, zeros]), _SUMS)


def _nothing(address: int) -> None:
    """Stand in for the prefetch where nothing is compiled."""


prefetch: Callable[..., None] = intrinsic(_prefetch) if COMPILED else _nothing
dot_four: Callable[..., None] = intrinsic(_dot_four)
