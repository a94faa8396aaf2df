"""Looks at everything a notebook rests on and says what is wrong, what is lost by it, and what repairs it.

Examining calls no model and removes nothing; a damaged version of a table that locks all others away is renamed, as
opening does. `repairs` acts on what is found here.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from rag.checked import load_checked
from rag.config import Config
from rag.errors import Cancelled, Damaged, NewerFormat, NotFound, NotWritable, StoreError
from rag.home.pinned import HASHED_BEFORE_USE, BadFile, PinnedFiles
from rag.home.place import Place
from rag.home.state import State, behind
from rag.manifest import Manifest
from rag.progress import Event, IsCancelled, OnEvent, Stage, ignore, never
from rag.sources.rows import SourceRow, registry_fingerprint
from rag.spaces.space import Space
from rag.storage import layout
from rag.storage.originals import bad_original
from rag.text.counting import count
from rag.upkeep.findings import Examination, Finding, Severity
from rag.upkeep.garbage import find as find_garbage
from rag.upkeep.inspections import chunk_problem, different_texts, fragments, look_at_cache

_BUILD = "Built again from the vector cache and the originals."
_MANY_FRAGMENTS = 64


def examine(
    place: Place, config: Config, *, deep: bool = False, on_event: OnEvent = ignore, cancelled: IsCancelled = never
) -> Examination:
    """Examine one notebook, with the originals and the vector cache it uses.

    `deep` reads every pinned file, original, vector and cached vector; else sizes and counts are compared, a sample of
    the vectors is read, and of each snapshot as much is hashed as before a build.

    Raises:
        Cancelled: `cancelled()` came true.
        StoreUnavailable, NotWritable: the home cannot be looked at.
    """
    started = time.monotonic()
    doctor = _Doctor(place, config, deep, on_event, cancelled)
    order = ("damage", "warning", "note")
    found = sorted(doctor.all(), key=lambda finding: order.index(finding.severity))
    return Examination(tuple(found), dict(doctor.checked), round(time.monotonic() - started, 4), deep)


@dataclass
class _Doctor:
    place: Place
    config: Config
    deep: bool
    on_event: OnEvent
    cancelled: IsCancelled
    checked: Counter[str] = field(default_factory=Counter)

    def all(self) -> Iterator[Finding]:
        """Every finding. What one part finds does not keep the others from looking."""
        self.manifests: list[Manifest] = []
        self.head: Manifest | None = None
        self.rows: list[SourceRow] = []
        for step, part in enumerate(
            (
                self._snapshots,
                self._wishes,
                self._index,
                self._space,
                self._cache,
                self._originals,
                self._cells,
                self._tags,
            )
        ):
            if self.cancelled():
                raise Cancelled("Stopped examining. Nothing was changed.")
            self.on_event(Event(Stage.VERIFY, step, 9, part.__name__.strip("_")))
            yield from part()
        yield from self._leftovers()
        self.on_event(Event(Stage.VERIFY, 9, 9))

    # ------------------------------------------------------------------ snapshots and what they pin

    def _snapshots(self) -> Iterator[Finding]:
        pinned = PinnedFiles(self.place, None if self.deep else HASHED_BEFORE_USE)
        newer_answers = False
        seen: set[tuple[str, str]] = set()
        for number in reversed(self.place.snapshots.numbers()):
            self.checked["manifests"] += 1
            name = self.place.snapshots.name(number)
            try:
                manifest = self.place.snapshots.get(number)
            except NewerFormat as error:
                yield Finding("newer-format", str(error), "", "Open it with a newer Ragbook.", (name,), number)
                newer_answers = True
                continue
            except (Damaged, NotFound, NotWritable) as error:
                lost = "" if not newer_answers else f"Going back to snapshot {number}."
                repair = _BUILD if not newer_answers else "None; newer snapshots answer. Its record is moved aside."
                yield Finding("manifest-damaged", str(error), lost, repair, (name,), number, _severity(newer_answers))
                continue
            bad = list(pinned.bad(manifest))
            self.checked["files"] += sum(len(table.files) for table in manifest.tables.values())
            for one in bad:
                if (one.name, one.kind) not in seen:  # told once, for the newest snapshot that needs it
                    seen.add((one.name, one.kind))
                    yield _pinned_finding(one, manifest.snapshot, newer_answers)
            self.manifests.append(manifest)
            if manifest.parent is not None and not 0 < manifest.parent < number:
                sentence = f"{name} names snapshot {manifest.parent} as the one before it, which is none before it."
                repair = "None is needed: each snapshot is complete in itself. Forget it, or build again."
                yield Finding("chain-broken", sentence, "", repair, (name,), number, "warning")
            if not bad:
                newer_answers = True
                self.head = self.head or manifest
        self.checked["hashed"] += pinned.hashed

    # ------------------------------------------------------------------ what is wanted

    def _wishes(self) -> Iterator[Finding]:
        self.checked["states"] += 1
        try:
            state = self.place.states.newest()
        except NewerFormat as error:
            yield Finding("newer-format", str(error), "", "Open it with a newer Ragbook.")
            return
        repair = "Taken from the newest snapshot and registry, and written anew."
        lost = "The title and settings saved last, and what was added or removed since the newest snapshot."
        folder = layout.states(self.place.slug)
        for number, sentence in zip(state.damaged_numbers, state.damaged, strict=True):
            name = f"{folder}/{layout.numbered(number)}"
            yield Finding("state-damaged", sentence, lost, repair, (name,))
        if not state.damaged and behind(state, self.head):
            sentence = f"The newest state in {folder} is missing: the newest snapshot tells of it."
            yield Finding("state-missing", sentence, lost, repair)
        yield from self._registry(state)

    def _registry(self, state: State) -> Iterator[Finding]:
        if state.registry is None:
            return
        self.checked["registries"] += 1
        name = layout.in_notebook(self.place.slug, layout.SOURCES)
        repair = (
            "Restored from the newest version that can be read, or from the names that snapshots and cells tell of."
        )
        lost = "Perhaps what was added or removed last; `--repair` says which names."
        try:
            self.rows = self.place.registry.rows(state.registry)
        except StoreError as error:
            yield Finding("registry-damaged", str(error), lost, repair, (name,))
        else:
            if registry_fingerprint(self.rows) != state.sources_fp:
                sentence = f"sources.lance version {state.registry} does not list what the newest state says it lists."
                yield Finding("registry-damaged", sentence, lost, repair, (name,))
                self.rows = []
        if not self.rows and self.head is not None:
            try:
                self.rows = self.place.registry.rows(self.head.tables["sources"].version)
            except StoreError as error:
                yield Finding("registry-damaged", str(error), lost, repair, (name,), self.head.snapshot)

    # ------------------------------------------------------------------ the index that answers

    def _index(self) -> Iterator[Finding]:
        head = self.head
        if head is None:
            return
        self.checked["chunks"] += head.counts.chunks
        found = chunk_problem(self.place, head, deep=self.deep)
        if found is not None:
            code, sentence = found
            yield Finding(code, sentence, "", _BUILD, (self._named(head.tables["chunks"].path),), head.snapshot)
            return
        pieces = fragments(self.place, head)
        if pieces > _MANY_FRAGMENTS:
            sentence = f"The index of snapshot {head.snapshot} lies in {pieces} pieces, which makes searching slower."
            yield Finding("fragmented", sentence, "", "The next build joins them.", (), head.snapshot, "note")

    def _named(self, path: str) -> str:
        return layout.in_notebook(self.place.slug, path)

    def _space(self) -> Iterator[Finding]:
        if self.head is None:
            return
        self.checked["spaces"] += 1
        space = Space(**self.head.recipe["embedder"])
        name = layout.space_description(space.fingerprint)
        try:
            self.place.spaces.get(space.fingerprint)
        except (Damaged, NotFound, NotWritable) as error:
            if space.revision:
                repair = "Written anew: the model's weights are known by digest."
            else:
                repair = (
                    "The live model is compared with vectors of the index; if it is the same one, its canary is "
                    "written anew. 16 texts are embedded."
                )
            yield Finding("space-damaged", str(error), "", repair, (name,), self.head.snapshot)

    def _cache(self) -> Iterator[Finding]:
        widths = {one.space_fp: int(one.recipe["embedder"]["dimensions"]) for one in self.manifests}
        for fingerprint, width in widths.items():
            folder = self.place.spaces.folder(fingerprint)
            look = look_at_cache(self.place.files.at(folder), width, deep=self.deep)
            self.checked["cached vectors"] += look.keys
            problem = look.problem
            if not problem and self.head is not None and self.head.space_fp == fingerprint:
                # As many vectors as chunks are enough for sure: then no text is read.
                enough = look.keys >= self.head.counts.chunks
                lacking = 0 if enough else different_texts(self.place, self.head) - look.keys
                lacks = f"{folder}/{layout.VECTORS_TABLE} lacks at least {lacking:,} vectors that the index has."
                problem = lacks if lacking > 0 else ""
            named = (f"{folder}/{layout.VECTORS_TABLE}",)
            if problem:
                repair = "What can be read is kept, the rest is taken from the index at no cost where it has it."
                yield Finding("cache-damaged", problem, "", repair, named, None, "warning")
            elif look.wrong:
                sentence = f"{named[0]} has {count(look.wrong, 'vector')} that fail their checksum and count as absent."
                lost = "What they cost, if their texts are needed again."
                yield Finding("cached-vectors-wrong", sentence, lost, "None is needed.", named, None, "note")

    # ------------------------------------------------------------------ originals, cells, leftovers

    def _originals(self) -> Iterator[Finding]:
        for row in self.rows:
            if self.cancelled():
                raise Cancelled("Stopped examining. Nothing was changed.")
            self.checked["originals"] += 1
            found = bad_original(self.place.originals, row.digest, row.size, deep=self.deep)
            if found is None:
                continue
            kind, check = found
            yield Finding(
                f"original-{kind if kind in ('missing', 'unreadable') else 'damaged'}",
                f"The original of {row.name} ({self.place.originals.name(row.digest)[:21]}…) {check}.",
                f"The file as it was given. The index answers from {row.name}, but cannot be built again with it.",
                "Add the file again.",
                (self.place.originals.name(row.digest),),
                None,
                "warning",
            )

    def _cells(self) -> Iterator[Finding]:
        for name in self.place.objects.names(layout.cells(self.place.slug)):
            if not name.endswith(".json"):
                continue  # moved aside
            self.checked["cells"] += 1
            try:
                load_checked(self.place.objects.get(name), name)
            except (StoreError, NotFound) as error:
                yield Finding("cell-damaged", str(error), "One kept answer.", "Moved aside.", (name,), None, "warning")

    def _tags(self) -> Iterator[Finding]:
        tags = self.place.tags
        self.checked["tags"] += tags.any()
        try:
            damaged = tags.damaged()
        except NewerFormat as error:
            yield Finding("newer-format", str(error), "", "Open it with a newer Ragbook.")
            return
        for name, sentence in damaged:
            repair = "Moved aside; the tags from before it count again."
            yield Finding("tags-damaged", sentence, "The tags that were changed last.", repair, (name,))

    def _leftovers(self) -> Iterator[Finding]:
        holder = self.place.builder()
        if holder:
            sentence = f"{holder} is building this notebook."
            yield Finding("build-running", sentence, "", "Wait for it before repairing.", (), None, "note")
        try:
            garbage = find_garbage(self.place)
        except StoreError as error:
            yield Finding("leftovers-unknown", str(error), "", "Repair the rest first.", (), None, "note")
            return
        if garbage.files:
            size = garbage.size / (1 << 20)
            sentence = f"{count(len(garbage.files), 'file')} with {size:,.1f} MB are needed by nothing."
            names = tuple(name for name, _ in garbage.files)
            yield Finding("leftovers", sentence, "", "Removed.", names, None, "note")


def _pinned_finding(bad: BadFile, snapshot: int, newer_answers: bool) -> Finding:
    lost = "" if not newer_answers else f"Going back to snapshot {snapshot}."
    repair = (
        _BUILD if not newer_answers else f"None; newer snapshots answer. Forget snapshot {snapshot} to be rid of it."
    )
    return Finding(f"file-{bad.kind}", bad.sentence, lost, repair, (bad.name,), snapshot, _severity(newer_answers))


def _severity(newer_answers: bool) -> Severity:
    return "warning" if newer_answers else "damage"
