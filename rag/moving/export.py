"""A notebook into one file: its newest intact snapshot with all that opening it elsewhere needs.

Only that snapshot, because older ones hold what was changed or removed since. The table of sources is written anew
without the paths the files came from, and the manifest without the name of this machine. Settings that name models or
servers stay behind; keys are in no file to begin with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rag.changes import Code, change
from rag.errors import Damaged, NotFound
from rag.home.pinned import PinnedFiles
from rag.home.pinning import pin
from rag.home.place import Place
from rag.manifest import Manifest, PinnedTable, Receipt
from rag.moving.contents import TAGS, manifest_name, original_name
from rag.moving.packing import Packing
from rag.moving.paid import write_paid
from rag.sources.rows import SourceRow
from rag.sources.tag_store import Tagged
from rag.storage import layout
from rag.storage.objects import LocalObjects
from rag.tables.chunk_table import ChunkTable
from rag.tables.lance_files import shape_of
from rag.text.counting import count

if TYPE_CHECKING:
    from rag.home.cells import Cell
    from rag.notebook import Notebook

WRITER = "archive"
"""Who wrote the manifest of an archive: no host, no process."""

_AT_ONCE = 2048


@dataclass(frozen=True)
class Exported:
    """An archive. `bytes` is its size; `sources`, `chunks`, `cells` and `vectors` (rows of the vector cache) count what
    is in it.

    `leftovers` are passages that were changed or removed before and are still in the bytes of the table, though no
    search finds them. `problems` are sentences about newer snapshots that were passed over because of damage, and
    about wishes that no snapshot has fulfilled yet.
    """

    file: Path
    bytes: int
    sources: int
    chunks: int
    cells: int
    vectors: int
    snapshot: int
    leftovers: int = 0
    problems: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """What was written, and what the reader should know before giving it away."""
        said = (
            f"Exported snapshot {self.snapshot} to {self.file.name}: {count(self.sources, 'source')}, "
            f"{count(self.chunks, 'chunk')}, {count(self.cells, 'cell')}; {self.bytes / 1e6:,.1f} MB. "
            "Older snapshots are not in it."
        )
        if self.leftovers:
            said += (
                f" Its table still holds {count(self.leftovers, 'passage')} changed or removed before; "
                "export with --clean before you give it to others."
            )
        return " ".join([said, *self.problems])


def export_notebook(notebook: Notebook, file: Path, *, clean: bool = False, cells: bool = True) -> Exported:
    """Write the newest intact snapshot of a notebook, its originals, paid vectors and cells to `file`.

    A build may go on meanwhile: what is read never changes. An archive that is there already is replaced at the end.

    Args:
        clean: write the table of chunks anew, without passages that were changed or removed. Passages and cosines stay
            the same; full-text scores move a little, because they count the words of all passages ever indexed.
        cells: take the questions and answers along; they quote the sources.

    Raises:
        NotFound: nothing is built yet, or the folder of `file` is missing.
        AlreadyExists: `file` is there and is no archive.
        Damaged: no snapshot is intact, or an original is missing; names it.
        StoreError: the file cannot be written.
    """
    place = notebook.place
    problems: list[str] = []
    pinned = PinnedFiles(place, None)
    with Packing(file) as packing:
        for found in place.snapshots.newest():
            problem = str(found) if isinstance(found, Damaged) else pinned.first(found)
            if isinstance(found, Damaged) or problem:
                problems.append(problem or "")
                continue
            try:
                staged = _staged(place, found, packing, clean)
            except Damaged as error:  # of a table: an older snapshot may have another
                problems.append(str(error))
                packing.restart()
                continue
            return _finish(notebook, staged, packing, problems, cells)
    if problems:
        raise Damaged(f"{problems[0]} No intact snapshot is left to export. Build again first.")
    raise NotFound("Nothing is built in this notebook yet, so there is nothing to export. Add files first.")


@dataclass(frozen=True)
class _Staged:
    """A snapshot whose tables are packed. `rows` are its sources, without paths; `old` is the manifest in the home."""

    old: Manifest
    manifest: Manifest
    rows: Sequence[SourceRow]
    vectors: int
    leftovers: int


def _staged(place: Place, old: Manifest, packing: Packing, clean: bool) -> _Staged:
    staging = Place(LocalObjects(packing.folder / f"snapshot-{old.snapshot}"), place.slug)
    rows = [replace(row, origin="") for row in place.registry.rows(old.tables["sources"].version)]
    version = staging.registry.write(rows, None)
    pinned = old.tables["chunks"]
    path = place.table_folder(pinned.path)
    table = place.chunks(old, clearing=True)
    if table.count != pinned.rows:
        raise Damaged(f"{pinned.path} of snapshot {old.snapshot} has {table.count:,} rows instead of {pinned.rows:,}.")
    leftovers = shape_of(path, pinned.version).deleted
    chunks, root = pinned, place
    if clean:
        chunks, root, leftovers = _rewritten(table, staging, staging.index_folder(old.recipe_fp)), staging, 0
    tables = {"chunks": chunks, "sources": pin(staging, staging.registry.path, version, len(rows), None)}
    for one, home in ((chunks, root), (tables["sources"], staging)):
        for file in one.files:
            packing.add_file(
                f"notebook/{one.path}/{file.path}", home.table_folder(f"{one.path}/{file.path}"), file.size, file.sha256
            )
    paid = packing.folder / "vectors.bin"
    space = place.spaces.folder(old.space_fp)
    vectors = write_paid(place.files.at(space), table.exact()[0].matrix, paid) if table.count else 0
    if vectors:
        packing.add_file(f"{space}/vectors.bin", paid)
    manifest = replace(
        old,
        parent=None,
        writer=WRITER,
        tables=tables,
        changes=(change(Code.ARCHIVE, snapshot=old.snapshot, notebook=place.slug),),
        receipt=Receipt(saved_texts=old.counts.chunks),
        state=None,
        registry=None,
    )
    return _Staged(old, manifest, rows, vectors, leftovers)


def _rewritten(table: ChunkTable, staging: Place, folder: str) -> PinnedTable:
    """The rows of a table in a new one, in the same order."""
    fresh = ChunkTable.create(staging.table_folder(folder), table.path.stem, table.dimensions, table.space)
    reader = table.reader()
    for start in range(0, reader.count, _AT_ONCE):
        numbers = range(start, min(reader.count, start + _AT_ONCE))
        fresh.upsert(reader.rows_at(numbers, with_vectors=True))
    fresh.rebuild_text_index()
    if fresh.reader().ids() != reader.ids():
        raise Damaged(f"{table.path.name} cannot be written anew: its rows came back in another order.")
    return pin(staging, fresh.path, fresh.version, fresh.count, None)


def _finish(notebook: Notebook, staged: _Staged, packing: Packing, problems: list[str], with_cells: bool) -> Exported:
    place, manifest = notebook.place, staged.manifest
    for row in {row.digest: row for row in staged.rows}.values():
        packing.add_file(original_name(row.digest), place.originals.path(row.digest), row.size, row.digest)
    space = layout.space_description(manifest.space_fp)
    place.spaces.get(manifest.space_fp)  # refuses a damaged one
    packing.add_bytes(space, place.objects.get(space))
    cells = _add_each(packing, place, notebook.cells()) if with_cells else 0
    _add_tags(packing, notebook, {row.source_id for row in staged.rows}, problems)
    packing.add_bytes(manifest_name(manifest.snapshot), manifest.to_json())
    if place.states.newest().sources_fp != manifest.sources_fp:
        problems.append("The sources were changed after that snapshot; build first if the archive is to have that.")
    size = packing.finish(place.slug, place.states.newest().title, manifest.snapshot, manifest.created)
    return Exported(
        file=packing.file,
        bytes=size,
        sources=manifest.counts.sources,
        chunks=manifest.counts.chunks,
        cells=cells,
        vectors=staged.vectors,
        snapshot=manifest.snapshot,
        leftovers=staged.leftovers,
        problems=tuple(problems),
    )


def _add_tags(packing: Packing, notebook: Notebook, ids: set[str], problems: list[str]) -> None:
    """Tags as they are now, of the sources that are in the archive."""
    try:
        of = {source_id: tags for source_id, tags in notebook.tags().items() if source_id in ids}
    except Damaged as error:
        problems.append(f"The tags are not in it. {error}")
        return
    if of:
        packing.add_bytes(TAGS, Tagged(1, of).to_json())


def _add_each(packing: Packing, place: Place, cells: Sequence[Cell]) -> int:
    for cell in cells:
        content = place.objects.get(layout.cells(place.slug, cell.id))
        packing.add_bytes(f"notebook/cells/{cell.id}.json", content)
    return len(cells)
