"""Checks of one row of the table against the mpmath oracle, usable on a planted fault too."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

from mpmath import mp, mpf

from microgradient import Op, hessian
from microgradient.engine.op import FLOATS
from mp import DIGITS, ORACLES, ulps

ARITY = {"fsum": 5, "prod": 5, "dot": 7, "logsumexp": 5, "softmax_cross_entropy": 8}
ULPS = 2.0  # what 99 % of the points must keep

# Why some rows are allowed more: the condition of the problem, or the C library's own error.
ALLOWED = {
    "lgamma": 8.0,  # Python's own lgamma
    "sigmoid": 2.5,  # s(x) s(-x): six roundings, for a formula that is right in every order
    "tanh": 2.5,  # likewise
    "atan2": 2.5,  # (x/h)/h: safe from overflow, one rounding more than x/(h h)
    "gelu": 12.0,  # rounding x / sqrt(2) costs about x^2 ulps in the tail
    "silu": 8.0,  # near the root of the derivative at -1.28
    "cbrt": 2.5,  # three roundings in 1 / (3 v v)
    "dot": 64.0,  # cancellation between products
    "softmax_cross_entropy": 200.0,  # cancellation where softmax and target nearly agree
    "digamma": 3.0,  # near its root at 1.46 the sum cancels
}


def arity(op: Op) -> int:
    return ARITY.get(op.name, len(op.domain))


def points(op: Op, count: int) -> Iterator[list[float]]:
    """Yield points inside the domain of ``op``, the same for the same name in every run."""
    rng = random.Random(op.name)
    n = arity(op)
    intervals = [*op.domain, *[op.domain[-1]] * (n - len(op.domain))]
    for _ in range(count):
        yield [rng.uniform(a, b) if a < b else a for a, b in intervals]


def faults(op: Op, count: int = 100) -> list[str]:
    """Return what is wrong with the value, first and second derivatives of ``op``."""
    allowed = ALLOWED.get(op.name, ULPS)
    found: list[str] = []
    misses = {"value": 0, "first": 0}
    with mp.workdps(DIGITS):
        for x in points(op, count):
            exact = [mpf(t) for t in x]
            v = op.fast(*x)
            if _far(ulps(v, ORACLES[op.name](*exact)), allowed):
                misses["value"] += 1
            for i, partial in enumerate(op.partials(FLOATS, v, *x)):
                if (op.name, i) == ("polygamma", 0):
                    continue
                if _far(ulps(partial, exact_derivative(op, exact, i)), allowed):
                    misses["first"] += 1
        for x in list(points(op, count))[:5]:
            found += _second_order_faults(op, x)
    for what, number in misses.items():
        if number > max(1, count * arity(op) // 100):
            found.append(
                f"{op.name}: {what} derivative off by more than {allowed} ulps {number} times"
            )
    return found


def _second_order_faults(op: Op, x: list[float]) -> list[str]:
    found = []
    got = hessian(lambda xs: xs[0].record(op, xs))(x)
    for i in range(len(x)):
        for j in range(len(x)):
            if op.name == "polygamma" and 0 in (i, j):
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


def _far(distance: float, allowed: float) -> bool:
    return not distance <= allowed
