"""What the person units of the family trees say: nationality, generation, branch (Nature, Fig. 4).

Each of 24 people has six activities, and a label in each of several ways. The correlation of the
best unit is tested against chance: labels are permuted over the people, which keeps how many have
which, and the correlation of the best unit is taken again.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from math import sqrt
from statistics import fmean

from microgradient.rumelhart1986.experiments.family_trees import (
    ENGLISH_MEN,
    ENGLISH_WOMEN,
    FAMILY_TREES,
    ITALIAN_MEN,
    ITALIAN_WOMEN,
    MEN,
    PEOPLE,
    RELATIONS,
)
from microgradient.rumelhart1986.insight.codes import codes_of
from microgradient.rumelhart1986.network import Network

_GENERATIONS = (
    ("Christopher", "Penelope", "Andrew", "Christine"),
    ("Arthur", "Margaret", "Victoria", "James", "Jennifer", "Charles"),
    ("Colin", "Charlotte"),
)
_RIGHT = ("Andrew", "Christine", "James", "Jennifer", "Charles")
_BOTH = ("Colin", "Charlotte")
_ENGLISH = ENGLISH_MEN + ENGLISH_WOMEN
_ENGLISH_OF = dict(zip(ITALIAN_MEN + ITALIAN_WOMEN, _ENGLISH)) | {p: p for p in _ENGLISH}


def _generation(person: str) -> float:
    return next(float(k) for k, several in enumerate(_GENERATIONS) if person in several)


def _branch(person: str) -> float:
    """Return 0 for the left branch of the tree, 1 for the right one, between them for both."""
    return 0.5 if person in _BOTH else float(person in _RIGHT)


LABELS: Mapping[str, tuple[float, ...]] = {
    "nationality": tuple(float(person in _ENGLISH) for person in PEOPLE),
    "generation": tuple(_generation(_ENGLISH_OF[person]) for person in PEOPLE),
    "branch": tuple(_branch(_ENGLISH_OF[person]) for person in PEOPLE),
    "sex": tuple(float(person in MEN) for person in PEOPLE),
}
"""What people differ in, by name: a number for each of ``PEOPLE``."""


def person_codes(network: Network) -> list[tuple[float, ...]]:
    """Return the six activities that each of ``PEOPLE`` has in the group "person code"."""
    return _probed(network, "person code")


ANSWERS_SEX = tuple(
    float(relation in ("husband", "son", "father", "brother", "nephew", "uncle"))
    for relation in RELATIONS
)
"""Whether the answers to each of ``RELATIONS`` are men: a relation unit says so in Hinton 1986."""


def relation_codes(network: Network) -> list[tuple[float, ...]]:
    """Return the six activities that each of ``RELATIONS`` has in the group "relation code"."""
    return _probed(network, "relation code")


def _probed(network: Network, group: str) -> list[tuple[float, ...]]:
    (probe,) = (one for one in FAMILY_TREES.probes if one.group == group)
    return codes_of(network, group, probe.patterns)


def correlation(xs: Sequence[float], ys: Sequence[float]) -> float:
    """Return Pearson's r, 0 where one of them does not vary. Raises ValueError for two lengths."""
    if len(xs) != len(ys):
        raise ValueError(f"expected a label for each activity, got {len(xs)} and {len(ys)}")
    x, y = fmean(xs), fmean(ys)
    xx, yy = sum((a - x) ** 2 for a in xs), sum((b - y) ** 2 for b in ys)
    xy = sum((a - x) * (b - y) for a, b in zip(xs, ys))
    return xy / sqrt(xx * yy) if xx and yy else 0.0


def best_unit(codes: Sequence[Sequence[float]], labels: Sequence[float]) -> tuple[int, float]:
    """Return the unit whose activities correlate most with the labels, and its |r|."""
    sizes = [abs(correlation(unit, labels)) for unit in zip(*codes)]
    return max(enumerate(sizes), key=lambda pair: pair[1])


def permutation_p(
    codes: Sequence[Sequence[float]],
    labels: Sequence[float],
    permutations: int = 1000,
    seed: int = 0,
) -> float:
    """Return how often permuted labels have a best unit at least as good, (b + 1) / (m + 1).

    Source of the rule: Phipson and Smyth, "Permutation p-values should never be zero" (2010).
    Raises ValueError for fewer than one permutation, and unless there is a label for each code.
    """
    if len(codes) != len(labels):
        raise ValueError(f"expected a label for each code, got {len(codes)} and {len(labels)}")
    if permutations < 1:
        raise ValueError(f"permutations must be at least 1, got {permutations}")
    units = [_normalized(unit) for unit in zip(*codes)]
    observed = _best(units, _normalized(labels))
    rng, permuted, better = random.Random(seed), list(_normalized(labels)), 0
    for _ in range(permutations):
        rng.shuffle(permuted)
        better += _best(units, permuted) >= observed - 1e-12
    return (better + 1) / (permutations + 1)


def _normalized(xs: Sequence[float]) -> list[float]:
    """Return numbers with the mean 0 and the sum of squares 1: their products add up to r."""
    mean = fmean(xs)
    size = sqrt(sum((x - mean) ** 2 for x in xs))
    return [(x - mean) / size if size else 0.0 for x in xs]


def _best(units: Sequence[Sequence[float]], labels: Sequence[float]) -> float:
    return max(abs(sum(map(float.__mul__, unit, labels))) for unit in units)
