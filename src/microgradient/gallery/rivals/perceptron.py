"""The perceptron on XOR: one threshold unit runs in a circle.

The unit answers y = 1 where w x + b > 0, and after each mistake moves its weights by (t - y) x.
If a line separates the cases, this ends with no mistake (Rosenblatt 1962; Novikoff 1962). XOR has
no such line (Minsky and Papert 1969): the weights go round in a circle for ever.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import product

from matplotlib.figure import Figure

from microgradient.gallery.backprop import backprop
from microgradient.gallery.piece import Finding, Picture, Race, Shown, show

Weights = tuple[float, float, float]  # two weights and a bias
XOR: list[tuple[tuple[float, float], int]]
XOR = [((0, 0), 0), ((0, 1), 1), ((1, 0), 1), ((1, 1), 0)]
SMALL = {"epochs": 10, "grid": 5, "networks": 16}


def fires(weights: Weights, x: tuple[float, float]) -> bool:
    """Return whether a threshold unit is on."""
    u, v, bias = weights
    return u * x[0] + v * x[1] + bias > 0


def corrected(weights: Weights, x: tuple[float, float], target: int) -> Weights:
    """Return the weights after a case was shown: the perceptron rule with a rate of 1."""
    mistake = target - fires(weights, x)
    u, v, bias = weights
    return u + mistake * x[0], v + mistake * x[1], bias + mistake


def epoch(weights: Weights) -> Weights:
    """Return the weights after each case was shown once."""
    for x, target in XOR:
        weights = corrected(weights, x, target)
    return weights


def right(weights: Weights) -> int:
    """Return how many of the four cases a unit has right."""
    return sum(fires(weights, x) == target for x, target in XOR)


def run(*, epochs: int = 1000, grid: int = 41, networks: int = 1000) -> Iterator[Shown]:
    began = time.perf_counter()
    path: list[Weights] = [(0, 0, 0)]
    for _ in range(epochs):
        path.append(epoch(path[-1]))
    seconds = time.perf_counter() - began
    first = next(n for n, weights in enumerate(path) if weights == path[n + 1])
    yield Finding(
        "the weights recur, from the third epoch on",
        "perceptron cycling theorem",
        f"from epoch {first + 1} on each begins and ends at {path[first]}, {right(path[-1])} right",
        first == 2 and len({*path[2:]}) == 1,
    )
    steps = [4 * i / (grid - 1) - 2 for i in range(grid)]
    best = max(right((u, v, bias)) for u, v, bias in product(steps, repeat=3))
    yield Finding(
        "no threshold unit has more than 3 of the 4 cases right",
        "Minsky and Papert 1969",
        f"the best of {grid**3:,} units has {best}",
        best == 3,
    )
    yield Race("Exclusive or", "perceptron rule", 0, 1, None, seconds)
    yield backprop("xor", "2-2-1", networks)
    caption = (
        "An epoch on XOR: the unit is on in the grey half, and should be on for the blue cases. "
        "Each case is answered wrongly when it comes, and in the end the weights are where they "
        "began."
    )
    yield Picture("perceptron", drawn(path[-1]), caption)


def drawn(start: Weights) -> Figure:
    """Draw what the unit answers before each case of an epoch that ends where it began."""
    figure = Figure(figsize=(10, 2.9), layout="constrained")
    weights, points = start, [i / 20 for i in range(-10, 31)]
    for axes, case in zip(figure.subplots(1, 5), [*XOR, None]):
        shade = [[fires(weights, (x, y)) for x in points] for y in points]
        axes.imshow(
            shade, extent=(-0.5, 1.5, -0.5, 1.5), origin="lower", cmap="Greys", vmin=0, vmax=3
        )
        for x, target in XOR:
            axes.plot(*x, "o", color="#1d4ed8" if target else "#c2410c", markersize=9)
        if case is not None:
            axes.plot(*case[0], "o", fillstyle="none", color="#1e293b", markersize=17)
        shown = "as at the start" if case is None else f"{case[0][0]}{case[0][1]} is shown"
        axes.set(title=f"w = ({weights[0]}, {weights[1]}), b = {weights[2]}", xlabel=shown)
        axes.set(xticks=[], yticks=[])
        weights = weights if case is None else corrected(weights, *case)
    return figure


if __name__ == "__main__":
    show(run)
