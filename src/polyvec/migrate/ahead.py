"""Reading ahead: a thread fetches the next batches while the last one is written."""

from __future__ import annotations

import queue
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

T = TypeVar("T")

POLL_S: Final = 0.1
END: Final = object()


class _Failure:
    """What the reading thread raised."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


@contextmanager
def reading_ahead(items: Generator[T], depth: int = 1) -> Generator[Iterator[T]]:
    """Iterate over `items` in a thread, at most `depth` finished ones ahead of the user.

    So at most `depth + 2` items exist: those that wait, one being made and one in use. Leaving
    the block ends the thread and closes the generator.
    """
    ready: queue.Queue[object] = queue.Queue(depth)
    leaving = threading.Event()

    def put(item: object) -> bool:
        while not leaving.is_set():
            try:
                ready.put(item, timeout=POLL_S)
            except queue.Full:
                continue
            return True
        return False

    def read() -> None:
        try:
            for item in items:
                if not put(item):
                    return
            put(END)
        except BaseException as exc:  # noqa: BLE001 - raised again in the user's thread
            put(_Failure(exc))
        finally:
            items.close()

    def take() -> Iterator[T]:
        while True:
            item = ready.get()
            if item is END:
                return
            if isinstance(item, _Failure):
                raise item.error
            yield item  # type: ignore[misc]  # neither of our two marks, hence an item

    thread = threading.Thread(target=read, name="polyvec-read-ahead", daemon=True)
    thread.start()
    try:
        yield take()
    finally:
        leaving.set()
        thread.join()
