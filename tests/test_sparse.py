"""Sparse derivatives, against dense ones, eager and compiled."""

import pickle
import random

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

import microgradient as mg
from microgradient import Value

BACKENDS = ("eager", "python", "table", "llvm")


def rosenbrock(x):
    return sum(100 * (x[i + 1] - x[i] ** 2) ** 2 + (1 - x[i]) ** 2 for i in range(len(x) - 1))


def arrow(x):
    return sum(mg.sin(x[0] * x[i]) * x[i] for i in range(1, len(x)))


def branches(x):
    chosen = mg.where(x[3] > 0, x[3] * x[4], x[4] ** 3)
    return mg.exp(x[0] * x[1]) * x[2] + chosen + abs(x[5]) * x[0]


def linear(x):
    return 2 * x[0] + x[1] + 0 * x[2]


def residuals(x):
    return [*(x[i + 1] * x[i] - mg.sin(x[i]) for i in range(len(x) - 1)), sum(x), 3.0, x[0]]


def prepared(f, backend):
    return f if backend == "eager" else mg.compile(f, backend=backend)


def point(n, seed=0):
    rng = random.Random(seed)
    return [rng.uniform(-1, 2) for _ in range(n)]


@pytest.mark.parametrize("backend", BACKENDS, indirect=True)
@pytest.mark.parametrize(
    ("f", "n", "entries"),
    [(rosenbrock, 12, 34), (arrow, 12, 34), (branches, 6, None), (linear, 3, None)],
)
def test_a_hessian_has_the_entries_of_the_dense_one(backend, f, n, entries):
    x, sparse = point(n), prepared(mg.hessian(f, sparse=True), backend)
    for argument in (x, tuple(x), np.array(x)):
        found = sparse(argument)
        assert type(found) is csr_array
        assert found.shape == (n, n)
        assert entries in (None, found.nnz)
        np.testing.assert_allclose(found.toarray(), mg.hessian(f)(x), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("backend", BACKENDS, indirect=True)
def test_a_jacobian_has_the_entries_of_the_dense_one(backend):
    x = point(9)
    found = prepared(mg.jacobian(residuals, sparse=True), backend)(x)
    assert found.shape == (11, 9)
    assert found.nnz == 2 * 8 + 9 + 1
    np.testing.assert_allclose(found.toarray(), mg.jacobian(residuals)(x), rtol=1e-15)


@given(st.data())
def test_random_maps(data):
    """Every entry is that of the dense matrix, and where there is none that has a 0."""
    n, m = data.draw(st.integers(0, 6)), data.draw(st.integers(0, 6))
    plan = data.draw(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 99), st.integers(0, 99))))
    ends = data.draw(st.lists(st.integers(0, 99), min_size=m, max_size=m))

    def f(x):
        made = [0.5, *x]
        for kind, i, j in plan:
            a, b = made[i % len(made)], made[j % len(made)]
            made.append((a * b, a - b, mg.tanh(a), mg.maximum(a, b))[kind])
        return [made[-1 - k % len(made)] for k in ends]

    x = point(n)
    dense = np.array(mg.jacobian(f)(x)).reshape(m, n)
    for backend in ("eager", "python"):
        found = prepared(mg.jacobian(f, sparse=True), backend)(x)
        assert found.shape == (m, n)
        np.testing.assert_allclose(found.toarray(), dense, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("backend", BACKENDS, indirect=True)
def test_the_work_grows_with_the_entries(backend):
    """A running sum over all inputs is no part of a gradient, and costs a Hessian nothing."""
    found = prepared(mg.hessian(rosenbrock, sparse=True), backend)(np.full(300, 1.2))
    assert found.nnz == 3 * 300 - 2
    if backend != "eager":
        counts = []
        for n in (100, 200):
            compiled = mg.compile(mg.hessian(rosenbrock, sparse=True), backend="python")
            compiled(point(n))
            counts.append(len(compiled.program().instructions))
        assert counts[1] < 2.1 * counts[0]


def test_aux_static_and_other_results():
    def f(x, scale):
        return sum(scale * v**3 for v in x), {"first": x[0]}

    compiled = mg.compile(mg.hessian(f, has_aux=True, sparse=True))
    found, aux = compiled([1.0, 2.0], 2.0)
    assert found.toarray().tolist() == [[12.0, 0.0], [0.0, 24.0]]
    assert aux == {"first": 1.0}
    by_second = mg.jacobian(lambda a, x: [a * x[1], x[0]], argnums=1, sparse=True)
    assert by_second(3.0, [1.0, 2.0]).toarray().tolist() == [[0.0, 3.0], [1.0, 0.0]]


def test_no_result_shares_memory_with_another():
    compiled = mg.compile(mg.hessian(rosenbrock, sparse=True))
    first, x = compiled(np.full(4, 1.2)), np.full(4, 1.2)
    expected = first.toarray()
    first.data[:] = 0.0
    first.eliminate_zeros()
    np.testing.assert_array_equal(compiled(x).toarray(), expected)
    assert x.tolist() == [1.2] * 4


def test_compiled_ones_pickle():
    compiled = mg.compile(mg.hessian(rosenbrock, sparse=True))
    again = pickle.loads(pickle.dumps(compiled))
    np.testing.assert_array_equal(again([1.2] * 4).toarray(), compiled([1.2] * 4).toarray())


def test_scipy_takes_them():
    x0, ones = np.full(30, 1.2), np.ones(30)
    hess = mg.compile(mg.hessian(rosenbrock, sparse=True))
    both = mg.compile(mg.value_and_grad(rosenbrock))
    found = scipy.optimize.minimize(both, x0, jac=True, hess=hess, method="trust-constr")
    np.testing.assert_allclose(found.x, ones, rtol=1e-6)

    def valley(x):
        pairs = [(10 * (x[i + 1] - x[i] ** 2), 1 - x[i]) for i in range(len(x) - 1)]
        return np.array([part for pair in pairs for part in pair])

    jac = mg.compile(mg.jacobian(valley, sparse=True))
    found = scipy.optimize.least_squares(valley, x0, jac=jac)
    np.testing.assert_allclose(found.x, ones, rtol=1e-6)


@pytest.mark.parametrize(
    ("transform", "f", "x"),
    [
        (mg.jacobian, lambda x: {"a": x[0]}, [1.0]),
        (mg.jacobian, lambda x: x[0] * x[1], [1.0, 2.0]),
        (mg.jacobian, lambda x: [x], 1.0),
        (mg.jacobian, lambda x: x.ravel(), np.ones((2, 2))),
        (mg.hessian, lambda x: x["a"] ** 2, {"a": 1.0}),
        (mg.hessian, lambda x: x**2, 1.0),
    ],
)
def test_other_structures_are_refused(transform, f, x):
    for run in (transform(f, sparse=True), mg.compile(transform(f, sparse=True))):
        with pytest.raises(TypeError, match="one-dimensional array"):
            run(x)


def test_what_cannot_be_is_refused():
    sparse = mg.jacobian(residuals, sparse=True)
    with pytest.raises(TypeError, match="cannot be differentiated again"):
        sparse([Value(x) for x in point(3)])
    with pytest.raises(TypeError, match="cannot be differentiated again"):
        mg.jacobian(lambda x: sparse(x))(point(3))
    with pytest.raises(mg.CompileError, match="a sparse matrix for each example"):
        mg.compile(sparse, batch=0)([point(3)])
    with pytest.raises(TypeError, match="expects a function"):
        mg.hessian(3.0, sparse=True)


def test_scipy_is_asked_for_in_one_sentence(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "scipy.sparse", None)
    with pytest.raises(ImportError, match=r"pip install 'microgradient\[sparse\]'"):
        mg.hessian(rosenbrock, sparse=True)([1.0, 2.0])


@pytest.mark.parametrize(
    "use",
    [
        lambda s: s @ np.ones(9),
        lambda s: np.ones((1, 11)) @ s,
        lambda s: s.sum(),
        lambda s: s.toarray(),
        lambda s: s[0, 0],
        lambda s: 2 * s + s,
        lambda s: [*s],
    ],
)
def test_within_compiled_code_it_can_only_be_returned(use):
    sparse = mg.jacobian(residuals, sparse=True)
    with pytest.raises(TypeError, match="can only be returned; compute with it outside"):
        mg.compile(lambda x: use(sparse(x)))(point(9))


def test_an_anomaly_is_named():
    def f(x):
        return [x[1], mg.sqrt(x[0])]

    with mg.detect_anomaly():
        with pytest.raises(FloatingPointError, match="sqrt"):
            mg.jacobian(f, sparse=True)([0.0, 1.0])
        assert mg.jacobian(f, sparse=True)([4.0, 1.0]).toarray().tolist() == [[0, 1], [0.25, 0]]
