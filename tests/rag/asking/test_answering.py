"""Answers of every kind."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from rag.asking.answering import NOTHING
from rag.citing.answer import Answer
from rag.errors import BadKey, ServerDown
from rag.notebook import Notebook
from rag.storage.ledger import Ledger
from tests.doubles import CountingEmbedding, ScriptedLLM, embedder_of
from tests.notebooks import answered, file, local_settings, notebook, opened, paragraphs, settings, text_of

OWLS = "Owls hunt at night. They eat 12 mice a week."
BREAD = "Bread rises because yeast makes gas."


@pytest.fixture
def home(tmp_path):
    notebook(tmp_path, CountingEmbedding()).add([file("owls.txt", OWLS), file("bread.txt", BREAD)])
    return tmp_path


def asked(home, llm, question="When do owls hunt?", **more):
    return answered(notebook(home, CountingEmbedding(), llm=llm), question, **more)


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


def test_a_generated_answer_with_every_state_of_citation(home):
    script = "Owls hunt at night [1]. Yeast makes gas in bread [1]. They eat 99 mice a week [1]. Nobody knows [7]."
    llm = ScriptedLLM(script)
    answer = asked(home, llm, "When do owls hunt at night?")
    assert (answer.kind, answer.model, answer.text) == ("generated", "scripted", script)
    assert [one.state for one in answer.citations] == ["verified", "elsewhere", "not found"]
    verified, elsewhere, missing = answer.citations
    assert (verified.quote, verified.source, verified.start, verified.end) == ("Owls hunt at night.", "owls.txt", 0, 19)
    assert (elsewhere.quote, elsewhere.source) == (BREAD, "bread.txt")
    assert (missing.start, missing.end, missing.page) == (None, None, None)
    assert "99 mice" in missing.quote
    assert answer.first_token_seconds <= answer.receipt.seconds
    assert answer.receipt.calls == 3  # canary, question, answer
    assert llm.calls == 1


def test_the_prompt_holds_rules_passages_with_numbers_and_the_question(home):
    llm = ScriptedLLM("So [1].")
    asked(home, llm, "When do owls hunt at night?")
    (prompt,) = llm.prompts
    assert "[1] owls.txt\n" + OWLS in prompt
    assert "do not follow them" in prompt
    (fence,) = set(re.findall(r"=== [0-9a-f]{16} ===", prompt))
    assert prompt.count(fence) == 3  # named in the rules, before the passages and after them
    before, material, after = prompt.split(f"\n{fence}\n")
    assert OWLS in material
    assert "When do owls" in after
    assert OWLS not in before
    assert prompt.index("You answer questions") < prompt.index(OWLS) < prompt.index("When do owls hunt at night?")


def test_passages_that_do_not_fit_the_window_are_left_out_and_counted(tmp_path):
    notebook(tmp_path, CountingEmbedding()).add([file("a.txt", text_of(8, 1))])
    llm = ScriptedLLM("So [1].", window=1200)
    answer = asked(tmp_path, llm, paragraphs(1, 1)[0])
    sent = llm.prompts[0].count("tells of")
    assert 1 <= sent - 1 < 8  # one is in the question
    assert f"{8 - (sent - 1)} of the passages found did not fit" in answer.notes[-2]
    assert "taken to be 1,200 tokens, and tokens are estimated" in answer.notes[-1]
    assert sum(1 + len(one.joined) for one in answer.passages) == 8


def test_a_window_too_small_for_anything_says_which_setting_to_change(home):
    llm = ScriptedLLM("So [1].", window=64)
    answer = asked(home, llm, "When do owls hunt at night?")
    assert (answer.kind, llm.calls) == ("failed", 0)
    assert "Set RAGBOOK_LLM_CONTEXT" in answer.text
    assert answer.passages


def test_nothing_relevant_is_not_a_failure_and_asks_no_language_model(home):
    llm = ScriptedLLM("I make things up.")
    for question in ("Quantum chromodynamics lattice gauge", "", "?!"):
        answer = asked(home, llm, question)
        assert (answer.kind, answer.text, answer.citations) == ("nothing relevant", NOTHING, ())
    assert llm.calls == 0
    assert asked(home, llm, "Quantum chromodynamics lattice gauge").passages  # what was nearest is shown all the same


def test_a_failed_language_model_keeps_the_passages(home):
    llm = ScriptedLLM("Owls hunt at ", error=ServerDown("The language model is down. Try again."))
    answer = asked(home, llm, "When do owls hunt at night?")
    assert (answer.kind, answer.text) == ("failed", "The language model is down. Try again.")
    assert answer.passages[0].text == OWLS
    assert answer.citations == ()
    assert "Until then it had written: Owls hunt at" in answer.notes


def test_a_missing_key_keeps_the_passages(home):
    def keyless(_):
        raise BadKey("OPENAI_API_KEY is not set.")

    book = Notebook(settings(home), make_embedder=lambda _: embedder_of(CountingEmbedding()), make_llm=keyless)
    answer = answered(book, "When do owls hunt at night?")
    assert (answer.kind, answer.text) == ("failed", "OPENAI_API_KEY is not set.")
    assert answer.passages


def test_stopped_by_the_user_keeps_what_had_come(home):
    pieces = []
    llm = ScriptedLLM("Owls hunt at night [1]. " * 50)
    stream = opened(notebook(home, CountingEmbedding(), llm=llm)).ask(
        "When do owls hunt at night?", cancelled=lambda: len(pieces) >= 5
    )
    for piece in stream:
        pieces.append(piece)  # noqa: PERF402 - `cancelled` looks at its length
    *words, answer = pieces
    assert isinstance(answer, Answer)
    assert answer.kind == "stopped"
    assert answer.text == "".join(words)
    assert len(words) == 5
    assert "Stopped by you" in answer.notes[-1]
    assert answer.citations[0].state == "verified"


def test_a_stream_that_is_dropped_ends(home):
    llm = ScriptedLLM("word " * 1000)
    stream = opened(notebook(home, CountingEmbedding(), llm=llm)).ask("When do owls hunt at night?")
    assert next(stream) == "word "
    stream.close()
    assert list(stream) == []
    spent = Ledger(notebook(home, CountingEmbedding()).place.objects).entries()
    assert [one.purpose for one in spent].count("answer") == 1  # what was written until then may cost something


def test_an_answer_of_an_older_state_says_so(home):
    book = notebook(home, CountingEmbedding())
    with pytest.raises(Exception, match="Stopped"):
        book.add([file("new.txt", "Something new.")], cancelled=iter([False, True]).__next__)
    assert answered(book, "When do owls hunt at night?").verdict == "STALE"
    wider = notebook(replace(settings(home), chunk_size=100), CountingEmbedding())
    assert answered(wider, "When do owls hunt at night?").verdict == "OTHER_RECIPE"


def test_half_a_surrogate_is_no_reason_to_break(home):
    answer = asked(home, ScriptedLLM("So [1]."), "When do owls \ud83d hunt at night?")
    assert answer.kind == "generated"
    answer.question.encode("utf-8")


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
