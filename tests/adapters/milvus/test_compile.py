"""Leaves to expressions, without a server: what is sent, and what is left to the core."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given

from polyvec import F
from polyvec.bounds import ALL, NONE
from polyvec.filters import Not
from polyvec.rewrite import normal_form
from polyvec.testing.corpus import HOSTILE
from polyvec.testing.strategies import filters
from polyvec.types import as_any
from polyvec_milvus import _compile, _expressions
from polyvec_milvus._layout import ISO, list_tag

SIDE = '_polyvec_v1["t"]'


def bounds(filter: Any, *, server: bool = True) -> Any:
    node: Any = normal_form(filter)
    if isinstance(node, Not):
        return _compile.leaf(as_any(node.operand), True, server)
    return _compile.leaf(node, False, server)


def has(*tags: str) -> str:
    return _expressions.has(tags)


AT = datetime(2024, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("filter", "sent"),
    [
        (F("lang") == "de", 'meta["lang"] == "de"'),
        (F("n") == 1.0, 'meta["n"] == 1'),
        (F("n") == 0.5, 'meta["n"] == 0.5'),
        (F("ok") == True, 'meta["ok"] == true'),  # noqa: E712 - a filter
        (F("a.b") < 3, 'meta["a"]["b"] < 3'),
        (F(r"a\.b") < 3, 'meta["a.b"] < 3'),
        (F("n").is_in([2, 1]), 'meta["n"] in [2, 1]'),
        (F("n").is_in([1, 0.5]), '(meta["n"] == 1 or meta["n"] == 0.5)'),
        (F("lang") != "de", f'((not {has("s:lang")}) or meta["lang"] != "de")'),
        (F("n").not_in([1, 2]), f'((not {has("n:n")}) or (not (meta["n"] in [1, 2])))'),
        (~(F("n") < 3), f'((not {has("n:n")}) or meta["n"] >= 3)'),
        (F("at") == AT, f'({has("d:at")} and meta["at"] == "2024-01-02T00:00:00.000000Z")'),
        (
            F("s") == "2024-01-02T00:00:00.000000Z",
            f'({has("s:s")} and meta["s"] == "2024-01-02T00:00:00.000000Z")',
        ),
        (F("s") < "m", f'({has("s:s")} and meta["s"] < "m")'),
        (
            F("s").starts_with("ab"),
            f'({has("s:s")} and (meta["s"] >= "ab" and meta["s"] < "ac"))',
        ),
        (F("s").starts_with(""), has("s:s")),
        (F("t").contains("x"), 'json_contains_any(meta["t"], ["x"])'),
        (F("t").contains(1), 'json_contains_any(meta["t"], [1.0])'),
        (F("t").contains_all([1, 2]), 'json_contains_all(meta["t"], [1.0, 2.0])'),
        (F("t").contains_all([]), has("l:t")),
        (F("t") == ["x", 1], has(list_tag(["x", 1], ("t",)))),
        (F("n") == 2**53, has("=n:9007199254740992:n")),
        (F("t").contains(2**60), has(f"~n:{2**60}:t")),
        (F("x").exists(), has(*(f"{kind}:x" for kind in "nbsdlo"))),
        (F("x").is_missing(), f"(not {has(*(f'{kind}:x' for kind in 'nbsdlo'))})"),
    ],
    ids=repr,
)
def test_what_a_server_is_sent(filter: Any, sent: str) -> None:
    compiled = bounds(filter)
    assert compiled.exact
    assert compiled.upper == sent


@pytest.mark.parametrize(
    ("filter", "sent"),
    [
        (F("n") == 1, f'({has("n:n")} and meta["n"] == 1)'),
        (F("n").is_in([1, 2]), f'({has("n:n")} and (meta["n"] == 1 or meta["n"] == 2))'),
        (
            F("t").contains("x"),
            f'({has("ls:t")} and json_contains_any(meta["t"], ["x"]))',
        ),
    ],
    ids=repr,
)
def test_milvus_lite_is_asked_for_the_class_too(filter: Any, sent: str) -> None:
    compiled = bounds(filter, server=False)
    assert compiled.exact
    assert compiled.upper == sent


@pytest.mark.parametrize(
    ("filter", "upper"),
    [
        (F("n") < 2**53 + 1, has("n:n")),
        (F("n") >= 2.0**63, has("n:n")),
        (F(("\x01",)) == 1, has("n:\x01")),
        (F(("a", "\x7f\x1f")) > "x", has("s:a.\x7f\x1f")),
    ],
    ids=repr,
)
def test_what_is_narrowed_and_checked_by_the_core(filter: Any, upper: str) -> None:
    compiled = bounds(filter)
    assert (compiled.lower, compiled.upper) == (NONE, upper)
    other = bounds(~filter)
    assert (other.lower, other.upper) == (f"(not {upper})", ALL)


def test_many_operands_are_narrowed_on_milvus_lite() -> None:
    many = F("n").is_in(list(range(33)))
    assert bounds(many).exact
    assert bounds(many, server=False).upper == has("n:n")
    assert not bounds(many, server=False).exact


@pytest.mark.parametrize("server", [True, False])
@pytest.mark.parametrize("value", [2**63 - 2**10, -(2**62), 1e300, -1e300, 2.0**70, 0.1, 5e-324])
def test_numbers_that_are_doubles_are_exact(value: Any, server: bool) -> None:
    for where in (F("n") < value, ~(F("n") < value), F("n") == value, F("n").is_in([value, 1])):
        assert bounds(where, server=server).exact


_STRING = re.compile(r'"(?:[^"\\\n\r\t]|\\["\\nrt])*"')


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_strings_stay_inside_their_quotes(text: str) -> None:
    quoted = _expressions.quoted(text)
    assert _STRING.fullmatch(quoted)
    assert re.sub(r"\\(.)", lambda found: _UNESCAPED[found[1]], quoted[1:-1]) == text


_UNESCAPED = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}


@pytest.mark.laws
@given(filters())
def test_nothing_is_pasted_and_no_negation_is_bare(filter: Any) -> None:
    """Without its strings an expression has only words of the language; `!=` follows a guard."""
    for server in (True, False):
        for leaf in _leaves(normal_form(filter)):
            compiled = bounds(leaf, server=server)
            for native in (compiled.lower, compiled.upper):
                if native is ALL or native is NONE:
                    continue
                bare = _STRING.sub("S", native)
                words = set(re.findall(r"[A-Za-z_]\w*", bare))
                assert words <= {
                    *("S", "meta", "_polyvec_v1", "and", "or", "not", "in", "true", "false", "e"),
                    *("json_contains_any", "json_contains_all"),
                }
                if "!=" in bare:
                    assert "(not json_contains_any(_polyvec_v1[S]" in bare


def _leaves(node: Any) -> list[Any]:
    operands: Any = getattr(node, "operands", None)
    if operands is None:
        return [node] if hasattr(node, "path") or isinstance(node, Not) else []
    return [leaf for one in operands for leaf in _leaves(one)]


def test_chains_are_balanced() -> None:
    parts = [f"x{at}" for at in range(1000)]
    joined = _expressions.joined("or", parts)
    depth = most = 0
    for char in joined:
        depth += {"(": 1, ")": -1}.get(char, 0)
        most = max(most, depth)
    assert most == 10
    assert re.findall(r"x\d+", joined) == parts


@pytest.mark.parametrize(
    ("prefix", "stop"),
    [("ab", "ac"), ("a\U0010ffff", "b"), ("\U0010ffff", None), ("\ud7ff", "\ue000"), ("", None)],
)
def test_the_end_of_a_prefix(prefix: str, stop: str | None) -> None:
    assert _expressions.after_prefix(prefix) == stop


def test_only_our_datetimes_look_like_ours() -> None:
    assert ISO.match("2024-01-02T00:00:00.000000Z")
    assert not ISO.match("2024-01-02T00:00:00.000000Z\n")
    assert not ISO.match("2024-01-02")
