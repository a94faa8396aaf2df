"""Pinned files against the disk: what is missing, altered or unreadable is named, and nothing is hashed twice."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rag.home.pinned import PinnedFiles
from rag.manifest import Manifest
from rag.notebook import Notebook
from tests.doubles import CountingEmbedding
from tests.notebooks import file, notebook, text_of
from tests.privileges import permissions_count


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("whole") / "home"
    book = notebook(home, CountingEmbedding())
    book.add([file("a.txt", text_of(6, 1))])
    book.add([file("b.txt", text_of(3, 2))])
    return home


@pytest.fixture
def book(whole: Path, tmp_path: Path) -> Notebook:
    shutil.copytree(whole, tmp_path / "home")
    return notebook(tmp_path / "home")


def head(book: Notebook) -> Manifest:
    return book.history()[0]


def largest(book: Notebook) -> Path:
    """The largest pinned file of the newest snapshot."""
    manifest = head(book)
    found = [(one.size, f"{table.path}/{one.path}") for table in manifest.tables.values() for one in table.files]
    return book.place.folder / max(found)[1]


def flip(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def test_a_whole_snapshot_has_nothing_wrong(book: Notebook) -> None:
    files = PinnedFiles(book.place, None)
    assert files.first(head(book)) is None
    assert files.hashed == sum(len(table.files) for table in head(book).tables.values())


@pytest.mark.parametrize(
    ("damage", "kind", "said"),
    [
        (lambda path: path.unlink(), "missing", "of snapshot 2 is missing."),
        (lambda path: path.write_bytes(b""), "size", "of snapshot 2 has 0 bytes instead of "),
        (lambda path: path.write_bytes(path.read_bytes() + b"x"), "size", " bytes instead of "),
        (flip, "altered", "has other bytes than were written: its SHA-256 differs."),
    ],
    ids=["missing", "empty", "longer", "altered"],
)
def test_each_damage_is_named(book: Notebook, damage: object, kind: str, said: str) -> None:
    path = largest(book)
    damage(path)  # type: ignore[operator]
    (bad,) = PinnedFiles(book.place, None).bad(head(book))
    assert bad.kind == kind
    assert said in bad.sentence
    assert path.name in bad.sentence
    assert book.place.objects.root / bad.name == path


def test_what_cannot_be_read_is_no_crash(book: Notebook) -> None:
    path = largest(book)
    path.chmod(0)
    try:
        with permissions_count():
            (bad,) = PinnedFiles(book.place, None).bad(head(book))
    finally:
        path.chmod(0o600)
    assert bad.kind == "unreadable"
    assert "Permission denied" in bad.sentence


def test_two_snapshots_that_share_files_have_them_hashed_once(book: Notebook) -> None:
    newest, first = book.history()
    pinned = [
        {f"{table.path}/{one.path}" for table in manifest.tables.values() for one in table.files}
        for manifest in (newest, first)
    ]
    assert pinned[0] & pinned[1]
    files = PinnedFiles(book.place, None)
    assert files.first(newest) is None
    assert files.first(first) is None
    assert files.hashed == len(pinned[0] | pinned[1])


def test_a_budget_is_spent_on_small_files_first_and_sizes_are_looked_at_all_the_same(book: Notebook) -> None:
    manifest, path = head(book), largest(book)
    sizes = sorted(one.size for table in manifest.tables.values() for one in table.files)
    budget = sum(sizes[:-1])
    flip(path)
    short = PinnedFiles(book.place, budget)
    assert short.first(manifest) is None
    assert short.hashed == len(sizes) - 1
    path.write_bytes(path.read_bytes()[:-1])
    (bad,) = PinnedFiles(book.place, 0).bad(manifest)
    assert bad.kind == "size"


def test_what_was_hashed_before_is_not_hashed_again(book: Notebook) -> None:
    manifest = head(book)
    sizes = sorted(one.size for table in manifest.tables.values() for one in table.files)
    flip(largest(book))
    rest = PinnedFiles(book.place, None, beyond=sum(sizes[:-1]))
    (bad,) = rest.bad(manifest)
    assert (bad.kind, rest.hashed) == ("altered", 1)


def test_only_the_files_that_are_asked_of(book: Notebook) -> None:
    manifest, path = head(book), largest(book)
    path.unlink()
    name = path.relative_to(book.place.objects.root).as_posix()
    assert [bad.name for bad in PinnedFiles(book.place, None).bad(manifest, only={name})] == [name]
    assert list(PinnedFiles(book.place, None).bad(manifest, only={"another"})) == []
