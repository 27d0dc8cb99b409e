"""Which rate of learning a study has: the best of a few, with seeds of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median

from microgradient.rumelhart1986.deep.study import DeepStudy
from microgradient.rumelhart1986.study import learned_sweeps

_ADAM = (0.01, 0.1, 0.05, 0.025, 0.005, 0.0025, 0.001)
_SMALL = (0.01, 0.005, 0.0025, 0.001, 0.0005, 0.00025, 0.0001)

RATES: Mapping[str, tuple[float, ...]] = {
    "momentum": (0.25, 1.0, 0.5, 0.1, 0.05, 0.025, *_SMALL),
    "adam": _ADAM,
    "adamw": _ADAM,
}
"""The rates that are tried for each optimizer, the usual one first."""

RATE_SEEDS = range(10_000_000, 10_000_100)
"""The seeds that rates are chosen with: others than those that studies are asked for."""


def best_rate(study: DeepStudy, seeds: Sequence[int] = RATE_SEEDS, workers: int = 1) -> float:
    """Return the rate with which most seeds learn; of several such, that of the fewest sweeps.

    Sweeps are the median of the seeds that learn. If none learns with any rate, it is the first
    one of ``RATES``.
    """
    rates = RATES[study.optimizer]
    return max(rates, key=lambda rate: _merit(replace(study, rate=rate), seeds, workers))


def _merit(study: DeepStudy, seeds: Sequence[int], workers: int) -> tuple[int, float]:
    sweeps = learned_sweeps(study.outcomes(seeds, workers))
    return len(sweeps), -median(sweeps or [0])
