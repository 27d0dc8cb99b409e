"""Predictive coding: each layer predicts the next, and only differences are sent on.

With input and target held fixed, each hidden unit is pulled two ways: to the value predicted from
below, and to one that would predict the layer above better, u += rate * (f'(u) W^T e_next - e) with
e the errors of prediction. When all have settled, each weight changes by what it has at its two
ends, the error above times the activity below. If the target pulls weakly, because its variance is
large, this is the gradient of back-propagation (Whittington and Bogacz 2017).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.figure import Figure

from microgradient import nn
from microgradient.gallery.digits import Floats, digits, one_hot
from microgradient.gallery.piece import Finding, Picture, Shown, show
from microgradient.gallery.without_backprop.common import (
    Layer,
    activities,
    angle,
    beside_backprop,
    draw_angles,
    error_of,
    flat,
    gap,
    initial,
    true_gradient,
)

RATE, SETTLING = 0.2, 0.2  # of learning, and of the units in each step
SMALL = {"sweeps": 2, "cases": 60}


def settled(
    layers: Sequence[Layer], x: Floats, targets: Floats, variance: float, steps: int
) -> tuple[list[Floats], list[Floats]]:
    """Return the activities of each layer but the last, and the errors of each but the first."""
    net: list[Floats] = []  # what goes into the hidden units: at first what is predicted
    for w, b in layers[:-1]:
        net.append((np.tanh(net[-1]) if net else x) @ w.T + b)
    for _ in range(steps + 1):
        below = [x, *map(np.tanh, net)]
        predicted = [h @ w.T + b for h, (w, b) in zip(below, layers)]
        errors = [u - p for u, p in zip(net, predicted)]
        errors.append((targets - predicted[-1]) / variance)
        pulls = [(e @ w) * (1 - h**2) for e, (w, _), h in zip(errors[1:], layers[1:], below[1:])]
        net = [u + SETTLING * (pull - e) for u, pull, e in zip(net, pulls, errors)]
    return below, errors


def changes(
    layers: Sequence[Layer], x: Floats, targets: Floats, variance: float = 1.0, steps: int = 20
) -> list[Layer]:
    """Return how each weight changes, by what is at its two ends: the mean over cases."""
    below, errors = settled(layers, x, targets, variance, steps)
    return [(variance * e.T @ h / len(x), variance * e.mean(axis=0)) for h, e in zip(below, errors)]


def run(*, sweeps: int = 40, cases: int = 1500) -> Iterator[Shown]:
    data, rng = digits(), np.random.default_rng(2017)
    x, targets = data.pixels[:cases], one_hot(data.digits[:cases])
    layers = initial(0)
    gradient = true_gradient(nn.half_squared_error)
    exact = flat(gradient(layers, x[:20], targets[:20]))
    variances = [10.0**k for k in range(5)]
    gaps = [
        gap(flat(changes(layers, x[:20], targets[:20], variance, steps=200)), exact)
        for variance in variances
    ]
    order = float(np.log10(gaps[-2] / gaps[-1]))
    yield Finding(
        "as the variance of the target grows, the changes tend to the gradient",
        "Whittington and Bogacz 2017",
        f"they differ by {gaps[0]:.1%} of it at a variance of 1, and by {gaps[-1]:.0e} at "
        f"{variances[-1]:.0e}, as its power -{order:.2f}",
        abs(order - 1) < 0.05,
    )
    began = time.perf_counter()
    angles: list[float] = []
    for sweep in range(sweeps):
        if sweep % max(1, sweeps // 20) == 0:
            true = gradient(layers, x[:20], targets[:20])
            ours = flat(changes(layers, x[:20], targets[:20]))
            angles.append(180 - angle(ours, flat(true)))  # the changes go down, the gradient up
        for rows in np.array_split(rng.permutation(cases), cases // 20):
            upward = changes(layers, x[rows], targets[rows])
            layers = [(w + RATE * dw, b + RATE * db) for (w, b), (dw, db) in zip(layers, upward)]
    seconds = time.perf_counter() - began
    error = error_of(activities(layers, data.test_pixels)[-1].argmax(axis=1), data.test_digits)
    also = f"; angle with the gradient {min(angles):.0f} to {max(angles):.0f} degrees"
    yield beside_backprop("Whittington and Bogacz 2017", 1.5, error, seconds, cases, also)
    caption = "How the changes tend to the gradient, and the angle between both in training"
    yield Picture("predictive-coding", drawn(variances, gaps, angles, sweeps), caption)


def drawn(
    variances: Sequence[float], gaps: Sequence[float], angles: Sequence[float], sweeps: int
) -> Figure:
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.loglog(variances, gaps, "o-", color="#1d4ed8")
    left.loglog(variances, [gaps[-1] * variances[-1] / v for v in variances], "--", color="#94a3b8")
    left.set(xlabel="variance of the target", ylabel="difference from the gradient")
    draw_angles(right, angles, sweeps)
    return figure


if __name__ == "__main__":
    show(run)
