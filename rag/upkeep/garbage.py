"""Files that nothing needs any more: found first, shown, and removed only when asked.

Needed is what any manifest pins, what the wanted registry consists of, what the newest version of a table consists of
(Lance opens a table through it), and every original that a needed registry names. A manifest that cannot be read might
need anything, so while there is one nothing of its notebook is garbage. The vector cache is never garbage: it was paid
for.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from rag.errors import Damaged, NotFound
from rag.home.place import Place
from rag.manifest import Manifest
from rag.storage import layout
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
    tables = {place.name(manifest.tables["chunks"].path) for manifest in manifests}
    tables.add(place.name(layout.SOURCES))
    try:
        needed |= set(_newest_versions(place, tables))
        originals = _needed_originals(place)
    except Damaged as error:
        return Garbage((), f"{error} It might need any file, so nothing is removed. Run doctor first.")
    own = time.time() - grace_seconds
    shared = own if grace_elsewhere is None else time.time() - grace_elsewhere
    files, inside = place.files, place.name("")
    names = sorted({*_table_files(place, needed), *_index_folders(place, tables), *_strays(place, originals)})
    return Garbage(
        tuple(
            (name, files.size(name))
            for name in names
            if files.ordinary(name) and files.modified(name) < (own if name.startswith(inside) else shared)
        ),
        kept_for_readers=frozenset(place.read_now() - {manifest.snapshot for manifest in manifests}),
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
    with place.lease(wait_seconds=wait_seconds):
        found = find(place, grace_seconds=grace_seconds, grace_elsewhere=grace_elsewhere)
        if found.kept_for_readers:
            numbers = ", ".join(map(str, sorted(found.kept_for_readers)))
            return replace(
                found,
                files=(),
                blocked=f"Snapshot {numbers} is still being read. Try again when its reader has finished.",
            )
        for name, _ in found.files:
            place.files.remove(name)
        for folder in sorted({name.rsplit("/", 1)[0] for name, _ in found.files}, key=lambda one: -one.count("/")):
            place.files.prune(folder)
    return found


def _pinned(place: Place, manifests: list[Manifest]) -> Iterator[str]:
    for manifest in manifests:
        for table in manifest.tables.values():
            for file in table.files:
                yield place.name(f"{table.path}/{file.path}")


def _newest_versions(place: Place, tables: set[str]) -> Iterator[str]:
    wanted = place.states.newest().registry
    for table in tables:
        path = place.files.at(table)
        versions = {latest_version(path)} | ({wanted} if table == place.name(layout.SOURCES) else set())
        for version in versions - {None}:
            assert version is not None
            for file in files_of(path, version):
                yield f"{table}/{file.path}"


def _tables(place: Place) -> list[str]:
    return list(place.files.found(place.name(layout.INDEX), f"*/{layout.CHUNKS_TABLE}"))


def _table_files(place: Place, needed: set[str]) -> Iterator[str]:
    for table in (place.name(layout.SOURCES), *_tables(place)):
        for part in ("data", "_deletions", "_indices", "_versions", "_transactions"):
            for name in place.files.found(f"{table}/{part}"):
                if name not in needed and not name.endswith("/latest_version_hint.json"):
                    yield name


def _index_folders(place: Place, tables: set[str]) -> Iterator[str]:
    """Tables that no manifest knows: the rest of a build that never finished."""
    for table in _tables(place):
        if table not in tables:
            yield from place.files.found(table)


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


def _strays(place: Place, originals: set[str]) -> Iterator[str]:
    files = place.files
    for name in files.found(layout.ORIGINALS, "*/*"):
        last = name.rsplit("/", 1)[1]
        if last not in originals and not last.startswith(TEMPORARY) and not last.endswith(".damaged"):
            yield name
    yield from files.found("", f"**/{TEMPORARY}*")
    yield from files.found(layout.SPACES, f"{TEMPORARY}*/**/*")
    yield from files.found(place.name("lease"), ".build-*.json")
    yield from files.found(place.name(layout.INDEX), "*/.building")
