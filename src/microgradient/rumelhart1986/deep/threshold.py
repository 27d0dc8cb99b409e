"""Threshold units instead of logistic ones: there is no gradient, and nothing is learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from microgradient.engine.ops import step
from microgradient.nn.initializers import uniform
from microgradient.nn.losses import half_squared_error
from microgradient.nn.module import MLP
from microgradient.nn.training.plan import within
from microgradient.nn.training.replicas import train_replicas
from microgradient.rumelhart1986.deep.network import PATTERNS
from microgradient.rumelhart1986.deep.study import OPTIMIZERS, SWEEPS, TOLERANCE, outcome_of
from microgradient.rumelhart1986.study import Outcome

_RANGE, _RATE = 0.5, 0.25


def threshold_network(seed: int) -> MLP:
    """Return a 2-2-1 network of units that are 1 where their incoming sum is above 0, else 0.

    Weights and biases start uniform within ±.5. The derivative of a step is 0 everywhere
    (docs/conventions.md), and so is the gradient of every weight. A threshold function "is
    discontinuous and hence will not suffice" (PDP vol. 1, ch. 8, p. 328).
    """
    draw = uniform(_RANGE)
    return MLP(2, [2, 1], step, output=step, initializer=draw, bias_initializer=draw, rng=seed)


@dataclass(frozen=True)
class HardThreshold:
    """XOR with threshold units: trained at rate .25, momentum .9, for 5,000 sweeps."""

    name: str = "xor 2-2-1 hard-threshold"

    @property
    def content(self) -> str:
        """All that outcomes depend on."""
        settings = OPTIMIZERS["momentum"].keywords
        return repr(("step", PATTERNS, _RANGE, _RATE, settings, SWEEPS, TOLERANCE))

    def wanted(self, seeds: int) -> range:
        """Return the seeds to train from where so many are asked for: all of them."""
        return range(seeds)

    def outcomes(self, seeds: Sequence[int], workers: int) -> list[Outcome]:
        """Return how training from these seeds ends, with ``workers`` threads.

        The finding "weights changed" counts the weights that are not what they were: none, also of
        a network that happens to be right from the start. Raises KeyboardInterrupt if training was
        interrupted.
        """
        networks = [threshold_network(seed) for seed in seeds]
        before = [network.state_dict() for network in networks]
        ended = train_replicas(
            networks,
            PATTERNS,
            loss=half_squared_error,
            optimizer=partial(OPTIMIZERS["momentum"], rate=_RATE),
            sweeps=SWEEPS,
            criterion=within(TOLERANCE),
            workers=workers,
        )
        return [
            replace(outcome_of(seed, one), findings={"weights changed": _changed(one.model, old)})
            for seed, one, old in zip(seeds, ended, before)
        ]


def _changed(network: MLP, before: dict[str, float]) -> float:
    return float(sum(before[name] != x for name, x in network.state_dict().items()))
