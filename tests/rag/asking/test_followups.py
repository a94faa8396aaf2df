"""Follow-ups: which questions lean on the one above, and what is searched for instead."""

from __future__ import annotations

import pytest

from rag.asking.answering import ask
from rag.asking.followups import Turn, completed, leans, rewritten
from rag.errors import Cancelled, ServerDown
from rag.storage.ledger import Ledger
from tests.doubles import CountingEmbedding, ScriptedLLM
from tests.notebooks import answered, file, notebook, opened, settings

LEANING = [
    ("What was the revenue of Uber in 2023?", "And in 2024?", {"revenue", "Uber"}),
    ("What was the revenue of Uber in 2023?", "What about 2022?", {"revenue", "Uber"}),
    ("How long may opened kits be returned?", "Why?", {"opened", "kits", "returned"}),
    ("How long may opened kits be returned?", "How so?", {"kits"}),
    ("When was the Eiffel Tower built?", "Who designed it?", {"Eiffel", "Tower"}),
    ("When was the Eiffel Tower built?", "How tall is it?", {"Eiffel", "Tower"}),
    ("When was the Eiffel Tower built?", "How much does it weigh?", {"Eiffel", "Tower"}),
    ("Who founded the Debian project?", "When did he found it?", {"Debian"}),
    ("Who founded the Debian project?", "Where was he born?", {"Debian"}),
    ("Which colonies did the Huguenots settle?", "Why did they leave France?", {"Huguenots", "colonies"}),
    ("Which colonies did the Huguenots settle?", "Where did they settle in Ireland?", {"Huguenots"}),
    ("Which colonies did the Huguenots settle?", "And the Normans?", {"colonies", "settle"}),
    ("What is the refund period for units?", "For opened kits?", {"refund", "period"}),
    ("What is the refund period for units?", "in Germany?", {"refund", "period"}),
    ("What is the refund period for units?", "Is that also true in winter?", {"refund"}),
    ("What is the refund period for units?", "What else?", {"refund"}),
    ("What is the refund period for units?", "Are there any exceptions to this?", {"refund"}),
    ("Which teams played in Super Bowl 50?", "Who won?", None),
    ("Which teams played in Super Bowl 50?", "But who scored first?", {"teams", "Super", "Bowl"}),
    ("Which teams played in Super Bowl 50?", "What was their record?", {"teams", "Super", "Bowl"}),
    ("Which plans are there?", "How much is the second one?", {"plans"}),
    ("Which plans are there?", "What does the latter?", {"plans"}),
    ("Wann wurde Debian gegründet?", "Und von wem?", {"Debian", "gegründet"}),
    ("Wann wurde Debian gegründet?", "Warum?", {"Debian"}),
    ("Wann wurde der Eiffelturm gebaut?", "Wie hoch ist er?", {"Eiffelturm"}),
    ("Welche Fristen gelten für Rückgaben?", "Was ist mit geöffneten Paketen?", {"Fristen"}),
    ("Welche Fristen gelten für Rückgaben?", "Gilt diese auch im Winter?", {"Fristen"}),
    ("Wer hat den Vertrag unterschrieben?", "Wann haben sie ihn unterschrieben?", {"Vertrag"}),
    ("Quelle est la capitale de la France ?", "Et de l'Espagne ?", {"capitale"}),
    ("黑死病何时到达欧洲?", "那英国呢?", None),
]

ALONE = [
    ("What was the revenue of Uber in 2023?", "What was the revenue of Lyft in 2023?"),
    ("What was the revenue of Uber in 2023?", "Which return status does Bash give when it cannot find a command?"),
    ("What was the revenue of Uber in 2023?", "refund policy"),
    ("What was the revenue of Uber in 2023?", "checkpoint_timeout"),
    ("What was the revenue of Uber in 2023?", "Is it possible to return opened kits?"),
    ("What was the revenue of Uber in 2023?", "How long does it take to build an index?"),
    ("What was the revenue of Uber in 2023?", "Are there any fees for late payment?"),
    ("What was the revenue of Uber in 2023?", "Is there a limit on uploads?"),
    ("Who founded Debian?", "In which year was the Cresta run first engineered?"),
    ("Who founded Debian?", "When did the Huguenots arrive, and where did they settle?"),
    ("Who founded Debian?", "What did Luther write about his childhood?"),
    ("Who founded Debian?", "How many points did the Panthers defense surrender?"),
    ("Who founded Debian?", "Which theorem says that every number has one factorisation?"),
    ("Who founded Debian?", "Who is the maintainer of the package that builds first?"),
    ("Who founded Debian?", "For how long does Git keep the reflogs by default, according to the user manual?"),
    ("Who founded Debian?", "How old was Elway during his Super Bowl win?"),
    ("Who founded Debian?", "In welchem County liegt Jacksonville?"),
    ("Who founded Debian?", "Summarise the handbook"),
    ("Who founded Debian?", "Andes mountains height"),
    ("Wann wurde Debian gegründet?", "Wann und von wem wurde Ubuntu gegründet?"),
    ("Wann wurde Debian gegründet?", "Welche Rückgabefrist gilt für geöffnete Pakete?"),
    ("Wann wurde Debian gegründet?", "Undine Oper Komponist"),
    ("De quels noms Debian est-il la contraction ?", "Quelle est la capitale de la France ?"),
    ("黑死病何时到达欧洲?", "亚马逊雨林有多少种树木?"),
]


@pytest.mark.parametrize(("above", "question", "words"), [case for case in LEANING if case[2] is not None])
def test_a_question_that_leans_is_completed(above, question, words):
    assert leans(question)
    searched = completed(question, [Turn("Something quite other?"), Turn(above)])
    assert searched.startswith(question)
    assert words <= set(searched.split())


@pytest.mark.parametrize(("above", "question"), ALONE)
def test_a_question_that_stands_by_itself_is_left_alone(above, question):
    assert not leans(question)
    assert completed(question, [Turn(above)]) == question


def test_what_the_rules_do_not_see():
    """Written down, so that a change of the rules is noticed: nothing in these words points above."""
    assert not leans("Who won?")
    assert leans("那英国呢?")


def test_new_numbers_replace_those_above():
    assert completed("And in 2024?", [Turn("What was the revenue of Uber in 2023?")]) == "And in 2024? revenue Uber"


def test_a_chain_reaches_the_question_that_stands_by_itself():
    turns = [Turn("What was the revenue of Uber in 2022?"), Turn("And in 2023?"), Turn("Why?")]
    assert completed("And in 2024?", turns) == "And in 2024? revenue Uber"


@pytest.mark.parametrize("question", ["", "?!", "Why?", "it " * 100])
def test_nothing_above_changes_nothing(question):
    assert completed(question, []) == question


def test_a_model_says_the_question_in_full():
    llm = ScriptedLLM(' "What was the revenue\nof Uber in 2024?" ')
    used = []
    above = [Turn("What was the revenue of Uber in 2023?", "$8 billion.")]
    assert rewritten("And in 2024?", above, llm, bool, used.append) == "What was the revenue of Uber in 2024?"
    assert [one.calls for one in used] == [1]
    assert "in 2023?" in llm.prompts[0]
    assert "$8 billion" in llm.prompts[0]


@pytest.mark.parametrize("script", ["", "...", "word " * 200])
def test_what_is_no_question_is_not_taken_for_one(script):
    assert rewritten("Why?", [Turn("Who?")], ScriptedLLM(script), bool, lambda _: None) is None


# ---------------------------------------------------------------------- in a notebook

OWLS = "Owls hunt at night. They eat 12 mice a week."
ABOVE = [Turn("When do owls hunt?", "Owls hunt at night. [1]")]


@pytest.fixture
def home(tmp_path):
    texts = [file("owls.txt", OWLS), file("bread.txt", "Bread rises because yeast makes gas.")]
    notebook(settings(tmp_path), CountingEmbedding()).add(texts)
    return tmp_path


def asked(home, question, earlier, llm=None, cancelled=lambda: False):
    *_, answer = ask(
        opened(notebook(home, CountingEmbedding(), llm=llm)), question, earlier=earlier, cancelled=cancelled
    )
    return answer


def test_without_a_model_the_words_above_are_searched_for_and_shown(home):
    answer = asked(home, "Why?", ABOVE)
    assert answer.kind == "extractive"
    assert answer.passages[0].source == "owls.txt"
    assert answer.question == "Why?"
    assert answer.searched == "Why? owls hunt"
    assert answer.notes[0] == "Searched for: “Why? owls hunt”, because the question leans on the one above."
    for alone in (asked(home, "Why?", []), asked(home, "When do owls hunt at night?", ABOVE)):
        assert (alone.searched, alone.notes) == ("", ())


def test_with_a_model_the_question_is_rewritten_in_a_call_of_its_own(home):
    llm = ScriptedLLM("What do owls eat? [1]")
    answer = asked(home, "What do they eat?", ABOVE, llm)
    assert llm.calls == 2
    assert "Question: What do owls eat? [1]" in llm.prompts[1]
    assert answer.searched == "What do owls eat? [1]"
    assert answer.notes[0].startswith("Searched for: “What do owls eat? [1]”")
    book = notebook(home, CountingEmbedding())
    purposes = [entry.purpose for entry in Ledger(book.place.objects).entries()]
    assert purposes.count("answer") == 2
    assert answer.receipt.calls == 4  # canary, rewriting, question, answer
    alone = ScriptedLLM("So [1].")
    asked(home, "When do owls hunt at night?", ABOVE, alone)
    assert alone.calls == 1


def test_a_model_that_fails_to_rewrite_leaves_the_rule(home):
    answer = asked(home, "What do they eat?", ABOVE, ScriptedLLM("", error=ServerDown("It is down.")))
    assert answer.kind == "failed"
    assert answer.passages[0].source == "owls.txt"
    assert (
        answer.notes[0] == "Searched for: “What do they eat? owls hunt”, because the question leans on the one above."
    )
    assert answer.searched == "What do they eat? owls hunt"
    assert "by rule. It is down." in answer.notes[1]


def test_a_stop_while_rewriting_stops_the_answer(home):
    answer = asked(home, "What do they eat?", ABOVE, ScriptedLLM("a b c"), cancelled=lambda: True)
    assert (answer.kind, answer.text) == ("stopped", "")
    assert answer.passages[0].source == "owls.txt"


@pytest.mark.parametrize("error", [Cancelled("Stopped."), ServerDown("It is down.")])
def test_what_a_call_used_is_told_whatever_became_of_it(error):
    used = []
    with pytest.raises(type(error)):
        rewritten("Why?", ABOVE, ScriptedLLM("a b", error=error), bool, used.append)
    assert [one.calls for one in used] == [1]


def test_the_answer_helper_asks_without_a_conversation(home):
    assert answered(notebook(home, CountingEmbedding()), "When do owls hunt at night?").kind == "extractive"
