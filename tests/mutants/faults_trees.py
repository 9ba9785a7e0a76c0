# A fault reaches inside and puts a function of any shape in place of a method: there is
# nothing here for a type checker to prove.
# pyright: basic
# ruff: noqa: ARG005 - a lambda has the arguments of the method it replaces
"""Faults of composition: Not, And, Or, and a filter beside ids or a limit."""

from __future__ import annotations

from typing import Any

import pytest
from tests.mutants.registry import add, fault

from polyvec.collection import Collection
from polyvec.filters import And, Filter, In, Not, Or
from polyvec.memory.store import MemoryAdapter
from polyvec.primitives import Found
from polyvec.rewrite import normal_form


def _rewriting(name: str, peer: str, broken: Any) -> None:
    """Register a fault that rewrites the filter before the core compiles it."""

    def install(patch: pytest.MonkeyPatch) -> None:
        patch.setattr("polyvec.bounds.normal_form", lambda node: normal_form(broken(node)))

    add(name, peer, "composition of filters", install)


def _everywhere(change: Any) -> Any:
    """Apply a change to every node, children first."""

    def walk(node: Any) -> Any:
        match node:
            case And(operands):
                return change(And(*map(walk, operands)))
            case Or(operands):
                return change(Or(*map(walk, operands)))
            case Not(operand):
                return change(Not(walk(operand)))
            case _:
                return change(node)

    return walk


def _none_of(node: Filter) -> Filter:
    if isinstance(node, Not) and isinstance(node.operand, And):
        return And(*map(Not, node.operand.operands))
    return node


def _not_over_or(node: Filter) -> Filter:
    if isinstance(node, Not) and isinstance(node.operand, Or):
        return Or(*map(Not, node.operand.operands))
    return node


def _double_not(node: Filter) -> Filter:
    if isinstance(node, Not) and isinstance(node.operand, Not):
        return node.operand
    return node


def _single_not(node: Filter) -> Filter:
    if isinstance(node, Not) and not isinstance(node.operand, (And, Or, Not)):
        return node.operand
    return node


def _last_of_or(node: Filter) -> Filter:
    return node.operands[-1] if isinstance(node, Or) and node.operands else node


def _first_of_and(node: Filter) -> Filter:
    return node.operands[0] if isinstance(node, And) and node.operands else node


def _or_into_and(node: Filter) -> Filter:
    if isinstance(node, And):
        flat: list[Filter] = []
        for operand in node.operands:
            flat.extend(operand.operands if isinstance(operand, Or) else [operand])
        return And(*flat)
    return node


def _precedence(node: Filter) -> Filter:
    match node:
        case And((Or(inner), *rest)) if inner and rest:
            return Or(*inner[:-1], And(inner[-1], *rest))
        case _:
            return node


def _one_per_field(node: Filter) -> Filter:
    if not isinstance(node, And):
        return node
    last: dict[Any, Filter] = {}
    for at, operand in enumerate(node.operands):
        last[getattr(operand, "path", at)] = operand
    return And(*last.values())


def _empty_in(node: Filter) -> Filter:
    return And() if isinstance(node, In) and not node.values else node


def _empty_or(node: Filter) -> Filter:
    return And() if node == Or() else node


def _and_of_lists(node: Filter) -> Filter:
    return Or(*node.operands) if isinstance(node, And) and len(node.operands) > 1 else node


def _cut_in(node: Filter) -> Filter:
    return In(node.path, node.values[:100]) if isinstance(node, In) else node


def _deep_dropped(node: Filter) -> Filter:
    if isinstance(node, And) and any(isinstance(operand, Or) for operand in node.operands):
        return And(*(operand for operand in node.operands if not isinstance(operand, Or)))
    return node


for _name, _peer, _broken in (
    ("not_is_none_of", "#2 haystack Qdrant: NOT(a,b) = none-of", _none_of),
    ("not_of_or_is_or_of_nots", "#4, #18: De Morgan forgotten", _not_over_or),
    ("double_negation_negates", "#26 Spring AI FilterHelper, #4", _double_not),
    ("not_of_one_clause_lost", "#11 LlamaIndex Milvus", _single_not),
    ("or_keeps_the_last", "3.1 haystack mutant", _last_of_or),
    ("and_keeps_the_first", "#16 agno Chroma: two clauses", _first_of_and),
    ("nested_or_flattened_into_and", "3.1 haystack mutant", _or_into_and),
    ("precedence_lost", "#18 crossvector; Spring AI #3577, #6543", _precedence),
    ("one_condition_per_field", "#35 vectordb-orm Pinecone", _one_per_field),
    ("empty_in_is_all", "2.1: an empty list of values", _empty_in),
    ("empty_or_is_all", "#10 Qdrant local client: should=[]", _empty_or),
    ("clauses_joined_by_or", "#22 Semantic Kernel in-memory", _and_of_lists),
    ("in_cut_at_a_hundred", "hidden caps on operands", _cut_in),
    ("nested_groups_dropped", "#29 mem0 Pinecone: $or lists", _deep_dropped),
):
    _rewriting(_name, _peer, _everywhere(_broken))


@fault("#15 agno: 'No filters will be applied'; 2.1 #1-#4", "search of the adapter")
def filter_ignored_by_query(patch: pytest.MonkeyPatch) -> None:
    _each_search(patch, lambda call, native, k: call(None, k))


@fault("#15, on the path without exact=True", "index search of the adapter")
def filter_ignored_by_index(patch: pytest.MonkeyPatch) -> None:
    right = MemoryAdapter.search

    def search(self: Any, target: Any, queries: Any, native: Any, *rest: Any, **kw: Any) -> Any:
        return right(self, target, queries, None, *rest, **kw)

    patch.setattr(MemoryAdapter, "search", search)


@fault("#15 in count", "count of the adapter")
def filter_ignored_by_count(patch: pytest.MonkeyPatch) -> None:
    right = MemoryAdapter.count
    patch.setattr(
        MemoryAdapter, "count", lambda self, target, native, **kw: right(self, target, None, **kw)
    )


@fault("#15 in listing; LlamaIndex delete and scan", "scan of the adapter")
def filter_ignored_by_scan(patch: pytest.MonkeyPatch) -> None:
    right = MemoryAdapter.scan

    def scan(self: Any, target: Any, native: Any, *rest: Any, **kw: Any) -> Any:
        return right(self, target, None, *rest, **kw)

    patch.setattr(MemoryAdapter, "scan", scan)


@fault("2.5 #28: 1 of 50 results; mem0 #7416", "search of the adapter")
def filter_applied_after_top_k(patch: pytest.MonkeyPatch) -> None:
    def search(call: Any, native: Any, k: int) -> list[Found]:
        every, allowed = call(None, k), call(native, 1_000_000)
        kept: list[Found] = []
        for found, right in zip(every, allowed, strict=True):
            wanted = set(right.batch.ids)
            rows = [row for row, key in enumerate(found.batch.ids) if key in wanted]
            kept.append(Found(found.batch.take(rows), found.scores[rows]))
        return kept

    _each_search(patch, search)


@fault("#10 LlamaIndex Qdrant, #13 Milvus: delete by ids or filter", "delete")
def delete_takes_ids_or_filter(patch: pytest.MonkeyPatch) -> None:
    right = Collection.delete

    def delete(self: Any, ids: Any = None, *, filter: Any = None, **kw: Any) -> None:
        if ids and filter is not None:
            right(self, ids, **kw)
            right(self, filter=filter, **kw)
            return
        right(self, ids, filter=filter, **kw)

    patch.setattr(Collection, "delete", delete)


@fault("#14 LlamaIndex Weaviate: filters overwrite ids", "delete")
def delete_ignores_ids_beside_a_filter(patch: pytest.MonkeyPatch) -> None:
    right = Collection.delete

    def delete(self: Any, ids: Any = None, *, filter: Any = None, **kw: Any) -> None:
        right(self, None if filter is not None else ids, filter=filter, **kw)

    patch.setattr(Collection, "delete", delete)


@fault("#14 the other way round", "delete and update")
def filter_ignored_beside_ids(patch: pytest.MonkeyPatch) -> None:
    for verb in ("delete", "update"):
        patch.setattr(Collection, verb, _without_filter(getattr(Collection, verb)))


def _without_filter(right: Any) -> Any:
    def changed(self: Any, ids: Any = None, *, filter: Any = None, **kw: Any) -> None:
        right(self, ids, filter=filter if ids is None else None, **kw)

    return changed


def _each_search(patch: pytest.MonkeyPatch, broken: Any) -> None:
    """Patch both kinds of search; `broken(call, native, k)` may call with others."""
    for verb in ("search", "exact_search"):
        patch.setattr(MemoryAdapter, verb, _searching(getattr(MemoryAdapter, verb), broken))


def _searching(right: Any, broken: Any) -> Any:
    def search(
        self: Any, target: Any, queries: Any, native: Any, k: int, *rest: Any, **kw: Any
    ) -> Any:
        def call(other: Any, count: int) -> Any:
            return right(self, target, queries, other, count, *rest, **kw)

        return broken(call, native, k)

    return search
