"""Deleting a space: what it would cost first, only when nobody uses it, and whole or not at all."""

from __future__ import annotations

import os
import threading
import time

import pytest

from rag.errors import Busy, Cancelled, NotFound, RagbookError
from rag.manifest import VerdictName
from rag.storage.lease import lease
from rag.upkeep.doctor import examine
from rag.upkeep.garbage import collect
from rag.upkeep.history import forget
from rag.upkeep.space_removal import remove_space
from tests.doubles import CountingEmbedding
from tests.notebooks import file, notebook, python, settings, text_of
from tests.waiting import CEILING


@pytest.fixture
def book(tmp_path):
    """A notebook whose space `other` no snapshot needs any more: three vectors at 2 dollars a million tokens."""
    other = notebook(settings(tmp_path, embed_model="other"), CountingEmbedding(seed=1), usd_per_million_tokens=2.0)
    other.add([file("a.txt", text_of(3))])
    book = notebook(tmp_path, CountingEmbedding())
    book.build()
    forget(book.place, 1)
    return book


def space_of(book, model):
    (space,) = (space for space in book.place.spaces.all() if space.model == model)
    return space


def test_it_says_what_getting_it_back_would_cost(book):
    space = space_of(book, "other")
    asked = remove_space(book.place, space.fingerprint, sure=False)
    paid = [one for one in book_ledger(book) if one.space == space.fingerprint and one.purpose == "build"]
    assert (asked.vectors, asked.tokens, asked.done) == (3, sum(one.tokens for one in paid), False)
    assert asked.cost_usd == pytest.approx(asked.tokens * 2 / 1e6)
    assert f"embedding 3 texts again (about {asked.tokens} tokens, about ${asked.cost_usd:,.6f})" in asked.sentence
    assert "--yes" in asked.sentence
    assert space in book.place.spaces.all()
    for path in book.place.objects.root.glob("ledger/*/*.jsonl"):
        path.unlink()
    unknown = remove_space(book.place, space.fingerprint, sure=False)
    assert (unknown.tokens, unknown.cost_usd) == (None, None)
    assert "tokens unknown, at an unknown price" in unknown.sentence


def book_ledger(book):
    from rag.storage.ledger import Ledger

    return list(Ledger(book.place.objects).entries())


def test_vectors_that_cannot_be_read_are_not_said_to_be_none(book):
    space = space_of(book, "other")
    for path in book.place.cache_folder(space.fingerprint).glob("vectors.lance/_versions/*"):
        path.write_bytes(b"")
    assert [one["vectors"] for one in book.spaces() if one["model"] == "other"] == [None]
    asked = remove_space(book.place, space.fingerprint, sure=False)
    assert (asked.vectors, asked.tokens, asked.cost_usd) == (None, None, None)
    assert "vectors that cannot be read. Getting it back would mean embedding all its texts again" in asked.sentence
    assert remove_space(book.place, space.fingerprint, sure=True).done
    assert space not in book.place.spaces.all()


def test_a_space_that_is_used_stays_and_so_does_one_named_by_too_few_digits(book):
    used = space_of(book, "counting")
    with pytest.raises(RagbookError, match="Snapshots of main are in it"):
        remove_space(book.place, used.fingerprint, sure=True)
    for digits in (used.fingerprint[:3], "0" * 16, ""):
        with pytest.raises(NotFound):
            remove_space(book.place, digits, sure=True)
    assert len(book.place.spaces.all()) == 2


def test_a_build_that_is_under_way_in_any_notebook_is_waited_for_and_seen(tmp_path, book):
    """Looked at first and leased afterwards, the space would go although a snapshot has just come to be in it."""
    space = space_of(book, "other")
    config = settings(tmp_path, embed_model="other")
    second = notebook(config, CountingEmbedding(seed=1), slug="second")
    with pytest.raises(Cancelled):
        second.add([file("b.txt", text_of(2, 2))], cancelled=iter([False, True]).__next__)
    failures: list[Exception] = []

    def delete():
        try:
            remove_space(book.place, space.fingerprint, sure=True, wait_seconds=600)
        except RagbookError as error:
            failures.append(error)

    with lease(second.place.folder, wait_seconds=0):
        with pytest.raises(Busy):
            remove_space(book.place, space.fingerprint, sure=True, wait_seconds=0)
        deleting = threading.Thread(target=delete)
        deleting.start()
        from rag.building.pipeline import build_held

        build_held(second.place, config, second.models.embedder)
    deleting.join()
    assert "Snapshots of second are in it" in str(failures[0])
    assert space in book.place.spaces.all()
    assert second.status().verdict.name is VerdictName.HIT


KILLED = """
import os, signal, sys
from rag.config import Config
from rag.home.place import place_of
from rag.upkeep.space_removal import remove_space

home, fingerprint, event, nth = sys.argv[1:]
left, deleting = int(nth), False

def kill(name, arguments):
    global left, deleting
    deleting = deleting or name == "shutil.rmtree"
    if name == event and (deleting or "/default/spaces/" in str(arguments[0])):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

place = place_of(Config(home=home), "main")
sys.addaudithook(kill)
remove_space(place, fingerprint, sure=True)
print("done")
"""


@pytest.mark.parametrize(
    ("event", "nth", "stays"), [("os.rename", 0, True), ("shutil.rmtree", 0, False), ("os.remove", 2, False)]
)
def test_killed_at_any_step_it_is_there_whole_or_not_at_all(tmp_path, book, event, nth, stays):
    space = space_of(book, "other")
    child = python(KILLED, tmp_path, space.fingerprint, event, nth)
    out, err = child.communicate(timeout=CEILING)
    assert (child.returncode, out) == (-9, ""), err
    assert (space in book.place.spaces.all()) is stays
    assert book.status().verdict.name is VerdictName.HIT
    other = notebook(settings(tmp_path, embed_model="other"), CountingEmbedding(seed=1))
    if stays:
        assert [one["vectors"] for one in other.spaces() if one["model"] == "other"] == [3]
        assert remove_space(book.place, space.fingerprint, sure=True).done
    else:
        old = time.time() - 7200  # as it is for whoever comes later; what is younger may be in use
        for path in (tmp_path / "default" / "spaces").rglob("*"):
            os.utime(path, (old, old))
        (left,) = (one for one in examine(book.place, book.config).findings if one.code == "leftovers")
        assert any(".tmp-deleted-" in name for name in left.files)
        assert collect(book.place).files
    assert not list((tmp_path / "default").rglob(".tmp-*"))
    assert [one.model for one in book.place.spaces.all()] == ["counting"]
    outcome = other.build()  # and it can be had back, for what was said
    assert (outcome.verdict.name, outcome.chunks.embedded) == (VerdictName.REBUILT, 3)
