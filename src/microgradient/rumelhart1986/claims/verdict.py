"""A verdict on a claim, computed from the intervals of what was measured under its readings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles

from microgradient.rumelhart1986.reproduction.statistics import median_interval, wilson
from microgradient.rumelhart1986.study import Outcome, learned_sweeps

HOLDS = "holds"
CONDITIONS = "holds under conditions"
NOT = "does not hold"
UNSAID = "not in the original"
ABSENT = "not measured"
TOO_FEW = "too few networks"
_LEAST = 20  # networks that a verdict needs

Readings = Mapping[str, Sequence[Outcome]]
"""Outcomes by what a reading of a claim is called."""


@dataclass(frozen=True)
class Verdict:
    """What is claimed, what the original says of it, what was measured, and whether it holds."""

    claim: str
    original: str
    measured: str
    verdict: str


def combined(each: Sequence[str]) -> str:
    """Return the verdict on a claim from those under its readings."""
    if not each or TOO_FEW in each:
        return TOO_FEW if each else ABSENT
    if all(one == HOLDS for one in each):
        return HOLDS
    return NOT if all(one == NOT for one in each) else CONDITIONS


def of_count(claimed: float, outcomes: Sequence[Outcome]) -> str:
    """Judge "it learns in about so many sweeps", by the runs that learned.

    It holds within 10 % of the interval of the median; under conditions within the central 95 % of
    runs, which is where a single run may well end.
    """
    sweeps = learned_sweeps(outcomes)
    if len(outcomes) < _LEAST:
        return TOO_FEW
    if len(sweeps) < 2:
        return NOT
    low, high = median_interval(sweeps)
    if 0.9 * low <= claimed <= 1.1 * high:
        return HOLDS
    ends = quantiles(sweeps, n=40, method="inclusive")
    return CONDITIONS if ends[0] <= claimed <= ends[-1] else NOT


def of_rate(claimed: float, successes: int, trials: int) -> str:
    """Judge "so many of all do": it holds if the claimed rate is within the interval."""
    if trials < _LEAST:
        return TOO_FEW
    low, high = wilson(successes, trials)
    return HOLDS if low <= claimed <= high else NOT


def of_all(successes: int, trials: int) -> str:
    """Judge "all do": it holds if the rate may be 95 %, under conditions if 5 % do."""
    if trials < _LEAST:
        return TOO_FEW
    low, high = wilson(successes, trials)
    return HOLDS if high >= 0.95 else CONDITIONS if low >= 0.05 else NOT


def of_never(successes: int, trials: int) -> str:
    """Judge "none does": it holds without one, under conditions if fewer than half would."""
    if trials < _LEAST:
        return TOO_FEW
    if successes == 0:
        return HOLDS
    return CONDITIONS if wilson(successes, trials)[1] < 0.5 else NOT


def count_text(outcomes: Sequence[Outcome]) -> str:
    """Return "732 (700 to 760), 930 of 1,000": the median of those that learned, and how many."""
    sweeps = learned_sweeps(outcomes)
    of_all = f"{len(sweeps):,} of {len(outcomes):,}"
    if len(sweeps) < 2:
        return of_all
    low, high = median_interval(sweeps)
    return f"{median(sweeps):,.0f} sweeps ({low:,.0f} to {high:,.0f}), {of_all}"


def listed(readings: Mapping[str, str]) -> str:
    """Return what was measured under each reading, as one text."""
    return "; ".join(f"{name}: {text}" if name else text for name, text in readings.items())
