"""A feed-forward network of named groups of units, as the architectures of 1986 need it.

Unlike in an MLP, a layer may read several groups (the two codes of the family trees) or skip one
(the direct links from input to output of XOR).
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from microgradient.engine.value import Value
from microgradient.nn.initializers import uniform
from microgradient.nn.module import Inputs, Layer, Module, input_values


@dataclass(frozen=True)
class Group:
    """Units of one layer: a name, how many, and the groups that they read (none for inputs)."""

    name: str
    size: int
    reads: tuple[str, ...] = ()


@dataclass(frozen=True)
class Architecture:
    """Groups, each of which reads only earlier ones; the last one is the output.

    Raises ValueError for any other order, and for empty groups or repeated names.
    """

    groups: tuple[Group, ...]

    def __post_init__(self) -> None:
        known: set[str] = set()
        for group in self.groups:
            if group.size < 1:
                raise ValueError(f"group {group.name!r} needs at least one unit, got {group.size}")
            if group.name in known:
                raise ValueError(f"there are two groups {group.name!r}")
            if unknown := set(group.reads) - known:
                raise ValueError(
                    f"group {group.name!r} reads {', '.join(sorted(unknown))}, which must come "
                    "before it"
                )
            known.add(group.name)
        if not self.layers or not self.inputs:
            raise ValueError("an architecture needs an input group and a group that reads it")

    @property
    def inputs(self) -> tuple[Group, ...]:
        """The groups that hold the inputs."""
        return tuple(group for group in self.groups if not group.reads)

    @property
    def layers(self) -> tuple[Group, ...]:
        """The groups that read others."""
        return tuple(group for group in self.groups if group.reads)

    def fan_in(self, layer: Group) -> int:
        """Return how many units ``layer`` reads."""
        return sum(map(self.size, layer.reads))

    def size(self, name: str) -> int:
        """Return how many units the group ``name`` has."""
        return next(group.size for group in self.groups if group.name == name)

    def __str__(self) -> str:
        rank: dict[str, int] = {}
        for group in self.groups:
            rank[group.name] = 1 + max((rank[name] for name in group.reads), default=-1)
        sides = [
            " + ".join(
                f"{group.size} {group.name}" for group in self.groups if rank[group.name] == r
            )
            for r in range(max(rank.values()) + 1)
        ]
        return " -> ".join(sides)


class FeedForward(Module):
    """A network of logistic units, called with the inputs of all input groups in their order.

    Weights start uniform within ±initial_range, biases within ±initial_bias_range. A call returns
    the outputs of the last group. Each unit is y_j = 1 / (1 + exp(-x_j)), where x_j is the sum of
    all y_i w_ji and a bias (Nature 323, eqs. 1, 2).
    """

    def __init__(
        self,
        architecture: Architecture,
        initial_range: float,
        initial_bias_range: float,
        rng: random.Random,
    ) -> None:
        self.architecture = architecture
        self.layers = {
            group.name: Layer(
                architecture.fan_in(group),
                group.size,
                "sigmoid",
                initializer=uniform(initial_range),
                bias_initializer=uniform(initial_bias_range),
                rng=rng,
            )
            for group in architecture.layers
        }
        self._input_size = sum(group.size for group in architecture.inputs)

    def __call__(self, inputs: Inputs) -> list[Value]:
        return self._run(inputs)[self.architecture.groups[-1].name]

    def __repr__(self) -> str:
        return f"FeedForward({self.architecture})"

    def activities(self, inputs: Inputs) -> dict[str, list[float]]:
        """Return the activities of the units, by the names of their groups."""
        return {name: [v.data for v in values] for name, values in self._run(inputs).items()}

    def _run(self, inputs: Inputs) -> dict[str, list[Value]]:
        rest = input_values(inputs, self._input_size, "this network")
        values: dict[str, list[Value]] = {}
        for group in self.architecture.groups:
            if group.reads:
                read = [value for name in group.reads for value in values[name]]
                values[group.name] = self.layers[group.name].outputs(read)
            else:
                values[group.name], rest = rest[: group.size], rest[group.size :]
        return values
