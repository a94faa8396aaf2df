"""Measures against values worked out by hand, and against trec_eval's."""

from __future__ import annotations

import math
import random

import ir_measures
import pytest
from ir_measures import RR, R, nDCG

from rag.evaluation.measures import contains, ndcg_at, ranked, recall_at, reciprocal_rank

RANKING = ("a", "b", "c", "d")


@pytest.mark.parametrize(
    ("expected", "k", "recall", "ndcg"),
    [
        ({"a"}, 4, 1.0, 1.0),
        ({"b"}, 4, 1.0, 1 / math.log2(3)),
        ({"b"}, 1, 0.0, 0.0),
        ({"a", "c"}, 4, 1.0, (1 + 1 / 2) / (1 + 1 / math.log2(3))),
        ({"a", "c"}, 2, 0.5, 1 / (1 + 1 / math.log2(3))),
        ({"a", "c"}, 1, 0.5, 1.0),  # the best one place can hold
        ({"d", "x", "y", "z"}, 4, 0.25, (1 / math.log2(5)) / (1 + 1 / math.log2(3) + 1 / 2 + 1 / math.log2(5))),
        ({"x"}, 4, 0.0, 0.0),
    ],
)
def test_recall_and_ndcg_by_hand(expected, k, recall, ndcg):
    assert recall_at(RANKING, expected, k) == pytest.approx(recall)
    assert ndcg_at(RANKING, expected, k) == pytest.approx(ndcg)


@pytest.mark.parametrize(("expected", "value"), [({"a", "d"}, 1.0), ({"c"}, 1 / 3), ({"d", "c"}, 1 / 3), ({"x"}, 0.0)])
def test_reciprocal_rank_by_hand(expected, value):
    assert reciprocal_rank(RANKING, expected) == pytest.approx(value)


def test_nothing_found_is_nought():
    assert recall_at((), {"a"}, 8) == reciprocal_rank((), {"a"}) == ndcg_at((), {"a"}, 10) == 0.0


def test_they_are_those_of_trec_eval():
    chance = random.Random(7)
    names = [f"s{number:02}" for number in range(30)]
    for _ in range(200):
        ranking = chance.sample(names, chance.randint(0, 25))
        expected = set(chance.sample(names, chance.randint(1, 6)))
        qrels = [ir_measures.Qrel("q", name, 1) for name in expected]
        run = [ir_measures.ScoredDoc("q", name, float(-rank)) for rank, name in enumerate(ranking)]
        theirs = ir_measures.calc_aggregate([R @ 8, RR, nDCG @ 10], qrels, run)
        assert recall_at(ranking, expected, 8) == pytest.approx(theirs[R @ 8])
        assert reciprocal_rank(ranking, expected) == pytest.approx(theirs[RR])
        assert ndcg_at(ranking, expected, 10) == pytest.approx(theirs[nDCG @ 10])


def test_a_source_ranks_at_its_best_passage():
    assert ranked([("a",), ("b",), ("a",), ("c",)], set()) == ("a", "b", "c")


def test_a_text_in_several_sources_stands_for_those_that_are_expected():
    passages = [("a", "b", "c"), ("a",), ("d", "a")]
    assert ranked(passages, {"c"}) == ("c", "a", "d")
    assert ranked(passages, {"b", "c"}) == ("b", "c", "a", "d")
    assert ranked(passages, {"x"}) == ("a", "d")


@pytest.mark.parametrize(
    ("text", "answers", "expected"),
    [
        ("Within 30 days. [1]", ["30 days"], True),
        ("Within 30\ndays.", ["30 days"], True),
        ("WITHIN “30 Days”", ["30 days"], True),
        ("Within 130 days.", ["30 days"], False),
        ("In 2012.", ["12"], False),
        ("It is so [12].", ["12"], False),
        ("The [\u206030 days] of it", ["30 days"], True),
        ("Nothing.", ["one", "nothing"], True),
        ("Nothing.", ["one", "two"], False),
        ("Anything", [], False),
        ("首都は東京です。", ["東京"], True),
        ("東 京", ["東京"], True),
        ("首都は京都です。", ["東京"], False),
        ("ﬁne print", ["Fine"], True),
        ("Straße", ["STRASSE"], True),
        ("It is ∑ over all", ["∑"], True),
        ("It is over all", ["∑"], False),
        ("", ["x"], False),
    ],
)
def test_contains(text, answers, expected):
    assert contains(text, answers) is expected
