"""The pipeline: what a build does with what it meets, and what is left when it fails."""

from __future__ import annotations

import shutil

import pytest

from rag.errors import Busy, Cancelled, Damaged, QuotaExceeded
from rag.manifest import VerdictName
from rag.notebook import open_snapshot
from rag.progress import Stage
from rag.storage.lease import lease
from tests.doubles import CountingEmbedding
from tests.notebooks import (
    CANARY,
    answered,
    file,
    hits,
    lying,
    names,
    notebook,
    opened,
    paragraphs,
    settings,
    text_of,
    total_chunks,
)

QUOTA = QuotaExceeded("The spending limit is reached. Raise it, then build again.")


def folder_of(book):
    return book.place.folder


def test_a_build_tells_its_stages_in_order_and_what_became_of_each_source(tmp_path):
    model, events = CountingEmbedding(), []
    book = notebook(tmp_path, model, batch_size=4, usd_per_million_tokens=1.0)
    outcome = book.add(
        [file("a.txt", text_of(6, 1)), file("b.txt", text_of(6, 1)), file("c.txt", "")], on_event=events.append
    )
    stages = list(dict.fromkeys(event.stage for event in events))
    assert stages == [Stage.STORE, Stage.READ, Stage.EMBED, Stage.WRITE, Stage.VERIFY, Stage.PUBLISH]
    assert all(0 <= event.done <= event.total for event in events)
    last = {event.source: event for event in events if event.source}
    assert last["a.txt"].outcome == "6 chunks embedded"
    assert last["b.txt"].outcome == "6 chunks, all reused"
    assert last["c.txt"].failed
    assert "0 bytes" in last["c.txt"].outcome
    embedding = [event for event in events if event.stage is Stage.EMBED and event.source is None]
    assert [event.done for event in embedding] == [4, 6]
    assert embedding[-1].seconds_left == 0
    assert embedding[-1].tokens == outcome.verdict.receipt.tokens
    receipt = outcome.verdict.receipt
    assert (receipt.texts, receipt.canary_texts, receipt.saved_texts) == (6, CANARY, 6)
    assert receipt.cost_usd == pytest.approx(receipt.tokens / 1e6)
    assert receipt.stages.keys() >= {"read", "embed", "write", "verify"}
    assert book.history()[0].receipt.stages == receipt.stages


def test_a_failing_source_does_not_stop_the_others(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    outcome = book.add([file("bad.pdf", b"%PDF-1.7 nothing"), file("good.txt", text_of(2)), file("empty.md", " ")])
    assert outcome.verdict.name is VerdictName.BUILT
    assert (outcome.sources.added, outcome.sources.failed, outcome.sources.total) == (1, 2, 1)
    assert [name for name, _ in outcome.failures] == ["bad.pdf", "empty.md"]
    assert "2 files could not be read" in outcome.verdict.sentence
    assert {row.name: row.state for row in book.sources()} == {
        "bad.pdf": "failed",
        "good.txt": "indexed",
        "empty.md": "failed",
    }
    status = book.status()
    assert status.verdict.name is VerdictName.HIT
    assert [name for name, _ in status.failed] == ["bad.pdf", "empty.md"]
    # The same bytes fail the same way: they are named again, and nothing is built for them.
    again = notebook(tmp_path).add([file("bad.pdf", b"%PDF-1.7 nothing")])
    assert again.verdict.name is VerdictName.FAILED
    assert "bad.pdf" in again.verdict.sentence
    assert len(book.history()) == 1


def test_a_source_that_fails_keeps_its_chunks_and_is_named(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", text_of(3, 1)), file("b.txt", text_of(2, 2))])
    before = hits(opened(book).search("river stone"))
    outcome = book.add([file("a.txt", b"\0" * 400)])
    assert outcome.verdict.name is VerdictName.FAILED
    assert outcome.failures[0][0] == "a.txt"
    assert hits(opened(book).search("river stone")) == before
    status = book.status()
    assert status.verdict.name is VerdictName.SOURCE_ERROR
    assert "a.txt" in status.verdict.sentence
    row = next(row for row in book.sources() if row.name == "a.txt")
    assert (row.state, row.chunks) == ("failed", 3)
    assert "3 chunks of its former content stay" in row.why
    healed = notebook(tmp_path).add([file("a.txt", text_of(3, 1))])
    assert (healed.verdict.name, healed.chunks.embedded) == (VerdictName.UPDATED, 0)
    assert book.status().verdict.name is VerdictName.HIT


def test_what_another_recipe_kept_of_a_failed_source_is_not_counted_here(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", text_of(3, 1)), file("b.txt", text_of(2, 2))])
    book.add([file("a.txt", b"\0" * 400)])
    wider = notebook(settings(tmp_path, chunk_size=200), CountingEmbedding())
    outcome = wider.build()
    assert outcome.verdict.name is VerdictName.REBUILT
    assert [name for name, _ in outcome.failures] == ["a.txt"]
    assert (outcome.sources.total, outcome.sources.added, outcome.sources.changed) == (1, 1, 0)
    assert outcome.chunks.total == opened(wider).table.count == 1
    back = notebook(tmp_path).build()
    assert (back.verdict.name, back.chunks.total, back.sources.total) == (VerdictName.SWITCHED, 5, 2)
    assert opened(book).table.count == 5


def test_an_original_that_is_gone_is_a_failure_with_a_name(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", text_of(3, 1)), file("b.txt", text_of(2, 2))])
    for row in book.sources():
        if row.name == "a.txt":
            book.place.originals.path(row.digest).unlink()
    wider = notebook(settings(tmp_path, chunk_size=200), CountingEmbedding())
    outcome = wider.build()
    assert outcome.failures == (("a.txt", "The original is missing from the home. Add the file again."),)
    assert names(opened(wider).search("Entry")) == {"b.txt"}
    assert notebook(tmp_path).build().chunks.total == 5


def test_failing_in_the_middle_keeps_what_was_paid_and_the_old_snapshot(tmp_path):
    model = CountingEmbedding()
    book = notebook(tmp_path, model, batch_size=4)
    book.add([file("a.txt", text_of(3, 1))])
    before = hits(opened(book).search("river stone"))
    model.fail(len(model.seen) + CANARY + 10, QUOTA)  # in the third batch
    with pytest.raises(QuotaExceeded, match="spending limit"):
        book.add([file("b.txt", text_of(30, 2))])
    status = book.status()
    assert status.verdict.name is VerdictName.RESUMABLE
    assert "8 of 30 texts are paid for" in status.verdict.sentence
    assert status.verdict.snapshot == 1
    model.fail(None)
    assert hits(opened(book).search("river stone")) == before
    paid = total_chunks(model)
    outcome = book.build()
    assert outcome.verdict.name is VerdictName.RESUMED
    assert (outcome.chunks.embedded, outcome.chunks.total) == (22, 33)
    assert total_chunks(model) - paid == 22
    assert book.status().verdict.name is VerdictName.HIT
    assert names(opened(book).search("Entry 2-7")) >= {"b.txt"}


def test_failing_in_the_first_build_leaves_nothing_half_and_resumes(tmp_path):
    model = CountingEmbedding(fail_at=CANARY + 10, error=QUOTA)
    book = notebook(tmp_path, model, batch_size=4)
    for _ in range(3):
        with pytest.raises(QuotaExceeded):
            book.add([file("a.txt", text_of(20))])
        model.fail(len(model.seen) + CANARY + 6)
    assert book.history() == []
    assert book.status().verdict.name is VerdictName.RESUMABLE
    model.fail(None)
    outcome = book.add([file("a.txt", text_of(20))])
    assert outcome.verdict.name is VerdictName.RESUMED
    assert 0 < outcome.chunks.embedded <= 8
    assert len(list(folder_of(book).glob("index/*"))) == 1  # no debris of the attempts


def test_a_cancelled_build_stops_within_one_batch(tmp_path):
    model = CountingEmbedding()
    book = notebook(tmp_path, model, batch_size=2)
    told = []
    with pytest.raises(Cancelled):
        book.add(
            [file("a.txt", text_of(40))],
            on_event=told.append,
            cancelled=lambda: any(event.stage is Stage.EMBED and event.done >= 6 for event in told),
        )
    assert total_chunks(model) == 6
    assert book.status().verdict.name is VerdictName.RESUMABLE
    outcome = book.build()
    assert (outcome.verdict.name, outcome.chunks.embedded) == (VerdictName.RESUMED, 34)
    assert total_chunks(model) == 40


def test_cancelled_while_reading_embeds_nothing(tmp_path):
    model, told = CountingEmbedding(), []
    book = notebook(tmp_path, model)
    with pytest.raises(Cancelled):
        book.add(
            [file(f"{n}.txt", text_of(1, n)) for n in range(3)],
            on_event=told.append,
            cancelled=lambda: any(event.stage is Stage.READ for event in told),
        )
    assert model.calls == 0
    assert book.status().verdict.name is VerdictName.NEW
    assert book.status().registered == 3


def test_nothing_is_deleted_before_its_replacement_is_published(tmp_path):
    model = CountingEmbedding()
    book = notebook(tmp_path, model, batch_size=2)
    book.add([file("a.txt", text_of(4, 1)), file("b.txt", text_of(4, 2))])
    reader = opened(book)
    before = hits(reader.search("river stone"))
    model.fail(len(model.seen) + CANARY + 3, QUOTA)
    with pytest.raises(QuotaExceeded):
        book.add([file("a.txt", text_of(4, 3)), file("b.txt", text_of(4, 4))])
    model.fail(None)
    assert hits(reader.search("river stone")) == before  # a reader that was there all along
    assert hits(opened(book).search("river stone")) == before
    book.build()
    assert hits(reader.search("river stone")) == before
    assert hits(open_snapshot(book, 1).search("river stone")) == before
    assert not {one.text for one in opened(book).search("Entry", 50).passages} & {*paragraphs(4, 1), *paragraphs(4, 2)}


def test_rows_of_an_unpublished_build_are_not_in_the_next_one(tmp_path):
    model = CountingEmbedding()
    book = notebook(tmp_path, model)
    book.add([file("a.txt", text_of(3, 1))])
    told = []
    with pytest.raises(Cancelled):
        book.add(
            [file("a.txt", text_of(3, 5)), file("b.txt", text_of(3, 2))],
            on_event=told.append,
            cancelled=lambda: any(event.stage is Stage.VERIFY for event in told),  # rows are written, not published
        )
    assert opened(book).table.count == 3
    outcome = notebook(tmp_path).remove(["b.txt"])
    assert (outcome.chunks.total, opened(book).table.count) == (3, 3)
    assert {row.text for row in opened(book).table.rows_of_source(book.sources()[0].source_id)} == set(paragraphs(3, 5))


@pytest.mark.parametrize("damage", ["manifest", "table"])
def test_a_damaged_snapshot_is_recovered_for_nothing(tmp_path, damage):
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", text_of(3, 1))])
    before = hits(opened(book).search("river stone"))
    book.add([file("b.txt", text_of(3, 2))])
    whole = hits(opened(book).search("river stone"))
    head = book.history()[0]
    if damage == "manifest":
        path = folder_of(book) / "manifests" / "00000002.json"
        path.write_bytes(path.read_bytes()[:-40])
    else:
        older = {one.path for one in book.history()[1].tables["chunks"].files}
        new = [one.path for one in head.tables["chunks"].files if one.path not in older and "data/" in one.path]
        (folder_of(book) / head.tables["chunks"].path / new[0]).unlink()
    quiet = notebook(tmp_path)
    status = quiet.status()
    assert status.verdict.name is VerdictName.DAMAGED
    assert status.verdict.snapshot == 1
    assert ("00000002.json" if damage == "manifest" else "chunks.lance") in status.verdict.sentence
    assert opened(book).problems
    assert hits(opened(book).search("river stone")) == before  # the older snapshot answers
    outcome = quiet.build()
    assert outcome.verdict.name is VerdictName.RECOVERED
    assert outcome.verdict.receipt.calls == outcome.chunks.embedded == 0
    assert outcome.verdict.snapshot == 3
    assert "damage" in {change.code for change in outcome.verdict.changes}
    assert hits(opened(book).search("river stone")) == whole
    assert quiet.status().verdict.name is VerdictName.HIT


def test_the_only_snapshot_damaged_is_recovered_for_nothing_from_the_originals(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", text_of(3, 1))])
    whole = hits(opened(book).search("river stone"))
    shutil.rmtree(folder_of(book) / book.history()[0].tables["chunks"].path)
    quiet = notebook(tmp_path)
    assert quiet.status().verdict.name is VerdictName.DAMAGED
    with pytest.raises(Damaged, match="build again"):
        opened(quiet)
    assert quiet.build().verdict.name is VerdictName.RECOVERED
    assert hits(opened(book).search("river stone")) == whole


def test_building_with_nothing_in_it_asks_no_model(tmp_path):
    refused = notebook(tmp_path).add([], refused=[("x.txt", "It is not there.")])
    assert refused.verdict.name is VerdictName.FAILED
    assert refused.failures == (("x.txt", "It is not there."),)
    outcome = notebook(tmp_path).build()
    assert outcome.verdict.name is VerdictName.EMPTY
    assert (outcome.verdict.snapshot, outcome.space) == (None, None)
    assert notebook(tmp_path).history() == []


def test_emptied_and_filled_again(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", text_of(2))])
    quiet = notebook(tmp_path)
    assert quiet.remove(["a.txt"]).chunks.total == 0
    assert quiet.status().verdict.name is VerdictName.EMPTY
    assert opened(book).search("river").passages == ()
    assert answered(book, "river?").kind == "nothing relevant"
    assert quiet.add([file("a.txt", text_of(2))]).chunks.reused == 2


def test_busy_after_waiting_in_vain(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    told = []
    with lease(folder_of(book), wait_seconds=0), pytest.raises(Busy, match="building this notebook"):
        book.add([file("a.txt", "x")], wait_seconds=0.2, on_wait=told.append)
    assert len(told) == 1
    with lease(folder_of(book), wait_seconds=0), pytest.raises(Cancelled):
        book.add([file("a.txt", "x")], wait_seconds=60, cancelled=lambda: True)
    assert book.status().verdict.name is VerdictName.EMPTY


def test_the_same_library_built_twice_has_the_same_chunks(tmp_path):
    library = [file("a.txt", text_of(3, 1)), file("b.md", "# Title\n\n" + text_of(3, 2))]
    one, two = notebook(tmp_path / "1", CountingEmbedding()), notebook(tmp_path / "2", CountingEmbedding())
    first, second = one.add(library), two.add(library)
    assert (first.recipe, first.space) == (second.recipe, second.space)
    assert opened(one).table.reader().ids() == opened(two).table.reader().ids()
    assert hits(opened(one).search("river stone")) == hits(opened(two).search("river stone"))


def test_many_sources_go_in_groups(tmp_path):
    model = CountingEmbedding(dimensions=16)
    book = notebook(tmp_path, model, batch_size=512)
    long = "\n\n".join(
        f"Line {n} is about number {n} and nothing else at all in the whole wide world." for n in range(1500)
    )
    outcome = book.add([lying(tmp_path / "in" / f"{n}.txt", f"Part {n}.\n\n{long}") for n in range(3)])
    assert outcome.chunks.total == opened(book).table.count
    assert outcome.chunks.total > 2048
    assert outcome.chunks.embedded < outcome.chunks.total / 2
    assert total_chunks(model) == outcome.chunks.embedded
