"""What every adapter says in the same words."""

from __future__ import annotations

from typing import Final

from polyvec.errors import NotSupportedError

LONGEST: Final = 300
"""Characters that are shown of a server's text."""


def shortened(text: str) -> str:
    """Return a server's text as part of an error: begun small, without a full stop, not long."""
    text = text[:1].lower() + text[1:].rstrip(".")
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def refuse_newer(name: str, version: int, known: int) -> None:
    """Refuse a collection that a newer polyvec made.

    Parameters
    ----------
    name
        Of the collection.
    version
        Of its layout, as its marker says.
    known
        The newest that the adapter knows.

    Raises
    ------
    NotSupportedError
        The layout is newer.
    """
    if version > known:
        raise NotSupportedError(
            f"collection {name!r} has layout version {version!r}, expected at most "
            f"{known}; upgrade polyvec"
        )
