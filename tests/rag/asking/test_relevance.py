"""Which questions are declined."""

from __future__ import annotations

from collections import Counter

import pytest

from rag.asking.answering import ask
from rag.asking.extractive import Extract, extract
from rag.asking.relevance import answerable, quotable, relevant
from rag.citing.answer import Passage
from rag.notebook import Notebook
from rag.tables.frequencies import Frequencies
from rag.text.analysis import terms
from tests.notebooks import file, local_settings, opened

OWLS = "Owls hunt at night. They eat 12 mice a week, and rest by day in hollow trees."
PRICES = "Prices rose in May by a third. Bread and milk cost more than ever before."
EULEN = "Eulen jagen nachts. Sie fressen zwölf Mäuse in der Woche und ruhen in hohlen Bäumen."
PREISE = "Die Preise stiegen im Mai um ein Drittel. Brot und Milch kosten mehr als je zuvor."


def passage(text, n=1, *, dense=None, lexical=None):
    return Passage(n, f"c{n}", "s", "a.txt", text, 0.1, dense=dense, lexical=lexical)


@pytest.mark.parametrize(
    ("question", "found", "expected"),
    [
        ("What do owls eat?", [passage("Prices rose.", dense=0.1)], False),
        ("What do owls eat?", [passage("Prices rose.", dense=0.31)], True),
        ("What do owls eat?", [passage("Owls eat mice.", lexical=2.0)], True),
        ("What do owls eat?", [passage("Owls eat mice.")], False),
        ("What do purple martians eat in winter?", [passage("We eat.", dense=0.1, lexical=1.0)], False),
        ("the of and", [passage("Anything.", dense=0.1)], True),
        ("owls", [], False),
        ("黑豹队的防守丢了多少分？", [passage("黑豹队的防守只丢了 308 分。", lexical=2.0)], True),
        ("黑豹队的防守丢了多少分？", [passage("价格在五月上涨。", lexical=2.0)], False),
        ("Где зимуют совы?", [passage("Совы живут в лесу.", lexical=2.0)], True),
    ],
)
def test_relevant(question, found, expected):
    assert relevant(question, tuple(found)) is expected


def test_less_of_the_words_is_asked_for_where_the_cosines_are_of_another_model():
    found = [passage("We eat.", dense=0.1, lexical=1.0)]
    assert not relevant("What do purple martians eat in winter?", found)
    assert relevant("What do purple martians eat in winter?", found, embedded=False)
    assert not relevant("What do owls eat?", [passage("Prices rose.", lexical=1.0)], embedded=False)


def plain(question, text, cosine):
    """Without knowing how rare the words are."""
    found = Extract("", (), cosine, 0.0)
    return answerable(question, [passage(text)], found, None, [""], frozenset([""]))


@pytest.mark.parametrize(
    ("question", "text", "cosine", "expected"),
    [
        ("When do owls hunt?", "Owls hunt at night.", 0.6, True),
        ("When do owls hunt?", "Prices rose in May.", 0.2, False),
        ("When do owls hunt?", "Owls are birds.", 0.3, False),  # half of the words, and no sentence near
        ("When do owls hunt?", "Nightly prey.", 0.85, True),  # other words, and a sentence very near
        ("Wann jagen Eulen?", "Eulen jagen nachts.", 0.4, True),
        ("Wann jagen Eulen?", "Die Preise stiegen.", 0.5, False),
        ("the of and", "Anything.", 0.0, True),
        ("When do owls hunt?", "Prices rose in May.", None, True),  # by nothing at all nothing is declined
    ],
)
def test_a_table_that_does_not_count_its_words_is_judged_by_cosine_and_words(question, text, cosine, expected):
    assert plain(question, text, cosine) is expected


def test_without_passages_nothing_is_answerable():
    found = Extract("", (), 0.0, 0.0)
    assert not answerable("When do owls hunt?", [], found, None, [], frozenset(["en"]))


def judged(question, texts, language, cosine=None, ahead=0.2):
    words = [terms(text, language) for text in texts]
    having = Counter(term for found in words for term in set(found))
    known = Frequencies(having, len(texts), sum(map(len, words)) / len(texts), having.__contains__)
    passages = [passage(text, n) for n, text in enumerate(texts, 1)]
    found = extract(question, passages, None)._replace(cosine=cosine, ahead=ahead)
    return answerable(question, passages, found, known, [language] * len(texts), frozenset([language]))


@pytest.mark.parametrize("cosine", [None, 0.55])
@pytest.mark.parametrize(
    ("question", "texts", "language", "expected"),
    [
        ("When do owls hunt mice?", [OWLS, PRICES], "en", True),
        ("When do purple martians hibernate on Neptune?", [OWLS, PRICES], "en", False),
        ("Wann jagen Eulen nachts?", [EULEN, PREISE], "de", True),
        ("Wann wurde der Mond von Menschen betreten?", [EULEN, PREISE], "de", False),
        ("Когда охотятся совы?", ["Совы охотятся ночью.", "Цены выросли в мае."], "ru", True),
        ("Кто первым ступил на поверхность Луны?", ["Совы охотятся ночью.", "Цены выросли в мае."], "ru", False),
        ("किताबें कहाँ रखी हैं?", ["किताबें मेज पर रखी हैं।", "दाम मई में बढ़े।"], "hi", True),
        ("चाँद पर पहला मनुष्य कौन पहुँचा?", ["किताबें मेज पर रखी हैं।", "दाम मई में बढ़े।"], "hi", False),
        ("أين تقع المدرسة الكبيرة؟", ["تقع المدرسة الكبيرة في وسط المدينة.", "ارتفعت الأسعار في مايو."], "ar", True),
        ("من اخترع الهاتف المحمول؟", ["تقع المدرسة الكبيرة في وسط المدينة.", "ارتفعت الأسعار في مايو."], "ar", False),
        ("猫头鹰什么时候捕猎？", ["猫头鹰在夜间捕猎。", "价格在五月上涨。"], "zh", True),
        ("谁首先登上了月球？", ["猫头鹰在夜间捕猎。", "价格在五月上涨。"], "zh", False),
        ("นกฮูกล่าเหยื่อเวลาใด", ["นกฮูกล่าเหยื่อในเวลากลางคืน", "ราคาเพิ่มขึ้นในเดือนพฤษภาคม"], "th", True),
    ],
)
def test_the_words_of_every_language_decide(question, texts, language, expected, cosine):
    assert judged(question, texts, language, None if language not in ("en", "de") else cosine) is expected


def test_a_name_that_is_nowhere_weighs():
    known, strange = "When do owls in trees hunt mice by day?", "When do owls in Greenland hunt mice by day?"
    assert judged(known, [OWLS, PRICES], "en", 0.3, 0.1)
    assert not judged(strange, [OWLS, PRICES], "en", 0.3, 0.1)


def test_a_number_asked_for_should_be_in_the_first_sentence():
    texts = ["Owls eat mice by night.", PRICES]
    assert judged("What mice do owls eat?", texts, "en", 0.1, 0.0)
    assert not judged("How many mice do owls eat?", texts, "en", 0.1, 0.0)


@pytest.mark.parametrize("question", ["Wann jagen die Eulen in der Nacht?", "猫头鹰什么时候捕猎？"])
def test_a_question_in_a_language_of_no_source_is_not_judged_by_its_words(question):
    assert judged(question, [OWLS, PRICES], "en")  # a model that knows both languages may have found the answer
    assert not judged(question, [OWLS, PRICES], "en", cosine=0.3)  # the embedded model does not


FARM = {
    "handbook.txt": "Units may be returned within 30 days of delivery for a full refund. Opened calibration kits are "
    "store credit only. The laboratory is closed on public holidays. Visitors register with Margaret Fielding.",
    "turbines.txt": "The north wind farm has 14 turbines. Each turbine is inspected every spring by the crew. The "
    "gearbox of turbine 9 was replaced in 2021 after a bearing failure.",
    "bees.txt": "Honey bees communicate the direction of food by a waggle dance. A colony may hold up to 60,000 "
    "workers in summer. The queen lays about 1,500 eggs a day.",
}


@pytest.fixture(scope="module")
def farm(tmp_path_factory):
    book = Notebook(local_settings(tmp_path_factory.mktemp("farm")))
    book.add([file(name, text) for name, text in FARM.items()])
    return opened(book)


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("How many turbines does the wind farm have?", "extractive"),
        ("How many turbins does the wind farm have?", "extractive"),  # typing errors
        ("How many turbines does the wnid farm have?", "extractive"),
        ("Who is Margaret Fielding?", "extractive"),
        ("turbines", "extractive"),  # one word
        ("refund", "extractive"),
        ("Describe the waggle dance", "extractive"),  # imperatives
        ("List everything about bees", "extractive"),
        ("Was geschah mit dem Getriebe von Turbine 9?", "extractive"),  # in another language
        ("the of and", "extractive"),  # nothing to judge by
        ("How many turbines does the Siemens farm in Denmark have?", "nothing relevant"),
        ("Who invented the telephone?", "nothing relevant"),
        ("How many windows does the Eiffel Tower have?", "nothing relevant"),
    ],
)
def test_short_misspelt_and_foreign_questions_are_not_declined_for_it(farm, question, kind):
    *_, answer = ask(farm, question)
    assert answer.kind == kind


def test_quotable_takes_the_languages_of_the_rows(farm):
    reader = farm.table.reader()
    found = farm.search("When is each turbine inspected?")
    rows = reader.rows([one.chunk_id for one in found.passages])
    assert {row.language for row in rows} == {"en"}
    extracted = extract("When is each turbine inspected?", found.passages, None)
    assert quotable("When is each turbine inspected?", found.passages, extracted, reader, rows)
    extracted = extract("Who invented the telephone?", found.passages, None)
    assert not quotable("Who invented the telephone?", found.passages, extracted, reader, rows)
