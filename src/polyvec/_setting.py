"""A context variable that has a value for what runs inside a `with`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from contextvars import ContextVar

T = TypeVar("T")


class Setting(Generic[T]):
    """Sets the variable, and sets it back.

    A generator with `contextmanager` would do, in 1.2 us instead of 0.45 (python 3.11); each call
    of a client passes one or two.

    Parameters
    ----------
    variable
        What is set.
    value
        To what.
    """

    __slots__ = ("_token", "_value", "_variable")

    def __init__(self, variable: ContextVar[T], value: T) -> None:
        self._variable = variable
        self._value = value

    def __enter__(self) -> None:
        self._token = self._variable.set(self._value)

    def __exit__(self, *_: object) -> None:
        self._variable.reset(self._token)
