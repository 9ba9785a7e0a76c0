"""Whether a verb under way leaves the event loop free; written by hand, one colour has no loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from polyvec.capabilities import AsyncKind
from polyvec.testing.oracle import records
from polyvec.testing.rows import sample, vector
from polyvec.testing.rules import Area, AsyncArea, Tier

if TYPE_CHECKING:
    from polyvec.testing.lab_async import AsyncLab


class AsyncEventLoop(AsyncArea):
    """`capabilities.async_kind`, in both directions."""

    area = "event loop"
    tier = Tier.EXTENDED

    async def test_loop_is_free_while_a_verb_runs(self, lab: AsyncLab) -> None:
        rows = sample(50)
        space = await lab.filled(rows)
        turns = 0

        async def turning() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        other = asyncio.create_task(turning())
        try:
            calls = 0
            for at in range(10):
                await space.query(vector(at + 1), top_k=5)
                await space.upsert(records(rows))
                await space.count()
                calls += 3
        finally:
            other.cancel()
        # A verb that never gives the loop back lets no other task take a turn.
        if lab.capabilities.async_kind is AsyncKind.BLOCKING:
            assert turns < calls, "the store says that it blocks the loop, and does not"
        else:
            assert turns >= calls, f"other tasks had {turns} turns during {calls} calls"


class EventLoop(Area):
    """The synchronous store has no loop; the class keeps the composed suites twins."""
