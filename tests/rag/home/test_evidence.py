"""Which sources there were, told from what is left where no list of them can be read."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from rag.errors import Damaged
from rag.home.evidence import gather
from rag.manifest import Manifest
from rag.upkeep.doctor import examine
from rag.upkeep.repairs import repair
from tests.doubles import CountingEmbedding
from tests.notebooks import answered, file, hits, lying, notebook, opened, text_of

QUESTION = "lantern and harbour"


@pytest.fixture
def book(tmp_path):
    made = notebook(tmp_path, CountingEmbedding())
    made.add([file("a.txt", text_of(4, 1)), file("b.txt", text_of(3, 2))])
    return made


def codes(book, **how):
    return [one.code for one in examine(book.place, book.config, **how).findings]


def test_the_list_of_sources_is_proved_from_names_and_bytes_when_all_of_it_is_gone(book):
    book.add([file("b.txt", text_of(4, 2)), file("c.txt", text_of(2, 3))])
    book.keep_cell(answered(book, QUESTION))
    before, state = hits(opened(book).search(QUESTION)), book.place.states.newest()
    shutil.rmtree(book.place.registry.path)
    assert "registry-damaged" in codes(book)
    quiet = notebook(book.place.objects.root.parent)
    done = repair(quiet.place, quiet.config, quiet.models.embedder)
    assert "a.txt, b.txt, c.txt" in " ".join(done.done)
    assert quiet.place.states.newest().sources_fp == state.sources_fp
    assert hits(opened(book).search(QUESTION)) == before


def test_names_that_nothing_tells_are_said_to_be_lost_and_no_original_goes(book):
    book.add([file("b.txt", text_of(4, 2))])
    shutil.rmtree(book.place.registry.path)
    shutil.rmtree(book.place.folder / "index")
    originals = sorted((book.place.objects.root / "originals").glob("*/*"))
    with pytest.raises(Damaged, match="Add the files again"):
        repair(book.place, book.config, book.models.embedder)
    assert sorted((book.place.objects.root / "originals").glob("*/*")) == originals


def gathered(book, expected=""):
    place = book.place
    manifests = [one for one in place.snapshots.newest() if isinstance(one, Manifest)]
    return gather(place, manifests, place.states.newest(), [], expected or place.states.newest().sources_fp)


def test_names_and_bytes_that_make_an_id_of_the_index_belong_together(book):
    rows, proved = gathered(book)
    assert proved
    assert {(row.name, row.source_id, row.digest, row.size) for row in rows} == {
        (row.name, row.source_id, row.digest, row.size) for row in book.sources()
    }


def test_a_source_that_got_another_name_is_told_by_it(tmp_path):
    book = notebook(tmp_path / "home", CountingEmbedding())
    book.add([lying(tmp_path / "old.txt", text_of(2, 1))])
    (tmp_path / "old.txt").rename(tmp_path / "new.txt")
    book.add([lying(tmp_path / "new.txt", text_of(2, 1))])
    rows, proved = gathered(book)
    assert ([row.name for row in rows], proved) == (["new.txt"], True)


def test_a_changed_file_is_proved_with_the_content_it_has_now(book):
    book.add([file("a.txt", text_of(5, 9))])
    rows, proved = gathered(book)
    assert proved
    assert {row.name: row.digest for row in rows} == {row.name: row.digest for row in book.sources()}


def test_what_is_not_proved_leaves_out_what_was_changed(book):
    """It could come back as it was before: better not at all than wrong."""
    book.add([file("a.txt", text_of(5, 9))])
    rows, proved = gathered(book, expected="0" * 64)
    assert ([row.name for row in rows], proved) == (["b.txt"], False)


def test_without_its_original_a_source_cannot_be_told(book):
    digest = next(row.digest for row in book.sources() if row.name == "a.txt")
    book.place.originals.path(digest).unlink()
    rows, proved = gathered(book)
    assert ([row.name for row in rows], proved) == (["b.txt"], False)


def test_names_of_answers_count_too(book):
    """Where the history is gone but for its newest manifest, which names no change of theirs."""
    book.keep_cell(answered(book, QUESTION))
    (manifest,) = (one for one in book.place.snapshots.newest() if isinstance(one, Manifest))
    silent = replace(manifest, changes=())
    state = replace(book.place.states.newest(), pending=())
    rows, _ = gather(book.place, [silent], state, [], state.sources_fp)
    quoted = {passage.source for cell in book.cells() for passage in cell.answer.passages}
    assert {row.name for row in rows} == quoted != set()
