"""The suite against a store that can do little, and against an eventual one."""

from __future__ import annotations

from polyvec.testing import AsyncConformanceSuite, ConformanceSuite, Sharing


class TestPoorStore(ConformanceSuite):
    url = "poor://"
    sharing = Sharing.PRIVATE


class TestPoorStoreAsync(AsyncConformanceSuite):
    url = "poor://"
    sharing = Sharing.PRIVATE


class TestEventualStore(ConformanceSuite):
    url = "late://"
    sharing = Sharing.PRIVATE
