"""Trials: rows, totals, what they call and pay for, stopping, two sides."""

from __future__ import annotations

import pytest

from rag.errors import ServerDown
from rag.evaluation.question_set import Question, QuestionSet
from rag.evaluation.totals import total
from rag.evaluation.trial import Side, Trial
from rag.notebook import open_snapshot
from rag.storage.ledger import Ledger
from tests.doubles import CountingEmbedding, ScriptedLLM
from tests.notebooks import CANARY, file, notebook, settings

OWLS = "Owls hunt at night. They eat 12 mice a week."
BREAD = "Bread rises because yeast makes gas."
SET = QuestionSet(
    "birds.jsonl",
    (
        Question("owls", "When do owls hunt at night?", ("owls.txt",), ("at night", "after dark")),
        Question("bread", "Why does bread rise?", ("bread.txt", "gone.txt"), ("magic",)),
        Question("mars", "zzqx wvut", None, ()),
        Question("open", "What do owls eat?"),
    ),
)


@pytest.fixture
def home(tmp_path):
    notebook(tmp_path, CountingEmbedding()).add([file("owls.txt", OWLS), file("bread.txt", BREAD)])
    return tmp_path


def side(book, snapshot=None, label="this"):
    return Side(open_snapshot(book, snapshot), label)


def ran(book, questions=SET, **more):
    trial = Trial(questions, side(book), **more)
    trial.run()
    return trial


def test_a_row_says_what_became_of_its_question(home):
    trial = ran(notebook(home, CountingEmbedding()))
    owls, bread, mars, opened = trial.side(0)
    assert (owls.kind, owls.rank, owls.ranking[0]) == ("extractive", 1, "owls.txt")
    assert owls.scores == {
        "recall": 1.0, "mrr": 1.0, "ndcg": 1.0, "contains": 1.0, "verified": 1.0, "as_expected": 1.0
    }  # fmt: skip
    assert owls.citations.keys() == {"verified"}
    assert bread.scores["recall"] == 0.5
    assert bread.scores["contains"] == 0.0
    assert (mars.kind, mars.scores) == ("nothing relevant", {"as_expected": 1.0})
    assert opened.scores.keys() <= {"verified"}
    assert trial.unknown_sources() == {"this": ["gone.txt"]}
    assert not trial.stopped


def test_totals_are_means_over_the_questions_that_have_the_measure(home):
    rows = ran(notebook(home, CountingEmbedding())).side(0)
    summed = total(rows)
    assert summed.questions == 4
    assert (summed.means["recall"].value, summed.means["recall"].questions) == (0.75, 2)
    assert (summed.means["contains"].value, summed.means["contains"].questions) == (0.5, 2)
    assert (summed.means["as_expected"].value, summed.means["as_expected"].questions) == (1.0, 3)
    assert (summed.declined, summed.declined_wrongly) == (1, 0)
    assert summed.kinds == {"extractive": 3, "nothing relevant": 1}
    assert summed.tokens == sum(row.receipt.tokens for row in rows)
    nothing = total([])
    assert (nothing.questions, nothing.means["mrr"].value, nothing.cost_usd) == (0, None, 0)


def test_without_a_language_model_each_question_is_embedded_once_and_nothing_else_is_called(home):
    model = CountingEmbedding()
    trial = ran(notebook(home, model))
    assert model.queries == len(SET.questions)
    assert model.texts == CANARY
    assert sum(row.receipt.texts for row in trial.side(0)) == len(SET.questions)


def test_every_call_is_in_the_ledger(home):
    llm = ScriptedLLM("Owls hunt at night [1].")
    book = notebook(home, CountingEmbedding(), llm=llm, usd_per_million_tokens=1.0)
    trial = ran(book)
    assert llm.calls == 3  # the question that nothing is close to is not put to a model
    summed = total(trial.side(0))
    assert summed.cost_usd is None  # nobody knows what the double costs
    lines = [one for one in Ledger(book.place.objects).entries() if one.purpose != "build"]
    assert sum(one.purpose == "question" for one in lines) == len(SET.questions)
    assert sum(one.purpose == "answer" for one in lines) == 3
    assert sum(one.tokens for one in lines) == summed.tokens


def test_searching_only_asks_no_language_model(home):
    llm = ScriptedLLM("So [1].")
    rows = ran(notebook(home, CountingEmbedding(), llm=llm), answers=False).side(0)
    assert llm.calls == 0
    assert {row.kind for row in rows} == {"searched"}
    assert rows[0].scores == {"recall": 1.0, "mrr": 1.0, "ndcg": 1.0}
    assert rows[2].scores == {}


def test_an_answer_that_fails_is_a_row_and_not_the_end(home):
    llm = ScriptedLLM("night", error=ServerDown("The server is down: after dark."))
    rows = ran(notebook(home, CountingEmbedding(), llm=llm)).side(0)
    assert [row.kind for row in rows] == ["failed", "failed", "nothing relevant", "failed"]
    assert (rows[0].scores["contains"], rows[0].scores["as_expected"]) == (0.0, 0.0)
    assert rows[0].scores["recall"] == 1.0


def test_a_search_that_fails_ends_it_and_keeps_the_rows(home):
    model = CountingEmbedding()
    book = notebook(home, model)
    trial = Trial(SET, side(book))
    model.fail(11, ServerDown("Down."))  # after eight canary texts and two questions
    with pytest.raises(ServerDown):
        trial.run()
    assert trial.stopped
    assert [row.question.id for row in trial.side(0)] == ["owls", "bread"]


def test_stopping_keeps_what_is_done_and_leaves_out_what_is_not(home):
    trial = Trial(SET, side(notebook(home, CountingEmbedding())))
    told = []
    trial.run(on_asked=lambda *now: told.append(now), cancelled=lambda: len(told) == 2)
    assert trial.stopped
    assert told == [(1, 4, SET.questions[0].text), (2, 4, SET.questions[1].text)]
    assert len(trial.rows) == 2


def test_an_answer_that_is_stopped_midway_is_no_row(home):
    llm = ScriptedLLM("Owls hunt at night [1].")
    trial = Trial(SET, side(notebook(home, CountingEmbedding(), llm=llm)))
    trial.run(cancelled=lambda: llm.calls == 2)
    assert trial.stopped
    assert len(trial.rows) == 1


def test_two_sides_of_one_space_pay_for_each_question_once(home):
    notebook(home, CountingEmbedding()).add([file("owls.txt", "Owls sleep by day. " + BREAD)])
    model = CountingEmbedding()
    book = notebook(home, model)
    trial = Trial(SET, side(book, 2, "new"), side(book, 1, "old"))
    trial.run()
    assert model.queries == len(SET.questions)
    new, old = trial.side(0), trial.side(1)
    assert [row.question for row in new] == [row.question for row in old] == list(SET.questions)
    assert (new[0].scores["contains"], old[0].scores["contains"]) == (0.0, 1.0)


def test_sides_of_two_spaces_ask_each_model(home, tmp_path):
    first, second = CountingEmbedding(), CountingEmbedding(seed=1, model_name="other")
    book = notebook(settings(tmp_path, embed_model="other"), second, slug="second")
    book.add([file("owls.txt", OWLS)])
    before = second.queries
    trial = Trial(SET, side(notebook(home, first)), side(book, label="second"))
    trial.run()
    assert first.queries == second.queries - before == len(SET.questions)
    assert trial.unknown_sources() == {"this": ["gone.txt"], "second": ["bread.txt", "gone.txt"]}
    assert trial.side(1)[1].scores["recall"] == 0.0


def test_a_source_is_known_by_the_name_it_was_given(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("notes/owls.txt", OWLS)])
    questions = QuestionSet("q", (Question("1", "When do owls hunt?", ("./notes//owls.txt",)),))
    trial = ran(book, questions)
    assert trial.side(0)[0].scores["recall"] == 1.0
    assert trial.unknown_sources() == {}
