"""check_gradient: what it passes, what it catches, what it says, and the pictures it draws."""

import math
import pickle
import random
from dataclasses import replace

import pytest
from hypothesis import given

import microgradient as mg
from microgradient import Op, Value, nn
from microgradient.check import (
    GradientError,
    OperationError,
    check_gradient,
    gradient_report,
)
from microgradient.check import strategies as mgst
from microgradient.engine.value import new_node

WRONG_SIN = replace(mg.sin, name="wrong_sin", partials=lambda m, v, x: (m.cos(x) * (1 + 1e-9),))


def _told(f, *args, **settings):
    with pytest.raises(GradientError) as error:
        check_gradient(f, *args, **settings)
    return str(error.value)


# --- what is right passes -----------------------------------------------------------------------


def test_a_report_has_every_derivative_by_every_means():
    report = check_gradient(
        lambda x, p: mg.tanh(x * p["w"][0]) + p["w"][1] ** 2, 0.7, {"w": [1, 2]}
    )
    assert [c.name for c in report.components] == ["df/dx", "df/dp['w'][0]", "df/dp['w'][1]"]
    for c in report.components:
        assert c.reverse == pytest.approx(c.exact, rel=1e-15)
        assert c.forward == pytest.approx(c.exact, rel=1e-15)
        assert c.slope.kind == "smooth"
        assert abs(c.slope.low - c.exact) <= c.slope.bound < 1e-10
        assert abs(c.reverse - c.exact) <= c.rounding < 1e-14
    assert "- 50 digits" in str(report)
    assert report.ok


def test_three_orders():
    report = check_gradient(lambda x, y: mg.sin(x) * mg.exp(y), 0.3, 0.5, order=3)
    names = [c.name for c in report.components]
    assert len(names) == 2 + 4 + 8
    assert names[2:6] == ["d2f/dx dx", "d2f/dx dy", "d2f/dy dx", "d2f/dy dy"]
    assert names[-1] == "d3f/dy dy dy"
    third = report.components[6]
    assert third.reverse == pytest.approx(-math.cos(0.3) * math.exp(0.5))


def test_several_outputs():
    report = check_gradient(lambda xs: [mg.logsumexp(xs), mg.prod(xs)], [1.0, 2.0, 3.0])
    assert [c.name for c in report.components[:4:3]] == ["df[0]/dxs[0]", "df[1]/dxs[0]"]


def test_methods_and_values_in():
    assert check_gradient(lambda x: x.relu() + x.data * 0, 0.7).ok
    assert check_gradient(lambda x: x.tanh(), Value(0.7)).ok


def test_a_function_of_plain_floats_with_a_derivative_of_ones_own():
    assert check_gradient(math.sin, 0.3, derivative=math.cos).ok
    f, df = (lambda x, y: math.exp(x) * y), (lambda x, y: (math.exp(x) * y, math.exp(x)))
    assert check_gradient(f, 0.3, 2.0, derivative=df).ok
    assert check_gradient(abs, 0.0, derivative=lambda x: 0.0).components[0].slope.kind == "smooth"
    told = _told(math.sin, 0.3, derivative=lambda x: math.cos(x) * (1 + 1e-10))
    assert "contradicted by finite differences" in told
    with pytest.raises(ValueError, match="shaped like"):
        check_gradient(f, 0.3, 2.0, derivative=lambda x, y: 1.0)


def test_a_function_of_a_namespace_like_math():
    def f(x, math=math):
        return math.sin(x) * math.hypot(x, 3.0) + math.fabs(x) * math.pi

    assert check_gradient(f, 0.3, namespace="math").ok

    def strange(x, math=math):
        return math.ulp(x)

    with pytest.raises(AttributeError, match="no operation of microgradient is named 'ulp'"):
        check_gradient(strange, 0.3, namespace="math")


@pytest.mark.parametrize("x", [1e-8, 1e-3, 1.0, 1e3, 1e8])
def test_every_size_of_number(x):
    for f in (mg.log, mg.sqrt, lambda t: mg.sin(mg.log(t)), lambda t: 1 / t):
        assert check_gradient(f, x).ok
        assert check_gradient(lambda t, f=f: f(-t), -x).ok


def test_functions_of_fine_structure():
    assert check_gradient(lambda x: mg.sin(1000 * x), 0.3).ok
    assert check_gradient(lambda x: mg.exp(-((x - 0.3) ** 2) * 1e6), 0.3003).ok
    assert check_gradient(mg.sin, 1e6).ok


def test_cancellation_is_allowed_for_and_not_an_alarm():
    def f(x):  # loses six digits
        return (1e6 + mg.sin(x)) - 1e6

    report = check_gradient(lambda x: mg.exp(f(x) * f(x)), 0.4)
    assert report.ok


def test_wrong_derivatives_of_ones_own_are_refused():
    _told(lambda x: x * x, 0.3, derivative=lambda x: math.inf)
    _told(lambda xs: xs.pop() ** 2, [3.0], derivative=lambda xs: [99.0])
    _told(lambda x: math.sin(2 * math.pi * 2**15 * x), 0.3, derivative=lambda x: 0.0)
    calls = []
    with pytest.raises(ValueError, match="different results"):
        check_gradient(lambda x: x * len([*calls, calls.append(1)]), 0.3, derivative=lambda x: 50)
    rough = lambda x: round(math.sin(x), 8)  # noqa: E731
    assert check_gradient(rough, 0.3, derivative=math.cos).ok
    _told(rough, 0.3, derivative=lambda x: 0.0)


def _of(x, y):
    return mg.sin(x * y) * y


INNER = {  # functions of x with a transform inside, by another variable
    "grad": lambda x: mg.grad(lambda y: _of(x, y))(2.0),
    "value_and_grad": lambda x: mg.value_and_grad(lambda y: _of(x, y))(2.0),
    "derivative": lambda x: mg.derivative(lambda y: _of(x, y), 2)(2.0),
    "jvp": lambda x: mg.jvp(lambda y: _of(x, y), (2.0,), (1.0,)),
    "jvp, tangent": lambda x: mg.jvp(mg.sin, (2.0,), (x,)),
    "vjp": lambda x: mg.vjp(lambda y: _of(x, y), 2.0)[1](1.0),
    "vjp, cotangent": lambda x: mg.vjp(mg.sin, 2.0)[1](x),
    "jacobian": lambda x: mg.jacobian(lambda y: [_of(x, y[0]), y[1]])([2.0, 1.0]),
    "hessian": lambda x: mg.hessian(lambda y: _of(x, y[0]) * y[1])([2.0, 1.0]),
    "hvp": lambda x: mg.hvp(lambda y: _of(x, y), (2.0,), (1.0,)),
    "a Newton step": lambda x: 2.0 - (8 * x - 3) / mg.grad(lambda y: x * y**3)(2.0),
    "an inner argument": lambda x: mg.grad(_of, 1)(x, 2.0),
}


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("f", INNER.values(), ids=INNER)
def test_a_transform_inside_f_sees_its_variable(f, order):
    assert check_gradient(f, 1.2, order=order).ok


def test_a_transform_inside_f_sees_the_parameters_of_a_module():
    model = nn.Neuron(1, "tanh", rng=1)
    assert check_gradient(lambda m: mg.grad(lambda y: m([y]))(2.0), model).ok
    assert [p.op for p in model.parameters()] == [None, None]


def test_a_wrong_row_under_an_inner_transform_is_caught():
    integral = Op("integral", lambda m, v, x: (WRONG_SIN(x),), lambda m, x: -m.cos(x))
    told = _told(lambda x: mg.grad(lambda y: integral(x * y))(2.0), 1.2)
    assert "one node, wrong_sin(2.4)" in told
    told = _told(lambda x: mg.grad(lambda y: x * x.data * y)(2.0), 1.2)
    assert "not connected to it" in told


def test_the_error_can_be_pickled():
    with pytest.raises(GradientError) as error:
        check_gradient(WRONG_SIN, 0.3)
    again = pickle.loads(pickle.dumps(error.value))
    assert str(again) == str(error.value)
    assert error.value.report.wrong


def test_tracebacks_name_the_public_module():
    assert GradientError.__module__ == OperationError.__module__ == "microgradient.check"


# --- kinks --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "x", "kind"),
    [
        (mg.relu, (0.0,), "kink"),
        (lambda x: mg.leaky_relu(x), (0.0,), "kink"),
        (
            lambda x: mg.abs(x) + x,
            (0.0,),
            "smooth",
        ),  # 1, between 0 and 2, is the central difference
        (lambda x: mg.clip(x, 0.0, 1.0), (1.0,), "kink"),
        (lambda x: mg.maximum(x, 2 * x), (0.0,), "smooth"),  # likewise, 1.5
        (mg.sign, (0.0,), "kink"),
        (mg.floor, (2.0,), "kink"),
        (mg.sqrt, (0.0,), "unbounded"),
        (mg.cbrt, (0.0,), "unbounded"),
        (lambda x: x**1.5, (0.0,), "one-sided"),
    ],
)
def test_kinks_are_recognised_and_judged_by_both_sides(f, x, kind):
    report = check_gradient(f, *x)
    assert report.components[0].slope.kind == kind
    assert report.ok


@pytest.mark.parametrize("distance", [1e-12, 1e-9, 1e-6, 1e-3, 0.03])
def test_a_kink_inside_the_largest_stencil_does_no_harm(distance):
    for x in (distance, -distance):
        report = check_gradient(lambda t: mg.relu(t) * 3 + mg.sin(t), x)
        assert report.ok
        assert (
            gradient_report(replace(mg.relu, partials=lambda m, v, x: (1 - m.step(x),)), x).ok
            is False
        )


def test_a_derivative_outside_the_interval_of_a_kink_is_wrong():
    outside = replace(mg.relu, partials=lambda m, v, x: (m.step(x) - 0.5,))
    assert "a kink: from" in _told(outside, 0.0)


FINE = [  # right, but finer than steps that look smooth
    (lambda x: mg.exp(-((1e4 * x) ** 2)), 2e-5),
    (lambda x: mg.exp(-((1e6 * x) ** 2)), 3e-7),
    (lambda x: mg.sin(x) + 1e-3 * mg.abs(x - 0.3), 0.2999999984148902),
    (lambda x: mg.sin(x) + 1e-12 * mg.abs(x - 0.3), 0.3 + 1e-6),
    (lambda x: mg.sin(x) + 1e-12 * mg.floor(100 * x), 0.30001),
    (mg.asin, 1 - 1e-12),
    (lambda x: mg.atan(1e13 * (x - 1)), 1.0),
    (lambda x: mg.atan(1e18 * x), 0.0),
    (mg.log, 1e-300),
    (mg.sqrt, 1e-305),
    (mg.sin, 5e12),
    (mg.atan, 1e200),
    (lambda x: mg.logsumexp([x, -math.inf]), 0.5),
    (lambda x: x**0.5, 0.0),
    (mg.floor, 126.97),
    (lambda x: mg.hypot(mg.cosh(mg.cos(x)), x), 30657.0),
    (lambda x: mg.sin(2 * math.pi * 2**15 * x), 0.3),
    (lambda x: mg.exp(-(((x - 1) / 1e-4) ** 2)) + x, 1.00005),
    (lambda x: mg.hypot(mg.elu(x), 1.67), -0.0002866738594737275),
    (lambda x: mg.exp(-mg.exp(x)), 600.0),
    (mg.softsign, 1e50),
]


@pytest.mark.parametrize(("f", "x"), FINE)
def test_structure_finer_than_the_steps_is_no_false_alarm(f, x):
    assert check_gradient(f, x).ok


def test_differences_alone_see_fine_structure_too():
    for f, df, x in [
        (lambda x: math.exp(-(x**2) * 1e8), lambda x: -2e8 * x * math.exp(-(x**2) * 1e8), 2e-5),
        (lambda x: (1e6 + math.sin(x)) - 1e6, math.cos, 0.4),
        (lambda x: (1e3 + math.sin(x)) - 1e3, math.cos, 0.0),
        (lambda x: math.hypot(x, 1e4) - 1e4, lambda x: x / math.hypot(x, 1e4), 0.7),
    ]:
        assert check_gradient(f, x, derivative=df).ok


def test_a_function_that_raises_beside_the_point():
    def f(x):
        if x.data <= 0:
            raise ValueError("only above 0")
        return mg.log(x)

    assert check_gradient(f, 0.05).ok


def test_a_wrong_value_is_named():
    spoiled = replace(mg.sin, name="spoiled", fast=lambda x: math.sin(x) * (1 + 1e-9))
    assert "spoiled(0.3): its value is" in _told(lambda x: spoiled(x) * 2, 0.3)


# --- what is wrong is caught, and named ---------------------------------------------------------


def test_a_relative_error_of_1e_9_deep_in_a_graph_is_named():
    told = _told(lambda x: mg.exp(WRONG_SIN(mg.tanh(x) * 2)) * x + 5, 0.3)
    x = 2 * math.tanh(0.3)
    assert f"one node, wrong_sin({x!r})" in told
    assert "check_op(wrong_sin)" in told
    assert "by step size" in told


def test_an_error_that_hardly_matters_to_the_result_is_found_too():
    """A millionth of a millionth of the gradient: no difference could see it."""
    told = _told(lambda x: x * 1e9 + WRONG_SIN(x) * 1e-6, 0.3)
    assert "wrong_sin(0.3)" in told


def test_a_changed_partial_is_named():
    def f(x):
        y = x * x
        by_first, by_second = y.partials
        return new_node(y.data, y.op, y.parents, (by_first, by_second * (1 + 1e-12)))

    assert "mul(0.7, 0.7): its local derivative by operand 1" in _told(f, 0.7)


@pytest.mark.parametrize(
    ("f", "why"),
    [
        (lambda x: x * x.data, "not connected to it"),
        (lambda x: mg.sin(x) * mg.detach(x), "not connected to it"),
    ],
)
def test_what_was_cut_off_is_named(f, why):
    assert why in _told(f, 0.7)


def test_a_hidden_branch_is_named():
    def f(x):
        return x * x if x.data != 0.7 else x * 0.7

    assert "a branch in its Python code depends on it" in _told(f, 0.7)


def test_an_operation_beyond_mpmath_is_judged_by_differences():
    bare = Op("bare", lambda m, v, x: (math.cos(x) * (1 + 1e-8),), lambda m, x: math.sin(x))
    told = _told(bare, 0.3)
    assert "one node, bare(0.3)" in told
    right = Op("right", lambda m, v, x: (math.cos(x),), lambda m, x: math.sin(x))
    report = check_gradient(lambda x: right(x) * 2, 0.3)
    assert report.components[0].exact is None
    assert "Not compared with 50 digits: a formula does not run in mpmath" in str(report)


def test_second_order_errors_are_caught():
    """The first derivative is right at every point, and cut off from x: the second is wrong."""
    half = Op(
        "half", lambda m, v, x: (m.cos(m.detach(x)),), lambda m, x: m.sin(x), domain=((-4, 4),)
    )
    assert check_gradient(half, 0.3).ok
    told = _told(half, 0.3, order=2)
    assert "d2f/dx dx" in told
    assert "not connected to it" in told


# --- misuse -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: check_gradient(mg.sin), TypeError, "needs the point"),
        (lambda: check_gradient(0.5, mg.sin), TypeError, "expects a function"),
        (lambda: check_gradient(mg.log, 0.0), ValueError, "not finite at this point"),
        (lambda: check_gradient(mg.sin, math.nan), ValueError, "the point must be finite"),
        (lambda: check_gradient(mg.sin, 0.5, order=4), ValueError, "order must be 1, 2 or 3"),
        (lambda: check_gradient(lambda x: [], 0.5), ValueError, "returns no number"),
        (lambda: check_gradient(mg.sin, 0.5, order=2.0), ValueError, "order must be 1, 2 or 3"),
        (lambda: check_gradient(mg.sin, True), TypeError, "expected a real number, got bool"),
        (
            lambda: check_gradient(lambda x: x, 0.5, namespace="math"),
            TypeError,
            "namespace must name the keyword parameter",
        ),
        (
            lambda: check_gradient(math.sin, 0.5, derivative=0.5),
            TypeError,
            "derivative must be a function",
        ),
        (lambda: check_gradient(mg.sin, 0.5).plot(component=5), ValueError, "component must be"),
        (lambda: check_gradient(mg.sqrt, 0.0).plot(), ValueError, "no central difference"),
        (lambda: check_gradient(mg.sin, 0.5, order=True), ValueError, "order must be 1, 2 or 3"),
        (lambda: check_gradient(mg.sin, "0.5"), TypeError, "expected a real number"),
        (lambda: check_gradient(lambda x: "y", 0.5), TypeError, "returns a number"),
        (lambda: check_gradient(lambda x: None, 0.5), TypeError, "returns a number"),
        (lambda: check_gradient(lambda x: x, []), ValueError, "the arguments contain no number"),
        (lambda: check_gradient(lambda x: math.sin(x), 0.5), TypeError, "namespace=…"),
        (
            lambda: check_gradient(lambda x: x * random.random(), 0.5),
            ValueError,
            "different results for the same arguments",
        ),
        (
            lambda: check_gradient(math.sin, 0.5, derivative=math.cos, order=2),
            ValueError,
            "at order 1",
        ),
        (
            lambda: check_gradient(lambda x: math.log(x), 0.0, derivative=lambda x: 1.0),
            ValueError,
            "not finite at this point",
        ),
    ],
)
def test_misuse_is_told(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_the_arguments_are_left_as_they_were():
    x, p = Value(0.5), {"w": [Value(1.0)]}
    check_gradient(lambda x, p: x * p["w"][0], x, p)
    assert not x.reached
    assert not p["w"][0].reached


# --- networks, pictures -------------------------------------------------------------------------


@given(mgst.networks(most_units=3, most_layers=2))
def test_gradients_of_networks(network):
    inputs = [0.3, -0.7, 0.2][: len(network.layers[0].neurons[0].weights)]

    def outputs(*inputs):
        return network(list(inputs))

    check_gradient(outputs, *inputs)


def test_a_module_is_checked_by_its_parameters():
    model = nn.MLP(2, [2, 1], "tanh", rng=3)
    state = model.state_dict()
    report = check_gradient(lambda model: nn.half_squared_error(model([0.3, 0.5]), 1.0), model)
    assert [c.name for c in report.components] == [f"df/dmodel.{name}" for name in state]
    assert model.state_dict() == state
    assert all(not p.reached for p in model.parameters())
    with pytest.raises(ValueError, match="checked at order 1"):
        check_gradient(lambda model: model([0.3, 0.5]), model, order=2)


def test_gradient_by_the_weights_of_a_network():
    model = nn.MLP(2, [2, 1], "tanh", rng=3)

    def loss(weights):
        for p, w in zip(model.parameters(), weights):
            p.data = w.data
        y = model([0.3, 0.5])
        return y * y

    told = _told(loss, list(model.state_dict().values()))  # p.data = w.data cuts the graph off
    assert "does not depend on it in the graph" in told
    assert "9 of 9 derivatives" in told


def test_the_u_is_drawn(tmp_path):
    report = check_gradient(mg.sin, 0.3)
    figure = report.plot(tmp_path / "u.png")
    axes = figure.axes[0]
    h, error = axes.lines[0].get_data()
    assert len(h) > 20
    assert min(error) < 1e-10 < error[0]
    assert (tmp_path / "u.png").stat().st_size > 5_000
    report = gradient_report(WRONG_SIN, 0.3)
    assert "wrong" in report.plot().axes[0].texts[0].get_text()
