"""An archive into a notebook of its own: unpacked beside the notebooks, checked there, then put in place.

Nothing outside of the folder it is unpacked to is touched before every check has passed. Then, in this order:
originals, the space with its canary, vectors already paid for; last the notebook's folder, complete and durable with
its manifest in it, by one rename. A crash before the rename leaves no notebook, after it the whole.

An archive is believed in what it says of vectors: one from a stranger can make search worse in its space, but it
cannot name files, run anything, or set where questions, documents and keys are sent.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rag.config import Config
from rag.errors import AlreadyExists, ConfigError, Damaged, DiskFull
from rag.home.place import Place
from rag.home.state import State, only_after
from rag.manifest import Manifest, Receipt
from rag.moving.checks import checked_snapshot
from rag.moving.contents import CONTENTS
from rag.moving.paid import read_paid
from rag.moving.unpacking import Archive, open_archive
from rag.settings import SETTINGS, check_slug
from rag.sources.rows import SourceRow
from rag.spaces.recipe import SPLITTER
from rag.storage import layout
from rag.storage.arrivals import by_turns
from rag.storage.durable import fsync, make_folder
from rag.storage.failures import translated
from rag.storage.objects import TEMPORARY, LocalObjects, open_home
from rag.tables.healing import HealingCache
from rag.text.counting import count

_STALE_SECONDS = 24 * 3600
_SPARE = 64 << 20  # bytes that must be left on the disk


@dataclass(frozen=True)
class Imported:
    """A notebook that came from an archive. `vectors` were new to the vector cache. The receipt says zero calls."""

    slug: str
    title: str
    snapshot: int
    sources: int
    chunks: int
    cells: int
    vectors: int
    receipt: Receipt

    @property
    def sentence(self) -> str:
        """What there is now."""
        return (
            f"Imported notebook {self.slug}: snapshot {self.snapshot} with {count(self.chunks, 'chunk')} from "
            f"{count(self.sources, 'source')}, {count(self.cells, 'cell')}. No model was called."
        )


def import_notebook(config: Config, file: Path, slug: str | None = None, *, wait_seconds: float = 600) -> Imported:
    """Make a notebook of an archive, named `slug` or as the archive says. Calls no model. Waits for a purge.

    Raises:
        NotFound: no such file.
        AlreadyExists: there is a notebook of that name.
        Damaged, SourceTooLarge: not an archive, not a whole one, or not safe to unpack; nothing is left behind.
        NewerFormat: a newer Ragbook wrote it.
        SpaceRefused: the home has the same embedding space, made by another model.
        Busy: a purge or another import is still under way after `wait_seconds`.
        ConfigError: `slug` cannot be a name. DiskFull, StoreError: the home cannot be written.
    """
    started = time.monotonic()
    objects = open_home(config.home, config.workspace)
    with open_archive(file) as archive:
        place = Place(objects, _slug(archive, slug))
        _refuse_existing(place)
        with _staging(objects, archive.size, wait_seconds) as staging:
            _unpack(archive, staging, place.slug)
            staged = Place(staging, place.slug)
            manifest, rows = checked_snapshot(archive.names(), staged, place, archive.contents.snapshot)
            cells = len(archive.names("notebook/cells/"))
            _write_state(staged, manifest, rows, archive.contents.title)
            vectors = _put_in_place(staged, place, manifest, rows)
    return Imported(
        slug=place.slug,
        title=archive.contents.title,
        snapshot=manifest.snapshot,
        sources=manifest.counts.sources,
        chunks=manifest.counts.chunks,
        cells=cells,
        vectors=vectors,
        receipt=Receipt(saved_texts=manifest.counts.chunks, seconds=round(time.monotonic() - started, 4)),
    )


def _slug(archive: Archive, slug: str | None) -> str:
    if slug is not None:
        check_slug("The notebook's name", slug)
        return slug
    try:
        check_slug("The notebook's name", archive.contents.slug)
    except ConfigError as error:
        raise Damaged(f"{CONTENTS} of the archive fails its check. {error}") from error
    return archive.contents.slug


def _refuse_existing(place: Place) -> None:
    if os.path.lexists(place.folder):
        raise AlreadyExists(
            f"There is a notebook {place.slug!r} already, and importing never changes one. "
            "Give another name with --notebook."
        )


@contextlib.contextmanager
def _staging(objects: LocalObjects, size: int, wait_seconds: float) -> Iterator[LocalObjects]:
    """A folder of the workspace that is gone at the end, together with what had to be made for it and stayed empty.
    Nobody sweeps the workspace meanwhile."""
    root = objects.files.at()
    made = [folder for folder in (root, *root.parents) if not folder.exists()]
    folder = root / f"{TEMPORARY}import-{uuid.uuid4().hex}"
    try:
        with translated(str(root)):
            make_folder(root)
        with by_turns(root, wait_seconds=wait_seconds):
            try:
                with translated(str(root)):
                    _sweep(root)
                    free = shutil.disk_usage(root).free
                    # What is unpacked is moved, not copied; the vector cache alone is written a second time.
                    if size + _SPARE > free:
                        raise DiskFull(
                            f"The archive needs {size / 1e6:,.0f} MB and the disk has {free / 1e6:,.0f} MB free. "
                            "Free some space and import again."
                        )
                    folder.mkdir(mode=0o700)
                yield LocalObjects(folder)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    finally:
        for empty in made:
            with contextlib.suppress(OSError):
                empty.rmdir()


def _sweep(root: Path) -> None:
    """Remove what imports that were killed have left, once it is a day old."""
    for left in root.glob(f"{TEMPORARY}import-*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(left, ignore_errors=True)


def _unpack(archive: Archive, staging: LocalObjects, slug: str) -> None:
    for name in archive.names():
        within = name.startswith("notebook/")
        inside = layout.in_notebook(slug, name.removeprefix("notebook/")) if within else name
        target = staging.files.at(inside)
        with translated(name):
            target.parent.mkdir(parents=True, exist_ok=True)
        archive.unpack(name, target)


def _write_state(staged: Place, manifest: Manifest, rows: list[SourceRow], title: str) -> None:
    """What is wanted: this snapshot. Of the settings only the sizes of chunks come along, out of the recipe."""
    defaults = {setting.name: setting.default for setting in SETTINGS}
    splitter = manifest.recipe.get("splitter")
    wanted = {}
    if isinstance(splitter, dict) and _family(splitter.get("id")) == _family(SPLITTER):
        wanted = {"RAGBOOK_CHUNK_SIZE": splitter.get("size"), "RAGBOOK_CHUNK_OVERLAP": splitter.get("overlap")}
    settings = {
        name: str(value)
        for name, value in wanted.items()
        if type(value) is int and 0 <= value <= 8192 and str(value) != defaults[name]
    }
    imported = State(
        title=" ".join(title.split())[:120],
        settings=settings,
        registry=manifest.tables["sources"].version,
        sources_fp=manifest.sources_fp,
        sources=len(rows),
    )
    staged.states.change(only_after(State(), lambda _: imported))  # the folder is ours: nothing was wanted in it before


def _family(splitter: object) -> str:
    """`structure` of `structure/1`: an older number cut in another way, but by the same settings."""
    return str(splitter).partition("/")[0]


def _put_in_place(staged: Place, place: Place, manifest: Manifest, rows: list[SourceRow]) -> int:
    """Everything durable, the manifest last. Gives how many vectors the cache did not have."""
    home = place.objects
    for digest in sorted({row.digest for row in rows}):
        place.originals.keep(staged.originals.path(digest))
    space = staged.spaces.folder(manifest.space_fp)
    with contextlib.suppress(AlreadyExists):
        home.create(f"{space}/space.json", staged.objects.get(f"{space}/space.json"))
    added = _add_paid(staged.files.at(f"{space}/vectors.bin"), place.files.at(space), place, manifest)
    with translated(layout.notebook(place.slug)):
        for folder, _, _ in os.walk(staged.folder, topdown=False):
            fsync(Path(folder))
        make_folder(place.folder.parent)
        try:
            staged.folder.rename(place.folder)
        except OSError:
            _refuse_existing(place)  # another import was faster
            raise
        fsync(place.folder.parent)
    return added


def _add_paid(file: Path, cache: Path, place: Place, manifest: Manifest) -> int:
    if not file.is_file():
        return 0
    dimensions = place.spaces.get(manifest.space_fp).space.dimensions
    vectors = HealingCache(cache, dimensions)
    added = 0
    for keys, matrix in read_paid(file, dimensions):
        # What this home has paid for itself stays: an archive adds, it never replaces.
        known = vectors.having(keys)
        fresh = [number for number, key in enumerate(keys) if key not in known]
        vectors.add([keys[number] for number in fresh], matrix[fresh])
        added += len(fresh)
    return added
