"""The last step of a build: what is published, and what keeps a written table from being."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace

import pytest

from rag.building.attempt import Attempt
from rag.building.chunking import original_of, read_each, spooled
from rag.building.ground import find, stand
from rag.building.paying import Payments
from rag.building.publishing import publish
from rag.building.registering import register
from rag.building.spool import Spool
from rag.building.writing import needed, write
from rag.errors import Cancelled, Conflict, Damaged
from rag.manifest import VerdictName
from rag.progress import Stage, Watch
from rag.sources.rows import Given
from rag.spaces.recipe import recipe_fingerprint, wanted_recipe
from tests.doubles import CountingEmbedding
from tests.notebooks import file, notebook, text_of


@pytest.fixture
def book(tmp_path):
    made = notebook(tmp_path, CountingEmbedding())
    made.add([file("a.txt", text_of(3, 1))])
    return made


def wish(book, name, text):
    """Put a file into the list of sources that is wanted."""
    register(book.place, [Given(name, *book.place.originals.keep(text.encode()))])


@contextmanager
def written(book, watch):
    """The first two steps of a build, as the pipeline makes them."""
    place, config = book.place, book.config
    payments = Payments(place, config, book.models.embedder)
    attempt = Attempt(place, config, payments, watch, place.snapshots.next_number(), resumed=False)
    space = place.spaces.wanted(config)
    ground = stand(find(place), config, space)
    with Spool(place.folder) as spool:
        texts = read_each(ground.todo.read, lambda row: original_of(place, row), config)
        reads = [spooled(text, spool) for text in texts]
        with ground.table(space, recipe_fingerprint(wanted_recipe(config, space))) as table:
            yield attempt, write(attempt, ground, table, reads, spool, needed(place, reads, spool, space))


def test_what_was_written_is_there_once_it_is_published(book):
    wish(book, "b.txt", text_of(2, 2))
    with written(book, Watch()) as (attempt, step):
        assert [one.snapshot for one in book.history()] == [1]
        published = publish(attempt, step)
    manifest, outcome = published.manifest, published.outcome
    assert book.history()[0] == manifest
    assert (manifest.snapshot, manifest.parent, manifest.verdict) == (2, 1, VerdictName.UPDATED)
    assert (manifest.counts.sources, manifest.counts.chunks) == (2, 5)
    assert [(row.name, row.chunks) for row in published.rows] == [("a.txt", 3), ("b.txt", 2)]
    assert (outcome.verdict.snapshot, outcome.chunks.embedded, outcome.sources.added) == (2, 2, 1)
    assert outcome.verdict.receipt == manifest.receipt
    assert manifest.receipt.stages.keys() == {"embed", "write", "tidy", "verify"}
    assert book.status().verdict.name is VerdictName.HIT


def test_a_table_that_somebody_wrote_into_is_not_published(book):
    wish(book, "b.txt", text_of(2, 2))
    with written(book, Watch()) as (attempt, step):
        other = book.place.chunks(book.history()[0], newest=True)
        other.clear()
        found = book.place.chunks(book.history()[0], newest=True)
        other.rebuild_text_index()  # still at work
        with pytest.raises(Conflict, match="at the same moment"):
            publish(attempt, replace(step, table=found))
    assert len(book.history()) == 1


def test_a_table_that_is_not_what_was_meant_is_not_published(book):
    wish(book, "b.txt", text_of(2, 2))
    with written(book, Watch()) as (attempt, step):
        more = tuple(replace(read, chunks=read.chunks + 1) for read in step.reads)
        with pytest.raises(Damaged, match="has 5 chunks instead of 6"):
            publish(attempt, replace(step, reads=more))
        other = tuple(replace(row, text="Something else.") for row in step.sample)
        with pytest.raises(Damaged, match="not what was written"):
            publish(attempt, replace(step, sample=other))
    assert len(book.history()) == 1
    assert book.build().verdict.snapshot == 2


def test_what_was_wished_meanwhile_belongs_in_it_too(book):
    wish(book, "b.txt", text_of(2, 2))
    with written(book, Watch()) as (attempt, step):
        wish(book, "c.txt", text_of(2, 3))
        with pytest.raises(Conflict):
            publish(attempt, step)
    assert len(book.history()) == 1
    assert book.build().sources.added == 2


def test_until_the_commit_it_can_be_stopped(book):
    wish(book, "b.txt", text_of(2, 2))
    told = []
    watch = Watch(told.append, lambda: any(event.stage is Stage.VERIFY for event in told))
    with written(book, watch) as (attempt, step), pytest.raises(Cancelled):
        publish(attempt, step)
    assert [event.stage for event in told][-1] is Stage.VERIFY
    assert len(book.history()) == 1


def test_a_manifest_lists_fifty_changes_and_failures_and_counts_all(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    outcome = book.add([*(file(f"{number}.txt", f"Text {number}.") for number in range(55)), file("bad.pdf", b"x")])
    manifest = book.history()[0]
    assert (len(outcome.verdict.changes), len(manifest.changes)) == (56, 50)
    assert (manifest.counts.sources, manifest.counts.failed, [one.name for one in manifest.failures]) == (
        *(55, 1),
        ["bad.pdf"],
    )
