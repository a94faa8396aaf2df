"""A notebook: its sources, its index, its cells. What pages and the command line talk to.

Opening one reads nothing and imports neither lancedb nor llama-index; each method imports what it needs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rag.citing.answer import Answer
from rag.config import SAVABLE, Config, load_config
from rag.errors import ConfigError, Conflict, Damaged, NotFound, ReadError, StoreError
from rag.home.cells import Cell, Cells
from rag.home.place import Place, place_of
from rag.home.state import State, newest_registry, only_after
from rag.home.verdicts import Status, look
from rag.manifest import Change, Manifest, Verdict, VerdictName
from rag.outcome import ChunkCounts, Outcome, SourceCounts
from rag.progress import Event, IsCancelled, OnEvent, Stage, ignore, never
from rag.sources.incoming import Incoming, name_in_batch, origin_of
from rag.sources.names import safe_name
from rag.sources.rows import Given, SourceRow, register
from rag.sources.tags import ById, changed, clean_tag, newly, refuse_absent
from rag.storage import layout
from rag.storage.failures import translated
from rag.storage.lease import lease
from rag.storage.objects import open_home
from rag.storage.stamp import now
from rag.text.counting import count

if TYPE_CHECKING:
    from rag.building.estimate import Estimate
    from rag.models.embedder import Embedder
    from rag.models.rerankers import Reranker

_PENDING = 50


class Notebook:
    """One notebook of one workspace.

    `config` are the effective settings: saved settings of this notebook count where nothing stronger is set.
    `make_embedder`, `make_llm` and `make_reranker` can be given, for tests and for other models.
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
        self._make_embedder = make_embedder
        self._make_llm = make_llm
        self._make_reranker = make_reranker

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

    def make_embedder(self, config: Config) -> Embedder:
        """The embedder of some settings."""
        if self._make_embedder is not None:
            return self._make_embedder(config)
        from rag.models.factory import make_embedder

        return make_embedder(config)

    def make_llm(self, config: Config) -> Any:
        """The language model of some settings, or None."""
        if self._make_llm is not None:
            return self._make_llm(config)
        if config.llm == "none":  # before the import, which takes seconds and would be for nothing
            return None
        from rag.models.llms import make_llm

        return make_llm(config)

    def make_reranker(self, config: Config) -> Reranker:
        """The re-ranker of settings under which there is one."""
        if self._make_reranker is not None:
            return self._make_reranker(config)
        from rag.models.rerankers import make_reranker

        return make_reranker(config, self.make_llm)

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
        state, head = self.place.states.newest(), self._head()
        rows = self.place.registry.rows(newest_registry(state, head))
        if head is None:
            return rows
        return [
            replace(row, changed="reused", why=f"unchanged since snapshot {row.snapshot}")
            if row.state == "indexed" and 0 < row.snapshot < head.snapshot
            else row
            for row in rows
        ]

    def spaces(self) -> list[dict[str, Any]]:
        """The saved spaces of the workspace with how many vectors each has. Imports lancedb."""
        from rag.tables.vectors import VectorCache

        found = []
        for space in self.place.spaces.all():
            folder = self.place.objects.root / self.place.spaces.folder(space.fingerprint)
            vectors = len(VectorCache(folder, space.dimensions))
            found.append({"fingerprint": space.fingerprint, **asdict(space), "vectors": vectors})
        return found

    def estimate(self, incoming: Sequence[Incoming] = ()) -> Estimate:
        """What a build would pay for if these files were added too. Keeps nothing, calls nothing; reads the files."""
        from rag.building.estimate import estimate

        return estimate(self.place, self.config, self.make_embedder, incoming)

    # ------------------------------------------------------------------ settings

    def saved_settings(self) -> dict[str, str]:
        """Settings saved with this notebook."""
        return dict(self.place.states.newest().settings)

    def save_settings(self, settings: Mapping[str, str]) -> None:
        """Save settings with this notebook; an empty value removes one. Builds nothing.

        Raises:
            ConfigError: a name that cannot be saved, or a value that cannot be.
        """
        wrong = [name for name in settings if name not in SAVABLE]
        if wrong:
            raise ConfigError(f"{wrong[0]} cannot be saved. These can: {', '.join(SAVABLE)}.")
        kept = {name: value for name, value in settings.items() if value.strip()}
        if self._reload is not None:
            self._reload(kept)  # raises for what cannot be
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
        """Ids of the sources with their own tags, as they are now, whatever snapshot is open; those without are left
        out. Imports lancedb where there are any.

        Raises:
            Damaged: the tags, or the list of sources, fail their check.
        """
        of = self.place.tags.newest().of
        if not of:
            return {}
        ids = {row.source_id for row in self._registered()}
        return {source_id: tags for source_id, tags in of.items() if source_id in ids}

    def tag(self, names: Sequence[str], *, add: Sequence[str] = (), remove: Sequence[str] = ()) -> None:
        """Add tags to sources and remove others from them, at once for all. Builds nothing and calls no model.

        Raises:
            NotFound: there is no such source, or none of these has a tag that is to be removed; nothing was changed.
            TagInvalid: a tag cannot be kept as it is, or a source would have too many; nothing was changed.
            Damaged, Conflict: as `Tags.change`.
        """
        wanted = [clean_tag(tag) for tag in add]
        there = {row.name: row.source_id for row in self._registered()}
        self._refuse_unknown(names, there)
        sources = {there[name]: name for name in names}
        refuse_absent(self.place.tags.newest().of, sources, remove)
        self.place.tags.change(lambda of: changed(of, sources, wanted, remove))

    def _registered(self) -> list[SourceRow]:
        """The sources that are wanted."""
        return self.place.registry.rows(newest_registry(self.place.states.newest(), self._head()))

    def _refuse_unknown(self, names: Sequence[str], known: Collection[str]) -> None:
        wrong = [name for name in names if name not in known]
        if wrong:
            listed = ", ".join(sorted(known)[:5]) or "none"
            raise NotFound(f"There is no source {wrong[0]!r} in this notebook. It has: {listed}.")

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
        """Keep the originals, register the sources, build and publish.

        `refused` (name, reason) were given too, and turned down before they came here. A file that cannot be kept or
        read is in the outcome's failures, with the reason; the others go in. When none of the given files could be
        read, the verdict is FAILED.

        Raises:
            Busy, Cancelled, SpaceRefused, ModelError, StoreError: as `pipeline.build`.
            TagInvalid, Damaged: the tags that were given cannot be kept; nothing was added.
        """
        from rag.building.pipeline import build_held

        started = time.monotonic()
        with lease(self.place.folder, wait_seconds=wait_seconds, cancelled=cancelled, on_wait=on_wait):
            self.place.states.newest()  # refuse what a newer Ragbook wrote, before anything is kept
            self._head()
            self._refuse_tags(incoming)
            given, unkept, tags = self._keep(incoming, on_event, cancelled)
            before = {row.source_id for row in self._registered()}
            _persistently(lambda: self.register(given))
            self._tag_added(before, tags)
            outcome = build_held(self.place, self.config, self.make_embedder, on_event=on_event, cancelled=cancelled)
        turned_down = [(safe_name(name), reason) for name, reason in refused]
        return _of_this_call(outcome, given, [*turned_down, *unkept], time.monotonic() - started)

    def new_space(self) -> None:
        """Make a space of its own for the model that answers now, after REFUSED. Costs the canary; the next build fills
        it, and the old space stays as it is.

        Raises:
            ModelError: the model cannot be made or fails.
        """
        from rag.home.spending import recorded

        embedder = self.make_embedder(self.config)
        with recorded(self.place, embedder, self.config.embed_model, "canary", snapshot=None):
            self.place.spaces.branch(embedder, self.config)

    def build(
        self,
        *,
        on_event: OnEvent = ignore,
        cancelled: IsCancelled = never,
        wait_seconds: float = 600,
        on_wait: Callable[[str], None] | None = None,
    ) -> Outcome:
        """Bring the index to what is wanted. Raises as `pipeline.build`."""
        from rag.building.pipeline import build

        return build(
            self.place,
            self.config,
            self.make_embedder,
            on_event=on_event,
            cancelled=cancelled,
            wait_seconds=wait_seconds,
            on_wait=on_wait,
        )

    def remove(
        self,
        names: Sequence[str],
        *,
        on_event: OnEvent = ignore,
        cancelled: IsCancelled = never,
        wait_seconds: float = 600,
        on_wait: Callable[[str], None] | None = None,
    ) -> Outcome:
        """Take sources out of the next snapshot. Their originals and older snapshots stay.

        Raises:
            NotFound: no such notebook, or a name that is not in it; nothing was removed.
        """
        from rag.building.pipeline import build_held

        self.place.must_exist()
        with lease(self.place.folder, wait_seconds=wait_seconds, cancelled=cancelled, on_wait=on_wait):
            _persistently(lambda: self._unregister(names))
            return build_held(self.place, self.config, self.make_embedder, on_event=on_event, cancelled=cancelled)

    # ------------------------------------------------------------------ registering

    def _head(self) -> Manifest | None:
        return self.place.snapshots.head()

    def _keep(
        self, incoming: Sequence[Incoming], on_event: OnEvent, cancelled: IsCancelled
    ) -> tuple[list[Given], list[tuple[str, str]], dict[str, tuple[str, ...]]]:
        """Files whose originals are kept, those that cannot be with the reason, and the tags given with each name."""
        given: dict[str, Given] = {}
        tags: dict[str, tuple[str, ...]] = {}
        refused: list[tuple[str, str]] = []
        for done, one in enumerate(incoming):
            if cancelled():
                break
            name = safe_name(one.name)
            try:
                source = one.path if one.path is not None else one.content or b""
                digest, size = self.place.originals.keep(source)
            except ReadError as error:
                refused.append((name, str(error)))
            except OSError as error:
                refused.append((name, f"It cannot be opened: {error.strerror or error}. Check that it is still there."))
            else:
                origin = origin_of(one)
                name = name_in_batch(name, digest, origin, given)
                given[name] = Given(name, digest, size, origin)
                tags[name] = (*tags.get(name, ()), *one.tags)
            on_event(Event(Stage.STORE, done + 1, len(incoming), name))
        return list(given.values()), refused, tags

    def _refuse_tags(self, incoming: Sequence[Incoming]) -> None:
        given = any(one.tags for one in incoming)
        try:
            of = self.place.tags.newest().of  # also without tags: refuse what a newer Ragbook wrote
        except Damaged:
            if given:
                raise
        if not given:
            return
        ids = {row.name: row.source_id for row in self._registered()}
        for one in incoming:
            name = safe_name(one.name)
            own = ids.get(name, "")
            changed({own: of.get(own, ())}, {own: name}, [clean_tag(tag) for tag in one.tags])

    def _tag_added(self, before: Collection[str], tags: Mapping[str, Sequence[str]]) -> None:
        """Give the sources that were just registered their tags, and new ones no others: what had the same id before
        was removed, and its tags went with it. `before` are the ids until then."""
        if not any(tags.values()) and not self.place.tags.any():
            return
        rows = [row for row in self._registered() if row.name in tags]
        fresh = {row.source_id for row in rows} - set(before)
        given = {row.source_id: (row.name, [clean_tag(tag) for tag in tags[row.name]]) for row in rows}
        try:
            self.place.tags.change(lambda of: newly(of, fresh, given))
        except Damaged:
            if any(tags.values()):
                raise
            # Whoever repairs them has old ones back at most: no reason not to add a file.

    def register(self, given: Sequence[Given]) -> None:
        """Put files whose originals are kept into the list of sources that is wanted. Builds nothing."""
        state, head = self.place.states.newest(), self._head()
        base = newest_registry(state, head)
        registration = register(self.place.registry.rows(base), given, when=now())
        changes = [Change(name, None, "added") for name in registration.added]
        changes += [Change(name, None, "changed") for name in registration.changed]
        changes += [Change("renamed", old, new) for old, new in registration.renamed]
        self._publish_registry(state, head, registration.rows, base, changes)

    def _unregister(self, names: Sequence[str]) -> None:
        state, head = self.place.states.newest(), self._head()
        base = newest_registry(state, head)
        rows = self.place.registry.rows(base)
        known = {row.name for row in rows}
        self._refuse_unknown(names, known)
        rest = [row for row in rows if row.name not in set(names)]
        self._publish_registry(state, head, rest, base, [Change(name, "source", "removed") for name in names])

    def _publish_registry(
        self,
        state: State,
        head: Manifest | None,
        rows: Sequence[SourceRow],
        base: int | None,
        changes: Sequence[Change],
    ) -> None:
        registry = self.place.registry
        if list(rows) == registry.rows(base) and registry.fingerprint(base) == state.sources_fp:
            return
        version = registry.write(rows, base)
        wanted = registry.fingerprint(version)
        pending = () if head is not None and head.sources_fp == state.sources_fp else state.pending

        def wish(newest: State) -> State:
            return replace(
                newest,
                registry=version,
                sources_fp=wanted,
                sources=len(rows),
                pending=(*pending, *changes)[:_PENDING],
            )

        self.place.states.change(only_after(state, wish))


def _persistently(register: Callable[[], None]) -> None:
    """Change the wanted sources, again where somebody without the lease changed them at the same moment."""
    for _ in range(4):
        with suppress(Conflict):
            return register()
    return register()


def open_notebook(
    config: Config | None = None, slug: str = "main", *, reload: Callable[[Mapping[str, str]], Config] | None = None
) -> Notebook:
    """A notebook under the configured home. Reads nothing, creates nothing.

    Without `config` the settings of this process are read, and the notebook's own saved settings are merged in.
    """
    if config is None:
        return Notebook(load_config(), slug, reload=lambda saved: load_config(saved=saved))
    return Notebook(config, slug, reload=reload or (lambda saved: load_config(saved=saved)))


def list_notebooks(config: Config) -> list[str]:
    """Slugs of the notebooks of the workspace."""
    with translated(config.home):
        return open_home(config.home, config.workspace).folders(layout.NOTEBOOKS)


def _of_this_call(
    outcome: Outcome,
    given: Sequence[Given],
    refused: Sequence[tuple[str, str]],
    seconds: float,
) -> Outcome:
    """An outcome of the build, told of the files that were given: only their failures, and the refused ones too."""
    names = {one.name for one in given}
    failures = [*refused, *(failure for failure in outcome.failures if failure[0] in names)]
    failed = {name for name, _ in failures}
    counts = replace(outcome.sources, failed=len(failures))
    verdict = replace(outcome.verdict, receipt=replace(outcome.verdict.receipt, seconds=round(seconds, 4)))
    if failures and len(failed) >= len(names | failed):
        sentence = f"{failures[0][0]}: {failures[0][1]}"
        if len(failures) > 1:
            sentence = f"None of {count(len(failures), 'file')} could be read. {sentence}"
        verdict = Verdict(
            VerdictName.FAILED,
            sentence,
            "Correct the files and add them again.",
            verdict.snapshot,
            verdict.changes,
            verdict.receipt,
        )
    elif failures:
        verdict = replace(verdict, sentence=f"{verdict.sentence} {count(len(failures), 'file')} could not be read.")
    return replace(outcome, verdict=verdict, sources=counts, failures=tuple(failures))


__all__ = ["ChunkCounts", "Damaged", "Incoming", "Notebook", "SourceCounts", "list_notebooks", "open_notebook"]
