"""A feed-forward network with named groups of units: what the 1986 architectures need.

Unlike an MLP, a layer may read several groups (the family trees' two codes) or skip one (XOR's
direct links from input to output).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from microgradient.engine.value import Value
from microgradient.nn.initializers import uniform
from microgradient.nn.module import Layer, Module, operands


@dataclass(frozen=True)
class Group:
    """Units side by side: a name, how many, and the groups they read (none for inputs)."""

    name: str
    size: int
    reads: tuple[str, ...] = ()


@dataclass(frozen=True)
class Architecture:
    """Groups in an order in which each reads only earlier ones; the last is the output."""

    groups: tuple[Group, ...]

    def __post_init__(self) -> None:
        known: set[str] = set()
        for group in self.groups:
            if group.size < 1:
                raise ValueError(f"group {group.name!r} needs at least one unit, got {group.size}")
            if group.name in known:
                raise ValueError(f"group {group.name!r} stands twice")
            if unknown := set(group.reads) - known:
                raise ValueError(f"group {group.name!r} reads {unknown}, which is not before it")
            known.add(group.name)
        if not self.layers or not self.inputs:
            raise ValueError("an architecture needs an input group and a group that reads it")

    @property
    def inputs(self) -> tuple[Group, ...]:
        return tuple(group for group in self.groups if not group.reads)

    @property
    def layers(self) -> tuple[Group, ...]:
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
    """Logistic units; weights uniform in [-initial_range, initial_range], biases likewise.

    Called with the inputs of all input groups, one after the other; returns the last group's
    outputs. Unit: y = 1 / (1 + exp(-x)), x = sum of y_i w_ji and a bias (Nature 323, eqs. 1, 2).
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

    def __call__(self, inputs: Sequence[Any]) -> list[Value]:
        return self._run(inputs)[self.architecture.groups[-1].name]

    def __repr__(self) -> str:
        return f"FeedForward({self.architecture})"

    def activities(self, inputs: Sequence[float]) -> dict[str, list[float]]:
        """Return the activity of every unit by group."""
        return {name: [v.data for v in values] for name, values in self._run(inputs).items()}

    def _run(self, inputs: Sequence[Any]) -> dict[str, list[Value]]:
        rest = operands(inputs, self._input_size, "this network")
        values: dict[str, list[Value]] = {}
        for group in self.architecture.groups:
            if group.reads:
                read = [value for name in group.reads for value in values[name]]
                values[group.name] = self.layers[group.name].outputs(read)
            else:
                values[group.name], rest = rest[: group.size], rest[group.size :]
        return values
