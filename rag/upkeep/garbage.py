"""Files that nothing needs any more: found first, shown, and removed only when asked.

Needed is what any manifest pins, what the wanted registry consists of, what the newest version of a table consists of
(Lance opens a table through it), and every original that a needed registry names. A manifest that cannot be read might
need anything, so while there is one nothing of its notebook is garbage. The vector cache is never garbage: it was paid
for.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from rag.errors import Damaged, NotFound
from rag.home.place import Place
from rag.manifest import Manifest
from rag.storage import layout
from rag.storage.durable import fsync
from rag.storage.failures import translated
from rag.storage.lease import lease
from rag.storage.marks import read_now
from rag.storage.objects import TEMPORARY
from rag.tables.lance_files import files_of, latest_version

GRACE_SECONDS = 3600.0
"""Files younger than this may belong to a build that runs without our lease; they stay."""


@dataclass(frozen=True)
class Garbage:
    """Files that nothing needs, as (name below the workspace, bytes). `blocked` says why there was no looking."""

    files: tuple[tuple[str, int], ...]
    blocked: str = ""
    kept_for_readers: frozenset[int] = field(default_factory=frozenset)

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(size for _, size in self.files)


def find(place: Place, *, grace_seconds: float = GRACE_SECONDS, grace_elsewhere: float | None = None) -> Garbage:
    """What nothing needs of a notebook, and originals and temporary files that nothing in the workspace needs.

    `grace_elsewhere`, where given, is the grace for what does not lie in the notebook's own folder."""
    manifests: list[Manifest] = []
    for found in place.snapshots.newest():
        if isinstance(found, Damaged):
            return Garbage((), f"{found} It might need any file, so nothing is removed. Run doctor first.")
        manifests.append(found)
    needed = set(_pinned(place, manifests))
    tables = {place.folder / manifest.tables["chunks"].path for manifest in manifests}
    tables.add(place.registry.path)
    try:
        needed |= set(_newest_versions(place, tables))
        originals = _needed_originals(place)
    except Damaged as error:
        return Garbage((), f"{error} It might need any file, so nothing is removed. Run doctor first.")
    own = time.time() - grace_seconds
    shared = own if grace_elsewhere is None else time.time() - grace_elsewhere
    files = [*_table_files(place, needed), *_index_folders(place, tables), *_strays(place, originals)]
    root = place.objects.root
    old = [(path, path.stat()) for path in sorted(set(files)) if path.is_file() and not path.is_symlink()]
    return Garbage(
        tuple(
            (path.relative_to(root).as_posix(), found.st_size)
            for path, found in old
            if found.st_mtime < (own if path.is_relative_to(place.folder) else shared)
        ),
        kept_for_readers=frozenset(read_now(place.folder) - {manifest.snapshot for manifest in manifests}),
    )


def collect(
    place: Place,
    *,
    grace_seconds: float = GRACE_SECONDS,
    grace_elsewhere: float | None = None,
    wait_seconds: float = 60,
) -> Garbage:
    """Remove what `find` finds, under the lease of the notebook. Gives what was removed.

    While a process reads a snapshot that was forgotten, nothing is removed: its files are known to nobody else.

    Raises:
        NotFound: there is no such notebook.
        Busy: another process is building.
    """
    place.must_exist()
    with lease(place.folder, wait_seconds=wait_seconds):
        found = find(place, grace_seconds=grace_seconds, grace_elsewhere=grace_elsewhere)
        if found.kept_for_readers:
            numbers = ", ".join(map(str, sorted(found.kept_for_readers)))
            return replace(
                found,
                files=(),
                blocked=f"Snapshot {numbers} is still being read. Try again when its reader has finished.",
            )
        folders: set[Path] = set()
        for name, _ in found.files:
            path = place.objects.root / name
            with translated(name), contextlib.suppress(FileNotFoundError):
                path.unlink()
            folders.add(path.parent)
        for folder in sorted(folders, key=lambda one: -len(one.parts)):
            _prune(folder, place.objects.root)
    return found


def _pinned(place: Place, manifests: list[Manifest]) -> Iterator[Path]:
    for manifest in manifests:
        for table in manifest.tables.values():
            for file in table.files:
                yield place.folder / table.path / file.path


def _newest_versions(place: Place, tables: set[Path]) -> Iterator[Path]:
    wanted = place.states.newest().registry
    for table in tables:
        versions = {latest_version(table)} | ({wanted} if table == place.registry.path else set())
        for version in versions - {None}:
            assert version is not None
            for file in files_of(table, version):
                yield table / file.path


def _table_files(place: Place, needed: set[Path]) -> Iterator[Path]:
    tables = [place.registry.path, *(place.folder / "index").glob("*/chunks.lance")]
    for table in tables:
        for part in ("data", "_deletions", "_indices", "_versions", "_transactions"):
            for path in (table / part).rglob("*"):
                if path.is_file() and path not in needed and path.name != "latest_version_hint.json":
                    yield path


def _index_folders(place: Place, tables: set[Path]) -> Iterator[Path]:
    """Tables that no manifest knows: the rest of a build that never finished."""
    for table in (place.folder / "index").glob("*/chunks.lance"):
        if table not in tables:
            yield from (path for path in table.rglob("*") if path.is_file())


def _needed_originals(place: Place) -> set[str]:
    """Digests that any registry of any notebook of the workspace names, in any version that is pinned or wanted."""
    digests: set[str] = set()
    for slug in place.objects.folders(layout.NOTEBOOKS):
        other = Place(place.objects, slug)
        state = other.states.newest()
        versions = {state.registry}
        if state.damaged:  # it may want sources that no snapshot has yet
            raise Damaged(state.damaged[0])
        for found in other.snapshots.newest():
            if isinstance(found, Damaged):
                raise found
            versions.add(found.tables["sources"].version)
        for version in versions - {None}:
            try:
                rows = other.registry.rows(version)
            except NotFound:
                continue
            digests |= {row.digest for row in rows} | {row.built_digest for row in rows}
    return digests


def _strays(place: Place, originals: set[str]) -> Iterator[Path]:
    root = place.objects.root
    for path in (root / layout.ORIGINALS).glob("*/*"):
        if path.name not in originals and not path.name.startswith(TEMPORARY) and not path.name.endswith(".damaged"):
            yield path
    yield from root.rglob(f"{TEMPORARY}*")
    yield from root.glob(f"{layout.SPACES}/{TEMPORARY}*/**/*")
    yield from place.folder.glob("lease/.build-*.json")
    yield from place.folder.glob("index/*/.building")


def _prune(folder: Path, root: Path) -> None:
    """Remove a folder that has become empty, and its parents likewise."""
    while folder != root:
        try:
            folder.rmdir()
        except OSError:  # not empty, which is the usual case
            break
        folder = folder.parent
    with contextlib.suppress(OSError):
        fsync(folder)
