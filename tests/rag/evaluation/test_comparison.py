"""Two sides: differences with their p values, and the sentence about each."""

from __future__ import annotations

import pytest

from rag.evaluation.comparison import compare
from rag.evaluation.question_set import Question
from rag.evaluation.trial import Row
from rag.manifest import Receipt


def row(seconds=1.0, **scores):
    return Row(Question("1", "Q?"), "extractive", "", (), None, {}, Receipt(seconds=seconds), (), scores)


def compared(mine, others):
    return {one.measure: one for one in compare(mine, others, ("snapshot 2", "snapshot 1"), 8)}


def test_a_difference_larger_than_chance():
    found = compared([row(mrr=1.0)] * 10, [row(mrr=0.5)] * 10)
    mrr = found["mrr"]
    assert (mrr.questions, mrr.differing, mrr.value, mrr.other, mrr.change) == (10, 10, 1.0, 0.5, 0.5)
    assert mrr.p == pytest.approx(2 / 2**10)
    assert mrr.corrected == pytest.approx(2 * 2 / 2**10)  # the seconds are a second measure
    assert mrr.larger_than_chance
    assert mrr.sentence == (
        "MRR: snapshot 2 is higher than snapshot 1 by 0.500. That is larger than chance (p = 0.002, 0.004 after "
        "correcting for 2 measures)."
    )
    assert found["seconds"].sentence == "Seconds per question: the same for every question."
    assert found["seconds"].p == 1.0


def test_what_one_measure_alone_would_show_may_be_chance_among_several():
    mine, others = [row(recall=1.0, mrr=1.0)] * 6, [row(recall=0.0, mrr=1.0)] * 6
    recall = compared(mine, others)["recall"]
    assert recall.p == pytest.approx(2 / 64)
    assert recall.p < 0.05 < recall.corrected
    assert not recall.larger_than_chance
    assert "Recall@8: snapshot 2 is higher" in recall.sentence
    assert "That may be chance (p = 0.031, 0.094 after correcting for 3 measures)." in recall.sentence


def test_few_questions_that_differ_are_too_few():
    found = compared([row(mrr=0.0)] * 5 + [row(mrr=1.0)] * 50, [row(mrr=1.0)] * 55)
    assert found["mrr"].sentence.endswith("by 0.091. Only 5 questions differ: too few to tell from chance.")
    assert "is lower than snapshot 1" in found["mrr"].sentence
    assert not found["mrr"].larger_than_chance


def test_only_questions_that_both_sides_have_count():
    mine = [row(verified=1.0), row(), row(verified=0.5)]
    others = [row(verified=0.0), row(verified=1.0), row(verified=0.5)]
    one = compared(mine, others)["verified"]
    assert (one.questions, one.differing, one.value, one.other) == (2, 1, 0.75, 0.25)
    assert compared([row()], [row(contains=1.0)]).keys() == {"seconds"}
    assert compared([], []) == {}


def test_time_is_faster_or_slower():
    found = compared([row(seconds=0.25)] * 8, [row(seconds=0.5)] * 8)["seconds"]
    assert found.sentence.startswith(
        "Seconds per question: snapshot 2 is faster than snapshot 1 by 0.2500 s per question."
    )
    assert found.larger_than_chance


def test_means_that_are_equal_over_questions_that_differ():
    one = compared([row(mrr=1.0), row(mrr=0.0)], [row(mrr=0.0), row(mrr=1.0)])["mrr"]
    assert one.sentence.startswith("MRR: the means of snapshot 2 and snapshot 1 are equal.")
    assert one.p == 1.0
