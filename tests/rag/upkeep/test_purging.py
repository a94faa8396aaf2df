"""Purging: what is published, what is written anew and what goes; that no file holds anything is promise 8."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag.errors import Busy, NotFound, RagbookError
from rag.home.retiring import keep, kept
from rag.manifest import VerdictName
from rag.notebook import Notebook
from rag.storage.lease import lease
from rag.upkeep.purge_plan import note_name
from rag.upkeep.purging import purge
from tests.doubles import CountingEmbedding
from tests.notebooks import answered, file, hits, notebook, opened, text_of


@pytest.fixture
def book(tmp_path: Path) -> Notebook:
    made = notebook(tmp_path, CountingEmbedding())
    made.add([file("a.txt", text_of(3, 1)), file("b.txt", text_of(2, 2))])
    made.add([file("c.txt", text_of(1, 3))])
    return made


def quiet(book: Notebook) -> Notebook:
    """The notebook with a model that must not be asked."""
    return notebook(book.config)


def test_it_publishes_a_snapshot_of_the_rest_and_calls_nobody(book: Notebook) -> None:
    silent = quiet(book)
    planned, outcome = purge(silent.place, ["a.txt"])
    assert (planned.names, planned.forgotten) == (("a.txt",), (2, 1))
    assert (outcome.verdict.name, outcome.verdict.snapshot) == (VerdictName.UPDATED, 3)
    assert outcome.verdict.sentence == "Purged 1 source: snapshot 3 has 3 chunks from 2 sources. No model was called."
    assert (outcome.sources.removed, outcome.sources.total, outcome.chunks.total) == (1, 2, 3)
    assert [one.snapshot for one in silent.history()] == [3]
    assert silent.status().verdict.name is VerdictName.HIT
    assert [row.name for row in silent.sources()] == ["b.txt", "c.txt"]
    assert not silent.place.objects.exists(note_name(silent.place))


def test_the_rest_is_found_as_before(book: Notebook) -> None:
    def others() -> dict[str, float]:
        found = opened(notebook(book.config, CountingEmbedding())).search("lantern and harbour", 30).passages
        return {one.chunk_id: one.dense for one in found if one.source != "a.txt" and one.dense is not None}

    before = others()
    purge(book.place, ["a.txt"])
    assert others() == pytest.approx(before)


def test_tags_states_marks_and_answers_of_it_go_and_those_of_others_stay(book: Notebook) -> None:
    book.tag(["a.txt", "b.txt"], add=["tax"])
    keep(book.place, 1)
    book.keep_cell(answered(book, text_of(3, 1)[:60]))
    assert book.cells()[0].answer.passages[0].source == "a.txt"
    kept_id = next(row.source_id for row in book.sources() if row.name == "b.txt")
    purge(book.place, ["a.txt"])
    assert book.tags() == {kept_id: ("tax",)}
    assert kept(book.place) == set()
    assert book.cells() == []
    assert len(list(book.place.folder.glob("state/*.json"))) == 1


def test_originals_go_but_for_those_that_another_source_has(book: Notebook, tmp_path: Path) -> None:
    digests = {row.name: row.digest for row in book.sources()}
    notebook(tmp_path, CountingEmbedding(), slug="other").add([file("same.txt", text_of(3, 1))])
    planned, _ = purge(book.place, ["a.txt", "b.txt"])
    assert planned.shared == ("other",)
    assert book.place.originals.has(digests["a.txt"])
    assert not book.place.originals.has(digests["b.txt"])
    assert notebook(tmp_path, slug="other").status().verdict.name is VerdictName.HIT


@pytest.mark.parametrize(
    "name",
    [
        "notebooks/main/manifests/00000001.json.damaged",
        "spaces/damaged-1.lance",
        "originals/ab/.tmp-half",
        ".tmp-import-1",
        "notebooks/.tmp-deleted-1",
        "notebooks/main/index/x.torn",
    ],
)
def test_what_lies_aside_goes_too(book: Notebook, name: str) -> None:
    path = book.place.objects.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"anything may be in it")
    purge(book.place, ["a.txt"])
    assert not path.exists()


def test_a_notebook_without_an_index_only_forgets_the_wish(tmp_path: Path) -> None:
    model = CountingEmbedding(fail_at=1)
    book = notebook(tmp_path, model)
    with pytest.raises(RuntimeError):
        book.add([file("a.txt", text_of(2, 1)), file("b.txt", text_of(2, 2))])
    _, outcome = purge(book.place, ["a.txt"])
    assert outcome.verdict.sentence == "Purged 1 source. No index was built yet."
    assert [row.name for row in book.sources()] == ["b.txt"]
    assert book.history() == []


def test_a_name_that_was_begun_is_finished_with_the_next(book: Notebook) -> None:
    """A purge that was killed after its note and before all else."""
    from rag.checked import dump_checked

    book.place.objects.create(note_name(book.place), dump_checked({"names": ["a.txt"]}))
    planned, _ = purge(book.place, ["b.txt"])
    assert planned.names == ("a.txt", "b.txt")
    assert [row.name for row in book.sources()] == ["c.txt"]


def test_it_is_refused_while_anybody_builds_or_reads(book: Notebook, tmp_path: Path) -> None:
    other = notebook(tmp_path, CountingEmbedding(), slug="other")
    other.add([file("x.txt", text_of(1, 9))])
    before = hits(opened(book).search("lantern"))
    with lease(other.place.folder, wait_seconds=0), pytest.raises(Busy, match="Notebook other is being built"):
        purge(book.place, ["a.txt"], wait_seconds=0)
    reader = opened(book)
    with pytest.raises(RagbookError, match="Snapshot 2 is being read"):
        purge(book.place, ["a.txt"])
    del reader
    with pytest.raises(NotFound):
        purge(notebook(tmp_path, slug="none").place, ["a.txt"])
    assert hits(opened(book).search("lantern")) == before
