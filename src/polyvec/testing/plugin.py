"""The pytest plugin of the suite: `pytest_plugins = ["polyvec.testing.plugin"]`.

It is no entry point, because it loads Hypothesis, which would then cost every
pytest run of every user. It gives the fixtures `store_url` and `lab`, runs the
asynchronous tests on one event loop per session, turns declared gaps into
strict xfails and selects tiers.
"""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any, Final, cast

import pytest

pytest.register_assert_rewrite(
    "polyvec.testing.areas",
    "polyvec.testing.checks",
    "polyvec.testing.lab",
    "polyvec.testing.lab_async",
    "polyvec.testing.machine",
)

from polyvec.testing.lab import Lab, Pool  # noqa: E402 - after their asserts are registered
from polyvec.testing.lab_async import AsyncLab, AsyncPool  # noqa: E402
from polyvec.testing.rules import (  # noqa: E402
    Colour,
    Sharing,
    SuiteRules,
    Tier,
    defining_class,
    sharing_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEFAULT_EXAMPLES: Final = 40
PLACEHOLDER: Final = "{tmp}"
"""In a URL: a temporary directory of the class's own, the same for all of its tests."""

_runner: Final = pytest.StashKey[asyncio.Runner]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the suite."""
    group = parser.getgroup("polyvec", "conformance of a vector store")
    group.addoption(
        "--conformance-tiers",
        default=",".join(Tier),
        help="comma-separated: core, extended, stress, recall (default: all)",
    )
    group.addoption(
        "--conformance-stress",
        type=int,
        default=DEFAULT_EXAMPLES,
        metavar="N",
        help=f"random cases per test of the stress tier (default: {DEFAULT_EXAMPLES})",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Refuse an unknown tier."""
    _tiers(config)


def _tiers(config: pytest.Config) -> frozenset[Tier]:
    names = [
        name.strip()
        for name in str(config.getoption("--conformance-tiers", ",".join(Tier))).split(",")
    ]
    try:
        return frozenset(Tier(name) for name in names)
    except ValueError as exc:
        raise pytest.UsageError(f"--conformance-tiers: {exc}; expected {', '.join(Tier)}") from None


def suite_class(item: pytest.Item) -> type[SuiteRules] | None:
    """Return the suite class an item belongs to, None for any other test."""
    owner = getattr(item, "cls", None)
    return owner if isinstance(owner, type) and issubclass(owner, SuiteRules) else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Apply gaps and tiers to the tests of suite classes; leave all others alone."""
    tiers = _tiers(config)
    used: dict[type[SuiteRules], set[str]] = {}
    dropped: list[pytest.Item] = []
    for item in items:
        cls = suite_class(item)
        if cls is None:
            continue
        _refuse_foreign_xfail(item)
        used.setdefault(cls, set()).update(_apply_gaps(item, cls))
        area = defining_class(cls, _function_name(item))
        if area is not None and area.tier not in tiers:
            dropped.append(item)
    _refuse_unused_gaps(config, used)
    _order(items)
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        gone = set(dropped)
        items[:] = [item for item in items if item not in gone]


def _order(items: list[pytest.Item]) -> None:
    """Put the tests of each suite class in the order of its areas, random ones last.

    The first failure of a run is then the one that is easiest to understand. Tests of other
    classes keep their places.
    """
    places: dict[type[SuiteRules], list[int]] = {}
    for place, item in enumerate(items):
        if (cls := suite_class(item)) is not None:
            places.setdefault(cls, []).append(place)
    for cls, taken in places.items():
        ranks = {base: rank for rank, base in enumerate(cls.__mro__)}

        def rank_of(item: pytest.Item, cls: type[SuiteRules] = cls, ranks: Any = ranks) -> Any:
            area = defining_class(cls, _function_name(item))
            if area is None:
                return (len(Tier), len(ranks))
            return (list(Tier).index(area.tier), ranks[area])

        for place, item in zip(
            taken, sorted((items[at] for at in taken), key=rank_of), strict=True
        ):
            items[place] = item


def _function_name(item: pytest.Item) -> str:
    return getattr(item, "originalname", None) or item.name


def _refuse_foreign_xfail(item: pytest.Item) -> None:
    if next(item.iter_markers("xfail"), None) is not None:
        raise pytest.UsageError(
            f"{item.nodeid} has an xfail mark; declare a Gap, which has a reason and a source"
        )


def _apply_gaps(item: pytest.Item, cls: type[SuiteRules]) -> Iterator[str]:
    for gap in cls.gaps:
        if gap.covers(item.name):
            reason = f"gap ({gap.kind}): {gap.reason} [{gap.source}]"
            item.add_marker(pytest.mark.xfail(strict=True, raises=gap.raises, reason=reason))
            yield gap.test


def _refuse_unused_gaps(config: pytest.Config, used: dict[type[SuiteRules], set[str]]) -> None:
    if any("::" in argument for argument in config.args):
        return  # a part of the tests was asked for: the case of a gap may not be among them
    for cls, names in used.items():
        for gap in cls.gaps:
            if gap.test not in names:
                raise pytest.UsageError(f"{cls.__name__}: the gap {gap.test!r} names no case")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run an asynchronous test of a suite class on the session's loop."""
    if suite_class(pyfuncitem) is None or not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # as pytest's own call does
    arguments = {name: pyfuncitem.funcargs[name] for name in names}
    _loop(pyfuncitem.config).run(pyfuncitem.obj(**arguments))
    return True


def _loop(config: pytest.Config) -> asyncio.Runner:
    if _runner not in config.stash:
        config.stash[_runner] = asyncio.Runner()
    return config.stash[_runner]


def pytest_unconfigure(config: pytest.Config) -> None:
    """Close the loop."""
    if _runner in config.stash:
        config.stash[_runner].close()


@pytest.fixture
def store_url(
    request: pytest.FixtureRequest,
    conformance_pools: dict[Any, Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> str:
    """Return the store under test: the class's `url`. Override it in your class."""
    cls = _class_of(request)
    url = cls.url
    if url is None:
        raise pytest.UsageError(f"{cls.__name__}: set `url`, or override the fixture `store_url`")
    if PLACEHOLDER not in url:
        return url
    folders = conformance_pools.setdefault(PLACEHOLDER, {})
    if cls not in folders:
        folders[cls] = tmp_path_factory.mktemp("conformance")
    return url.replace(PLACEHOLDER, str(folders[cls]))


def _class_of(request: pytest.FixtureRequest) -> type[SuiteRules]:
    cls: Any = request.cls  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # pytest does not say
    return cast("type[SuiteRules]", cls)


@pytest.fixture(scope="session")
def conformance_pools(request: pytest.FixtureRequest) -> Iterator[dict[Any, Any]]:
    """Yield the stores and pooled collections by URL and colour; close them at the end."""
    pools: dict[Any, Any] = {}
    yield pools
    for pool in pools.values():
        if isinstance(pool, AsyncPool):
            _loop(request.config).run(pool.aclose())
        elif isinstance(pool, Pool):
            pool.close()


@pytest.fixture
def lab(
    request: pytest.FixtureRequest, store_url: str, conformance_pools: dict[Any, Any]
) -> Iterator[Lab | AsyncLab]:
    """Yield what a test works in; see `polyvec.testing.lab`."""
    cls = _class_of(request)
    chosen: Any = request.config.getoption("--conformance-stress", DEFAULT_EXAMPLES)
    examples = int(chosen)
    run = _as_it_is if cls.colour is Colour.SYNC else _loop(request.config).run
    pool = _opened(conformance_pools, store_url, cls, run)
    if isinstance(pool, AsyncPool):
        async_lab = AsyncLab(pool, run, examples)
        yield async_lab
        run(async_lab.aclose())
        return
    lab = Lab(pool, run, examples)
    yield lab
    lab.close()


def _opened(
    pools: dict[Any, Any], url: str, cls: type[SuiteRules], run: Callable[[Any], Any]
) -> Pool | AsyncPool:
    """Return the pool of a URL, opened once; one that cannot be opened fails each test at once."""
    key = (url, cls.colour)
    if key not in pools:
        make = _pool if cls.colour is Colour.SYNC else _async_pool
        try:
            pools[key] = run(make(url, cls.sharing or sharing_of(url)))
        except Exception as exc:
            pools[key] = exc
            raise
    if isinstance(pools[key], Exception):
        pytest.fail(f"the store could not be opened: {pools[key]}", pytrace=False)
    opened: Pool | AsyncPool = pools[key]
    return opened


def _pool(url: str, sharing: Sharing) -> Pool:
    pool = Pool(url, sharing)
    pool.open()
    return pool


async def _async_pool(url: str, sharing: Sharing) -> AsyncPool:
    pool = AsyncPool(url, sharing)
    await pool.open()
    return pool


def _as_it_is(value: Any) -> Any:
    """Return what a synchronous call returned: there is nothing to wait for."""
    return value
