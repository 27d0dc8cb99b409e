"""By what factor a layer shrinks the gradient that passes through it, before any training."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from math import exp, inf, isfinite, log, nan, sqrt
from statistics import NormalDist, mean, stdev

from microgradient.engine.graph import computed_nodes
from microgradient.engine.sweeps import gradients
from microgradient.rumelhart1986.deep.network import DeepNetwork, Kind, deep_network

KINDS = (
    Kind("sigmoid", "glorot"),
    Kind("sigmoid", 0.5),
    Kind("sigmoid", 1.0),
    Kind("sigmoid", 4.0),
    Kind("tanh", "glorot"),
    Kind("relu", "he"),
    Kind("sigmoid", "glorot", residual=True),
    Kind("relu", "he", residual=True),
)
DEPTHS = (2, 4, 6, 8, 10)
CASES = tuple(product((-1.0, 1.0), repeat=2))
"""Inputs of -1 and 1: at 0 and 0, with biases of 0, every ReLU of a network is off."""

_Z = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class ShrinkFactor:
    """The factor by which one layer shrinks a gradient: above 1 it shrinks, below 1 it grows.

    It is the geometric mean over ``layers`` hidden layers and ``seeds`` networks, from ``low`` to
    ``high`` with 95 % confidence. ``lost`` more networks are not in it, whose gradient below is
    exactly 0: of ReLU layers, all units of one can be off.
    """

    kind: Kind
    layers: int
    factor: float
    low: float
    high: float
    seeds: int
    lost: int


def shrink_factors(
    seeds: Sequence[int] = range(100),
    kinds: Iterable[Kind] = KINDS,
    depths: Iterable[int] = DEPTHS,
) -> tuple[ShrinkFactor, ...]:
    """Return the factor a layer, for each kind of network and each number of layers passed.

    A gradient passes ``depth`` layers of 8 units on its way from the outputs of the last hidden
    layer to those of the first one, in networks with ``depth`` + 2 layers of weights: 2-8-...-8-1.
    He's weights keep the mean of a gradient's square, and so not its geometric mean: eight ReLU
    units shrink a typical gradient by exp(5/32) = 1.17 (Hanin and Nica 2020, "Products of many
    large random matrices and gradients in deep neural networks"). Raises ValueError for fewer than
    two seeds, and for depths below 1.
    """
    depths = tuple(depths)
    if len(seeds) < 2 or min(depths) < 1:
        raise ValueError(f"expected two seeds or more, depths from 1, got {len(seeds)}, {depths}")
    return tuple(_factor_of(kind, depth, seeds) for kind in kinds for depth in depths)


def _factor_of(kind: Kind, depth: int, seeds: Sequence[int]) -> ShrinkFactor:
    networks = (deep_network(kind, depth + 2, seed) for seed in seeds)
    factors = [shrink_factor(network, CASES) for network in networks]
    logs = [log(factor) for factor in factors if isfinite(factor)]
    if len(logs) < 2:
        return ShrinkFactor(kind, depth, nan, nan, nan, len(logs), len(seeds) - len(logs))
    middle, half = mean(logs), _Z * stdev(logs) / sqrt(len(logs))
    low, high = exp(middle - half), exp(middle + half)
    return ShrinkFactor(kind, depth, exp(middle), low, high, len(logs), len(seeds) - len(logs))


def shrink_factor(network: DeepNetwork, inputs: Sequence[Sequence[float]]) -> float:
    """Return the geometric mean of the factors of all hidden layers but the first.

    A layer's factor is the mean |dE/dy| of its outputs over the mean |dE/dh| of its inputs, which
    are the outputs of the layer below: it has one matrix of weights and one slope. (He et al. 2015,
    section 2.2, follow the same gradient; Glorot and Bengio 2010, section 4.2.1, that of incoming
    sums, a slope further.) Where no gradient arrives at the first layer, it is inf.
    """
    sizes = gradient_sizes(network, inputs)
    return (sizes[-1] / sizes[0]) ** (1 / (len(sizes) - 1)) if sizes[0] else inf


def gradient_sizes(network: DeepNetwork, inputs: Sequence[Sequence[float]]) -> list[float]:
    """Return the mean |dz/dh| of the outputs h of each hidden layer, from the first to the last.

    The mean is that over units and cases. z is the incoming sum of the output unit: the gradient of
    an error is dE/dz times as large at every layer, and dE/dz is exactly 0 where a logistic output
    rounds to 0 or 1, as those of deep ReLU residual networks do.
    """
    sizes = [_sizes_of(network, case) for case in inputs]
    return [mean(of_layer) for of_layer in zip(*sizes)]


def _sizes_of(network: DeepNetwork, inputs: Sequence[float]) -> list[float]:
    *hidden, (z,) = network.states(inputs)
    slopes = iter(gradients(computed_nodes(z), {z: 1.0}, [h for layer in hidden for h in layer]))
    return [mean(abs(next(slopes)) for _ in layer) for layer in hidden]
