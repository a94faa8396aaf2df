"""Terms: what is a word, a number, a name, a negation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.citing.claims.sentences import whole_sentences
from rag.citing.claims.terms import terms


def said(text: str) -> list[tuple[str, str]]:
    return [(one.kind, one.keys[0]) for one in terms(text) if one.kind != "light"]


@pytest.mark.parametrize(
    ("text", "key", "unit"),
    [
        ("about 5 % more", "5", "%"),
        ("about five percent", "5", "%"),
        ("cinco por ciento", "5", "%"),
        ("cost $8.3 billion", "8300000000", "$"),
        ("kostet 2,4 Millionen Euro", "2400000", "€"),
        ("in 5min", "5", "min"),
        ("forty-one metres", "41", "m"),
        ("6½ sacks", "6.5", ""),
        ("三万人", "30000", ""),
        ("25公里", "25", "km"),
        ("runs twice a day", "2", "times"),
        ("runs 2 times a day", "2", "times"),
    ],
)
def test_numbers_with_their_units(text: str, key: str, unit: str) -> None:
    assert [(one.unit) for one in terms(text) if key in one.keys] == [unit]


def test_names_negations_and_words() -> None:
    assert said("The owl of Ann Lee cannot fly.") == [
        ("word", "owl"), ("name", "ann"), ("name", "lee"), ("not", "cannot"), ("word", "fly")
    ]  # fmt: skip
    assert ("not", "nicht") in said("Er kommt nicht.")
    assert ("not", "pas") in said("Il n’est pas là.")
    assert ("not", "不") in said("我不去")
    assert ("not", "ません") in said("行きません")
    assert ("not", "لا") in said("لا يعمل")


@given(st.text(max_size=120))
def test_terms_stand_in_the_text_in_order(text: str) -> None:
    found = terms(text)
    assert all(0 <= one.start < one.end <= len(text) and one.keys for one in found)
    assert [one.start for one in found] == sorted(one.start for one in found)
    assert all(start < end for start, end in whole_sentences(text))


@pytest.mark.parametrize(
    "text", ["opened on March 5, 2021 by Bob", "between 1716 and 1724", "zwischen 1716 und 1724 gebaut"]
)
def test_figures_that_belong_together_are_in_one_clause(text: str) -> None:
    assert len({one.clause for one in terms(text) if one.kind == "number"}) == 1


def test_an_option_of_a_command_is_a_name() -> None:
    assert ("name", "j") in said("Use `-j` here.")
    assert ("name", "retry") in said("Use --retry here.")
    assert ("word", "scale") in said("A large-scale test.")


@pytest.mark.parametrize("text", ["\u0301", "a \u0301\u0301 b", "_\u0301_", "l'\u0301", "\u0301's"])
def test_an_accent_without_a_letter_is_no_word(text: str) -> None:
    assert all(one.keys[0] for one in terms(text))
