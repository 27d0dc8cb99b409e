"""Five optimizers on one error surface, and what each adds to plain gradient descent.

Momentum keeps going where it went. In a ravine k times as steep across as along, plain descent
needs some k steps, momentum √k (Polyak 1964). RMSprop and Adam divide each weight's slope by its
typical size, so that the scale of the error does not matter (Tieleman and Hinton 2012; Kingma and
Ba 2015). AdamW keeps weight decay out of that division (Loshchilov and Hutter 2019).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from math import inf, sqrt
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from microgradient import Value, nn
from microgradient.gallery.piece import Finding, Picture, Shown, show

SMALL = {"steps": 60, "rates": 4, "conditions": (10, 30), "long": 200}
START = (-1.2, 1.0)
Path = NDArray[np.float64]
Make = Callable[[list[Value]], nn.Optimizer]
OPTIMIZERS: Mapping[str, Callable[..., nn.Optimizer]] = {
    "gradient descent": nn.GradientDescent,
    "momentum": nn.Momentum,
    "RMSprop": nn.RMSprop,
    "Adam": nn.Adam,
    "AdamW": nn.AdamW,
}
COLORS = ("#64748b", "#c2410c", "#0f766e", "#1d4ed8", "#7e22ce")


def valley(x: Any, y: Any) -> Any:
    """Return an error in the manner of Rosenbrock 1960: a curved valley, deepest at (1, 1)."""
    return (1 - x) ** 2 + 20 * (y - x * x) ** 2


def path(error: Callable[..., Any], start: Sequence[float], make: Make, steps: int) -> Path:
    """Return where an optimizer goes, step by step, unless it diverges."""
    weights = [Value(x) for x in start]
    optimizer, points = make(weights), [tuple(start)]
    while len(points) <= steps and max(map(abs, points[-1])) < 1e6:
        optimizer.zero_grad()
        error(*weights).backward()
        optimizer.step()
        points.append(tuple(w.data for w in weights))
    return np.array(points)


def settled(errors: Path, below: float) -> float:
    """Return the number of steps after which the errors stay ``below``."""
    return 1 + int(np.flatnonzero(errors >= below)[-1]) if errors[-1] < below else inf


def polyak(k: float) -> tuple[Make, Make]:
    """Return descent and momentum with the best settings for curvatures from 1 to k."""
    root = sqrt(k)
    return (
        partial(nn.GradientDescent, rate=2 / (k + 1)),
        partial(nn.Momentum, rate=(2 / (root + 1)) ** 2, momentum=((root - 1) / (root + 1)) ** 2),
    )


def distances(k: float, make: Make, steps: int) -> Path:
    """Return the distances from the deepest point of a straight ravine, k times as steep across."""
    x, y = path(lambda x, y: (x * x + k * y * y) / 2, (1.0, 1.0), make, steps).T
    return np.asarray(np.hypot(x, y))


def run(
    *,
    steps: int = 1000,
    rates: int = 13,
    conditions: Sequence[int] = (10, 30, 100, 300, 1000),
    long: int = 2000,
) -> Iterator[Shown]:
    came = []
    for k in (100, 1000):
        for base, make in zip((k, sqrt(k)), polyak(k)):
            far = distances(k, make, long)
            came.append(((far[-1] / far[long // 2]) ** (2 / long), (base - 1) / (base + 1)))
    yield Finding(
        "a step shrinks the distance by (k - 1) / (k + 1), with momentum by (√k - 1) / (√k + 1)",
        "Polyak 1964, with the best settings",
        "k = 100 and 1,000: " + ", ".join(f"{a:.4f} ({b:.4f})" for a, b in came),
        all(abs(a - b) < 0.001 for a, b in came),
    )
    needed = [[settled(distances(k, make, 20 * k), 1e-6) for make in polyak(k)] for k in conditions]
    powers = np.polyfit(np.log(conditions), np.log(needed), 1)[0]
    yield Finding(
        "momentum needs about √k times fewer steps",
        "Polyak 1964",
        f"steps to a millionth grow as k to the power {powers[0]:.2f}, with momentum "
        f"{powers[1]:.2f}; for k = {conditions[-1]:,}: {needed[-1][0]:,} and {needed[-1][1]:,}",
        bool(abs(powers[0] - 1) < 0.1 and abs(powers[1] - 0.5) < 0.1),
    )
    yield from scales(min(steps, 400))
    yield decayed(400)
    best = {}
    for name, optimizer in OPTIMIZERS.items():
        tries = []
        for rate in map(float, np.geomspace(1e-3, 1, rates)):
            found = path(valley, START, partial(optimizer, rate=rate), steps)
            tries.append((settled(valley(*found.T), 0.01), rate, found))
        best[name] = min(tries, key=lambda one: one[:2])
    plain, momentum, _, adam, _ = (count for count, _, _ in best.values())
    _, rate, found = best["RMSprop"]
    last = float(np.abs(np.diff(found[-200:], axis=0)).max(axis=1).mean()) / rate
    yield Finding(
        "momentum and Adam go down a curved valley in fewer steps than plain descent",
        "this gallery",
        f"steps until the error stays below .01, at the best of {rates} rates: "
        + ", ".join(f"{name} {count}" for name, (count, _, _) in best.items())
        + f"; RMSprop's last steps are still {last:.2f} of its rate long",
        max(momentum, adam) < plain,
    )
    picture = drawn(best, conditions, np.array(needed))
    yield Picture(
        "optimizers", picture, "Five optimizers in a curved valley; two in straight ravines"
    )


def scales(steps: int) -> Iterator[Finding]:
    """Multiply the error by 1,000, and see whether the optimizers go elsewhere."""
    paths = {
        name: [path(lambda x, y, k=k: k * valley(x, y), START, make, steps) for k in (1, 1000)]
        for name, rate in (("Adam", 0.1), ("RMSprop", 0.01), ("momentum", 0.005))
        for make in [partial(OPTIMIZERS[name], rate=rate)]
    }
    off = max(np.abs(np.abs(points[1] - START) / 0.1 - 1).max() for points in paths["Adam"])
    yield Finding(
        "Adam's first step is as long as its rate by each weight, however steep the error",
        "Kingma and Ba 2015, section 2.1",
        f"by two weights, on two errors of which one is 1,000 times the other: off by {off:.0e}",
        bool(off < 1e-6),
    )
    apart = {name: np.abs(one[: len(other)] - other).max() for name, (one, other) in paths.items()}
    yield Finding(
        "the paths of Adam and RMSprop do not depend on the scale of the error",
        "Kingma and Ba 2015, section 2.1; Tieleman and Hinton 2012",
        f"on an error 1,000 times as large, {steps} steps lead elsewhere by at most: "
        + ", ".join(f"{name} {far:.0e}" for name, far in apart.items()),
        bool(max(apart["Adam"], apart["RMSprop"]) < 1e-6 < apart["momentum"]),
    )


def decayed(steps: int) -> Finding:
    """Let two weights of 1 decay, whose slopes are 10 and .1 and change sign at every step."""
    decay, kept = 0.1, {}
    for name, optimizer, penalty in (
        ("descent with a penalty", nn.GradientDescent, decay),
        ("Adam with a penalty", nn.Adam, decay),
        ("AdamW", partial(nn.AdamW, decay=decay), 0.0),
    ):
        weights = [Value(1.0), Value(1.0)]
        rule = optimizer(weights, rate=0.01)
        for step in range(steps):
            for weight, slope in zip(weights, (10.0, 0.1)):
                weight.grad = slope * (-1) ** step + penalty * weight.data
            rule.step()
        kept[name] = [weight.data for weight in weights]
    steep, flat = kept["Adam with a penalty"]
    return Finding(
        "in Adam, a penalty on squares hardly shrinks weights with large slopes; AdamW shrinks all",
        "Loshchilov and Hutter 2019",
        "left of the weight with large slopes and of that with small ones: "
        + ", ".join(f"{name} {a:.3f} and {b:.3f}" for name, (a, b) in kept.items()),
        steep > flat + 0.1 and abs(kept["AdamW"][0] - kept["AdamW"][1]) < 0.01,
    )


def drawn(best: Mapping[str, tuple[float, float, Path]], conditions: Any, needed: Path) -> Figure:
    figure = Figure(figsize=(10, 5.6), layout="constrained")
    grid = figure.add_gridspec(2, 1, height_ratios=(1, 1.2))
    above, below = figure.add_subfigure(grid[0]), figure.add_subfigure(grid[1])
    maps, (course, growth) = above.subplots(1, 5, sharey=True), below.subplots(1, 2)
    x, y = np.meshgrid(np.linspace(-1.6, 1.6, 161), np.linspace(-0.6, 1.8, 121))
    levels = np.geomspace(0.05, 60, 10)
    for axes, (name, (count, rate, found)), color in zip(maps, best.items(), COLORS):
        axes.contour(x, y, valley(x, y), levels, colors="#cbd5e1", linewidths=0.8)
        taken = found[: int(min(count, len(found))) + 1]
        axes.plot(*taken.T, ".-", color=color, linewidth=1, markersize=3)
        axes.plot(1, 1, "*", color="#1e293b", markersize=10)
        axes.set_title(f"{name}\nrate {rate:.2g}", color=color)
        axes.set(xlim=(-1.6, 1.6), ylim=(-0.6, 1.8))
        course.semilogy(valley(*found.T), color=color)
    course.set(title="in the valley", xlabel="step", ylabel="error", xlim=(0, 400), ylim=(1e-6, 50))
    for counts, name, color in zip(needed.T, best, COLORS):
        growth.loglog(conditions, counts, "o-", color=color, label=name)
    growth.set(title="in straight ravines", xlabel="k", ylabel="steps to a millionth")
    growth.legend(frameon=False)
    return figure


if __name__ == "__main__":
    show(run)
