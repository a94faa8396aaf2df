"""Promise 8 where no table tells any more what was paid for: retired, renamed, never finished, shared, half copied."""

from __future__ import annotations

import shutil
import signal

import numpy as np
import pytest

from rag.config import Config
from rag.errors import Busy, Cancelled
from rag.notebook import Notebook
from rag.settings import MULTILINGUAL_MODEL
from rag.sources.incoming import Incoming
from rag.storage.lease import lease
from rag.tables.vectors import VectorCache
from rag.upkeep.garbage import collect
from rag.upkeep.history import forget
from rag.upkeep.purge_plan import plan_purge
from rag.upkeep.purging import purge
from tests.doubles import CountingEmbedding, embedder_of
from tests.notebooks import answered, file, notebook, opened, paragraphs, python, settings, text_of
from tests.promises.test_8_purged_is_in_no_file import NAME, NEW, OLD, WORD, Secret
from tests.waiting import CEILING

LONG_WORDS = "\n\n".join(
    f"Verkehrsinfrastrukturfinanzierung {number}: {WORD} am Grundstücksverkehrsamt, Absatz {number * 7}."
    for number in range(30)
)


def secret_of(model, *names) -> Secret:
    """The words, and the vector of every text with them that was ever sent to the model."""
    texts = sorted({text for text in model.seen if WORD in text.lower()})
    found = {
        np.asarray(vector, np.float32).tobytes()
        for _, vectors in embedder_of(CountingEmbedding()).embed(texts, "text")
        for vector in vectors
    }
    return Secret(tuple(name.encode() for name in (WORD, *names)), frozenset(found))


def cached(home) -> set[bytes]:
    """Keys of every cached vector."""
    folders = [path.parent for path in home.rglob("vectors.lance")]
    return {key for folder in folders for key in VectorCache(folder, 64).keys().to_pylist()}


def forget_all_but_the_newest(book):
    for manifest in book.history()[1:]:
        forget(book.place, manifest.snapshot)
    collect(book.place, grace_seconds=-1)


def test_contents_of_which_only_vectors_are_left(tmp_path):
    model = CountingEmbedding()
    book = notebook(tmp_path, model)
    book.add([file(NAME, OLD), file("plain.txt", text_of(3, 1))])
    wide = notebook(settings(tmp_path, chunk_size=96), model)
    wide.build()
    book.add([file(NAME, NEW), file("plain.txt", text_of(2, 1) + text_of(2, 4))])
    book.add([file("third.txt", text_of(1, 6))])  # the list of sources that is wanted tells of no former content now
    forget_all_but_the_newest(book)
    secret = secret_of(model, NAME)
    assert len(secret.vectors) >= 4
    text = b"former secret"
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and text in path.read_bytes().lower()]
    before = cached(tmp_path)
    planned = plan_purge(book.place, [NAME], book.config)
    assert cached(tmp_path) == before
    # Of the purged file's former content nothing is left to tell by, and as little of the other file's.
    assert 0 < planned.unknown < planned.vectors
    assert f"{planned.unknown} cached vectors that no source accounts for any more may be of them" in planned.sentence
    done, _ = purge(book.place, [NAME], book.config)
    assert done == planned
    assert secret.found(tmp_path) == []
    assert len(cached(tmp_path)) == len(before) - planned.vectors
    # What the other file's content of today was paid for is kept, also through a second purge.
    book.add([file("more.txt", text_of(2, 8))])
    again, _ = purge(book.place, ["more.txt"], book.config)
    assert (again.vectors, again.unknown) == (2, 0)
    assert notebook(tmp_path).build().chunks.embedded == 0


def test_another_recipe_whose_snapshots_are_forgotten_stays_paid_for(tmp_path):
    model = CountingEmbedding()
    notebook(settings(tmp_path, chunk_size=96), model).add([file("plain.txt", text_of(6, 1))])
    book = notebook(tmp_path, model)
    book.build()
    book.add([file(NAME, NEW)])
    forget_all_but_the_newest(book)
    planned, _ = purge(book.place, [NAME], book.config)
    assert (planned.unknown, secret_of(model, NAME).found(tmp_path)) == (0, [])
    assert notebook(settings(tmp_path, chunk_size=96)).build().chunks.embedded == 0  # raises if it were called


def test_vectors_of_the_multilingual_model_are_told_by_how_their_texts_were_split(tmp_path):
    """Its chunks are not measured in tokens of the embedded model, whose texts would be others."""
    several = Config(home=str(tmp_path), embed_model=MULTILINGUAL_MODEL, chunk_size=64, chunk_overlap=8)
    book = Notebook(several)
    book.add([file(NAME, LONG_WORDS), file("plain.txt", LONG_WORDS.replace(WORD, "clearing"))])
    newer = notebook(tmp_path, CountingEmbedding())
    newer.build()
    newer.add([file("more.txt", text_of(2, 8))])
    forget_all_but_the_newest(newer)
    planned, _ = purge(newer.place, [NAME], newer.config)
    assert planned.unknown == 0
    assert Notebook(several).build().chunks.embedded == 2  # of more.txt: all of plain.txt are still there


def test_a_build_that_was_cancelled_half_way(tmp_path):
    model = CountingEmbedding()
    book = notebook(tmp_path, model, batch_size=2)
    book.add([file("plain.txt", text_of(3, 1))])
    with pytest.raises(Cancelled):
        book.add([file(NAME, NEW), file("later.txt", text_of(6, 5))], cancelled=lambda: WORD in str(model.seen).lower())
    secret = secret_of(model, NAME)
    assert 0 < len(secret.vectors) < 6
    paid = cached(tmp_path)
    # At other sizes than those of the settings the texts are others: told by what the build noted of its recipe.
    planned, _ = purge(book.place, [NAME])
    assert planned.vectors == len(secret.vectors)
    assert planned.unknown == 0
    assert secret.found(tmp_path) == []
    assert len(cached(tmp_path)) == len(paid) - planned.vectors
    assert {row.name for row in book.sources()} == {"plain.txt", "later.txt"}


KILLED = """
    import os, signal, sys
    from pathlib import Path
    from tests.doubles import CountingEmbedding
    from tests.notebooks import file, notebook
    from rag.progress import Stage
    book = notebook(Path(sys.argv[1]), CountingEmbedding(), batch_size=2)
    def die(event):
        if event.stage is Stage.EMBED and event.done >= 2:
            os.kill(os.getpid(), signal.SIGKILL)
    book.add([file(sys.argv[2], sys.argv[3])], on_event=die)
"""


def test_a_build_that_was_killed_half_way(tmp_path):
    child = python(KILLED, tmp_path, NAME, NEW)
    child.communicate(timeout=CEILING)
    assert child.returncode == -signal.SIGKILL
    assert len(cached(tmp_path)) == 2
    model = CountingEmbedding()
    list(embedder_of(model).embed(NEW.split("\n\n"), "text"))
    book = notebook(tmp_path, model)
    planned, outcome = purge(book.place, [NAME], book.config)
    assert (planned.vectors, planned.unknown) == (2, 0)
    assert "No index was built yet" in outcome.verdict.sentence
    assert secret_of(model, NAME).found(tmp_path) == []
    assert cached(tmp_path) == set()


def test_a_source_that_had_another_name(tmp_path):
    model = CountingEmbedding()
    book = notebook(tmp_path / "home", model)
    former = tmp_path / "former-name.txt"
    former.write_text(NEW)
    copy = tmp_path / "copy.txt"
    copy.write_text(NEW)
    book.add([Incoming(copy.name, copy), Incoming(former.name, former)])
    beside = book.keep_cell(answered(book, "Where does Quagmire 3 of the present lie?"))
    assert beside.answer.passages[0].source == "copy.txt"
    assert beside.answer.passages[0].also_in == ("former-name.txt",)
    former.rename(tmp_path / NAME)
    book.add([Incoming(NAME, tmp_path / NAME)])
    assert {row.name for row in book.sources()} == {"copy.txt", NAME}
    (tmp_path / NAME).write_text(OLD)
    book.add([Incoming(NAME, tmp_path / NAME)])  # so that its row does not tell of the rename either
    plain = book.keep_cell(answered(book, "Where does Quagmire 3 of the present lie?"))
    assert plain.answer.passages[0].also_in == ()
    forget_all_but_the_newest(book)
    planned, _ = purge(book.place, [NAME], book.config)
    assert beside.id in planned.cells
    assert Secret((b"zanzibar", b"former-name", b"former secret"), frozenset()).found(tmp_path / "home") == []
    assert opened(notebook(tmp_path / "home", CountingEmbedding())).search("Quagmire 3 present").passages


def test_a_name_that_another_source_has_today_is_that_ones(tmp_path):
    book = notebook(tmp_path / "home", CountingEmbedding())
    path = tmp_path / "a.txt"
    path.write_text(text_of(2, 1))
    book.add([Incoming("a.txt", path)])
    path.rename(tmp_path / "b.txt")
    book.add([Incoming("b.txt", tmp_path / "b.txt")])
    path.write_text(text_of(2, 2))
    book.add([Incoming("a.txt", path)])
    cell = book.keep_cell(answered(book, paragraphs(2, 2)[1], k=1))
    assert cell.answer.passages[0].source == "a.txt"
    planned = plan_purge(book.place, ["b.txt"])
    assert planned.cells == ()
    purge(book.place, ["b.txt"])
    assert ([row.name for row in book.sources()], [one.id for one in book.cells()]) == (["a.txt"], [cell.id])
    path.rename(tmp_path / "c.txt")
    book.add([Incoming("c.txt", tmp_path / "c.txt")])
    path.write_text(text_of(2, 3))
    book.add([Incoming("a.txt", path)])
    purge(book.place, ["a.txt"])
    assert [row.name for row in book.sources()] == ["c.txt"]


def test_text_that_another_notebook_has_in_another_file_keeps_its_vector(tmp_path):
    model = CountingEmbedding()
    shared, own = NEW.split("\n\n")[0], NEW.split("\n\n")[1:]
    notebook(tmp_path, model, slug="other").add([file("letter.txt", shared)])
    book = notebook(tmp_path, model)
    book.add([file(NAME, "# One\n\n" + shared), file("copy.txt", shared), file("own.txt", "\n\n".join(own))])
    before = len(cached(tmp_path))
    planned, _ = purge(book.place, ["copy.txt", "own.txt"], book.config)
    assert planned.shared == ("other",)  # the same bytes
    planned, _ = purge(book.place, [NAME], book.config)
    assert planned.shared == ()
    assert len(cached(tmp_path)) < before
    assert notebook(tmp_path, slug="other").add([file("again.txt", shared)]).chunks.embedded == 0


def test_the_same_passage_in_other_files_is_named(tmp_path):
    model = CountingEmbedding()
    section = "## Shared\n\n" + text_of(1, 7)
    notebook(tmp_path, model, slug="other").add([file("o.md", section + "\n## Else\n\n" + text_of(1, 3))])
    book = notebook(tmp_path, model)
    book.add([file("secret.md", section + "\n## Own\n\n" + NEW), file("mine.md", section)])
    secret = secret_of(model)
    planned, _ = purge(book.place, ["secret.md"], book.config)
    assert planned.same_text == ("main", "other")
    assert "Other files in main, other have some of the same text: its vectors stay." in planned.sentence
    assert secret.found(tmp_path) == []
    assert notebook(tmp_path, slug="other").add([file("again.md", section)]).chunks.embedded == 0


def test_what_an_add_that_was_killed_left_half_copied(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file(NAME, NEW), file("plain.txt", text_of(2, 1))])
    originals = tmp_path / "default" / "originals"
    (originals / ".tmp-0123").write_text(NEW[:100])
    digest = book.sources()[0].digest
    (originals / digest[:2] / ".tmp-4567").write_text(NEW)
    purge(book.place, [NAME], book.config)
    assert Secret((WORD.encode(),), frozenset()).found(tmp_path) == []
    assert not list(tmp_path.rglob(".tmp-*"))


def test_files_of_the_cache_that_no_version_has(tmp_path):
    model = CountingEmbedding()
    book = notebook(tmp_path, model)
    book.add([file("plain.txt", text_of(2, 1))])
    (table,) = tmp_path.rglob("vectors.lance")
    shutil.copytree(table, tmp_path / "before")
    book.add([file(NAME, NEW)])
    # An append whose version was never written: its rows are in a file of the folder only.
    shutil.rmtree(table / "_versions")
    shutil.copytree(tmp_path / "before" / "_versions", table / "_versions")
    shutil.rmtree(tmp_path / "before")
    secret = secret_of(model, NAME)
    assert any("vectors.lance" in place for place in secret.in_bytes(tmp_path))
    purge(book.place, [NAME], book.config)
    assert secret.found(tmp_path) == []


def test_it_waits_for_every_notebook_of_the_workspace(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file(NAME, NEW)])
    other = notebook(tmp_path, CountingEmbedding(), slug="other")
    other.add([file("o.txt", text_of(1))])
    with lease(other.place.folder, wait_seconds=0), pytest.raises(Busy, match="Notebook other is being built"):
        purge(book.place, [NAME], Config(), wait_seconds=0)
    assert [row.name for row in book.sources()] == [NAME]
