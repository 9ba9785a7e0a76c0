"""Who may call next, where a store's primitives are as many at once as it allows."""

from __future__ import annotations

import threading

import pytest

from polyvec._runtime import Slots
from polyvec.deadline import Deadline
from polyvec.errors import DeadlineError


class Noticed(Deadline):
    """A deadline that never comes, and tells when it is asked for: when somebody begins to wait."""

    def __init__(self) -> None:
        super().__init__(None)
        self.asked = threading.Event()

    def left(self) -> None:
        self.asked.set()


def test_who_waits_comes_before_who_comes_again() -> None:
    """Threads that call in a loop do not keep another one waiting for ever."""
    slots, waits = Slots(lambda: 1), Noticed()
    slots.take(Deadline(None))
    other = threading.Thread(target=slots.take, args=(waits,))
    other.start()
    assert waits.asked.wait(30)
    slots.give()
    with pytest.raises(DeadlineError, match=r"timeout_s=0\.01 is over"):
        slots.take(Deadline(0.01))
    other.join(30)
    assert not other.is_alive()
    slots.give()
    slots.take(Deadline(0.01))


def test_a_turn_is_not_lost_with_who_gave_up() -> None:
    slots = Slots(lambda: 1)
    slots.take(Deadline(None))
    for _ in range(3):
        with pytest.raises(DeadlineError):
            slots.take(Deadline(0.001))
    slots.give()
    slots.take(Deadline(0.001))


def test_a_limit_that_is_lowered_holds_for_those_who_wait() -> None:
    limits, waits = [2], Noticed()
    slots = Slots(lambda: limits[0])
    slots.take(Deadline(None))
    slots.take(Deadline(None))
    other = threading.Thread(target=slots.take, args=(waits,))
    other.start()
    assert waits.asked.wait(30)
    limits[0] = 1
    slots.give()  # one is still under way, and that is all there may be
    assert other.is_alive()
    slots.give()
    other.join(30)
    assert not other.is_alive()
    with pytest.raises(DeadlineError):
        slots.take(Deadline(0.001))
