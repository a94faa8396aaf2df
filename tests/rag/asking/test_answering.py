"""Answers of every kind."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rag.asking.answering import writer_of
from rag.asking.frame import NOTHING
from tests.doubles import CountingEmbedding, ScriptedLLM
from tests.notebooks import answered, file, notebook, opened, settings
from tests.rag.asking.owls import asked


def test_nothing_relevant_is_not_a_failure_and_asks_no_language_model(home):
    llm = ScriptedLLM("I make things up.")
    for question in ("Quantum chromodynamics lattice gauge", "", "?!"):
        answer = asked(home, llm, question)
        assert (answer.kind, answer.text, answer.citations) == ("nothing relevant", NOTHING, ())
    assert llm.calls == 0
    assert asked(home, llm, "Quantum chromodynamics lattice gauge").passages  # what was nearest is shown all the same


def test_an_answer_of_an_older_state_says_so(home):
    book = notebook(home, CountingEmbedding())
    with pytest.raises(Exception, match="Stopped"):
        book.add([file("new.txt", "Something new.")], cancelled=iter([False, True]).__next__)
    assert answered(book, "When do owls hunt at night?").verdict == "STALE"
    wider = notebook(replace(settings(home), chunk_size=100), CountingEmbedding())
    assert answered(wider, "When do owls hunt at night?").verdict == "OTHER_RECIPE"


def test_who_writes_is_decided_by_the_settings(home):
    assert writer_of(opened(notebook(home, CountingEmbedding()))).name == "none"
    writer = writer_of(opened(notebook(home, CountingEmbedding(), llm=ScriptedLLM("So.", window=900))))
    assert (writer.name, writer.window) == ("scripted", 900)
