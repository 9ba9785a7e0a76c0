"""The whole suite, composed of its areas (asynchronous source; the sync twin is generated)."""

from __future__ import annotations

from polyvec.testing.areas.bad_input_async import AsyncBadInput
from polyvec.testing.areas.capabilities_async import AsyncCapabilities
from polyvec.testing.areas.collections_async import AsyncAliases, AsyncCollections
from polyvec.testing.areas.describe_async import AsyncDescriptions
from polyvec.testing.areas.event_loop import AsyncEventLoop
from polyvec.testing.areas.explain_async import AsyncExplanations
from polyvec.testing.areas.filters_async import AsyncFilters
from polyvec.testing.areas.injection_async import AsyncInjection
from polyvec.testing.areas.lifecycle_async import AsyncClosing, AsyncConcurrency
from polyvec.testing.areas.namespaces_async import AsyncNamespaces
from polyvec.testing.areas.reads_async import AsyncReads
from polyvec.testing.areas.recall_async import AsyncRecall
from polyvec.testing.areas.records_async import AsyncRecords
from polyvec.testing.areas.scan_async import AsyncScans
from polyvec.testing.areas.search_async import AsyncSearch
from polyvec.testing.areas.stress import AsyncStress
from polyvec.testing.areas.typed_async import AsyncTyped
from polyvec.testing.areas.visibility_async import AsyncVisibility
from polyvec.testing.areas.writes_async import AsyncDeletes, AsyncUpdates, AsyncUpserts


class AsyncConformanceSuite(
    AsyncCollections,
    AsyncRecords,
    AsyncBadInput,
    AsyncUpserts,
    AsyncUpdates,
    AsyncDeletes,
    AsyncReads,
    AsyncNamespaces,
    AsyncSearch,
    AsyncFilters,
    AsyncScans,
    AsyncExplanations,
    AsyncDescriptions,
    AsyncTyped,
    AsyncVisibility,
    AsyncClosing,
    AsyncConcurrency,
    AsyncInjection,
    AsyncAliases,
    AsyncCapabilities,
    AsyncEventLoop,
    AsyncStress,
    AsyncRecall,
):
    """Every rule of the contract, for an asynchronous store.

    Subclass it, set `url` (or override the fixture `store_url`), list the
    `gaps`. Override nothing else.
    """
