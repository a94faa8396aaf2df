from __future__ import annotations

from pathlib import Path

import pytest

from rag.config import Config
from rag.errors import ConfigError
from rag.home.place import Place, place_of
from rag.manifest import Counts, Manifest, PinnedFile, PinnedTable, Receipt, VerdictName

CHUNKS = PinnedTable(
    "index/r/chunks.lance", 1, 1, (PinnedFile("data/a.lance", 3, ""), PinnedFile("v/1.manifest", 2, ""))
)
SOURCES = PinnedTable("sources.lance", 1, 1, (PinnedFile("data/b.lance", 0, ""),))
MANIFEST = Manifest(
    7, None, "", "", VerdictName.BUILT, {}, "r", "s", "f", Counts(1, 0, 1), {"chunks": CHUNKS, "sources": SOURCES},
    Receipt(),
)  # fmt: skip


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = place_of(Config(home=str(tmp_path)), "n")
    for table in (CHUNKS, SOURCES):
        for file in table.files:
            path = place.folder / table.path / file.path
            path.parent.mkdir(parents=True)
            path.write_bytes(b"x" * file.size)
    return place


def test_a_place_creates_nothing(tmp_path: Path) -> None:
    place = place_of(Config(home=str(tmp_path / "home"), workspace="w"), "n")
    assert place.folder == tmp_path / "home" / "w" / "notebooks" / "n"
    assert place.snapshots.head() is None
    assert place.states.newest().number == 0
    assert place.spaces.all() == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("slug", ["", "..", "a/b", "A", "a b", "-a", "x" * 65])
def test_a_slug_is_a_plain_folder_name(slug: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="The notebook's name"):
        place_of(Config(home=str(tmp_path)), slug)


def test_workspaces_and_notebooks_lie_apart(tmp_path: Path) -> None:
    folders = {
        place_of(Config(home=str(tmp_path), workspace=workspace), slug).folder
        for workspace in ("a", "b")
        for slug in ("a", "b")
    }
    assert len(folders) == 4


def test_a_recipe_has_a_folder_of_its_own(place: Place) -> None:
    assert place.index_folder("0123456789abcdef" * 4) == "index/0123456789abcdef"


def test_all_files_there_with_their_sizes_is_no_problem(place: Place) -> None:
    assert place.missing_file(MANIFEST) is None


@pytest.mark.parametrize(("table", "number"), [(CHUNKS, 0), (CHUNKS, 1), (SOURCES, 0)])
def test_a_missing_or_resized_file_is_named(table: PinnedTable, number: int, place: Place) -> None:
    file = table.files[number]
    path = place.folder / table.path / file.path
    path.write_bytes(b"x" * (file.size + 1))
    assert place.missing_file(MANIFEST) == (
        f"{table.path}/{file.path} of snapshot 7 has {file.size + 1} bytes instead of {file.size}."
    )
    path.unlink()
    assert place.missing_file(MANIFEST) == f"{table.path}/{file.path} of snapshot 7 is missing."
    path.mkdir()
    assert "is missing" in (place.missing_file(MANIFEST) or "")
