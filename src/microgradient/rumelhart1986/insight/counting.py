"""Hidden units that count: parity's turn on with the number of ones (PDP8, pp. 334-335)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from microgradient.rumelhart1986.experiment import NamedPattern
from microgradient.rumelhart1986.insight.codes import codes_of
from microgradient.rumelhart1986.network import Network

COUNTS = 0.95  # of the variance, from which on a unit counts


@dataclass(frozen=True)
class CountingUnit:
    """How a unit depends on the number of ones in the input.

    ``explained`` is the part of the variance of its activity between numbers of ones (eta squared),
    1 where the number alone decides. ``means`` are its mean activities for each of ``numbers`` of
    ones.
    """

    explained: float
    means: tuple[float, ...]
    numbers: tuple[int, ...]

    @property
    def switches_at(self) -> tuple[int, ...]:
        """The numbers of ones at which the mean activity crosses 0.5."""
        on = [mean > 0.5 for mean in self.means]
        return tuple(n for was, now, n in zip(on, on[1:], self.numbers[1:]) if was != now)

    @property
    def counts(self) -> bool:
        """Whether the number of ones explains at least 95 % of the variance."""
        return self.explained >= COUNTS


def counting_units(
    network: Network, patterns: Sequence[NamedPattern], group: str = "hidden"
) -> list[CountingUnit]:
    """Return how each unit of a group depends on the number of ones in all ``patterns``."""
    codes = codes_of(network, group, patterns)
    ones = [round(sum(pattern.inputs)) for pattern in patterns]
    return [_unit([code[j] for code in codes], ones) for j in range(len(codes[0]))]


def _unit(activities: Sequence[float], ones: Sequence[int]) -> CountingUnit:
    numbers = sorted(set(ones))
    groups = [[y for y, n in zip(activities, ones) if n == k] for k in numbers]
    means = tuple(map(fmean, groups))
    mean = fmean(activities)
    total = sum((y - mean) ** 2 for y in activities)
    between = sum(len(s) * (m - mean) ** 2 for s, m in zip(groups, means))
    return CountingUnit(between / total if total else 0.0, means, tuple(numbers))
