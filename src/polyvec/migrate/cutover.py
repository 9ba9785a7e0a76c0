"""Cutover: readers are sent to the target. Rollback: they are sent back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyvec.capabilities import Feature
from polyvec.config import resolve
from polyvec.errors import InvalidRequestError, MigrationError
from polyvec.migrate.journal import Journal
from polyvec.migrate.profile_switch import profile_file, switch, switch_back
from polyvec.migrate.sides import Endpoint, identity_of
from polyvec.store import VectorStore, connect

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextlib import AbstractContextManager

FACT = "cutover"


def cutover(
    journal: Path | str,
    target: Endpoint,
    *,
    alias: str | None = None,
    profile: str | None = None,
    force: bool = False,
) -> None:
    """Send readers to the target of a migration, in one step.

    Parameters
    ----------
    journal
        Directory of the migration's journal.
    target
        The target's store; with `profile` the name of its profile.
    alias
        An alias of the target's store that then points to the new collection. Its old
        collection is kept in the journal.
    profile
        A profile of `polyvec.toml` that then has what the target's profile has. Its old content
        stays in the file, as profile `<name>_before_cutover`.
    force
        True: also without a full verification that found no difference.

    Raises
    ------
    MigrationError
        Not verified, not the target of this migration, or cut over already.
    InvalidRequestError
        Neither alias nor profile, or both.
    NotSupportedError
        The store has no aliases; use a profile.
    """
    if (alias is None) == (profile is None):
        raise InvalidRequestError("cutover needs an alias or a profile, one of them")
    opened = Journal.resume(Path(journal))
    try:
        plan = opened.plan
        if opened.fact(FACT) not in (None, "null"):
            raise MigrationError("this migration was cut over already; roll back first")
        verified = (opened.fact("verified"), opened.fact("verified_mode")) == ("yes", "full")
        if not verified and not force:
            raise MigrationError(
                "the copy has no full verification without a difference; verify it, or force"
            )
        _check_target(plan.target.identity, target)
        if alias is not None:
            with _using(target) as store:
                _switch_alias(opened, store, alias, plan.target.collection)
        else:
            assert profile is not None
            if not isinstance(target, str):
                raise InvalidRequestError("cutover of a profile needs the name of the target's one")
            if not force and identity_of(resolve(profile)) != plan.source.identity:
                raise MigrationError(f"profile {profile!r} is not the source of this migration")
            path = profile_file(profile)
            # The journal first: a crash in between leaves a rollback that finds nothing to do.
            opened.remember(FACT, {"kind": "profile", "profile": profile, "file": str(path)})
            _or_forget(opened, lambda: switch(path, profile, target))
    finally:
        opened.close()


def rollback(journal: Path | str, target: Endpoint | None = None) -> None:
    """Undo a cutover.

    Parameters
    ----------
    journal
        Directory of the migration's journal.
    target
        The target's store, where the cutover was of an alias.

    Raises
    ------
    MigrationError
        There was no cutover, or somebody switched since.
    """
    opened = Journal.resume(Path(journal))
    try:
        done: dict[str, Any] | None = json.loads(opened.fact(FACT) or "null")
        if done is None:
            raise MigrationError("this migration was not cut over; nothing to roll back")
        if done["kind"] == "profile":
            switch_back(Path(done["file"]), done["profile"])
        else:
            if target is None:
                raise InvalidRequestError("rolling back an alias needs the target's store")
            _check_target(opened.plan.target.identity, target)
            with _using(target) as store:
                _alias_back(store, done, opened.plan.target.collection)
        opened.remember(FACT, None)
    finally:
        opened.close()


def _switch_alias(journal: Journal, store: VectorStore, alias: str, collection: str) -> None:
    store.capabilities.require(Feature.ALIASES, "switch a profile of polyvec.toml instead")
    before = store.aliases().get(alias)
    journal.remember(FACT, {"kind": "alias", "alias": alias, "before": before})
    _or_forget(journal, lambda: store.set_alias(alias, collection))


def _alias_back(store: VectorStore, done: dict[str, Any], collection: str) -> None:
    now = store.aliases().get(done["alias"])
    if now not in (collection, done["before"]):
        raise MigrationError(
            f"alias {done['alias']!r} points to {now!r} by now, not to {collection!r}; "
            "set it yourself"
        )
    if done["before"] is None:
        store.drop_alias(done["alias"])
    else:
        store.set_alias(done["alias"], done["before"])


def _or_forget(journal: Journal, work: Callable[[], None]) -> None:
    """Do the switch; when it fails, the journal forgets that it was to be."""
    try:
        work()
    except Exception:
        journal.remember(FACT, None)
        raise


def _check_target(identity: str, target: Endpoint) -> None:
    config = target.config if isinstance(target, VectorStore) else resolve(target)
    if identity_of(config) != identity:
        raise MigrationError("the store given is not the target of this migration")


def _using(target: Endpoint) -> AbstractContextManager[VectorStore]:
    """Give the store; close it where it was opened here."""
    from contextlib import contextmanager

    @contextmanager
    def using() -> Generator[VectorStore]:
        if isinstance(target, VectorStore):
            yield target
            return
        with connect(target) as store:
            yield store

    return using()
