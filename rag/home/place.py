"""Where one notebook lies, and the stores it is made of."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from rag.config import Config
from rag.errors import Damaged, NotFound, StoreUnavailable
from rag.home.journal import Journal
from rag.home.snapshots import Snapshots
from rag.home.state import States, newest_registry
from rag.manifest import Manifest
from rag.progress import IsCancelled, Watch, never
from rag.settings import check_slug
from rag.sources.tag_store import Tags
from rag.spaces.admission import Admission
from rag.spaces.saved import Spaces
from rag.storage import layout
from rag.storage.arrivals import by_turns
from rag.storage.failures import translated
from rag.storage.files import Files
from rag.storage.lease import lease, lease_holder
from rag.storage.marks import mark, read_now
from rag.storage.objects import LocalObjects, open_home
from rag.storage.originals import Originals

if TYPE_CHECKING:
    from rag.sources.registry import Registry
    from rag.sources.rows import SourceRow
    from rag.tables.chunk_table import ChunkTable


@dataclass(frozen=True)
class Place:
    """One notebook of one workspace. Making one creates and reads nothing."""

    objects: LocalObjects
    slug: str
    snapshots: Snapshots = field(init=False)
    states: States = field(init=False)
    spaces: Spaces = field(init=False)
    admission: Admission = field(init=False)
    originals: Originals = field(init=False)
    files: Files = field(init=False)
    tags: Tags = field(init=False)

    def __post_init__(self) -> None:
        check_slug("The notebook's name", self.slug)
        object.__setattr__(self, "snapshots", Snapshots(self.objects, self.slug))
        object.__setattr__(self, "states", States(self.objects, self.slug))
        object.__setattr__(self, "spaces", Spaces(self.objects))
        object.__setattr__(self, "admission", Admission(self.spaces))
        object.__setattr__(self, "originals", Originals(self.objects))
        object.__setattr__(self, "files", self.objects.files)
        object.__setattr__(self, "tags", Tags(self.objects, self.slug))

    @property
    def folder(self) -> Path:
        """The notebook's folder. It may not exist yet."""
        return self.files.at(layout.notebook(self.slug))

    @cached_property
    def registry(self) -> Registry:
        """The table of sources. Imports lancedb."""
        from rag.sources.registry import Registry

        return Registry(self.folder)

    def wanted_sources(self) -> list[SourceRow]:
        """The sources that are wanted, in the order they were added. Imports lancedb.

        Raises:
            Damaged: the list of sources cannot be read.
        """
        return self.registry.rows(newest_registry(self.states.newest(), self.snapshots.head()))

    def held(self, watch: Watch) -> AbstractContextManager[None]:
        """The lease: be the only builder of the notebook, as a courtesy. Makes the notebook's folder.

        Raises:
            Busy: another process still was after `watch.wait_seconds`.
            Cancelled: `watch.cancelled()` came true while waiting.
        """
        return self.lease(wait_seconds=watch.wait_seconds, cancelled=watch.cancelled, on_wait=watch.on_wait)

    def index_folder(self, recipe_fp: str) -> str:
        """Folder of the chunks of a recipe, below the notebook's folder."""
        return layout.index(recipe_fp)

    def name(self, inside: str) -> str:
        """What a manifest names, below the notebook's folder, as a name below the workspace."""
        return layout.in_notebook(self.slug, inside)

    @property
    def journal(self) -> Journal:
        """The note of a build under way."""
        return Journal(self.folder)

    def lease(
        self,
        *,
        wait_seconds: float,
        cancelled: IsCancelled = never,
        on_wait: Callable[[str], None] | None = None,
    ) -> AbstractContextManager[None]:
        """Be the only builder of this notebook, as a courtesy. Raises Busy and Cancelled as `rag.storage.lease`."""
        return lease(self.folder, wait_seconds=wait_seconds, cancelled=cancelled, on_wait=on_wait)

    def builder(self) -> str | None:
        """Who is building and since when, as the beginning of a sentence; None when nobody is."""
        return lease_holder(self.folder)

    def alone(self, *, wait_seconds: float) -> AbstractContextManager[None]:
        """Be the only one in the workspace that imports, or sweeps what imports are made of. Raises Busy."""
        return by_turns(self.files.at(), wait_seconds=wait_seconds)

    def mark(self, snapshot: int, owner: object) -> None:
        """Hold a snapshot against retiring until `owner` is collected or this process ends."""
        mark(self.folder, snapshot, owner)

    def read_now(self) -> set[int]:
        """Numbers of the snapshots that some process is reading."""
        return read_now(self.folder)

    def cache_folder(self, space_fp: str) -> Path:
        """Where the vectors of a space lie, to hand on to its table."""
        return self.files.at(layout.space(space_fp))

    def chunks(self, manifest: Manifest, *, newest: bool = False, clearing: bool = False) -> ChunkTable:
        """The table of chunks that a snapshot pins, at the version it pins; with `newest`, at its newest, for writing.

        With `clearing`, a torn version that no snapshot needs is moved out of the way where it keeps Lance from opening
        the pinned one; otherwise nothing is touched.

        Raises:
            NotFound: there is no such table. Damaged: it does not open at that version.
        """
        from rag.tables.chunk_table import ChunkTable
        from rag.tables.lance_files import clear_the_way

        pinned = manifest.tables["chunks"]
        path = self.table_folder(pinned.path)
        version = None if newest else pinned.version
        try:
            return ChunkTable.open(path.parent, path.stem, version)
        except Damaged as error:
            with translated(pinned.path):
                if not clearing or not clear_the_way(path, pinned.version, error):
                    raise
            return ChunkTable.open(path.parent, path.stem, version)

    def table_folder(self, path: str) -> Path:
        """Where a table lies that a manifest names, to hand on to what opens it."""
        return self.files.at(self.name(path))

    def reach(self) -> None:
        """Tell a folder that leads nowhere, as a lost mount or a broken link does, from one that was never made.

        Raises:
            StoreUnavailable
        """
        root = self.files.at()
        names = (layout.NOTEBOOKS, layout.notebook(self.slug), layout.manifests(self.slug))
        for folder in (root.parent, root, *map(self.files.at, names)):
            if os.path.lexists(folder) and not os.path.isdir(folder):  # noqa: PTH112 - Path.is_dir raises where this tells
                raise StoreUnavailable(f"{folder} is no folder, or a link that leads nowhere, so nothing can be read.")

    def must_exist(self) -> None:
        """Before the lease, which makes the notebook's folder: a wrong name must not make a notebook.

        Raises:
            NotFound: nothing was ever put into it.
            StoreUnavailable: as `reach`.
        """
        self.reach()
        if not self.files.is_folder(layout.notebook(self.slug)):
            others = self.objects.folders(layout.NOTEBOOKS)
            listed = f"There are: {', '.join(others[:5])}." if others else "There is none yet: add files first."
            raise NotFound(f"There is no notebook {self.slug!r} in this workspace. {listed}")

    def missing_file(self, manifest: Manifest) -> str | None:
        """The cheap check of a snapshot: every pinned file is there with its size. A sentence where one is not."""
        for table in manifest.tables.values():
            for file in table.files:
                full = self.name(f"{table.path}/{file.path}")
                try:
                    size = self.files.size(full) if self.files.is_file(full) else -1
                except OSError:
                    size = -1
                name = f"{table.path}/{file.path}"
                if size < 0:
                    return f"{name} of snapshot {manifest.snapshot} is missing."
                if size != file.size:
                    return f"{name} of snapshot {manifest.snapshot} has {size:,} bytes instead of {file.size:,}."
        return None


def place_of(config: Config, slug: str) -> Place:
    """The place of a notebook under the configured home.

    Raises:
        ConfigError: the home or the name is not usable.
    """
    return Place(open_home(config.home, config.workspace), slug)
