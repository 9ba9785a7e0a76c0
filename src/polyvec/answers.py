"""What `explain` and `why` answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from polyvec.filters import Filter


@dataclass(frozen=True, slots=True)
class Explanation:
    """How a filter is decided.

    Parameters
    ----------
    pushed
        The clauses that the server decides exactly; `And()` where there are none.
    native
        What is sent to the server, in its own words; None where nothing has to be.
    residual
        The clauses that polyvec checks on what the server returns; None where
        the server decides everything. The server may still narrow them down.
    """

    pushed: Filter
    native: Any
    residual: Filter | None


@dataclass(frozen=True, slots=True)
class Why:
    """Why a record is, or is not, among the answers of a filter.

    Parameters
    ----------
    found
        Whether the namespace holds a record with that id.
    matches
        Whether the record matches the filter.
    rejected_by
        The smallest clauses that reject the record; empty when it matches or
        does not exist.
    """

    found: bool
    matches: bool
    rejected_by: tuple[Filter, ...]
