"""A notebook out of one file: nothing is paid again, and every score is the same to the last digit."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from rag.errors import AlreadyExists, Busy, ConfigError, SpaceRefused
from rag.manifest import Receipt, VerdictName
from rag.moving.export import export_notebook
from rag.moving.importing import import_notebook
from rag.notebook import Notebook
from rag.sources.restriction import Restriction
from rag.storage.arrivals import by_turns
from rag.upkeep.purging import purge
from rag.upkeep.space_removal import remove_space
from tests.doubles import CountingEmbedding
from tests.notebooks import file, names, notebook, opened, python, settings, text_of
from tests.rag.moving.archives import everything_below, taken_apart
from tests.rag.moving.homes import searched
from tests.waiting import CEILING


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


def test_the_archive_brings_paid_vectors_along(book: Notebook, tmp_path: Path) -> None:
    """A second notebook of the new home, or the same one built anew, pays nothing for texts of the archive."""
    export_notebook(book, tmp_path / "book.zip")
    import_notebook(settings(tmp_path / "other"), tmp_path / "book.zip")
    model = CountingEmbedding()
    second = notebook(tmp_path / "other", model, slug="second")
    outcome = second.add([file("a.txt", text_of(20, 1))])
    assert outcome.verdict.receipt.texts == 0
    assert model.texts == 0


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
