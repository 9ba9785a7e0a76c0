"""A thread that brings over what waits in the outbox, so that no writer waits for it."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Final

from polyvec.errors import PolyvecError

if TYPE_CHECKING:
    from collections.abc import Callable

_logger = logging.getLogger("polyvec")

FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 30.0


class Courier:
    """Calls a function after every write, in a thread of its own; again when it fails.

    Parameters
    ----------
    bring
        Brings over what waits; takes a function that says when to end early.
    """

    def __init__(self, bring: Callable[[Callable[[], bool]], object]) -> None:
        self._bring = bring
        self._changed = threading.Condition()
        self._wanted = self._closing = False
        self._thread = threading.Thread(target=self._run, name="polyvec-courier", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Tell that something waits."""
        with self._changed:
            self._wanted = True
            self._changed.notify()

    def close(self) -> None:
        """End as soon as the call under way does, which is told to."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        pause_s = FIRST_PAUSE_S
        while self._next():
            try:
                self._bring(lambda: self._closing)
            except PolyvecError as exc:
                _logger.warning("the secondary lags, its records wait in the log: %s", exc)
                with self._changed:
                    self._wanted = True
                    self._changed.wait_for(lambda: self._closing, pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            else:
                pause_s = FIRST_PAUSE_S

    def _next(self) -> bool:
        """Wait until something is wanted; False when this is the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._wanted or self._closing)
            self._wanted = False
            return not self._closing
