"""Whether two sides differ by more than chance: a paired randomisation test, and the correction for several of them.

The test is Fisher's, as Smucker, Allan and Carterette (CIKM 2007) recommend it for comparing searches. If neither side
were better, each question's difference could as well have the other sign: p is the share of all ways to choose the
signs in which the mean difference is at least as far from 0 as the one seen.
"""

from __future__ import annotations

from collections.abc import Sequence

ROUNDS = 10_000
"""Random choices of signs, where there are too many to try all."""
_ALL = 13
"""With at most so many differences all choices of signs are tried: 2 to the 13th are fewer than `ROUNDS`."""
_SEED = 0
_ROWS = 500


def paired_p(differences: Sequence[float]) -> float | None:
    """The two-sided p value of paired differences, one per question. None without any; 1 when all are 0.

    Exact for up to 13 differences that are not 0; beyond, of 10,000 draws with a fixed seed, the seen one counted in.
    So the same differences always give the same p, and none is ever 0.
    """
    import numpy as np  # here, so that a command that compares nothing does not load it

    if not differences:
        return None
    values = np.array([value for value in differences if value], dtype=np.float64)
    if not len(values):
        return 1.0
    seen = abs(values.sum()) - 1e-9 * np.abs(values).sum()  # equal sums differ in their last digits by their order
    if len(values) <= _ALL:
        bits = np.arange(2 ** len(values))[:, None] >> np.arange(len(values)) & 1
        return float(np.mean(np.abs((2 * bits - 1) @ values) >= seen))
    chance = np.random.default_rng(_SEED)
    extreme = 0
    for _ in range(ROUNDS // _ROWS):
        signs = 2 * chance.integers(0, 2, (_ROWS, len(values)), dtype=np.int8) - 1
        extreme += int(np.sum(np.abs(signs @ values) >= seen))
    return (extreme + 1) / (ROUNDS + 1)


def holm(values: Sequence[float]) -> list[float]:
    """P values corrected for being several (Holm 1979), in the order given.

    The smallest is multiplied by their number, the next by one less, and so on; none is under one before it, none over
    1. Calling what stays under 0.05 a difference is wrong in at most 5 % of cases for all of them together.
    """
    corrected = [0.0] * len(values)
    least = 0.0
    for place, at in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        least = max(least, min(1.0, (len(values) - place) * values[at]))
        corrected[at] = least
    return corrected
