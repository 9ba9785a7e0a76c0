"""What a copy tells while it runs and when it is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from polyvec.migrate.content import Difference


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a copy has come.

    Parameters
    ----------
    phase
        `"copy"` or `"verify"`.
    namespace
        The one under way.
    done
        Records of all namespaces so far, in this phase.
    total
        Records of all namespaces; None when a filter chooses them.
    """

    phase: str
    namespace: str
    done: int
    total: int | None


@dataclass(frozen=True, slots=True)
class CopyReport:
    """The outcome of a copy.

    Parameters
    ----------
    collection, to
        Names in the source and in the target.
    copied
        Namespace to the records that were written.
    without_vector
        Records among them that have no vector: counted and scanned, never found by a query.
    verified
        Whether the target was read back and compared.
    differences
        What the comparison found, at most `copy_async.MAX_DIFFERENCES`; empty without `verified`.
    """

    collection: str
    to: str
    copied: dict[str, int]
    without_vector: int
    verified: bool
    differences: tuple[Difference, ...]

    @property
    def count(self) -> int:
        """Records written, over all namespaces."""
        return sum(self.copied.values())

    @property
    def ok(self) -> bool:
        """Whether no difference was found."""
        return not self.differences
