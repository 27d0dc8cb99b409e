"""Where a row branches, the derivative of the branch taken there is not that of the function."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgradient as mg
from microgradient import Op
from microgradient.check import (
    GradientError,
    OperationError,
    check_gradient,
    check_op,
    complex_step,
    dual_numbers,
    gradient_report,
)
from microgradient.check.operations.operation_check import operation_report


def removable(formula, slope, at, value, special):
    """Return a row with ``formula`` and its ``slope``, and two numbers of its own at ``at``."""
    return Op(
        "removable",
        lambda m, v, x: (m.where(m.equal(x, at), special, slope(m, v, x)),),
        lambda m, x: m.where(m.equal(x, at), value, formula(m, x)),
        domain=((at + 0.5, at + 3.0),),
    )


REMOVABLE = {  # formula, its slope, the point, value and slope there
    "(exp x - 1)/x": (
        lambda m, x: m.div(m.expm1(x), x),
        lambda m, v, x: m.div(m.exp(x) - v, x),
        (0.0, 1.0, 0.5),
    ),
    "sin x / x": (
        lambda m, x: m.div(m.sin(x), x),
        lambda m, v, x: m.div(m.cos(x) - v, x),
        (0.0, 1.0, 0.0),
    ),
    "x/(exp x - 1)": (
        lambda m, x: m.div(x, m.expm1(x)),
        lambda m, v, x: m.div(1 - v * m.exp(x), m.expm1(x)),
        (0.0, 1.0, -0.5),
    ),
    "(1 - cos x)/x²": (
        lambda m, x: m.div(1 - m.cos(x), x * x),
        lambda m, v, x: m.div(m.sin(x) - 2 * v * x, x * x),
        (0.0, 0.5, 0.0),
    ),
    "(exp x - 1 - x)/x²": (
        lambda m, x: m.div(m.exp(x) - 1 - x, x * x),
        lambda m, v, x: m.div(m.expm1(x) - 2 * v * x, x * x),
        (0.0, 0.5, 1 / 6),
    ),
    "(tan x - x)/x³": (
        lambda m, x: m.div(m.tan(x) - x, x * x * x),
        lambda m, v, x: m.div(m.tan(x) * m.tan(x) - 3 * v * x * x, x * x * x),
        (0.0, 1 / 3, 0.0),
    ),
    "log x / (x - 1)": (
        lambda m, x: m.div(m.log(x), x - 1),
        lambda m, v, x: m.div(m.div(1, x) - v, x - 1),
        (1.0, 1.0, -0.5),
    ),
    "log(1 + x²)/x": (
        lambda m, x: m.div(m.log1p(x * x), x),
        lambda m, v, x: m.div(m.div(2 * x, 1 + x * x) - v, x),
        (0.0, 0.0, 1.0),
    ),
    "(2^x - 1)/x, its value a rounded constant": (
        lambda m, x: m.div(m.expm1(x * math.log(2)), x),
        lambda m, v, x: m.div(math.log(2) * m.exp(x * math.log(2)) - v, x),
        (0.0, math.log(2), math.log(2) ** 2 / 2),
    ),
}
CASES = pytest.mark.parametrize(("formula", "slope", "there"), REMOVABLE.values(), ids=REMOVABLE)


@CASES
def test_the_limit_of_the_derivative_passes_at_a_removable_point(formula, slope, there):
    at, value, right = there
    row = removable(formula, slope, at, value, right)
    (component,) = check_gradient(row, at).components
    assert component.exact == pytest.approx(right, rel=1e-15)
    assert not [told for told in operation_report(row).faults if f"removable({at:g})" in told]


@CASES
@pytest.mark.parametrize("off", [-0.5, 1e-9, 0.5, 7.0])
def test_another_number_there_is_caught_and_named(formula, slope, there, off):
    at, value, right = there
    row = removable(formula, slope, at, value, right + off)
    with pytest.raises(GradientError, match=r"one node, removable\("):
        check_gradient(row, at)
    with pytest.raises(GradientError, match=r"removable\("):  # as a part of a larger graph
        check_gradient(lambda x: mg.sin(row(x * x - x + x * (1 - x) + x)) * 3, at)
    if abs(off) > 0.1:
        with pytest.raises(OperationError, match="local derivative 0 is"):
            check_op(row, ulps=1e3)


@CASES
def test_a_wrong_value_there_is_caught_and_named(formula, slope, there):
    at, value, right = there
    row = removable(formula, slope, at, value + 0.5, right)
    with pytest.raises(GradientError, match=r"removable.*its value is"):
        check_gradient(row, at)
    with pytest.raises(OperationError, match="both sides approach"):
        check_op(row, ulps=1e3)


@given(
    st.sampled_from([*REMOVABLE.values()]),
    st.floats(-100, 100).filter(lambda off: abs(off) > 1e-9),
    st.sampled_from([lambda x: x, mg.sin, mg.exp, lambda x: 1e-9 * x, lambda x: x * x + 3 * x]),
)
def test_whatever_is_planted_at_a_removable_point_is_caught(case, off, outer):
    formula, slope, (at, value, right) = case
    assert check_gradient(lambda x: outer(removable(formula, slope, at, value, right)(x)), at).ok
    row = removable(formula, slope, at, value, right + off)
    assert not gradient_report(lambda x: outer(row(x)), at).ok


def xlogy(special):
    return Op(
        "xlogy",
        lambda m, v, x, y: (m.where(m.equal(x, 0), special(m, y), m.log(y)), m.div(x, y)),
        lambda m, x, y: m.where(m.equal(x, 0), 0.0, x * m.log(y)),
        domain=((0.5, 4), (0.1, 4)),
    )


def test_x_log_y_at_0():
    right, wrong = xlogy(lambda m, y: m.log(y)), xlogy(lambda m, y: 0.0)
    report = check_gradient(right, 0.0, 3.0)
    assert [c.exact for c in report.components] == [pytest.approx(math.log(3)), 0.0]
    assert check_op(right).ok
    with pytest.raises(GradientError, match=r"by operand 0 is 0\.0, expected 1\.098"):
        check_gradient(wrong, 0.0, 3.0)
    with pytest.raises(OperationError, match=r"local derivative 0 is 0\.0"):
        check_op(wrong)


def test_a_slope_that_grows_without_limit():
    def x_log_x(special):
        return Op(
            "x_log_x",
            lambda m, v, x: (m.where(m.equal(x, 0), special, 1 + m.log(x)),),
            lambda m, x: m.where(m.equal(x, 0), 0.0, x * m.log(x)),
            domain=((0.5, 4),),
        )

    assert check_gradient(x_log_x(-math.inf), 0.0).components[0].exact == -math.inf
    for wrong in (0.0, 1.0, math.inf):
        assert not gradient_report(x_log_x(wrong), 0.0).ok


def test_a_target_of_0_in_the_cross_entropy():
    """The row gives 0 log 0 the value 0; its derivative by the target is not 0."""
    report = check_gradient(lambda t: mg.softmax_cross_entropy([1.0, 2.0], t), [0.0, 1.0])
    assert report.components[0].exact == pytest.approx(math.log(1 + math.e))


@pytest.mark.parametrize("row", [mg.sigmoid, mg.softplus, mg.logsigmoid, mg.silu, mg.gelu])
def test_branches_that_meet_smoothly(row):
    assert check_gradient(row, 0.0, order=3).components[0].exact is not None


@pytest.mark.parametrize("slope", [0.1, 0.55, 1.0])
def test_a_kink_of_a_row_that_does_not_name_it(slope):
    """Between the slopes of both sides, a derivative is a convention."""
    row = Op(
        "leaky",
        lambda m, v, x: (m.where(x > 0, 1.0, m.where(x < 0, 0.1, slope)),),
        lambda m, x: m.where(x > 0, x, 0.1 * x),
    )
    report = check_gradient(row, 0.0)
    assert report.components[0].exact is None
    assert "the point lies on a kink" in str(report)
    assert check_op(row).ok
    outside = Op("outside", lambda m, v, x: (m.where(x > 0, 1.0, -0.5),), row.value)
    assert not gradient_report(outside, 0.0).ok


@pytest.mark.parametrize("width", [1e-60, 1e-40])
def test_a_constant_on_a_band_finer_than_the_differences_is_told(width):
    band = Op(
        "band",
        lambda m, v, x: (m.where(x * x < width, 0.0, m.div(m.exp(x) - v, x)),),
        lambda m, x: m.where(x * x < width, 1.0, m.div(m.expm1(x), x)),
    )
    told = str(gradient_report(band, 0.0).message())
    assert "WRONG" in str(gradient_report(band, 0.0))
    assert "band(0.0) takes a branch that it does not take on either side" in told


def test_a_where_in_f_that_takes_a_constant_at_one_point_is_told():
    def f(x, there):
        return mg.where(x.data == 0, there(x), mg.expm1(x) / x)

    with pytest.raises(GradientError, match="a `where` or `if` takes another branch beside"):
        check_gradient(lambda x: f(x, lambda x: 1.0), 0.0)
    assert check_gradient(lambda x: f(x, lambda x: 1 + x / 2), 0.0).ok


@pytest.mark.parametrize(
    ("quotient", "x", "limit", "slope"),
    [
        (lambda x: (mg.exp(x) - 1) / x, 0.0, 1.0, 0.5),
        (lambda x: (1 - mg.cos(x)) / x, 0.0, 0.0, 0.5),
        (lambda x: mg.log(1 + x) / x, 0.0, 1.0, -0.5),
        (lambda x: (x * x - 9) / (x - 3), 3.0, 6.0, 1.0),
    ],
)
def test_a_quotient_that_cancels_beside_its_removable_point_hides_nothing(
    quotient, x, limit, slope
):
    """Its rounding errors grow without limit towards the point, where f itself has none."""
    with pytest.raises(GradientError, match="takes another branch beside this point"):
        check_gradient(lambda t: mg.where(t == x, limit, quotient(t)), x)
    right = check_gradient(lambda t: mg.where(t == x, limit + slope * (t - x), quotient(t)), x)
    assert right.ok
    assert right.components[0].slope.bound < 1e-4


def test_a_graph_of_other_edges_is_another_graph():
    """Operations and constants are the same: only the order of the operands changes."""

    def f(x, y):
        return x * y + (x if x.data == 0 else y)

    report = gradient_report(f, 0.0, 0.0)
    assert not report.ok
    assert "the graph of f changes with x" in report.message()


@pytest.mark.parametrize("x", [1e-150, 5e-324, -1e-30])
def test_beside_a_removable_point_more_digits_confirm_the_row(x):
    row = Op(
        "near",
        lambda m, v, x: (m.where(m.abs(x) < 1e-9, 0.5 + m.div(x, 3), m.div(m.exp(x) - v, x)),),
        lambda m, x: m.where(m.equal(x, 0), 1.0, m.div(m.expm1(x), x)),
    )
    assert check_gradient(row, x).components[0].exact == 0.5


@pytest.mark.parametrize("method", [dual_numbers, complex_step])
def test_oracles_refuse_a_point_with_a_value_of_its_own(method):
    formula, slope, (at, value, right) = REMOVABLE["(exp x - 1)/x"]
    row = removable(formula, slope, at, value, right)
    with pytest.raises(ValueError, match=r"no derivative at 0\.0 that this method finds: equal"):
        method(row, 0.0)
    assert method(mg.sigmoid, 0.0) in (0.25, [0.5, 0.25])
    with pytest.raises(TypeError, match=r"expected a function and a number, got float 3\.0"):
        method(3.0, 0.0)


# --- minus zero ---------------------------------------------------------------------------------


@pytest.mark.parametrize("y", [0.0, -0.0])
def test_minus_zero_keeps_its_sign_in_50_digits(y):
    assert check_gradient(mg.atan2, y, -1.0).components[0].exact == -1.0
    assert check_gradient(mg.atan2, y, 1.0).ok
    assert check_gradient(lambda y: mg.sin(0.3 * mg.atan2(y, -1.0)), y).ok
    assert check_gradient(lambda y: mg.sin(0.3 * mg.atan2(-y, -1.0)), y).ok
    assert check_gradient(lambda y: mg.sin(0.3 * mg.atan2(y * -2.0, y - 1.0)), y).ok
    assert not gradient_report(
        Op("wrong", lambda m, v, y: (m.div(1, -1) + 1e-9,), lambda m, y: m.atan2(y, -1.0)), y
    ).ok
