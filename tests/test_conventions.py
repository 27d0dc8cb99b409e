"""The policy on kinks, special values, leaves, comparison: each line of docs/conventions.md."""

import math
import random
from decimal import Decimal
from fractions import Fraction
from math import inf, isnan, nan
from operator import add, eq, ge, gt, le, lt, mul, ne, pow, sub, truediv

import numpy as np
import pytest
from mpmath import mp

import microgradient as mg
from microgradient import OPS, Value, grad, where

NAN = "nan"
LOG = (  # row, operands, value, partials
    ("log", (0.0,), -inf, (inf,)),
    ("log", (-1.0,), nan, (nan,)),
    ("log2", (0.0,), -inf, (inf,)),
    ("log10", (-1.0,), nan, (nan,)),
    ("log1p", (-1.0,), -inf, (inf,)),
    ("log1p", (-2.0,), nan, (nan,)),
    ("exp", (1000.0,), inf, (inf,)),
    ("exp", (-1000.0,), 0.0, (0.0,)),
    ("expm1", (1000.0,), inf, (inf,)),
    ("div", (1.0, 0.0), inf, (inf, -inf)),
    ("div", (1.0, -0.0), -inf, (-inf, -inf)),
    ("div", (0.0, 0.0), nan, (nan, nan)),
    ("sqrt", (0.0,), 0.0, (inf,)),
    ("sqrt", (-1.0,), nan, (nan,)),
    ("cbrt", (0.0,), 0.0, (inf,)),
    ("cbrt", (-8.0,), -2.0, (1 / 12,)),
    ("sin", (inf,), nan, (nan,)),
    ("asin", (2.0,), nan, (nan,)),
    ("acosh", (0.5,), nan, (nan,)),
    ("atanh", (1.0,), inf, (inf,)),
    ("atanh", (2.0,), nan, (nan,)),
    ("cosh", (1000.0,), inf, (inf,)),
    ("sinh", (-1000.0,), -inf, (inf,)),
    ("lgamma", (0.0,), inf, (nan,)),
    ("digamma", (-1.0,), nan, (nan,)),
    ("polygamma", (1.0, 0.0), inf, (nan, nan)),
    ("erf", (inf,), 1.0, (0.0,)),
    ("erf", (-1e308,), -1.0, (0.0,)),
)
GAMMA = (
    ("gamma", (0.0,), inf, (nan,)),
    ("gamma", (-0.0,), -inf, (nan,)),
    ("gamma", (-3.0,), nan, (nan,)),
    ("gamma", (5.0,), 24.0, (24.0 * (25 / 12 - 0.5772156649015329),)),
    ("gamma", (180.0,), inf, (inf,)),
    ("gamma", (-inf,), nan, (nan,)),
    ("erfinv", (1.0,), inf, (inf,)),
    ("erfinv", (-1.0,), -inf, (inf,)),
    ("erfinv", (1.5,), nan, (nan,)),
    ("erfinv", (-0.0,), -0.0, (math.sqrt(math.pi) / 2,)),
    ("erfinv", (5e-324,), 5e-324, (math.sqrt(math.pi) / 2,)),
    ("sinc", (0.0,), 1.0, (0.0,)),
    ("sinc", (-3.0,), 0.0, (1 / 3,)),
    ("sinc", (inf,), 0.0, (0.0,)),
    ("exp2", (10.0,), 1024.0, (1024.0 * math.log(2),)),
    ("exp2", (-inf,), 0.0, (0.0,)),
    ("exp2", (1024.0,), inf, (inf,)),
    ("reciprocal", (0.0,), inf, (-inf,)),
    ("reciprocal", (-0.0,), -inf, (-inf,)),
    ("degrees", (math.pi,), 180.0, (180 / math.pi,)),
    ("radians", (180.0,), math.pi, (math.pi / 180,)),
)
MOD = (
    ("mod", (5.0, 3.0), 2.0, (1.0, -1.0)),
    ("mod", (-5.0, 3.0), 1.0, (1.0, 2.0)),
    ("mod", (5.0, -3.0), -1.0, (1.0, 2.0)),
    ("mod", (6.0, -3.0), -0.0, (1.0, 2.0)),
    ("mod", (-0.0, 3.0), 0.0, (1.0, 0.0)),
    ("mod", (-1e-20, 3.0), 3.0, (1.0, 1.0)),
    ("mod", (0.3, 0.1), 0.3 % 0.1, (1.0, -2.0)),
    ("mod", (5.0, inf), 5.0, (1.0, 0.0)),
    ("mod", (-5.0, inf), inf, (1.0, 1.0)),
    ("mod", (inf, 3.0), nan, (nan, nan)),
    ("mod", (1.0, 0.0), nan, (nan, nan)),
    ("mod", (nan, 1.0), nan, (nan, nan)),
)
POW = (
    ("pow", (0.0, 0.0), 1.0, (0.0, 0.0)),
    ("pow", (-2.0, 0.5), nan, (nan, nan)),
    ("pow", (-2.0, 3.0), -8.0, (12.0, nan)),
    ("pow", (0.0, 2.0), 0.0, (0.0, 0.0)),
    ("pow", (0.0, 1.0), 0.0, (1.0, 0.0)),
    ("pow", (0.0, 0.5), 0.0, (inf, 0.0)),
    ("pow", (0.0, -1.0), inf, (-inf, -inf)),
    ("pow", (-0.0, -1.0), -inf, (-inf, -inf)),
    ("pow", (5.0, 0.0), 1.0, (0.0, math.log(5))),
    ("pow", (10.0, 400.0), inf, (inf, inf)),
    ("pow", (-10.0, 401.0), -inf, (inf, nan)),
    ("pow", (nan, 0.0), 1.0, (0.0, nan)),
    ("pow", (-0.0, -0.9999999999999999), inf, (-inf, -inf)),
    ("pow", (-0.0, 1 - 2.0**53), -inf, (-inf, -inf)),
)
KINKS = (
    ("relu", (0.0,), 0.0, (0.0,)),
    ("relu", (-0.0,), 0.0, (0.0,)),
    ("relu", (nan,), nan, (nan,)),
    ("abs", (0.0,), 0.0, (0.0,)),
    ("abs", (-0.0,), 0.0, (0.0,)),
    ("sign", (0.0,), 0.0, (0.0,)),
    ("floor", (3.0,), 3.0, (0.0,)),
    ("ceil", (-0.5,), -0.0, (0.0,)),
    ("floor", (inf,), inf, (0.0,)),
    ("step", (0.0,), 0.0, (0.0,)),
    ("leaky_relu", (0.0, 0.01), 0.0, (0.01, 0.0)),
    ("elu", (0.0, 1.0), 0.0, (1.0, 0.0)),
    ("maximum", (1.0, 1.0), 1.0, (0.5, 0.5)),
    ("minimum", (1.0, 1.0), 1.0, (0.5, 0.5)),
    ("maximum", (2.0, 1.0), 2.0, (1.0, 0.0)),
    ("minimum", (2.0, 1.0), 1.0, (0.0, 1.0)),
    ("maximum", (0.0, nan), nan, (nan, nan)),
    ("maximum", (0.0, -0.0), 0.0, (0.5, 0.5)),
    ("clip", (1.0, 0.0, 1.0), 1.0, (0.0, 0.0, 0.0)),
    ("clip", (0.0, 0.0, 1.0), 0.0, (0.0, 0.0, 0.0)),
    ("clip", (0.5, 0.0, 1.0), 0.5, (1.0, 0.0, 0.0)),
    ("clip", (2.0, 0.0, 1.0), 1.0, (0.0, 0.0, 1.0)),
    ("clip", (-2.0, 0.0, 1.0), 0.0, (0.0, 1.0, 0.0)),
    ("hypot", (0.0, 0.0), 0.0, (0.0, 0.0)),
    ("hypot", (3e200, 4e200), 5e200, (0.6, 0.8)),
    ("atan2", (0.0, 0.0), 0.0, (nan, nan)),
    ("softsign", (0.0,), 0.0, (1.0,)),
)
ENDS = (
    ("sigmoid", (1000.0,), 1.0, (0.0,)),
    ("sigmoid", (-1000.0,), 0.0, (0.0,)),
    ("tanh", (1000.0,), 1.0, (0.0,)),
    ("tanh", (-1000.0,), -1.0, (0.0,)),
    ("softplus", (1000.0,), 1000.0, (1.0,)),
    ("softplus", (-1000.0,), 0.0, (0.0,)),
    ("logsigmoid", (-1000.0,), -1000.0, (1.0,)),
    ("gelu", (-inf,), -0.0, (0.0,)),
    ("gelu", (inf,), inf, (1.0,)),
    ("silu", (-inf,), -0.0, (0.0,)),
    ("silu", (inf,), inf, (1.0,)),
    ("softsign", (-inf,), -1.0, (0.0,)),
    ("softsign", (inf,), 1.0, (0.0,)),
    ("elu", (-inf, 2.0), -2.0, (0.0, -1.0)),
    ("logsumexp", (1000.0, 1000.0), 1000.0 + math.log(2), (0.5, 0.5)),
    ("logsumexp", (-inf, 0.0), 0.0, (0.0, 1.0)),
    ("logsumexp", (-inf, -inf), -inf, (nan, nan)),
    ("logsumexp", (inf, 0.0), inf, (nan, 0.0)),
    ("prod", (0.0, 3.0), 0.0, (3.0, 0.0)),
    ("prod", (0.0, 0.0, 3.0), 0.0, (0.0, 0.0, 0.0)),
    ("fsum", (1e308, 1e308, -1e308), inf, (1.0, 1.0, 1.0)),
    ("fsum", (1e16, 1.0, -1e16), 1.0, (1.0, 1.0, 1.0)),
    ("dot", (inf, 0.0, 0.0, 1.0), nan, (nan,) * 4),
)


@pytest.mark.parametrize(("name", "x", "value", "partials"), LOG + GAMMA + MOD + POW + KINKS + ENDS)
def test_special_values(name, x, value, partials):
    node = Value(x[0]).record(OPS[name], x)
    assert _same(node.data, value), node
    assert all(_same(got, want) for got, want in zip(node.partials, partials)), node.partials
    assert len(node.partials) == len(partials)
    assert _same(OPS[name].fast(*x), value)


def _same(x, y):
    if isnan(y):
        return isnan(x)
    zeros_agree = x != 0 or math.copysign(1, x) == math.copysign(1, y) or y == 0
    return math.isclose(x, y, rel_tol=1e-15) and zeros_agree


def test_confident_cross_entropy_keeps_its_digits():
    """log(1 + e^-40) and its slope are 4.2e-18, not 0."""
    logits = [Value(40.0), Value(0.0)]
    loss = mg.softmax_cross_entropy(logits, 0)
    loss.backward()
    assert loss.data == pytest.approx(math.exp(-40), rel=1e-15)
    assert logits[0].grad == pytest.approx(-math.exp(-40), rel=1e-15)


@pytest.mark.parametrize(
    "name", ["gelu", "silu", "softsign", "tanh", "sigmoid", "softplus", "sinc"]
)
@pytest.mark.parametrize("x", [-inf, inf])
def test_activations_are_flat_at_infinity_in_the_second_order_too(name, x):
    assert mg.derivative(OPS[name], 2)(x) == 0
    assert mg.compile(mg.derivative(OPS[name], 2))(x) == 0


def test_mod_means_what_it_means_for_floats():
    rng = random.Random(12)
    for _ in range(1000):
        x, y = rng.uniform(-10, 10), rng.uniform(-3, 3)
        left, right = Value(x), Value(y)
        v = left % right
        assert v.data == x % y == (left % y).data == (x % right).data == mg.mod(x, y)
        v.backward()
        assert (left.grad, right.grad) == (1.0, -(x // y))


def test_derivatives_of_sinc_near_zero_and_beside_it():
    """(cos(pi x) - sinc(x)) / x has no correct digit at 1e-9."""
    with mp.workdps(60):
        for x in (0.0, 1e-300, 1e-9, -1e-3, 0.3, 0.5, 1.0, 1.43, -7.25, 1e6 + 0.25):
            for order in (1, 2, 3):
                exact = mp.diff(mp.sincpi, mp.mpf(x), order, h=mp.mpf(10) ** -12)
                got = mg.derivative(mg.sinc, order)(x)
                assert got == pytest.approx(float(exact), rel=1e-13, abs=1e-20), (x, order)


def test_erfinv_to_the_ends():
    with mp.workdps(40):
        for y in (1e-300, 1e-8, 0.3, 0.49999, 0.5, 0.9, 0.999, 1 - 1e-10, 1 - 2.0**-53):
            x = mg.erfinv(y)
            exact = mp.erfinv(mp.mpf(y)) if y > 1e-30 else mp.mpf(y) * mp.sqrt(mp.pi) / 2
            assert abs(x - exact) <= 2 * math.ulp(x)
            assert mg.erfinv(-y) == -x


def test_dominant_terms_keep_the_digits_of_second_derivatives():
    """p (1 - p) with p = 1 - 5.55e-17: e^-37.43 (1 - 2 e^-37.43)."""
    small = 5.5508250862537194e-17
    for hessian in (mg.hessian(mg.logsumexp), mg.hessian(lambda z: mg.softmax_cross_entropy(z, 0))):
        for f in (
            hessian,
            mg.compile(hessian, backend="llvm"),
            mg.compile(hessian, backend="python"),
        ):
            rows = f([37.43, 0.0])
            assert rows[0] == pytest.approx([small, -small], rel=1e-14)
            assert rows[1] == pytest.approx([-small, small], rel=1e-14)
    slope = grad(lambda z: -mg.softmax_cross_entropy(z, 0))([37.43, 0.0])
    assert slope == pytest.approx([small, -small], rel=1e-14)


def test_exponents_of_power_in_higher_orders():
    """At p = 0 and 1 the factor p of a derivative vanishes, but not its own derivative."""
    assert mg.hessian(lambda v: v[0] ** v[1])([2.0, 0.0])[0][1] == 0.5
    third = grad(lambda p: mg.derivative(lambda x: x**p, 2)(3.0))
    assert third(1.0) == pytest.approx(1 / 3)  # (2p - 1) x^(p-2) + p (p-1) x^(p-2) log x
    assert third(0.0) == pytest.approx(-1 / 9)
    assert mg.compile(third)(1.0) == pytest.approx(1 / 3)
    hvp = mg.hvp(lambda x, p: x**p, (2.0, 0.0), (0.0, 1.0))
    assert hvp == pytest.approx([0.5, math.log(2) ** 2])


def test_hypot_at_the_origin_as_the_limits_say():
    assert mg.hessian(lambda v: mg.hypot(*v) ** 2)([0.0, 0.0]) == [[0.0, 0.0], [0.0, 0.0]]
    assert mg.hessian(lambda v: v[0] * v[0] + v[1] * v[1])([0.0, 0.0]) == [[2.0, 0.0], [0.0, 2.0]]


@pytest.mark.parametrize("order", range(1, 7))
def test_derivatives_of_any_order_at_zero(order):
    """Formulas with |x| in them would lose the third derivative here."""
    tanh = [1, 0, -2, 0, 16, 0]
    sigmoid = [1 / 4, 0, -1 / 8, 0, 1 / 4, 0]
    erf = [x * 2 / math.sqrt(math.pi) for x in (1, 0, -2, 0, 12, 0)]
    softplus = [1 / 2, 1 / 4, 0, -1 / 8, 0, 1 / 4]
    for f, exact in (
        (mg.tanh, tanh),
        (mg.sigmoid, sigmoid),
        (mg.erf, erf),
        (mg.softplus, softplus),
    ):
        assert mg.derivative(f, order)(0.0) == pytest.approx(exact[order - 1], abs=1e-14)


# --- leaves -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "number",
    [
        3,
        Fraction(1, 3),
        Decimal("0.1"),
        np.float64(2),
        np.float32(0.5),
        np.int8(100),
        np.float16(1),
        np.array(2.5),
        np.longdouble(1.5),
        np.uint64(7),
    ],
)
def test_real_numbers_become_floats(number):
    for value in (Value(number), Value(1.0) * number, number * Value(1.0)):
        assert type(value) is Value
        assert type(value.data) is float
        assert value.data == float(number)
    leaf = Value(0.0)
    leaf.data = number
    assert type(leaf.data) is float


@pytest.mark.parametrize(
    ("thing", "hint"),
    [
        (True, "where"),
        (np.True_, "where"),
        (1j, "real"),
        ("1", "float"),
        (None, "None"),
        ([1.0], "map"),
        (object(), "real number"),
        (b"1", "real number"),
        (np.array("2020-01-01", "datetime64[ns]"), "real number"),
        (np.array(True), "real number"),
    ],
)
def test_what_is_no_real_number_is_refused(thing, hint):
    makers = [
        lambda: Value(thing),
        lambda: Value(1.0) + thing,
        lambda: thing * Value(1.0),
        lambda: mg.sin(thing),
        lambda: setattr(Value(1.0), "data", thing),
        lambda: Value(1.0) < thing,
    ]
    for make in makers:
        with pytest.raises(TypeError, match=hint):
            make()


def test_a_value_of_a_value_is_refused():
    with pytest.raises(TypeError, match="data"):
        Value(Value(1.0))


@pytest.mark.parametrize(
    "huge", [10**400, Fraction(10**400), -(10**400), Decimal("1e400"), np.longdouble("1e4000")]
)
def test_huge_numbers_are_refused(huge):
    with pytest.raises(OverflowError, match="fit a float"):
        Value(huge)


def test_infinities_and_nans_are_numbers():
    assert Value(Decimal("-Infinity")).data == -inf
    assert isnan(Value(Decimal("sNaN")).data)
    assert isnan(Value(np.float32("nan")).data)


def test_polygamma_far_out():
    with mp.workdps(30):
        for n, x in ((171, 10.0), (2, -1e-5), (1, -0.5), (3, -250.25), (0, -1e-300), (0, -7.75)):
            exact = mp.psi(n, mp.mpf(x))
            assert mg.polygamma(n, x) == pytest.approx(float(exact), rel=1e-11)
    assert mg.polygamma(2, -1e-200) == inf
    assert mg.polygamma(200, 1e5) == 0.0
    assert mg.digamma(-1e-320) == inf


def test_int8_does_not_wrap_around():
    assert (Value(np.int8(100)) + np.int8(100)).data == 200.0


# --- comparison, truth, conversion --------------------------------------------------------------


def test_comparison_is_of_numbers_and_hash_of_identity():
    x, y = Value(1.0), Value(1.0)
    assert x <= y
    assert not x < y
    assert x < 2
    assert x >= Fraction(1, 2)
    assert x == y == 1 == x
    assert x != 2
    assert x == np.float64(1) == x
    assert x == np.array(1.0)
    assert Value(2.0**53) != 2**53 + 1  # compared exactly, as floats and ints are
    assert Value(1e308) != 10**400
    assert Value(math.nan) != Value(math.nan)
    assert len({x, y}) == 2


def test_what_is_no_number_is_unequal():
    x = Value(1.0)
    assert [x == thing for thing in (None, "1.0", [1.0], (1.0,))] == [False] * 4
    assert x == np.array(1.0)
    assert x != np.array(2.0)


class _Vector:
    """A class of somebody else's, with operators for numbers that its vectors hold."""

    def _reflected(self, other):
        return "reflected", other

    __radd__ = __rsub__ = __rmul__ = __rtruediv__ = __rpow__ = _reflected
    __lt__ = __le__ = __gt__ = __ge__ = __eq__ = _reflected
    __hash__ = object.__hash__


def test_operators_give_way_to_classes_they_do_not_know():
    x, vector = Value(1.0), _Vector()
    results = [x + vector, x - vector, x * vector, x / vector, x**vector]
    results += [x < vector, x <= vector, x > vector, x >= vector, x == vector]
    assert all(result[0] == "reflected" and result[1] is x for result in results)
    for unknown in (object(), "s", None, [1.0], 1j):
        with pytest.raises(TypeError, match="expected a real number"):
            x + unknown


@pytest.mark.parametrize("convert", [bool, float, int, math.sin, math.floor, complex, round])
def test_dropping_the_gradient_silently_is_refused(convert):
    with pytest.raises(TypeError):
        convert(Value(0.5))


def test_message_of_math_functions_names_ours():
    with pytest.raises(TypeError, match=r"microgradient\.sin"):
        math.sin(Value(0.5))


def test_an_array_is_no_number():
    for make in (Value, mg.sin, lambda x: setattr(Value(1.0), "data", x)):
        with pytest.raises(TypeError, match="map over it"):
            make(np.array([1.0, 2.0]))


@pytest.mark.parametrize("operator", [add, sub, mul, truediv, pow])
def test_numpy_maps_operators_over_arrays(operator):
    v, numbers = Value(3.0), np.array([[1.0, 2.0], [4.0, 0.5]])
    assert type(operator(np.float64(2), v)) is Value
    for result, expected in (
        (operator(numbers, v), operator(numbers, 3.0)),
        (operator(v, numbers), operator(3.0, numbers)),
    ):
        assert result.shape == (2, 2)
        assert all(type(x) is Value for x in result.flat)
        assert [x.data for x in result.flat] == list(expected.flat)


@pytest.mark.parametrize("compare", [lt, le, gt, ge, eq, ne])
def test_numpy_maps_comparisons_over_arrays(compare):
    v, numbers = Value(2.0), np.array([1.0, 2.0, 3.0])
    assert list(compare(numbers, v)) == list(compare(numbers, 2.0))
    assert list(compare(v, numbers)) == list(compare(2.0, numbers))
    assert compare(np.float64(2), v) is compare(2.0, 2.0)


def test_functions_of_numpy_call_the_methods_of_their_name():
    for name in ("exp", "log", "sqrt", "sin", "cosh", "tanh"):
        for x in (Value(0.5), np.array([Value(0.5)])):
            result = getattr(np, name)(x)
            node = result if type(result) is Value else result[0]
            assert node.op is mg.OPS[name]
    with pytest.raises(TypeError, match="arctan"):
        np.arctan(Value(0.5))
    for function in (np.floor, np.ceil):
        with pytest.raises(TypeError, match="would lose the gradient"):
            function(np.array([Value(0.5)]))


# --- where --------------------------------------------------------------------------------------


def test_where_records_only_the_branch_taken():
    for x, expected in ((4.0, 0.25), (0.0, 0.0)):
        leaf = Value(x)
        y = where(leaf > 0, mg.sqrt(leaf), 0.0)
        y.backward()
        assert leaf.grad == expected
    assert where(True, 1, 2) == 1.0
    assert type(where(False, Value(1.0), 2)) is Value
    assert where(np.True_, 1, 2) == 1.0


@pytest.mark.parametrize("condition", [Value(1.0), 1, None, "x"])
def test_where_expects_a_bool(condition):
    with pytest.raises(TypeError, match="bool"):
        where(condition, 1.0, 2.0)


def test_clip_expects_ordered_bounds():
    with pytest.raises(ValueError, match="low <= high"):
        mg.clip(Value(1.0), 2.0, 1.0)


def test_constant_exponent_has_no_derivative():
    x = Value(-2.0)
    y = x**2
    assert y.partials == (-4.0, 0.0)
    assert grad(lambda t: t**0)(0.0) == 0.0


@pytest.mark.parametrize(
    "call",
    [
        lambda: mg.dot([1.0], [1.0, 2.0]),
        lambda: mg.softmax_cross_entropy([1.0, 2.0], 2),
        lambda: mg.softmax_cross_entropy([1.0, 2.0], [1.0]),
        lambda: mg.logsumexp([]),
    ],
)
def test_wrong_sizes_are_refused(call):
    with pytest.raises(ValueError, match="got"):
        call()


def test_empty_sums_are_numbers():
    assert (mg.fsum([]), mg.prod([]), mg.dot([], [])) == (0.0, 1.0, 0.0)
