"""Where a build stands: what is wanted, which snapshots are intact, and which of them it can start from."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from rag.config import Config
from rag.errors import Damaged, NotFound, StoreError
from rag.home.pinned import PinnedFiles
from rag.home.place import Place
from rag.home.state import State, newest_registry
from rag.home.wanted import find_wanted, restore_wanted
from rag.manifest import Manifest
from rag.sources.rows import SourceRow
from rag.spaces.recipe import recipe_fingerprint, wanted_recipe
from rag.spaces.space import Space
from rag.storage.durable import make_folder
from rag.storage.failures import translated
from rag.tables.chunk_table import ChunkTable
from rag.tables.lance_files import files_of, set_aside_torn

BUILDING = ".building"


@dataclass(frozen=True)
class Base:
    """A snapshot to start from; its chunk table, which may be ahead of it; and its sources."""

    manifest: Manifest
    table: ChunkTable
    rows: list[SourceRow]

    def at_rest(self) -> ChunkTable:
        """The table, standing where the snapshot left it: what is ahead of it is the rest of a crash."""
        version = self.manifest.tables["chunks"].version
        if self.table.version != version:
            self.table.restore(version)
        return self.table


@dataclass
class Ground:
    """What a build finds: `head` is the newest snapshot whose files are intact; `passed_over` says what newer ones
    failed. Older ones are looked at when they are needed, so that a long history costs a build nothing."""

    place: Place
    state: State
    head: Manifest | None
    passed_over: list[str]
    _held: FileLock | None = None

    def leave(self) -> None:
        """Let go of the folder of a new table: it is pinned now, or left to whoever builds next."""
        if self._held is not None:
            with contextlib.suppress(OSError):
                Path(self._held.lock_file).unlink()
            self._held.release()

    @property
    def registry_version(self) -> int | None:
        """The version of the sources table that has both the newest wishes and the newest results."""
        return newest_registry(self.state, self.head)

    def base(self, config: Config, space: Space | None) -> Base | None:
        """The newest snapshot of the wanted recipe whose tables can be used."""
        if space is None:
            return None
        recipe_fp = recipe_fingerprint(wanted_recipe(config, space))
        for manifest in self._intact():
            if manifest.recipe_fp != recipe_fp:
                continue
            pinned = manifest.tables["chunks"]
            path = self.place.table_folder(pinned.path)
            try:
                # A power cut can leave a torn version that nobody published; Lance then opens none of the others.
                set_aside_torn(path, pinned.version)
                table = self.place.chunks(manifest, newest=True)
                files_of(path, pinned.version)
                return Base(manifest, table, self.place.registry.rows(manifest.tables["sources"].version))
            except (Damaged, NotFound) as error:
                self.passed_over.append(str(error))
        return None

    def _intact(self) -> Iterator[Manifest]:
        """The snapshots whose files are there, newest first."""
        if self.head is None:
            return
        yield self.head
        pinned = PinnedFiles(self.place)
        for found in self.place.snapshots.newest(below=self.head.snapshot):
            if isinstance(found, Manifest) and not pinned.first(found):
                yield found

    def new_table(self, recipe_fp: str, space: Space) -> ChunkTable:
        """An empty chunk table in a folder of its own. What an unfinished build left there is cleared away, unless a
        manifest pins it or might."""
        folder = self.place.folder
        history = list(self.place.snapshots.newest())
        # Nobody knows what a manifest pins that cannot be read.
        unreadable = any(isinstance(found, Damaged) for found in history)
        pinned = {found.tables["chunks"].path for found in history if isinstance(found, Manifest)}
        root = self.place.index_folder(recipe_fp)
        for attempt in range(1, 1000):
            name = root if attempt == 1 else f"{root}-{attempt}"
            if (folder / name).exists() and (unreadable or f"{name}/chunks.lance" in pinned):
                continue
            held = _claimed(folder / name)
            if held is None:
                continue
            self._held = held
            return ChunkTable.create(folder / name, "chunks", space.dimensions, space.fingerprint)
        raise StoreError(f"{root} has too many damaged copies. Move some of them out of the home.")


def _claimed(folder: Path) -> FileLock | None:
    """A folder of our own, empty, and the lock that says so; None where another process is building in it, which only
    happens without the lease. The lock dies with its process."""
    lock = FileLock(folder / BUILDING, thread_local=False)
    with translated(folder.name):
        make_folder(folder)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return None
        for path in folder.iterdir():
            if path.name != BUILDING:
                shutil.rmtree(path)
    return lock


def find_ground(place: Place) -> Ground:
    """Look at the state and the history. A damaged state or list of sources is put together again and written, where
    nothing is lost by it. Call with the lease held.

    Raises:
        NewerFormat: a newer Ragbook wrote the newest of either.
        Damaged: the list of sources is, and not all of it could be put together again.
    """
    ground = Ground(place, State(), None, [])
    pinned = PinnedFiles(place)
    for found in place.snapshots.newest():
        problem = str(found) if isinstance(found, Damaged) else pinned.first(found)
        if isinstance(found, Manifest) and not problem:
            ground.head = found
            break
        ground.passed_over.append(problem or "")
    # After the history: a snapshot comes later than the state it was built from, so this one is no older than the head.
    ground.state = place.states.newest()
    wanted = find_wanted(place, ground.state, ground.head)
    if wanted is not None and wanted.lost:
        names = ", ".join(row.name for row in wanted.rows[:5]) or "no source"
        raise Damaged(
            f"The list of sources is damaged, and what is left of it names {names} only. Run `python -m rag doctor "
            "--repair` to go on from there. Nothing was changed."
        )
    if wanted is not None:
        ground.state = restore_wanted(place, ground.state, wanted)
    return ground
