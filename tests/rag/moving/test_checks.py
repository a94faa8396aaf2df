"""What was unpacked is one whole snapshot: each fact is held against another that was made apart from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from rag.errors import Damaged, RagbookError, SpaceRefused
from rag.home.pinning import pin
from rag.home.place import Place
from rag.manifest import Manifest
from rag.moving.checks import checked_snapshot
from rag.moving.contents import original_name
from rag.moving.unpacking import open_archive
from rag.sources.rows import SourceRow, registry_fingerprint
from rag.storage import layout
from rag.storage.objects import LocalObjects
from rag.tables.chunk_table import ChunkTable
from tests.doubles import CountingEmbedding
from tests.notebooks import file, notebook


@dataclass
class Staged:
    """An archive unpacked, as an import does before it checks."""

    names: list[str]
    staged: Place
    place: Place

    def check(self) -> tuple[Manifest, list[SourceRow]]:
        return checked_snapshot(self.names, self.staged, self.place, 1)

    @property
    def manifest(self) -> Manifest:
        return self.staged.snapshots.get(1)

    def claim(self, **fields: Any) -> None:
        """The manifest says something else; its own checksum fits."""
        path = next(self.staged.folder.glob("manifests/*.json"))
        path.write_bytes(replace(self.manifest, **fields).to_json())

    def pin_again(self, table: str, path: Path, version: int, rows: int) -> None:
        pinned = pin(self.staged, path, version, rows, None)
        self.claim(tables=self.manifest.tables | {table: pinned})

    def sources(self, change: Callable[[list[SourceRow]], list[SourceRow]]) -> None:
        """Other sources, in a table that is pinned as it should be."""
        registry = self.staged.registry
        rows = change(registry.rows(self.manifest.tables["sources"].version))
        version = registry.write(rows, self.manifest.tables["sources"].version)
        self.pin_again("sources", registry.path, version, len(rows))
        self.claim(sources_fp=registry_fingerprint(rows))

    def refused(self, kind: type[RagbookError] = Damaged) -> str:
        with pytest.raises(kind) as told:
            self.check()
        assert str(told.value).endswith(".")
        return str(told.value)


@pytest.fixture
def unpacked(good: Path, tmp_path: Path) -> Staged:
    staging = LocalObjects(tmp_path / "staging")
    with open_archive(good) as archive:
        for name in archive.names():
            within = name.startswith("notebook/")
            inside = layout.in_notebook("main", name.removeprefix("notebook/")) if within else name
            target = staging.root / inside
            target.parent.mkdir(parents=True, exist_ok=True)
            archive.unpack(name, target)
        return Staged(archive.names(), Place(staging, "main"), Place(LocalObjects(tmp_path / "home"), "main"))


def test_a_whole_snapshot_passes_and_nothing_is_written(unpacked: Staged, tmp_path: Path) -> None:
    manifest, rows = unpacked.check()
    assert manifest == unpacked.manifest
    assert [row.name for row in rows] == ["a.txt", "b.txt"]
    assert not (tmp_path / "home").exists()


def test_a_member_that_nothing_needs_is_refused(unpacked: Staged) -> None:
    extra = original_name("ab" * 32)
    unpacked.names.append(extra)
    assert f"nothing in it needs {extra}" in unpacked.refused()


@pytest.mark.parametrize("pattern", ["*/main/manifests/*", "*/main/sources.lance/_versions/*", "spaces/*/space.json"])
def test_what_is_missing_makes_it_less_than_whole(unpacked: Staged, pattern: str) -> None:
    (found,) = unpacked.staged.objects.root.glob(pattern)
    found.unlink()
    assert "archive" in unpacked.refused()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"recipe_fp": "0" * 64}, "its recipe has another fingerprint"),
        ({"space_fp": "0" * 16}, "its recipe names another space"),
        ({"tables": {}}, "it pins other tables"),
        ({"state": 1}, "it names a state"),
        ({"registry": 1}, "it names a state"),
        ({"sources_fp": "0" * 64}, "its sources are not those of the manifest"),
    ],
)
def test_a_manifest_that_contradicts_the_rest(unpacked: Staged, fields: dict[str, Any], said: str) -> None:
    unpacked.claim(**fields)
    assert said in unpacked.refused()


@pytest.mark.parametrize("path", ["chunks.lance", "index/0123456789abcdef/chunks.lance", "other/a/chunks.lance"])
def test_chunks_lie_where_their_recipe_says(unpacked: Staged, path: str) -> None:
    tables = unpacked.manifest.tables
    unpacked.claim(tables=tables | {"chunks": replace(tables["chunks"], path=path)})
    assert "its chunks lie elsewhere" in unpacked.refused()


def test_bytes_of_a_table_are_those_of_the_manifest(unpacked: Staged) -> None:
    pinned = unpacked.manifest.tables["chunks"]
    one = next(file for file in pinned.files if file.path.startswith("data/"))
    path = unpacked.staged.folder / pinned.path / one.path
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert f"{one.path} is not what the manifest says (SHA-256)" in unpacked.refused()
    path.write_bytes(content[:-1])
    assert f"{one.path} is missing or has another size" in unpacked.refused()


def test_a_table_needs_the_files_that_are_pinned_and_no_others(unpacked: Staged) -> None:
    tables = unpacked.manifest.tables
    fewer = replace(tables["chunks"], files=tables["chunks"].files[1:])
    unpacked.claim(tables=tables | {"chunks": fewer})
    assert "needs other files than the manifest says" in unpacked.refused()


@pytest.mark.parametrize(
    "fields",
    [
        {"source_id": "../up"},
        {"digest": "x"},
        {"built_digest": "x" * 64},
        {"name": "../../evil.txt"},
        {"name": "a\nb.txt"},
        {"state": "nonsense"},
        {"changed": "nonsense"},
        {"origin": "/home/somebody/a.txt"},
    ],
    ids=str,
)
def test_a_source_that_ragbook_never_wrote(unpacked: Staged, fields: dict[str, Any]) -> None:
    unpacked.sources(lambda rows: [replace(rows[0], **fields), *rows[1:]])
    assert "is not as Ragbook writes them" in unpacked.refused()


def test_no_two_sources_share_a_name_or_an_id(unpacked: Staged) -> None:
    unpacked.sources(lambda rows: [rows[0], replace(rows[1], name=rows[0].name)])
    assert "two sources have one id or one name" in unpacked.refused()


def test_every_source_has_its_original_in_full_length(unpacked: Staged) -> None:
    row = unpacked.check()[1][0]
    original = unpacked.staged.originals.path(row.digest)
    content = original.read_bytes()
    original.write_bytes(content + b"more")
    assert "the original of 'a.txt' is missing or of another size" in unpacked.refused()
    original.unlink()
    assert "the original of 'a.txt' is missing or of another size" in unpacked.refused()


def test_chunks_are_as_many_as_all_say_and_of_these_sources_alone(unpacked: Staged) -> None:
    pinned = unpacked.manifest.tables["chunks"]
    path = unpacked.staged.folder / pinned.path
    table = ChunkTable.open(path.parent, path.stem)
    (row,) = table.reader().rows_at([0], with_vectors=True)
    table.upsert([replace(row, id="another", source_id="f" * 32)])
    unpacked.pin_again("chunks", path, table.version, table.count)
    assert "which is not the number" in unpacked.refused()
    table.delete([row.id])
    unpacked.pin_again("chunks", path, table.version, table.count)
    assert "chunks of a source that is not in it" in unpacked.refused()


def test_chunks_are_of_the_space_of_the_recipe(unpacked: Staged) -> None:
    pinned = unpacked.manifest.tables["chunks"]
    path = unpacked.staged.folder / pinned.path
    rows = ChunkTable.open(path.parent, path.stem, pinned.version).reader().rows_at(range(pinned.rows), True)
    other = ChunkTable.create(path.parent.parent / path.parent.name, "chunks-2", 16, "another space")
    other.upsert(rows)
    for old in sorted(path.rglob("*"), reverse=True):
        old.rmdir() if old.is_dir() else old.unlink()
    path.rmdir()
    other.path.rename(path)
    moved = ChunkTable.open(path.parent, path.stem)
    unpacked.pin_again("chunks", path, moved.version, moved.count)
    assert "belongs to another embedding space" in unpacked.refused()


def test_cells_that_are_listed_can_be_read(unpacked: Staged) -> None:
    (cell,) = unpacked.staged.folder.glob("cells/*.json")
    cell.write_bytes(b"{}")
    assert "a question with its answer cannot be read" in unpacked.refused()


def test_a_home_that_knows_the_space_by_another_model_refuses_it(unpacked: Staged, tmp_path: Path) -> None:
    for seed, agrees in ((0, True), (5, False)):
        home = tmp_path / f"home-{seed}"
        notebook(home, CountingEmbedding(dimensions=16, seed=seed), slug="old").add([file("x.txt", "Some words.")])
        unpacked.place = notebook(home).place
        if agrees:
            assert unpacked.check()
        else:
            assert "Import into another workspace" in unpacked.refused(SpaceRefused)
