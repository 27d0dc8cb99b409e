"""Residual layers: each adds to what came in, and so the error finds its way down through all.

A plain layer replaces its input, y = f(x) with f(x) = relu(w x + b); a residual one adds to it,
y = x + f(x) / depth (the division keeps the sum in range, where others normalise). Both have the
same weights, and begin with the same numbers. A deep plain net has a higher error than a shallow
one on the very cases that it is trained with, so this is no overfitting: its layers would have to
learn to change nothing, which is where the residual net begins (He et al. 2016). They saw it where
batch normalisation kept the gradients in range; here those of the plain net shrink besides.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from microgradient import nn
from microgradient.gallery.digits import Floats, digits, one_hot
from microgradient.gallery.piece import Finding, Picture, Shown, show

WIDTH = 16  # with 10, some plain nets of 24 layers learn nothing: their error stays at ln 10
COLORS = {False: "#c2410c", True: "#1d4ed8"}
NAMES = {False: "plain", True: "residual"}
SMALL = {"depths": (2, 4), "cases": 40, "sweeps": 2, "seeds": 2}


class DeepNet(nn.Module):
    """A layer that reads 64 pixels, ``depth`` layers of 16 units, and ten scores."""

    def __init__(self, depth: int, residual: bool, seed: int) -> None:
        rng = random.Random(seed)
        self.residual = residual
        self.first = nn.Layer(64, WIDTH, "relu", rng=rng, initializer=nn.he)
        self.layers = [
            nn.Layer(WIDTH, WIDTH, "relu", rng=rng, initializer=nn.he) for _ in range(depth)
        ]
        self.scores = nn.Layer(WIDTH, 10, "linear", rng=rng, initializer=nn.glorot)

    def levels(self, pixels: Sequence[Any]) -> list[list[Any]]:
        """Return the outputs of the first layer and of each one after it."""
        found = [self.first(pixels)]
        for layer in self.layers:
            x, y = found[-1], layer(found[-1])
            found.append([a + b / len(self.layers) for a, b in zip(x, y)] if self.residual else y)
        return found

    def __call__(self, pixels: Sequence[Any]) -> Any:
        return self.scores(self.levels(pixels)[-1])


def sizes(net: DeepNet, pixels: Sequence[float], targets: Sequence[float]) -> Floats:
    """Return the size of the gradient of the loss by the outputs of each layer."""
    levels = net.levels(pixels)
    nn.cross_entropy(net.scores(levels[-1]), targets).backward()
    return np.array([np.linalg.norm([value.grad for value in level]) for level in levels])


def run(
    *, depths: Sequence[int] = (4, 12, 24), cases: int = 500, sweeps: int = 30, seeds: int = 8
) -> Iterator[Shown]:
    data = digits()
    patterns = [*zip(data.pixels[:cases].tolist(), one_hot(data.digits[:cases]).tolist())]
    errors: dict[tuple[bool, int], Floats] = {}  # of each net (a row) in each sweep, for a case
    gradients: dict[bool, Floats] = {}  # of the deepest nets, at each layer
    for residual in (False, True):
        for depth in depths:
            nets = [DeepNet(depth, residual, seed) for seed in range(seeds)]
            gradients[residual] = np.array([sizes(net, *patterns[0]) for net in nets])
            ended = nn.train_replicas(
                nets,
                patterns,
                loss=nn.cross_entropy,
                optimizer=lambda parameters: nn.Adam(parameters, rate=0.002),
                sweeps=sweeps,
                update=10,
                keep_history=True,
                progress=False,
            )
            courses = [one.history.errors for one in ended if one.history]
            errors[residual, depth] = np.array(courses) / cases
    few, many = depths[0], depths[-1]
    ratios = {key: float(np.median(rows[:, 0] / rows[:, -1])) for key, rows in gradients.items()}
    yield Finding(
        "a sum passes the error on to the first layer as it is",
        "He et al. 2016, Identity mappings",
        f"before training its gradient is {ratios[True]:.2f} times that of the last of {many} "
        f"layers, in the plain net {ratios[False]:.2f} times (median of {seeds} nets)",
        0.8 < ratios[True] < 1.25 and not 0.8 < ratios[False] < 1.25,
    )
    last = {key: rows[:, -1] for key, rows in errors.items()}
    yield Finding(
        "a deep plain net has a higher error in training than a shallow one",
        "He, Zhang, Ren and Sun 2016",
        f"cross-entropy of {several(last[False, many])} with {many} layers, of "
        f"{several(last[False, few])} with {few}",
        bool(last[False, many].min() > last[False, few].max()),
    )
    yield Finding(
        "a deep residual net does not",
        "He, Zhang, Ren and Sun 2016",
        f"{several(last[True, many])} with {many} layers, {several(last[True, few])} with {few}",
        bool(np.median(last[True, many]) <= np.median(last[True, few])),
    )
    caption = (
        f"The error in training (median and range of {seeds} nets), and the gradient at each layer "
        "before training (a line for each net, and the median)"
    )
    yield Picture("residual", drawn(errors, gradients), caption)


def several(errors: Floats) -> str:
    """Return the median and the range."""
    return f"{np.median(errors):.3f} ({errors.min():.3f} to {errors.max():.3f})"


def drawn(errors: dict[tuple[bool, int], Floats], gradients: dict[bool, Floats]) -> Figure:
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    styles = dict(zip(sorted({depth for _, depth in errors}), (":", "--", "-")))
    for (residual, depth), rows in errors.items():
        color, sweep = COLORS[residual], range(1, rows.shape[1] + 1)
        label = f"{NAMES[residual]}, {depth} layers"
        left.semilogy(sweep, np.median(rows, axis=0), styles[depth], color=color, label=label)
        left.fill_between(sweep, rows.min(axis=0), rows.max(axis=0), color=color, alpha=0.1)
    left.set(xlabel="sweep", ylabel="cross-entropy of a case in training")
    left.legend(frameon=False, fontsize=8, loc="lower left")
    for residual, rows in gradients.items():
        right.semilogy(rows.T, color=COLORS[residual], alpha=0.3, linewidth=1)
        middle = np.median(rows, axis=0)
        right.semilogy(middle, color=COLORS[residual], linewidth=2.5, label=NAMES[residual])
    right.set(xlabel="layer", ylabel="size of the gradient")
    right.legend(frameon=False)
    return figure


if __name__ == "__main__":
    show(run)
