"""The Hopfield net: patterns stored as valleys of an energy, recalled from damaged copies.

Units of 1 and -1 take the sign of their input, one after another. With symmetric weights w that
never raises the energy -1/2 x' w x, so that the states settle in a valley. Weights that are sums
over the patterns, w = sum x x' (Hebb's rule), make each pattern a valley: storing takes one look at
each. But the valleys disturb one another: of how many patterns, damaged how much, are they recalled
(Hopfield, PNAS 79, 1982)? A network trained by back-propagation to undo the damage recalls more.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from math import sqrt
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import norm

import microgradient as mg
from microgradient import nn
from microgradient.gallery.piece import Finding, Picture, Race, Shown, show

UNITS = 100
SMALL = {"nets": 3, "counts": (5, 15), "many": 20, "copies": 2, "sets": 1}
Floats = NDArray[np.float32]


def random_patterns(nets: int, count: int, rng: np.random.Generator) -> Floats:
    return rng.choice(np.array([-1, 1], np.float32), (nets, count, UNITS))


def stored(patterns: Floats) -> Floats:
    """Return the weights of nets that store patterns: nets by patterns by units.

    Without the usual factor 1/N, which changes no sign: so all sums are exact.
    """
    w: Floats = np.swapaxes(patterns, -1, -2) @ patterns
    return w * (1 - np.eye(UNITS, dtype=np.float32))


def recall(w: Floats, states: Floats, rng: np.random.Generator, off: float = -1) -> Floats:
    """Return where states settle: nets by states by units. In a sweep, each unit has its turn."""
    states, before = states.copy(), np.zeros_like(states)
    while not np.array_equal(states, before):
        before = states.copy()
        for unit in rng.permutation(UNITS):
            inputs = (states @ w[..., unit, :, None])[..., 0]
            signs = np.where(inputs > 0, 1, off)
            states[..., unit] = np.where(inputs == 0, states[..., unit], signs)
    return states


def damaged(patterns: Floats, flips: int, rng: np.random.Generator) -> Floats:
    """Return patterns in each of which ``flips`` units have changed their sign."""
    order = np.argsort(rng.random(patterns.shape), axis=-1)
    return np.where(order < flips, -patterns, patterns)


def recalled(states: Floats, patterns: Floats) -> NDArray[np.bool_]:
    """Return which states have an overlap above .95 with their patterns: at most 2 units wrong."""
    close: NDArray[np.bool_] = np.mean(states * patterns, axis=-1) > 0.95
    return close


def run(
    *,
    nets: int = 100,
    counts: Sequence[int] = (5, 8, 10, 12, 15, 20),
    many: int = 1000,
    copies: int = 200,
    sets: int = 3,
) -> Iterator[Shown]:
    rng = np.random.default_rng(1982)
    patterns = random_patterns(many, 14, rng)
    margins = patterns * (patterns @ stored(patterns))
    most, least = (float(np.mean(np.all(m, axis=-1))) for m in (margins >= 0, margins > 0))
    normal = norm.cdf(sqrt(UNITS / 13)) ** UNITS  # the other 13 patterns disturb as normal noise
    yield Finding(
        "of 14 random patterns in 100 units, 79 % are stable in every unit",
        "this gallery",
        f"{most:.1%}, or {least:.1%} if an input of 0 counts as unstable; disturbance by normal "
        f"noise would leave {normal:.1%}",
        least < 0.79 < most,
    )
    errors = {}
    for count in (10, 15):
        patterns = random_patterns(nets, count, rng)
        settled = recall(stored(patterns), np.maximum(patterns, 0), rng, off=0)
        errors[count] = np.sum((settled > 0) != (patterns > 0), axis=-1)
    none, few = float(np.mean(errors[10] == 0)), float(np.mean(errors[15] < 5))
    yield Finding(
        "in 100 units of 1 and 0, 60 % of 10 patterns stay without any error, and about half of 15 "
        "with fewer than 5",
        "Hopfield 1982",
        f"{none:.0%} of 10, and {few:.0%} of 15",
        abs(none - 0.6) < 0.1 and abs(few - 0.5) < 0.1,
    )
    flips = range(0, 50, 5)
    basin: dict[int, list[float]] = {}
    overlap: dict[int, float] = {}
    for count in counts:
        patterns = random_patterns(nets, count, rng)
        w = stored(patterns)
        states = [recall(w, damaged(patterns, number, rng), rng) for number in flips]
        overlap[count] = float(np.mean(states[0] * patterns))
        basin[count] = [float(np.mean(recalled(each, patterns))) for each in states]
    yield Finding(
        "about 0.15 N random vectors can be stored",
        "Hinton, Connectionist Learning Procedures, 1989",
        "in 100 units of 1 and -1 these stay, with at most 2 errors: "
        + ", ".join(f"{basin[c][0]:.0%} of {c} (mean overlap {overlap[c]:.3f})" for c in counts),
        basin[15][0] > 0.8,
    )
    edge = {c: max((f for f, r in zip(flips, basin[c]) if r > 0.9), default=0) for c in counts}
    reach = ", ".join(f"{far} for {count} patterns" for count, far in edge.items() if far)
    yield Finding(
        "stored patterns attract the states of a substantial region around them",
        "Hopfield 1982",
        f"9 in 10 are recalled if of 100 units as many are flipped: {reach}",
        edge[5] >= 20,
    )
    yield from races(sets, copies, rng)
    caption = (
        "How many damaged patterns are recalled, by the number of patterns stored; and a net that "
        "stores three letters: recall from damaged ones, and from random units into a state that "
        "nobody stored"
    )
    yield Picture("hopfield", drawn(flips, basin, rng), caption)


def races(sets: int, copies: int, rng: np.random.Generator) -> Iterator[Race | Finding]:
    """Recall 14 patterns with 20 units flipped, by Hopfield nets and by trained networks.

    Networks without a hidden layer did worse than the Hopfield net at the settings that we tried.
    """
    right, seconds, sweeps = np.zeros(2, int), np.zeros(2), 3
    patterns = random_patterns(sets, 14, rng)
    start = damaged(np.repeat(patterns, 50, axis=1), 20, rng)
    for mine, states in zip(patterns, start):
        targets = np.repeat(mine, 50, axis=0)
        began = time.perf_counter()
        found = recall(stored(mine), states, rng)
        right[0] += np.sum(recalled(found, targets))
        seconds[0] += time.perf_counter() - began
        began = time.perf_counter()
        network = nn.MLP(UNITS, [50, UNITS], "tanh", output="tanh", rng=1, initializer=nn.glorot)
        nn.train(
            network,
            [(x, t) for _ in range(copies) for x, t in zip(damaged(mine, 20, rng), mine)],
            loss=nn.half_squared_error,
            optimizer=nn.GradientDescent(network.parameters(), 0.02),
            sweeps=sweeps,
            update="presentation",
        )
        answers = np.array(mg.compile(network, batch=0)(states))
        right[1] += np.sum(recalled(np.sign(answers), targets))
        seconds[1] += time.perf_counter() - began
    problem, trials = "14 patterns with 20 of 100 units flipped", start.shape[0] * start.shape[1]
    each = (14, 14 * copies * sweeps)
    for n, method in enumerate(("Hopfield net", "back-propagation, 100-50-100")):
        yield Race(problem, method, int(right[n]), trials, each[n], seconds[n] / trials)
    yield Finding(
        "a network of 10,150 weights trained to undo the damage recalls more than a Hopfield net "
        "of 4,950",
        "this gallery",
        f"{right[1] / trials:.1%} against {right[0] / trials:.1%}, for {each[1] // each[0]} times "
        "the presentations",
        right[1] > right[0],
    )


_X = ["##......##", "###....###", ".###..###.", "..######..", "...####..."]
LETTERS = (
    "##########" * 2 + "....##...." * 8,  # T
    "".join(_X + _X[::-1]),
    "##........" * 8 + "##########" * 2,  # L
)


def drawn(flips: Sequence[int], basin: dict[int, list[float]], rng: np.random.Generator) -> Figure:
    figure = Figure(figsize=(10, 4), layout="constrained")
    parts: Any = figure.subfigures(1, 2)
    axes = parts[0].subplots()
    for shade, (count, rates) in zip(colormaps["viridis"](np.linspace(0, 0.85, 6)), basin.items()):
        axes.plot(flips, rates, color=shade, label=f"{count}")
    axes.set(xlabel="flipped units of 100", ylabel="share of patterns recalled", ylim=(0, 1.03))
    axes.legend(title="patterns\nstored", frameon=False, bbox_to_anchor=(1, 1))
    letters = np.array([[1 if c == "#" else -1 for c in x] for x in LETTERS], np.float32)
    w = stored(letters)
    strays = (settling(w, random_patterns(1, 1, rng)[0, 0], rng) for _ in range(1000))
    strange = next(states for states in strays if np.max(np.abs(letters @ states[-1])) < 90)
    rows = [(x, *settling(w, damaged(x, 30, rng), rng)) for x in letters[:2]] + [(None, *strange)]
    panels = parts[1].subplots(3, 4)
    for row, states in zip(panels, rows):
        for panel, state in zip(row, states):
            panel.set(xticks=[], yticks=[])
            if state is None:
                panel.text(0.5, 0.5, "none", ha="center", va="center")
            else:
                panel.imshow(state.reshape(10, 10), cmap="Blues", vmin=-1.4, vmax=1.2)
    for panel, title in zip(panels[0], ("stored", "start", "40 updates", "settled")):
        panel.set_title(title, fontsize=10)
    return figure


def settling(w: Floats, start: Floats, rng: np.random.Generator) -> list[Floats]:
    """Return a state, what it is after 40 updates, and where it settles."""
    middle = start.copy()
    for unit in rng.permutation(UNITS)[:40]:
        middle[unit] = np.sign(middle @ w[unit]) or middle[unit]
    return [start, middle, recall(w, middle, rng)]


if __name__ == "__main__":
    show(run)
