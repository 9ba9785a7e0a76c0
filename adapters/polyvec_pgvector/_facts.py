"""What the first connection tells of a server. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

FACTS: Final = """
SELECT current_setting('server_version_num')::int, current_setting('server_encoding'),
       (SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
         WHERE e.extname = 'vector'),
       (SELECT extversion FROM pg_extension WHERE extname = 'vector'),
       (SELECT t.oid::bigint FROM pg_extension e
          JOIN pg_type t ON t.typnamespace = e.extnamespace AND t.typname = 'vector'
         WHERE e.extname = 'vector')
"""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the first connection told.

    Parameters
    ----------
    server
        For example 180004.
    extension
        Schema of the extension vector, None where it is not created in this database.
    version
        Of the extension, for example `(0, 8, 5)`.
    vector_oid
        Of its type `vector`, 0 where there is none.
    """

    server: int
    extension: str | None
    version: tuple[int, ...]
    vector_oid: int

    @property
    def iterates(self) -> bool:
        """Whether an index goes on until enough rows pass the filter."""
        return self.version >= (0, 8)
