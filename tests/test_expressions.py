"""Random expressions with sharing: reverse against forward, finite differences and mpmath."""

import math
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from expressions import Expression, exact_gradient, expressions
from microgradient import Value, derivative, grad, hessian, hvp, jvp, topological_order


def _close(got: float, exact: float, scale: float) -> bool:
    return math.isclose(got, exact, rel_tol=1e-9, abs_tol=1e-12 * max(1.0, scale))


def _scale(e: Expression) -> float:
    """The size of the numbers that may cancel: absolute partials summed over all paths."""
    y = e([Value(x) for x in e.inputs])
    order = topological_order(*[y])
    weight = {y: 1.0}
    for node in reversed(order):
        for parent, partial in zip(node.parents, node.partials):
            term = weight.get(node, 0.0) * abs(partial)
            weight[parent] = weight.get(parent, 0.0) + term
    return max(weight.values(), default=1.0)


@given(expressions())
@settings(max_examples=200)
def test_gradient_equals_mpmath(e: Expression) -> None:
    got, exact = grad(e)(list(e.inputs)), exact_gradient(e)
    assert all(_close(g, x, _scale(e)) for g, x in zip(got, exact)), (got, exact)


@given(expressions())
@settings(max_examples=200)
def test_reverse_equals_forward(e: Expression) -> None:
    x = list(e.inputs)
    gradient, scale = grad(e)(x), _scale(e)
    for i in range(len(x)):
        tangent = jvp(e, (x,), ([float(i == j) for j in range(len(x))],))[1]
        assert _close(tangent, gradient[i], scale)


@given(expressions(most_steps=6))
@settings(max_examples=100)
def test_gradient_equals_finite_differences(e: Expression) -> None:
    x, h, scale = list(e.inputs), 1e-3, _scale(e)
    gradient = grad(e)(x)
    for i in range(len(x)):

        def along(t, i=i):
            return e([t if i == j else y for j, y in enumerate(x)])

        # sixth order: 45, -9, 1 over 60
        f = [along(x[i] + k * h) - along(x[i] - k * h) for k in (1, 2, 3)]
        slope = (45 * f[0] - 9 * f[1] + f[2]) / (60 * h)
        allowed = 1e-6 * max(1.0, abs(slope), scale, abs(derivative(along, 3)(x[i])))
        assert abs(slope - gradient[i]) <= allowed


@given(expressions(most_steps=6), st.randoms(use_true_random=False))
@settings(max_examples=100)
def test_hessian_is_symmetric_and_gives_hvp(e: Expression, rng: Random) -> None:
    x = list(e.inputs)
    h = hessian(e)(x)
    size = max(1.0, *(abs(t) for row in h for t in row), _scale(e))
    for i in range(len(x)):
        for j in range(i):
            assert abs(h[i][j] - h[j][i]) <= 1e-9 * size
    v = [rng.uniform(-1, 1) for _ in x]
    product = hvp(e, (x,), (v,))
    for row, got in zip(h, product):
        assert abs(sum(a * b for a, b in zip(row, v)) - got) <= 1e-9 * size


@given(expressions())
def test_values_and_floats_give_the_same_number(e: Expression) -> None:
    assert e([Value(x) for x in e.inputs]).data == e(list(e.inputs))


@given(expressions(), st.data())
def test_permuted_inputs_give_a_permuted_gradient(e: Expression, data) -> None:
    n = len(e.inputs)
    order = data.draw(st.permutations(range(n)))

    def permuted(xs):
        return e([xs[order.index(i)] for i in range(n)])

    gradient = grad(e)(list(e.inputs))
    assert grad(permuted)([e.inputs[i] for i in order]) == [gradient[i] for i in order]


@given(expressions())
def test_backward_equals_grad_and_two_passes_double_it(e: Expression) -> None:
    leaves = [Value(x) for x in e.inputs]
    y = e(leaves)
    y.backward()
    gradient = grad(e)(list(e.inputs))
    assert [leaf.grad or 0.0 for leaf in leaves] == gradient
    y.backward()
    for leaf, g in zip(leaves, gradient):  # contributions are added one by one: up to rounding
        assert _close(leaf.grad or 0.0, 2 * g, _scale(e))


@given(expressions())
def test_order_is_topological_and_visits_every_node_once(e: Expression) -> None:
    order = topological_order(e([Value(x) for x in e.inputs]))
    place = {node: i for i, node in enumerate(order)}
    assert len(place) == len(order)
    assert all(place[p] < place[node] for node in order for p in node.parents)
