"""The asynchronous form of a migration: it runs in a thread, the event loop stays free."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from polyvec.migrate import migration
from polyvec.migrate.watch import Stopped

if TYPE_CHECKING:
    from collections.abc import Callable

    from polyvec.migrate.plan import Plan
    from polyvec.migrate.report import Progress
    from polyvec.migrate.results import MigrationReport, VerifyReport
    from polyvec.migrate.sides import Endpoint

P = ParamSpec("P")
T = TypeVar("T")


async def migrate_async(*args: Any, **options: Any) -> MigrationReport:
    """Await `migrate`; takes what it takes.

    Open stores are handed over in their synchronous form. A migration whose task is cancelled
    ends after the batch under way; its journal can be resumed.
    """
    return await _in_thread(migration.migrate, args, options)


async def make_plan_async(
    source: Endpoint, target: Endpoint, collection: str, **options: Any
) -> Plan:
    """Await `make_plan`; takes what it takes."""
    return await _in_thread(migration.make_plan, (source, target, collection), options)


async def verify_async(
    source: Endpoint, target: Endpoint, collection: str, **options: Any
) -> VerifyReport:
    """Await `verify`; takes what it takes."""
    return await _in_thread(migration.verify, (source, target, collection), options)


async def _in_thread(work: Callable[..., T], args: tuple[Any, ...], options: dict[str, Any]) -> T:
    tell: Callable[[Progress], None] | None = options.pop("progress", None)
    cancelled = False

    def progress(step: Progress) -> None:
        if cancelled:
            raise Stopped
        if tell is not None:
            tell(step)

    call = asyncio.to_thread(work, *args, progress=progress, **options)
    task = asyncio.ensure_future(call)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        cancelled = True
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # retrieved: it is the end that was asked for
        raise
