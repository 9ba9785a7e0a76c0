# Generated from adapter_async.py by tools/unasync.py. Do not edit.
"""The protocol that adapters implement (synchronous source; the sync twin is generated).

An adapter translates and makes one client call per primitive. Everything else
is the core's: validation, last-of-duplicates, splitting by the limits, bounded
concurrency, retries, the residual of a filter, sorting, error mapping. What the
core guarantees to every primitive:

* the arguments are valid: ids are unique within the call, vectors are finite
  float32 of the collection's dimension, metadata keeps section 3 of the design;
* batches are no longer than the limits in `capabilities`;
* filters are native objects that this adapter's own `leaf`, `all_of` and
  `any_of` made, or None for all records;
* primitives may be called from several threads or tasks at once, at most
  `limits.concurrency` of them.

What a primitive owes: it either does what it says or raises. Exceptions of the
client pass unchanged; the core asks `map_error` for ours and retries what is
`retryable`, so every write must be idempotent. `timeout_s` is what is left of
the caller's deadline, or None; hand it to the client where that is possible.

An adapter whose client has no async form implements only the sync class
`polyvec.adapter.Adapter`; the core then runs it in worker threads.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polyvec.bounds import Bounds
    from polyvec.capabilities import Capabilities
    from polyvec.errors import StoreError
    from polyvec.filters import Leaf
    from polyvec.primitives import (
        Columns,
        Found,
        KeyRange,
        Native,
        OpenedCollection,
        Patch,
        ScanPage,
        Target,
    )
    from polyvec.records import RecordBatch
    from polyvec.schema import CollectionSpec, Index, NativeLayout
    from polyvec.types import Vector


class Adapter(ABC):
    """One backend, seen by the core. Constructing one does no I/O."""

    # -- what it is: pure ------------------------------------------------------------

    @property
    @abstractmethod
    def capabilities(self) -> Capabilities:
        """The adapter's maximum before the first I/O, this server's after it."""

    @property
    @abstractmethod
    def client(self) -> Any:
        """The vendor's own client, for what polyvec does not cover; None before the first I/O."""

    @abstractmethod
    def map_error(self, exc: Exception, operation: str) -> StoreError | None:
        """Return our error for a client's exception, None for an unknown one.

        Map by exception class and status code, never by message text. Do not
        set `__cause__`; the core does. No secret may appear in the message.
        """

    # -- filters: pure ---------------------------------------------------------------

    @abstractmethod
    def leaf(self, node: Leaf, negated: bool, layout: Any) -> Bounds:
        """Compile one leaf to a subset and a superset of the records that match.

        Parameters
        ----------
        node
            `Eq`, `Lt`, `Le`, `Gt`, `Ge`, `In`, `Contains`, `ContainsAny`,
            `ContainsAll`, `Exists` or `StartsWith`; operands are checked.
        negated
            True: compile the complement, "not node", which is true for records
            without the field. `leaf(n, True)` must be the crosswise complement
            of `leaf(n, False)`: its upper is exactly what the other's lower
            leaves out, its lower exactly what the other's upper leaves out.
            A server that can only narrow a leaf down gives a superset of it and
            `UNKNOWN` for the complement.
        layout
            `OpenedCollection.layout`.

        Returns
        -------
        Bounds
            `Bounds.exactly(native)` where the server decides exactly as
            `polyvec.evaluate.matches` does; `polyvec.bounds.UNKNOWN` where it
            cannot help: the core then decides. Never a guess: a lower bound that
            selects one wrong record, or an upper bound that misses one right
            record, is a wrong answer.

        Raises
        ------
        StaleLayout
            The snapshot cannot answer; the core opens the collection again.
        """

    @abstractmethod
    def all_of(self, filters: Sequence[Native]) -> Native:
        """Join two or more native filters, it may be thousands, by and."""

    @abstractmethod
    def any_of(self, filters: Sequence[Native]) -> Native:
        """Join two or more native filters, it may be thousands, by or."""

    def render(self, native: Native) -> Any:
        """Return a native filter in the server's own words, for `explain`."""
        return native

    # -- the store -------------------------------------------------------------------

    @abstractmethod
    def ping(self, *, timeout_s: float | None) -> None:
        """Make one cheap request that proves the server answers and lets us in."""

    @abstractmethod
    def close(self) -> None:
        """Release everything; called once, also when nothing was ever opened."""

    @abstractmethod
    def list_collections(self, *, timeout_s: float | None) -> list[str]:
        """Return the names of all collections, ours and native ones, without aliases."""

    @abstractmethod
    def create_collection(self, spec: CollectionSpec, *, timeout_s: float | None) -> None:
        """Create a collection and store its marker (spec, layout version) with it.

        Only returns when the collection can be written. The core has checked
        that the metric and the index kind are declared; an index setting that
        cannot be honoured raises `NotSupportedError`, unless `best_effort`.

        Raises
        ------
        CollectionExistsError
            A collection or an alias has that name already.
        """

    @abstractmethod
    def open_collection(
        self, name: str, native: NativeLayout | None, *, timeout_s: float | None
    ) -> OpenedCollection:
        """Read marker, spec and layout of a collection, found by its name or by an alias.

        `native` counts only for a collection without a marker of ours.

        Raises
        ------
        CollectionNotFoundError
            Neither a collection nor an alias has that name.
        """

    @abstractmethod
    def drop_collection(self, name: str, *, timeout_s: float | None) -> None:
        """Drop a collection with all namespaces, and the aliases that point to it.

        Raises
        ------
        CollectionNotFoundError
            No collection has that name (an alias is not a collection).
        """

    @abstractmethod
    def namespaces(
        self, collection: OpenedCollection, *, timeout_s: float | None
    ) -> dict[str, int]:
        """Return each namespace that holds a record, with its exact number of records."""

    # -- records ---------------------------------------------------------------------

    @abstractmethod
    def upsert(self, target: Target, batch: RecordBatch, *, timeout_s: float | None) -> None:
        """Insert or wholly replace records; all columns are given, ids are unique.

        `batch.present` may mark records without a vector. A reader never finds
        a record absent, or half old and half new, between two states.
        """

    @abstractmethod
    def get(
        self,
        target: Target,
        ids: Sequence[str],
        columns: Columns,
        *,
        consistency: str | None,
        timeout_s: float | None,
    ) -> RecordBatch:
        """Return the records that exist, in any order, with exactly the given columns."""

    @abstractmethod
    def search(
        self,
        target: Target,
        queries: Vector,
        native: Native | None,
        k: int,
        columns: Columns,
        params: Index | None,
        *,
        consistency: str | None,
        timeout_s: float | None,
    ) -> list[Found]:
        """Search the collection's index: one answer per query, in order.

        Parameters
        ----------
        queries
            `(q, dimension)` float32, `1 <= q <= limits.query_batch`.
        native
            Which records may be found; None for all.
        k
            Hits wanted per query, `1 <= k <= limits.top_k`. Fewer come back
            when no more match, or when the index finds no more.
        columns
            Columns wanted beside the ids.
        params
            Settings for this search, or None; what cannot be honoured raises
            `NotSupportedError`, unless `best_effort`.
        """

    @abstractmethod
    def scan(
        self,
        target: Target,
        native: Native | None,
        span: KeyRange | None,
        after: str | None,
        limit: int,
        columns: Columns,
        *,
        consistency: str | None,
        timeout_s: float | None,
    ) -> ScanPage:
        """Return one page in the server's own stable key order, after a cursor.

        Keyset over a stable key, never an offset: a record present throughout a
        scan comes exactly once, whatever is written meanwhile.
        """

    @abstractmethod
    def delete_ids(self, target: Target, ids: Sequence[str], *, timeout_s: float | None) -> None:
        """Delete records by id; absent ids are no error."""

    # -- optional: the core has another way, see `Feature` -----------------------------

    def delete_where(
        self, target: Target, native: Native | None, *, timeout_s: float | None
    ) -> None:
        """Delete the records that a native filter selects, None for all (DELETE_BY_FILTER)."""
        raise NotImplementedError

    def count(
        self,
        target: Target,
        native: Native | None,
        *,
        consistency: str | None,
        timeout_s: float | None,
    ) -> int:
        """Count exactly the records that a native filter selects (SERVER_SIDE_COUNT)."""
        raise NotImplementedError

    def update(
        self, target: Target, ids: Sequence[str], patch: Patch, *, timeout_s: float | None
    ) -> None:
        """Apply a patch to the records that exist, each in one step (SERVER_SIDE_UPDATE)."""
        raise NotImplementedError

    def split(self, target: Target, parts: int, *, timeout_s: float | None) -> list[KeyRange]:
        """Cut the whole key space into about `parts` ranges (SPLIT).

        Half-open, disjoint, in order; the first starts and the last stops with
        None, so that records that come later are covered too.
        """
        raise NotImplementedError

    def exact_search(
        self,
        target: Target,
        queries: Vector,
        native: Native | None,
        k: int,
        columns: Columns,
        *,
        consistency: str | None,
        timeout_s: float | None,
    ) -> list[Found]:
        """Search by comparing with every vector (EXACT_SEARCH); as `search`, but exact."""
        raise NotImplementedError

    def settle(
        self, target: Target, ids: Sequence[str], *, timeout_s: float | None
    ) -> Sequence[str]:
        """Return when reads and searches of a namespace see all that this adapter wrote there.

        Only asked of an EVENTUAL backend: before an update reads what it changes, and when the
        user waits. Where the backend does not tell how far it is: at once, and with no ids.

        Returns
        -------
        Sequence[str]
            Those of `ids` that this adapter wrote, of which it knows that searches find them.
        """
        return ()

    def fence(self, target: Target, *, timeout_s: float | None) -> bool:
        """Return when reads of a namespace see all that was acknowledged before, to anybody.

        Only asked of an EVENTUAL backend. It may write, if nobody can see what.

        Returns
        -------
        bool
            False, at once, where the backend does not tell how far it is.
        """
        return False

    def record_sizes(self, target: Target, batch: RecordBatch) -> Sequence[int] | None:
        """Return the encoded bytes of each record without its vector, pure.

        Compared with `limits.record_bytes` and used for `limits.batch_bytes`.
        None: the core counts UTF-8 of id, namespace, text and compact JSON.
        """
        return None

    # -- optional without another way: features ----------------------------------------

    def set_alias(self, alias: str, collection: str, *, timeout_s: float | None) -> None:
        """Point an alias at a collection, atomically (ALIASES).

        Raises
        ------
        CollectionNotFoundError
            The collection does not exist.
        CollectionExistsError
            A collection has the alias's name.
        """
        raise NotImplementedError

    def aliases(self, *, timeout_s: float | None) -> dict[str, str]:
        """Return alias to collection (ALIASES)."""
        raise NotImplementedError

    def drop_alias(self, alias: str, *, timeout_s: float | None) -> None:
        """Remove an alias; an absent one is no error (ALIASES)."""
        raise NotImplementedError
