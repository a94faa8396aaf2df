"""Where a build stands: what is wanted, which snapshots are intact, and which of them it can start from."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from rag.building.chunking import came_back
from rag.building.plan import Plan, plan
from rag.building.results import standing
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
from rag.storage.layout import CHUNKS, CHUNKS_TABLE
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


@dataclass(frozen=True)
class Found:
    """What is wanted, and what there is: `head` is the newest snapshot whose files are intact; `passed_over` says what
    newer ones failed. Older ones are looked at when they are needed, so that a long history costs a build nothing."""

    place: Place
    state: State
    head: Manifest | None
    passed_over: tuple[str, ...]

    @property
    def registry_version(self) -> int | None:
        """The version of the sources table that has both the newest wishes and the newest results."""
        return newest_registry(self.state, self.head)

    def intact(self) -> Iterator[Manifest]:
        """The snapshots whose files are there, newest first."""
        if self.head is None:
            return
        yield self.head
        pinned = PinnedFiles(self.place)
        for found in self.place.snapshots.newest(below=self.head.snapshot):
            if isinstance(found, Manifest) and not pinned.first(found):
                yield found


@dataclass(frozen=True)
class Ground:
    """Where one build stands: in `space` (None: no model was ever met under these settings), on `base` (None: a table
    is begun), with what is wanted and what is to be done for it. `passed_over` says which snapshots cannot be used."""

    found: Found
    space: Space | None
    base: Base | None
    passed_over: tuple[str, ...]
    wanted: list[SourceRow]
    todo: Plan

    @property
    def place(self) -> Place:
        """The notebook."""
        return self.found.place

    @property
    def head(self) -> Manifest | None:
        """The newest snapshot that is intact, of whatever recipe."""
        return self.found.head

    @property
    def empty(self) -> bool:
        """Whether there is nothing, and nothing wanted."""
        return not (self.wanted or self.head or self.passed_over)

    @property
    def complete(self) -> bool:
        """Whether the newest snapshot already is what is wanted."""
        at_head = self.base is not None and self.base.manifest is self.head
        return at_head and self.todo.nothing and not self.passed_over

    @contextmanager
    def table(self, space: Space, recipe_fp: str) -> Iterator[ChunkTable]:
        """The table to write into: that of the base, or an empty one in a folder of its own, which is held until the
        context ends: it is pinned then, or left to whoever builds next."""
        if self.base is not None:
            yield self.base.at_rest()
            return
        folder, held = _new_folder(self.place, recipe_fp)
        try:
            yield ChunkTable.create(folder, CHUNKS, space.dimensions, space.fingerprint)
        finally:
            with contextlib.suppress(OSError):
                Path(held.lock_file).unlink()
            held.release()


def find(place: Place) -> Found:
    """Look at the state and the history. A damaged state or list of sources is put together again and written, where
    nothing is lost by it. Call with the lease held.

    Raises:
        NewerFormat: a newer Ragbook wrote the newest of either.
        Damaged: the list of sources is, and not all of it could be put together again.
    """
    head: Manifest | None = None
    passed_over: list[str] = []
    pinned = PinnedFiles(place)
    for found in place.snapshots.newest():
        problem = str(found) if isinstance(found, Damaged) else pinned.first(found)
        if isinstance(found, Manifest) and not problem:
            head = found
            break
        passed_over.append(problem or "")
    # After the history: a snapshot comes later than the state it was built from, so this one is no older than the head.
    state = place.states.newest()
    wanted = find_wanted(place, state, head)
    if wanted is not None and wanted.lost:
        names = ", ".join(row.name for row in wanted.rows[:5]) or "no source"
        raise Damaged(
            f"The list of sources is damaged, and what is left of it names {names} only. Run `python -m rag doctor "
            "--repair` to go on from there. Nothing was changed."
        )
    if wanted is not None:
        state = restore_wanted(place, state, wanted)
    return Found(place, state, head, tuple(passed_over))


def stand(found: Found, config: Config, space: Space | None, passed_over: tuple[str, ...] = ()) -> Ground:
    """Where a build in `space` stands: on the newest snapshot of the wanted recipe whose tables can be used, if there
    is one. `passed_over` is what another look has found already."""
    place = found.place
    base, unusable = _base(found, config, space)
    built = base.rows if base else []
    wanted = standing(place.registry.rows(found.registry_version), built)
    todo = plan(wanted, built, again=lambda row: came_back(place, row))
    problems = tuple(dict.fromkeys([*found.passed_over, *passed_over, *unusable]))
    return Ground(found, space, base, problems, wanted, todo)


def _base(found: Found, config: Config, space: Space | None) -> tuple[Base | None, list[str]]:
    unusable: list[str] = []
    if space is None:
        return None, unusable
    place = found.place
    recipe_fp = recipe_fingerprint(wanted_recipe(config, space))
    for manifest in found.intact():
        if manifest.recipe_fp != recipe_fp:
            continue
        pinned = manifest.tables["chunks"]
        path = place.table_folder(pinned.path)
        try:
            # A power cut can leave a torn version that nobody published; Lance then opens none of the others.
            set_aside_torn(path, pinned.version)
            table = place.chunks(manifest, newest=True)
            files_of(path, pinned.version)
            return Base(manifest, table, place.registry.rows(manifest.tables["sources"].version)), unusable
        except (Damaged, NotFound) as error:
            unusable.append(str(error))
    return None, unusable


def _new_folder(place: Place, recipe_fp: str) -> tuple[Path, FileLock]:
    """An empty folder for a table of its own, with the lock that says so. What an unfinished build left there is
    cleared away, unless a manifest pins it or might."""
    folder = place.folder
    history = list(place.snapshots.newest())
    # Nobody knows what a manifest pins that cannot be read.
    unreadable = any(isinstance(found, Damaged) for found in history)
    pinned = {found.tables["chunks"].path for found in history if isinstance(found, Manifest)}
    root = place.index_folder(recipe_fp)
    for attempt in range(1, 1000):
        name = root if attempt == 1 else f"{root}-{attempt}"
        if (folder / name).exists() and (unreadable or f"{name}/{CHUNKS_TABLE}" in pinned):
            continue
        held = _claimed(folder / name)
        if held is not None:
            return folder / name, held
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
