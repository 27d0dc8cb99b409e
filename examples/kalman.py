"""A Kalman filter whose noises are learned: maximum likelihood, Newton's method, error bars.

python examples/kalman.py

A hidden level walks at random, and we see it through noise. The filter gives the likelihood of what
we saw; its gradient and Hessian by the two noises pass through the whole filter, and the inverse
Hessian at the maximum says how well the data determine them.

J. Durbin and S. J. Koopman, Time Series Analysis by State Space Methods (2012), chapter 2: the
local level model.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import microgradient as mg

WALK, NOISE, COUNT = 0.3, 1.0, 150


def observations(rng: random.Random) -> list[float]:
    level, seen = 0.0, []
    for _ in range(COUNT):
        level += rng.gauss(0.0, WALK)
        seen.append(level + rng.gauss(0.0, NOISE))
    return seen


def innovations(parameters: list[Any], seen: list[float]) -> Iterator[tuple[Any, Any]]:
    """Yield each observation's distance from its prediction, and the variance of that distance."""
    walk, noise = (mg.exp(2 * p) for p in parameters)  # variances, from logarithms of deviations
    level: Any = seen[0]
    variance: Any = noise
    for y in seen[1:]:
        variance = variance + walk
        distance, spread = y - level, variance + noise
        yield distance, spread
        gain = variance / spread
        level = level + gain * distance
        variance = (1 - gain) * variance


def cost(parameters: list[Any], seen: list[float]) -> Any:
    """Return the negative logarithm of the likelihood."""
    return sum(
        0.5 * (mg.log(2 * mg.pi * spread) + distance**2 / spread)
        for distance, spread in innovations(parameters, seen)
    )


def inverse(m: list[list[float]]) -> list[list[float]]:
    (a, b), (c, d) = m
    determinant = a * d - b * c
    return [[d / determinant, -b / determinant], [-c / determinant, a / determinant]]


def fit(seen: list[float], steps: int = 6) -> tuple[list[float], list[float], list[float]]:
    """Return the logarithms of both deviations, their standard errors, and each step's cost."""
    parameters, costs = [-1.0, -0.2], []
    for _ in range(steps):
        value, slope = mg.value_and_grad(cost)(parameters, seen)
        costs.append(value)
        rows = inverse(mg.hessian(cost)(parameters, seen))
        parameters = [p - row[0] * slope[0] - row[1] * slope[1] for p, row in zip(parameters, rows)]
    errors = [row[i] ** 0.5 for i, row in enumerate(inverse(mg.hessian(cost)(parameters, seen)))]
    return parameters, errors, costs


def main() -> None:
    parameters, errors, costs = fit(observations(random.Random(1)))
    for step, value in enumerate(costs):
        print(f"step {step}  negative log-likelihood {value:.6f}")
    for name, truth, p, error in zip(("walk", "noise"), (WALK, NOISE), parameters, errors):
        low, high = (float(mg.exp(p + k * 1.96 * error)) for k in (-1, 1))
        print(f"{name:5}  {float(mg.exp(p)):.3f}, 95 %: {low:.3f} to {high:.3f}; true: {truth}")


if __name__ == "__main__":
    main()
