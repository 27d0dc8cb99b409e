"""Momentum under a bound: some weights, such as the biases of a shift register, stay below it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from microgradient.engine.ops import minimum
from microgradient.engine.value import Value
from microgradient.nn.optimizers import Momentum, X

FREE = 1e300  # the bound of a weight without one: a memory of an optimizer is finite


class BoundedMomentum(Momentum):
    """:class:`Momentum`; what would go beyond a weight's bound stays at the bound."""

    memories = ("changes", "bounds")

    def __init__(
        self,
        parameters: Iterable[Value],
        rate: float,
        momentum: float,
        decay: float,
        bounds: Sequence[float],
    ) -> None:
        super().__init__(parameters, rate, momentum, decay)
        self.bounds = list(bounds)

    @staticmethod
    def rule(settings: Sequence[X], weight: X, gradient: X, *memories: X) -> tuple[X, ...]:
        change, bound = memories
        moved, change = Momentum.rule(settings, weight, gradient, change)
        return minimum(moved, bound), change, bound
