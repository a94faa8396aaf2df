"""What a trial found, as figures, rows and sentences: unknown is never nothing, and nothing is never left unsaid."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from rag.commands.printing import as_json
from rag.evaluation.question_set import Question, QuestionSet
from rag.evaluation.report import differences_of, measured, notes_of, row_report, trial_report
from rag.evaluation.totals import total
from rag.evaluation.trial import DECLINED, SEARCHED, Row, Side, Trial
from rag.manifest import Receipt
from rag.notebook import open_snapshot
from tests.doubles import CountingEmbedding
from tests.notebooks import file, notebook, settings

SET = QuestionSet(
    "birds.jsonl",
    (
        Question("owls", "When do owls hunt at night?", ("owls.txt",), ("at night",)),
        Question("bread", "Why does bread rise?", ("bread.txt", "gone.txt"), ("magic",)),
        Question("open", "What do owls eat?"),
    ),
)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    made = notebook(home, CountingEmbedding())
    made.add([file("owls.txt", "Owls hunt at night. They eat 12 mice a week."), file("bread.txt", "Bread rises.")])
    return home


@pytest.fixture
def book(home):
    return notebook(home, CountingEmbedding())


def ran(book, *, sides=("this",), questions=SET, **more):
    trial = Trial(questions, *(Side(open_snapshot(book), label) for label in sides), **more)
    trial.run()
    return trial


def row(kind="extractive", cost=0.0, **more):
    receipt = Receipt(calls=1, texts=1, tokens=5, cost_usd=cost, seconds=0.5)
    fields = {"ranking": (), "rank": None, "citations": {}, "receipt": receipt, "notes": (), "scores": {}}
    return Row(Question("1", "Q?", ("a.txt",)), kind, "", **(fields | more))


def test_everything_is_in_the_report_and_can_be_written_as_json(book):
    report = trial_report(ran(book))
    assert json.loads(as_json({name: value for name, value in report.items() if name != "_lines"}))["set"] == SET.name
    assert (report["questions"], report["asked"], report["stopped"], report["k"]) == (3, 3, False, 8)
    assert [one["id"] for one in report["rows"]] == ["owls", "bread", "open"]
    (side,) = report["sides"]
    assert (side["label"], side["notebook"], side["snapshot"]) == ("this", "main", 1)
    assert side["totals"]["means"]["recall"] == {"value": 0.75, "questions": 2}
    assert report["receipt"]["texts"] == 3  # a vector for each question
    assert (report["sentence"], report["differences"]) == ("3 questions.", [])


def test_the_table_for_a_person_has_a_column_for_each_side(book):
    report = trial_report(ran(book, sides=("before", "after"), k=3))
    sentence, head, *lines = report["_lines"]
    assert (sentence, head.split()) == ("3 questions.", ["before", "after"])
    recall = next(line for line in lines if line.startswith("Recall@3"))
    assert recall.split("  ")[-1].strip() == "0.750 (2 questions)"
    assert len(report["rows"][0]["sides"]) == 2


def test_one_that_was_stopped_says_how_far_it_came(book):
    trial = Trial(SET, Side(open_snapshot(book), "this"))
    trial.run(cancelled=lambda: len(trial.rows) == 1)
    report = trial_report(trial)
    assert (report["sentence"], report["asked"], report["stopped"]) == ("1 question of 3 asked.", 1, True)


def test_equal_sides_differ_in_nothing_and_one_side_from_nobody(book):
    assert differences_of(ran(book)) == []
    found = differences_of(ran(book, sides=("a", "b")))
    assert {one.measure: one.change for one in found if one.measure != "seconds"}["recall"] == 0.0
    assert not [one for one in found if one.change and one.measure not in ("seconds", "tokens", "cost_usd", "calls")]


def test_sources_that_nobody_can_find_are_named_in_part(book):
    many = Question("many", "Where?", tuple(f"gone-{number}.txt" for number in range(8)))
    notes = notes_of(ran(book, questions=QuestionSet("s", (many,))))
    assert notes == [
        "8 expected sources are not in this, and cannot be found: "
        "gone-0.txt, gone-1.txt, gone-2.txt, gone-3.txt, gone-4.txt and 3 more."
    ]
    one, silent = notes_of(ran(book))
    assert one == "1 expected source is not in this, and cannot be found: gone.txt."
    assert silent == "1 question without expected sources or answers: only cost and time count."


def test_answers_that_failed_are_counted_with_the_first_and_words_only_is_said_once(book):
    trial = ran(book)
    words = "Searched by words only. The server is down."
    rows = [replace(one, kind="failed", text=f"failed {at}", notes=(words,)) for at, one in enumerate(trial.side(0))]
    trial.rows[:] = [(one,) for one in rows]
    notes = notes_of(trial)
    assert "3 answers of this failed. The first: failed 0" in notes
    assert notes.count(words) == 1


@pytest.mark.parametrize(("cost", "said"), [(None, "price not known"), (0.0, "$0"), (0.25, "$0.500000")])
def test_a_cost_is_known_nothing_or_unknown(cost, said):
    assert dict(measured(total([row(cost=cost), row(cost=cost)]), 8))["Cost"] == said
    assert dict(measured(total([row(cost=None), row(cost=0.25)]), 8))["Cost"] == "price not known"


def test_what_nothing_is_expected_of_is_left_out():
    found = dict(measured(total([row(scores={"mrr": 0.5}), row()]), 8))
    assert found["MRR"] == "0.500 (1 question)"
    assert "Recall@8" not in found
    assert "Citations" not in found
    cited = row(citations={"verified": 1200, "not found": 1})
    assert dict(measured(total([cited]), 8))["Citations"] == "1 not found, 1,200 verified"


def test_declining_is_told_unless_nothing_was_to_be_answered():
    assert dict(measured(total([row(DECLINED), row()]), 8))["Declined"] == "1, 1 of them wrongly"
    assert dict(measured(total([row()]), 8))["Declined"] == "0"
    assert "Declined" not in dict(measured(total([row(SEARCHED)]), 8))


def test_a_row_keeps_its_scores_and_what_it_cost():
    found = row_report(row(ranking=("a.txt", "b.txt"), rank=2, scores={"mrr": 0.5}, citations={"verified": 2}))
    assert (found["sources"], found["rank"], found["scores"]) == (["a.txt", "b.txt"], 2, {"mrr": 0.5})
    assert (found["calls"], found["tokens"], found["cost_usd"], found["seconds"]) == (1, 5, 0.0, 0.5)


def test_two_notebooks_beside_each_other_keep_their_names(book, tmp_path):
    other = notebook(settings(tmp_path), CountingEmbedding(), slug="second")
    other.add([file("owls.txt", "Owls sleep by day.")])
    trial = Trial(SET, Side(open_snapshot(book), "one"), Side(open_snapshot(other), "two"))
    trial.run()
    assert [side["notebook"] for side in trial_report(trial)["sides"]] == ["main", "second"]
    assert any("two, and cannot be found: bread.txt" in note for note in notes_of(trial))
