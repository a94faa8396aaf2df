"""Answers that a language model writes: what it is sent, what is checked, how it ends."""

from __future__ import annotations

import re

from rag.asking.answering import ask
from rag.citing.answer import Answer
from rag.errors import ServerDown
from rag.storage.ledger import Ledger
from tests.doubles import CountingEmbedding, ScriptedLLM
from tests.notebooks import file, notebook, opened, paragraphs, text_of
from tests.rag.asking.owls import BREAD, OWLS, asked


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


def test_a_failed_language_model_keeps_the_passages(home):
    llm = ScriptedLLM("Owls hunt at ", error=ServerDown("The language model is down. Try again."))
    answer = asked(home, llm, "When do owls hunt at night?")
    assert (answer.kind, answer.text) == ("failed", "The language model is down. Try again.")
    assert answer.passages[0].text == OWLS
    assert answer.citations == ()
    assert "Until then it had written: Owls hunt at" in answer.notes


def test_stopped_by_the_user_keeps_what_had_come(home):
    pieces = []
    llm = ScriptedLLM("Owls hunt at night [1]. " * 50)
    stream = ask(
        opened(notebook(home, CountingEmbedding(), llm=llm)),
        "When do owls hunt at night?",
        cancelled=lambda: len(pieces) >= 5,
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
    stream = ask(opened(notebook(home, CountingEmbedding(), llm=llm)), "When do owls hunt at night?")
    assert next(stream) == "word "
    stream.close()
    assert list(stream) == []
    spent = Ledger(notebook(home, CountingEmbedding()).place.objects).entries()
    assert [one.purpose for one in spent].count("answer") == 1  # what was written until then may cost something


def test_half_a_surrogate_is_no_reason_to_break(home):
    answer = asked(home, ScriptedLLM("So [1]."), "When do owls \ud83d hunt at night?")
    assert answer.kind == "generated"
    answer.question.encode("utf-8")
