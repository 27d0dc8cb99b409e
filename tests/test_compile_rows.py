"""Every row compiled: value, gradient and Hessian equal the eager engine's, special values too."""

import itertools
import math
import random

import pytest

import microgradient as mg
from microgradient import OPS, Op
from microgradient.nn.losses import half_squared_error, hinge, margin_error
from rows import points

ROWS = [*OPS.values(), half_squared_error, margin_error, hinge]
ARITY = {"half_squared_error": 4, "margin_error": 6, "hinge": 4}
SPECIAL = [0.0, -0.0, 1.0, -2.0, 0.5, math.inf, -math.inf, math.nan, 1e308, -1e300, 5e-324, 800.0]
BACKENDS = pytest.mark.parametrize("backend", ["llvm", "table", "python"], indirect=True)


def width(op: Op) -> int:
    return ARITY.get(op.name, len(op.domain))


def special_points(op: Op) -> list[list[float]]:
    n = width(op)
    if op.name in ("polygamma", "digamma", "gamma", "lgamma"):  # they take minutes far left of 0
        few = [x for x in SPECIAL if x != -1e300]
        return [[1.0, x][-n:] for x in few]
    if op.name == "sinc_derivative":
        return [[1.0, x] for x in SPECIAL]
    if n < 3:
        return [list(x) for x in itertools.product(SPECIAL, repeat=n)]
    rng = random.Random(op.name)
    return [[rng.choice(SPECIAL) for _ in range(n)] for _ in range(80)]


def applied(op: Op):
    return lambda xs: xs[0].record(op, xs)


def assert_same(got, want, where):
    """Nan and infinities must be equal; the rest agrees within the roundings of two formulas."""
    for g, w in zip(got, want, strict=True):
        if math.isnan(w) or math.isinf(w):
            assert repr(g).lstrip("-") == repr(w).lstrip("-"), (where, g, w)
            assert w != w or g == w, (where, g, w)
        else:
            scale = max([abs(x) for x in want if math.isfinite(x)])
            assert math.isclose(g, w, rel_tol=1e-13, abs_tol=1e-15 * scale + 5e-323), (where, g, w)


def flat(result):
    value, gradient = result
    return [value, *gradient]


@BACKENDS
@pytest.mark.parametrize("op", ROWS, ids=repr)
def test_value_and_gradient_in_the_domain(op, backend):
    f = mg.value_and_grad(applied(op))
    inputs = list(points(op, 21)) if op.name in OPS else special_free(op)
    compiled = mg.compile(f, batch=0, backend=backend)(inputs)
    for x, result in zip(inputs, compiled, strict=True):
        assert_same(flat(result), flat(f(x)), (op, x))


def special_free(op):
    rng = random.Random(op.name)
    return [[rng.uniform(-2, 2) for _ in range(width(op))] for _ in range(21)]


@BACKENDS
@pytest.mark.parametrize("op", ROWS, ids=repr)
def test_special_operands(op, backend):
    f = mg.value_and_grad(applied(op))
    inputs = special_points(op)
    if op.name == "clip":
        inputs = [x for x in inputs if not x[1] > x[2]]
    compiled = mg.compile(f, batch=0, backend=backend)(inputs)
    for x, result in zip(inputs, compiled, strict=True):
        assert_same(flat(result), flat(f(x)), (op, x))


@BACKENDS
@pytest.mark.parametrize("op", ROWS, ids=repr)
def test_second_derivatives(op, backend):
    f = mg.hessian(applied(op))
    inputs = list(points(op, 5)) if op.name in OPS else special_free(op)[:5]
    compiled = mg.compile(f, batch=0, backend=backend)(inputs)
    for x, result in zip(inputs, compiled, strict=True):
        got, want = (list(itertools.chain(*h)) for h in (result, f(x)))
        for g, w in zip(got, want, strict=True):
            assert g == pytest.approx(w, rel=1e-10, abs=1e-12, nan_ok=True), (op, x)
