"""Promise 2: a text is paid for once. An edit costs the chunks it touches; a rename, a copy, a moved folder, a second
notebook, another recipe that cuts the same chunks and a removal undone cost nothing."""

from __future__ import annotations

import os
import re

from rag.manifest import VerdictName
from rag.models.tokens import tokenizer_for
from rag.reading.isolation import Readers
from rag.reading.splitting import split
from rag.sources.incoming import Incoming
from rag.wording.changes import sentence
from tests.doubles import CountingEmbedding
from tests.notebooks import (
    CANARY,
    file,
    hits,
    lying,
    names,
    notebook,
    opened,
    paragraphs,
    python,
    said,
    settings,
    text_of,
    total_chunks,
)


def test_uploading_the_same_again_costs_nothing_and_publishes_nothing(tmp_path):
    model = CountingEmbedding()
    book = notebook(tmp_path, model)
    book.add([file("a.txt", text_of(6))])
    calls, manifests = model.calls, book.history()
    outcome = notebook(tmp_path).add([file("a.txt", text_of(6))])
    assert outcome.verdict.name is VerdictName.UNCHANGED
    assert outcome.verdict.receipt.calls == 0
    assert (outcome.sources.unchanged, outcome.sources.added) == (1, 0)
    assert (outcome.chunks.embedded, outcome.chunks.reused) == (0, outcome.chunks.total)
    assert model.calls == calls
    assert book.history() == manifests


def test_touching_a_file_changes_nothing(tmp_path):
    path = tmp_path / "in" / "a.txt"
    home = tmp_path / "home"
    notebook(home, CountingEmbedding()).add([lying(path, text_of(4))])
    os.utime(path, (1, 1))
    outcome = notebook(home).add([Incoming("a.txt", path)])
    assert outcome.verdict.name is VerdictName.UNCHANGED


def test_a_renamed_file_and_a_moved_folder_keep_their_chunks(tmp_path):
    home, before, after = tmp_path / "home", tmp_path / "old", tmp_path / "new"
    book = notebook(home, CountingEmbedding())
    book.add([lying(before / "a.txt", text_of(4, 1)), lying(before / "b.txt", text_of(4, 2))])
    found = opened(book).table.reader().ids()
    before.rename(after)
    (after / "a.txt").rename(after / "z.txt")
    outcome = notebook(home).add([Incoming("z.txt", after / "z.txt"), Incoming("b.txt", after / "b.txt")])
    assert outcome.verdict.name is VerdictName.UPDATED
    assert outcome.sources.renamed == 1
    assert (outcome.sources.added, outcome.sources.changed, outcome.sources.removed) == (0, 0, 0)
    assert outcome.verdict.receipt.calls == 0
    assert [sentence(change) for change in outcome.verdict.changes] == ["renamed: a.txt → z.txt"]
    assert opened(book).table.reader().ids() == found
    assert [row.name for row in book.sources()] == ["z.txt", "b.txt"]

    # The place is remembered too, of files that only moved: the next rename is one as well, and no copy.
    (after / "b.txt").rename(after / "y.txt")
    outcome = notebook(home).add([Incoming("y.txt", after / "y.txt")])
    assert (outcome.sources.renamed, outcome.sources.added) == (1, 0)
    assert [row.name for row in book.sources()] == ["z.txt", "y.txt"]


def test_the_place_of_an_unchanged_file_is_the_last_one_it_was_added_from(tmp_path):
    home = tmp_path / "home"
    book = notebook(home, CountingEmbedding())
    book.add([lying(tmp_path / "first" / "a.txt", text_of(2))])
    assert book.add([lying(tmp_path / "second" / "a.txt", text_of(2))]).verdict.name is VerdictName.UNCHANGED
    assert book.status().verdict.name is VerdictName.HIT
    (tmp_path / "second" / "a.txt").rename(tmp_path / "second" / "b.txt")
    outcome = notebook(home).add([Incoming("b.txt", tmp_path / "second" / "b.txt")])
    assert (outcome.sources.renamed, outcome.sources.added) == (1, 0)


def test_a_copy_under_another_name_is_a_second_source_and_costs_nothing(tmp_path):
    home = tmp_path / "home"
    model = CountingEmbedding()
    book = notebook(home, model)
    one = lying(tmp_path / "a.txt", text_of(3))
    book.add([one])
    outcome = notebook(home).add([lying(tmp_path / "copy.txt", text_of(3))])
    assert (outcome.sources.added, outcome.sources.total) == (1, 2)
    assert outcome.chunks.embedded == 0
    assert outcome.verdict.receipt.calls == 0
    found = opened(book).search(paragraphs(1)[0])
    assert len({one.text for one in found.passages}) == len(found.passages)
    assert {found.passages[0].source, *found.passages[0].also_in} == {"a.txt", "copy.txt"}


def test_a_second_notebook_with_the_same_file_costs_nothing(tmp_path):
    notebook(tmp_path, CountingEmbedding()).add([file("a.txt", text_of(5))])
    other = notebook(tmp_path, slug="other")
    outcome = other.add([file("b.txt", text_of(5))])
    assert outcome.verdict.name is VerdictName.BUILT
    assert outcome.verdict.receipt.calls == 0
    assert outcome.chunks.reused == outcome.chunks.total == 5
    assert [row.name for row in other.sources()] == ["b.txt"]


def test_an_edited_paragraph_costs_the_chunks_it_touches(tmp_path):
    model = CountingEmbedding()
    book = notebook(tmp_path, model)
    parts = paragraphs(150)
    outcome = book.add([file("long.txt", "\n\n".join(parts))])
    assert outcome.chunks.total >= 150
    paid = total_chunks(model)
    parts[70] = "This paragraph was written anew and says something else entirely, at about the same length as before."
    outcome = book.add([file("long.txt", "\n\n".join(parts))])
    assert outcome.sources.changed == 1
    assert 1 <= outcome.chunks.embedded <= 3
    assert total_chunks(model) - paid == outcome.chunks.embedded
    assert outcome.verdict.receipt.texts == outcome.chunks.embedded
    assert outcome.chunks.reused == outcome.chunks.total - outcome.chunks.embedded
    del parts[10]
    outcome = book.add([file("long.txt", "\n\n".join(parts))])
    assert outcome.chunks.embedded <= 2
    assert "Entry 0-10 " not in "".join(row.text for row in _rows(book))


def _rows(book):
    snapshot = opened(book)
    return [row for source_id in snapshot.names for row in snapshot.table.rows_of_source(source_id)]


def test_the_same_text_in_two_sources_is_paid_for_once_and_shown_once(tmp_path):
    model = CountingEmbedding()
    book = notebook(tmp_path, model, batch_size=2)
    shared = text_of(4)
    outcome = book.add([file("a.txt", shared), file("b.txt", shared), file("c.txt", shared + "\n" + text_of(1, 9))])
    sent = [text for text in model.seen if text.startswith("Entry")]
    assert len(sent) == len(set(sent)) == outcome.chunks.embedded == 5
    assert outcome.chunks.total == 13
    assert sum(row.embedded for row in book.sources()) == 5
    for k in (1, 3, 8):
        found = opened(book).search(paragraphs(1)[0], k)
        assert len(found.passages) == len({one.text for one in found.passages}) <= k
        best = found.passages[0]
        assert best.text == paragraphs(1)[0]
        assert {best.source, *best.also_in} == {"a.txt", "b.txt", "c.txt"}


def test_another_chunk_size_pays_only_for_texts_that_are_new(tmp_path):
    model = CountingEmbedding()
    short = "A note that fits any chunk.\n"
    library = [file("short.txt", short), file("long.txt", text_of(8))]
    notebook(tmp_path, model).add(library)
    config = settings(tmp_path, chunk_size=120)
    wider = notebook(config, model)
    status = wider.status()
    assert status.verdict.name is VerdictName.OTHER_RECIPE
    assert [sentence(change) for change in status.verdict.changes] == ["size of chunks, in tokens: 48 → 120"]
    before = list(model.seen)
    outcome = wider.build()
    assert outcome.verdict.name is VerdictName.REBUILT
    new = [text for text in model.seen[len(before) :] if text.startswith(("Entry", "A note"))]
    assert not set(new) & set(before)
    assert outcome.chunks.embedded == len(new)
    assert outcome.chunks.reused >= 1
    back = notebook(tmp_path).build()  # raises if called
    assert back.verdict.name is VerdictName.SWITCHED
    assert back.verdict.receipt.calls == 0


def test_settings_that_change_no_vector_change_nothing(tmp_path):
    from rag.config import Secret
    from rag.models.endpoint import Patience

    notebook(tmp_path, CountingEmbedding()).add([file("a.txt", text_of(3))])
    for changes in (
        {"llm": "openai", "llm_model": "gpt-4.1-mini"},
        {"api_key": Secret("sk-another")},
        {"embed_base_url": "http://127.0.0.1:10/v2"},
        {"llm_base_url": "http://127.0.0.1:11/v1"},
        {"keep_snapshots": 3, "keep_days": 1},
        {"batch_size": 2},
        {"patience": Patience(seconds=1.0, attempts=1)},
    ):
        sending = {name: changes.pop(name) for name in ("batch_size", "patience") if name in changes}
        book = notebook(settings(tmp_path, **changes), **sending)
        assert book.status().verdict.name is VerdictName.HIT
        assert book.build().verdict.name is VerdictName.UNCHANGED
    slower = notebook(tmp_path, CountingEmbedding(), batch_size=1)
    assert slower.add([file("b.txt", text_of(2, 2))]).chunks.embedded == 2
    assert len(slower.spaces()) == len({one.recipe_fp for one in slower.history()}) == 1
    one, eight = opened(notebook(tmp_path, CountingEmbedding())), opened(notebook(tmp_path, CountingEmbedding()))
    assert hits(one.search("river stone", 1)) == hits(eight.search("river stone", 8))[:1]


def test_removed_and_added_again_costs_nothing(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", text_of(3, 1)), file("b.txt", text_of(3, 2))])
    before = hits(opened(book).search("river stone"))
    quiet = notebook(tmp_path)
    gone = quiet.remove(["a.txt"])
    assert gone.verdict.name is VerdictName.UPDATED
    assert (gone.sources.removed, gone.sources.total) == (1, 1)
    assert gone.verdict.receipt.calls == 0
    assert names(opened(book).search("river stone Entry 1-0")) == {"b.txt"}
    back = quiet.add([file("a.txt", text_of(3, 1))])
    assert back.verdict.receipt.calls == 0
    assert (back.sources.added, back.sources.total) == (1, 2)
    assert sorted(hits(opened(book).search("river stone"))) == sorted(before)


def test_two_processes_adding_at_once_pay_once_and_lose_nothing(tmp_path):
    script = """
        import json, sys
        from pathlib import Path
        from tests.doubles import CountingEmbedding
        from tests.notebooks import file, notebook, text_of, total_chunks
        home, mine = Path(sys.argv[1]), int(sys.argv[2])
        model = CountingEmbedding()
        book = notebook(home, model, batch_size=4)
        waited = []
        outcome = book.add([file(f"own{mine}.txt", text_of(30, mine)), file(f"shared{mine}.txt", text_of(30, 99))],
            on_wait=waited.append)
        print(json.dumps([outcome.verdict.name, total_chunks(model), waited]))
        """
    children = [python(script, tmp_path, mine) for mine in (1, 2)]
    (first, paid, _), (second, also_paid, _) = (said(child) for child in children)
    assert {first, second} == {"BUILT", "UPDATED"}
    assert paid + also_paid == 90  # the 30 shared texts once
    book = notebook(tmp_path)
    assert {row.name for row in book.sources()} == {"own1.txt", "own2.txt", "shared1.txt", "shared2.txt"}
    assert [(one.snapshot, one.parent) for one in book.history()] == [(2, 1), (1, None)]
    assert book.status().counts.chunks == 120
    assert book.status().verdict.name is VerdictName.HIT


def test_what_the_model_is_sent_is_the_headings_and_the_text_and_no_name(tmp_path):
    model = CountingEmbedding()
    text = "# Harvest\n\nApples ripen in autumn.\n\n## Storage\n\nKeep them cool.\n"
    config = settings(tmp_path, chunk_size=32)
    notebook(config, model).add([file("secret-name.md", text)])
    (tmp_path / "x.md").write_text(text)
    with Readers() as readers:
        reading = readers.read("x.md", tmp_path / "x.md")
    pieces = split(reading, size=32, overlap=0, offsets=tokenizer_for(config).count_offsets)
    assert sorted(model.seen[CANARY:]) == sorted(piece.embed_text for piece in pieces)
    assert not any(re.search("secret-name", text) for text in model.seen)
