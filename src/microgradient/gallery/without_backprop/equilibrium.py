"""Equilibrium propagation: let a net settle, nudge its output a little, and compare the two states.

Units pull on each other through symmetric weights until an energy is least. A second time, the
output is drawn towards its target by a force b. The change of each weight is the difference of the
products of its two ends, divided by b: as b becomes small, this is the gradient of the error at
the equilibrium, and no error is sent anywhere (Scellier and Bengio 2017). Pulled both ways, by b
and -b, it comes nearer still (Laborieux et al. 2021).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import microgradient as mg
from microgradient.gallery.digits import Floats, digits, one_hot
from microgradient.gallery.piece import Finding, Picture, Shown, show
from microgradient.gallery.without_backprop.common import (
    SIZES,
    Layer,
    angle,
    beside_backprop,
    draw_angles,
    error_of,
    gap,
    initial,
)

SMALL = {"sweeps": 1, "cases": 60, "sizes": (64, 3, 10), "small_net": (3, 4, 2)}
RATE = 0.8
FREE, NUDGED, PACE = 20, 8, 0.5  # steps of settling, and how far each one goes


def settled(
    layers: Sequence[Layer],
    x: Floats,
    states: Sequence[Floats],
    steps: int,
    force: float = 0.0,
    targets: Floats | float = 0.0,
) -> list[Floats]:
    """Let hidden and output units settle from ``states``, the output drawn to targets by a force.

    Each unit goes down the energy s^2 / 2 - sum w a a - sum b a, where a = tanh(s).
    """
    states = [*states]
    last = len(layers) - 1
    for _ in range(steps):
        for i, (w, b) in enumerate(layers):
            a = [x, *map(np.tanh, states)]
            pull = a[i] @ w.T + b
            if i < last:
                pull = pull + a[i + 2] @ layers[i + 1][0]
            else:
                pull = pull + force * (targets - a[i + 1])
            slope = 1 - a[i + 1] ** 2
            states[i] = states[i] + PACE * (slope * pull - states[i])
    return states


def products(layers: Sequence[Layer], x: Floats, states: Sequence[Floats]) -> list[Floats]:
    """Return, for each weight and bias, the mean product of the activities at its ends."""
    a = [x, *map(np.tanh, states)]
    found = []
    for i in range(len(layers)):
        found += [a[i + 1].T @ a[i] / len(x), a[i + 1].mean(axis=0)]
    return found


def changes(
    layers: Sequence[Layer], x: Floats, targets: Floats, force: float, steps: int, both: bool
) -> list[Floats]:
    """Return the change of each weight and bias; with ``both``, by forces of both signs."""
    rest = [np.zeros((len(x), len(b))) for _, b in layers]
    free = settled(layers, x, rest, FREE * steps)
    drawn_up = products(layers, x, settled(layers, x, free, NUDGED * steps, force, targets))
    if not both:
        return [(a - b) / force for a, b in zip(drawn_up, products(layers, x, free))]
    drawn_down = products(layers, x, settled(layers, x, free, NUDGED * steps, -force, targets))
    return [(a - b) / (2 * force) for a, b in zip(drawn_up, drawn_down)]


def error_at_rest(layers: Any, x: Any, target: Any, steps: int) -> Any:
    """Return the error of one case after so many steps, for this engine to differentiate."""
    states: list[list[Any]] = [[0.0] * len(b) for _, b in layers]

    def activity(units: list[Any]) -> list[Any]:
        return [mg.tanh(s) for s in units]

    for _ in range(steps):
        for i, (w, b) in enumerate(layers):
            below = x if i == 0 else activity(states[i - 1])
            pulls = [mg.dot(row, below, bias) for row, bias in zip(w, b)]
            if i + 1 < len(layers):
                above, columns = activity(states[i + 1]), zip(*layers[i + 1][0])
                pulls = [p + mg.dot(list(column), above) for p, column in zip(pulls, columns)]
            a = activity(states[i])
            states[i] = [s + PACE * ((1 - h * h) * p - s) for s, h, p in zip(states[i], a, pulls)]
    return mg.fsum([(h - t) ** 2 for h, t in zip(activity(states[-1]), target)]) / 2


def gradient_at_rest(
    layers: Sequence[Layer], x: Floats, targets: Floats, steps: int
) -> list[Floats]:
    """Return the gradient of the mean error, by back-propagation through the settling."""
    found = [COMPILED([*layers], *case, steps) for case in zip(x, targets)]
    return [np.mean([g[i][k] for g in found], axis=0) for i in range(len(layers)) for k in (0, 1)]


COMPILED = mg.compile(mg.grad(error_at_rest), static="steps")


def run(
    *,
    sweeps: int = 20,
    cases: int = 1500,
    sizes: Sequence[int] = SIZES,
    small_net: Sequence[int] = (8, 6, 5, 4),
) -> Iterator[Shown]:
    rng = np.random.default_rng(2017)
    small = initial(1, small_net)
    x, targets = rng.random((5, small_net[0])), rng.random((5, small_net[-1]))
    exact = gradient_at_rest(small, x, targets, 20 * FREE)
    forces = [0.1, 0.01, 0.001, 0.0001]
    gaps = {
        both: [gap(changes(small, x, targets, force, 40, both), exact) for force in forces]
        for both in (False, True)
    }
    orders = {both: float(np.log10(gaps[both][1] / gaps[both][2])) for both in gaps}
    yield Finding(
        "as the force becomes small, the changes tend to the gradient: as its first power, and as "
        "its second if the output is drawn both ways",
        "Scellier and Bengio 2017; Laborieux et al. 2021",
        f"from .01 to .001 the difference falls as the power {orders[False]:.2f}, and "
        f"{orders[True]:.2f}; it is {gaps[False][2]:.0e} and {gaps[True][2]:.0e} of the gradient",
        abs(orders[False] - 1) < 0.1 and abs(orders[True] - 2) < 0.1,
    )
    data = digits()
    x, targets = data.pixels[:cases], 0.8 * one_hot(data.digits[:cases])
    layers = initial(0, sizes)
    began, angles = time.perf_counter(), list[float]()
    for sweep in range(sweeps):
        if sweep % max(1, sweeps // 8) == 0:
            ours = changes(layers, x[:5], targets[:5], 0.5, 1, True)
            angles.append(180 - angle(ours, gradient_at_rest(layers, x[:5], targets[:5], 2 * FREE)))
        for rows in np.array_split(rng.permutation(cases), cases // 20):
            up = changes(layers, x[rows], targets[rows], 0.5, 1, True)
            layers = [
                (w + RATE * up[2 * i], b + RATE * up[2 * i + 1]) for i, (w, b) in enumerate(layers)
            ]
    seconds = time.perf_counter() - began
    rest = [np.zeros((len(data.test_pixels), len(b))) for _, b in layers]
    outputs = settled(layers, data.test_pixels, rest, FREE)[-1]
    error = error_of(outputs.argmax(axis=1), data.test_digits)
    also = f"; angle with the gradient {min(angles):.0f} to {max(angles):.0f} degrees"
    yield beside_backprop("Scellier and Bengio 2017", 1.5, error, seconds, cases, also)
    caption = "How the changes tend to the gradient, and the angle between both in training"
    yield Picture("equilibrium", drawn(forces, gaps, angles, sweeps), caption)


def drawn(
    forces: Sequence[float],
    gaps: dict[bool, list[float]],
    angles: Sequence[float],
    sweeps: int,
) -> Figure:
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for both, color, label in ((False, "#c2410c", "drawn one way"), (True, "#1d4ed8", "both ways")):
        left.loglog(forces, gaps[both], "o-", color=color, label=label)
    left.set(xlabel="force on the output", ylabel="difference from the gradient")
    left.legend(frameon=False)
    draw_angles(right, angles, sweeps)
    return figure


if __name__ == "__main__":
    show(run)
