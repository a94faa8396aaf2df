"""The randomisation test against values counted by hand, and Holm's correction against his rule."""

from __future__ import annotations

import itertools
import random
import statistics

import pytest

from rag.evaluation.chance import ROUNDS, holm, paired_p


def test_without_differences_there_is_nothing_to_see():
    assert paired_p([]) is None
    assert paired_p([0.0, 0.0, 0.0]) == 1.0


@pytest.mark.parametrize(
    ("differences", "p"),
    [
        ([1.0], 1.0),  # +1 and -1 are equally far from 0
        ([1.0, 1.0], 2 / 4),
        ([1.0, 1.0, 1.0], 2 / 8),
        ([-1.0] * 6, 2 / 64),
        ([0.1, 0.2, 0.3], 2 / 8),  # whose sums differ in the last digit by their order
        ([3.0, -1.0], 4 / 4),  # 2, 4, -4, -2: all at least as far as 2
        ([3.0, 2.0, -1.0], 4 / 8),  # 4 and 6, on either side
    ],
)
def test_few_differences_are_counted_out(differences, p):
    assert paired_p(differences) == pytest.approx(p)


def test_questions_that_do_not_differ_change_nothing():
    assert paired_p([0.5, 0.0, 0.25, 0.0, 0.5]) == paired_p([0.5, 0.25, 0.5])


def test_it_is_the_count_over_all_signs():
    chance = random.Random(3)
    for _ in range(20):
        values = [chance.choice([-1, -0.5, 0.25, 0.5, 1]) for _ in range(chance.randint(1, 9))]
        sums = [abs(sum(s * v for s, v in zip(signs, values, strict=True))) for signs in
                itertools.product((-1, 1), repeat=len(values))]  # fmt: skip
        seen = abs(sum(values))
        assert paired_p(values) == pytest.approx(statistics.fmean(one >= seen - 1e-12 for one in sums))


def test_many_differences_are_drawn_with_a_fixed_seed():
    chance = random.Random(5)
    better = [chance.gauss(0.3, 1) for _ in range(300)]
    p = paired_p(better)
    assert p == paired_p(better)
    assert 1 / (ROUNDS + 1) <= p < 0.001
    assert paired_p([1.0] * 40) == 1 / (ROUNDS + 1)  # never 0


def test_without_a_difference_p_is_under_five_percent_in_about_five_percent_of_trials():
    chance = random.Random(11)
    low = sum(paired_p([chance.gauss(0, 1) for _ in range(12)]) < 0.05 for _ in range(400))
    assert 8 <= low <= 34  # 20 expected; 3 standard deviations either way


def test_drawing_comes_near_counting():
    values = [0.9, 0.1, 0.4, -0.3, 0.8, 0.2, 0.5, -0.6, 0.7, 0.3, 0.1, 0.2, -0.4]  # 13: counted
    exact = paired_p(values)
    drawn = paired_p([*values, 1e-15])  # 14: drawn
    assert drawn == pytest.approx(exact, abs=0.01)


@pytest.mark.parametrize(
    ("values", "corrected"),
    [
        ([], []),
        ([0.03], [0.03]),
        ([0.01, 0.04], [0.02, 0.04]),
        ([0.04, 0.01], [0.04, 0.02]),
        ([0.01, 0.02, 0.03], [0.03, 0.04, 0.04]),
        ([0.5, 0.6, 0.001], [1.0, 1.0, 0.003]),
    ],
)
def test_holm(values, corrected):
    assert holm(values) == pytest.approx(corrected)
