"""Feedback alignment: the error goes back through random weights, and the forward ones align.

Back-propagation sends an error down through the transposed forward weights, which no synapse could
know. Here it goes through fixed random ones, d_i = (B_i d_{i+1}) f'(x_i). The first updates are as
good as random; but forward weights change until what comes back through B points downhill, and the
angle between the two directions falls below 90 degrees (Lillicrap et al. 2016).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.figure import Figure
from scipy.special import softmax

import microgradient as mg
from microgradient.gallery.digits import Floats, digits, one_hot
from microgradient.gallery.piece import Finding, Picture, Shown, show
from microgradient.gallery.without_backprop.common import (
    Layer,
    activities,
    angle,
    beside_backprop,
    error_of,
    flat,
    initial,
    true_gradient,
)

SMALL = {"sweeps": 2, "cases": 60}


def changes(
    layers: Sequence[Layer], feedback: Sequence[Floats], x: Floats, targets: Floats
) -> list[Layer]:
    """Return how the weights would go down, if ``feedback`` were the transposed weights."""
    found = activities(layers, x)
    delta = (softmax(found[-1], axis=1) - targets) / len(x)
    downward: list[Layer] = []
    for number in range(len(layers) - 1, -1, -1):
        downward.insert(0, (delta.T @ found[number], delta.sum(axis=0)))
        if number:
            delta = (delta @ feedback[number].T) * (1 - found[number] ** 2)
    return downward


def run(*, sweeps: int = 60, cases: int = 1500) -> Iterator[Shown]:
    data, rng = digits(), np.random.default_rng(2016)
    x, targets = data.pixels[:cases], one_hot(data.digits[:cases])
    layers = initial(0)
    feedback = [rng.uniform(-1, 1, w.T.shape) * 0.3 for w, _ in layers]
    gradient = true_gradient(mg.softmax_cross_entropy)
    exact = gradient(layers, x[:20], targets[:20])
    mirrored = changes(layers, [w.T for w, _ in layers], x[:20], targets[:20])
    apart = max(np.abs(a - b).max() for a, b in zip(flat(exact), flat(mirrored)))
    yield Finding(
        "with the transposed weights as feedback, it is back-propagation",
        "the chain rule",
        f"the updates differ from this engine's gradient by {apart:.0e}",
        apart < 1e-15,
    )
    began = time.perf_counter()
    angles: list[tuple[float, float]] = []
    for sweep in range(sweeps):
        if sweep % max(1, sweeps // 20) == 0:
            ours = changes(layers, feedback, x[:20], targets[:20])
            true = gradient(layers, x[:20], targets[:20])
            angles.append((angle(ours[0], true[0]), angle(ours[1], true[1])))
        for rows in np.array_split(rng.permutation(cases), cases // 20):
            downward = changes(layers, feedback, x[rows], targets[rows])
            layers = [(w - 0.1 * dw, b - 0.1 * db) for (w, b), (dw, db) in zip(layers, downward)]
    seconds = time.perf_counter() - began
    error = error_of(activities(layers, data.test_pixels)[-1].argmax(axis=1), data.test_digits)
    (first, second), (lowest, lower) = angles[0], map(min, zip(*angles))
    yield Finding(
        "the angle with the true gradient falls from 90 degrees on",
        "Lillicrap et al. 2016",
        f"in the first layer from {first:.0f} to {lowest:.0f} degrees, in the second from "
        f"{second:.0f} to {lower:.0f}",
        max(lowest, lower) < 75,
    )
    yield beside_backprop("Lillicrap et al. 2016", 2, error, seconds, cases)
    caption = "The angle between the updates of feedback alignment and the true gradient"
    yield Picture("feedback-alignment", drawn(angles, sweeps), caption)


def drawn(angles: Sequence[tuple[float, float]], sweeps: int) -> Figure:
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    axes = figure.subplots()
    at = np.linspace(0, sweeps, len(angles), endpoint=False)
    for number, color in enumerate(("#1d4ed8", "#c2410c")):
        label = f"weights of hidden layer {number + 1}"
        axes.plot(at, [pair[number] for pair in angles], "o-", color=color, label=label)
    axes.axhline(90, color="#94a3b8", linestyle="--")
    axes.text(0, 91, "no better than chance", color="#1e293b", fontsize=8)
    axes.set(xlabel="sweep", ylabel="degrees", ylim=(0, 100))
    axes.legend(frameon=False)
    return figure


if __name__ == "__main__":
    show(run)
