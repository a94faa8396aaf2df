"""Which cached vectors belong to which sources: what a purge must drop, and what it may leave.

A key of the vector cache is a digest, so nothing in the cache tells whose text it is of. It is told from outside: from
the rows of every pinned table, by key and by vector, and, where that leaves some open, from the originals, read and
split with every recipe known. What is then still open belonged to snapshots that were forgotten, or to files that are
gone: nobody can show that it is not of the purged sources, so it is dropped with them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from rag.config import Config
from rag.errors import Damaged, ReadError
from rag.fingerprint import vector_key
from rag.home.place import Place
from rag.manifest import Manifest
from rag.models.tokens import tokenizer_named, tokenizers_of
from rag.reading.isolation import Readers
from rag.reading.splitting import split
from rag.sources.rows import SourceRow
from rag.storage import layout
from rag.tables.reader import TableReader
from rag.tables.vectors import VectorCache

_BETWEEN = " › "
_PREFIX_CHARS = 120
"""As in `splitting`: how much of the headings above a chunk is sent along."""


@dataclass(frozen=True)
class Cut:
    """A way of splitting: most tokens of a chunk, most tokens repeated, and whose tokens."""

    size: int
    overlap: int
    tokenizer: str


@dataclass
class Shelf:
    """The cache of one space, and what was found out about it. `vectors` has a short digest of the vector of each key;
    `gone` and `kept` are what purged and other sources are known to have, kept ones by notebook."""

    folder: Path
    space_fp: str
    dimensions: int
    tokenizers: tuple[str, ...]
    vectors: dict[bytes, bytes]
    cuts: set[Cut] = field(default_factory=set)
    gone_keys: set[bytes] = field(default_factory=set)
    gone_vectors: set[bytes] = field(default_factory=set)
    kept_keys: dict[str, set[bytes]] = field(default_factory=dict)
    kept_vectors: dict[str, set[bytes]] = field(default_factory=dict)

    def note(self, notebook: str | None, key: bytes | None, vector: bytes | None) -> None:
        """A text with its key, its vector or both: of `notebook`, or to be purged where that is None."""
        if key is not None and key in self.vectors:
            (self.gone_keys if notebook is None else self.kept_keys.setdefault(notebook, set())).add(key)
        if vector is not None:
            (self.gone_vectors if notebook is None else self.kept_vectors.setdefault(notebook, set())).add(vector)

    def dropped(self) -> set[bytes]:
        """Keys of purged texts, and those that nothing accounts for."""
        kept_keys: set[bytes] = set().union(*self.kept_keys.values())
        kept_vectors: set[bytes] = set().union(*self.kept_vectors.values())
        return {
            key
            for key, vector in self.vectors.items()
            if key not in kept_keys and (key in self.gone_keys or vector not in kept_vectors)
        }

    def open(self) -> set[bytes]:
        """Keys that would be dropped without anybody knowing whose they are."""
        return {
            key for key in self.dropped() if key not in self.gone_keys and self.vectors[key] not in self.gone_vectors
        }

    def sharing(self) -> set[str]:
        """Notebooks in which other sources have some of the purged texts."""
        keys = {one for one, found in self.kept_keys.items() if found & self.gone_keys}
        return keys | {one for one, found in self.kept_vectors.items() if found & self.gone_vectors}


def sort_out(
    place: Place,
    notebooks: Sequence[Place],
    rows: Callable[[Place], Iterable[SourceRow]],
    purged: Callable[[str, str], bool],
    config: Config,
) -> list[Shelf]:
    """Every cache of the workspace, with what belongs to whom. Changes nothing.

    `notebooks` are all of the workspace, `place` among them; `rows` gives every version of every source of one.
    `purged` says of a source id and a digest of `place` whether that content is to go.

    Raises:
        Damaged: a manifest or a table cannot be read, or a cache is of a space that nobody knows.
    """
    manifests = {one.slug: list(_manifests(one)) for one in notebooks}
    shelves = list(_shelves(place, [manifest for found in manifests.values() for manifest in found]))
    cuts = _saved_cuts(notebooks, config)
    for shelf in shelves:
        known = [one.recipe for found in manifests.values() for one in found if one.space_fp == shelf.space_fp]
        recipes = [*known, *place.spaces.recipes(shelf.space_fp)]
        sizes = cuts | set(_sizes(recipes))
        shelf.cuts = {Cut(size, overlap, name) for size, overlap in sizes for name in shelf.tokenizers}
    for one in notebooks:
        seen: set[tuple[str, int]] = set()
        for manifest in manifests[one.slug]:
            pinned = manifest.tables["chunks"]
            shelf_of = next((shelf for shelf in shelves if shelf.space_fp == manifest.space_fp), None)
            if shelf_of is None or (pinned.path, pinned.version) in seen:
                continue
            seen.add((pinned.path, pinned.version))
            reader = one.chunks(manifest).reader()
            built = one.registry.rows(manifest.tables["sources"].version) if one is place else []
            gone = {row.source_id for row in built if purged(row.source_id, row.built_digest)}
            _note_table(shelf_of, reader, one.slug, gone)
    if any(shelf.open() for shelf in shelves):
        _note_originals(shelves, list(_readable(notebooks, rows, place, purged)))
    return shelves


def _manifests(place: Place) -> Iterator[Manifest]:
    for found in place.snapshots.newest():
        if isinstance(found, Damaged):
            raise Damaged(f"{found} Nobody can say whether it holds what is to be purged: run doctor --repair first.")
        yield found


def _shelves(place: Place, manifests: Sequence[Manifest]) -> Iterator[Shelf]:
    known = {
        space.fingerprint: (space.dimensions, tokenizers_of(space.provider, space.model))
        for space in place.spaces.all()
    }
    for manifest in manifests:
        embedder = manifest.recipe["embedder"]
        tokenizers = tokenizers_of(str(embedder["provider"]), str(embedder["model"]))
        known.setdefault(manifest.space_fp, (int(embedder["dimensions"]), tokenizers))
    for name in place.objects.folders(layout.SPACES):
        if not place.files.exists(f"{layout.SPACES}/{name}/{layout.VECTORS_TABLE}"):
            continue
        folder = place.files.at(f"{layout.SPACES}/{name}")
        space_fp = next((one for one in known if one.startswith(name)), None)
        if space_fp is None:
            raise Damaged(
                f"{layout.SPACES}/{name}/space.json cannot be read and no snapshot tells of it, so nobody can say "
                "whose vectors lie there. Run doctor --repair, or move the folder out of the home."
            )
        dimensions, tokenizers = known[space_fp]
        try:
            vectors = _vectors(folder, dimensions)
        except Damaged as error:
            raise Damaged(f"{error} Nobody can say whose vectors lie there: run doctor --repair first.") from error
        yield Shelf(folder, space_fp, dimensions, tokenizers, vectors)


def _vectors(folder: Path, dimensions: int) -> dict[bytes, bytes]:
    """Every key of a cache with a short digest of its vector; also of rows that fail their check, which are of
    somebody, too. A torn newest version is set aside."""
    cached = VectorCache(folder, dimensions).scan_checked()
    return {
        key: _short(vector.tobytes()) for keys, matrix, _ in cached for key, vector in zip(keys, matrix, strict=True)
    }


def _saved_cuts(notebooks: Sequence[Place], config: Config) -> set[tuple[int, int]]:
    """Sizes that the settings name, now or in a notebook: an unfinished build has no manifest to tell of them."""
    found = {(config.chunk_size, config.chunk_overlap), (Config.chunk_size, Config.chunk_overlap)}
    for one in notebooks:
        saved = one.states.newest().settings
        size = _whole(saved.get("RAGBOOK_CHUNK_SIZE"), config.chunk_size)
        found.add((size, _whole(saved.get("RAGBOOK_CHUNK_OVERLAP"), min(config.chunk_overlap, size // 4))))
    return found


def _whole(text: str | None, otherwise: int) -> int:
    """A number as it was saved; a build would refuse anything else."""
    return int(text) if text is not None and text.isdecimal() and len(text) < 10 else otherwise


def _sizes(recipes: Iterable[Mapping[str, Any]]) -> Iterator[tuple[int, int]]:
    for recipe in recipes:
        splitter = recipe.get("splitter")
        if isinstance(splitter, dict) and "size" in splitter:  # an adopted index was split by somebody else
            yield int(splitter["size"]), int(splitter["overlap"])


def _note_table(shelf: Shelf, reader: TableReader, notebook: str, gone: set[str]) -> None:
    rows = reader.scan(["source_id", "text", "heading"])
    matrix = reader.exact().matrix
    columns = (rows[name].to_pylist() for name in ("source_id", "text", "heading"))
    for number, (source_id, text, heading) in enumerate(zip(*columns, strict=True)):
        owner = None if source_id in gone else notebook
        shelf.note(owner, None, _short(matrix[number].tobytes()))
        for sent in _sent(text, heading or ""):
            shelf.note(owner, vector_key(shelf.space_fp, "text", sent), None)


def _sent(text: str, heading: str) -> Iterator[str]:
    """What may have been sent to the model for a chunk: its headings may begin inside it, and only those above it are
    sent along."""
    yield text
    titles = heading.split(_BETWEEN) if heading else []
    for count in range(1, len(titles) + 1):
        yield f"{_BETWEEN.join(titles[:count])[-_PREFIX_CHARS:]}\n{text}"


def _readable(
    notebooks: Sequence[Place],
    rows: Callable[[Place], Iterable[SourceRow]],
    place: Place,
    purged: Callable[[str, str], bool],
) -> Iterator[tuple[str | None, str, Path]]:
    """Each content of each source once per notebook: the notebook, or None to be purged; name; path of its original."""
    seen: set[tuple[str | None, str, str]] = set()
    for one in notebooks:
        for row in rows(one):
            for digest in sorted({row.digest, row.built_digest} - {""}):
                owner = None if one is place and purged(row.source_id, digest) else one.slug
                kind = PurePosixPath(row.name.lower()).suffix
                if (owner, kind, digest) not in seen and place.originals.has(digest):
                    seen.add((owner, kind, digest))
                    yield owner, row.name, place.originals.path(digest)


def _note_originals(shelves: Sequence[Shelf], sources: Sequence[tuple[str | None, str, Path]]) -> None:
    """Read and split until nothing is open; the purged sources first, because their texts must be found."""
    with Readers() as readers:
        for owner, name, path in sorted(sources, key=lambda one: one[0] is not None):
            if owner is not None and not any(shelf.open() for shelf in shelves):
                return
            try:
                reading = readers.read(name, path)
            except ReadError:
                continue  # what cannot be read has no texts
            for cut in {cut for shelf in shelves for cut in shelf.cuts}:
                offsets = tokenizer_named(cut.tokenizer).count_offsets
                pieces = split(reading, size=cut.size, overlap=cut.overlap, offsets=offsets)
                for shelf in shelves:
                    if cut in shelf.cuts:
                        for piece in pieces:
                            shelf.note(owner, vector_key(shelf.space_fp, "text", piece.embed_text), None)


def _short(vector: bytes) -> bytes:
    """Stands for a vector's bytes, so that a set of all of them stays small."""
    return hashlib.blake2b(vector, digest_size=16).digest()
