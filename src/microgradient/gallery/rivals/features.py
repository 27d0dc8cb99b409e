"""Features by hand: a linear unit learns symmetry and parity once a person has solved them for it.

A linear unit adds up what each input says alone. The bits of a mirror symmetry or a parity say
nothing alone (Minsky and Papert 1969), so a person designed features: whether two mirrored bits
differ, whether the count of bits is odd. Back-propagation starts from the raw bits, and its hidden
units become features (Rumelhart, Hinton and Williams 1986).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import product
from statistics import median

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.optimize import linprog
from sklearn.linear_model import Perceptron
from sklearn.preprocessing import PolynomialFeatures

from microgradient.engine.services.processors import processors
from microgradient.gallery.backprop import backprop
from microgradient.gallery.piece import Finding, Picture, Race, Shown, show
from microgradient.rumelhart1986 import EXPERIMENTS, Network
from microgradient.rumelhart1986 import run as trial
from microgradient.rumelhart1986.variant_study import VariantStudy

Ints = NDArray[np.int64]
SMALL = {"epochs": 20, "networks": 16, "largest": 1}
SIX, FOUR = (np.array([*product((0, 1), repeat=bits)]) for bits in (6, 4))
SYMMETRIC = (SIX[:, ::-1] == SIX).all(axis=1).astype(int)
ODD = FOUR.sum(axis=1) % 2
DIFFER = abs(SIX - SIX[:, ::-1])[:, :3]  # by hand: of each mirrored pair, whether its bits differ
COUNT_IS_ODD = FOUR.sum(axis=1, keepdims=True) % 2  # by hand: the answer


def raced(problem: str, method: str, features: Ints, targets: Ints, epochs: int) -> Race:
    """Train ten perceptrons, which see the cases in ten orders, for 1, 2, 4, … epochs."""
    began, ended = time.perf_counter(), list[int]()
    for seed in range(10):
        for doublings in range(epochs.bit_length()):
            unit = Perceptron(max_iter=2**doublings, tol=None, random_state=seed)
            if unit.fit(features, targets).score(features, targets) == 1:
                ended.append(2**doublings * len(targets))
                break
    seconds, shown = (time.perf_counter() - began) / 10, median(ended) if ended else None
    return Race(problem, f"perceptron on {method}", len(ended), 10, shown, seconds)


def answers(cases: Ints, largest: int) -> NDArray[np.bool_]:
    """Return the answers of threshold units, for all whole weights up to ``largest``."""
    weights = np.array([*product(range(-largest, largest + 1), repeat=cases.shape[1])])
    sums = weights @ cases.T
    thresholds = np.arange(sums.min(), sums.max() + 2) - 0.5
    return (sums > thresholds[:, None, None]).reshape(-1, len(cases))


def order(cases: Ints, targets: Ints) -> int:
    """Return of how many bits there must be products before a linear unit has all cases right."""
    for most in range(1, cases.shape[1] + 1):  # products of up to all bits can tell any two apart
        features = PolynomialFeatures(most, interaction_only=True).fit_transform(cases)
        signed = (2 * targets - 1)[:, None] * features
        if linprog(0 * signed[0], -signed, -np.ones(len(signed)), bounds=(None, None)).success:
            break
    return most


def uneven(network: Network) -> dict[str, float]:
    """Return how far the weights of symmetry's hidden units are from 1 : 2 : 4, mirrored."""
    units = network.layers["hidden"].neurons
    weights = np.array([[weight.data for weight in unit.weights] for unit in units])
    weights /= abs(weights).min(axis=1, keepdims=True)
    far = abs(np.sort(abs(weights)) / (1, 1, 2, 2, 4, 4) - 1).max()
    return {"uneven": max(far, abs(weights / weights[:, ::-1] + 1).max())}


def run(*, epochs: int = 1024, networks: int = 200, largest: int = 2) -> Iterator[Shown]:
    tasks = (
        (backprop("symmetry", "nature", networks), SIX, DIFFER, SYMMETRIC),
        (backprop("parity-4", "4-4-1", networks), FOUR, COUNT_IS_ODD, ODD),
    )
    for race, bits, by_hand, targets in tasks:
        yield raced(race.problem, "raw bits", bits, targets, epochs)
        yield raced(race.problem, "features by hand", by_hand, targets, epochs)
        yield race
    tables = answers(FOUR, 3)
    functions = len(np.unique(np.packbits(tables, axis=1), axis=0))
    best = (tables == ODD).sum(axis=1).max()
    yield Finding(
        "parity of 4 bits: a threshold unit has at most 11 of the 16 cases right",
        "known",
        f"the best of all {functions:,} threshold functions of 4 bits has {best}",
        (functions, best) == (1882, 11),  # as many as there are: none is left out
    )
    tables = answers(SIX, largest)
    best = (tables == SYMMETRIC).sum(axis=1).max()
    # No unit has more. If it says yes to two symmetric cases, it also says yes to one of the two
    # cases that they become when they exchange right halves, as the sum of both stays the same. So
    # a unit that has k of the 8 symmetric cases right has k (k - 1) / 2 or more of the 56 wrong.
    yield Finding(
        "symmetry: a threshold unit has at most 57 of the 64 cases right; always saying no, 56",
        "this gallery",
        f"the best of {len(tables):,} units, with whole weights up to {largest}, has {best}",
        best == 57,
    )
    orders = order(FOUR, ODD), order(SIX, SYMMETRIC)
    yield Finding(
        "a linear unit learns a parity of n bits only if a feature depends on all n",
        "Minsky and Papert 1969",
        f"with products of up to {orders[0]} bits for 4 bits; symmetry needs those of {orders[1]}",
        orders[0] == 4,
    )
    study = VariantStudy(EXPERIMENTS["symmetry"], "nature", uneven)
    outcomes = study.outcomes(range(networks), processors())
    close = [one.findings["uneven"] < 0.1 for one in outcomes if one.learned]
    yield Finding(
        "back-propagation finds a feature for symmetry: weights of 1 : 2 : 4, mirrored and negated",
        "Rumelhart, Hinton and Williams 1986",
        f"within 10 % in {sum(close)} of the {len(close)} networks that learned",
        2 * sum(close) > len(close),
    )
    network = trial(EXPERIMENTS["symmetry"], "nature", seed=1, progress=False).network
    yield Picture("features", drawn(network), "Symmetry's 64 cases by three features")


def drawn(network: Network) -> Figure:
    figure = Figure(figsize=(10, 3.4), layout="constrained")
    weights = np.array([weight.data for weight in network.layers["hidden"].neurons[0].weights])
    weights = np.rint(weights / abs(weights).min()).astype(int)
    shown = (
        ("raw bits", "how many are on", SIX.sum(axis=1)),
        ("by hand", "how many pairs differ", DIFFER.sum(axis=1)),
        ("by a hidden unit", f"bits times about {', '.join(map(str, weights))}", SIX @ weights),
    )
    colours, labels = ("#c2410c", "#1d4ed8"), ("not symmetric", "symmetric")
    several = figure.subplots(1, 3, width_ratios=[2, 1.5, 3], sharey=True)
    for axes, (title, label, values) in zip(several, shown):
        groups = [values[answer == SYMMETRIC] for answer in (0, 1)]
        bins = np.arange(values.min(), values.max() + 2) - 0.5
        axes.hist(groups, bins, stacked=True, rwidth=0.8, color=colours, label=labels)
        axes.set(title=title, xlabel=label)
    several[0].set_ylabel("cases")
    several[2].legend()
    return figure


if __name__ == "__main__":
    show(run)
