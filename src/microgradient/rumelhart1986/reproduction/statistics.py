"""Intervals of 95 %: for a rate, a median, and the ratio of two medians."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from math import sqrt

_Z = 1.959963984540054  # of the normal distribution, two-sided
_RESAMPLES = 4000
_TIMES = range(_RESAMPLES)


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


def rate_text(successes: int, trials: int) -> str:
    """Return "7 of 30 (11.8% to 40.9%)": a rate with its interval."""
    low, high = wilson(successes, trials)
    return f"{successes:,} of {trials:,} ({low:.1%} to {high:.1%})"


def median_interval(numbers: Sequence[float], seed: int = 0) -> tuple[float, float]:
    """Return the interval of a median by the percentiles of resamples (Efron's bootstrap).

    The same numbers give the same interval. Raises ValueError without numbers.
    """
    rng, ordered = random.Random(seed), _ordered(numbers)
    return _ends(_resampled_median(ordered, rng) for _ in _TIMES)


def ratio_interval(
    numbers: Sequence[float], others: Sequence[float], seed: int = 0
) -> tuple[float, float]:
    """Return the interval of the ratio of two medians, by resampling both (Efron's bootstrap).

    Raises ValueError without numbers.
    """
    rng, first, second = random.Random(seed), _ordered(numbers), _ordered(others)
    medians = ((_resampled_median(first, rng), _resampled_median(second, rng)) for _ in _TIMES)
    return _ends(a / b for a, b in medians)


def _ordered(numbers: Sequence[float]) -> list[float]:
    if not numbers:
        raise ValueError("there is no median of no numbers")
    return sorted(numbers)


def _resampled_median(ordered: Sequence[float], rng: random.Random) -> float:
    """Return the median of as many numbers, drawn with replacement.

    Drawing places 1, …, n is drawing n points of (0, 1], times n and rounded up. Of these points in
    order, the one with rank r is drawn at once, from a beta distribution, and the next one from
    what is left above it: 2 draws for n.
    """
    n = len(ordered)
    rank = (n + 1) // 2
    point = rng.betavariate(rank, n - rank + 1)
    lower = ordered[min(n - 1, int(n * point))]
    if n % 2:
        return lower
    point += (1 - point) * (1 - rng.random() ** (1 / (n - rank)))
    return (lower + ordered[min(n - 1, int(n * point))]) / 2


def _ends(resamples: Iterable[float]) -> tuple[float, float]:
    """Return the percentiles between which 95 % of resamples are."""
    several = sorted(resamples)
    return several[len(several) // 40], several[-len(several) // 40 - 1]
