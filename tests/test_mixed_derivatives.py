"""Second derivatives by two operands, at the points where a row chooses, against 50 digits.

A constant branch in a partial keeps its value and loses its derivative by the other operand.
"""

import itertools
import math

import pytest
from mpmath import mp, mpf

import microgradient as mg
from microgradient import OPS, hessian
from mp import DIGITS, ORACLES
from rows import DISCRETE

TIES = [[1.0, 1.0], [0.0, 0.0], [2.0, 1.0], [0.0, 1.0]]
NUMBERS = [0.0, 1.0, -1.0, 2.0, 0.5, 3.0]
SPREAD = [[0.0, 0.0, 0.0], [1.0, 1.0, 0.0], [37.43, 0.0, 0.0], [0.0, 37.43, 1.0], [0.0, -40.0, 3.0]]
POINTS = {
    "add": list(itertools.product(NUMBERS, repeat=2)),
    "sub": list(itertools.product(NUMBERS, repeat=2)),
    "mul": list(itertools.product(NUMBERS, repeat=2)),
    "div": list(itertools.product(NUMBERS, [1.0, -1.0, 2.0, 1e-3])),
    "pow": list(itertools.product([1.0, 2.0, 0.5, 1e-3], [0.0, -0.0, 1.0, 2.0, 3.0, -1.0, 0.5])),
    "mod": [(5.0, 3.0), (-5.0, 3.0), (5.0, -3.0), (0.5, 1.0), (-0.5, 1.0), (1e3, 0.7)],
    "atan2": [(0.0, 1.0), (1.0, 0.0), (-1.0, 0.0), (1.0, 2.0), (1.0, -2.0)],
    "hypot": [(0.0, 1.0), (1.0, 0.0), (-1.0, 0.0), (1.0, 1.0), (3.0, -4.0)],
    "leaky_relu": [(1.0, 0.0), (-1.0, 0.0), (-1.0, 1.0), (2.0, 1.0), (-0.5, 0.01)],
    "elu": [(1.0, 0.0), (-1.0, 0.0), (-1.0, 1.0), (2.0, 1.0), (-40.0, 2.0)],
    "maximum": [(1.0, 0.0), (0.0, 1.0), (-1.0, 1.0)],
    "minimum": [(1.0, 0.0), (0.0, 1.0), (-1.0, 1.0)],
    "clip": [(0.5, 0.0, 1.0), (2.0, 0.0, 1.0), (-2.0, 0.0, 1.0), (0.0, -1.0, 1.0)],
    "fsum": SPREAD,
    "prod": [[0.0, 0.0, 3.0], [0.0, 2.0, 3.0], [1.0, 1.0, 1.0], [-1.0, 0.0, 2.0], [0.0, 0.0, 0.0]],
    "dot": [[0.0, 1.0, 2.0, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0, 0.0], [1.0, 1.0, -1.0, 1.0, 0.0]],
    "logsumexp": [*SPREAD, [5.0], [30.0, 0.0], [0.0, math.log(1.5)]],
    "softmax_cross_entropy": [
        [*z, *t]
        for z in SPREAD
        for t in ([1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.25, 0.75, 0.0], [0.0, 0.0, 0.0])
    ],
}


def test_every_row_of_several_operands_is_here() -> None:
    several = {op.name for op in OPS.values() if len(op.domain) > 1}
    assert set(POINTS) == several - set(DISCRETE)


def exact_hessian(name: str, x: list[float]) -> list[list[float]]:
    """Return differences of the oracle in 120 digits: their error is some 1e-60."""
    n = len(x)
    with mp.workdps(2 * DIGITS):
        at, h = [mpf(t) for t in x], mpf(10) ** -30

        def f(*moves: int) -> mpf:
            y = list(at)
            for move in moves:
                y[abs(move) - 1] += h if move > 0 else -h
            return ORACLES[name](*y)

        def mixed(i: int, j: int) -> float:
            return float((f(i, j) - f(i, -j) - f(-i, j) + f(-i, -j)) / (4 * h * h))

        return [[mixed(i, j) for j in range(1, n + 1)] for i in range(1, n + 1)]


@pytest.mark.parametrize("backend", ["eager", "llvm", "python"])
@pytest.mark.parametrize("name", POINTS)
def test_mixed_second_derivatives(name: str, backend: str) -> None:
    op = OPS[name]
    f = hessian(lambda xs: xs[0].record(op, xs))
    compiled = {
        n: f if backend == "eager" else mg.compile(f, backend=backend)
        for n in {len(x) for x in POINTS[name]}
    }
    for point in POINTS[name]:
        x = list(map(float, point))
        got, exact = compiled[len(x)](x), exact_hessian(name, x)
        for i, row in enumerate(exact):
            for j, wanted in enumerate(row):
                assert got[i][j] == pytest.approx(wanted, rel=1e-13, abs=1e-20), (x, i, j)
                assert got[i][j] == pytest.approx(got[j][i], rel=1e-13, abs=1e-20), (x, i, j)
