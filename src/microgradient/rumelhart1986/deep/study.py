"""Deep networks trained for exclusive or from many seeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from microgradient.engine.ops import fsum, sigmoid, softplus
from microgradient.engine.value import Value
from microgradient.nn.losses import half_squared_error
from microgradient.nn.optimizers import Adam, AdamW, Momentum
from microgradient.nn.training.objective import Loss
from microgradient.nn.training.plan import within
from microgradient.nn.training.replicas import Replica, train_replicas
from microgradient.rumelhart1986.deep.network import PATTERNS, WIDTH, Kind, deep_network
from microgradient.rumelhart1986.study import Outcome

SWEEPS = 5_000
TOLERANCE = 0.1

OPTIMIZERS: Mapping[str, partial[Any]] = {
    "momentum": partial(Momentum, momentum=0.9),
    "adam": partial(Adam, beta1=0.9, beta2=0.999),
    "adamw": partial(AdamW, beta1=0.9, beta2=0.999, decay=0.01),
}
"""Optimizers by name, all set but for the rate."""


def _activities(logits: Iterable[Any]) -> list[Any]:
    return [sigmoid(z) for z in logits]


def _squared(logits: Sequence[Any], targets: Sequence[Any]) -> Value:
    error: Value = half_squared_error(_activities(logits), targets)
    return error


def _cross_entropy(logits: Sequence[Any], targets: Sequence[Any]) -> Value:
    """Return -d log y - (1 - d) log(1 - y), from logits: y may round to 0 or 1."""
    error: Value = fsum([softplus(z) - d * z for z, d in zip(logits, targets)])
    return error


_met = within(TOLERANCE)


def _right(logits: Sequence[Any], targets: Sequence[Any]) -> bool:
    return _met(_activities(logits), targets)


LOSSES: Mapping[str, Loss] = {"half-squared": _squared, "cross-entropy": _cross_entropy}


@dataclass(frozen=True)
class DeepStudy:
    """A deep network trained for XOR: how many seeds learn, within 5,000 sweeps.

    The network is 2-8-...-8-1 with ``layers`` layers of weights. The weights change after each
    sweep, by the summed gradient: with four patterns there is nothing to draw mini-batches from.
    It has learned when every output is within .1 of its target, 0 or 1, and not if it diverges.
    ``loss`` is a name in ``LOSSES``, ``optimizer`` one in ``OPTIMIZERS``. Of ``one_in`` seeds that
    are asked for, one is trained. Raises ValueError for other names.
    """

    kind: Kind
    layers: int
    optimizer: str
    rate: float
    loss: str = "half-squared"
    one_in: int = 4

    def __post_init__(self) -> None:
        for what, known in (("optimizer", OPTIMIZERS), ("loss", LOSSES)):
            if (name := getattr(self, what)) not in known:
                raise ValueError(f"{what} must be one of {', '.join(known)}, got {name!r}")

    @property
    def name(self) -> str:
        """Its own name: "deep-xor 10 relu-he-adam"."""
        loss = "" if self.loss == "half-squared" else f"-{self.loss}"
        return f"deep-xor {self.layers} {self.kind}{loss}-{self.optimizer}"

    @property
    def content(self) -> str:
        """All that outcomes depend on."""
        own = self.kind, self.layers, self.optimizer, self.rate, self.loss
        settings = OPTIMIZERS[self.optimizer].keywords
        return repr((*own, settings, WIDTH, PATTERNS, SWEEPS, TOLERANCE))

    def wanted(self, seeds: int) -> range:
        """Return the seeds to train from where so many are asked for: one in ``one_in``."""
        return range(-(-seeds // self.one_in))

    def outcomes(self, seeds: Sequence[int], workers: int) -> list[Outcome]:
        """Return how training from these seeds ends, with ``workers`` threads.

        Raises KeyboardInterrupt if training was interrupted.
        """
        ended = train_replicas(
            [deep_network(self.kind, self.layers, seed) for seed in seeds],
            PATTERNS,
            loss=LOSSES[self.loss],
            optimizer=partial(OPTIMIZERS[self.optimizer], rate=self.rate),
            sweeps=SWEEPS,
            criterion=_right,
            workers=workers,
        )
        return [outcome_of(seed, one) for seed, one in zip(seeds, ended)]


def outcome_of(seed: int, ended: Replica[Any]) -> Outcome:
    """Return the outcome of a replica; KeyboardInterrupt if it was interrupted."""
    if ended.stopped == "interrupted":
        raise KeyboardInterrupt
    return Outcome(seed, ended.stopped == "criterion", ended.sweeps, ended.right, 0)
