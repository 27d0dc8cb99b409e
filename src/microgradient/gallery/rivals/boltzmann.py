"""The Boltzmann machine on the encoders: each presentation costs 20 times the work.

Encoder 4-2-4: four inputs, one of them on at a time, are to be copied to four outputs through two
hidden units, so that each pattern needs a code of its own. A unit turns on with probability 1 / (1
+ exp(-gap / T)), where its gap is the sum of its weights to the units that are on, and T a
temperature. The machine settles ("anneals") with each pattern held fixed ("clamped") on inputs and
outputs, and equally often with nothing held, and counts how often each pair of units is on
together. Each weight goes up by 2 if its pair is on together more often with patterns, and down by
2 if less often. No error is sent back: a weight depends on its own two units only.

A machine counts as solved once all patterns have different hidden codes, a network only when all
outputs are within .1. Source: Ackley, Hinton and Sejnowski, A Learning Algorithm for Boltzmann
Machines, Cognitive Science 9 (1985), pp. 156-161: schedule, noise, links and steps as printed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import nan

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from microgradient.gallery.backprop import backprop
from microgradient.gallery.piece import Finding, Picture, Race, Shown, show

SETTLE = [20.0] * 2 + [15.0] * 2 + [12.0] * 2 + [10.0] * 4  # the temperature in each unit of time
COUNT = [10.0] * 10  # while pairs are counted
SMALL = {"trials": 12, "cycles": 60, "trials8": 2, "cycles8": 10, "networks": 16}
Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


def anneal(w: Floats, states: Floats, free: range, rng: np.random.Generator) -> Floats:
    """Let the ``free`` units settle, and count how often each pair of units is on together.

    ``w`` is trials by units by units, ``states`` trials by units by anneals.
    """
    pairs = np.zeros_like(w)
    trials, _, anneals = states.shape
    for n, temperature in enumerate(SETTLE + COUNT):
        # A unit of time is as many random probes as there are free units (footnote 4). A gap is
        # above logistic noise of scale T with probability 1 / (1 + exp(-gap / T)).
        probes = rng.integers(free.start, free.stop, len(free))
        noise = rng.logistic(0, temperature, (len(free), trials, anneals)).astype(np.float32)
        for unit, level in zip(probes.tolist(), noise):
            gap = w[:, unit, None] @ states
            states[:, unit] = gap[:, 0] > level
        if n >= len(SETTLE):
            pairs += states @ states.transpose(0, 2, 1)
    return pairs


def cycle(w: Floats, patterns: Floats, links: Floats, add: float, rng: np.random.Generator) -> None:
    """Change the weights of all trials once; noise turns units on with probability ``add``."""
    visible, units = patterns.shape[1], w.shape[1] - 1  # the last of w is always on: a bias
    shown = np.concatenate([patterns, patterns]).T  # each pattern twice
    states = np.ones((len(w), units + 1, shown.shape[1]), np.float32)
    states[:, :-1] = rng.random(states[:, :-1].shape) < 0.5
    clamped = states.copy()
    flips = rng.random((len(w), *shown.shape)) < np.where(shown > 0, 0.15, add)
    clamped[:, :visible] = np.where(flips, 1 - shown, shown)
    together = anneal(w, clamped, range(visible, units), rng)
    together_freely = anneal(w, states, range(units), rng)
    w += 2 * np.sign(together - together_freely) * links


def codes(w: Floats, patterns: Floats) -> NDArray[np.bool_]:
    """Return each pattern's code, the likelier states of the hidden units: trials, patterns, units.

    Hidden units have no links among them, so that each depends on the pattern alone.
    """
    visible = patterns.shape[1]
    gaps: Floats = patterns @ w[:, :visible, visible:-1] + w[:, -1:, visible:-1]
    return gaps > 0


def distinct(found: NDArray[np.bool_]) -> Ints:
    """Return how many codes of each trial differ."""
    numbers = found @ (1 << np.arange(found.shape[2]))
    return np.array([len({*row}) for row in numbers.tolist()], np.int64)


def encoder(n: int, hidden: int) -> tuple[Floats, Floats]:
    """Return the patterns of the n-hidden-n encoder, and 1 for each link: within a visible group,
    and between it and the hidden units.
    """
    links = 1 - np.eye(2 * n + hidden + 1, dtype=np.float32)
    links[:n, n : 2 * n] = links[n : 2 * n, :n] = links[2 * n : -1, 2 * n : -1] = 0
    return np.tile(np.eye(n, dtype=np.float32), 2), links


@dataclass(frozen=True)
class Learned:
    """For each trial, the cycles until 1, 2, ... codes were found (0: never), and the weights."""

    cycles: Ints
    weights: Floats
    most: int
    seconds: float

    def until(self, count: int) -> Ints:
        """Return the cycles until there were ``count`` codes, of the trials that found as many."""
        found = self.cycles[:, count - 1]
        return found[found > 0]

    def race(self, problem: str) -> Race:
        """Return the race row: in a cycle, each pattern is shown twice."""
        trials, n = self.cycles.shape
        solved = self.until(n)
        shown = 2 * n * middle(solved) if len(solved) else None
        each = self.seconds / trials
        return Race(problem, "Boltzmann machine", len(solved), trials, shown, each)


def learn(
    n: int, hidden: int, add: float, trials: int, most: int, rng: np.random.Generator
) -> Learned:
    """Train machines until each pattern has a code of its own, for ``most`` cycles at most."""
    began = time.perf_counter()
    patterns, links = encoder(n, hidden)
    cycles, weights = np.zeros((trials, n), np.int64), np.zeros((trials, *links.shape), np.float32)
    active = np.arange(trials)
    for number in range(1, most + 1):
        w = weights[active]
        cycle(w, patterns, links, add, rng)
        weights[active] = w
        for trial, count in zip(active, distinct(codes(w, patterns))):
            first = cycles[trial, :count]
            first[first == 0] = number
        active = active[cycles[active, -1] == 0]
        if not len(active):
            break
    return Learned(cycles, weights, most, time.perf_counter() - began)


def middle(cycles: Ints) -> float:
    return float(np.median(cycles)) if len(cycles) else nan


def slower(machine: Race, network: Race) -> tuple[float, float, float]:
    """Return how many times the presentations, unit updates and seconds of a network it takes.

    A unit of time with a pattern and one without update the hidden units twice and the others once:
    as many updates as there are states and errors in a presentation by back-propagation.
    """
    if machine.presentations is None or network.presentations is None:
        return nan, nan, nan
    times = machine.presentations / network.presentations
    return times, times * len(SETTLE + COUNT), machine.seconds / network.seconds


def run(
    *,
    trials: int = 250,
    cycles: int = 2500,
    trials8: int = 20,
    cycles8: int = 4000,
    networks: int = 1000,
) -> Iterator[Shown]:
    source = "Ackley, Hinton and Sejnowski 1985"
    rng = np.random.default_rng(1985)
    four = learn(4, 2, 0.05, trials, cycles, rng)
    solved = four.until(4)
    yield Finding(
        "all 250 machines solve the 4-2-4 encoder, after 110 cycles in the median, 1,810 at most",
        source,
        f"{len(solved)} of {trials} in {cycles:,} cycles, after {middle(solved):.0f} in the median "
        f"and {solved.max(initial=0):,} at most",
        len(solved) == trials and 55 < middle(solved) < 220,
    )
    patterns, links = encoder(4, 2)
    later = four.weights[four.cycles[:, -1] > 0]
    for _ in range(100):
        cycle(later, patterns, links, 0.05, rng)
    still = distinct(codes(later, patterns)) == 4
    yield Finding(
        "a machine that has found four codes keeps them",
        source,
        f"100 cycles later, {np.sum(still)} of {len(solved)} machines have four",
        bool(np.all(still)),
    )
    eight = learn(8, 3, 0.02, trials8, cycles8, rng)
    seven, all8 = eight.until(7), eight.until(8)
    yield Finding(
        "of 20 machines, 16 find all 8 codes of the 8-3-8 encoder in 4,000 cycles, after 1,570 in "
        "the median; the others find 7",
        source,
        f"{len(all8)} of {trials8} find 8 in {cycles8:,} cycles, after {middle(all8):,.0f} in the "
        f"median; {len(seven) - len(all8)} find 7",
        len(all8) >= 13 and len(seven) == trials8,
    )
    networks4 = backprop("encoder-4", "4-2-4", networks)
    networks8 = backprop("encoder", "8-3-8", networks)
    machines4, machines8 = four.race(networks4.problem), eight.race(networks8.problem)
    yield from (machines4, networks4, machines8, networks8)
    times = [slower(machines4, networks4), slower(machines8, networks8)]
    text = "{:.1f} times the presentations, {:.0f} times the unit updates, {:.0f} times the seconds"
    yield Finding(
        "the Boltzmann machine is 1,000 times slower than back-propagation",
        "the survey page",
        f"on 4-2-4 {text.format(*times[0])}; on 8-3-8 {text.format(*times[1])} (of NumPy against "
        "machine code)",
        any(updates >= 500 for _, updates, _ in times),  # seconds depend on who wrote the code
    )
    if np.any(still):
        caption = (
            "How many presentations the encoders take, and the weights of a solved 4-2-4 machine: "
            "the units of a group inhibit each other, and each hidden unit has weights of the same "
            "sign to the two units of a pattern: its bit of the code"
        )
        rows = [
            ("4-2-4", four, networks4, {110: 0.5, 1810: 1.0}, "#1d4ed8"),
            ("8-3-8", eight, networks8, {1570: 0.4, 4000: 0.8}, "#c2410c"),
        ]
        yield Picture("boltzmann", drawn(rows, later[still][0]), caption)


def drawn(rows: Sequence[tuple[str, Learned, Race, dict[int, float], str]], w: Floats) -> Figure:
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
    for name, learned, network, printed, color in rows:
        trials, n = learned.cycles.shape
        solved = np.append(np.sort(learned.until(n)), learned.most)
        shares = np.minimum(np.arange(1, len(solved) + 1), len(solved) - 1) / trials
        left.step(2 * n * solved, shares, where="post", color=color, label=f"{name}, machines here")
        shown = [2 * n * cycles for cycles in printed]
        left.plot(shown, printed.values(), "o", color=color, label=f"{name}, machines of 1985")
        if network.presentations is not None:
            dashes = {"color": color, "linestyle": "--", "linewidth": 1}
            left.axvline(network.presentations, label=f"{name}, back-propagation, median", **dashes)
    left.set(xscale="log", xlabel="presentations", ylabel="share of machines with all codes")
    left.legend(frameon=False, fontsize=9, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1))
    order = [0, 1, 2, 3, 8, 9, 4, 5, 6, 7, 10]  # the hidden units between the groups, as in 1985
    w = w[np.ix_(order, order)]
    down, across = np.nonzero(w)
    sizes, colors = np.abs(w[down, across]), np.where(w[down, across] > 0, "#1d4ed8", "#c2410c")
    right.scatter(across, down, s=180 * sizes / sizes.max(), c=colors, marker="s")
    for edge in (3.5, 5.5, 9.5):
        right.axhline(edge, color="#94a3b8", linewidth=0.8)
        right.axvline(edge, color="#94a3b8", linewidth=0.8)
    groups = ([1.5, 4.5, 7.5, 10], ["first group", "hidden", "second group", "bias"])
    right.set(
        xlim=(-0.5, 10.5),
        ylim=(10.5, -0.5),
        aspect="equal",
        title="weights: blue above 0, orange below",
    )
    right.set_xticks(*groups)
    right.set_yticks(*groups)
    return figure


if __name__ == "__main__":
    show(run)
