"""Where one notebook lies, and the stores it is made of."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from rag.config import Config, check_slug
from rag.errors import NotFound, StoreUnavailable
from rag.home.snapshots import Snapshots
from rag.home.state import States, newest_registry
from rag.manifest import Manifest
from rag.progress import Watch
from rag.sources.tag_store import Tags
from rag.spaces.admission import Admission
from rag.spaces.saved import Spaces
from rag.storage import layout
from rag.storage.lease import lease
from rag.storage.objects import Objects, open_home
from rag.storage.originals import Originals

if TYPE_CHECKING:
    from rag.sources.registry import Registry
    from rag.sources.rows import SourceRow


@dataclass(frozen=True)
class Place:
    """One notebook of one workspace. Making one creates and reads nothing."""

    objects: Objects
    slug: str
    snapshots: Snapshots = field(init=False)
    states: States = field(init=False)
    spaces: Spaces = field(init=False)
    admission: Admission = field(init=False)
    originals: Originals = field(init=False)
    tags: Tags = field(init=False)

    def __post_init__(self) -> None:
        check_slug("The notebook's name", self.slug)
        object.__setattr__(self, "snapshots", Snapshots(self.objects, self.slug))
        object.__setattr__(self, "states", States(self.objects, self.slug))
        object.__setattr__(self, "spaces", Spaces(self.objects))
        object.__setattr__(self, "admission", Admission(self.spaces))
        object.__setattr__(self, "originals", Originals(self.objects))
        object.__setattr__(self, "tags", Tags(self.objects, self.slug))

    @property
    def folder(self) -> Path:
        """The notebook's folder. It may not exist yet."""
        return self.objects.root / layout.NOTEBOOKS / self.slug

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
        return lease(self.folder, wait_seconds=watch.wait_seconds, cancelled=watch.cancelled, on_wait=watch.on_wait)

    def index_folder(self, recipe_fp: str) -> str:
        """Folder of the chunks of a recipe, below the notebook's folder."""
        return f"index/{recipe_fp[:16]}"

    def reach(self) -> None:
        """Tell a folder that leads nowhere, as a lost mount or a broken link does, from one that was never made.

        Raises:
            StoreUnavailable
        """
        root = self.objects.root
        for folder in (root.parent, root, root / layout.NOTEBOOKS, self.folder, self.folder / "manifests"):
            if os.path.lexists(folder) and not os.path.isdir(folder):  # noqa: PTH112 - Path.is_dir raises where this tells
                raise StoreUnavailable(f"{folder} is no folder, or a link that leads nowhere, so nothing can be read.")

    def must_exist(self) -> None:
        """Before the lease, which makes the notebook's folder: a wrong name must not make a notebook.

        Raises:
            NotFound: nothing was ever put into it.
            StoreUnavailable: as `reach`.
        """
        self.reach()
        if not self.folder.is_dir():
            others = self.objects.folders(layout.NOTEBOOKS)
            listed = f"There are: {', '.join(others[:5])}." if others else "There is none yet: add files first."
            raise NotFound(f"There is no notebook {self.slug!r} in this workspace. {listed}")

    def missing_file(self, manifest: Manifest) -> str | None:
        """The cheap check of a snapshot: every pinned file is there with its size. A sentence where one is not."""
        for table in manifest.tables.values():
            for file in table.files:
                path = self.folder / table.path / file.path
                try:
                    size = path.stat().st_size if path.is_file() else -1
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
