"""grad and its kin: structures, nesting, perturbation confusion, errors."""

import copy
import math
from collections import ChainMap, deque, namedtuple
from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest

import microgradient as mg
from microgradient import (
    Value,
    derivative,
    grad,
    hessian,
    hvp,
    jacfwd,
    jacobian,
    jacrev,
    jvp,
    linearize,
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
    with pytest.raises(ValueError, match="gives 2 by position"):
        grad(f, 2)(2.0, 3.0)
    assert grad(f, np.int64(1))(2.0, 3.0) == 2.0
    assert grad(f, [0, np.int8(1)])(2.0, 3.0) == (3.0, 2.0)
    assert grad(f, "b")(2.0, 3.0) == grad(f, "b")(2.0, b=3.0) == 2.0
    assert hessian(f, ("a", "c"))(2.0, 3.0, c=5.0) == ((0.0, 3.0), (3.0, 0.0))
    assert grad(grad(f, "a"), "b")(2.0, 3.0) == 1.0
    assert mg.compile(grad(f, ("a", "b")))(2.0, 3.0) == (3.0, 2.0)
    for wrong in ("d", "c"):
        with pytest.raises(ValueError, match=f"argument of the call, got '{wrong}'"):
            grad(f, wrong)(2.0, 3.0)
    for wrong in (1.5, None, (0, 1.5)):
        with pytest.raises(TypeError, match="positions or names"):
            grad(f, wrong)(2.0, 3.0)
    with pytest.raises(ValueError, match="by position"):
        grad(f, True)(2.0, 3.0)


def test_aux():
    def f(x):
        return x * x, {"twice": x * 2}

    assert grad(f, has_aux=True)(3.0) == (6.0, {"twice": 6.0})
    assert value_and_grad(f, has_aux=True)(3.0) == ((9.0, {"twice": 6.0}), 6.0)
    with pytest.raises(TypeError, match="number, anything"):
        grad(lambda x: x, has_aux=True)(1.0)


def test_aux_of_every_transform():
    def f(x):
        return x**3, {"twice": x * 2, "name": "cube"}

    aux = {"twice": 4.0, "name": "cube"}
    for transform in (grad, jacobian, jacfwd, jacrev, derivative):
        assert transform(f, has_aux=True)(2.0) == (12.0, aux)
        assert mg.compile(transform(f, has_aux=True))(2.0) == (12.0, aux)
    assert hessian(f, has_aux=True)(2.0) == (12.0, aux)
    assert derivative(f, 2, has_aux=True)(2.0) == (12.0, aux)
    assert hvp(f, (2.0,), (1.0,), has_aux=True) == (12.0, aux)
    assert jvp(f, (2.0,), (1.0,), has_aux=True) == (8.0, 12.0, aux)
    value, pull, got = vjp(f, 2.0, has_aux=True)
    assert (value, pull(1.0), got) == (8.0, (12.0,), aux)
    value, push, got = linearize(f, 2.0, has_aux=True)
    assert (value, push(1.0), got) == (8.0, 12.0, aux)
    inner = lambda x: grad(f, has_aux=True)(x)[1]["twice"] * x  # noqa: E731
    assert grad(inner)(2.0) == 8.0


def test_linearize_evaluates_once():
    calls = []

    def f(x, y):
        calls.append(x)
        return [x * y, mg.sin(x)]

    value, push = linearize(f, 2.0, 3.0)
    assert value == [6.0, mg.sin(2.0)]
    assert push(1.0, 0.0) == [3.0, mg.cos(2.0)]
    assert push(0.0, 1.0) == [2.0, 0.0]
    assert len(calls) == 1
    assert grad(lambda x: linearize(lambda y: x * y * y, 3.0)[1](1.0))(2.0) == 6.0
    assert mg.compile(lambda x, t: linearize(mg.sin, x)[1](t))(0.5, 2.0) == 2 * mg.cos(0.5)


def test_stop_gradient_is_detach():
    assert mg.stop_gradient is mg.detach
    assert grad(lambda x: x * mg.stop_gradient(x))(3.0) == 3.0
    assert hessian(lambda x: mg.stop_gradient(x) * x**2)(3.0) == 6.0
    f = lambda x: mg.fsum(a * b for a, b in zip(x, mg.stop_gradient(x)))  # noqa: E731
    assert grad(f)([2.0, 3.0]) == mg.compile(grad(f))([2.0, 3.0]) == [2.0, 3.0]
    kept = mg.stop_gradient({"a": Value(1.0), "b": (np.array([Value(2.0)]), None)})
    assert kept == {"a": 1.0, "b": (np.array([2.0]), None)}
    assert type(kept["a"]) is float
    with pytest.raises(TypeError, match="real number"):
        mg.stop_gradient("x")


def test_a_value_among_the_other_arguments_stays_connected():
    """A Value that f closes over is a constant: see docs/conventions.md."""
    wraps = (
        lambda w: w,
        lambda w: [w],
        lambda w: {"a": (w,)},
        lambda w: np.array([w]),
        lambda w: deque([w]),
        lambda w: ChainMap({"a": w}),
        lambda w: pd.Series([w], dtype=object if type(w) is Value else None),
    )
    for wrap in wraps:
        w = Value(1.2)

        def f(y, p):
            while not isinstance(p, mg.engine.op.Operand | float):
                p = p["a"] if isinstance(p, Mapping) else p[0]
            return p * y * y

        value, slope = value_and_grad(f)(2.0, wrap(w))
        assert (type(value), value.data, slope.data) == (Value, 4.8, 4.8)
        slope.backward()
        assert w.grad == 4.0
        assert jvp(f, (2.0, wrap(3.0)), (1.0, wrap(0.0)))[1] == 12.0
        assert type(grad(f)(2.0, wrap(3.0))) is float
    w = Value(1.2)
    value, slope = value_and_grad(lambda y, *, w: w * y * y)(2.0, w=w)
    slope.backward()
    assert w.grad == 4.0
    assert type(grad(lambda y: w * y * y)(2.0)) is float


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: grad(3.0), "grad expects a function, got float 3.0"),
        (lambda: hessian([mg.sin]), "hessian expects a function"),
        (lambda: jvp(3.0, (1.0,), (1.0,)), "jvp expects a function"),
        (
            lambda: jvp(mg.sin, 1.0, 1.0),
            r"jvp expects a tuple of primals.*jvp\(f, \(x,\), \(t,\)\)",
        ),
        (lambda: hvp(mg.sin, (1.0,), 1.0), "hvp expects a tuple of tangents"),
        (lambda: derivative(mg.sin)([1.0]), "one number"),
        (lambda: grad(lambda x: [x, x])(1.0), r"write jacobian\(f\)"),
        (lambda: grad(lambda x: None)(1.0), "return missing"),
    ],
)
def test_one_sentence_for_each_misuse(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_names_of_jax_lead_to_ours():
    with pytest.raises(AttributeError, match=r"compile\(f, batch=0\)"):
        mg.vmap  # noqa: B018
    with pytest.raises(AttributeError, match=r"compile\(f\)"):
        mg.jit  # noqa: B018
    with pytest.raises(AttributeError, match=r"no attribute 'nonsense'$"):
        mg.nonsense  # noqa: B018
    assert not hasattr(mg, "vmap")


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
