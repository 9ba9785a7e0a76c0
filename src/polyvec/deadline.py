"""How long a call may still take."""

from __future__ import annotations

import sys
import time

from polyvec.errors import DeadlineError, InvalidRequestError


class Deadline:
    """The moment at which a verb gives up.

    Parameters
    ----------
    timeout_s
        Seconds from now, above 0; None for no limit.
    """

    __slots__ = ("_end", "timeout_s")

    def __init__(self, timeout_s: float | None) -> None:
        if timeout_s is not None and not _is_duration(timeout_s):
            raise InvalidRequestError(
                f"timeout_s={timeout_s!r}: expected a number of seconds above 0, or None"
            )
        self.timeout_s = timeout_s
        self._end = None if timeout_s is None else time.monotonic() + timeout_s

    def left(self) -> float | None:
        """Return the seconds left, None without a limit.

        Raises
        ------
        DeadlineError
            Nothing is left.
        """
        if self._end is None:
            return None
        left = self._end - time.monotonic()
        if left <= 0:
            raise self.over()
        return left

    def over(self) -> DeadlineError:
        """Return the error that says that nothing is left."""
        return DeadlineError(f"timeout_s={self.timeout_s!r} is over")


def _is_duration(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return 0 < value <= sys.float_info.max  # infinity is no duration, nor an int without a float
