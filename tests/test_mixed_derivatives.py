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


def by_static(x, w=(0.5, 2.0)):
    return mg.grad(lambda x, w: (w[0] * x - 1.0) ** 2, argnums=1)(x, list(w))


@pytest.mark.parametrize(
    "f",
    [
        by_static,
        lambda x: mg.grad(lambda w: (w[0] * x - 1.0) ** 2)([0.0, 1.0]),
        lambda x: mg.grad(lambda w: (w[0] * x - 1.0) ** 2)([0.0, 2.0]),
        lambda x: mg.jacobian(lambda z: [x * 2.0, z * z])(2.0),
        lambda x: mg.jacfwd(lambda z: [x * 2.0, z * z])(2.0),
        lambda x: mg.vjp(lambda a, b: x * 2.0 + b, 2.0, x)[1](1.0),
        lambda x: mg.jvp(lambda a, b: a * x**2.0 + 0.0 * b, (1.0, 2.0), (0.0, 1.0)),
        lambda x: mg.grad(lambda z: x * mg.where(z > 1.0, z * z, -z))(2.0),
        lambda x: mg.grad(lambda z: mg.where(z > 1.0, z * z, -z))(2.0) * x,
        lambda x: mg.grad(lambda z: mg.where(z > 1.0, x, -x))(2.0),
        lambda x: mg.grad(lambda z: mg.detach(z) * x)(2.0),
        lambda x: mg.derivative(lambda z: z**3 * x, 2)(2.0),
        lambda x: mg.grad(lambda y: mg.grad(lambda z: z * y + x)(2.0) * y)(x),
    ],
)
@pytest.mark.parametrize("backend", ["python", "table", "llvm"], indirect=True)
def test_a_variable_at_a_known_number_is_no_constant_of_that_value(f, backend):
    """Such a variable may meet no symbol, and its number stand elsewhere in the program too."""
    assert mg.compile(f, backend=backend)(3.0) == f(3.0)


@pytest.mark.parametrize("backend", ["python", "table", "llvm"], indirect=True)
def test_a_hypotenuse_of_several(backend):
    def f(x):
        return mg.hypot(*x)

    assert mg.grad(f)([1.0, 2.0, 2.0]) == pytest.approx([1 / 3, 2 / 3, 2 / 3], rel=1e-15)
    assert mg.grad(f)([0.0, 0.0, 0.0]) == [0.0, 0.0, 0.0]
    compiled = mg.compile(mg.hessian(f), backend=backend)([1.0, 2.0, 2.0])
    for row, expected in zip(compiled, mg.hessian(f)([1.0, 2.0, 2.0])):
        assert row == pytest.approx(expected, rel=1e-14)
