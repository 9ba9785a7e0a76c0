"""Random requests from the gateway's own OpenAPI description: right ones, and nearly right ones."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final, cast
from urllib.parse import quote

from hypothesis import strategies as st

HOSTILE: Final = (
    "",
    " ",
    "\0",
    "../..",
    "a/b",
    "%2e%2e",
    "$where",
    "_polyvec",
    "_polyvec_",
    "~_polyvec",
    "__default__",
    "__proto__",
    "é",
    "\U0001f600",
    "' OR 1=1 --",
    "{}",
    "x" * 600,
)
NAMES: Final = ("other", "absent", "polyvec_gateway", "1st")
IDS: Final = ("a", "b", "c", "d#1")
KEYS: Final = ("n", "tag", "tags", "flag", "a.b")
WORDS: Final = (*IDS, *KEYS, "x", "y")
NUMBERS: Final = (0, -1, 1, 3, 1.5, -0.0, 2**31, 2**53 + 1, 2**63, 2**64, 10**30, 1e38, 1e39, 1e308)


def mostly(
    right: st.SearchStrategy[Any], *, rest: st.SearchStrategy[Any]
) -> st.SearchStrategy[Any]:
    """Return a strategy that draws `rest` about once in eight; `one_of` would drop repeats."""
    return st.sampled_from([right] * 7 + [rest]).flatmap(lambda chosen: chosen)


words = st.sampled_from(WORDS)
strings = mostly(words, rest=st.sampled_from(HOSTILE) | st.text(max_size=8))
numbers = st.sampled_from(NUMBERS) | st.integers(-5, 5) | st.floats(-10, 10)
anything = st.recursive(
    st.none() | st.booleans() | numbers | strings,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(strings, inner, max_size=3),
    max_leaves=6,
)
indexes = mostly(st.just("fuzz"), rest=st.sampled_from(NAMES) | strings)
versions = mostly(
    st.sampled_from((None, "2025-01", "2025-10", "2026-04", "2026-07")),
    rest=st.sampled_from(("1999-01", "", "2026-07.alpha")),
)


Operation = tuple[str, str, dict[str, Any]]
"""A path, its method and its description."""


@dataclass(frozen=True)
class Sent:
    """One request."""

    operation: str
    method: str
    path: str
    headers: dict[str, str]
    content: bytes | None


class Description:
    """The operations of an OpenAPI description, as strategies.

    Parameters
    ----------
    document
        The description.
    dimension
        Of the index under test, so that many vectors have the right length.
    """

    def __init__(self, document: dict[str, Any], dimension: int) -> None:
        self._schemas = document["components"]["schemas"]
        self._dimension = dimension
        self._known: dict[str, st.SearchStrategy[Any]] = {}
        self.operations: list[Operation] = [
            (path, method, operation)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
        ]

    def requests(self) -> st.SearchStrategy[Sent]:
        """Return a strategy of requests to all operations."""
        return st.sampled_from(self.operations).flatmap(lambda one: self.requests_to(*one))

    def value(self, schema: dict[str, Any]) -> st.SearchStrategy[Any]:
        """Return a strategy of the values of a schema."""
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            if name not in self._known:
                self._known[name] = st.deferred(lambda: self.value(self._schemas[name]))
            return self._known[name]
        if "oneOf" in schema:
            return st.one_of([self.value(one) for one in schema["oneOf"]])
        if "const" in schema:
            return st.just(schema["const"])
        if "pattern" in schema:
            return mostly(st.sampled_from(("other", "1st", "a-b")), rest=strings)
        if "enum" in schema:
            return st.sampled_from(schema["enum"])
        match schema["type"]:
            case "string":
                return st.sampled_from(IDS) | strings if "maxLength" in schema else strings
            case "boolean":
                return st.booleans()
            case "integer":
                highest = schema.get("maximum", 10)
                return st.integers(schema.get("minimum", 0), min(highest, 10)) | st.just(highest)
            case "number":
                return numbers
            case "array":
                return self._array(schema)
            case _:
                return self._object(schema)

    def _array(self, schema: dict[str, Any]) -> st.SearchStrategy[Any]:
        item = self.value(schema["items"])
        if schema["items"] == {"type": "number"}:
            size = self._dimension
            right = st.lists(st.floats(-1, 1, width=32), min_size=size, max_size=size)
            return mostly(right, rest=st.lists(item, max_size=size + 1))
        return st.lists(item, min_size=schema.get("minItems", 0), max_size=3)

    def _object(self, schema: dict[str, Any]) -> st.SearchStrategy[Any]:
        properties = schema.get("properties", {})
        required = {name: self.value(properties[name]) for name in schema.get("required", ())}
        if schema.get("maxProperties") == 0:
            return st.just(dict[str, Any]())
        optional = {n: self.value(s) for n, s in properties.items() if n not in required}
        fixed = st.fixed_dictionaries(required, optional=optional)
        if "additionalProperties" not in schema:
            return fixed
        more = st.dictionaries(
            st.sampled_from(KEYS) | strings,
            self.value(schema["additionalProperties"]),
            max_size=3,
        )
        return more if not properties else more | fixed

    def requests_to(
        self, path: str, method: str, operation: dict[str, Any]
    ) -> st.SearchStrategy[Sent]:
        """Return a strategy of requests to one operation."""
        spaces = st.sampled_from(("s", "__default__", "none")) | strings
        parts = {"index": indexes, "namespace": spaces}
        query = {
            one["name"]: mostly(self.value(one["schema"]), rest=strings)
            for one in operation["parameters"]
            if one["in"] == "query"
        }
        body: st.SearchStrategy[bytes | None] = st.none()
        if "requestBody" in operation:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            body = self._bodies(schema)
        return st.builds(
            _sent,
            st.just((operation["operationId"], method.upper(), path)),
            st.fixed_dictionaries(parts),
            st.fixed_dictionaries({}, optional=query),
            versions,
            body,
        )

    def _bodies(self, schema: dict[str, Any]) -> st.SearchStrategy[bytes | None]:
        right = self.value(schema)
        bent = st.builds(_bend, right, words | st.just("namespace"), anything)
        as_json = mostly(right, rest=bent | anything).map(json.dumps).map(str.encode)
        return mostly(as_json, rest=st.binary(max_size=20) | st.none())


def _bend(body: Any, key: str, value: Any) -> Any:
    if not isinstance(body, dict):
        return value
    fields = cast("dict[str, Any]", body)
    keys = sorted(fields)
    if keys and len(key) % 2:
        key = keys[len(key) % len(keys)]
    return fields | {key: value}


def _sent(
    operation: tuple[str, str, str],
    parts: dict[str, str],
    query: dict[str, Any],
    version: str | None,
    content: bytes | None,
) -> Sent:
    name, method, path = operation
    for part, value in parts.items():
        path = path.replace(f"{{{part}}}", quote(value, safe=""))
    pairs: list[str] = []
    for key, value in query.items():
        items = cast("list[object]", value) if isinstance(value, list) else [value]
        pairs += [f"{quote(key)}={quote(str(item))}" for item in items]
    headers = {} if version is None else {"X-Pinecone-Api-Version": version}
    return Sent(name, method, f"{path}?{'&'.join(pairs)}" if pairs else path, headers, content)
