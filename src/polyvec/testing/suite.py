# Generated from suite_async.py by tools/unasync.py. Do not edit.
"""The whole suite, composed of its areas (synchronous source; the sync twin is generated)."""

from __future__ import annotations

from polyvec.testing.areas.bad_input import BadInput
from polyvec.testing.areas.capabilities import Capabilities
from polyvec.testing.areas.collections import Aliases, Collections
from polyvec.testing.areas.describe import Descriptions
from polyvec.testing.areas.event_loop import EventLoop
from polyvec.testing.areas.explain import Explanations
from polyvec.testing.areas.filters import Filters
from polyvec.testing.areas.injection import Injection
from polyvec.testing.areas.lifecycle import Closing, Concurrency
from polyvec.testing.areas.namespaces import Namespaces
from polyvec.testing.areas.reads import Reads
from polyvec.testing.areas.recall import Recall
from polyvec.testing.areas.records import Records
from polyvec.testing.areas.scan import Scans
from polyvec.testing.areas.search import Search
from polyvec.testing.areas.stress import Stress
from polyvec.testing.areas.typed import Typed
from polyvec.testing.areas.visibility import Visibility
from polyvec.testing.areas.writes import Deletes, Updates, Upserts


class ConformanceSuite(
    Collections,
    Records,
    BadInput,
    Upserts,
    Updates,
    Deletes,
    Reads,
    Namespaces,
    Search,
    Filters,
    Scans,
    Explanations,
    Descriptions,
    Typed,
    Visibility,
    Closing,
    Concurrency,
    Injection,
    Aliases,
    Capabilities,
    EventLoop,
    Stress,
    Recall,
):
    """Every rule of the contract, for a synchronous store.

    Subclass it, set `url` (or override the fixture `store_url`), list the
    `gaps`. Override nothing else.
    """
