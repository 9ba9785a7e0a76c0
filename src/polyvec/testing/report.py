"""What a conformance run found: cases, counts per area, and the table that shows them."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

    from rich.table import Table

FORMAT: Final = 1
"""Version of the JSON form."""
LONGEST_REASON: Final = 90


class Outcome(StrEnum):
    """How one case ended."""

    PASSED = "passed"
    GAP = "gap"
    """Failed, as declared."""
    FAILED = "failed"
    """Failed, or passed although a gap is declared, or its fixture failed."""
    SKIPPED = "skipped"
    """Does not apply to this store; the reason says why."""


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One test of one colour.

    Parameters
    ----------
    area, tier, colour
        Where it belongs.
    test
        Its name, cases in brackets.
    outcome
        How it ended.
    reason
        Of a skip or a gap; the error of a failure; else empty.
    seconds
        How long it took.
    """

    area: str
    tier: str
    colour: str
    test: str
    outcome: Outcome
    reason: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Report:
    """A whole run.

    Parameters
    ----------
    url
        The store, secrets masked.
    backend
        Name of the backend.
    polyvec
        Version of polyvec.
    details
        What the store says about itself and its server, not portable.
    cases
        Every case that ran or was skipped.
    """

    url: str
    backend: str
    polyvec: str
    details: dict[str, Any] = field(default_factory=dict[str, Any])
    cases: list[CaseResult] = field(default_factory=list[CaseResult])

    @property
    def ok(self) -> bool:
        """Whether something passed and nothing failed."""
        total = self.total()
        return total[Outcome.PASSED] > 0 and total[Outcome.FAILED] == 0

    @property
    def failures(self) -> list[CaseResult]:
        """The cases that failed."""
        return [case for case in self.cases if case.outcome is Outcome.FAILED]

    def total(self) -> Counter[Outcome]:
        """Return the number of cases per outcome."""
        return Counter(case.outcome for case in self.cases)

    def counts(self) -> dict[str, Counter[Outcome]]:
        """Return the number of cases per area and outcome, areas in the order they ran."""
        counts: dict[str, Counter[Outcome]] = {}
        for case in self.cases:
            counts.setdefault(case.area, Counter())[case.outcome] += 1
        return counts

    def reasons(self, area: str) -> list[str]:
        """Return the distinct reasons of an area's skips and gaps."""
        return list(
            dict.fromkeys(
                case.reason
                for case in self.cases
                if case.area == area and case.outcome in (Outcome.SKIPPED, Outcome.GAP)
            )
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain values for a file; `counts` and `ok` are there for readers."""
        return {
            "format": FORMAT,
            "url": self.url,
            "backend": self.backend,
            "polyvec": self.polyvec,
            "details": self.details,
            "ok": self.ok,
            "counts": {
                area: {outcome.value: count[outcome] for outcome in Outcome}
                for area, count in self.counts().items()
            },
            "cases": [asdict(case) for case in self.cases],
        }

    def write_json(self, path: Path) -> None:
        """Write `to_json` to a file."""
        text = json.dumps(self.to_json(), ensure_ascii=False, indent=1, default=str)
        path.write_text(text + "\n", encoding="utf-8")

    def table(self) -> Table:
        """Return the table for a terminal: one row per area, skips with their reasons."""
        from rich.table import Table

        total = self.total()
        table = Table(title=f"conformance of {self.url}", show_footer=True, title_justify="left")
        table.add_column("area", footer="all")
        for outcome in (Outcome.PASSED, Outcome.GAP, Outcome.FAILED, Outcome.SKIPPED):
            name = {Outcome.GAP: "gaps"}.get(outcome, outcome.value)
            table.add_column(name, footer=str(total[outcome]), justify="right")
        table.add_column("reasons")
        for area, count in self.counts().items():
            red = "[bold red]" if count[Outcome.FAILED] else ""
            table.add_row(
                area,
                str(count[Outcome.PASSED]),
                str(count[Outcome.GAP] or ""),
                f"{red}{count[Outcome.FAILED] or ''}",
                str(count[Outcome.SKIPPED] or ""),
                "\n".join(_short(reason) for reason in self.reasons(area)),
            )
        return table


def case_from_json(fields: dict[str, Any]) -> CaseResult:
    """Return a case from the fields that `asdict` gave."""
    outcome: Any = Outcome(fields["outcome"])
    return CaseResult(**{**fields, "outcome": outcome})


def _short(reason: str) -> str:
    from rich.markup import escape

    return escape(reason if len(reason) <= LONGEST_REASON else f"{reason[:LONGEST_REASON]}…")
