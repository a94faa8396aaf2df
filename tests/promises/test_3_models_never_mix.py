"""Promise 3: models never mix. Another model under the same name is refused before the first answer and before a build
adds anything; a changed setting meets an empty place, and switching back costs nothing."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from pydantic import PrivateAttr

from rag.asking.answering import ask
from rag.errors import ModelError, ServerDown, SpaceRefused
from rag.manifest import VerdictName
from rag.notebook import Notebook, open_snapshot
from rag.tables.vectors import VectorCache
from rag.wording.changes import sentence
from tests.doubles import CountingEmbedding, embedder_of
from tests.notebooks import (
    CANARY,
    answered,
    file,
    hits,
    local_settings,
    notebook,
    opened,
    python,
    said,
    settings,
    text_of,
    total_chunks,
)
from tests.waiting import CEILING


def vectors(book):
    """How many vectors each space holds."""
    return {one["model"]: one["vectors"] for one in book.spaces()}


def test_there_and_back_again(tmp_path):
    a, b = CountingEmbedding(), CountingEmbedding(seed=1)
    first = notebook(tmp_path, a)
    first.add([file("a.txt", text_of(5))])
    found = hits(opened(first).search("river stone"))

    config = settings(tmp_path, embed_model="other")
    second = notebook(config, b)
    status = second.status()
    assert status.verdict.name is VerdictName.OTHER_RECIPE
    assert [sentence(change) for change in status.verdict.changes] == ["embedding model: counting → other"]
    assert "counting → other" in status.verdict.sentence
    assert "beside" in status.verdict.next_step
    assert b.calls == 0

    built = second.build()
    assert built.verdict.name is VerdictName.REBUILT
    assert (built.chunks.embedded, built.chunks.total) == (5, 5)
    assert "embedding model: counting → other" in [sentence(change) for change in built.verdict.changes]
    assert second.status().verdict.name is VerdictName.HIT
    assert vectors(second) == {"counting": 5, "other": 5}

    back = notebook(tmp_path)  # raises if called
    status = back.status()
    assert status.verdict.name is VerdictName.OTHER_RECIPE
    assert "snapshot 1" in status.verdict.next_step
    switched = back.build()
    assert switched.verdict.name is VerdictName.SWITCHED
    assert switched.verdict.receipt.calls == switched.verdict.receipt.canary_texts == switched.chunks.embedded == 0
    assert [(one.snapshot, one.verdict) for one in back.history()] == [(3, "SWITCHED"), (2, "REBUILT"), (1, "BUILT")]
    assert back.status().verdict.name is VerdictName.HIT
    assert hits(opened(notebook(tmp_path, CountingEmbedding())).search("river stone")) == found


def test_switching_back_takes_new_sources_along_and_pays_for_them_only(tmp_path):
    notebook(tmp_path, CountingEmbedding()).add([file("a.txt", text_of(5, 1))])
    other = notebook(settings(tmp_path, embed_model="other"), CountingEmbedding(seed=1))
    other.add([file("b.txt", text_of(3, 2))])
    model = CountingEmbedding()
    book = notebook(tmp_path, model)
    outcome = book.build()
    assert outcome.verdict.name is VerdictName.REBUILT
    assert (outcome.chunks.total, outcome.chunks.embedded, total_chunks(model)) == (8, 3, 3)
    assert opened(book).table.count == 8


def test_a_question_goes_to_the_space_of_the_snapshot_or_by_words_and_says_so(tmp_path):
    notebook(tmp_path, CountingEmbedding()).add([file("a.txt", text_of(5))])
    model = CountingEmbedding(seed=1)
    book = notebook(settings(tmp_path, embed_model="other"), model)
    found = opened(book).search("Entry 0-3 tells")
    assert "0-3" in found.passages[0].text
    assert all(one.dense is None for one in found.passages)
    assert "by words only" in found.notes[0]
    assert "counting" in found.notes[0]
    assert found.receipt.calls == 0
    assert model.calls == 0
    answer = answered(book, "What does Entry 0-3 tell of?")
    assert answer.verdict is VerdictName.OTHER_RECIPE
    assert "by words only" in answer.notes[0]
    # llama-index's own retriever has no other way than a vector, so it is refused.
    with pytest.raises(ModelError, match="words only"):
        opened(book).index.as_retriever().retrieve("Entry")
    assert model.calls == 0


def test_another_model_under_the_same_name_is_refused_before_the_first_answer(tmp_path):
    notebook(tmp_path, CountingEmbedding()).add([file("a.txt", text_of(3))])
    impostor = CountingEmbedding(seed=1)
    book = notebook(tmp_path, impostor)
    assert book.status().verdict.name is VerdictName.HIT  # looking asks nobody
    snapshot = opened(book)
    for attempt in (1, 2):
        with pytest.raises(SpaceRefused, match="another one") as caught:
            snapshot.search("river stone")
        assert "Nothing was mixed" in str(caught.value)
        assert impostor.texts == attempt * CANARY
    with pytest.raises(SpaceRefused):
        next(ask(snapshot, "river stone"))
    with pytest.raises(SpaceRefused):
        snapshot.index.as_retriever().retrieve("river stone")
    assert impostor.queries == 0
    assert opened(notebook(tmp_path, CountingEmbedding())).search("river stone").passages


def test_another_model_under_the_same_name_is_refused_before_a_build_adds_anything(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", text_of(3))])
    before, history, table = vectors(book), book.history(), opened(book).table.version
    impostor = CountingEmbedding(seed=1)
    with pytest.raises(SpaceRefused):
        notebook(tmp_path, impostor).add([file("b.txt", text_of(3, 2))])
    assert impostor.texts == CANARY
    assert vectors(book) == before
    assert book.history() == history
    assert opened(book).table.version == table
    assert book.status().verdict.name is VerdictName.REFUSED  # noted, so that no call is needed to say it
    assert opened(book).search("river stone").passages
    outcome = book.build()
    assert outcome.verdict.name is VerdictName.UPDATED
    assert (outcome.sources.total, outcome.chunks.embedded) == (2, 3)


@pytest.mark.parametrize("dimensions", [32, 65])
def test_a_changed_dimension_is_refused(tmp_path, dimensions):
    notebook(tmp_path, CountingEmbedding()).add([file("a.txt", text_of(3))])
    other = notebook(tmp_path, CountingEmbedding(dimensions=dimensions))
    with pytest.raises(SpaceRefused, match=f"{dimensions} dimensions"):
        opened(other).search("river stone")
    with pytest.raises(SpaceRefused, match=f"{dimensions} dimensions"):
        other.add([file("b.txt", text_of(3, 2))])
    assert vectors(other) == {"counting": 3}


def test_dimensions_asked_for_are_another_space(tmp_path):
    notebook(tmp_path, CountingEmbedding()).add([file("a.txt", text_of(3))])
    book = notebook(settings(tmp_path, embed_dimensions=32), CountingEmbedding(dimensions=32))
    assert [sentence(change) for change in book.status().verdict.changes] == ["dimensions of the vectors: 64 → 32"]
    assert book.build().verdict.name is VerdictName.REBUILT
    assert sorted(one["dimensions"] for one in book.spaces()) == [32, 64]


def test_the_same_model_at_another_address_is_the_same_space(tmp_path):
    notebook(tmp_path, CountingEmbedding()).add([file("a.txt", text_of(3))])
    model = CountingEmbedding()
    book = notebook(settings(tmp_path, embed_base_url="http://127.0.0.1:99/v1"), model)
    assert book.status().verdict.name is VerdictName.HIT
    outcome = book.add([file("b.txt", text_of(2, 2))])
    assert outcome.verdict.name is VerdictName.UPDATED
    assert (total_chunks(model), model.texts) == (2, 2 + CANARY)
    assert len(book.spaces()) == 1


def test_every_vector_in_a_cache_is_of_its_model(tmp_path):
    a, b = CountingEmbedding(), CountingEmbedding(seed=1)
    notebook(tmp_path, a).add([file("a.txt", text_of(4))])
    book = notebook(settings(tmp_path, embed_model="other"), b)
    book.build()
    snapshots = {one.snapshot: one for one in book.history()}
    for number, model in ((1, a), (2, b)):
        from rag.notebook import open_snapshot

        opened_then = open_snapshot(book, number)
        assert opened_then.table.space == snapshots[number].space_fp
        (source_id,) = opened_then.names
        for row in opened_then.table.rows_of_source(source_id, with_vectors=True):
            assert np.allclose(row.vector, model.vector(row.text), atol=1e-6)
    assert len({one.space_fp for one in snapshots.values()}) == 2
    for space in book.place.spaces.all():
        folder = book.place.objects.root / book.place.spaces.folder(space.fingerprint)
        assert len(VectorCache(folder, space.dimensions)) == 4


def test_the_embedded_model_answers_for_its_own_snapshot_whatever_the_settings_name(tmp_path):
    Notebook(local_settings(tmp_path)).add([file("bread.txt", "Bread dough rises because yeast makes carbon dioxide.")])
    model = CountingEmbedding()
    from rag.models.factory import make_embedder

    def made(config):
        return make_embedder(config) if config.embedder == "local" else embedder_of(model)

    book = Notebook(settings(tmp_path), make_embedder=made)
    status = book.status()
    assert status.verdict.name is VerdictName.OTHER_RECIPE
    assert "embedder.provider" in {change.text("choice") for change in status.verdict.changes}
    found = opened(book).search("What makes dough rise?")
    assert found.notes == ()
    assert found.passages[0].dense > 0.4
    assert model.calls == 0


def test_shortened_vectors_are_another_space(tmp_path):
    """Left to the model, then shortened, then left to the model again: the third step calls nothing and opens."""
    home = tmp_path / "home"
    text = text_of(3)
    full, short = CountingEmbedding(dimensions=64), CountingEmbedding(dimensions=32)
    notebook(settings(home), full).add([file("a.txt", text)])
    made = notebook(settings(home, embed_dimensions=32), short).build()
    assert made.chunks.embedded == made.chunks.total > 0
    again = notebook(settings(home))
    assert again.build().verdict.name == "SWITCHED"
    assert again.status().verdict.name == "HIT"
    asking = notebook(settings(home), CountingEmbedding(dimensions=64))
    assert open_snapshot(asking).search("river").passages


def test_another_model_under_the_same_name_and_back_again(tmp_path):
    """A server changes its model behind one name, and back: each time the canary alone finds the saved space."""
    notebook(tmp_path, CountingEmbedding()).add([file("a.txt", text_of(5))])
    found = hits(opened(notebook(tmp_path, CountingEmbedding())).search("river stone"))
    other = notebook(tmp_path, CountingEmbedding(seed=1))
    with pytest.raises(SpaceRefused):
        other.add([file("b.txt", text_of(2, 2))])
    assert other.remove(["b.txt"]).verdict.name is VerdictName.REFUSED  # removed, and said what keeps it from answering
    other.new_space()
    assert other.build().verdict.name is VerdictName.REBUILT
    back = CountingEmbedding()
    book = notebook(tmp_path, back)
    with pytest.raises(SpaceRefused):  # a third one is refused by both, and that is no reason to guess
        opened(notebook(tmp_path, CountingEmbedding(seed=2))).search("river stone")
    assert book.status().verdict.name is VerdictName.REFUSED
    outcome = book.build()
    assert outcome.verdict.name is VerdictName.SWITCHED
    receipt = outcome.verdict.receipt
    assert (receipt.texts, receipt.canary_texts, back.texts, outcome.chunks.embedded) == (0, CANARY, CANARY, 0)
    assert book.status().verdict.name is VerdictName.HIT
    assert hits(opened(book).search("river stone")) == found
    # And once more, noticed by the first question instead: answered by words, then switched without any call.
    model = CountingEmbedding(seed=1)
    again = notebook(tmp_path, model)
    assert "saved space of its own" in opened(again).search("river stone").notes[0]
    assert (model.texts, model.queries) == (CANARY, 0)
    status = notebook(tmp_path).status()
    assert status.verdict.name is VerdictName.OTHER_RECIPE
    assert "Switch" in status.verdict.next_step
    assert notebook(tmp_path).build().verdict.name is VerdictName.SWITCHED
    assert opened(again).search("river stone").notes == ()


def test_after_refused_a_build_with_nothing_to_do_says_what_looking_says(tmp_path):
    notebook(tmp_path, CountingEmbedding()).add([file("a.txt", text_of(3))])
    model = CountingEmbedding(seed=1)
    book = notebook(tmp_path, model)
    with pytest.raises(SpaceRefused):
        opened(book).search("river stone")
    history = book.history()
    outcome = book.build()
    assert outcome.verdict.name is book.status().verdict.name is VerdictName.REFUSED
    assert "another one" in outcome.verdict.sentence
    assert "--new-space" in outcome.verdict.next_step
    assert (outcome.verdict.receipt.canary_texts, book.history(), model.texts) == (CANARY, history, 2 * CANARY)
    down = CountingEmbedding(fail_at=1, error=ServerDown("No connection. Try again."))
    outcome = notebook(tmp_path, down).build()
    assert outcome.verdict.name is book.status().verdict.name is VerdictName.REFUSED
    assert "No connection" in outcome.verdict.sentence
    right = CountingEmbedding()
    outcome = notebook(tmp_path, right).build()
    assert outcome.verdict.name is VerdictName.UNCHANGED
    assert "No model was called" not in outcome.verdict.sentence
    receipt = outcome.verdict.receipt
    assert (receipt.texts, receipt.canary_texts, right.texts) == (0, CANARY, CANARY)
    assert book.status().verdict.name is VerdictName.HIT
    quiet = notebook(tmp_path).build()  # and from now on nobody is asked
    assert (quiet.verdict.name, quiet.verdict.receipt.calls) == (VerdictName.UNCHANGED, 0)
    assert "No model was called" in quiet.verdict.sentence


class Held(CountingEmbedding):
    """A model that stops before its first chunk until it is let go on."""

    _arrived: threading.Event = PrivateAttr(default_factory=threading.Event)
    _go_on: threading.Event = PrivateAttr(default_factory=threading.Event)

    def _get_text_embeddings(self, texts):
        if texts[0].startswith("Entry"):
            self._arrived.set()
            assert self._go_on.wait(CEILING)
        return super()._get_text_embeddings(texts)


ASKING = """
import json, sys
from rag.wording.changes import sentence
from tests.doubles import CountingEmbedding
from tests.notebooks import notebook, opened, answered, settings

home, model = sys.argv[1:]
embedding = CountingEmbedding(model_name=model, seed=0)
book = notebook(settings(home, embed_model=model), embedding)
answer = answered(book, "What does Entry 0-3 tell of?")
status = book.status().verdict
print(json.dumps({
    "snapshot": answer.snapshot, "verdict": answer.verdict, "space": answer.space, "notes": list(answer.notes),
    "dense": [one.dense is not None for one in answer.passages], "first": answer.passages[0].text,
    "status": status.name, "sentence": status.sentence, "changes": [sentence(one) for one in status.changes],
    "asked": embedding.queries,
}))
"""


def test_while_another_space_is_built_questions_are_answered_from_the_old_one_and_say_so(tmp_path):
    notebook(tmp_path, CountingEmbedding()).add([file("a.txt", text_of(5))])
    model = Held(seed=1)
    building = notebook(settings(tmp_path, embed_model="other"), model)
    outcomes = []
    thread = threading.Thread(target=lambda: outcomes.append(building.build()))
    thread.start()
    try:
        assert model._arrived.wait(CEILING)
        told = {name: said(python(ASKING, tmp_path, name)) for name in ("counting", "other")}
        here = opened(notebook(tmp_path, CountingEmbedding())).search("What does Entry 0-3 tell of?")
    finally:
        model._go_on.set()
        thread.join()
    for one in told.values():
        assert (one["snapshot"], one["verdict"], one["status"]) == (1, "BUSY", "BUSY")
        assert one["space"].startswith("counting ")
        assert "Snapshot 1 keeps answering" in one["sentence"]
        assert "0-3" in one["first"]
    old, new = told["counting"], told["other"]
    assert (old["notes"], all(old["dense"]), old["asked"]) == ([], True, 1)
    assert (any(new["dense"]), new["asked"]) == (False, 0)  # the vectors of one space, never a question of the other
    assert "built with counting" in new["notes"][0]
    assert new["changes"] == ["embedding model: counting → other"]
    assert (here.snapshot, here.passages[0].text) == (1, old["first"])
    assert outcomes[0].verdict.name is VerdictName.REBUILT
    assert notebook(settings(tmp_path, embed_model="other")).status().verdict.name is VerdictName.HIT
    assert opened(building).search("What does Entry 0-3 tell of?").snapshot == 2


def test_a_notebook_that_was_never_built_with_the_answering_model_is_not_built_anew_unasked(tmp_path):
    """The model changed, and another notebook has a space for it already: known is not the same as wanted here."""
    first = notebook(tmp_path, CountingEmbedding())
    first.add([file("a.txt", text_of(5))])
    changed = CountingEmbedding(seed=1)
    second = notebook(tmp_path, changed, slug="second")
    second.new_space()
    second.add([file("c.txt", text_of(1, 3))])
    opened(first).search("river stone")  # by the old model, which is the one that answered last
    with pytest.raises(SpaceRefused):
        opened(notebook(tmp_path, CountingEmbedding(seed=2))).search("river stone")
    book = notebook(tmp_path, changed)
    before = total_chunks(changed)
    idle = book.build()
    assert idle.verdict.name is book.status().verdict.name is VerdictName.OTHER_RECIPE
    assert "never built in" in idle.verdict.sentence
    assert (len(book.history()), total_chunks(changed)) == (1, before)
    opened(first).search("river stone")
    with pytest.raises(SpaceRefused, match="never built in"):
        book.add([file("b.txt", text_of(2, 2))])
    assert total_chunks(changed) == before
    status = book.status()
    assert status.verdict.name is VerdictName.OTHER_RECIPE
    assert "variant of the embedding model behind its name: 0 → 1" in [
        sentence(change) for change in status.verdict.changes
    ]
    assert book.estimate().texts == 7
    assert book.build().chunks.embedded == 7
    assert book.status().verdict.name is VerdictName.HIT
