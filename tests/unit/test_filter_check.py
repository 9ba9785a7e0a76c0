"""Checks before any I/O: depth, and fields against a typed model."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum, IntEnum, StrEnum
from typing import Annotated, Any, Final, Literal, NewType, Optional, Union

import pytest
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, RootModel, computed_field

from polyvec.errors import FilterError
from polyvec.filter_check import MAX_DEPTH, check_depth, check_filter, leaves
from polyvec.filters import And, F, Filter, Not, Or

NOON: Final = datetime(2024, 5, 1, 12, tzinfo=UTC)
LEAF: Final = F("a") == 1
DEEP: Final = 10_000

Price = NewType("Price", float)


class Colour(StrEnum):
    RED = "red"


class Grade(IntEnum):
    FIRST = 1


class Plain(Enum):
    ONE = 1
    TWO = "two"


class Author(BaseModel):
    name: str
    born: datetime | None = None
    editor: Author | None = None


class Tags(RootModel[list[str]]):
    pass


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    known: int = 0


class Article(BaseModel):
    category: str
    price: float | None = None
    pages: int = 0
    weight: Annotated[float, Field(gt=0)] = 1.0
    cost: Price = Price(0.0)
    live: bool = True
    published: datetime | None = None
    updated: AwareDatetime | None = None
    tags: list[str] = []
    numbers: Optional[list[Union[int, bool]]] = None  # noqa: UP007, UP045 - the older spelling is read too
    nested: list[list[int]] = []
    anything_list: list[Any] = []
    status: Literal["draft", "final", 3] = "draft"
    colour: Colour = Colour.RED
    grade: Grade = Grade.FIRST
    plain: Plain = Plain.ONE
    author: Author | None = None
    extra: dict[str, int] = {}
    bag: dict[str, Any] = {}
    loose: dict = {}  # type: ignore[type-arg]  # pyright: ignore[reportMissingTypeArgument, reportUnknownVariableType]  # a plain dict is read too
    opened: Open = Open()
    root: Tags = Tags([])
    either: Author | dict[str, bool] | None = None
    whatever: Any = None
    nothing: None = None
    camel: str = Field(default="", serialization_alias="camelCase")
    aliased: str = Field(default="", alias="other")
    secret: str = Field(default="", exclude=True)

    @computed_field  # type: ignore[prop-decorator]  # mypy has no way to type a property below a decorator
    @property
    def size(self) -> int:
        return len(self.category)


@pytest.mark.parametrize(
    "filter",
    [
        F("category") == "x",
        F("category").starts_with("x"),
        F("category") < "x",
        F("price") == 1,
        F("price") < 1.5,
        F("price") == None,  # noqa: E711 - builds a filter
        F("price").is_missing(),
        F("pages") == 1.5,
        F("weight") > 1,
        F("cost") > 1,
        F("live") == True,  # noqa: E712 - builds a filter
        F("published") > NOON,
        F("updated") > NOON,
        F("tags").contains("x"),
        F("tags").contains_any([]),
        F("tags") == ["x", None],
        F("tags") == [],
        F("numbers").contains_all([1, True]),
        F("nested") == [[1], []],
        F("anything_list").contains(NOON),
        F("status") == "draft",
        F("status") == 3,
        F("colour") == Colour.RED,
        F("grade") >= Grade.FIRST,
        F("plain") == "two",
        F("plain") == 1,
        F("author").exists(),
        F("author.name") == "Ada",
        F("author.editor.editor.born") < NOON,
        F("extra.any key") == 1,
        F("bag.a.b.c") == "x",
        F("loose.a.b") == 1,
        F("opened.known") == 1,
        F("opened.unknown") == "x",
        F("root").contains("x"),
        F("either.name") == "x",
        F("either.name") == True,  # noqa: E712 - builds a filter
        F("either.other") == False,  # noqa: E712 - builds a filter
        F("whatever.a") == 1,
        F("whatever") < "x",
        F("nothing").exists(),
        F("camelCase") == "x",
        F("other") == "x",
        F("size") > 3,
        F("category").is_in([]),
        And(),
        None,
    ],
)
def test_what_the_model_can_hold_passes(filter: Filter | None) -> None:
    check_filter(filter, Article)
    if filter is not None:
        check_filter(~filter | LEAF_OF_ARTICLE, Article)


LEAF_OF_ARTICLE: Final = F("pages") == 1


@pytest.mark.parametrize(
    ("filter", "reason"),
    [
        (F("catgory") == "x", r"unknown field 'catgory': Article .* did you mean 'category'\?"),
        (F("zzz") == "x", "known fields: 'anything_list', 'author'"),
        (F("author.nam") == "x", r"Author has no field 'nam'; did you mean 'author.name'\?"),
        (F("author.editor.nme").exists(), r"did you mean 'author.editor.name'\?"),
        (F("camel") == "x", r"did you mean 'camelCase'\?"),
        (F("aliased") == "x", r"did you mean 'other'\?"),
        (F("secret") == "x", "unknown field 'secret'"),
        (F("category.x") == "x", "field 'category' of Article is str and has no field 'x'"),
        (F("tags.x").exists(), "list of str and has no field"),
        (F("nothing.x").exists(), "always None"),
        (F(("author.name",)) == "x", "Article has no field 'author.name'"),
        (F("opened.known") == "x", "'opened.known' of Article is number"),
        (F("price") == "x", "field 'price' of Article is number, .*'x', which is str"),
        (F("price") == True, "which is bool"),  # noqa: E712 - builds a filter
        (F("price") < NOON, "which is datetime"),
        (F("price") == [1], "which is list"),
        (F("price").is_in([1, "x"]), "'x', which is str"),
        (F("pages").starts_with("x"), "field 'pages' of Article is number"),
        (F("live") == 1, "field 'live' of Article is bool"),
        (F("live") < 1, "field 'live' of Article is bool"),
        (F("published") == "2024-01-01", "is datetime"),
        (F("category").contains("x"), "no list"),
        (F("tags") == "x", "list of str"),
        (F("tags").contains(1), "1, which is number"),
        (F("tags").contains_any(["x", 1]), "1, which is number"),
        (F("tags") == ["x", 1], "1, which is number"),
        (F("nested").contains(1), "list of list of number"),
        (F("numbers").contains("x"), "list of bool or number"),
        (F("status") == True, "number or str"),  # noqa: E712 - builds a filter
        (F("colour") == 1, "is str"),
        (F("grade") == "x", "is number"),
        (F("author") == "x", "is object"),
        (F("extra.k") == "x", "is number"),
        (F("root") == "x", "list of str"),
        (F("either.other") == "x", "is bool"),
        (F("size") == "x", "is number"),
        (F("nothing") == 1, "always None"),
        (LEAF_OF_ARTICLE & ~(LEAF_OF_ARTICLE | (F("zzz") == 1)), "zzz"),
    ],
)
def test_what_the_model_cannot_hold_is_refused(filter: Filter, reason: str) -> None:
    check_filter(filter)
    with pytest.raises(FilterError, match=reason):
        check_filter(filter, Article)


def test_leaves_come_from_left_to_right() -> None:
    one, two, three = F("a") == 1, F("b").exists(), F("c") < 3
    assert list(leaves(Or(And(one, Not(two)), three, Or()))) == [one, two, three]


def nested(levels: int) -> Filter:
    """Return a filter of that many levels that flattening cannot reduce."""
    tree: Filter = LEAF
    for at in range(levels):
        tree = (And if at % 2 else Or)(LEAF, tree)
    return tree


@pytest.mark.parametrize("model", [None, Article])
def test_depth_is_limited(model: type[BaseModel] | None) -> None:
    check_depth(nested(MAX_DEPTH))
    check_depth(LEAF)
    with pytest.raises(FilterError, match="51 levels deep after flattening; at most 50"):
        check_filter(nested(MAX_DEPTH + 1), model)
    with pytest.raises(FilterError, match="51 levels"):
        check_depth(~nested(MAX_DEPTH))


def test_what_flattens_does_not_count() -> None:
    tree = nested(MAX_DEPTH - 1)
    for _ in range(DEEP):
        tree = Not(Not(tree))
    check_depth(tree)
    for _ in range(DEEP):
        tree = Or(LEAF, tree)
    check_depth(tree)


DEEPEN: Final[list[Callable[[Filter], Filter]]] = [
    lambda inner: ~(inner & LEAF),
    lambda inner: (inner & LEAF) | LEAF,
]


@pytest.mark.parametrize("build", DEEPEN)
def test_hostile_depth_is_refused_without_recursion(build: Callable[[Filter], Filter]) -> None:
    tree: Filter = LEAF
    for _ in range(DEEP):
        tree = build(tree)
    with pytest.raises(FilterError, match="20000 levels"):
        check_filter(tree, Article)
