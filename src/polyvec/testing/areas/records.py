# Generated from records_async.py by tools/unasync.py. Do not edit.
"""Records read back as written: ids, metadata classes, text, vectors."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest

from polyvec.filters import F
from polyvec.records import VectorRecord
from polyvec.testing.checks import check_record, same_value
from polyvec.testing.corpus import HOSTILE, KEYS, WITH_NUL
from polyvec.testing.oracle import Row
from polyvec.testing.rows import DIMENSION, vector, vectors
from polyvec.testing.rules import Area
from polyvec.testing.world import WORLD
from polyvec.types import Metric

if TYPE_CHECKING:
    from polyvec.testing.lab import Lab


class _Colour(StrEnum):
    RED = "red"


class _Level(IntEnum):
    HIGH = 3


def _nested(depth: int) -> Any:
    value: Any = 1
    for at in range(depth):
        value = [value] if at % 2 else {"a": value}
    return value


VALUES: Final[dict[str, Any]] = {
    "str_empty": "",
    "str_digits": "123",
    "str_float": "1.0",
    "str_true": "true",
    "str_null": "null",
    "str_nan": "nan",
    "str_json": '{"a": 1}',
    "str_date": "2024-01-01T00:00:00Z",
    "str_tag": '{"$datetime": "2024-01-01T00:00:00+00:00"}',
    "str_long": "é" * 3000,
    "str_spaces": "  a  ",
    "str_newlines": "a\r\n\tb",
    "int_zero": 0,
    "int_one": 1,
    "int_negative": -7,
    "int_2_53_plus_1": 2**53 + 1,
    "int_largest": 2**63 - 1,
    "int_smallest": -(2**63),
    "float_one": 1.0,
    "float_zero": 0.0,
    "float_tenth": 0.1,
    "float_third": 1 / 3,
    "float_2_53": float(2**53),
    "float_largest": 1.7976931348623157e308,
    "float_smallest": 5e-324,
    "float_negative": -2.5,
    "bool_true": True,
    "bool_false": False,
    "none": None,
    "datetime_utc": datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC),
    "datetime_microsecond": datetime(2024, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
    "datetime_east": datetime(2024, 1, 1, 5, 30, tzinfo=timezone(timedelta(hours=5, minutes=30))),
    "datetime_west": datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=-11))),
    "datetime_odd_offset": datetime(1900, 1, 1, tzinfo=timezone(timedelta(minutes=53, seconds=28))),
    "datetime_first": datetime(1, 1, 1, tzinfo=UTC),
    "datetime_last": datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    "list_empty": [],
    "list_strings": ["b", "a", "b"],
    "list_numbers": [1, 1.0, 2.5],
    "list_mixed": [1, "1", True, None, 1.0, [], {}],
    "list_nested": [["a"], [["b"]]],
    "list_objects": [{"a": 1}, {"a": "1"}],
    "list_datetimes": [datetime(2024, 1, 1, tzinfo=UTC)],
    "list_nones": [None, None],
    "object_empty": {},
    "object_nested": {"a": {"b": {"c": [1, {"d": None}]}}},
    "object_datetime": {"at": datetime(2024, 1, 1, 1, tzinfo=timezone(timedelta(hours=1)))},
    "object_dotted_key": {"a.b": 1, "a": {"b": 2}},
    "object_no_values": {"a": None, "b": [], "c": {}},
    "deep": _nested(30),
}


class Records(Area):
    """What is written is what is read, in value and in class."""

    area = "records"

    @pytest.mark.parametrize("name", VALUES)
    def test_metadata_value_reads_back(self, lab: Lab, name: str) -> None:
        rows = {
            "one": Row(vector(1), {"value": VALUES[name], "other": "kept"}),
            "two": Row(vector(2), {"value": "neighbour"}),
        }
        space = lab.filled(rows)
        lab.holds(space, rows)
        (record,) = space.get(["one"])
        check_record(record, rows, lab.capabilities)
        hits = space.query(vector(1), top_k=2, exact=True)
        for hit in hits:
            assert same_value(hit.record.metadata, rows[hit.id].metadata)

    def test_all_values_in_one_record(self, lab: Lab) -> None:
        small = {name: value for name, value in VALUES.items() if name != "str_long"}
        rows = {"one": Row(vector(1), small)}
        lab.holds(lab.filled(rows), rows)

    def test_whole_world_reads_back(self, lab: Lab) -> None:
        space = lab.kept("world", WORLD)
        lab.holds(space, WORLD)
        records = space.get(list(WORLD))
        assert [record.id for record in records] == list(WORLD)
        for record in records:
            check_record(record, WORLD, lab.capabilities)

    def test_subclasses_are_stored_as_plain_values(self, lab: Lab) -> None:
        space = lab.namespace()
        metadata = {"colour": _Colour.RED, "level": _Level.HIGH}
        space.upsert([VectorRecord(id="a", vector=vector(), metadata=metadata)])
        lab.holds(space, {"a": Row(vector(), {"colour": "red", "level": 3})})

    def test_names_of_columns_are_ordinary_keys(self, lab: Lab) -> None:
        metadata = {
            name: f"mine {name}"
            for name in ("id", "text", "vector", "class", "namespace", "metadata", "score", "_id")
        }
        rows = {"a": Row(vector(1), metadata, "the text"), "b": Row(vector(2), {}, None)}
        space = lab.filled(rows)
        lab.holds(space, rows)
        for name, value in metadata.items():
            assert space.count(F(name) == value) == 1

    def test_every_allowed_key(self, lab: Lab) -> None:
        rows = {
            f"r{at:03}": Row(vector(at + 1), {key: at, "nested": {key: [at]}})
            for at, key in enumerate([*KEYS, "k" * 128, "é" * 128])
        }
        lab.holds(lab.filled(rows), rows)

    def test_keys_that_look_alike_stay_apart(self, lab: Lab) -> None:
        keys = ("Key", "key", "KEY", "k.ey", "k_ey", "k-ey", "k ey", "é", "e\u0301", "1", "01")
        rows = {"a": Row(vector(), {key: at for at, key in enumerate(keys)})}
        lab.holds(lab.filled(rows), rows)

    def test_metadata_to_the_limit(self, lab: Lab) -> None:
        limit = lab.capabilities.limits.record_bytes
        largest = 40_960 if limit is None else min(40_960, limit - 256)
        # {"text":"…"} has 11 bytes beside the value
        rows = {"a": Row(vector(), {"text": "x" * (largest - 11)})}
        lab.holds(lab.filled(rows), rows)

    def test_every_kind_of_id(self, lab: Lab) -> None:
        most = lab.capabilities.limits.id_bytes
        ids = [*HOSTILE, "x" * 512, "y" * 511, "é" * 512, "😀" * 512, "$id", "_polyvec", "-1", "٣"]
        kept = [key for key in ids if most is None or len(key.encode()) <= most]
        rows = {key: Row(vector(at + 1), {"at": at}) for at, key in enumerate(kept)}
        space = lab.filled(rows)
        lab.holds(space, rows)
        records = space.get(kept)
        assert [record.id for record in records] == kept
        for record in records:
            check_record(record, rows, lab.capabilities)
        hits = space.query(vector(1), top_k=lab.everything, exact=True)
        assert {hit.id for hit in hits} == set(kept)

    def test_ids_with_a_common_prefix(self, lab: Lab) -> None:
        ids = ["1", "10", "100", "doc1", "doc10", "doc", "Doc1", "doc1 ", "01", "a", "a#b", "a#"]
        rows = {key: Row(vector(at + 1), {"key": key}) for at, key in enumerate(ids)}
        space = lab.filled(rows)
        for key in ids:
            (record,) = space.get([key])
            assert record.metadata == {"key": key}
        gone = ("1", "doc1", "a#")
        space.delete(list(gone))
        lab.settle(space, gone, absent=True)
        lab.holds(space, {key: row for key, row in rows.items() if key not in gone})

    def test_text_is_kept(self, lab: Lab) -> None:
        texts = [
            None,
            "",
            " ",
            "plain",
            "é 日本 😀",
            "a\r\n\tb",
            "x" * 20_000,
            *WITH_NUL,
            *HOSTILE[:30],
        ]
        most = lab.capabilities.limits.text_bytes
        rows = {
            f"r{at:03}": Row(vector(at + 1), {"at": at}, text)
            for at, text in enumerate(texts)
            if text is None or most is None or len(text.encode()) <= most
        }
        space = lab.filled(rows)
        lab.holds(space, rows)
        for record in space.get(list(rows)):
            assert record.text == rows[record.id].text

    def test_nul_in_values(self, lab: Lab) -> None:
        rows = {
            f"r{at}": Row(vector(at + 1), {"value": text, "list": [text], "o": {"v": text}})
            for at, text in enumerate([*WITH_NUL, "a", ""])
        }
        space = lab.filled(rows)
        lab.holds(space, rows)
        for key, row in rows.items():
            found = space.query(
                vector(1), top_k=9, filter=F("value") == row.metadata["value"], exact=True
            )
            assert [hit.id for hit in found] == [key]

    def test_columns_as_arrays(self, lab: Lab) -> None:
        space = lab.namespace()
        block = vectors(3)
        space.upsert(
            ids=["a", "b", "c"],
            vectors=block,
            metadata=[{"n": 1}, {}, {"n": 3}],
            texts=["x", None, ""],
        )
        lab.settle(space, ["a", "b", "c"])
        lab.holds(
            space,
            {
                "a": Row(block[0], {"n": 1}, "x"),
                "b": Row(block[1], {}, None),
                "c": Row(block[2], {"n": 3}, ""),
            },
        )

    def test_ids_and_vectors_are_enough(self, lab: Lab) -> None:
        space = lab.namespace()
        block = vectors(2)
        space.upsert(ids=("a", "b"), vectors=block.tolist())
        lab.settle(space, ["a", "b"])
        lab.holds(space, {"a": Row(block[0]), "b": Row(block[1])})

    @pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64", "uint8"])
    def test_vectors_of_other_number_types(self, lab: Lab, dtype: str) -> None:
        space = lab.namespace()
        block = np.array([[1, 2, 3, 4], [4, 3, 2, 1]], dtype=dtype)
        space.upsert(ids=["a", "b"], vectors=block)
        lab.settle(space, ["a", "b"])
        floats = block.astype(np.float32)
        lab.holds(space, {"a": Row(floats[0]), "b": Row(floats[1])})

    def test_vectors_in_any_memory_layout(self, lab: Lab) -> None:
        space = lab.namespace()
        block = np.asfortranarray(vectors(6))[::2]
        space.upsert(ids=["a", "b", "c"], vectors=block)
        lab.settle(space, ["a", "b", "c"])
        lab.holds(space, {key: Row(block[at].copy()) for at, key in enumerate("abc")})

    @pytest.mark.parametrize("metric", list(Metric), ids=str)
    def test_vector_reads_back(self, lab: Lab, metric: Metric) -> None:
        if metric not in lab.capabilities.metrics:
            pytest.skip(f"{lab.capabilities.store} has no {metric}")
        space = lab.namespace(metric=metric)
        numbers = {
            "unit": [1.0, 0.0, 0.0, 0.0],
            "negative": [-1.0, -2.0, -3.0, -4.0],
            "thirds": [1 / 3, 2 / 3, -1 / 3, 1e-3],
            "long": [1e10, -1e10, 3.0, 1e9],
            "short": [1e-10, 2e-10, -1e-10, 3e-10],
            "seeded": vector(9).tolist(),
        }
        rows = {key: Row(np.array(v, dtype=np.float32), {}) for key, v in numbers.items()}
        lab.write(space, rows)
        lab.holds(space, rows)
        for record in space.get(list(rows)):
            check_record(record, rows, lab.capabilities)
            assert record.vector.shape == (DIMENSION,)

    def test_zero_vector_where_it_has_a_meaning(self, lab: Lab) -> None:
        metrics = sorted(lab.capabilities.metrics - {Metric.COSINE})
        if not metrics:
            pytest.skip("the store has only cosine")
        space = lab.namespace(metric=metrics[0])
        rows = {"zero": Row(np.zeros(DIMENSION, dtype=np.float32), {"n": 0}), "one": Row(vector())}
        lab.write(space, rows)
        lab.holds(space, rows)

    def test_what_was_read_is_the_reader_s(self, lab: Lab) -> None:
        rows = {"a": Row(vector(1), {"tags": ["x"], "o": {"k": 1}}, "t"), "b": Row(vector(2))}
        space = lab.filled(rows)
        (record,) = space.get(["a"])
        record.metadata["tags"].append("changed")
        record.metadata["o"]["k"] = 2
        record.vector[:] = 0
        (hit,) = space.query(vector(1), top_k=1, include=("metadata", "vector"))
        hit.record.metadata.clear()
        hit.record.vector[:] = 7
        for batch in list(space.scan(include=("metadata", "vector"))):
            assert batch.metadata is not None
            for item in batch.metadata:
                item["new"] = True
        lab.holds(space, rows)

    def test_what_was_written_stays_the_caller_s(self, lab: Lab) -> None:
        space = lab.namespace()
        block = vectors(2)
        metadata: list[dict[str, Any]] = [{"tags": ["x"]}, {"n": 1}]
        rows = {"a": Row(block[0].copy(), {"tags": ["x"]}), "b": Row(block[1].copy(), {"n": 1})}
        space.upsert(ids=["a", "b"], vectors=block, metadata=metadata)
        lab.settle(space, ["a", "b"])
        assert np.array_equal(block, np.stack([rows["a"].vector, rows["b"].vector]))
        assert metadata == [{"tags": ["x"]}, {"n": 1}]
        block[:] = 9
        metadata[0]["tags"] = ["changed"]
        metadata[1].clear()
        lab.holds(space, rows)
