"""The directory of a snapshot store: a folder per collection, one store at a time."""

from __future__ import annotations

import shutil
from threading import RLock
from typing import TYPE_CHECKING

from polyvec._dirlock import DirectoryLock
from polyvec.errors import (
    ClosedError,
    CollectionExistsError,
    CollectionNotFoundError,
)
from polyvec.snapshot.collection import SnapshotCollection
from polyvec.snapshot.files import TEMPORARY, sync
from polyvec.snapshot.manifest import MANIFEST_NAME, Manifest, load_manifest

if TYPE_CHECKING:
    from pathlib import Path

    from polyvec.schema import CollectionSpec


class SnapshotDirectory:
    """Finds, makes and drops collections.

    Nothing is made by reading: a directory that does not exist is an empty store
    until the first collection is created.

    Parameters
    ----------
    path
        Absolute.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = DirectoryLock(path, "parquet")
        self._locked = False
        self._closed = False
        self._guard = RLock()
        self._opened: dict[str, tuple[SnapshotCollection, RLock]] = {}

    def exists(self) -> bool:
        """Take the lock if the directory exists; return whether it does."""
        with self._guard:
            if self._closed:
                raise ClosedError("the store was closed; connect again")
            if self._locked:
                return True
            if not self.path.exists():
                return False
            self._lock.acquire()
            self._locked = True
            for leftover in self.path.glob(f"{TEMPORARY}*"):
                shutil.rmtree(leftover, ignore_errors=True)
            return True

    def make(self) -> None:
        """Make the directory, unless it exists, and take its lock."""
        with self._guard:
            if not self.exists():
                self.path.mkdir(parents=True, exist_ok=True)
                self.exists()

    def close(self) -> None:
        """Let calls under way finish, then release the lock; closing twice is fine."""
        with self._guard:
            self._closed = True
            locks = [lock for _, lock in self._opened.values()]
        for lock in locks:
            with lock:
                pass  # whoever comes later meets the closed store
        with self._guard:
            self._opened.clear()
            self._lock.release()

    def names(self) -> list[str]:
        """Return the names of all collections, sorted."""
        if not self.exists():
            return []
        manifests = self.path.glob(f"*/{MANIFEST_NAME}")
        return sorted(m.parent.name for m in manifests if not m.parent.name.startswith("."))

    def collection(self, name: str) -> tuple[SnapshotCollection, RLock]:
        """Return a collection and the lock that its users hold.

        Raises
        ------
        CollectionNotFoundError
            There is no folder of that name with a manifest in it.
        """
        with self._guard:
            there = self.exists()
            if name in self._opened:
                return self._opened[name]
            folder = self.path / name
            if not there or not _is_folder_name(name) or not (folder / MANIFEST_NAME).is_file():
                raise CollectionNotFoundError(
                    f"no collection {name!r} in {str(self.path)!r}", store="parquet"
                )
            self._opened[name] = (SnapshotCollection(folder, load_manifest(folder)), RLock())
            return self._opened[name]

    def create(self, spec: CollectionSpec) -> None:
        """Make an empty collection, atomically."""
        with self._guard:
            self.make()
            folder = self.path / spec.name
            if folder.exists():
                raise CollectionExistsError(
                    f"folder {str(folder)!r} exists already; choose another name",
                    store="parquet",
                )
            temporary = self.path / f"{TEMPORARY}{spec.name}"
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir()
            Manifest(spec, {}).save(temporary)
            temporary.rename(folder)
            sync(self.path)

    def drop(self, name: str) -> None:
        """Remove a collection; it is gone at once, its files a moment later."""
        collection, lock = self.collection(name)
        # First the collection's lock, then ours: its users ask us while they hold it.
        with lock, self._guard:
            if self.collection(name)[0] is not collection:
                return  # another call has dropped it, and somebody made it anew
            del self._opened[name]
            temporary = self.path / f"{TEMPORARY}{name}"
            shutil.rmtree(temporary, ignore_errors=True)
            collection.folder.rename(temporary)
            sync(self.path)
            shutil.rmtree(temporary, ignore_errors=True)


def _is_folder_name(name: str) -> bool:
    """Whether a name is one step below the directory and not hidden: no way out of it."""
    return not name.startswith(".") and not {"/", "\\", "\0"} & set(name) and len(name) <= 255
