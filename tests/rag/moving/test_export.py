"""A notebook into one file: whole or not at all, without what was removed and without where it was made."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from rag.config import Secret
from rag.errors import AlreadyExists, Damaged, NotFound
from rag.manifest import VerdictName
from rag.moving.export import export_notebook
from rag.moving.importing import import_notebook
from rag.notebook import Notebook
from tests.doubles import CountingEmbedding, embedder_of
from tests.notebooks import file, lying, notebook, opened, settings, text_of
from tests.rag.moving.archives import taken_apart
from tests.rag.moving.homes import QUESTIONS


def test_tags_that_are_damaged_stay_behind_and_that_is_said(book: Notebook, tmp_path: Path) -> None:
    book.tag(["a.txt"], add=["tax"])
    (book.place.folder / "tags/00000001.json").write_bytes(b"{}")
    exported = export_notebook(book, tmp_path / "book.zip")
    assert "The tags are not in it. notebooks/main/tags/00000001.json fails its check" in exported.sentence
    import_notebook(settings(tmp_path / "other"), tmp_path / "book.zip", "new")
    assert notebook(tmp_path / "other", slug="new").tags() == {}


def test_clean_leaves_out_what_was_removed_and_nothing_else(book: Notebook, tmp_path: Path) -> None:
    """By default the table comes along byte for byte, and the report says what is still in it."""
    gone = text_of(20, 2).split("\n\n")[4].encode()
    exported = export_notebook(book, tmp_path / "exact.zip")
    assert exported.leftovers > 0
    assert "--clean" in exported.sentence
    assert any(gone in content for content in taken_apart(tmp_path / "exact.zip").values())
    assert export_notebook(book, tmp_path / "clean.zip", clean=True, cells=False).leftovers == 0
    members = taken_apart(tmp_path / "clean.zip")
    assert not [name for name, content in members.items() if gone in content or b"b.txt" in content]
    assert not [name for name in members if "cells" in name]
    import_notebook(settings(tmp_path / "other"), tmp_path / "clean.zip")
    moved = notebook(tmp_path / "other", CountingEmbedding())
    assert moved.status().verdict.name is VerdictName.HIT

    def dense(book: Notebook) -> list[list[tuple[str, float | None]]]:
        snapshot = opened(book)
        return [
            sorted((one.chunk_id, one.dense) for one in snapshot.search(text, 30).passages if one.dense is not None)
            for text in QUESTIONS
        ]

    assert dense(moved) == dense(book)


def test_an_archive_tells_nothing_about_where_it_was_made(tmp_path: Path) -> None:
    """No path, no host, no key, no saved address."""
    config = settings(tmp_path / "home", api_key=Secret("sk-very-secret"), embed_base_url="http://127.0.0.1:9/v1")
    book = notebook(config, CountingEmbedding())
    book.add([lying(tmp_path / "private-folder" / "a.txt", text_of(5, 1))])
    book.save_settings({"RAGBOOK_LLM_BASE_URL": "http://intranet.example/v1", "RAGBOOK_LLM": "openai-compatible"})
    export_notebook(book, tmp_path / "book.zip")
    content = b"".join(taken_apart(tmp_path / "book.zip").values())
    for word in ("sk-very-secret", "private-folder", "intranet.example", f"{os.uname().nodename}:"):
        assert word.encode() not in content
    import_notebook(settings(tmp_path / "other"), tmp_path / "book.zip")
    assert notebook(tmp_path / "other").saved_settings() == {"RAGBOOK_CHUNK_SIZE": "48", "RAGBOOK_CHUNK_OVERLAP": "0"}


def test_only_an_intact_snapshot_is_exported(book: Notebook, tmp_path: Path) -> None:
    """A head with a damaged table is passed over and named; without an original there is no archive."""
    head = book.history()[0]
    version = head.tables["sources"].version
    torn = book.place.folder / "sources.lance/_versions" / f"{2**64 - 1 - version:020d}.manifest"
    content = torn.read_bytes()
    torn.write_bytes(content[:20] + bytes([content[20] ^ 1]) + content[21:])
    exported = export_notebook(book, tmp_path / "book.zip")
    assert exported.snapshot == head.snapshot - 1
    assert exported.problems
    assert import_notebook(settings(tmp_path / "other"), tmp_path / "book.zip").snapshot == exported.snapshot
    row = next(row for row in notebook(tmp_path / "other").sources() if row.name == "a.txt")
    book.place.originals.path(row.digest).unlink()
    (tmp_path / "empty").mkdir()
    with pytest.raises(Damaged, match="originals"):
        export_notebook(book, tmp_path / "empty" / "none.zip")
    assert not list((tmp_path / "empty").iterdir())


def test_an_export_is_there_whole_or_not_at_all(book: Notebook, tmp_path: Path) -> None:
    """No snapshot, no folder, a file that is no archive: refused, and nothing is left. An older archive is replaced."""
    with pytest.raises(NotFound):
        export_notebook(notebook(tmp_path / "none"), tmp_path / "book.zip")
    with pytest.raises(NotFound):
        export_notebook(book, tmp_path / "missing" / "book.zip")
    precious = tmp_path / "thesis.docx"
    precious.write_bytes(b"precious")
    with pytest.raises(AlreadyExists):
        export_notebook(book, precious)
    assert precious.read_bytes() == b"precious"
    export_notebook(book, tmp_path / "book.zip")
    export_notebook(book, tmp_path / "book.zip", cells=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["book.zip", "home", "thesis.docx"]
    with zipfile.ZipFile(tmp_path / "book.zip") as opened_zip:
        assert opened_zip.testzip() is None


def test_wishes_not_built_yet_are_said(tmp_path: Path) -> None:
    """What was added and not built is not in the archive, and the report says so."""
    model = CountingEmbedding()
    book = notebook(tmp_path / "home", model)
    book.add([file("a.txt", text_of(3, 1))])
    model.fail(at=len(model.seen) + 1)
    with pytest.raises(RuntimeError):
        book.add([file("b.txt", text_of(3, 2))])
    exported = export_notebook(book, tmp_path / "book.zip")
    assert "changed after" in exported.sentence
    import_notebook(settings(tmp_path / "other"), tmp_path / "book.zip")
    assert notebook(tmp_path / "other").status().verdict.name is VerdictName.HIT


def test_a_build_may_go_on_while_exporting(book: Notebook, tmp_path: Path) -> None:
    """Another process adds all the time; every archive is a whole snapshot."""
    import threading

    made = embedder_of(CountingEmbedding())
    stop = threading.Event()
    failed: list[BaseException] = []

    def add() -> None:
        try:
            writer = Notebook(settings(tmp_path / "home"), make_embedder=lambda _: made)
            number = 100
            while not stop.is_set():
                writer.add([file("moving.txt", text_of(3, number))])
                number += 1
        except BaseException as error:  # noqa: BLE001 - shown by the test
            failed.append(error)

    thread = threading.Thread(target=add)
    thread.start()
    try:
        for number in range(3):
            exported = export_notebook(book, tmp_path / "book.zip")
            imported = import_notebook(settings(tmp_path / "other"), tmp_path / "book.zip", f"n{number}")
            assert imported.snapshot == exported.snapshot
            assert notebook(tmp_path / "other", slug=f"n{number}").status().verdict.name is VerdictName.HIT
    finally:
        stop.set()
        thread.join()
    assert not failed
