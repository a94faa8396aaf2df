from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.text.sentences import sentences
from rag.text.words import content_words

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=120) | st.text("ab.!?。\n -*1)\"' ", max_size=120)


def said(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


@given(TEXT)
def test_sentences_are_the_text_without_the_space_between(text: str) -> None:
    found = list(sentences(text))
    at = 0
    for start, end in found:
        assert not text[at:start].strip()
        assert start < end
        assert text[start:end] == text[start:end].strip()
        at = end
    assert not text[at:].strip()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three? Four… Five", ["One.", "Two!", "Three?", "Four…", "Five"]),
        ('He said "Stop." Then he left.', ['He said "Stop."', "Then he left."]),
        ("It costs 3.50 euros. Really.", ["It costs 3.50 euros.", "Really."]),
        ("Fruit, e.g. apples, is sold. Dr. Who came.", ["Fruit, e.g. apples, is sold.", "Dr. Who came."]),
        ("水は沸騰する。氷は溶ける。", ["水は沸騰する。", "氷は溶ける。"]),
        ("A list:\n- one\n- two\n1. three", ["A list:", "- one", "- two", "1.", "three"]),
        ("It returns a status of\n127. Else 0.", ["It returns a status of\n127.", "Else 0."]),
        ("Title\n\nBody of it", ["Title", "Body of it"]),
        ("A line that goes\non here.", ["A line that goes\non here."]),
        ("", []),
        (" \n\n ", []),
    ],
)
def test_where_sentences_end(text: str, expected: list[str]) -> None:
    assert said(text) == expected


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Invoices", "invoice"),
        ("BATTERIES", "battery"),
        ("naïve Café", "naive cafe"),
        ("classes", "class"),
        ("walking walked walks", "walk walk walk"),
        ("the battery's life", "battery life"),
        ("STRASSE", "straße"),
        ("ﬁle", "file"),
        ("e\u0301tude", "\u00e9tude"),
    ],
)
def test_words_are_folded_for_comparing(left: str, right: str) -> None:
    assert content_words(left) == content_words(right)


def test_numbers_are_words_and_stop_words_are_not() -> None:
    assert content_words("It is 7 of the 12.5 or so") == ["7", "12.5"]
    assert content_words("was wer wo") == []
    assert content_words("水は摂氏") == ["水は", "は摂", "摂氏"]


@given(TEXT)
def test_words_of_any_text(text: str) -> None:
    words = content_words(text)
    assert all(words)
    assert content_words(text.upper().lower()) is not None


@pytest.mark.parametrize(
    "text", [". " * 100_000, "." * 200_000, ".)" * 100_000, "\n " * 100_000, "x" * 500_000, "\n1" * 90_000]
)
def test_odd_texts_come_to_an_end(text: str) -> None:
    assert all(content_words(text))
    assert all(text[start:end] == text[start:end].strip() for start, end in sentences(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("हिन्दी किताबें मेज़ पर", ["हिन्दी", "किताबें", "मेज", "पर"]),
        ("বাংলা ভাষার ইতিহাস", ["বাংলা", "ভাষার", "ইতিহাস"]),
        ("தமிழ் மொழியின் வரலாறு", ["தமிழ்", "மொழியின்", "வரலாறு"]),
        ("ที่นี่", ["ที", "ี่", "่น", "นี", "ี่"]),
        ("اَلْمَدْرَسَةُ", ["المدرسة"]),
        ("שָׁלוֹם", ["שלום"]),
        ("ガス", ["ガス"]),
        ("한국어", ["한국", "국어"]),
        ("Đường Điện", ["duong", "dien"]),
        ("می\u200cخواهم كـــتاب", ["میخواهم", "كتاب"]),
    ],
)
def test_vowel_signs_belong_to_their_words(text: str, expected: list[str]) -> None:
    assert content_words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("यह पहला है। वह दूसरा है॥ तीसरा", ["यह पहला है।", "वह दूसरा है॥", "तीसरा"]),
        ("यह पहला है।यह दूसरा है।", ["यह पहला है।", "यह दूसरा है।"]),
        ("ما هذا؟ هذا كتاب.", ["ما هذا؟", "هذا كتاب."]),
        ("یہ کتاب ہے۔ وہ گھر ہے۔", ["یہ کتاب ہے۔", "وہ گھر ہے۔"]),
        ("ይህ መጽሐፍ ነው። ያ ቤት ነው።", ["ይህ መጽሐፍ ነው።", "ያ ቤት ነው።"]),
        ("उसने कहा “रुको।” फिर वह गया।", ["उसने कहा “रुको।”", "फिर वह गया।"]),
        ("នេះជាសៀវភៅ។ នោះជាផ្ទះ។", ["នេះជាសៀវភៅ។", "នោះជាផ្ទះ។"]),
    ],
)
def test_sentences_end_in_other_scripts(text: str, expected: list[str]) -> None:
    assert said(text) == expected
