"""Points in the domains of the rows, and their derivatives by the mpmath oracle."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

from mpmath import mp, mpf

from microgradient import Op, hessian
from mp import ORACLES

DISCRETE = ("polygamma", "sinc_derivative")  # their first operand is an order, 0, 1, 2, …


def points(op: Op, count: int) -> Iterator[list[float]]:
    """Yield points inside the domain of ``op``, the same for the same name in every run."""
    rng = random.Random(op.name)
    for _ in range(count):
        yield [rng.uniform(a, b) if a < b else a for a, b in op.domain]


def second_order_faults(op: Op, x: list[float]) -> list[str]:
    """Return what is wrong with the second derivatives of ``op`` at ``x``."""
    found = []
    got = hessian(lambda xs: xs[0].record(op, xs))(x)
    for i in range(len(x)):
        for j in range(len(x)):
            if op.name in DISCRETE and 0 in (i, j):
                continue
            exact = float(exact_derivative(op, [mpf(t) for t in x], i, j))
            if not math.isclose(got[i][j], exact, rel_tol=1e-10, abs_tol=1e-12):
                found.append(f"{op.name}: d2/dx{i}dx{j} at {x} is {exact!r}, got {got[i][j]!r}")
    return found


def exact_derivative(op: Op, x: list[mpf], *by: int) -> mpf:
    """Differentiate the oracle numerically, in 60 digits; exact to far below an ulp."""
    orders = [by.count(i) for i in range(len(x))]
    varied = [i for i, order in enumerate(orders) if order]

    def f(*t: mpf) -> mpf:
        y = list(x)
        for i, number in zip(varied, t):
            y[i] = number
        return ORACLES[op.name](*y)

    result = mp.diff(f, tuple(x[i] for i in varied), tuple(orders[i] for i in varied))
    return mpf(0) if abs(result) < mpf(10) ** -40 else result
