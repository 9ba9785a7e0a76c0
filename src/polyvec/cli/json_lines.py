"""What `--log json` writes: events, and what the libraries log meanwhile, as JSON lines."""

from __future__ import annotations

import json
import logging
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator


def write(event: dict[str, Any]) -> None:
    """Write one event as one line on stderr."""
    sys.stderr.write(json.dumps(event, ensure_ascii=False) + "\n")
    sys.stderr.flush()


class _Lines(logging.Handler):
    """A log record as the event `log`: a bare line would break who reads the events."""

    def emit(self, record: logging.LogRecord) -> None:
        level, message = record.levelname.lower(), record.getMessage()
        write({"event": "log", "level": level, "logger": record.name, "message": message})


@contextmanager
def logged() -> Generator[None]:
    """Write warnings and worse, which would else go to stderr as they are, as events."""
    handler = _Lines(logging.WARNING)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
