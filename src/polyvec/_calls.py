# Generated from _calls_async.py by tools/unasync.py. Do not edit.
"""Calling primitives: deadline, error mapping, retries (synchronous source)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from polyvec import _runtime
from polyvec.errors import ClosedError, PolyvecError, StoreError
from polyvec.primitives import StaleLayout

if TYPE_CHECKING:
    from collections.abc import Callable

    from tenacity import RetryCallState

    from polyvec.adapter import Adapter
    from polyvec.config import StoreConfig
    from polyvec.deadline import Deadline

T = TypeVar("T")

FIRST_WAIT_S: Final = 0.1
LONGEST_WAIT_S: Final = 10.0


class Caller:
    """Runs the primitives of one adapter for one store.

    Parameters
    ----------
    adapter
        What is called.
    config
        `max_attempts` of it: tries per primitive, the first one included;
        `max_concurrency`: primitives under way at once.
    """

    def __init__(self, adapter: Adapter, config: StoreConfig) -> None:
        self.adapter = adapter
        self.max_attempts = config.max_attempts
        self.home = _runtime.Home()
        self.closed = False
        self._slots = _runtime.Slots(
            lambda: min(config.max_concurrency, adapter.capabilities.limits.concurrency)
        )
        self._locks: dict[tuple[str, str], _runtime.SharedLock] = {}

    def lock(self, collection: str, namespace: str) -> _runtime.SharedLock:
        """Return the lock that this store's writes to a namespace hold."""
        # setdefault is one step under the interpreter lock: two threads get the same object.
        return self._locks.setdefault((collection, namespace), _runtime.SharedLock())

    def check_open(self) -> None:
        """Raise `ClosedError` when the store cannot be used here."""
        if self.closed:
            raise ClosedError(
                f"this {self.adapter.capabilities.store} store was closed; connect again"
            )
        self.home.check()

    def run(
        self,
        operation: str,
        primitive: Callable[..., T],
        *args: Any,
        deadline: Deadline,
        **kw: Any,
    ) -> T:
        """Call a primitive; retry what may succeed when repeated, inside the deadline."""
        self.check_open()
        try:
            return self._once(operation, primitive, *args, deadline=deadline, **kw)
        except PolyvecError as first:
            if not first.retryable or self.max_attempts == 1:
                raise
            return self._again(first, operation, primitive, *args, deadline=deadline, **kw)

    def _once(
        self,
        operation: str,
        primitive: Callable[..., T],
        *args: Any,
        deadline: Deadline,
        **kw: Any,
    ) -> T:
        try:
            return _runtime.within(self._slots, deadline, primitive, *args, **kw)
        except (PolyvecError, StaleLayout):
            raise
        except Exception as exc:
            mapped = self.adapter.map_error(exc, operation)
            if mapped is None:
                raise
            raise mapped from exc

    def _again(
        self,
        first: PolyvecError,
        operation: str,
        primitive: Callable[..., T],
        *args: Any,
        deadline: Deadline,
        **kw: Any,
    ) -> T:
        """Repeat a call that failed once; tenacity is loaded only now, it costs start-up time."""
        from tenacity import Retrying, retry_if_exception

        pending: list[PolyvecError] = [first]
        retrying = Retrying(
            sleep=_runtime.sleep,
            wait=_wait_s,
            stop=_Stop(self.max_attempts, deadline),
            retry=retry_if_exception(_is_retryable),
            before_sleep=_log_retry,
            reraise=True,
        )
        for attempt in retrying:
            with attempt:
                if pending:
                    raise pending.pop()
                self.check_open()
                return self._once(operation, primitive, *args, deadline=deadline, **kw)
        raise AssertionError("tenacity ends with a result or an exception")


class _Stop:
    """Stop after the last attempt, or when the next wait would pass the deadline."""

    def __init__(self, max_attempts: int, deadline: Deadline) -> None:
        self._max_attempts = max_attempts
        self._deadline = deadline

    def __call__(self, state: RetryCallState) -> bool:
        if state.attempt_number >= self._max_attempts:
            return True
        try:
            left = self._deadline.left()
        except PolyvecError:
            return True
        return left is not None and state.upcoming_sleep >= left


def _wait_s(state: RetryCallState) -> float:
    """Return what the server asked for, else an exponential wait of which half is chance."""
    from random import uniform

    exc = None if state.outcome is None else state.outcome.exception()
    if isinstance(exc, StoreError) and exc.retry_after_s is not None:
        return max(0.0, exc.retry_after_s)  # a moment may have passed when it is read
    longest = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** (state.attempt_number - 1))
    return uniform(longest / 2, longest)  # noqa: S311 - jitter, not a secret


def _is_retryable(exc: BaseException) -> bool:
    return isinstance(exc, PolyvecError) and exc.retryable


def _log_retry(state: RetryCallState) -> None:
    import logging  # a tenth of the whole import, for what seldom happens

    exc = None if state.outcome is None else state.outcome.exception()
    logging.getLogger("polyvec").info(
        "attempt %d failed, trying again: %s", state.attempt_number, exc
    )
