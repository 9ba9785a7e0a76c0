# A fault reaches inside and puts a function of any shape in place of a method: there is
# nothing here for a type checker to prove.
# pyright: basic
"""Filters decided in plain Python inside the memory store, so that a fault can bend one rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
from tests.mutants.registry import add

from polyvec.evaluate import find, matches
from polyvec.filters import And, Exists, Filter, Not, Or, StartsWith
from polyvec.memory.columns import View

Rule = Callable[[Filter, Mapping[str, Any]], bool | None]
"""Decides a node, or returns None for the right meaning."""

LeafRule = Callable[[Any, Any], bool | None]
"""Decides a leaf by its node and the value found; None for the right meaning."""


def judge(node: Filter, metadata: Mapping[str, Any], rule: Rule) -> bool:
    """Evaluate a filter; the rule is asked first at every node."""
    answer = rule(node, metadata)
    if answer is not None:
        return answer
    match node:
        case And(operands):
            return all(judge(operand, metadata, rule) for operand in operands)
        case Or(operands):
            return any(judge(operand, metadata, rule) for operand in operands)
        case Not(operand):
            return not judge(operand, metadata, rule)
        case _:
            return matches(node, metadata)


def install(rule: Rule) -> Callable[[pytest.MonkeyPatch], None]:
    """Return what makes the memory store decide all filters by the rule."""

    def selected(self: View, filter: Filter | None) -> Any:
        if filter is None:
            return self.alive
        chosen = [judge(filter, self.metadata[row], rule) for row in range(self.n)]
        mask = np.array(chosen, dtype=np.bool_)
        return mask if self.alive is None else mask & self.alive

    return lambda patch: patch.setattr(View, "selected", selected)


def judged(peer: str) -> Callable[[Rule], Rule]:
    """Register a rule about any node."""

    def register(rule: Rule) -> Rule:
        add(rule.__name__, peer, "evaluation of filters", install(rule))
        return rule

    return register


def leaf(peer: str, *kinds: type) -> Callable[[LeafRule], LeafRule]:
    """Register a rule about leaves of some kinds: the node and the value it finds."""

    def register(rule: LeafRule) -> LeafRule:
        def whole(node: Any, metadata: Mapping[str, Any]) -> bool | None:
            if isinstance(node, kinds):
                found: Any = node
                return rule(found, find(found.path, metadata))
            return None

        add(rule.__name__, peer, "evaluation of filters", install(whole))
        return rule

    return register


def negated(peer: str, *kinds: type) -> Callable[[LeafRule], LeafRule]:
    """Register a rule about the complements of leaves of some kinds."""

    def register(rule: LeafRule) -> LeafRule:
        def whole(node: Any, metadata: Mapping[str, Any]) -> bool | None:
            if isinstance(node, Not) and isinstance(node.operand, kinds):
                inner: Any = node.operand
                return rule(inner, find(inner.path, metadata))
            return None

        add(rule.__name__, peer, "evaluation of filters", install(whole))
        return rule

    return register


def translated(
    name: str, peer: str, operand: Callable[[Any], Any], value: Callable[[Any], Any] | None = None
) -> None:
    """Register a fault that changes operands, and stored values, before they are compared."""

    def whole(node: Filter, metadata: Mapping[str, Any]) -> bool | None:
        if isinstance(node, (And, Or, Not, Exists)):
            return None
        found = find(node.path, metadata)
        return matches(_changed(node, operand), {"v": found if value is None else value(found)})

    add(name, peer, "operands of filters", install(whole))


def _changed(node: Any, operand: Callable[[Any], Any]) -> Filter:
    """Return the leaf about the field `v`, with its operand changed."""
    if isinstance(node, Exists):
        return Exists(("v",))
    if isinstance(node, StartsWith):
        return StartsWith(("v",), operand(node.prefix))
    if hasattr(node, "values"):
        changed = replace(node, path=("v",), values=tuple(operand(item) for item in node.values))
    else:
        changed = replace(node, path=("v",), value=operand(node.value))
    return cast("Filter", changed)


def at(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """Return metadata that holds the value at the path."""
    for key in reversed(path):
        value = {key: value}
    return dict(value)
