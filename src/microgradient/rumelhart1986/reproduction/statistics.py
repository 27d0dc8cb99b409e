"""Intervals of 95 %: for a rate, a median, and the ratio of two medians."""

from __future__ import annotations

import random
from collections.abc import Sequence
from math import sqrt
from statistics import median

_Z = 1.959963984540054  # of the normal distribution, two-sided
_RESAMPLES = 1000


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """Return the interval of a rate of success. Source: E. B. Wilson, JASA 22 (1927): 209-212.

    Raises ValueError without trials.
    """
    if not 0 <= successes <= trials or not trials:
        raise ValueError(f"expected 0 to {trials} successes of at least one trial, got {successes}")
    rate, z2 = successes / trials, _Z * _Z
    middle = rate + z2 / (2 * trials)
    around = _Z * sqrt(rate * (1 - rate) / trials + z2 / (4 * trials * trials))
    low, high = ((middle + sign * around) / (1 + z2 / trials) for sign in (-1, 1))
    return (0.0 if successes == 0 else low), (1.0 if successes == trials else high)


def median_interval(numbers: Sequence[float], seed: int = 0) -> tuple[float, float]:
    """Return the interval of a median by the percentiles of resamples (Efron's bootstrap).

    The same numbers in the same order give the same interval. Raises ValueError without numbers.
    """
    if not numbers:
        raise ValueError("there is no median of no numbers")
    rng, n = random.Random(seed), len(numbers)
    medians = sorted(median(rng.choices(numbers, k=n)) for _ in range(_RESAMPLES))
    return medians[_RESAMPLES // 40], medians[-_RESAMPLES // 40 - 1]


def ratio_interval(
    numbers: Sequence[float], others: Sequence[float], seed: int = 0
) -> tuple[float, float]:
    """Return the interval of the ratio of two medians, by resampling both (Efron's bootstrap).

    Raises ValueError without numbers.
    """
    if not numbers or not others:
        raise ValueError("there is no median of no numbers")
    rng = random.Random(seed)
    draw = [(numbers, len(numbers)), (others, len(others))]
    ratios = sorted(
        median(rng.choices(draw[0][0], k=draw[0][1]))
        / median(rng.choices(draw[1][0], k=draw[1][1]))
        for _ in range(_RESAMPLES)
    )
    return ratios[_RESAMPLES // 40], ratios[-_RESAMPLES // 40 - 1]
