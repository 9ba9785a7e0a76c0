"""The command that shows every verb at work on real records."""

from __future__ import annotations

import time
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Annotated

import typer

from polyvec.cli.output import stderr, stdout

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from polyvec.store import VectorStore


def demo(
    store: Annotated[
        str, typer.Argument(metavar="[STORE]", help="A URL or the name of a profile.")
    ] = "memory://",
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the collections that the demo made.")
    ] = False,
) -> None:
    """Search, filter, explain, update and delete 2,000 real records.

    The records are WordNet synsets with their embeddings. Everything happens in collections of
    the demo's own, which are dropped at the end.
    """
    import polyvec
    from polyvec.cli.demo_steps import Demo
    from polyvec.data import sample

    start = time.perf_counter()
    console = stdout()
    with polyvec.connect(store) as opened:
        opened.ping()
        with _dropping(opened, keep=keep) as made:
            Demo(opened, _free_names(opened), made, sample(), console, stderr()).run()
        if keep:
            console.print(f"\nkept: {' and '.join(made)}")
    console.print(f"\ndone in {time.perf_counter() - start:.1f} s", style="bold")


def _free_names(store: VectorStore) -> Iterator[str]:
    """Yield names that no collection has, neither by itself nor with `_copy` behind it."""
    taken = {name.lower() for name in store.list_collections()}
    for number in count(1):
        if not {f"polyvec_demo_{number}", f"polyvec_demo_{number}_copy"} & taken:
            yield f"polyvec_demo_{number}"


@contextmanager
def _dropping(store: VectorStore, *, keep: bool) -> Generator[list[str]]:
    """Give a list for the names of what was made, and drop it all, also on failure."""
    made: list[str] = []
    try:
        yield made
    finally:
        if not keep:
            for name in made:
                store.drop_collection(name, missing_ok=True)
