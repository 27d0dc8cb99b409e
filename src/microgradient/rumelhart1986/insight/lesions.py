"""A unit is removed: which patterns are no longer right?"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from microgradient.engine.value import Value
from microgradient.nn.training.plan import Criterion
from microgradient.rumelhart1986.experiment import NamedPattern
from microgradient.rumelhart1986.network import Network


@dataclass(frozen=True)
class Lesion:
    """What breaks without a unit: patterns that were right before, and are not any more."""

    group: str
    unit: int
    broken: tuple[NamedPattern, ...]


@contextmanager
def removed(network: Network, group: str, unit: int) -> Iterator[None]:
    """Remove a unit within the block: the weights from it are 0, whatever its activity is.

    Raises ValueError for a unit that nothing reads, that is not there, or whose weights other units
    share: they would be removed with it, as all fields of the T-C problem.
    """
    if not 0 <= unit < network.architecture.groups.get(group, 0):
        raise ValueError(f"there is no unit {unit} in a group {group!r} of {network}")
    weights = list(dict.fromkeys(_weights_from(network, group, unit)))
    if not weights:
        raise ValueError(f"nothing reads unit {unit} of {group!r}, so it cannot be removed")
    if others := _others_with(network, (group, unit), weights):
        raise ValueError(
            f"unit {unit} of {group!r} cannot be removed alone: it shares its weights with unit "
            f"{others[0][1]} of {others[0][0]!r}"
        )
    before = [weight.data for weight in weights]
    try:
        for weight in weights:
            weight.data = 0.0
        yield
    finally:
        for weight, number in zip(weights, before):
            weight.data = number


def _weights_from(network: Network, group: str, unit: int) -> Iterator[Value]:
    return (weight for source, weight in _weights(network) if source == (group, unit))


def _others_with(
    network: Network, unit: tuple[str, int], weights: Sequence[Value]
) -> list[tuple[str, int]]:
    identities = {*map(id, weights)}
    return [source for source, w in _weights(network) if source != unit and id(w) in identities]


def _weights(network: Network) -> Iterator[tuple[tuple[str, int], Value]]:
    """Yield all weights, each with the group and the number of the unit that it leads from."""
    for units in network.layers.values():
        for neuron, reads in zip(units.neurons, units.reads):
            for weight, read in zip(neuron.weights, reads):
                yield (read.group, read.unit), weight


def lesions(
    network: Network,
    group: str,
    patterns: Sequence[tuple[NamedPattern, Sequence[float]]],
    criterion: Criterion,
) -> list[Lesion]:
    """Return what breaks without each unit of a group.

    ``patterns`` are those to try, each with its trained targets. Raises ValueError for an unknown
    group and for units that cannot be removed.
    """
    if group not in (groups := network.architecture.groups):
        raise ValueError(f"group must be one of {', '.join(groups)}, got {group!r}")

    def right() -> list[bool]:
        outputs = [[y.data for y in network(p.inputs)] for p, _ in patterns]
        return [bool(criterion(ys, targets)) for ys, (_, targets) in zip(outputs, patterns)]

    before, found = right(), []
    for unit in range(network.architecture.groups[group]):
        with removed(network, group, unit):
            after = right()
        broken = [p for (p, _), was, now in zip(patterns, before, after) if was and not now]
        found.append(Lesion(group, unit, tuple(broken)))
    return found


def concentration_p(
    broken: Sequence[NamedPattern],
    patterns: Sequence[NamedPattern],
    label: Callable[[NamedPattern], str],
    permutations: int = 1000,
    seed: int = 0,
) -> float:
    """Return how often as many patterns, drawn at random, are as concentrated in labels.

    ``patterns`` are those that could break: those right before. With others among them, whatever
    the network has not learned looks like a concentration. The measure is that of the chi-squared
    test, the rule (b + 1) / (m + 1). Raises ValueError for fewer than one permutation and for
    broken patterns that are not among ``patterns``.
    """
    if permutations < 1:
        raise ValueError(f"permutations must be at least 1, got {permutations}")
    if missing := [pattern.name for pattern in broken if pattern not in patterns]:
        raise ValueError(f"broken patterns must be among patterns, got also {missing[0]!r}")
    labels = [label(pattern) for pattern in patterns]
    observed = _concentration([label(pattern) for pattern in broken], labels)
    rng, worse = random.Random(seed), 0
    for _ in range(permutations):
        worse += _concentration(rng.sample(labels, len(broken)), labels) >= observed - 1e-12
    return (worse + 1) / (permutations + 1)


def _concentration(drawn: Sequence[str], labels: Sequence[str]) -> float:
    """Return the sum over labels of (count - expected)^2 / expected."""
    total = 0.0
    for label in sorted(set(labels)):
        expected = len(drawn) * labels.count(label) / len(labels)
        if expected:
            total += (drawn.count(label) - expected) ** 2 / expected
    return total
