"""Vectors of questions: remembered, checked once, never of another space."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rag.config import LOCAL_MODELS
from rag.embedding.adapter import QuestionEmbedding
from rag.embedding.factory import make_embedder
from rag.errors import BadKey, ModelError, ServerDown, SpaceRefused
from rag.notebook import Notebook
from rag.questions import Questions
from rag.spaces import Space, draft
from tests.doubles import CountingEmbedding, embedder_of
from tests.notebooks import CANARY, file, notebook, opened, settings


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
    embedding = QuestionEmbedding(questions_of(space, settings(tmp_path), model))
    assert embedding.model_name == "counting"
    assert np.allclose(embedding.get_query_embedding("what"), model.vector("what"), atol=1e-6)
    with pytest.raises(ModelError, match="never changes"):
        embedding.get_text_embedding("a text")
    with pytest.raises(ModelError, match="never changes"):
        embedding.get_text_embedding_batch(["a text"])
    assert "key" not in repr(embedding.to_dict()).lower()
    refusing = QuestionEmbedding(questions_of(space, settings(tmp_path, embed_model="x"), model))
    with pytest.raises(ModelError, match="words only"):
        refusing.get_query_embedding("what")


async def _asked(embedding):
    return await embedding.aget_query_embedding("what")


def test_asked_from_an_event_loop(tmp_path, space):
    import asyncio

    model = CountingEmbedding()
    embedding = QuestionEmbedding(questions_of(space, settings(tmp_path), model))
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
