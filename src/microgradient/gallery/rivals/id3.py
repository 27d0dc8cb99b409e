"""ID3 on XOR: no attribute tells anything alone, so a tree has no reason to choose one.

A decision tree asks for one attribute at a time. ID3 (Quinlan 1986, "Induction of decision trees",
Machine Learning 1) first asks for the one with the largest gain: the number of bits by which the
entropy of the class falls, on average, once its value is known. It goes on so with the cases of
each value until they are of one class. On XOR every gain is 0.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import product
from math import log2
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from microgradient.gallery.backprop import backprop
from microgradient.gallery.piece import Finding, Picture, Race, Shown, show

Case = tuple[str, ...]  # the values of the attributes, and the class last
Tree = str | tuple[int, dict[str, Any]]  # a class, or an attribute and a tree for each value
SMALL = {"networks": 16}


def entropy(cases: Sequence[Case]) -> float:
    """Return how many bits it takes to tell the class of a case."""
    counts = Counter(case[-1] for case in cases).values()
    return -sum(n / len(cases) * log2(n / len(cases)) for n in counts)


def parts(cases: Sequence[Case], attribute: int) -> dict[str, list[Case]]:
    """Return the cases that have each value of an attribute."""
    values = dict.fromkeys(case[attribute] for case in cases)
    return {value: [case for case in cases if case[attribute] == value] for value in values}


def gain(cases: Sequence[Case], attribute: int) -> float:
    """Return by how much the entropy falls, on average, once an attribute is known."""
    several = parts(cases, attribute).values()
    return entropy(cases) - sum(len(part) / len(cases) * entropy(part) for part in several)


def grown(cases: Sequence[Case], attributes: Sequence[int], least: float = 1e-9) -> Tree:
    """Return a tree. It ends where no attribute gains ``least`` bits: any gain beyond rounding."""
    commonest = Counter(case[-1] for case in cases).most_common(1)[0][0]
    best = max(attributes, key=lambda one: gain(cases, one), default=None)
    if entropy(cases) == 0 or best is None or gain(cases, best) < least:
        return commonest
    rest = [one for one in attributes if one != best]
    return best, {value: grown(part, rest, least) for value, part in parts(cases, best).items()}


def path(tree: Tree, case: Case) -> list[Tree]:
    """Return the nodes that a case comes through, the last of which is its class."""
    if isinstance(tree, str):
        return [tree]
    attribute, branches = tree
    return [tree, *path(branches[case[attribute]], case)]


def told(tree: Tree) -> str:
    """Return a tree in words: ``windy (false: P, true: N)``."""
    if isinstance(tree, str):
        return tree
    branches = ", ".join(f"{value}: {told(part)}" for value, part in tree[1].items())
    return f"{ATTRIBUTES[tree[0]]} ({branches})"


ATTRIBUTES = ["outlook", "temperature", "humidity", "windy"]
_MORNINGS = """sunny hot high false N, sunny hot high true N, overcast hot high false P,
rain mild high false P, rain cool normal false P, rain cool normal true N,
overcast cool normal true P, sunny mild high false N, sunny cool normal false P,
rain mild normal false P, sunny mild normal true P, overcast mild high true P,
overcast hot normal false P, rain mild high true N"""
MORNINGS: list[Case] = [tuple(morning.split()) for morning in _MORNINGS.split(",")]
HUMID, WINDY = (2, {"high": "N", "normal": "P"}), (3, {"false": "P", "true": "N"})
PRINTED = (0, {"sunny": HUMID, "overcast": "P", "rain": WINDY})
XOR: list[Case] = [(*bits, "NP"[bits[0] != bits[1]]) for bits in product("01", repeat=2)]


def race(method: str, least: float) -> Race:
    """Grow a tree on XOR. Each node looks once at each case that reaches it."""
    began = time.perf_counter()
    tree = grown(XOR, range(2), least)
    seconds = time.perf_counter() - began
    paths = [path(tree, case) for case in XOR]
    solved = all(nodes[-1] == case[-1] for nodes, case in zip(paths, XOR))
    shown = sum(map(len, paths)) if solved else None
    return Race("Exclusive or 2-2-1", method, int(solved), 1, shown, seconds)


def run(*, networks: int = 1000) -> Iterator[Shown]:
    yield race("ID3, ends where nothing is gained", 1e-9)
    yield race("ID3, splits all the same", -1)
    yield backprop("xor", "2-2-1", networks)
    gains = [gain(MORNINGS, attribute) for attribute in range(4)]
    printed = (0.246, 0.029, 0.151, 0.048)
    yield Finding(
        "outlook gains .246 bits, temperature .029, humidity .151 and windy .048",
        "Quinlan 1986",
        ", ".join(f"{one:.4f}" for one in gains) + ": up to .001 more than printed",
        all(0 <= one - other < 0.001 for one, other in zip(gains, printed)),
    )
    tree = grown(MORNINGS, range(4))
    yield Finding(
        "the tree asks for the outlook, then for humidity if sunny and for wind if rainy",
        "Quinlan 1986",
        told(tree),
        tree == PRINTED,
    )
    nothing = gain(XOR, 0), gain(XOR, 1)
    yield Finding(
        "neither bit of XOR gains anything", "known", f"{nothing[0]:g} bits each", nothing == (0, 0)
    )
    caption = "The tree that ID3 grows on 14 mornings, and what attributes gain"
    yield Picture("id3", drawn(tree, [*gains, *nothing]), caption)


def drawn(tree: Tree, gains: list[float]) -> Figure:
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[4, 3])
    left.axis("off")
    place(left, tree, 0, 1, 0.95)
    names = [*ATTRIBUTES, "XOR's first bit", "XOR's second bit"]
    right.bar_label(right.barh(names, gains, color="#1d4ed8"), fmt="%.3f", padding=4)
    right.set(xlim=(0, 0.3), xlabel="gain in bits")
    right.invert_yaxis()
    right.spines[["top", "right"]].set_visible(False)
    return figure


def place(axes: Axes, tree: Tree, left: float, right: float, top: float) -> None:
    """Draw a tree between two sides, from the top down."""
    name, branches = (tree, {}) if isinstance(tree, str) else (ATTRIBUTES[tree[0]], tree[1])
    middle, width = (left + right) / 2, (right - left) / max(len(branches), 1)
    for n, (value, branch) in enumerate(branches.items()):
        start, below = left + n * width, top - 0.4
        child = start + width / 2
        axes.plot([middle, child], [top, below], color="#94a3b8", zorder=0)
        at = 0.4 * middle + 0.6 * child, top - 0.24
        axes.text(*at, value, bbox={"color": "white", "pad": 1}, ha="center", va="center")
        place(axes, branch, start, start + width, below)
    box = {"boxstyle": "round", "color": {"P": "#1d4ed8", "N": "#c2410c"}.get(name, "#1e293b")}
    axes.text(middle, top, name, color="white", bbox=box, ha="center", va="center")


if __name__ == "__main__":
    show(run)
