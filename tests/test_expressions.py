"""Random expressions with sharing: against functions of mpmath that are not the engine's, and laws.

(By the ten thousand, against Taylor series in 50 digits: test_campaign.py.)
"""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf

from campaign import near
from microgradient import OPS, Value, grad, hessian, hvp, topological_order
from microgradient.check.gradients.bounds import gradient_error_bounds
from microgradient.check.gradients.recording import Recording
from microgradient.check.strategies import expressions
from mp import ORACLES

SMOOTH = [
    OPS[name]
    for name in [
        "add",
        "sub",
        "mul",
        "div",
        "neg",
        "exp",
        "expm1",
        "log1p",
        "sqrt",
        "sin",
        "cos",
        "tan",
        "atan",
        "sinh",
        "cosh",
        "tanh",
        "asinh",
        "atan2",
        "hypot",
        "erf",
        "erfc",
        "sigmoid",
        "softplus",
        "gelu",
        "silu",
        "softsign",
        "fsum",
        "prod",
        "dot",
        "logsumexp",
    ]
]


def _gradient(e):
    return list(grad(lambda *xs: e.f(*xs), tuple(range(len(e.inputs))))(*e.inputs))


def _bounds(e):
    recording = Recording(e.f, e.inputs)
    return gradient_error_bounds(recording.order, recording.outputs[0], recording.inputs)


def _in_mpmath(e, xs):
    values = list(xs)
    for op, operands in e.f.live:
        numbers = [values[o] if type(o) is int else mpf(o) for o in operands]
        values.append(op and ORACLES[op.name](*numbers))
    return values[-1]


@given(expressions(SMOOTH))
@settings(max_examples=150)
def test_gradient_equals_mpmaths_numerical_one(e):
    """Neither the rows nor a sweep take part in the oracle."""
    with mp.workdps(50):
        point = [mpf(x) for x in e.inputs]
        exact = [
            float(mp.diff(lambda t, i=i: _in_mpmath(e, [*point[:i], t, *point[i + 1 :]]), point[i]))
            for i in range(len(point))
        ]
    for got, wanted, bound in zip(_gradient(e), exact, _bounds(e)):
        assert near(got, wanted, bound + 1e-15 * abs(wanted)), (got, wanted, bound)


@given(expressions(SMOOTH, most_steps=6), st.randoms(use_true_random=False))
@settings(max_examples=100)
def test_hessian_is_symmetric_and_gives_hvp(e, rng: Random):
    def f(xs):
        return e.f(*xs)

    x = list(e.inputs)
    h = hessian(f)(x)
    size = max(1.0, *(abs(t) for row in h for t in row))
    for i in range(len(x)):
        for j in range(i):
            assert abs(h[i][j] - h[j][i]) <= 1e-9 * size
    v = [rng.uniform(-1, 1) for _ in x]
    for row, got in zip(h, hvp(f, (x,), (v,))):
        assert abs(sum(a * b for a, b in zip(row, v)) - got) <= 1e-9 * size


@given(expressions())
def test_values_and_floats_give_the_same_number(e):
    assert e(*map(Value, e.inputs)).data == e(*e.inputs)


@given(expressions(), st.data())
def test_permuted_inputs_give_a_permuted_gradient(e, data):
    n = len(e.inputs)
    order = data.draw(st.permutations(range(n)))

    def permuted(xs):
        return e(*[xs[order.index(i)] for i in range(n)])

    gradient = _gradient(e)
    assert grad(permuted)([e.inputs[i] for i in order]) == [gradient[i] for i in order]


@given(expressions())
def test_backward_equals_grad_and_two_passes_double_it(e):
    leaves = [Value(x) for x in e.inputs]
    y = e(*leaves)
    y.backward()
    gradient = _gradient(e)
    assert [leaf.grad for leaf in leaves] == gradient
    y.backward()
    for leaf, g, bound in zip(leaves, gradient, _bounds(e)):  # added one by one: up to rounding
        assert near(leaf.grad / 2, g, 2 * bound)


@given(expressions())
def test_order_is_topological_and_visits_every_node_once(e):
    order = topological_order(e(*map(Value, e.inputs)))
    place = {node: i for i, node in enumerate(order)}
    assert len(place) == len(order)
    assert all(place[p] < place[node] for node in order for p in node.parents)
