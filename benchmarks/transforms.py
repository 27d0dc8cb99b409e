"""Derivatives of functions: a network's gradient, a Hessian, training by presentation.

The peer computes the network's gradient with the same formulas on a closure-free Value.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import microgradient as mg
from closure_free import PlainValue
from microgradient import nn

HIDDEN, INPUTS = 16, 4
_rng = random.Random(0)
WEIGHTS = [_rng.uniform(-1, 1) for _ in range(HIDDEN * (INPUTS + 1))]
POINTS = [[_rng.uniform(-1, 1) for _ in range(INPUTS)] for _ in range(10)]
XOR = [([0.0, 0.0], [0.0]), ([0.0, 1.0], [1.0]), ([1.0, 0.0], [1.0]), ([1.0, 1.0], [0.0])]


def error(weights: Sequence[Any], sigmoid: Callable[[Any], Any]) -> Any:
    """The squared error of a network with one hidden layer, in plain operators."""
    total: Any = 0.0
    for point in POINTS:
        hidden = [
            sigmoid(sum(w * x for w, x in zip(weights[start : start + INPUTS], point)))
            * weights[HIDDEN * INPUTS + j]
            for j, start in enumerate(range(0, HIDDEN * INPUTS, INPUTS))
        ]
        total = total + (sum(hidden) - point[0]) ** 2
    return total


def rosenbrock(x: Sequence[Any]) -> Any:
    return sum((1 - a) ** 2 + 100 * (b - a * a) ** 2 for a, b in pairwise(x))


def plain_gradient() -> list[float]:
    weights = [PlainValue(w) for w in WEIGHTS]
    result = error(weights, lambda x: 1.0 / (1.0 + (-x).exp()))
    result.backward()
    return [result.data, *(w.grad for w in weights)]


def xor_by_presentation() -> float:
    """Train 100 sweeps of four presentations, each with its update, on Values."""
    model = nn.MLP(2, [2, 1], "sigmoid", output="sigmoid", rng=0)
    optimizer = nn.Momentum(model.parameters(), 0.5, 0.9)
    history = nn.train(
        model,
        XOR,
        loss=nn.half_squared_error,
        optimizer=optimizer,
        sweeps=100,
        update="presentation",
        backend="eager",
        progress=False,
    )
    return history.errors[-1]


def contestants() -> dict[str, Callable[[], Any]]:
    """Return the calls, after checking that both gradients agree."""
    ours = mg.value_and_grad(lambda w: error(w, mg.sigmoid))
    value, gradient = ours(WEIGHTS)
    for got, want in zip([value, *gradient], plain_gradient(), strict=True):
        if not math.isclose(got, want, rel_tol=1e-9, abs_tol=1e-12):
            raise AssertionError(f"the gradients differ: {got} for {want}")
    second = mg.hessian(rosenbrock)
    point = [1.0 + 0.1 * i for i in range(10)]
    return {
        "a closure-free Value, gradient": plain_gradient,
        "value_and_grad of the same network": lambda: ours(WEIGHTS),
        "Hessian of Rosenbrock in 10 variables": lambda: second(point),
        "100 sweeps of XOR by presentation, eager": xor_by_presentation,
    }
