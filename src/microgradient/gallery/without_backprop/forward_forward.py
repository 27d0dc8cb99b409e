"""Forward-Forward: two forward passes, and each layer learns by itself what is real.

A case is shown with its right label and with a wrong one. Each layer raises its goodness, the sum
of its squared activities, above a threshold in the first pass and lowers it in the second; it sees
the layer below only by direction, its length divided out, or the answer would be handed up. Nothing
is sent down. A case is read by trying all labels (Hinton 2022).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import microgradient as mg
from microgradient.gallery.digits import Floats, Ints, digits, one_hot
from microgradient.gallery.piece import Finding, Picture, Shown, show
from microgradient.gallery.without_backprop.common import (
    SIZES,
    Layer,
    angle,
    beside_backprop,
    error_of,
    initial,
)

THRESHOLD, RATE, MOMENTUM = 2.0, 0.05, 0.9
GAIN = 3.0  # of inputs of length 1, so that a layer of this size reaches the threshold
SMALL = {"sweeps": 2, "cases": 60}


def labelled(pixels: Floats, labels: Ints) -> Floats:
    """Return pixels and, before them, ten numbers that say a label."""
    return np.concatenate([one_hot(labels), pixels], axis=1)


def passed_up(layers: Sequence[Layer], x: Floats) -> list[tuple[Floats, Floats]]:
    """Return what each layer reads, of length 1, and what it answers."""
    found = []
    for w, b in layers:
        x = x / np.sqrt(np.sum(x**2, axis=1, keepdims=True) + 1e-16)
        found.append((x, np.maximum(x @ w.T * GAIN + b, 0)))
        x = found[-1][1]
    return found


def changes(layers: Sequence[Layer], x: Floats, real: Floats) -> list[Layer]:
    """Return how each layer's weights go down its own error; ``real`` is 1 or -1 for each case."""
    found = []
    for x_in, h in passed_up(layers, x):
        goodness = np.sum(h**2, axis=1) - THRESHOLD
        slope = -real / (1 + np.exp(real * goodness)) / len(x)  # of log(1 + exp(-real goodness))
        delta = 2 * h * slope[:, None]
        found.append((GAIN * delta.T @ x_in, delta.sum(axis=0)))
    return found


def read(layers: Sequence[Layer], pixels: Floats) -> Ints:
    """Return the label with the most goodness for each case."""
    total = []
    for label in range(10):
        several = passed_up(layers, labelled(pixels, np.full(len(pixels), label)))
        total.append(sum(np.sum(h**2, axis=1) for _, h in several))
    return np.asarray(np.argmax(total, axis=0))


def total_error(layers: Any, x: Any, real: Any) -> Any:
    """Return the sum of all layers' errors on one case, for this engine to differentiate."""
    errors = []
    for w, b in layers:
        length = mg.sqrt(mg.dot(x, x) + 1e-16)  # a slope of 0 where all units are off
        x = [v / length for v in x]
        x = [mg.relu(GAIN * mg.dot(row, x) + bias) for row, bias in zip(w, b)]
        errors.append(mg.softplus(-real * (mg.dot(x, x) - THRESHOLD)))
    return mg.fsum(errors)


def run(*, sweeps: int = 100, cases: int = 1500) -> Iterator[Shown]:
    data, rng = digits(), np.random.default_rng(2022)
    pixels, labels = data.pixels[:cases], data.digits[:cases]
    layers = initial(0, (SIZES[0] + 10, *SIZES[1:-1]))
    moves = [(np.zeros_like(w), np.zeros_like(b)) for w, b in layers]
    gradient = mg.compile(mg.grad(total_error))
    began, angles = time.perf_counter(), list[tuple[float, ...]]()
    for sweep in range(sweeps):
        wrong = (labels + rng.integers(1, 10, cases)) % 10
        x = np.concatenate([labelled(pixels, labels), labelled(pixels, wrong)])
        real = np.concatenate([np.ones(cases), -np.ones(cases)])
        if sweep % max(1, sweeps // 10) == 0:
            rows = rng.permutation(2 * cases)[:20]
            ours = changes(layers, x[rows], real[rows])
            each = [gradient([*layers], x[row], real[row]) for row in rows]
            true = [np.mean([g[i][0] for g in each], axis=0) for i in range(len(layers))]
            angles.append(tuple(angle([w], [t]) for (w, _), t in zip(ours, true)))
        for rows in np.array_split(rng.permutation(2 * cases), cases // 20):
            downward = changes(layers, x[rows], real[rows])
            for (w, b), (mw, mb), (dw, db) in zip(layers, moves, downward):
                mw *= MOMENTUM
                mb *= MOMENTUM
                mw -= RATE * dw
                mb -= RATE * db
                w += mw
                b += mb
    seconds = time.perf_counter() - began
    error = error_of(read(layers, data.test_pixels), data.test_digits)
    source = "Hinton 2022, of MNIST: 1.36 % wrong, and 1.4 %"
    yield beside_backprop(source, 2, error, seconds, cases)
    first, last = (float(np.mean([a[i] for a in angles])) for i in (0, -1))
    yield Finding(
        "no layer learns for the sake of those above it",
        "Hinton 2022",
        f"against the gradient of all layers' errors, the first layer's change stands at "
        f"{first:.0f} degrees in the mean, the last one's at {last:.0f}",
        first > 1 > last,
    )
    caption = "The angle between each layer's change and the gradient of all layers' errors"
    yield Picture("forward-forward", drawn(angles, sweeps), caption)


def drawn(angles: Sequence[tuple[float, ...]], sweeps: int) -> Figure:
    figure = Figure(figsize=(7, 3), layout="constrained")
    axes = figure.subplots()
    at = np.linspace(0, sweeps, len(angles), endpoint=False)
    for layer, color in enumerate(("#1d4ed8", "#c2410c")):
        several = [pair[layer] for pair in angles]
        axes.plot(at, several, "o-", color=color, label=f"hidden layer {layer + 1}")
    axes.set(xlabel="sweep", ylabel="degrees", ylim=(-3, 95))
    axes.legend(frameon=False)
    return figure


if __name__ == "__main__":
    show(run)
