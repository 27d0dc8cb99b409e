"""The cannon: a throw is aimed by gradients through its simulation, and few throws suffice.

The flight of a ball through air is followed by a plain while loop until the ball is below the
ground, and back-propagation goes through the steps that were taken. The last step is cut where the
ball meets the ground. If the angle changes, the time of landing changes too: Newton's last step,
t - y / y', is recorded as well and carries that dependence, dt = -dy / y' (the implicit function
theorem).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from statistics import median
from typing import Any

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from scipy.optimize import minimize

import microgradient as mg
from microgradient.check import gradient_report
from microgradient.gallery.piece import Finding, Picture, Race, Shown, show
from microgradient.gallery.solver import runge_kutta

Array = Any  # a NumPy array of floats, or of Values under a transform
Miss = Callable[[Array], Any]
GRAVITY, STEP = 9.81, 0.1
AIR = 0.006, -5.0  # baseball's drag per m: density * coefficient * area / (2 mass); wind, m/s
NEAR, MOST = 1e-3, 300  # metres that are a hit, throws before a method is given up
SMALL = {"speed": 5.0, "targets": 2}


def slope(state: Array, air: Array) -> Array:
    """Return the time derivative of x, y and the velocity: gravity, and drag against the air."""
    (_, _, u, v), (drag, wind) = state, air
    against = drag * mg.hypot(u - wind, v)
    return np.array([u, v, -against * (u - wind), -against * v - GRAVITY])


def remaining(before: Array, air: Array) -> Any:
    """Return the time to the ground: Newton's steps, which make its derivatives right as well."""
    rest: Any = 0.0
    for _ in range(8):
        landed = runge_kutta(slope, before, air, rest)
        rest = rest - landed[1] / landed[3]
    return rest


def flight(aim: Array, air: Array, noted: Callable[[Any], Any] = lambda time: time) -> list[Array]:
    """Return the states of a throw (angle, speed) to the ground, at the time that is ``noted``."""
    angle, speed = aim
    states = [np.array([0.0, 0.0, speed * mg.cos(angle), speed * mg.sin(angle)])]
    while (after := runge_kutta(slope, states[-1], air, STEP))[1] > 0:
        states.append(after)
    return [*states, runge_kutta(slope, states[-1], air, noted(remaining(states[-1], air)))]


def reach(aim: Array, air: Array = AIR) -> Any:
    """Return how far a throw flies."""
    return flight(aim, air)[-1][0]


def gauss_newton(miss: Miss, aim: Array) -> None:
    """Aim by gradients: each time the smallest relative change that hits if a flight is linear."""
    while True:
        off, by_aim = mg.value_and_grad(miss)(aim)
        change = aim**2 * by_aim  # not by_aim: then radians dominate, and most throws fail
        aim = aim - off * change / (by_aim @ change)


def nelder_mead(miss: Miss, aim: Array) -> None:
    """Aim without derivatives; a tolerance of 0 leaves it to ``miss`` to end the search."""
    minimize(lambda aim: miss(aim) ** 2, aim, method="Nelder-Mead", options={"fatol": 0.0})


def thrown(search: Callable[[Miss, Array], None], target: float) -> list[Array]:
    """Return the throws of a search until it hits or is given up."""
    throws: list[Array] = []

    def miss(aim: Array) -> Any:
        off = reach(aim) - target
        throws.append(mg.detach(aim))
        if abs(off) < NEAR or len(throws) == MOST:
            raise StopIteration
        return off

    with suppress(StopIteration):
        search(miss, np.array([0.6, 20.0]))
    return throws


def run(*, speed: float = 30.0, targets: int = 20) -> Iterator[Shown]:
    angle, square = 0.7, speed**2 / GRAVITY
    landed, by_angle = mg.value_and_grad(lambda a: reach([a, speed], (0.0, 0.0)))(angle)
    formula = square * math.sin(2 * angle), 2 * square * math.cos(2 * angle)
    off = max(abs(landed / formula[0] - 1), abs(by_angle / formula[1] - 1))
    yield Finding(
        "without drag the range and its derivative are those of v² sin(2a)/g, within 1e-6",
        "the parabola's formula",
        f"they agree within {off:.0e}",
        off < 1e-6,
    )
    right = gradient_report(lambda a: reach([a, speed]), angle)
    wrong = gradient_report(lambda a: flight([a, speed], AIR, mg.detach)[-1][0], angle)
    verdicts = ["(passes)" if report.ok else "(refused)" for report in (right, wrong)]
    slopes = [report.components[0].reverse for report in (right, wrong)]
    yield Finding(
        "a derivative at a fixed time of landing is wrong, and microgradient's check refuses it",
        "this gallery",
        f"{slopes[0]:.2f} m/radian {verdicts[0]}; {slopes[1]:.2f} at a fixed time {verdicts[1]}",
        right.ok and not wrong.ok,
    )
    counts = []
    names = "Gauss-Newton, gradients through the flight", "Nelder-Mead, no derivatives"
    for search, name in zip((gauss_newton, nelder_mead), names):
        began = time.perf_counter()
        tries = [thrown(search, target) for target in np.linspace(10, 80, targets)]
        seconds = (time.perf_counter() - began) / targets
        hits = [len(throws) for throws in tries if len(throws) < MOST]
        shown = median(hits) if hits else None
        counts.append(shown or math.inf)
        yield Race("Hitting a target within 1 mm", name, len(hits), targets, shown, seconds)
    yield Finding(
        "gradients need a tenth of the throws of Nelder and Mead's search without derivatives",
        "this gallery",
        f"{counts[0]:g} throws, {counts[1]:g} by Nelder and Mead",
        counts[0] <= counts[1] / 10,
    )
    picture = drawn(thrown(nelder_mead, 60.0), thrown(gauss_newton, 60.0))
    yield Picture("cannon", picture, "All throws at a target 60 m away, until one hits")


def drawn(searched: list[Array], aimed: list[Array]) -> Figure:
    figure = Figure(figsize=(10, 4), layout="constrained")
    axes = figure.subplots()
    for name, throws, color in (("search", searched, "#94a3b8"), ("gradients", aimed, "#1d4ed8")):
        paths = [np.array(flight(aim, AIR))[:, :2] for aim in throws]
        label = f"by {name}: {len(throws)} throws"
        axes.add_collection(LineCollection(paths, colors=color, label=label))
    axes.plot(60, 0, "^", color="#c2410c", markersize=9, clip_on=False)
    axes.set(xlabel="m", ylabel="m", ylim=(0, 25))
    axes.legend()
    return figure


if __name__ == "__main__":
    show(run)
