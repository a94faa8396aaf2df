"""A notebook: its sources, its index, its cells. What pages and the command line talk to.

Opening one reads nothing and imports neither lancedb nor llama-index; each method imports what it needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rag import old_sentences
from rag.changes import Code, change
from rag.citing.answer import Answer
from rag.config import Config, load_config
from rag.errors import ConfigError, StoreError
from rag.home import tagged
from rag.home.cells import Cell, Cells
from rag.home.place import Place, place_of
from rag.home.state import newest_registry
from rag.home.verdicts import Status, look
from rag.manifest import Manifest
from rag.models.endpoint import check_addresses
from rag.models.makers import Models
from rag.outcome import Outcome
from rag.progress import IsCancelled, OnEvent, Watch, ignore, never
from rag.settings import SAVABLE
from rag.sources.incoming import Incoming
from rag.sources.rows import SourceRow
from rag.sources.tags import ById
from rag.storage import layout
from rag.storage.failures import translated
from rag.storage.objects import open_home

if TYPE_CHECKING:
    from rag.asking.opening import Opened
    from rag.building.estimate import Estimate
    from rag.models.embedder import Embedder
    from rag.models.rerankers import Reranker


class Notebook:
    """One notebook of one workspace.

    `config` are the effective settings: saved settings of this notebook count where nothing stronger is set.
    `make_embedder`, `make_llm` and `make_reranker` can be given, for tests and for other models; `models` makes them.
    """

    def __init__(
        self,
        config: Config,
        slug: str = "main",
        *,
        reload: Callable[[Mapping[str, str]], Config] | None = None,
        make_embedder: Callable[[Config], Embedder] | None = None,
        make_llm: Callable[[Config], Any] | None = None,
        make_reranker: Callable[[Config], Reranker] | None = None,
    ) -> None:
        self.slug = slug
        with translated(config.home):
            self.place: Place = place_of(config, slug)
        self._given = config
        self._reload = reload
        self.models = Models(make_embedder, make_llm, make_reranker)

    @cached_property
    def config(self) -> Config:
        """The effective settings."""
        saved = self.saved_settings()
        return self._reload(saved) if saved and self._reload else self._given

    @property
    def title(self) -> str:
        """The notebook's title; made of its slug until one is given."""
        own = "My notebook" if self.slug == "main" else self.slug.replace("-", " ").replace("_", " ").capitalize()
        return self.place.states.newest().title or own

    # ------------------------------------------------------------------ looking

    def status(self, *, hashing: bool = False) -> Status:
        """The verdict on this notebook. No model call, no heavy import.

        Pinned files are looked at by size; with `hashing`, also by SHA-256 as far as opening does, which costs as
        much as it does there. What an opening in this process found is known in both cases.
        """
        try:
            config = self.config
        except StoreError:
            config = self._given  # looking meets the same failure, and has a verdict for it
        return look(self.place, config, hashing=hashing)

    def history(self) -> list[Manifest]:
        """Every snapshot whose manifest is intact, newest first."""
        return [found for found in self.place.snapshots.newest() if isinstance(found, Manifest)]

    def sources(self) -> list[SourceRow]:
        """The sources in the order they were added, with what the builds made of them. Imports lancedb."""
        state, head = self.place.states.newest(), self.place.snapshots.head()
        rows = self.place.registry.rows(newest_registry(state, head))
        if head is None:
            return rows
        return [
            replace(row, changed="reused", why=old_sentences.why(change(Code.UNCHANGED, snapshot=row.snapshot)))
            if row.state == "indexed" and 0 < row.snapshot < head.snapshot
            else row
            for row in rows
        ]

    def spaces(self) -> list[dict[str, Any]]:
        """The saved spaces of the workspace with how many vectors each has, None where that cannot be read. Imports
        lancedb."""
        from rag.home.vectors import vectors_in

        return [
            {"fingerprint": space.fingerprint, **asdict(space), "vectors": vectors_in(self.place, space)}
            for space in self.place.spaces.all()
        ]

    def estimate(self, incoming: Sequence[Incoming] = ()) -> Estimate:
        """What a build would pay for if these files were added too. Keeps nothing, calls nothing; reads the files."""
        from rag.building.estimate import estimate

        return estimate(self.place, self.config, self.models.embedder, incoming)

    # ------------------------------------------------------------------ settings

    def saved_settings(self) -> dict[str, str]:
        """Settings saved with this notebook."""
        return dict(self.place.states.newest().settings)

    def save_settings(self, settings: Mapping[str, str]) -> None:
        """Save settings with this notebook; an empty value removes one. Builds nothing.

        Raises:
            ConfigError: a name that cannot be saved, or a value that cannot be.
            AddressRefused: an address that a page may not lead this server to.
        """
        wrong = [name for name in settings if name not in SAVABLE]
        if wrong:
            raise ConfigError(f"{wrong[0]} cannot be saved. These can: {', '.join(SAVABLE)}.")
        kept = {name: value for name, value in settings.items() if value.strip()}
        if self._reload is not None:
            check_addresses(self._reload(kept))  # both raise for what cannot be
        self.place.states.change(lambda state: replace(state, settings=kept))
        self.__dict__.pop("config", None)

    def rename(self, title: str) -> None:
        """Give the notebook a title."""
        self.place.states.change(lambda state: replace(state, title=" ".join(title.split())[:120]))

    # ------------------------------------------------------------------ cells

    @cached_property
    def _cells(self) -> Cells:
        return Cells(self.place.objects, self.slug)

    def cells(self) -> list[Cell]:
        """The kept questions and answers, oldest first."""
        return self._cells.all()

    def keep_cell(self, answer: Answer) -> Cell:
        """Keep an answer."""
        return self._cells.keep(answer)

    def drop_cell(self, cell_id: str) -> None:
        """Remove a kept answer."""
        self._cells.drop(cell_id)

    def put_back_cell(self, cell: Cell) -> None:
        """Undo `drop_cell`."""
        self._cells.put_back(cell)

    # ------------------------------------------------------------------ tags

    def tags(self) -> ById:
        """Ids of the sources with their own tags, as they are now, whatever snapshot is open. As `tagged.tags_of`."""
        return tagged.tags_of(self.place)

    def tag(self, names: Sequence[str], *, add: Sequence[str] = (), remove: Sequence[str] = ()) -> None:
        """Add tags to sources and remove others from them, at once for all. Builds nothing and calls no model. As
        `tagged.tag`."""
        tagged.tag(self.place, names, add=add, remove=remove)

    # ------------------------------------------------------------------ doing

    def add(
        self,
        incoming: Sequence[Incoming],
        *,
        refused: Sequence[tuple[str, str]] = (),
        on_event: OnEvent = ignore,
        cancelled: IsCancelled = never,
        wait_seconds: float = 600,
        on_wait: Callable[[str], None] | None = None,
    ) -> Outcome:
        """Keep the originals of files, register them, build and publish. As `registering.add`; what can be watched
        is told in `Watch`."""
        from rag.building import registering

        watch = Watch(on_event, cancelled, wait_seconds, on_wait)
        return registering.add(self.place, self.config, self.models.embedder, incoming, refused=refused, watch=watch)

    def receive(self, name: str, content: bytes, tags: tuple[str, ...] = ()) -> Incoming:
        """Keep the bytes of a file that is to be added, for `add`. As `registering.receive`."""
        from rag.building import registering

        return registering.receive(self.place, name, content, tags)

    def remove(
        self,
        names: Sequence[str],
        *,
        on_event: OnEvent = ignore,
        cancelled: IsCancelled = never,
        wait_seconds: float = 600,
        on_wait: Callable[[str], None] | None = None,
    ) -> Outcome:
        """Take sources out of the next snapshot. As `registering.remove`."""
        from rag.building import registering

        watch = Watch(on_event, cancelled, wait_seconds, on_wait)
        return registering.remove(self.place, self.config, self.models.embedder, names, watch=watch)

    def build(
        self,
        *,
        on_event: OnEvent = ignore,
        cancelled: IsCancelled = never,
        wait_seconds: float = 600,
        on_wait: Callable[[str], None] | None = None,
    ) -> Outcome:
        """Bring the index to what is wanted. As `pipeline.build`."""
        from rag.building.pipeline import build

        watch = Watch(on_event, cancelled, wait_seconds, on_wait)
        return build(self.place, self.config, self.models.embedder, watch)

    def new_space(self) -> None:
        """Make a space of its own for the model that answers now, after REFUSED. Costs the canary; the next build fills
        it, and the old space stays as it is.

        Raises:
            ModelError: the model cannot be made or fails.
        """
        from rag.home.spending import recorded

        embedder = self.models.embedder(self.config)
        with recorded(self.place, embedder, self.config.embed_model, "canary", snapshot=None):
            self.place.admission.branch(embedder, self.config)


def open_notebook(
    config: Config | None = None, slug: str = "main", *, reload: Callable[[Mapping[str, str]], Config] | None = None
) -> Notebook:
    """A notebook under the configured home. Reads nothing, creates nothing.

    Without `config` the settings of this process are read, and the notebook's own saved settings are merged in.
    """
    if config is None:
        return Notebook(load_config(), slug, reload=lambda saved: load_config(saved=saved))
    return Notebook(config, slug, reload=reload or (lambda saved: load_config(saved=saved)))


def open_snapshot(
    notebook: Notebook, snapshot: int | None = None, *, deep: bool = False, through_storage: bool = False
) -> Opened:
    """Open a snapshot of a notebook, the newest intact one without a number, under its settings. Imports lancedb. As
    `opening.open_index`."""
    from rag.asking.opening import open_index

    return open_index(
        notebook.place, notebook.config, notebook.models, snapshot, deep=deep, through_storage=through_storage
    )


def list_notebooks(config: Config) -> list[str]:
    """Slugs of the notebooks of the workspace."""
    with translated(config.home):
        return open_home(config.home, config.workspace).folders(layout.NOTEBOOKS)
