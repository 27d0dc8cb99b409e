"""What the rules without back-propagation share: a network's size, digits, the true gradient."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

import microgradient as mg
from microgradient import nn
from microgradient.gallery.digits import Floats, Ints, digits, one_hot
from microgradient.gallery.piece import Finding

SIZES = (64, 32, 32, 10)
Layer = tuple[Floats, Floats]  # weights, a row for each unit, and biases
Gradient = Callable[[Sequence[Layer], Floats, Floats], list[Layer]]


def initial(seed: int, sizes: Sequence[int] = SIZES) -> list[Layer]:
    """Return Glorot's weights, and biases of 0."""
    rng = np.random.default_rng(seed)
    return [
        (rng.uniform(-1, 1, (n, m)) * np.sqrt(6 / (m + n)), np.zeros(n)) for m, n in pairwise(sizes)
    ]


def activities(layers: Sequence[Layer], x: Floats) -> list[Floats]:
    """Return the activities of all layers, a row for each case: tanh units, then linear ones."""
    found = [x]
    for number, (w, b) in enumerate(layers, 1):
        net = found[-1] @ w.T + b
        found.append(net if number == len(layers) else np.tanh(net))
    return found


def true_gradient(loss: Callable[[Any, Any], Any]) -> Gradient:
    """Return what gives the gradient of the mean loss of some cases, by this engine."""

    def of_case(layers: Any, x: Any, target: Any) -> Any:
        for number, (w, b) in enumerate(layers, 1):
            net = [mg.dot(row, x, bias) for row, bias in zip(w, b)]
            x = net if number == len(layers) else [mg.tanh(v) for v in net]
        return loss(x, target)

    compiled = mg.compile(mg.grad(of_case))

    def gradient(layers: Sequence[Layer], x: Floats, targets: Floats) -> list[Layer]:
        found = [compiled([*layers], *case) for case in zip(x, targets)]
        return [
            (np.mean([g[i][0] for g in found], axis=0), np.mean([g[i][1] for g in found], axis=0))
            for i in range(len(layers))
        ]

    return gradient


def flat(layers: Sequence[Layer]) -> list[Floats]:
    """Return all weights and biases, a part after another."""
    return [part for layer in layers for part in layer]


def angle(ours: Iterable[Floats], theirs: Iterable[Floats]) -> float:
    """Return the angle between two changes of weights, in degrees."""
    a, b = (np.concatenate([np.ravel(part) for part in parts]) for parts in (ours, theirs))
    cosine = a @ b / np.sqrt((a @ a) * (b @ b))
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def error_of(answers: Ints, right: Ints) -> float:
    """Return the share of wrong answers."""
    return float(np.mean(answers != right))


@cache
def backprop(sweeps: int = 30, cases: int = 1500) -> tuple[float, float]:
    """Return the test error of back-propagation at this size, and the seconds that it took."""
    data, began = digits(), time.perf_counter()
    net = nn.MLP(SIZES[0], list(SIZES[1:]), "tanh", rng=random.Random(0), initializer=nn.glorot)
    targets = one_hot(data.digits)
    nn.train(
        net,
        [*zip(data.pixels[:cases].tolist(), targets[:cases].tolist())],
        loss=mg.softmax_cross_entropy,
        optimizer=nn.Adam(net.parameters(), rate=0.003),
        sweeps=sweeps,
        update=20,
        shuffle=0,
        progress=False,
    )
    scores = mg.compile(net)
    answers = np.array([np.argmax(scores(x)) for x in data.test_pixels.tolist()])
    return error_of(answers, data.test_digits), time.perf_counter() - began


def beside_backprop(
    source: str, points: float, error: float, seconds: float, cases: int, also: str = ""
) -> Finding:
    """Return the finding that a rule's test error is within so many points of back-propagation's.

    ``also`` follows the figures.
    """
    theirs, their_seconds = backprop(cases=cases)
    return Finding(
        f"it learns digits within {points:g} points of back-propagation",
        source,
        f"{error:.1%} of test cases wrong after {seconds:.1f} s, back-propagation {theirs:.1%} "
        f"after {their_seconds:.1f} s{also}",
        error < theirs + points / 100,
    )


def gap(ours: Iterable[Floats], gradient: Sequence[Floats]) -> float:
    """Return how far changes that go down are from minus the gradient, relative to its length."""
    size = np.sqrt(sum(np.sum(g**2) for g in gradient))
    apart = sum(np.sum((a + b) ** 2) for a, b in zip(ours, gradient))
    return float(np.sqrt(apart) / size)


def draw_angles(axes: Any, angles: Sequence[float], sweeps: int) -> None:
    """Draw the angles with the gradient, at equal distances during training."""
    at = np.linspace(0, sweeps, len(angles), endpoint=False)
    axes.plot(at, angles, "o-", color="#1d4ed8")
    axes.set(xlabel="sweep", ylabel="degrees from the gradient", ylim=(0, 95))
