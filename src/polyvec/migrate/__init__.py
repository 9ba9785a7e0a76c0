"""Moving collections between stores.

`polyvec.migrate(source, target, "articles")` is `polyvec.migrate.migrate`; `copy_collection` is
the plain copy in one pass that `export` and `import` use.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from polyvec.migrate.content import Difference, content_hash
from polyvec.migrate.copy import copy_collection
from polyvec.migrate.copy_async import copy_collection as copy_collection_async
from polyvec.migrate.cutover import cutover, rollback
from polyvec.migrate.dual_write import DualWriteStore, dual_write_async
from polyvec.migrate.in_thread import make_plan_async, migrate_async, verify_async
from polyvec.migrate.migration import make_plan, migrate, verify
from polyvec.migrate.plan import Plan, load_plan
from polyvec.migrate.report import CopyReport, Progress
from polyvec.migrate.results import MigrationReport, VerifyReport
from polyvec.migrate.shadow import ShadowReader, ShadowReport

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "CopyReport",
    "Difference",
    "DualWriteStore",
    "MigrationReport",
    "Plan",
    "Progress",
    "ShadowReader",
    "ShadowReport",
    "VerifyReport",
    "content_hash",
    "copy_collection",
    "copy_collection_async",
    "cutover",
    "dual_write_async",
    "load_plan",
    "make_plan",
    "make_plan_async",
    "migrate",
    "migrate_async",
    "rollback",
    "verify",
    "verify_async",
]


class _Migrate(ModuleType):
    """The package itself, which can be called: `polyvec.migrate(...)`."""

    migrate: Callable[..., MigrationReport]

    def __call__(self, *args: Any, **options: Any) -> MigrationReport:
        """Run `polyvec.migrate.migrate`."""
        return self.migrate(*args, **options)


sys.modules[__name__].__class__ = _Migrate
