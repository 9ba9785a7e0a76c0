"""Records, hits and batches: what is checked when built, what was not read, rows and columns."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest
from pydantic import ValidationError

from polyvec import InvalidRecordError, Metadata, NotIncludedError, PolyvecError, VectorRecord
from polyvec.records import RecordBatch, concat, make_record
from polyvec.types import ALL_COLUMNS, METADATA, NO_COLUMNS, VECTOR

V = np.array([1.0, 2.0], np.float32)


class Article(Metadata):
    category: str
    price: float | None = None


def batch(count: int = 4, **columns: Any) -> RecordBatch:
    given: dict[str, Any] = {
        "ids": [f"r{n}" for n in range(count)],
        "vectors": np.arange(2 * count, dtype=np.float32).reshape(count, 2),
        "metadata": [{"n": n} for n in range(count)],
        "texts": [None if n % 2 else f"t{n}" for n in range(count)],
    }
    return RecordBatch(**{**given, **columns})


class TestVectorRecord:
    def test_numbers_become_float32(self) -> None:
        for vector in ([1, 2], (1.0, 2.0), np.array([1, 2]), np.array([1.0, 2.0], ">f8")):
            record = VectorRecord(id="a", vector=cast("Any", vector))
            assert record.vector.dtype == np.float32
            assert record.vector.tolist() == [1.0, 2.0]
            assert record.vector.flags.c_contiguous
        assert record.metadata == {}
        assert record.text is None

    @pytest.mark.parametrize(
        ("columns", "says"),
        [
            ({"id": 5}, "id"),
            ({"id": None}, "id"),
            ({"id": b"a"}, "id"),
            ({"text": 5}, "text"),
            ({"vector": "ab"}, "vector"),
            ({"vector": [[1, 2]]}, r"shape \(dimension,\), got shape \(1, 2\)"),
            ({"vector": 5}, r"got shape \(\)"),
            ({"vector": []}, "at least one number"),
            ({"vector": [True, False]}, "dtype bool"),
            ({"vector": ["1", "2"]}, "dtype <U1"),
            ({"vector": [1j]}, "dtype complex128"),
            ({"vector": [None]}, "dtype object"),
            ({"vector": [[1], [1, 2]]}, "vector"),
            ({"metadata": [1]}, "metadata"),
            ({"metadata": None}, "metadata"),
            ({"vectors": [1.0]}, "vectors"),
        ],
    )
    def test_building_one_checks_types(self, columns: dict[str, Any], says: str) -> None:
        given: dict[str, Any] = {"id": "a", "vector": V, **columns}
        with pytest.raises(ValidationError, match=says):
            VectorRecord(**given)

    def test_typed_metadata_is_validated(self) -> None:
        record = VectorRecord[Article](id="a", vector=V, metadata=Article(category="x"))
        assert record.metadata.category == "x"
        made = VectorRecord[Article].model_validate(
            {"id": "a", "vector": V, "metadata": {"category": "x", "price": 1}}
        )
        assert made.metadata == Article(category="x", price=1.0)
        for bad in ({"metadata": {"category": 5}}, {"metadata": {"kategory": "x"}}, {}):
            with pytest.raises(ValidationError):
                VectorRecord[Article].model_validate({"id": "a", "vector": V, **bad})

    def test_a_column_that_was_not_read_says_how_to_read_it(self) -> None:
        record = make_record({"id": "a"})
        for name in ("vector", "metadata", "text"):
            with pytest.raises(NotIncludedError, match=rf"'a' .* its {name}; add '{name}' to inc"):
                getattr(record, name)
        with pytest.raises(AttributeError, match="colour"):
            getattr(record, "colour")  # noqa: B009 - a checker would refuse the plain form
        assert issubclass(NotIncludedError, PolyvecError)

    def test_equality_is_column_by_column(self) -> None:
        first = VectorRecord(id="a", vector=V, metadata={"n": 1}, text="t")
        assert first == VectorRecord(id="a", vector=V.copy(), metadata={"n": 1}, text="t")
        others: Sequence[dict[str, Any]] = (
            {"id": "b"},
            {"vector": V + 1},
            {"vector": np.ones(3, np.float32)},
            {"metadata": {"n": 2}},
            {"text": None},
        )
        for change in others:
            columns: dict[str, Any] = {"id": "a", "vector": V, "metadata": {"n": 1}, "text": "t"}
            columns |= change
            assert first != VectorRecord(**columns)
        assert first != make_record({"id": "a", "metadata": {"n": 1}, "text": "t"})
        assert make_record({"id": "a"}) == make_record({"id": "a"})
        assert first != "a"
        with pytest.raises(TypeError, match="unhashable"):
            hash(first)

    def test_the_repr_shows_no_numbers_and_no_missing_columns(self) -> None:
        record = VectorRecord(id="a", vector=np.zeros(384, np.float32), metadata={"n": 1}, text="t")
        shown = "VectorRecord(id='a', vector='<384 floats>', metadata={'n': 1}, text='t')"
        assert repr(record) == shown
        assert repr(make_record({"id": "a"})) == "VectorRecord(id='a')"

    def test_copies_and_pickles_whole_or_in_part(self) -> None:
        whole = VectorRecord(id="a", vector=V, metadata={"n": 1}, text="t")
        for record in (whole, make_record({"id": "a", "text": "t"}), make_record({"id": "a"})):
            for twin in (
                copy.copy(record),
                copy.deepcopy(record),
                pickle.loads(pickle.dumps(record)),  # noqa: S301 - our own bytes
            ):
                assert twin == record
                assert twin.__dict__.keys() == record.__dict__.keys()

    def test_json_goes_both_ways(self) -> None:
        record = VectorRecord(id="a", vector=V, metadata={"n": 1}, text="t")
        text = record.model_dump_json()
        assert text == '{"id":"a","vector":[1.0,2.0],"metadata":{"n":1},"text":"t"}'
        assert VectorRecord.model_validate_json(text) == record
        assert VectorRecord.model_validate(record.model_dump()) == record


class TestRecordBatch:
    @pytest.mark.parametrize("name", ["vectors", "metadata", "texts", "present"])
    def test_columns_are_as_long_as_the_ids(self, name: str) -> None:
        short: dict[str, Any] = {
            "vectors": np.zeros((3, 2), np.float32),
            "metadata": [{}] * 3,
            "texts": [None] * 3,
            "present": np.ones(3, np.bool_),
        }
        with pytest.raises(InvalidRecordError, match=f"batch of 4 ids has 3 {name}"):
            batch(**{name: short[name]})

    def test_take_keeps_order_and_repeats(self) -> None:
        present = np.array([True, False, True, True])
        taken = batch(present=present, cursor="c").take([3, 1, 1])
        assert taken.ids == ["r3", "r1", "r1"]
        assert taken.metadata == [{"n": 3}, {"n": 1}, {"n": 1}]
        assert taken.texts == [None, None, None]
        assert taken.vectors is not None
        assert taken.vectors.tolist() == [[6, 7], [2, 3], [2, 3]]
        assert taken.vectors.flags.c_contiguous
        assert taken.present is not None
        assert taken.present.tolist() == [True, False, False]
        assert taken.cursor == "c"
        assert batch().take(np.array([2])).ids == ["r2"]
        nothing = batch(present=present).take([])
        assert len(nothing) == 0
        assert nothing.vectors is not None
        assert nothing.vectors.shape == (0, 2)

    def test_slice_is_a_view(self) -> None:
        whole = batch()
        part = whole.slice(1, 3)
        assert part.ids == ["r1", "r2"]
        assert part.vectors is not None
        assert whole.vectors is not None
        assert np.shares_memory(part.vectors, whole.vectors)
        assert part.records() == [whole.record(1), whole.record(2)]
        assert whole.slice(0, 4) is whole
        assert whole.slice(0, 99) is whole
        assert len(whole.slice(4, 9)) == 0
        assert RecordBatch(["a", "b"]).slice(1, 2) == RecordBatch(["b"])

    def test_only_drops_columns(self) -> None:
        whole = batch(present=np.ones(4, np.bool_))
        assert whole.only(ALL_COLUMNS) is whole
        assert whole.only(NO_COLUMNS) == RecordBatch(whole.ids)
        assert whole.only(METADATA) == RecordBatch(whole.ids, metadata=whole.metadata)
        vectors = whole.only(VECTOR)
        assert (vectors.metadata, vectors.texts) == (None, None)
        assert vectors.vectors is whole.vectors
        assert vectors.present is whole.present

    def test_records_have_what_was_read(self) -> None:
        whole = batch(present=np.array([True, False, True, True]))
        assert "vector" not in whole.record(1).__dict__
        assert whole.record(0) == VectorRecord(id="r0", vector=V - 1, metadata={"n": 0}, text="t0")
        assert [record.id for record in whole.only(NO_COLUMNS).records()] == whole.ids
        assert set(whole.only(METADATA).record(0).__dict__) == {"id", "metadata"}

    def test_concat_joins_rows(self) -> None:
        one, two = batch(2, cursor="c"), batch(3, present=np.array([False, True, True]))
        joined = concat([one, two])
        assert joined.ids == ["r0", "r1", "r0", "r1", "r2"]
        assert joined.present is not None
        assert joined.present.tolist() == [True, True, False, True, True]
        assert joined.records() == one.records() + two.records()
        assert joined.cursor is None
        assert concat([one]).cursor is None
        bare = concat([one.only(NO_COLUMNS), two.only(NO_COLUMNS)])
        assert bare == RecordBatch(joined.ids)

    def test_equality_compares_columns(self) -> None:
        assert batch() == batch()
        assert batch(cursor="a") != batch(cursor="b")
        assert batch(3) != batch(4)
        assert batch() != batch(vectors=np.zeros((4, 2), np.float32))
        assert batch() != batch(vectors=None)
        assert batch() != batch(texts=[None] * 4)
        assert batch() != batch(present=np.ones(4, np.bool_))
        assert batch() != "batch"
        with pytest.raises(TypeError, match="unhashable"):
            hash(batch())
