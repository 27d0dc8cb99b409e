"""Momentum that begins with other settings, as the family trees did (Nature 323, Fig. 4)."""

from __future__ import annotations

from collections.abc import Iterable

from microgradient.engine.value import Value
from microgradient.nn.optimizers import Momentum


class WarmupMomentum(Momentum):
    """:class:`Momentum`; the first ``warmup`` updates have a rate and a momentum of their own."""

    steady = False

    def __init__(
        self,
        parameters: Iterable[Value],
        rate: float,
        momentum: float,
        decay: float,
        warmup: int,
        warmup_rate: float,
        warmup_momentum: float,
    ) -> None:
        super().__init__(parameters, rate, momentum, decay)
        self.warmup, self.warmup_rate, self.warmup_momentum = warmup, warmup_rate, warmup_momentum

    def settings(self, step: int) -> tuple[float, ...]:
        if step < self.warmup:
            return (self.warmup_rate, self.warmup_momentum, 1.0 - self.decay)
        return super().settings(step)
