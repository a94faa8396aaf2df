"""Answers without a language model: sentences quoted, or none."""

from __future__ import annotations

import pytest

from rag.asking.frame import NOTHING
from rag.errors import BadKey
from rag.notebook import Notebook
from tests.doubles import CountingEmbedding, embedder_of
from tests.notebooks import answered, file, local_settings, notebook, opened, settings
from tests.rag.asking.owls import asked


def test_without_a_model_sentences_are_quoted(home):
    answer = asked(home, None, "When do owls hunt at night?")
    assert (answer.kind, answer.model) == ("extractive", "none")
    assert answer.text.startswith("Owls hunt at night. [1]")
    assert answer.citations[0].state == "verified"
    assert answer.citations[0].source == "owls.txt"
    assert (answer.snapshot, answer.verdict) == (1, "HIT")
    assert answer.space == "counting (openai-compatible, 64 dimensions)"
    assert len(answer.recipe_fp) == 64
    assert answer.asked.endswith("Z")
    assert answer.receipt.texts == 1  # a model that costs something does not score sentences


def test_with_a_model_that_costs_something_words_alone_decide_what_is_declined(home):
    question = "Where on Neptune do purple martians hibernate at night?"
    found = opened(notebook(home, CountingEmbedding())).search(question)
    assert found.passages[0].lexical  # something is found by a word of it
    answer = asked(home, None, question)
    assert (answer.kind, answer.text, answer.citations) == ("nothing relevant", NOTHING, ())
    assert answer.receipt.texts == 1


def test_a_missing_key_keeps_the_passages(home):
    def keyless(_):
        raise BadKey("OPENAI_API_KEY is not set.")

    book = Notebook(settings(home), make_embedder=lambda _: embedder_of(CountingEmbedding()), make_llm=keyless)
    answer = answered(book, "When do owls hunt at night?")
    assert (answer.kind, answer.text) == ("failed", "OPENAI_API_KEY is not set.")
    assert answer.passages


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Within how many days may units be returned?", "extractive"),
        ("What do opened kits get?", "extractive"),
        ("At which number does support answer?", "extractive"),
        ("refund period", "extractive"),
        ("Wie lange kann man Geräte zurückgeben?", "nothing relevant"),  # the embedded model knows English
        ("Who won the Super Bowl in 2016?", "nothing relevant"),
        ("What is the capital of Mongolia?", "nothing relevant"),
        ("How do I set the InnoDB buffer pool size in MySQL 8?", "nothing relevant"),
        ("How many prime numbers are there?", "nothing relevant"),
    ],
)
def test_a_notebook_of_one_short_document_answers_and_declines(tmp_path, question, kind):
    book = Notebook(local_settings(tmp_path))
    text = (
        "Units may be returned within 30 days of delivery for a full refund. Opened calibration kits are store credit "
        "only. Support answers at 555-0142."
    )
    book.add([file("handbook.txt", text)])
    answer = answered(book, question)
    assert answer.kind == kind
    assert all(one.quote in text for one in answer.citations)
