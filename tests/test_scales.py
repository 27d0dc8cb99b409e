"""A derivative is judged alike at every size of x and of f: right passes, 1e-3 off is caught."""

import math
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgradient as mg
from microgradient import Op
from microgradient.check import GradientError, check_gradient, gradient_report

SHAPES = {  # a function of a number near 1, and its derivative
    "sin": (math.sin, math.cos),
    "exp": (math.exp, math.exp),
    "log": (math.log, lambda u: 1 / u),
    "sqrt": (math.sqrt, lambda u: 0.5 / math.sqrt(u)),
    "saturating": (lambda u: u / (u + 1), lambda u: 1 / (u + 1) ** 2),
    "cube": (lambda u: u**3, lambda u: 3 * u * u),
    "tanh": (math.tanh, lambda u: 1 / math.cosh(u) ** 2),
    "wave": (lambda u: math.sin(1e6 * u), lambda u: 1e6 * math.cos(1e6 * u)),
}
ROWS = [mg.sin, mg.exp, mg.log, mg.sqrt, mg.tanh, mg.expm1, mg.asinh, mg.softplus, mg.sigmoid]
scales = st.floats(-12, 12).map(lambda e: 10.0**e)
sizes = st.floats(-200, 200).map(lambda e: 10.0**e)
near_one = st.floats(0.1, 2.0)


def steep(f, df, u):
    """Return whether the derivative is no small difference of larger slopes."""
    return abs(df(u)) > 0.05 * max(abs(df(u * (1 + k * 1e-7))) for k in range(-20, 21))


@given(st.sampled_from([*SHAPES.values()]), near_one, scales, sizes, st.sampled_from([1.0, -1.0]))
def test_handwritten_derivatives(shape, u, s, size, sign):
    f, df = shape
    x = sign * s * u

    def scaled(x):
        return size * f(sign * x / s)

    assert check_gradient(scaled, x, derivative=lambda x: sign * size / s * df(sign * x / s)).ok
    if steep(f, df, u):
        for factor in (1.001, 0.999, -1.0, 0.0):
            wrong = partial(lambda k, x: k * sign * size / s * df(sign * x / s), factor)
            assert not gradient_report(scaled, x, derivative=wrong).ok


@given(st.sampled_from(ROWS), near_one, scales, sizes)
def test_graphs(row, u, s, size):
    def f(x, row):
        return size * row(x / s)

    assert check_gradient(lambda x: f(x, row), s * u).ok
    for factor in (1.001, 1e-9, -1.0):
        wrong = replace(
            row, partials=lambda m, v, x, k=factor: [k * d for d in row.partials(m, v, x)]
        )
        assert not gradient_report(partial(f, row=wrong), s * u).ok


@given(st.sampled_from(ROWS), near_one, scales, sizes)
def test_graphs_by_differences_alone(row, u, s, size):
    """A formula beyond mpmath, with its fault outside of the rows: a number cut off."""

    def f(x, cut):
        return size * row(x / s) * mg.sqrt(cut(x / s))

    assert check_gradient(lambda x: f(x, lambda u: u), s * u).ok
    report = gradient_report(lambda x: f(x, lambda u: 1e-3 * u + 0.999 * u.data), s * u)
    assert not report.ok
    assert "not connected to it" in report.message()


REPORTED = {  # from public bug reports of other engines, and their relatives
    "x/(x + s) at s": (lambda x: x / (x + 1e-7), lambda x: 1e-7 / (x + 1e-7) ** 2, 1e-7),
    "sin(1e6 x)": (lambda x: math.sin(1e6 * x), lambda x: 1e6 * math.cos(1e6 * x), 0.3),
    "1e200 sin x": (lambda x: 1e200 * math.sin(x), lambda x: 1e200 * math.cos(x), 0.3),
    "1e-300 sin x": (lambda x: 1e-300 * math.sin(x), lambda x: 1e-300 * math.cos(x), 0.3),
    "x³ at 1e60": (lambda x: x**3, lambda x: 3 * x * x, 1e60),
    "x³ at 1e-60": (lambda x: x**3, lambda x: 3 * x * x, 1e-60),
    "x² at 1e150": (lambda x: x * x, lambda x: 2 * x, 1e150),
    "1/x at 1e-100": (lambda x: 1 / x, lambda x: -1 / (x * x), 1e-100),
    "log at 1e-300": (math.log, lambda x: 1 / x, 1e-300),
    "x at 5e-324": (lambda x: 2 * x, lambda x: 2.0, 5e-324),
    "tanh(1e12 x) at 0": (lambda x: math.tanh(1e12 * x), lambda x: 1e12, 0.0),
    "x/(|x| + s) at 0": (lambda x: x / (abs(x) + 1e-9), lambda x: 1e9, 0.0),
    "1e6 + x": (lambda x: 1e6 + x, lambda x: 1.0, 1e-3),
}


@pytest.mark.parametrize(("f", "df", "x"), REPORTED.values(), ids=REPORTED)
def test_reported_at_extreme_scales(f, df, x):
    assert check_gradient(f, x, derivative=df).ok
    for factor in (1.001, 0.999):
        with pytest.raises(GradientError, match="contradicted by finite differences"):
            check_gradient(f, x, derivative=lambda x, k=factor: k * df(x))


def test_a_rough_function_at_every_scale():
    """The noise of coarse rounding is found at whatever spacing shows it."""
    for s in (1e-9, 1e-3, 1.0, 1e3, 1e9):
        rough = partial(lambda s, x: round(math.sin(x / s), 8), s)
        for factor in (1.0, 1.01):
            slope = partial(lambda s, k, x: k * math.cos(x / s) / s, s, factor)
            assert gradient_report(rough, 0.3 * s, derivative=slope).ok is (factor == 1)


def test_a_branch_far_off_does_not_hide_a_right_derivative():
    def f(x):
        return mg.asin(x * 1e12 + 1 - 1e-12) if x.data > -1e-12 else x

    assert check_gradient(f, -1e-16).ok


def test_what_is_cut_off_beside_a_larger_number_is_named():
    report = gradient_report(lambda x: x * (x.data + 1e6), 1e-3)
    assert "not connected to it" in report.message()
    row = Op("half", lambda m, v, x: (0.5,), lambda m, x: x * 0.5)
    assert check_gradient(lambda x: row(x) + 1e6, 1e-3).ok
