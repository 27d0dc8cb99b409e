"""Derivatives that a user gives: in both modes, nested, compiled; what is refused."""

import math

import numpy as np
import pytest

import microgradient as mg
from microgradient import (
    Value,
    custom_jvp,
    custom_vjp,
    derivative,
    grad,
    hessian,
    hvp,
    jacfwd,
    jacobian,
    jacrev,
    jvp,
    value_and_grad,
    vjp,
)
from microgradient.check import GradientError, check_gradient

BACKENDS = ["python", "llvm"]


def softplus_by_jvp():
    """Return log(1 + exp(x)) with a derivative that does not overflow."""

    @custom_jvp
    def log1pexp(x):
        return mg.log(1 + mg.exp(x))

    @log1pexp.defjvp
    def rule(primals, tangents):
        (x,), (t,) = primals, tangents
        return log1pexp(x), mg.sigmoid(x) * t

    return log1pexp


def softplus_by_vjp():
    @custom_vjp
    def log1pexp(x):
        return mg.log(1 + mg.exp(x))

    log1pexp.defvjp(lambda x: (log1pexp(x), x), lambda x, g: (g * mg.sigmoid(x),))
    return log1pexp


def softplus_by_jvps():
    log1pexp = custom_jvp(lambda x: mg.log(1 + mg.exp(x)))
    log1pexp.defjvps(lambda t, result, x: t * mg.sigmoid(x))
    return log1pexp


MAKERS = [softplus_by_jvp, softplus_by_vjp, softplus_by_jvps]


@pytest.mark.parametrize("make", MAKERS)
def test_the_rule_is_the_derivative_at_every_order_and_in_both_modes(make):
    f = make()
    assert f(0.5) == math.log(1 + math.exp(0.5))
    assert grad(f)(1000.0) == 1.0  # that of the formula is nan
    assert math.isnan(grad(lambda x: mg.log(1 + mg.exp(x)))(1000.0))
    assert jvp(f, (0.5,), (2.0,)) == (f(0.5), 2 * mg.sigmoid(0.5))
    for n in (1, 2, 3):
        expected = pytest.approx(derivative(mg.softplus, n)(0.5), rel=1e-14)
        assert derivative(f, n)(0.5) == expected
    assert hessian(f)(0.5) == pytest.approx(hessian(mg.softplus)(0.5), rel=1e-14)
    leaf = Value(0.5)
    f(leaf * 2).backward()
    assert leaf.grad == 2 * mg.sigmoid(1.0)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_compiled(make, backend):
    f = make()
    for transform in (lambda f: f, grad, value_and_grad, hessian, lambda f: derivative(f, 3)):
        g = transform(lambda x: f(2 * x) * x)
        assert mg.compile(g, backend=backend)(0.3) == pytest.approx(g(0.3), rel=1e-14)
    assert mg.compile(grad(f), backend=backend)(1000.0) == 1.0


@pytest.mark.parametrize("make", MAKERS)
def test_perturbations_are_not_confused(make):
    f = make()
    inner = lambda x: grad(lambda y: x * f(x * y))(1.0)  # noqa: E731
    exact = lambda x: grad(lambda y: x * mg.softplus(x * y))(1.0)  # noqa: E731
    assert inner(0.5) == pytest.approx(exact(0.5), rel=1e-14)
    assert grad(inner)(0.5) == pytest.approx(grad(exact)(0.5), rel=1e-14)
    assert derivative(inner)(0.5) == pytest.approx(grad(exact)(0.5), rel=1e-14)


def test_structures_and_arguments():
    @custom_vjp
    def f(p, scale, shift=0.0):
        return {"y": p["w"][0] * p["w"][1] * scale, "z": [p["b"] * p["b"] + shift]}

    def forward(p, scale, shift):
        return f(p, scale, shift), (p, scale)

    def backward(residuals, g):
        p, scale = residuals
        w, y = p["w"], g["y"]
        by_p = {"b": 2 * p["b"] * g["z"][0], "w": [w[1] * scale * y, w[0] * scale * y]}
        return by_p, w[0] * w[1] * y, None if not shifted else g["z"][0]

    f.defvjp(forward, backward)
    p, by_p = {"w": [2.0, 3.0], "b": 5.0}, {"w": [30.0, 20.0], "b": 0.0}
    for shifted in (False, True):
        for transform in (jacobian, jacfwd, jacrev, lambda g, n: mg.compile(jacobian(g, n))):
            result = transform(lambda p, s: f(p, scale=s), (0, 1))(p, 10.0)
            assert result["y"] == (by_p, 6.0)
            assert result["z"][0] == ({"w": [0.0, 0.0], "b": 10.0}, 0.0)
        assert grad(lambda s: f(p, 1.0, s)["z"][0])(1.0) == float(shifted)


def test_arrays():
    @custom_jvp
    def norm(x):
        return mg.sqrt((x * x).sum())

    norm.defjvp(lambda xs, ts: (norm(*xs), (xs[0] * ts[0]).sum() / norm(*xs)))
    x = np.array([3.0, 4.0])
    assert list(grad(norm)(x)) == [0.6, 0.8]
    assert hessian(norm)(x) == pytest.approx(np.array([[16, -12], [-12, 9]]) / 125)
    assert list(hvp(norm, (x,), (np.array([1.0, 0.0]),))) == pytest.approx([16 / 125, -12 / 125])


def test_arguments_that_are_not_differentiated():
    class Power:
        @custom_jvp
        def by_two(self, x):
            return x**2

        scale = 3.0

    def rule_of_power(n, primals, tangents):
        (x,), (t,) = primals, tangents
        return power(n, x), n * x ** (n - 1) * t

    power = custom_jvp(lambda n, x: x**n, nondiff_argnums=(0,))
    power.defjvp(rule_of_power)
    assert grad(lambda x: power(3, x))(2.0) == 12.0
    by_vjp = custom_vjp(lambda x, name: x * 2, nondiff_argnums=(1,))
    by_vjp.defvjp(lambda x, name: (x * 2, None), lambda name, _, g: (g * len(name),))
    assert grad(lambda x: by_vjp(x, "three"))(1.0) == 5.0
    assert Power().by_two(3.0) == 9.0  # bound like a function
    power = custom_jvp(lambda n, x: x**n, nondiff_argnums=0)
    power.defjvp(rule_of_power)
    assert grad(lambda x: power(3, x))(2.0) == 12.0
    with pytest.raises(ValueError, match=r"must be positions 0, 1, …, got \(-1,\)"):
        custom_jvp(mg.sin, nondiff_argnums=(-1,))
    with pytest.raises(TypeError, match="but a call has 1 positional"):
        custom_jvp(mg.sin, nondiff_argnums=(1,))(Value(1.0))


def test_checks_see_the_rule():
    assert check_gradient(softplus_by_vjp(), 0.5).ok
    wrong = custom_jvp(mg.sin)
    wrong.defjvp(lambda xs, ts: (mg.sin(*xs), -mg.cos(*xs) * ts[0]))
    with pytest.raises(GradientError, match="finite differences"):
        check_gradient(wrong, 0.3)


def test_views_show_the_function_as_a_node():
    y = softplus_by_jvp()(Value(0.5)) * 2
    assert "log1pexp(v0)" in str(mg.trace(y))
    assert "log1pexp" in mg.page(y).html
    assert "1 path" in str(mg.explain(y, y.parents[0].parents[0]))


def closing_over(u):
    f = custom_jvp(lambda x: u * x)
    f.defjvp(lambda xs, ts: (f(*xs), u * ts[0]))
    return f


def test_refusals():
    with pytest.raises(TypeError, match="expects a function"):
        custom_vjp(3.0)
    lacking = custom_jvp(lambda x: x)
    assert lacking(2.0) == 2.0
    with pytest.raises(TypeError, match="defjvp"):
        grad(lacking)(1.0)
    with pytest.raises(TypeError, match="not among its arguments"):
        grad(closing_over(Value(2.0)))(1.0)
    with pytest.raises(TypeError, match="not among its arguments"):
        grad(lambda u: closing_over(u)(u))(1.0)
    with pytest.raises(TypeError, match="not among its arguments"):
        mg.compile(grad(lambda u: closing_over(u)(u)))(1.0)
    with pytest.raises(TypeError, match="keywords"):
        custom_jvp(lambda *, x: x)(x=Value(1.0))


@pytest.mark.parametrize("bound", [1.0, 10.0, 1e6])
def test_a_rule_must_be_linear(bound):
    """JAX's example of custom_vjp bounds gradients: partials cannot say that."""
    for wrap in (lambda f: f, mg.compile):
        f = custom_vjp(lambda x: x)
        f.defvjp(lambda x: (x, None), lambda _, g, b=bound: (mg.clip(g, -b, b),))
        with pytest.raises(TypeError, match="linear"):
            wrap(grad(f))(1.0)
        f = custom_jvp(lambda x: x)
        f.defjvp(lambda xs, ts: (xs[0], abs(ts[0])))
        with pytest.raises(TypeError, match="linear"):
            wrap(grad(f))(1.0)


@pytest.mark.parametrize(
    ("fwd", "bwd", "message"),
    [
        (lambda x: x, lambda r, g: (g,), r"\(result, residuals\)"),
        (lambda x: (x, None), lambda r, g: g, "tuple"),
        (lambda x: (x, None), lambda r, g: (g, g), "1 arguments"),
        (lambda x: ([x, x], None), lambda r, g: (g[0],), "1 numbers"),
    ],
)
def test_results_of_a_wrong_shape(fwd, bwd, message):
    f = custom_vjp(lambda x: x)
    f.defvjp(fwd, bwd)
    with pytest.raises(TypeError, match=message):
        grad(f)(1.0)


def test_a_cotangent_must_be_shaped_like_its_argument():
    f = custom_vjp(lambda x: x[0])
    f.defvjp(lambda x: (x[0], None), lambda r, g: ([g],))
    with pytest.raises(ValueError, match="shaped like"):
        grad(f)([1.0, 2.0])
    f = custom_jvp(lambda x: x)
    f.defjvp(lambda xs, ts: xs[0])
    with pytest.raises(TypeError, match=r"\(result, tangent\)"):
        grad(f)(1.0)


def test_vjp_of_a_custom_function():
    _, pull = vjp(softplus_by_vjp(), 0.5)
    assert pull(2.0) == (2 * mg.sigmoid(0.5),)
