"""What a migration leaves behind: the report of its verification, and its own."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from polyvec.migrate.content import Difference
from polyvec.migrate.sampling import chance

if TYPE_CHECKING:
    from pathlib import Path

    from polyvec.migrate.parity import Parity


@dataclass(frozen=True, slots=True)
class NamespaceCount:
    """Records that a namespace of the target should hold, and does."""

    source: int
    target: int


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """The outcome of a verification.

    Parameters
    ----------
    mode
        `"full"` or `"sample"`.
    namespaces
        Target namespace to its counts.
    compared
        Records read from both sides.
    population
        Records that they were chosen from; as many, where all were compared.
    seed
        Of the sample; the same seed chooses the same records. None where there is none.
    without_vector
        Of those, how many have no vector.
    left_out
        Dead letters: not in the target, by the record's own fault.
    counts
        `"missing"`, `"extra"` and `"differing"` to how many there are.
    missing, extra, differing
        The first thousand of each.
    vector_tolerance
        Relative error within which vectors count as equal: the coarser of the two stores'.
    queries
        Answers of both stores, None where no query was asked.
    """

    mode: str
    namespaces: dict[str, NamespaceCount]
    compared: int
    population: int
    seed: int | None
    without_vector: int
    left_out: int
    counts: dict[str, int]
    missing: list[Difference] = field(default_factory=list[Difference])
    extra: list[Difference] = field(default_factory=list[Difference])
    differing: list[Difference] = field(default_factory=list[Difference])
    vector_tolerance: float = 0.0
    queries: Parity | None = None

    @property
    def ok(self) -> bool:
        """Whether the target holds all of the source, equal, and nothing else."""
        return not self.left_out and not any(self.counts.values())

    def chance(self, differing: int = 1) -> float:
        """Return how likely at least one of so many differing records was compared, in [0, 1]."""
        return chance(self.population, self.compared, differing)

    def as_json(self) -> dict[str, Any]:
        """Return the report for a JSON file."""
        return {"ok": self.ok, "chance_of_one": self.chance(), **asdict(self)}


@dataclass(frozen=True, slots=True)
class MigrationReport:
    """The outcome of a migration.

    Parameters
    ----------
    collection, to
        Names in the source and in the target.
    digest
        Of the plan.
    journal
        The directory of the journal.
    copied
        Target namespace to the records that it acknowledged, over all runs.
    without_vector, left_out
        Records without a vector among them, and dead letters.
    ranges, ranges_resumed
        All, and how many of them an earlier run had begun and this one went on with.
    ranges_skipped
        Ranges that an earlier run had finished: they were not read again.
    copy_s
        Seconds of this run's copying.
    verification
        None where it was not asked for.
    """

    collection: str
    to: str
    digest: str
    journal: Path
    copied: dict[str, int]
    without_vector: int
    left_out: int
    ranges: int
    ranges_resumed: int
    ranges_skipped: int
    copy_s: float
    verification: VerifyReport | None

    @property
    def count(self) -> int:
        """Records that the target acknowledged, over all runs."""
        return sum(self.copied.values())

    @property
    def ok(self) -> bool:
        """Whether nothing was left out and the verification, if any, found no difference."""
        return not self.left_out and (self.verification is None or self.verification.ok)

    def as_json(self) -> dict[str, Any]:
        """Return the report for a JSON file."""
        return {
            "ok": self.ok,
            "collection": self.collection,
            "to": self.to,
            "plan": self.digest,
            "journal": str(self.journal),
            "count": self.count,
            "copied": self.copied,
            "without_vector": self.without_vector,
            "left_out": self.left_out,
            "ranges": self.ranges,
            "ranges_resumed": self.ranges_resumed,
            "ranges_skipped": self.ranges_skipped,
            "copy_s": round(self.copy_s, 3),
            "verification": None if self.verification is None else self.verification.as_json(),
        }
