"""What a purge would take along: found before anything is changed, and said before it is done.

Where a source lies is told by the manifests, the registries they pin and the one that is wanted; what names it, by
every name it has had; whose text a cached vector is of, by `rag.upkeep.belonging`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from rag.changes import Code
from rag.checked import load_checked
from rag.config import Config
from rag.errors import Damaged, NotFound
from rag.home.cells import Cells
from rag.home.place import Place
from rag.manifest import Manifest
from rag.sources.rows import SourceRow
from rag.storage import layout
from rag.text.counting import count
from rag.upkeep.belonging import Shelf, sort_out


@dataclass(frozen=True)
class PurgePlan:
    """What a purge would take along: `forgotten` snapshots held the sources or name them, `cells` quote them, and
    `shared` names other notebooks that have the same bytes, so that the original and its vectors stay for them.

    `same_text` names notebooks, also this one, where other files have some of the same text: its vectors stay. So many
    cached `vectors` go; nothing accounts for `unknown` of them, so nobody can say that they are not of the sources."""

    names: tuple[str, ...]
    chunks: int
    forgotten: tuple[int, ...]
    cells: tuple[str, ...]
    shared: tuple[str, ...]
    same_text: tuple[str, ...] = ()
    vectors: int = 0
    unknown: int = 0

    @property
    def sentence(self) -> str:
        """What will be gone, for asking before it is."""
        parts = [count(len(self.names), "source"), count(self.chunks, "chunk")]
        sentence = f"This removes {' with '.join(parts)} from every file of the home, for good."
        if self.forgotten:
            sentence += f" {count(len(self.forgotten), 'older snapshot')} held or named them and will be forgotten."
        if self.cells:
            sentence += f" {count(len(self.cells), 'answer')} that quote or name them will be deleted."
        if self.shared:
            sentence += f" The same files are also in {', '.join(self.shared)}: there they stay."
        if self.same_text:
            sentence += f" Other files in {', '.join(self.same_text)} have some of the same text: its vectors stay."
        if self.unknown:
            sentence += (
                f" {count(self.unknown, 'cached vector')} that no source accounts for any more may be of them, and go "
                "too: adding that text again would be paid for again."
            )
        return sentence


def plan_purge(place: Place, names: Sequence[str], config: Config | None = None) -> PurgePlan:
    """What purging these sources would do. Changes nothing. `config` has the settings of an unfinished build, if any.

    Raises:
        NotFound: a name that no snapshot and no registry of the notebook knows.
        Damaged: a manifest cannot be read, so nobody can say what it holds.
    """
    return planned_purge(place, names, config or Config())[0]


def planned_purge(place: Place, names: Sequence[str], config: Config) -> tuple[PurgePlan, list[Shelf]]:
    """As `plan_purge`, and the vector caches with what is in them of whom."""
    rows = rows_of(place, set(names))
    missing = set(names) - {row.name for row in rows} - unfinished(place)
    if missing:
        raise NotFound(f"There is no source {sorted(missing)[0]!r} in this notebook or its history.")
    ids = {row.source_id for row in rows}
    known = _known_names(place, set(names), rows)
    named = _naming(known, rows)
    forgotten = [
        manifest.snapshot for manifest in _manifests(place) if _holds(place, manifest, ids) or named(manifest.to_json())
    ]
    head = place.snapshots.head()
    chunks = 0 if head is None else _count_chunks(place, head, ids)
    cells = [
        name.rsplit("/", 1)[1].removesuffix(".json")
        for name in place.objects.names(layout.cells(place.slug))
        if named(place.objects.get(name))
    ]
    dangling = _dangling(place, ids)
    shared = shared_by_others(place, rows)
    digests = {digest for found in shared.values() for digest in found}
    shelves = sort_out(
        place,
        [place, *others_of(place)],
        lambda one: (row for version in registries(one) for row in version),
        lambda source_id, digest: source_id in ids and digest not in digests,
        config,
    )
    planned = PurgePlan(
        tuple(sorted(set(names))),
        chunks,
        tuple(forgotten),
        tuple(sorted({*cells, *dangling})),
        tuple(shared),
        tuple(sorted(set().union(*(shelf.sharing() for shelf in shelves)) - set(shared))),
        sum(len(shelf.dropped()) for shelf in shelves),
        sum(len(shelf.open()) for shelf in shelves),
    )
    return planned, shelves


def note_name(place: Place) -> str:
    """The object that tells of a purge under way, below the workspace."""
    return layout.purge_note(place.slug)


def unfinished(place: Place) -> set[str]:
    """Names that a purge was asked for that did not come to its end."""
    try:
        body = load_checked(place.objects.get(note_name(place)), "purge.json")
    except (NotFound, Damaged):
        return set()
    return {str(name) for name in body.get("names", ())}


def rows_of(place: Place, names: set[str]) -> list[SourceRow]:
    """Every row of every pinned or wanted registry that has one of the names or had one of their ids. Where a source
    has a name now, one that had it before and goes by another is not meant."""
    versions = {manifest.tables["sources"].version for manifest in _manifests(place)}
    wanted = place.states.newest().registry
    versions |= {wanted} if wanted is not None else set()
    every = [row for version in sorted(versions) for row in place.registry.rows(version)]
    today = {row.source_id: row.name for row in place.registry.rows(wanted)}
    bearers = set(today.values())
    ids = {
        row.source_id
        for row in every
        if row.name in names and (row.name not in bearers or today.get(row.source_id, row.name) == row.name)
    }
    return [row for row in every if row.source_id in ids]


def shared_by_others(place: Place, rows: Sequence[SourceRow]) -> dict[str, set[str]]:
    """Other notebooks that have some of the same bytes, now or in a snapshot they could go back to, and which."""
    ours = {digest for row in rows for digest in digests_of(row)}
    found = {}
    for other in others_of(place):
        both = ours & {digest for version in registries(other) for row in version for digest in digests_of(row)}
        if both:
            found[other.slug] = both
    return found


def registries(place: Place, but: Collection[int] = ()) -> Iterator[list[SourceRow]]:
    """The rows of every version that is pinned, by other snapshots than `but`, or wanted."""
    wanted = place.states.newest().registry
    pinned = {one.tables["sources"].version for one in _manifests(place) if one.snapshot not in but}
    for version in (pinned | {wanted}) - {None}:
        yield place.registry.rows(version)


def others_of(place: Place) -> Iterator[Place]:
    """The other notebooks of the workspace."""
    for slug in place.objects.folders(layout.NOTEBOOKS):
        if slug != place.slug:
            yield Place(place.objects, slug)


def digests_of(row: SourceRow) -> set[str]:
    """The originals of a source: what is wanted, and what is built where that is another."""
    return {row.digest, row.built_digest} - {""}


def _manifests(place: Place) -> list[Manifest]:
    manifests = []
    for found in place.snapshots.newest():
        if isinstance(found, Damaged):
            raise Damaged(f"{found} Nobody can say whether it holds what is to be purged: run doctor --repair first.")
        manifests.append(found)
    return manifests


def _naming(names: set[str], rows: Sequence[SourceRow]) -> Callable[[bytes], bool]:
    """Whether a JSON object betrays a source, by one of these names or its id. `data.txt` does not name `a.txt`."""
    words = names | {row.source_id for row in rows}
    escaped = (re.escape(json.dumps(word, ensure_ascii=False)[1:-1]) for word in sorted(words))
    pattern = re.compile("|".join(rf"(?<!\w){word}(?!\w)" for word in escaped))
    return lambda content: pattern.search(content.decode("utf-8", "replace")) is not None


def _known_names(place: Place, names: set[str], rows: Sequence[SourceRow]) -> set[str]:
    """These names and those that the sources had before: kept answers tell them by id, rows and manifests in words."""
    ids = {row.source_id for row in rows}
    found = names | {row.name for row in rows}
    found |= {row.made.text("before") for row in rows if row.made.code is Code.RENAMED}
    for cell in Cells(place.objects, place.slug).all():
        found |= {passage.source for passage in cell.answer.passages if passage.source_id in ids}
    state = place.states.newest()
    changes = [change for manifest in _manifests(place) for change in manifest.changes]
    for change in [*reversed(state.pending), *changes]:  # newest first, so that a chain of names is followed
        if change.code is Code.RENAMED and change.text("after") in found:
            found.add(change.text("before"))
    # A name that another source has today is that one's: what it tells of is not ours to take.
    return names | (found - {row.name for row in place.registry.rows(state.registry) if row.source_id not in ids})


def _dangling(place: Place, ids: set[str]) -> set[str]:
    """Kept answers that name, beside a passage, a source that nothing knows any more: after a rename whose snapshots
    are forgotten it may be a purged one."""
    cells = Cells(place.objects, place.slug).all()
    known = {row.name for rows in registries(place) for row in rows if row.source_id not in ids}
    known |= {one.source for cell in cells for one in cell.answer.passages if one.source_id not in ids}
    return {cell.id for cell in cells for one in cell.answer.passages if any(name not in known for name in one.also_in)}


def _holds(place: Place, manifest: Manifest, ids: set[str]) -> bool:
    return any(row.source_id in ids for row in place.registry.rows(manifest.tables["sources"].version))


def _count_chunks(place: Place, manifest: Manifest, ids: set[str]) -> int:
    return sum(1 for source_id in place.chunks(manifest).reader().source_ids() if source_id in ids)
