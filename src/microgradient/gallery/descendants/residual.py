"""Residual layers: each adds to what came in, and so the error finds its way down through all.

A plain layer replaces its input, y = f(x) with f(x) = relu(w x + b); a residual one adds to it,
y = x + f(x) / depth (the division keeps the sum in range, where others normalise). Both have the
same weights, and begin with the same numbers. A deep plain net has a higher error than a shallow
one on the very cases that it is trained with, so this is no overfitting: its layers would have to
learn to change nothing, which is where the residual net begins (He et al. 2016).
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import microgradient as mg
from microgradient import nn
from microgradient.gallery.digits import digits
from microgradient.gallery.piece import Finding, Picture, Shown, show

WIDTH = 10
SMALL = {"depths": (2, 4), "cases": 40, "sweeps": 2, "seeds": 2}


class DeepNet(nn.Module):
    """A layer that reads 64 pixels, ``depth`` layers of ten units, and ten scores."""

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


def loss(outputs: Any, targets: Any) -> Any:
    return mg.softmax_cross_entropy(outputs, targets)


def sizes(net: DeepNet, pixels: Sequence[float], targets: Sequence[float]) -> list[float]:
    """Return the length of the gradient of the loss by the outputs of each layer."""
    levels = net.levels(pixels)
    loss(net.scores(levels[-1]), targets).backward()
    return [float(np.linalg.norm([v.grad for v in level])) for level in levels]


def run(
    *, depths: Sequence[int] = (4, 12, 24), cases: int = 500, sweeps: int = 30, seeds: int = 5
) -> Iterator[Shown]:
    data = digits()
    patterns = [*zip(data.pixels[:cases].tolist(), np.eye(10)[data.digits[:cases]].tolist())]
    courses: dict[tuple[bool, int], list[tuple[float, ...]]] = {}
    lengths: dict[bool, list[float]] = {}
    for residual in (False, True):
        for depth in depths:
            nets = [DeepNet(depth, residual, seed) for seed in range(seeds)]
            lengths[residual] = sizes(nets[0], *patterns[0])
            ended = nn.train_replicas(
                nets,
                patterns,
                loss=loss,
                optimizer=lambda parameters: nn.Adam(parameters, rate=0.003),
                sweeps=sweeps,
                update=10,
                keep_history=True,
                progress=False,
            )
            courses[residual, depth] = [
                tuple(error / cases for error in one.history.errors) for one in ended if one.history
            ]
    last = {key: median(errors[-1] for errors in several) for key, several in courses.items()}
    few, many = min(depths), max(depths)
    yield Finding(
        "a deep plain net has a higher error in training than a shallow one",
        "He, Zhang, Ren and Sun 2016",
        f"{last[False, many]:.3f} with {many} layers, {last[False, few]:.3f} with {few} "
        f"(cross-entropy, median of {seeds})",
        last[False, many] > last[False, few],
    )
    yield Finding(
        "a deep residual net does not",
        "He, Zhang, Ren and Sun 2016",
        f"{last[True, many]:.3f} with {many} layers, {last[True, few]:.3f} with {few}",
        last[True, many] <= last[True, few],
    )
    caption = "The course of the training error, and the gradient at each layer before training"
    yield Picture("residual", drawn(courses, lengths), caption)


def drawn(
    courses: dict[tuple[bool, int], list[tuple[float, ...]]], lengths: dict[bool, list[float]]
) -> Figure:
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    styles = dict(zip(sorted({depth for _, depth in courses}), (":", "--", "-")))
    colors = {False: "#c2410c", True: "#1d4ed8"}
    names = {False: "plain", True: "residual"}
    for (residual, depth), several in courses.items():
        middle = np.median(several, axis=0)
        label = f"{names[residual]}, {depth} layers"
        left.semilogy(middle, styles[depth], color=colors[residual], label=label)
    left.set(xlabel="sweep", ylabel="cross-entropy of a case")
    left.legend(frameon=False, fontsize=8)
    for residual, sizes in lengths.items():
        right.semilogy(sizes, "o-", markersize=3, color=colors[residual], label=names[residual])
    right.set(xlabel="layer", ylabel="length of the gradient")
    right.legend(frameon=False)
    return figure


if __name__ == "__main__":
    show(run)
