"""Repairs what `doctor` finds: from other copies first, from the vector cache and the originals next, and only then by
paying again. Nothing that was given or paid for is deleted: what is damaged is renamed to `<name>.damaged`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from rag.building.paying import MakeEmbedder
from rag.building.pipeline import build_held
from rag.config import Config
from rag.errors import Damaged, RagbookError, SpaceRefused
from rag.home.place import Place
from rag.home.spending import Recording, recorded
from rag.home.wanted import find_wanted, restore_wanted
from rag.outcome import Outcome
from rag.progress import UNWATCHED, Watch
from rag.reading.splitting import Piece
from rag.sources.rows import SourceRow
from rag.spaces.canary import CANARY_COSINE
from rag.spaces.saved import draft
from rag.spaces.space import Space
from rag.storage import layout
from rag.storage.failures import translated
from rag.tables.healing import HealingCache
from rag.tables.lance_files import clear_the_way
from rag.text.counting import count
from rag.upkeep.doctor import examine
from rag.upkeep.findings import Finding
from rag.upkeep.garbage import collect
from rag.upkeep.repair_costs import REBUILT, SAMPLE, WRONG_TABLE, intact_snapshots, needs, vectors_in_index
from rag.upkeep.salvage import read_again, refill

if TYPE_CHECKING:
    import numpy.typing as npt

    from rag.models.embedder import Embedder


@dataclass(frozen=True)
class Repaired:
    """What was done, in sentences; the outcome of the build, where one was needed; what is still damaged."""

    done: tuple[str, ...]
    outcome: Outcome | None
    left: tuple[Finding, ...]


def repair(place: Place, config: Config, make_embedder: MakeEmbedder, watch: Watch = UNWATCHED) -> Repaired:
    """Examine deeply and repair what is found; then remove what nothing needs. What was repaired stays repaired,
    whatever stops it.

    Raises:
        SpaceRefused: the live model is not the one of the index, so a lost canary cannot be made anew.
        And as `pipeline.build`.
    """
    place.must_exist()
    with place.held(watch):
        work = _Repair(place, config, make_embedder, watch)
        work.run()
    # What a snapshot needs whose record was moved aside, and originals whose names were lost, are known to nobody now:
    # they stay, so that what was lost can be had back by hand or by adding it again.
    unsure = work.unsure or any(finding.code == "manifest-damaged" for finding in work.found.findings)
    removed = None if unsure else collect(place, wait_seconds=watch.wait_seconds)
    if removed is not None and removed.files:
        work.done.append(f"Removed {count(len(removed.files), 'file')} that nothing needs ({removed.size:,} bytes).")
    left = examine(place, config)
    return Repaired(tuple(work.done), work.outcome, tuple(one for one in left.findings if one.severity != "note"))


@dataclass
class _Repair:
    place: Place
    config: Config
    make_embedder: MakeEmbedder
    watch: Watch
    done: list[str] = field(default_factory=list)
    outcome: Outcome | None = None
    unsure: bool = False

    def run(self) -> None:
        """All repairs, each resting on those before it."""
        self.found = examine(
            self.place, self.config, deep=True, on_event=self.watch.on_event, cancelled=self.watch.cancelled
        )
        if any(finding.code == "newer-format" for finding in self.found.findings):
            raise RagbookError("A newer Ragbook wrote here, so nothing is repaired. Use that one.")
        # First, so that nothing below trusts them: from here on the cheap checks see what the deep one saw.
        self._set_aside("file-size", "file-altered", "file-missing", "cell-damaged")
        self._set_aside("original-missing", "original-damaged")
        self.done += self.place.tags.repair()
        self._set_aside(*WRONG_TABLE)
        self._free_tables()
        self.intact = intact_snapshots(self.place)
        self.head = self.intact[0] if self.intact else None
        self._restore_wanted()
        self._renew_space()
        self._refill_cache()
        if needs(self.found, *REBUILT):
            self.outcome = build_held(self.place, self.config, self.make_embedder, self.watch)
            self.done.append(self.outcome.verdict.sentence)
        # Last: until a newer snapshot was published, its number must stay taken.
        self._set_aside("manifest-damaged")

    def _findings(self, *codes: str) -> Iterator[Finding]:
        return (finding for finding in self.found.findings if finding.code in codes)

    def _set_aside(self, *codes: str) -> None:
        for finding in self._findings(*codes):
            for name in finding.files:
                aside = self.place.files.set_aside(name)
                if aside is not None:
                    self.done.append(f"{name} was moved aside, to {aside}.")

    def _free_tables(self) -> None:
        for finding in self._findings("table-unreadable"):
            pinned = self.place.snapshots.get(finding.snapshot or 0).tables["chunks"]
            with translated(pinned.path):
                if clear_the_way(self.place.table_folder(pinned.path), pinned.version, Damaged(finding.sentence)):
                    self.done.append(f"A version of {pinned.path} that no snapshot needs was moved aside.")

    def _restore_wanted(self) -> None:
        state = self.place.states.newest()
        wanted = find_wanted(self.place, state, self.head)
        if wanted is None:
            return
        restore_wanted(self.place, state, wanted)
        names = ", ".join(row.name for row in wanted.rows[:5]) + (", …" if len(wanted.rows) > 5 else "")
        self.done.append(f"The list of sources was restored: {names or 'none'}. {wanted.lost}".rstrip())
        self.unsure |= bool(wanted.lost)

    def _read(self) -> list[tuple[SourceRow, list[Piece]]]:
        rows = self.place.registry.rows(self.place.states.newest().registry)
        return list(read_again(self.place, self.config, rows, cancelled=self.watch.cancelled))

    def _renew_space(self) -> None:
        for finding in self._findings("space-damaged"):
            if self.head is None:
                continue
            space = Space(**self.head.recipe["embedder"])
            if {**asdict(space), **draft(self.config)} != asdict(space):
                self.done.append(f"{finding.files[0]} was left: the settings name another model than {space}.")
                continue
            embedder = self.make_embedder(self.config)
            if not space.revision:
                saved = vectors_in_index(self.place, self.config, [self.head], self._read(), space.fingerprint)
                if not saved:
                    self.done.append(
                        f"{finding.files[0]} was left: no text with its vector is there to check the model."
                    )
                    continue
                self._compare(space, embedder, {text: saved[text] for text in sorted(saved)[:SAMPLE]})
            self.place.files.set_aside(finding.files[0])
            with self._recorded(embedder, space):
                self.place.admission.renew(space, embedder, self.config.embed_base_url or "")
            self.done.append(f"{finding.files[0]} was written anew: the model is the one of the index.")

    def _compare(self, space: Space, embedder: Embedder, saved: dict[str, npt.NDArray[np.float32]]) -> None:
        texts = list(saved)
        with self._recorded(embedder, space):
            answers = list(embedder.embed(texts, "text", cancelled=self.watch.cancelled))
        for indexes, matrix in answers:
            known = np.stack([saved[texts[index]] for index in indexes])
            least = float((matrix * known).sum(axis=1).min()) if matrix.shape == known.shape else 0.0
            if least < CANARY_COSINE:
                raise SpaceRefused(
                    f"The index is from {space}, and the model that answers to this name now is another one: vectors "
                    f"of the same texts agree to {least:.4f} only. Set the model back, or build a new index for the "
                    "new one. Nothing was mixed."
                )

    def _recorded(self, embedder: Embedder, space: Space) -> AbstractContextManager[Recording]:
        number = self.head.snapshot if self.head else None
        model = self.config.embed_model
        return recorded(self.place, embedder, model, "canary", snapshot=number, space=space.fingerprint)

    def _refill_cache(self) -> None:
        for finding in self._findings("cache-damaged"):
            folder = self.place.files.at(finding.files[0]).parent
            owners = [one for one in self.intact if layout.space(one.space_fp) == f"{layout.SPACES}/{folder.name}"]
            if not owners:
                self.done.append(f"{finding.files[0]} was left: no intact snapshot is of its space.")
                continue
            space = Space(**owners[0].recipe["embedder"])
            cache = HealingCache(folder, space.dimensions)
            vectors = vectors_in_index(self.place, self.config, owners, self._read(), space.fingerprint)
            filled = refill(cache, space.fingerprint, vectors)
            if cache.repaired:
                self.done.append(cache.repaired)
            self.done.append(f"{finding.files[0]}: {count(filled, 'vector')} taken from the index, at no cost.")
