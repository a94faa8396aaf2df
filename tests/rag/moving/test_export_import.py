"""A notebook moves in one file: nothing is paid again, and every score is the same to the last digit."""

from __future__ import annotations

import os
import shutil
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from rag.config import Secret
from rag.errors import AlreadyExists, Busy, ConfigError, Damaged, NotFound, SpaceRefused
from rag.manifest import Receipt, VerdictName
from rag.moving.export import export_notebook
from rag.moving.importing import import_notebook
from rag.notebook import Notebook
from rag.sources.restriction import Restriction
from rag.storage.arrivals import by_turns
from rag.upkeep.purging import purge
from rag.upkeep.space_removal import remove_space
from tests.doubles import CountingEmbedding, embedder_of
from tests.notebooks import answered, file, hits, lying, names, notebook, opened, python, settings, text_of
from tests.rag.moving.archives import everything_below, taken_apart
from tests.waiting import CEILING

QUESTIONS = ("river stone bridge", "lantern in winter", "violin", "the")


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose notebook has a past: updated, a source removed, one that cannot be read, a cell."""
    home = tmp_path_factory.mktemp("past") / "home"
    book = notebook(home, CountingEmbedding())
    book.add([file("a.txt", text_of(20, 1)), file("b.txt", text_of(20, 2)), file("c.md", "# Head\n\n" + text_of(9, 3))])
    book.add([file("c.md", "# Head\n\n" + text_of(8, 3)), file("bad.pdf", b"%PDF-1.4 no")])
    book.remove(["b.txt"])
    book.rename("Moved")
    book.keep_cell(answered(book, QUESTIONS[0]))
    return home


@pytest.fixture
def book(past: Path, tmp_path: Path) -> Notebook:
    """That notebook, in a home of its own."""
    shutil.copytree(past, tmp_path / "home")
    return notebook(tmp_path / "home", CountingEmbedding())


def searched(book: Notebook) -> list[list[list[object]]]:
    """What searching finds, every digit."""
    snapshot = opened(book)
    return [hits(snapshot.search(question, 8)) for question in QUESTIONS]


def test_an_import_elsewhere_is_a_hit_with_equal_results(book: Notebook, tmp_path: Path) -> None:
    """Other home, other slug, a home with another notebook: 0 calls, equal results, and the next build pays for what
    is new alone."""
    exported = export_notebook(book, tmp_path / "book.zip")
    assert exported.bytes == (tmp_path / "book.zip").stat().st_size
    assert (exported.sources, exported.cells, exported.snapshot) == (2, 1, 3)
    assert exported.vectors == exported.chunks > 0
    wanted = searched(book)

    other = notebook(tmp_path / "other", CountingEmbedding(), slug="old")
    other.add([file("x.txt", text_of(5, 8)), file("a.txt", text_of(20, 1))])
    before = searched(other)
    imported = import_notebook(settings(tmp_path / "other"), tmp_path / "book.zip", "new")
    assert replace(imported.receipt, seconds=0.0) == Receipt(saved_texts=exported.chunks)

    silent = notebook(tmp_path / "other", slug="new")  # a model that raises when asked
    assert silent.status().verdict.name is VerdictName.HIT
    assert silent.build().verdict.name is VerdictName.UNCHANGED
    model = CountingEmbedding()
    moved = notebook(tmp_path / "other", model, slug="new")
    assert searched(moved) == wanted
    assert searched(other) == before
    assert moved.title == "Moved"
    assert [cell.answer for cell in moved.cells()] == [cell.answer for cell in book.cells()]
    assert [(r.name, r.digest, r.state, r.chunks) for r in moved.sources()] == [
        (r.name, r.digest, r.state, r.chunks) for r in book.sources()
    ]
    paid = model.texts
    outcome = moved.add([file("d.txt", text_of(3, 9))])
    assert outcome.verdict.name is VerdictName.UPDATED
    assert outcome.verdict.receipt.texts == 3
    assert model.texts - paid <= 3 + 8  # and the canary, once


def test_tags_move_along_without_those_of_what_was_removed(book: Notebook, tmp_path: Path) -> None:
    book.tag(["a.txt", "c.md"], add=["tax"])
    book.tag(["a.txt"], add=["<b>水</b>"])
    export_notebook(book, tmp_path / "book.zip")
    import_notebook(settings(tmp_path / "other"), tmp_path / "book.zip", "new")
    moved = notebook(tmp_path / "other", CountingEmbedding(), slug="new")
    assert moved.tags() == book.tags() != {}
    moved.tag(["a.txt"], remove=["tax"])
    for one, tagged in ((moved, {"c.md"}), (book, {"a.txt", "c.md"})):
        assert names(opened(one).search("river", 50, Restriction(tags=("tax",)))) == tagged
    book.remove(["a.txt", "c.md"])
    book.add([file("z.txt", text_of(1, 7))])
    export_notebook(book, tmp_path / "later.zip")
    assert "notebook/tags/00000001.json" not in taken_apart(tmp_path / "later.zip")


def test_tags_that_are_damaged_stay_behind_and_that_is_said(book: Notebook, tmp_path: Path) -> None:
    book.tag(["a.txt"], add=["tax"])
    (book.place.folder / "tags/00000001.json").write_bytes(b"{}")
    exported = export_notebook(book, tmp_path / "book.zip")
    assert "The tags are not in it. notebooks/main/tags/00000001.json fails its check" in exported.sentence
    import_notebook(settings(tmp_path / "other"), tmp_path / "book.zip", "new")
    assert notebook(tmp_path / "other", slug="new").tags() == {}


def test_the_archive_brings_paid_vectors_along(book: Notebook, tmp_path: Path) -> None:
    """A second notebook of the new home, or the same one built anew, pays nothing for texts of the archive."""
    export_notebook(book, tmp_path / "book.zip")
    import_notebook(settings(tmp_path / "other"), tmp_path / "book.zip")
    model = CountingEmbedding()
    second = notebook(tmp_path / "other", model, slug="second")
    outcome = second.add([file("a.txt", text_of(20, 1))])
    assert outcome.verdict.receipt.texts == 0
    assert model.texts == 0


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


def test_an_import_never_changes_a_notebook(book: Notebook, tmp_path: Path) -> None:
    """An existing name is refused, and so is one that cannot be; the archive's own name is the default."""
    export_notebook(book, tmp_path / "book.zip")
    before = everything_below(tmp_path / "home")
    with pytest.raises(AlreadyExists, match="--notebook"):
        import_notebook(settings(tmp_path / "home"), tmp_path / "book.zip")
    with pytest.raises(ConfigError):
        import_notebook(settings(tmp_path / "home"), tmp_path / "book.zip", "../up")
    assert everything_below(tmp_path / "home") == before
    assert import_notebook(settings(tmp_path / "home"), tmp_path / "book.zip", "copy").slug == "copy"
    assert searched(notebook(tmp_path / "home", CountingEmbedding(), slug="copy")) == searched(book)
    assert import_notebook(settings(tmp_path / "other"), tmp_path / "book.zip").slug == "main"


def test_another_model_under_the_same_name_is_refused(book: Notebook, tmp_path: Path) -> None:
    """The home knows the space by other canary vectors: nothing of the archive goes in."""
    export_notebook(book, tmp_path / "book.zip")
    other = notebook(tmp_path / "other", CountingEmbedding(seed=5), slug="old")
    other.add([file("x.txt", text_of(2, 8))])
    before = everything_below(tmp_path / "other")
    with pytest.raises(SpaceRefused):
        import_notebook(settings(tmp_path / "other"), tmp_path / "book.zip")
    assert everything_below(tmp_path / "other") == before


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


def test_the_embedded_model_moves_too(tmp_path: Path) -> None:
    """Sizes of chunks that are not the default come along, so that the notebook stays a HIT elsewhere."""
    from rag.config import Config, load_config

    config = Config(home=str(tmp_path / "home"), chunk_size=64, chunk_overlap=8)
    Notebook(config).add([file("a.txt", text_of(4, 1))])
    export_notebook(Notebook(config), tmp_path / "book.zip")
    plain = load_config({"RAGBOOK_HOME": str(tmp_path / "other")}, folder=tmp_path)
    import_notebook(plain, tmp_path / "book.zip")
    moved = Notebook(
        plain,
        reload=lambda saved: load_config({"RAGBOOK_HOME": str(tmp_path / "other")}, folder=tmp_path, saved=saved),
    )
    assert moved.status().verdict.name is VerdictName.HIT
    assert searched(moved) == searched(Notebook(config))


def test_a_killed_import_leaves_no_notebook_or_all_of_it(book: Notebook, tmp_path: Path) -> None:
    """Killed at several moments; what is there afterwards is nothing or a HIT, and a second try succeeds."""
    export_notebook(book, tmp_path / "book.zip")
    script = """
        import sys
        from pathlib import Path
        from rag.config import Config
        from rag.moving.importing import import_notebook
        print("ready", flush=True)
        import_notebook(Config(home=sys.argv[1]), Path(sys.argv[2]))
    """
    children = []
    for number in range(3):
        child = python(script, tmp_path / f"killed-{number}", tmp_path / "book.zip")
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        time.sleep(0.01 + 0.04 * number)
        child.kill()
        children.append(child)
    for number, child in enumerate(children):
        child.communicate()
        home = tmp_path / f"killed-{number}"
        there = (home / "default/notebooks/main").exists()
        assert notebook(home).status().verdict.name is (VerdictName.HIT if there else VerdictName.EMPTY)
        if not there:
            import_notebook(settings(home), tmp_path / "book.zip")
            assert notebook(home).status().verdict.name is VerdictName.HIT


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


def test_a_purge_leaves_a_running_import_alone_and_comes_after_it(book: Notebook, tmp_path: Path) -> None:
    """The import stands still at the very last step: everything but its notebook's folder is in place."""
    archive = tmp_path / "book.zip"
    export_notebook(book, archive)
    child = python(
        """
        import sys, time
        from pathlib import Path
        import rag.moving.importing
        from tests.notebooks import settings

        def stand_still(event, arguments):
            if event == "os.rename" and ".tmp-import-" in str(arguments[0]):
                print("here", flush=True)
                while not Path(sys.argv[3]).exists():
                    time.sleep(0.01)

        sys.addaudithook(stand_still)
        config = settings(Path(sys.argv[1]))
        print(rag.moving.importing.import_notebook(config, Path(sys.argv[2]), "second").sentence)
        """,
        tmp_path / "home",
        archive,
        tmp_path / "go on",
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "here\n"
    (staged,) = book.place.objects.root.glob(".tmp-import-*")
    before = everything_below(staged)
    with pytest.raises(Busy, match="is being imported"):
        purge(book.place, ["a.txt"], wait_seconds=0.1)
    with pytest.raises(Busy, match="is being imported"):
        remove_space(book.place, book.place.spaces.all()[0].fingerprint, sure=True, wait_seconds=0.1)
    assert everything_below(staged) == before
    (tmp_path / "go on").touch()
    out, err = child.communicate(timeout=CEILING)
    assert child.returncode == 0, err
    assert "Imported notebook second" in out
    planned, _ = purge(book.place, ["a.txt"])
    assert planned.shared == ("second",), "the import came first, so its files stay"
    assert searched(notebook(tmp_path / "home", CountingEmbedding(), slug="second"))


def test_an_import_waits_for_a_purge_and_leaves_nothing_where_it_waited_in_vain(book: Notebook, tmp_path: Path) -> None:
    archive = tmp_path / "book.zip"
    export_notebook(book, archive)
    with by_turns(book.place.objects.root, wait_seconds=0):
        before = everything_below(tmp_path / "home")
        with pytest.raises(Busy, match="source purged"):
            import_notebook(settings(tmp_path / "home"), archive, "second", wait_seconds=0.1)
        assert everything_below(tmp_path / "home") == before
    assert import_notebook(settings(tmp_path / "home"), archive, "second").slug == "second"
    assert not list((tmp_path / "home").rglob(".arrivals.lock"))
