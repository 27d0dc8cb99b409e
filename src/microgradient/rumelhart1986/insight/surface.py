"""A plane through the error surface of a network, and paths projected on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt

from microgradient.engine.value import constant
from microgradient.nn.training.evaluation import evaluator
from microgradient.rumelhart1986.insight.path import Path, Weights
from microgradient.rumelhart1986.trial import Trial, chosen_loss, trained_pattern

_ITERATIONS = 200


@dataclass(frozen=True)
class Plane:
    """The points ``origin`` + x ``across`` + y ``up``; the directions are orthonormal."""

    origin: Weights
    across: Weights
    up: Weights

    def place(self, weights: Weights) -> tuple[float, float]:
        """Return the coordinates of the point of the plane that is nearest to some weights."""
        away = _minus(weights, self.origin)
        return _dot(away, self.across), _dot(away, self.up)

    def weights(self, x: float, y: float) -> Weights:
        """Return the weights at a point."""
        points = zip(self.origin, self.across, self.up)
        return tuple(o + x * a + y * u for o, a, u in points)


def plane_through(origin: Weights, first: Weights, second: Weights) -> Plane:
    """Return the plane through three points. Raises ValueError where they are on one line."""
    across = _normalized(_minus(first, origin))
    up = _minus(second, origin)
    return Plane(origin, across, _normalized(_minus(up, _times(across, _dot(up, across)))))


def principal_plane(path: Path) -> Plane:
    """Return the plane in which a path varies most, through its end.

    Its directions are the first two principal components of the path, by power iteration.
    """
    count = len(path.weights)
    mean = tuple(sum(numbers) / count for numbers in zip(*path.weights))
    away = [_minus(weights, mean) for weights in path.weights]
    first = _principal(away)
    rest = [_minus(one, _times(first, _dot(one, first))) for one in away]
    return Plane(path.weights[-1], first, _principal(rest))


def _principal(points: Sequence[Weights]) -> Weights:
    direction = _normalized(max(points, key=lambda one: _dot(one, one)))
    for _ in range(_ITERATIONS):
        scores = [_dot(one, direction) for one in points]
        moved = tuple(sum(s * x for s, x in zip(scores, column)) for column in zip(*points))
        direction = _normalized(moved)
    return direction


def error_at(trial: Trial, weights: Weights) -> float:
    """Return the error of a trial's training patterns for other weights; its own are restored."""
    return _errors_of(trial)(weights)


def _errors_of(trial: Trial) -> Callable[[Weights], float]:
    """Return the error as a function of the weights, compiled once."""
    network, evaluate = trial.network, evaluator(trial.network)
    parameters, loss = network.parameters(), chosen_loss(trial.recipe)
    patterns = [trained_pattern(pattern, trial.recipe) for pattern in trial.training]
    inputs, targets = [xs for xs, _ in patterns], [ds for _, ds in patterns]

    def error(weights: Weights) -> float:
        before = [parameter.data for parameter in parameters]
        try:
            for parameter, weight in zip(parameters, weights, strict=True):
                parameter.data = weight
            outputs = evaluate(network, inputs)
        finally:
            for parameter, weight in zip(parameters, before):
                parameter.data = weight
        return sum(loss([*map(constant, ys)], ds).data for ys, ds in zip(outputs, targets))

    return error


def error_grid(
    trial: Trial, plane: Plane, xs: Sequence[float], ys: Sequence[float]
) -> list[list[float]]:
    """Return the errors at the points of a grid on the plane: a row for each of ``ys``."""
    error = _errors_of(trial)
    return [[error(plane.weights(x, y)) for x in xs] for y in ys]


def _dot(a: Weights, b: Weights) -> float:
    return sum(x * y for x, y in zip(a, b))


def _minus(a: Weights, b: Weights) -> Weights:
    return tuple(x - y for x, y in zip(a, b))


def _times(a: Weights, factor: float) -> Weights:
    return tuple(factor * x for x in a)


def _normalized(a: Weights) -> Weights:
    size = sqrt(_dot(a, a))
    if size < 1e-12:
        raise ValueError("a plane needs points that are not all on one line")
    return _times(a, 1 / size)
