"""grad and its kin: structures, nesting, perturbation confusion, errors."""

import copy
import math
from collections import namedtuple

import pytest

import microgradient as mg
from microgradient import (
    Value,
    derivative,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    value_and_grad,
    vjp,
)

Point = namedtuple("Point", "x y")


def test_structures():
    def f(p):
        return p["w"][0] * p["w"][1] + p["b"] * p["n"].x ** 2

    params = {"w": [2.0, 3.0], "b": 5.0, "n": Point(2, 7)}
    assert grad(f)(params) == {"w": [3.0, 2.0], "b": 4.0, "n": Point(20.0, 0.0)}
    assert type(grad(f)(params)["n"]) is Point
    value, gradient = value_and_grad(f)(params)
    assert (value, gradient) == (26.0, grad(f)(params))
    assert params == {"w": [2.0, 3.0], "b": 5.0, "n": Point(2, 7)}


def test_argnums():
    def f(a, b, c=1.0):
        return a * b * c

    assert grad(f, 1)(2.0, 3.0) == 2.0
    assert grad(f, (0, 1))(2.0, 3.0, c=10.0) == (30.0, 20.0)
    assert grad(f, -1)(2.0, 3.0) == 2.0
    assert hessian(f, (0, 1))(2.0, 3.0) == ((0.0, 1.0), (1.0, 0.0))
    with pytest.raises(ValueError, match="once"):
        grad(f, (0, -2))(2.0, 3.0)
    with pytest.raises(ValueError, match="2 positional"):
        grad(f, 2)(2.0, 3.0)


def test_aux():
    def f(x):
        return x * x, {"twice": x * 2}

    assert grad(f, has_aux=True)(3.0) == (6.0, {"twice": 6.0})
    assert value_and_grad(f, has_aux=True)(3.0) == ((9.0, {"twice": 6.0}), 6.0)
    with pytest.raises(TypeError, match="number, anything"):
        grad(lambda x: x, has_aux=True)(1.0)


def test_any_order():
    assert grad(grad(grad(lambda x: x**5)))(2.0) == 240.0
    assert derivative(lambda x: x**5, 3)(2.0) == 240.0
    assert derivative(lambda x: x**5, 0)(2.0) == 32.0
    assert derivative(lambda x: [x, x * x])(3.0) == [1.0, 6.0]


def test_perturbation_confusion():
    assert grad(lambda x: x * grad(lambda y: x + y)(1.0))(1.0) == 1.0
    assert derivative(lambda x: x * derivative(lambda y: x + y)(1.0))(1.0) == 1.0
    assert grad(lambda x: x * derivative(lambda y: x * y)(2.0))(3.0) == 6.0
    three = grad(lambda x: x * grad(lambda y: y * grad(lambda z: x * y * z)(1.0))(2.0))
    assert three(5.0) == 2 * 5.0 * 4.0  # x * d/dy(x y^2) at y = 2 is 4 x^2


def test_closed_over_variables_of_an_outer_transform():
    assert grad(lambda w: grad(lambda x: w * x * x)(3.0))(2.0) == 6.0
    assert grad(lambda w: jvp(lambda x: w * x * x, (3.0,), (1.0,))[1])(2.0) == 6.0
    assert grad(lambda w: vjp(lambda x: w * x, 3.0)[1](1.0)[0])(2.0) == 1.0
    assert grad(lambda w: hvp(lambda x: w * x**3, (2.0,), (1.0,)))(5.0) == 12.0
    assert jacobian(lambda w: jacobian(lambda x: [w[0] * x, w[1] * x])(2.0))([3.0, 4.0]) == [
        [1.0, 0.0],
        [0.0, 1.0],
    ]


def test_parameters_closed_over_are_constants():
    w = Value(2.0)
    assert grad(lambda x: w * x * x)(3.0) == 12.0
    assert not w.reached


def test_value_in_value_out():
    x = Value(3.0)
    slope = grad(lambda t: t**3)(x)
    assert (type(slope), slope.data, x.reached) == (Value, 27.0, False)
    slope.backward()
    assert x.grad == 18.0
    assert type(grad(lambda t: t * 2)(x)) is Value
    assert type(grad(lambda t: 1.0)(x)) is Value
    assert type(value_and_grad(lambda t: t * t)(x)[0]) is Value


def test_nothing_is_mutated():
    xs = [1.0, 2.0]
    f = grad(lambda x: x[0] * x[1])
    assert f(xs) == f(xs) == [2.0, 1.0]
    assert xs == [1.0, 2.0]


def test_constant_function_and_unused_inputs():
    assert grad(lambda x: 3.0)(1.0) == 0.0
    assert grad(lambda x: x[0])([1.0, 2.0]) == [1.0, 0.0]
    assert jacobian(lambda x: [1.0, x[0]])([2.0, 3.0]) == [[0.0, 0.0], [1.0, 0.0]]
    assert jvp(lambda x: [1.0, x], (2.0,), (5.0,)) == ([1.0, 2.0], [0.0, 5.0])
    assert grad(lambda x: x)(2.0) == 1.0


def test_jacobian_both_ways():
    def f(x):
        return [x[0] * x[1], x[0] ** 2, mg.sin(x[1])]

    wide = jacobian(lambda x: f(x)[:1])([2.0, 3.0])
    tall = jacobian(f)([2.0, 3.0])
    assert wide == [[3.0, 2.0]]
    assert tall[:2] == [[3.0, 2.0], [4.0, 0.0]]
    assert jacobian(lambda x: {"a": x * x})(3.0) == {"a": 6.0}


def test_vjp_and_jvp_transpose_each_other():
    def f(x, y):
        return {"p": x * y, "q": mg.exp(x)}

    out, pull = vjp(f, 0.5, 2.0)
    assert out == f(0.5, 2.0)
    u, v = {"p": 0.3, "q": -1.2}, (0.7, 0.9)
    pulled = pull(u)
    pushed = jvp(f, (0.5, 2.0), v)[1]
    assert sum(a * b for a, b in zip(pulled, v)) == pytest.approx(
        sum(pushed[k] * u[k] for k in u), rel=1e-15
    )
    assert pull({"p": 1.0, "q": 0.0}) == (2.0, 0.5)


def test_second_order_of_branches():
    def f(x):
        return mg.where(x > 0, x**3, -(x**3))

    assert hessian(f)(2.0) == 12.0
    assert hessian(f)(-2.0) == 12.0
    assert hessian(mg.relu)(1.0) == 0.0


def test_hvp_of_several_arguments():
    assert hvp(lambda x, y: x * x * y, (1.0, 2.0), (1.0, 0.0)) == (4.0, 2.0)


@pytest.mark.parametrize("result", [[1.0], None, "x", {"a": 1.0}])
def test_grad_of_something_else_than_a_number(result):
    with pytest.raises(TypeError):
        grad(lambda x: result)(1.0)


@pytest.mark.parametrize("result", [None, "x", True, 1j, {"a": ["x"]}, {1.0}])
def test_no_derivative_of_what_is_no_number(result):
    """A forgotten return would otherwise have the derivative 0."""
    for transform in (
        jacobian(lambda x: result),
        derivative(lambda x: result),
        lambda x: vjp(lambda t: result, x),
        lambda x: jvp(lambda t: result, (x,), (1.0,)),
    ):
        with pytest.raises(TypeError, match="real number"):
            transform(2.0)


def test_directions_must_be_numbers():
    with pytest.raises(TypeError, match="real number"):
        hvp(lambda x: x**3, (2.0,), (1j,))
    with pytest.raises(TypeError, match="real number"):
        vjp(lambda x: x**3, 2.0)[1]("a")


def test_after_an_exception_everything_is_as_before():
    kept = []

    def fails(x):
        kept.append(x)
        raise LookupError

    with pytest.raises(LookupError):
        grad(fails)(1.0)
    assert grad(lambda x: x * kept[0])(2.0) == 1.0


def test_copies_of_the_variable_are_the_variable():
    for twin in (copy.copy, copy.deepcopy):
        assert grad(lambda x, twin=twin: twin(x) * x)(2.0) == 4.0


def test_derivatives_far_out_are_finite():
    for f in (mg.tanh, mg.sigmoid, mg.softplus, mg.logsigmoid):
        for x in (-1000.0, -400.0, 400.0, 1000.0):
            assert all(math.isfinite(derivative(f, n)(x)) for n in (1, 2, 3))
    assert derivative(mg.sigmoid, 2)(400.0) == pytest.approx(-math.exp(-400))


def test_no_inputs_and_dicts_in_any_order():
    assert jacobian(lambda x: [1.0])([]) == [[]]
    assert (
        jvp(lambda p: p["a"] * p["b"], ({"a": 2.0, "b": 3.0},), ({"b": 0.0, "a": 1.0},))[1] == 3.0
    )


def test_grad_at_something_else_than_a_number():
    for thing in ("x", None, True, [1.0, "x"]):
        with pytest.raises(TypeError, match="real number"):
            grad(lambda x: 1.0)(thing)


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="tangents"):
        jvp(lambda x: x, (1.0,), ([1.0],))
    with pytest.raises(ValueError, match="cotangent"):
        vjp(lambda x: [x, x], 1.0)[1]([1.0])
    with pytest.raises(ValueError, match="order"):
        derivative(lambda x: x, -1)
