"""Searching: fusion, one passage per text, odd questions, relevance."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rag.asking.retrieval import (
    ACROSS,
    ACROSS_SCRIPTS,
    ENGLISH,
    OTHER,
    POOL,
    SEVERAL_SAME,
    Trace,
    dense_weight,
    multilingual_weight,
)
from rag.manifest import VerdictName
from rag.notebook import Notebook
from rag.settings import LOCAL_MODEL, MULTILINGUAL_MODEL
from tests.doubles import CountingEmbedding
from tests.notebooks import file, hits, local_settings, notebook, opened, paragraphs, settings, text_of


@pytest.fixture
def book(tmp_path):
    made = notebook(tmp_path, CountingEmbedding())
    made.add(
        [file("a.txt", text_of(10, 1)), file("b.md", "# Birds\n\n## Owls\n\nOwls hunt at night.\n\n" + text_of(2, 2))]
    )
    return made


def test_passages_say_where_they_are(book):
    found = opened(book).search("When do owls hunt?")
    best = found.passages[0]
    assert (best.n, best.source) == (1, "b.md")
    assert "Owls hunt at night." in best.text
    assert best.heading.startswith("Birds")
    assert [one.n for one in found.passages] == list(range(1, len(found.passages) + 1))
    scores = [one.score for one in found.passages]
    assert scores == sorted(scores, reverse=True)
    assert best.score == 1.0  # first by meaning and by words
    assert best.dense > 0
    assert best.lexical > 0
    assert found.snapshot == 1


def test_k_cuts_a_longer_list(book):
    snapshot = opened(book)
    eight = hits(snapshot.search("river stone harbour", 8))
    assert len(eight) == 8
    for k in (1, 3, 5):
        assert hits(snapshot.search("river stone harbour", k)) == eight[:k]
    assert len(snapshot.search("river stone harbour", 200).passages) == snapshot.table.count


def test_a_trace_is_what_the_search_found(book):
    searcher, trace = opened(book).searcher, Trace()
    found = searcher.search("river stone harbour", 3, trace=trace)
    vector, _ = searcher.questions.vector("river stone harbour")
    assert trace.nearest == tuple(number for number, _ in searcher.reader.nearest(vector, POOL))
    assert trace.matching == tuple(number for number, _ in searcher.reader.matching("river stone harbour", POOL))
    assert set(trace.dense) == {*trace.nearest, *trace.matching}
    assert set(trace.lexical) == set(trace.matching)
    assert all(seconds > 0 for seconds in trace.seconds.values())
    everything = searcher.search("river stone harbour", 2 * POOL).passages
    assert (*found.passages, *searcher.behind(trace, found)) == everything


def test_a_trace_keeps_the_seconds_of_a_stage_that_failed():
    trace = Trace()
    with pytest.raises(ZeroDivisionError), trace.timed("by words"):
        _ = 1 / 0
    assert trace.seconds["by words"] > 0
    assert trace.seconds["by meaning"] == 0


@pytest.mark.parametrize("question", ["", "   ", "?!…", "\n\t", "—", "\U0001f600"])
def test_without_words_nothing_is_asked_of_anybody(tmp_path, book, question):
    model = CountingEmbedding()
    found = opened(notebook(tmp_path, model)).search(question)
    assert found.passages == ()
    assert found.notes == ("There are no words to search for.",)
    assert model.calls == found.receipt.calls == 0


@pytest.mark.parametrize(
    "question",
    [
        '"owls" AND (night OR -day)',
        "owls* ~night^2 title:owls",
        "owls\x00night",
        "o'wls \\ night; DROP TABLE",
        "\ud83d owls",
    ],
)
def test_any_text_is_a_question(book, question):
    assert opened(book).search(question).passages


def test_a_very_long_question_is_cut_and_says_so(tmp_path, book):
    model = CountingEmbedding()
    found = opened(notebook(tmp_path, model)).search("owls hunt " * 1000)
    assert "first 2,000 characters" in found.notes[0]
    assert found.passages
    assert max(len(text) for text in model.seen) <= 2000


def test_white_space_makes_no_other_question(tmp_path, book):
    model = CountingEmbedding()
    snapshot = opened(notebook(tmp_path, model))
    assert hits(snapshot.search("owls  hunt\n")) == hits(snapshot.search(" owls hunt"))
    assert model.queries == 1


def test_a_text_in_many_sources_is_one_passage_that_names_them_all(tmp_path):
    book = notebook(settings(tmp_path / "many"), CountingEmbedding())
    same = paragraphs(1, 1)[0]
    book.add([file(f"{number:02}.txt", f"{same}\n\n{paragraphs(1, 100 + number)[0]}") for number in range(14)])
    for k in (1, 4, 10):
        found = opened(book).search(same, k)
        assert len(found.passages) == k
        best = found.passages[0]
        assert best.text == same
        assert sorted((best.source, *best.also_in)) == [f"{number:02}.txt" for number in range(14)]


def test_a_text_with_a_word_changed_is_one_passage_too_and_one_with_another_number_is_not(tmp_path):
    book = notebook(settings(tmp_path / "alike"), CountingEmbedding())
    same = paragraphs(1, 1)[0]
    book.add(
        [
            file("first.txt", same),
            file("comma.txt", same.replace(" It goes on", ", and it goes on")),
            file("number.txt", same.replace("1-0", "1-9")),
        ]
    )
    found = opened(book).search(same)
    assert sorted(tuple(sorted((one.source, *one.also_in))) for one in found.passages) == [
        ("comma.txt", "first.txt"),
        ("number.txt",),
    ]


@pytest.mark.parametrize(
    ("question", "chunk", "expected"),
    [
        ("en", "en", ENGLISH),
        ("", "en", ENGLISH),
        ("en", "", ENGLISH),
        ("", "", ENGLISH),
        ("de", "de", OTHER),
        ("", "de", OTHER),
        ("de", "en", ACROSS),
        ("en", "de", ACROSS),
        ("de", "", ACROSS),
        ("zh", "zh", 0.0),
        ("", "th", 0.0),
        ("zh", "", 0.0),
        ("zh", "en", ACROSS_SCRIPTS),
        ("en", "ru", ACROSS_SCRIPTS),
    ],
)
def test_what_the_english_model_weighs(question, chunk, expected):
    assert dense_weight(question, chunk) == expected


@pytest.mark.parametrize(
    ("question", "chunk", "expected"),
    [
        ("de", "de", SEVERAL_SAME),
        ("zh", "zh", SEVERAL_SAME),
        ("en", "zh", ENGLISH),
        ("ar", "", SEVERAL_SAME),
        ("de", "en", ENGLISH),
        ("", "ru", SEVERAL_SAME),
        ("", "", SEVERAL_SAME),
        ("sv", "sv", OTHER),
        ("en", "sv", ACROSS),
        ("he", "he", 0.0),
        ("en", "he", ACROSS_SCRIPTS),
    ],
)
def test_what_the_multilingual_model_weighs(question, chunk, expected):
    assert multilingual_weight(question, chunk) == expected


CHINESE = ("北京大学的图书馆收藏了许多古籍。", "人工智能正在改变世界各地的工业。", "长城是中国古代的伟大建筑工程。")


def test_a_model_that_knows_no_chinese_cannot_reorder_what_words_found(tmp_path):
    """Whatever the embedded model makes of it, the order is that of full text alone, and what only the model found
    comes behind. A remote model counts in every language."""
    files = [file(f"{number}.txt", text) for number, text in enumerate(CHINESE)]
    book = Notebook(local_settings(tmp_path / "local"))
    book.add(files)
    snapshot = opened(book)
    assert set(snapshot.table.reader().languages()) == {"zh"}
    for question in ("古代的图书馆", "谁在改变世界？", "伟大的中国建筑"):
        passages = snapshot.search(question, 10).passages
        by_words = [name for name, _ in snapshot.table.reader().full_text(question, 10)]
        assert by_words
        assert [one.chunk_id for one in passages][: len(by_words)] == by_words
        assert len(passages) == len(CHINESE)
        assert {one.dense for one in passages} == {None}
    remote = notebook(tmp_path / "remote", CountingEmbedding())
    remote.add(files)
    assert all(one.dense is not None for one in opened(remote).search("图书馆", 10).passages)


def test_the_multilingual_model_counts_in_every_language(tmp_path):
    """A question in another language and script than the text shares no word with it, and finds it all the same."""
    config = replace(local_settings(tmp_path), embed_model=MULTILINGUAL_MODEL)
    book = Notebook(config)
    book.add([file(f"{number}.txt", text) for number, text in enumerate(CHINESE)])
    snapshot = opened(book)
    assert snapshot.questions.space.model == MULTILINGUAL_MODEL
    passages = snapshot.search("Where are old books kept?", 3).passages
    assert passages[0].source == "0.txt"
    assert all(one.dense is not None for one in passages)
    assert opened(Notebook(config)).search("古代的图书馆", 3).passages[0].source == "0.txt"
    assert Notebook(config).status().verdict.name is VerdictName.HIT
    # Its cosines are not those that thresholds were measured with, so that quoting goes by words.
    assert snapshot.questions.local() is None
    assert opened(Notebook(replace(config, embed_model=LOCAL_MODEL))).search("old books", 3).passages[0].dense


def test_sources_of_several_languages_are_each_found_in_their_own(tmp_path):
    book = notebook(tmp_path / "mixed", CountingEmbedding())
    german = "Die Bibliotheken der Stadt wurden von den Fischern am alten Hafen gebaut und später erweitert."
    english = "The libraries of the town were built by fishermen at the old harbour and later made larger."
    book.add([file("de.txt", german), file("en.txt", english), file("zh.txt", CHINESE[0])])
    reader = opened(book).table.reader()
    assert sorted(reader.languages()) == ["de", "en", "zh"]
    names = dict(zip(reader.ids(), reader.languages(), strict=True))
    for question, language in (("Bibliothek", "de"), ("library", "en"), ("图书馆", "zh")):
        assert [names[one] for one, _ in opened(book).table.reader().full_text(question, 5)] == [language]
