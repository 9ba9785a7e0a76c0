"""The text of a filter: readable Python that builds an equal filter when evaluated.

`eval` of it needs the names `F`, `And`, `Or` and the module `datetime`. Everything that a tree can
nest is written without recursion, so that a hostile tree can be shown.
"""

from __future__ import annotations

from typing import Final

from polyvec.filters import (
    And,
    Contains,
    ContainsAll,
    ContainsAny,
    Eq,
    Exists,
    Filter,
    Ge,
    Gt,
    In,
    Le,
    Leaf,
    Lt,
    Not,
    Or,
    StartsWith,
)
from polyvec.operands import Operand
from polyvec.paths import Path

_SIGNS: Final = {Eq: "==", Lt: "<", Le: "<=", Gt: ">", Ge: ">="}


def render(node: Filter) -> str:
    """Return the filter as Python source."""
    parts: list[str] = []
    stack: list[Filter | str] = [node]
    while stack:
        item = stack.pop()
        match item:
            case str():
                parts.append(item)
            case Not(Eq(path, value)):
                parts.append(f"{render_field(path)} != {_render_operand(value)}")
            case Not(operand):
                stack.extend(_grouped(operand)[::-1])
                stack.append("~")
            case And() | Or():
                stack.extend(_render_joint(item)[::-1])
            case _:
                parts.append(_render_leaf(item))
    return "".join(parts)


def render_field(path: Path) -> str:
    """Return `F('a.b')`, or `F(('a', 'b.c'))` where a key holds a dot or a backslash."""
    if any("." in key or "\\" in key for key in path):
        return f"F({path!r})"
    return f"F({'.'.join(path)!r})"


def _render_joint(node: And | Or) -> list[Filter | str]:
    name, sign = ("And", " & ") if isinstance(node, And) else ("Or", " | ")
    parts: list[Filter | str] = []
    # `&` extends an And on its left, so that only the call form keeps this nesting.
    if len(node.operands) < 2 or isinstance(node.operands[0], type(node)):
        for operand in node.operands:
            parts += [", ", operand]
        return [f"{name}(", *parts[1:], ")"]
    for operand in node.operands:
        parts += [sign, *_grouped(operand)]
    return parts[1:]


def _grouped(node: Filter) -> list[Filter | str]:
    """Return the node, in parentheses where `~`, `&` and `|` bind tighter than its text."""
    match node:
        case Eq() | Lt() | Le() | Gt() | Ge() | And() | Or() | Not(Eq()):
            return ["(", node, ")"]
        case _:
            return [node]


def _render_leaf(node: Leaf) -> str:
    field = render_field(node.path)
    match node:
        case Eq() | Lt() | Le() | Gt() | Ge():
            return f"{field} {_SIGNS[type(node)]} {_render_operand(node.value)}"
        case In():
            return f"{field}.is_in({_render_operand(node.values)})"
        case Contains():
            return f"{field}.contains({_render_operand(node.value)})"
        case ContainsAny():
            return f"{field}.contains_any({_render_operand(node.values)})"
        case ContainsAll():
            return f"{field}.contains_all({_render_operand(node.values)})"
        case StartsWith():
            return f"{field}.starts_with({_render_operand(node.prefix)})"
        case Exists():
            return f"{field}.exists()"


def _render_operand(value: Operand | None) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_render_operand(item) for item in value)}]"
    return repr(value)
