"""Initial weights: functions of a random generator and of the numbers of inputs and outputs."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from math import sqrt

from microgradient.engine.number import shown

Initializer = Callable[[random.Random, int, int], float]
"""``initializer(rng, fan_in, fan_out)`` returns one weight."""


def uniform(limit: float) -> Initializer:
    """Return the uniform distribution on [-limit, limit].

    Where the papers of 1986 state a limit, it is 0.3 (Nature 323, Fig. 1).
    """
    return lambda rng, fan_in, fan_out: rng.uniform(-limit, limit)


def normal(deviation: float) -> Initializer:
    """Return the normal distribution with mean 0 and this standard deviation."""
    return lambda rng, fan_in, fan_out: rng.gauss(0.0, deviation)


def zeros(rng: random.Random, fan_in: int, fan_out: int) -> float:
    """Return 0, for biases: weights that start equal "can never learn" (PDP vol. 1, p. 330)."""
    return 0.0


def glorot(rng: random.Random, fan_in: int, fan_out: int) -> float:
    """Return a weight uniform within sqrt(6 / (fan_in + fan_out)), for sigmoid and tanh.

    Source: Glorot and Bengio 2010, eq. 16.
    """
    limit = sqrt(6 / (fan_in + fan_out))
    return rng.uniform(-limit, limit)


def he(rng: random.Random, fan_in: int, fan_out: int) -> float:
    """Return a normal weight with variance 2 / fan_in, for ReLU. Source: He et al. 2015, eq. 10."""
    return rng.gauss(0.0, sqrt(2 / fan_in))


INITIALIZERS: Mapping[str, Initializer] = {"zeros": zeros, "glorot": glorot, "he": he}


def initializer_of(initializer: str | Initializer) -> Initializer:
    """Return the initializer that ``INITIALIZERS`` has by that name, or the function given."""
    if callable(initializer):
        return initializer
    if initializer not in INITIALIZERS:
        raise ValueError(
            f"initializer must be one of {', '.join(INITIALIZERS)}, or a function such as "
            f"uniform(0.3) or normal(0.1), got {shown(initializer)}"
        )
    return INITIALIZERS[initializer]
