"""What a suite class may configure, and the rules its subclasses are held to."""

from __future__ import annotations

import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from polyvec.config import resolve

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from polyvec.testing.gaps import Gap

PACKAGE: Final = "polyvec.testing"
CONFIGURABLE: Final = frozenset(
    {"url", "gaps", "sharing", "omitted", "store_url", "pytestmark", "__test__"}
)


class Tier(StrEnum):
    """How much of the contract a test is about."""

    CORE = "core"
    """Every store passes it."""
    EXTENDED = "extended"
    """Depends on a declared capability; undeclared means `NotSupportedError`."""
    RECALL = "recall"
    """The default index against its declared recall floor."""
    STRESS = "stress"
    """Random records, filters and sequences of verbs against the oracle."""


class Colour(StrEnum):
    """Which of the two twins a suite class is about."""

    SYNC = "sync"
    ASYNC = "async"


class Sharing(StrEnum):
    """Who else can see what a store object wrote to a URL."""

    PRIVATE = "private"
    """Nobody: it ends with the store object (`memory://`)."""
    EXCLUSIVE = "exclusive"
    """Whoever opens the URL after it was closed (an embedded directory or file)."""
    SHARED = "shared"
    """Other store objects and processes at the same time (a server)."""


def sharing_of(target: str) -> Sharing:
    """Return what the configuration of a store says: a local place, a host, or neither."""
    config = resolve(target)
    places = {name: getattr(config, name, None) for name in config.placed}
    if any(isinstance(value, Path) for value in (*places.values(), *dict(config).values())):
        return Sharing.EXCLUSIVE
    nowhere = places and all(place is None for place in places.values())
    if places.get("in_memory") or nowhere:
        return Sharing.PRIVATE
    return Sharing.SHARED


class SuiteRules:
    """Base of every area of the suite; checks each class that a third party derives.

    A subclass sets what `CONFIGURABLE` names and overrides nothing else: a
    difference is declared as a `Gap`, never hidden.
    """

    url: ClassVar[str | None] = None
    """The store under test; `{tmp}` in it becomes a temporary directory of the class's own.
    Where that is not enough, override the fixture `store_url`.
    """
    gaps: ClassVar[tuple[Gap, ...]] = ()
    """Declared differences."""
    sharing: ClassVar[Sharing | None] = None
    """Who else sees the store; None reads it off the configuration."""
    omitted: ClassVar[Mapping[str, str]] = {}
    """Areas that a set of hand-picked area classes leaves out, with the reason."""

    area: ClassVar[str] = ""
    tier: ClassVar[Tier] = Tier.CORE
    colour: ClassVar[Colour]

    def __init_subclass__(cls) -> None:
        """Refuse a subclass that overrides, hides or misnames a test of the suite."""
        super().__init_subclass__()
        faults = [*_clashes(cls), *_overrides(cls), *_unknown_gaps(cls)]
        if faults:
            raise TypeError(f"{cls.__name__}: {'; '.join(faults)}")

    def test_every_area_is_here(self) -> None:
        missing = sorted(_missing_areas(type(self)))
        assert not missing, (
            f"no class of {type(self).__module__} has the areas {missing}; derive from the "
            "composed suite, add the area classes, or name them with a reason in `omitted`"
        )


def defining_class(cls: type[SuiteRules], function: str) -> type[SuiteRules] | None:
    """Return the class of the suite that defines a test, None for a test that is not ours."""
    for base in cls.__mro__:
        if function in vars(base) and issubclass(base, SuiteRules):
            return base if is_ours(base) else None
    return None


def is_ours(cls: type) -> bool:
    """Tell whether a class belongs to the suite itself."""
    return cls.__module__ == PACKAGE or cls.__module__.startswith(f"{PACKAGE}.")


def _areas(cls: type) -> dict[str, type[SuiteRules]]:
    """Return area to class, for all areas that a class is made of."""
    return {
        base.area: base
        for base in cls.__mro__
        if issubclass(base, SuiteRules) and vars(base).get("area")
    }


def _clashes(cls: type) -> Iterator[str]:
    """Two areas with a test of the same name: one of them would silently not run."""
    seen: dict[str, str] = {}
    for area, base in _areas(cls).items():
        for name in vars(base):
            if name.startswith("test_") and seen.setdefault(name, area) != area:
                yield f"{name} is defined by the areas {seen[name]!r} and {area!r}; rename one"


def _overrides(cls: type) -> Iterator[str]:
    """Names of the suite that a third party's class sets again."""
    if is_ours(cls):
        return
    ours: set[str] = set()
    for base in cls.__mro__:
        if issubclass(base, SuiteRules) and is_ours(base):
            ours.update(vars(base))
    for name in sorted(vars(cls)):
        dunder = name.startswith("__") and name.endswith("__")
        if name in ours and name not in CONFIGURABLE and not dunder:
            yield f"{name!r} overrides the suite; declare a Gap for what the store cannot do"


def _unknown_gaps(cls: type[SuiteRules]) -> Iterator[str]:
    for gap in cls.gaps:
        pattern = re.escape(gap.function).replace(r"\*", ".*")
        if not any(re.fullmatch(pattern, name) for name in dir(cls) if name.startswith("test_")):
            yield f"the gap {gap.test!r} names no test of the suite"


def _missing_areas(cls: type[SuiteRules]) -> set[str]:
    """Areas that neither the class nor its neighbours in the module have."""
    wanted = set(_areas(_composed(cls.colour)))
    neighbours: list[Any] = list(vars(sys.modules[cls.__module__]).values())
    for other in [cls, *neighbours]:
        if not isinstance(other, type) or not issubclass(other, SuiteRules) or is_ours(other):
            continue
        if other.colour is cls.colour:
            wanted -= set(_areas(other)) | set(other.omitted)
    return wanted if not is_ours(cls) else set()


def _composed(colour: Colour) -> type[SuiteRules]:
    # Imported late: the composed suites are made of classes that derive from this module's.
    if colour is Colour.ASYNC:
        from polyvec.testing.suite_async import AsyncConformanceSuite

        return AsyncConformanceSuite
    from polyvec.testing.suite import ConformanceSuite

    return ConformanceSuite


class Area(SuiteRules):
    """Base of the areas that test the synchronous store."""

    colour = Colour.SYNC


class AsyncArea(SuiteRules):
    """Base of the areas that test the asynchronous store."""

    colour = Colour.ASYNC
