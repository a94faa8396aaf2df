"""Whether what was unpacked is one whole snapshot, before any of it is put in place.

Each fact is checked against another that was made apart from it: the manifest against the bytes of its tables, the
tables' own lists of files against the manifest, the sources against their originals, the chunks against the sources,
the space against the one this home knows.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence

from rag.errors import Damaged, NotFound, SpaceRefused
from rag.home.cells import Cells
from rag.home.place import Place
from rag.manifest import Manifest
from rag.moving.contents import TAGS, manifest_name, original_name, table_members
from rag.moving.paid import read_paid
from rag.sources.names import safe_name
from rag.sources.rows import SourceRow, registry_fingerprint
from rag.spaces.canary import CANARY_COSINE
from rag.spaces.recipe import recipe_fingerprint
from rag.spaces.space import Space
from rag.tables.lance_files import files_of

_ID, _DIGEST = re.compile("[0-9a-f]{32}"), re.compile("[0-9a-f]{64}")
_STATES = ("indexed", "failed", "waiting")
_CHANGED = ("new", "changed", "reused", "renamed", "failed", "waiting")


def checked_snapshot(
    names: Sequence[str], staged: Place, place: Place, snapshot: int
) -> tuple[Manifest, list[SourceRow]]:
    """The manifest and the sources of an unpacked archive with members `names`, after every check.

    Raises:
        Damaged: a part is missing, too much, or does not fit the others; names it.
        NewerFormat: a newer Ragbook wrote it. SpaceRefused: `place` knows this space by other canary vectors.
    """
    with _damaged_unless_whole():
        manifest = staged.snapshots.get(snapshot)
        _check_manifest(manifest)
        _check_tables(staged, manifest)
        rows = staged.registry.rows(manifest.tables["sources"].version)
        _check_rows(staged, manifest, rows)
        space = _check_space(staged, place, manifest)
        _check_chunks(staged, manifest, rows, space)
        _check_cells(staged, names)
        if staged.tags.damaged() or staged.tags.newest().of.keys() - {row.source_id for row in rows}:
            raise Damaged("The archive fails its check: its tags cannot be read, or are of a source not in it.")
        folder = staged.spaces.folder(manifest.space_fp)
        if f"{folder}/vectors.bin" in names:
            for _ in read_paid(staged.files.at(f"{folder}/vectors.bin"), space.dimensions):
                pass
    expected = {
        manifest_name(snapshot),
        f"{folder}/space.json",
        f"{folder}/vectors.bin",
        TAGS,
        *table_members(manifest),
    }
    expected |= {original_name(row.digest) for row in rows}
    extra = next((name for name in names if name not in expected and not name.startswith("notebook/cells/")), None)
    if extra:
        raise Damaged(f"The archive is refused: nothing in it needs {extra}.")
    return manifest, rows


@contextlib.contextmanager
def _damaged_unless_whole() -> Iterator[None]:
    try:
        yield
    except NotFound as error:
        raise Damaged(f"The archive is not whole. {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        # A field of the wrong kind, in a file whose checksum holds: it was made that way.
        raise Damaged(f"The archive fails its check: {error!r:.200} while reading it.") from error


def _check_manifest(manifest: Manifest) -> None:
    if recipe_fingerprint(manifest.recipe) != manifest.recipe_fp:
        raise Damaged("The manifest of the archive fails its check: its recipe has another fingerprint.")
    if set(manifest.tables) != {"chunks", "sources"} or manifest.tables["sources"].path != "sources.lance":
        raise Damaged("The manifest of the archive fails its check: it pins other tables than it should.")
    if Space(**manifest.recipe["embedder"]).fingerprint != manifest.space_fp:
        raise Damaged("The manifest of the archive fails its check: its recipe names another space.")
    if manifest.state is not None or manifest.registry is not None:
        raise Damaged("The manifest of the archive fails its check: it names a state, and an archive has none.")
    folder = manifest.tables["chunks"].path.split("/")
    if len(folder) != 3 or folder[0] != "index" or folder[1][:16] != manifest.recipe_fp[:16]:
        raise Damaged("The manifest of the archive fails its check: its chunks lie elsewhere.")


def _check_tables(staged: Place, manifest: Manifest) -> None:
    """The bytes are those of the list of contents already; see that this list and the manifest say the same."""
    import hashlib

    for name, (size, sha256) in table_members(manifest).items():
        path = staged.table_folder(name.removeprefix("notebook/"))
        if not path.is_file() or path.stat().st_size != size:
            raise Damaged(f"The archive is damaged: {name} is missing or has another size than the manifest says.")
        with path.open("rb") as content:
            if hashlib.file_digest(content, "sha256").hexdigest() != sha256:
                raise Damaged(f"The archive is damaged: {name} is not what the manifest says (SHA-256).")
    for table in manifest.tables.values():
        needed = [(file.path, file.size) for file in files_of(staged.table_folder(table.path), table.version)]
        if needed != sorted((file.path, file.size) for file in table.files):
            raise Damaged(f"The archive is damaged: {table.path} needs other files than the manifest says.")


def _check_rows(staged: Place, manifest: Manifest, rows: Sequence[SourceRow]) -> None:
    for row in rows:
        fits = (
            _ID.fullmatch(row.source_id)
            and _DIGEST.fullmatch(row.digest)
            and (not row.built_digest or _DIGEST.fullmatch(row.built_digest))
            and safe_name(row.name) == row.name
            and row.state in _STATES
            and row.changed in _CHANGED
            and not row.origin
            and all(isinstance(one, int) for one in (row.size, row.position, row.chunks, row.snapshot))
        )
        if not fits:
            raise Damaged(f"The archive fails its check: the source {row.name[:80]!r} is not as Ragbook writes them.")
        path = staged.originals.path(row.digest)
        # Its bytes were hashed while unpacking, and that digest is its name.
        if not path.is_file() or path.stat().st_size != row.size:
            raise Damaged(f"The archive is not whole: the original of {row.name[:80]!r} is missing or of another size.")
    ids = {row.source_id for row in rows}
    if len(ids) != len(rows) or len({row.name for row in rows}) != len(rows):
        raise Damaged("The archive fails its check: two sources have one id or one name.")
    if registry_fingerprint(rows) != manifest.sources_fp or len(rows) != manifest.tables["sources"].rows:
        raise Damaged("The archive fails its check: its sources are not those of the manifest.")


def _check_space(staged: Place, place: Place, manifest: Manifest) -> Space:
    import numpy as np

    saved = staged.spaces.get(manifest.space_fp)
    for vectors in (saved.text_vectors, saved.query_vectors):
        if not np.abs(np.linalg.norm(vectors.astype(np.float64), axis=1) - 1).max() <= 1e-3:
            raise Damaged("The canary of the archive's space is not finite or not of length 1.")
    try:
        ours = place.spaces.get(manifest.space_fp)
    except NotFound:
        return saved.space
    least = min(
        float((mine * theirs).sum(axis=1).min())
        for mine, theirs in (
            (ours.text_vectors, saved.text_vectors),
            (ours.query_vectors, saved.query_vectors),
        )
    )
    if least < CANARY_COSINE:
        raise SpaceRefused(
            f"The archive's vectors are from {saved.space}, and this home knows that name as another model: their test "
            f"vectors agree to {least:.4f} only, and {CANARY_COSINE} is needed. Import into another workspace."
        )
    return saved.space


def _check_chunks(staged: Place, manifest: Manifest, rows: Sequence[SourceRow], space: Space) -> None:
    pinned = manifest.tables["chunks"]
    table = staged.chunks(manifest)
    if table.space != manifest.space_fp or table.dimensions != space.dimensions:
        raise Damaged(f"The archive fails its check: {pinned.path} belongs to another embedding space.")
    if not table.count == pinned.rows == manifest.counts.chunks == sum(row.chunks for row in rows):
        raise Damaged(f"The archive fails its check: {pinned.path} has {table.count:,} rows, which is not the number.")
    strangers = set(table.reader().source_ids()) - {row.source_id for row in rows}
    if strangers:
        raise Damaged(f"The archive fails its check: {pinned.path} has chunks of a source that is not in it.")


def _check_cells(staged: Place, names: Sequence[str]) -> None:
    listed = {name.rsplit("/", 1)[1].removesuffix(".json") for name in names if name.startswith("notebook/cells/")}
    if {cell.id for cell in Cells(staged.objects, staged.slug).all()} != listed:
        raise Damaged("The archive fails its check: a question with its answer cannot be read.")
