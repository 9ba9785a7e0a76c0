# Generated from needs_async.py by tools/unasync.py. Do not edit.
"""Tests of a capability in both directions: declared, they pass; undeclared, they are refused."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import pytest

from polyvec.errors import NotSupportedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from polyvec.capabilities import Feature
    from polyvec.testing.lab import Lab


def needs(feature: Feature) -> Callable[[Callable[..., None]], Any]:
    """Run the test where the feature is declared; elsewhere it must raise `NotSupportedError`.

    The test's parameters are `self`, `lab` and whatever it is parametrised with.
    """

    def decorate(test: Callable[..., None]) -> Any:
        @functools.wraps(test)
        def checked(self: Any, lab: Lab, **cases: Any) -> None:
            if lab.has(feature):
                test(self, lab, **cases)
                return
            with pytest.raises(NotSupportedError, match=feature.value):
                test(self, lab, **cases)

        return checked

    return decorate
