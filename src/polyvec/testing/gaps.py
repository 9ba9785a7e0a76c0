"""Declared differences between a store and the contract: a gap must fail, and fail as declared."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class GapKind(StrEnum):
    """Whose difference it is."""

    OURS = "ours"
    """The adapter does not do it yet."""
    THEIRS = "theirs"
    """The server or its client does not do it yet, or does it wrongly."""
    NEVER = "never"
    """It cannot be done on this backend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """One test of the suite that a store does not pass, and why.

    The test still runs, as a strict xfail: when it passes, or fails with another
    exception, the run is red and the gap must be corrected.

    Parameters
    ----------
    test
        Name of the test, `"test_x"` for all of its cases or `"test_x[case]"` for
        one; `*` stands for any text.
    kind
        Whose difference it is.
    raises
        The exception the test ends with, for example `AssertionError`.
    reason
        What differs, in one sentence that a user of the store understands.
    source
        Link to an issue or a page that proves it, with the version it was seen with.
    """

    test: str
    kind: GapKind
    raises: type[BaseException] | tuple[type[BaseException], ...]
    reason: str
    source: str

    def covers(self, name: str) -> bool:
        """Tell whether this gap speaks of the test with that name, cases in brackets."""
        wanted = self.test if "[" in self.test else name.partition("[")[0]
        pattern = ".*".join(re.escape(part) for part in self.test.split("*"))
        return re.fullmatch(pattern, name if "[" in wanted else wanted, re.DOTALL) is not None

    @property
    def function(self) -> str:
        """Name of the test function, without its cases."""
        return self.test.partition("[")[0]
