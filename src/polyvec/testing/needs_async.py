"""Tests of a capability in both directions: declared, they pass; undeclared, they are refused."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import pytest

from polyvec.errors import NotSupportedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from polyvec.capabilities import Feature
    from polyvec.testing.lab_async import AsyncLab


def needs_async(feature: Feature) -> Callable[[Callable[..., Awaitable[None]]], Any]:
    """Run the test where the feature is declared; elsewhere it must raise `NotSupportedError`.

    The test's parameters are `self`, `lab` and whatever it is parametrised with.
    """

    def decorate(test: Callable[..., Awaitable[None]]) -> Any:
        @functools.wraps(test)
        async def checked(self: Any, lab: AsyncLab, **cases: Any) -> None:
            if lab.has(feature):
                await test(self, lab, **cases)
                return
            with pytest.raises(NotSupportedError, match=feature.value):
                await test(self, lab, **cases)

        return checked

    return decorate
