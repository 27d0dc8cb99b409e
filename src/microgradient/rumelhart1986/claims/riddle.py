"""What the scan of the family trees' readings found, and what the chosen ones do on fresh seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from microgradient.rumelhart1986.claims.family_readings import FRESH, SCAN
from microgradient.rumelhart1986.study import Outcome, Study
from microgradient.rumelhart1986.variant_study import BEYOND, HELD_OUT

TRAINED = 100  # cases


@dataclass(frozen=True)
class ReadingResult:
    """Of ``seeds``, how many networks had what was reported, all of it or in part.

    ``half``: all training cases on the right side of .5; ``strict``: all beyond .8 and .2;
    ``tests``: 3 or 4 of the 4 test cases; ``all``: strict and tests. ``right`` is the mean of right
    test cases.
    """

    name: str
    seeds: int
    half: int
    strict: int
    tests: int
    all: int
    right: float


def result_of(name: str, outcomes: Sequence[Outcome]) -> ReadingResult:
    """Return the result of a reading."""
    strict = [one.findings.get(BEYOND, 0) == TRAINED for one in outcomes]
    tests = [one.tested >= 3 for one in outcomes]
    return ReadingResult(
        name,
        len(outcomes),
        sum(one.learned for one in outcomes),
        sum(strict),
        sum(tests),
        sum(a and b for a, b in zip(strict, tests)),
        sum(one.tested for one in outcomes) / len(outcomes),
    )


def scanned(find: Callable[[Study], Sequence[Outcome]]) -> list[ReadingResult]:
    """Return the results of all readings of the scan, the best ones first.

    That is the order of ``all``, then ``strict`` and ``tests`` together, then ``half``.
    """
    found = [
        result_of(name, outcomes)
        for study in SCAN
        for name, outcomes in study.by_variant(find(study)).items()
        if outcomes
    ]
    return sorted(found, key=lambda r: (-r.all, -(r.strict + r.tests), -r.half, r.name))


def fresh(find: Callable[[Study], Sequence[Outcome]]) -> list[ReadingResult]:
    """Return the results of the chosen readings on fresh seeds."""
    return [result_of(s.variant, found) for s in FRESH if (found := find(s))]


def by_relation(outcomes: Sequence[Outcome]) -> dict[str, tuple[int, int]]:
    """Return how many cases of each relation were right when held out, and how many there were."""
    counts: dict[str, tuple[int, int]] = {}
    for one in outcomes:
        for name, right in one.findings.items():
            if name.startswith(HELD_OUT):
                relation = name.rpartition(" ")[2]
                known = counts.get(relation, (0, 0))
                counts[relation] = known[0] + round(right), known[1] + 1
    return counts
