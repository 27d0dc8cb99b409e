"""Dual numbers of any order, the complex step, Fractions: derivatives without the sweeps."""

import math
from fractions import Fraction

import mpmath
import pytest
from hypothesis import given

import microgradient as mg
from microgradient import OPS, derivative
from microgradient.check import complex_step, dual_numbers
from microgradient.check import strategies as mgst
from microgradient.check.numbers.number_systems import exact
from microgradient.check.numbers.taylor import Series, series_arithmetic
from mp import ORACLES
from rows import points

UNARY = [op for op in OPS.values() if len(op.domain) == 1]


@pytest.mark.parametrize("op", UNARY, ids=repr)
def test_dual_numbers_of_order_four_equal_forward_mode(op):
    for (x,) in points(op, 5):
        duals = dual_numbers(op, x, 4)
        size = max(map(abs, duals))
        for k, number in enumerate(duals):
            assert number == pytest.approx(derivative(op, k)(x), rel=1e-9, abs=1e-13 * size)


@pytest.mark.parametrize("op", UNARY, ids=repr)
def test_series_equal_mpmaths_own(op):
    """The recurrences against mpmath.taylor, which differentiates numerically in many digits."""
    base = exact()
    for (x,) in points(op, 2):
        with mpmath.mp.workdps(60):
            wanted = mpmath.taylor(ORACLES[op.name], mpmath.mpf(x), 3)
        variable = Series(base, [base.lift(x), base.lift(1), base.lift(0), base.lift(0)])
        m = series_arithmetic(base)
        got = variable.like(op.value(m, variable)).coefficients
        for a, b in zip(got, wanted):
            # the table's own constants (log 2, 2/√π) are floats
            assert abs(mpmath.mpf(str(a)) - b) <= 1e-13 * abs(b) + mpmath.mpf(10) ** -30


def test_binary_functions_of_two_moving_numbers():
    functions = {
        "pow": (lambda t: (t + 1) ** t, lambda t: mg.pow(t + 1, t)),
        "atan2": (lambda t: mpmath.atan2(t, t * t), lambda t: mg.atan2(t, t * t)),
        "hypot": (lambda t: mpmath.sqrt(t * t + t**4), lambda t: mg.hypot(t, t * t)),
        "div": (lambda t: mpmath.sin(t) / t, lambda t: mg.sin(t) / t),
    }
    for wanted, f in functions.values():
        with mpmath.mp.workdps(40):
            series = mpmath.taylor(wanted, mpmath.mpf(1.25), 4)
            exactly = [float(c * mpmath.factorial(k)) for k, c in enumerate(series)]
        assert dual_numbers(f, 1.25, 4) == pytest.approx(exactly, rel=1e-12)


def test_fractions_are_exact():
    f = lambda x: (1 - x) ** 3 / (1 + x * x)  # noqa: E731
    assert dual_numbers(f, Fraction(1, 3), 2) == [
        Fraction(4, 15),
        Fraction(-34, 25),
        Fraction(594, 125),
    ]
    assert dual_numbers(lambda x: mg.relu(x) * mg.abs(x), Fraction(-1, 3)) == [0, 0]
    assert dual_numbers(lambda x: mg.maximum(x, 2) * x, Fraction(7, 3)) == [
        Fraction(49, 9),
        Fraction(14, 3),
    ]


def test_mpmath_numbers_give_as_many_digits_as_it_works_with():
    with mpmath.mp.workdps(40):
        value, slope = dual_numbers(lambda x: mg.exp(x) * x, mpmath.mpf(1))
        assert abs(mpmath.mpf(str(slope)) - 2 * mpmath.e) < mpmath.mpf(10) ** -38
        assert abs(mpmath.mpf(str(value)) - mpmath.e) < mpmath.mpf(10) ** -38


def test_what_is_beyond_a_number_system_is_said():
    with pytest.raises(TypeError, match=r"Fractions do not support this.*'sin'"):
        dual_numbers(mg.sin, Fraction(1, 2))
    with pytest.raises(TypeError, match="not rational"):
        dual_numbers(lambda x: x**0.5, Fraction(1, 2))
    with pytest.raises(TypeError, match=r"complex step does not support.*'erf'"):
        complex_step(mg.erf, 0.5)
    with pytest.raises(ValueError, match="no derivative at 0"):
        dual_numbers(mg.abs, 0.0)
    with pytest.raises(ValueError, match="order must be a whole number of at least 1"):
        dual_numbers(mg.sin, 0.5, 0)
    with pytest.raises(TypeError, match="one number that returns one, got 2 numbers in"):
        dual_numbers(lambda x: x[0], [1.0, 2.0])
    with pytest.raises(TypeError, match="complex"):
        dual_numbers(mg.sin, 1j)


NOT_COMPLEX = ["erf", "erfc", "erfinv", "gamma", "lgamma", "digamma", "gelu", "cbrt", "sinc"]
COMPLEX = [op for op in UNARY if op.name not in NOT_COMPLEX]


@pytest.mark.parametrize("op", COMPLEX, ids=repr)
def test_complex_step(op):
    for (x,) in points(op, 20):
        assert complex_step(op, x) == pytest.approx(mg.grad(op)(x), rel=1e-13, abs=1e-300)


ANALYTIC = [OPS[n] for n in ("add", "sub", "mul", "div", "sin", "exp", "tanh", "atan", "sigmoid")]


@given(mgst.expressions(ANALYTIC, most_inputs=1))
def test_both_oracles_agree_with_reverse_mode_on_expressions(e):
    (x,) = e.inputs
    slope = mg.grad(e.f)(x)
    size = max(1.0, abs(slope))
    assert complex_step(e.f, x) == pytest.approx(slope, rel=1e-9, abs=1e-11 * size)
    assert dual_numbers(e.f, x)[1] == pytest.approx(slope, rel=1e-9, abs=1e-11 * size)


def test_a_transform_inside_f_sees_its_variable():
    def f(x):
        return mg.grad(lambda y: x * x * y * y)(2.0)

    assert dual_numbers(f, Fraction(1, 3), 2) == [Fraction(4, 9), Fraction(8, 3), 8]
    assert complex_step(f, 1.5) == 12.0


def test_complex_step_by_the_exponent_of_a_negative_base():
    """x ** p is real at whole exponents alone: no derivative, and no 3e185 either."""
    assert math.isnan(complex_step(lambda p: mg.pow(-2.0, p), 3.0))
    assert math.isnan(mg.grad(lambda p: mg.pow(-2.0, p))(3.0))
    assert math.isnan(complex_step(lambda x: x**x, -2.0))
    assert complex_step(lambda p: mg.pow(0.0, p), 2.0) == 0.0
    assert complex_step(lambda x: x**3.0, -2.0) == 12.0


def test_derivative_of_a_constant_function():
    assert dual_numbers(lambda x: 3.0, 0.5, 2) == [3.0, 0.0, 0.0]
    assert complex_step(lambda x: 3.0, 0.5) == 0.0
    assert math.isclose(complex_step(lambda x: x**3, -2.0), 12.0)
