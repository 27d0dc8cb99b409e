"""Arguments and results of any kind: each derivative comes in the kind of its argument."""

import array
import dataclasses
import subprocess
import sys
from collections import OrderedDict, defaultdict, deque, namedtuple
from fractions import Fraction

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
from microgradient.check import check_gradient


def same(x, y):
    """Return whether two arrays have the same type, dtype, shape and numbers."""
    return type(x) is type(y) and x.dtype == y.dtype and x.shape == y.shape and bool((x == y).all())


def rosenbrock(x):
    return ((1 - x[:-1]) ** 2).sum() + 100 * ((x[1:] - x[:-1] ** 2) ** 2).sum()


X = np.array([0.5, -1.0, 2.0])


@pytest.mark.parametrize("dtype", [float, np.float32, int, object])
def test_arrays(dtype):
    x = np.array([1, 2, 3], dtype=dtype)
    value, gradient = value_and_grad(lambda x: (x**2).sum() + x[0] * x[1] + x @ x)(x)
    assert (value, type(value)) == (30.0, float)
    assert same(gradient, np.array([6.0, 9.0, 12.0]))
    assert x.dtype == dtype


def test_what_a_function_sees_of_an_array():
    def f(x):
        assert (len(x), x.shape, x[1:].shape, x.T.shape) == (2, (2, 3), (1, 3), (3, 2))
        assert all(type(v) is Value for row in x for v in row)
        return np.sin(x).sum() + x[0, 1] * x[1, -1] + (x @ x.T)[0, 1] + (x.reshape(3, 2) ** 2).sum()

    x = np.arange(6.0).reshape(2, 3)
    expected = np.cos(x) + x[::-1] + 2 * x
    expected[0, 1] += 5
    expected[1, 2] += 1
    assert grad(f)(x) == pytest.approx(expected, rel=1e-15)


def test_arrays_of_every_shape():
    for shape in ((0,), (1,), (2, 0), (2, 1, 3), (1, 1)):
        gradient = grad(lambda x: (x * x).sum() + 0.0)(np.ones(shape))
        assert same(gradient, np.full(shape, 2.0))
    assert grad(lambda x: x * x)(np.array(3.0)) == 6.0
    assert jacobian(lambda x: np.asarray(x * x))(3.0) == 6.0  # NumPy made it 0-d
    assert same(jacobian(lambda x: x[:, 0])(np.ones((2, 3))).sum(axis=(1, 2)), np.ones(2))


def test_jacobians_of_arrays_are_arrays():
    for transform in (jacobian, jacfwd, jacrev):
        by_first = np.array([[1.0, 0, 0], [-1.0, 0.5, 0], [2.0, 0, 0.5]])
        assert same(transform(lambda x: x * x[0])(X), by_first)
        assert same(transform(lambda x: x[:2])(np.ones((3, 2))), np.eye(6).reshape(3, 2, 3, 2)[:2])
        by_list = transform(lambda x: np.array([x[0] * x[1], x[0], x[1]]))([2.0, 3.0])
        assert type(by_list) is list
        assert same(by_list[0], np.array([3.0, 1.0, 0.0]))
        both = transform(lambda p: {"y": p["x"] * p["c"]})({"x": X, "c": 2.0})
        assert same(both["y"]["x"], 2 * np.eye(3))
        assert same(both["y"]["c"], X)
    expected = np.array([[0, 2, -1], [2, 0, 0.5], [-1, 0.5, 0]])
    assert same(hessian(lambda x: x[0] * x[1] * x[2])(X), expected)
    rows = jacobian(lambda x: [x[0] * x[1], x @ x])(X)
    assert type(rows) is list
    assert same(rows[1], 2 * X)


def test_other_transforms_of_arrays():
    value, pull = vjp(lambda x, c: x * x * c, X, 2.0)
    assert same(value, 2 * X * X)
    by_x, by_c = pull(np.ones(3))
    assert same(by_x, 4 * X)
    assert by_c == (X * X).sum()
    assert same(jvp(lambda x: x * x, (X,), ([1.0, 0.0, 0.0],))[1], np.array([1.0, 0.0, 0.0]))
    assert same(hvp(lambda x: (x**3).sum(), (X,), (np.ones(3),)), 6 * X)
    value, push = linearize(lambda x: x[0] * x[1], X)
    assert [push(e) for e in np.eye(3)] == [-1.0, 0.5, 0.0]
    assert same(derivative(lambda t: np.array([1.0, 2.0]) * [t, t])(3.0), np.array([1.0, 2.0]))
    with pytest.raises(ValueError, match="tangents"):
        jvp(lambda x: x, (X,), (np.ones(2),))


def test_an_array_of_values_gives_an_array_of_values():
    w = [Value(2.0), Value(3.0)]
    gradient = grad(lambda x: x[0] ** 2 * x[1])(np.array(w))
    assert gradient.dtype == object
    gradient.sum().backward()
    assert [v.grad for v in w] == [2 * 3.0 + 2 * 2.0, 2 * 2.0]


def test_arrays_within_containers_and_beside():
    f = lambda p, c: (p["w"] @ c).sum() * p["b"]  # noqa: E731
    p = {"w": np.eye(2), "b": 3.0}
    by_p, by_c = grad(f, ("p", "c"))(p, np.array([1.0, 2.0]))
    assert same(by_p["w"], np.array([[3.0, 6.0], [3.0, 6.0]]))
    assert by_p["b"] == 3.0
    assert same(by_c, np.array([3.0, 3.0]))


def test_pandas():
    s = pd.Series([1.0, 2.0], index=["a", "b"], name="n")
    f = lambda s: s["a"] * s["b"] + (s**2).sum()  # noqa: E731
    expected = pd.Series([4.0, 5.0], index=["a", "b"], name="n")
    pd.testing.assert_series_equal(grad(f)(s), expected)
    table = pd.DataFrame([[2.0, 1.0], [1.0, 2.0]], index=["a", "b"], columns=["a", "b"])
    pd.testing.assert_frame_equal(hessian(f)(s), table)
    frame = pd.DataFrame({"a": [1, 2], "b": [3, 4]}, index=["x", "y"])
    by_frame = grad(lambda d: (d["a"] * d["b"]).sum())(frame)
    expected = pd.DataFrame({"a": [3.0, 4.0], "b": [1.0, 2.0]}, index=["x", "y"])
    pd.testing.assert_frame_equal(by_frame, expected)


def test_the_standard_library_s_sequences():
    f = lambda x: x[0] * x[1]  # noqa: E731
    for code in "fdi":
        assert grad(f)(array.array(code, [2, 3])) == array.array("d", [3.0, 2.0])
    rows = [array.array("d", [0, 1]), array.array("d", [1, 0])]
    assert hessian(f)(array.array("d", [2, 3])) == rows
    assert grad(f)(range(2, 4)) == [3.0, 2.0]
    assert grad(f)(deque([2.0, 3.0], maxlen=2)) == deque([3.0, 2.0])
    assert grad(f)(deque([2.0, 3.0], maxlen=2)).maxlen == 2
    assert grad(f)([Fraction(1, 2), 3]) == [3.0, 0.5]


def test_sequences_of_one_s_own():
    class Pair:
        def __init__(self, *xs):
            self.xs = xs

        def __len__(self):
            return 2

        def __getitem__(self, i):
            return self.xs[i]

        def __iter__(self):
            return iter(self.xs)

    class Named(list):
        name = ""

    assert grad(lambda x: x[0] * x[1])(Pair(2.0, 3.0)) == [3.0, 2.0]
    named = Named([2.0, 3.0])
    named.name = "weights"
    gradient = grad(lambda x: x[0] * x[1] if x.name else 0.0)(named)
    assert (type(gradient), gradient.name, list(gradient)) == (Named, "weights", [3.0, 2.0])


Plain = namedtuple("Plain", "x y")


class Square(namedtuple("Square", "x y")):
    def __new__(cls, side):
        return super().__new__(cls, side, side)


@dataclasses.dataclass(frozen=True)
class Frozen:
    rate: float
    weights: list
    note: None = None

    def __post_init__(self):
        if not isinstance(self.rate, float):
            raise TypeError


@dataclasses.dataclass(slots=True)
class Slotted:
    x: float


def test_containers_keep_their_type():
    ordered = grad(lambda p: p["b"] * p["a"])(OrderedDict(b=2.0, a=3.0))
    assert type(ordered) is OrderedDict
    assert list(ordered.items()) == [("b", 3.0), ("a", 2.0)]
    default = grad(lambda p: p["a"] * p["b"] + p["none"])(defaultdict(float, a=2.0, b=3.0))
    assert type(default) is defaultdict
    assert (default, default.default_factory) == ({"a": 3.0, "b": 2.0}, float)
    assert grad(lambda p: p.x * p.y)(Plain(2.0, 3.0)) == Plain(3.0, 2.0)
    square = grad(lambda p: p.x * p.y)(Square(3.0))
    assert (type(square), square) == (Square, (3.0, 3.0))
    frozen = grad(lambda p: p.rate * p.weights[0])(Frozen(2.0, [3.0]))
    assert frozen == Frozen(3.0, [2.0])
    assert grad(lambda p: p.x**2)(Slotted(3.0)) == Slotted(6.0)
    by_x = jacobian(lambda p: Plain(p.x * 2, [p.x]))(Slotted(3.0))
    assert by_x == Plain(Slotted(2.0), [Slotted(1.0)])


def test_none_is_an_empty_tree():
    assert grad(lambda p: p["w"] ** 2)({"w": 3.0, "b": None}) == {"w": 6.0, "b": None}
    assert grad(lambda w, b: w**2, (0, 1))(3.0, None) == (6.0, None)
    assert jacobian(lambda x: [x, None])(1.0) == [1.0, None]
    assert jvp(lambda p: p[0], ([2.0, None],), ([1.0, None],)) == (2.0, 1.0)
    with pytest.raises(TypeError, match="return missing"):
        grad(lambda x: None)(1.0)


def test_keys_match_in_any_order():
    f = lambda p: p["a"] * p["b"] ** 2  # noqa: E731
    p = {"a": 2.0, "b": 3.0}
    assert jvp(f, (p,), ({"b": 0.0, "a": 1.0},))[1] == 9.0
    assert vjp(lambda x: {"a": x, "b": 2 * x}, 1.0)[1]({"b": 1.0, "a": 0.0}) == (2.0,)
    for wrong in ({"a": 1.0}, {"a": 1.0, "c": 1.0}, [1.0, 2.0], {"a": 1.0, "b": [1.0]}, None):
        with pytest.raises(ValueError, match="tangents"):
            jvp(f, (p,), (wrong,))


def test_what_an_aux_holds_besides_numbers_stays():
    mask, words, model = np.array([True, False]), ["a", None], mg.nn.Neuron(1)
    aux = {"mask": mask, "words": words, "model": model, "loss": None, "kind": float}

    def f(x):
        return x * x, aux | {"loss": x}

    (_, got), gradient = value_and_grad(f, has_aux=True)(3.0)
    assert gradient == 6.0
    assert same(got.pop("mask"), mask)
    assert got == {"words": words, "model": model, "loss": 3.0, "kind": float}


def nested(depth):
    tree = 1.0
    for _ in range(depth):
        tree = [tree]
    return tree


def test_deep_nesting_and_cycles():
    deep = nested(50_000)
    gradient = grad(lambda x: 3.0)(deep)
    for _ in range(50_000):
        (gradient,) = gradient
    assert gradient == 0.0
    assert jvp(lambda x: 3.0, (deep,), (nested(50_000),))[1] == 0.0
    with pytest.raises(ValueError, match="shaped like"):
        jvp(lambda x: 3.0, (deep,), (nested(49_999),))
    for cycle in ([1.0], {"a": 1.0}, deque([1.0])):
        cycle.update(b=[cycle]) if isinstance(cycle, dict) else cycle.append([cycle])
        with pytest.raises(ValueError, match="contains itself"):
            grad(lambda x: 1.0)(cycle)
        with pytest.raises(ValueError, match="contains itself"):
            grad(lambda x, cycle=cycle: (x, cycle), has_aux=True)(1.0)
        assert grad(lambda x, data: x * x)(3.0, cycle) == 6.0  # not differentiated
    shared = [2.0]
    assert grad(lambda x: x[0][0] * x[1][0])([shared, shared]) == [[2.0], [2.0]]


def test_what_is_no_tree_is_refused():
    for thing in ({1.0}, iter([1.0]), [{1.0}], np.array(["a"]), np.array([True]), np.array([1j])):
        with pytest.raises(TypeError, match="real number"):
            grad(lambda x: 1.0)(thing)
    with pytest.raises(TypeError, match="mask"):
        grad(lambda x: 1.0)(np.ma.array([1.0], mask=[True]))
    with pytest.raises(TypeError, match="functional_call"):
        grad(lambda m: m([1.0]))(mg.nn.Neuron(1))


def test_checks_take_every_kind_too():
    for x in (X, pd.Series(X), array.array("d", X), Frozen(0.5, [-1.0, 2.0])):
        assert check_gradient(lambda x: sum(map(mg.sin, mg_leaves(x))), x).ok
    report = check_gradient(rosenbrock, X)
    assert [c.name for c in report.components] == ["df/dx[0]", "df/dx[1]", "df/dx[2]"]


def mg_leaves(x):
    return [x.rate, *x.weights] if isinstance(x, Frozen) else list(x)


def test_no_array_library_is_imported():
    program = (
        "import sys, microgradient as mg; mg.grad(lambda x: x[0])([1.0]);"
        "assert not {'numpy', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("backend", ["python", "llvm"])
def test_compiled_functions_return_every_kind(backend):
    def compiled(f, **roles):
        return mg.compile(f, backend=backend, **roles)

    f = lambda x: np.array([[x * x, x], [1.0, 2 * x]])  # noqa: E731
    assert same(compiled(f)(2.0), f(2.0))
    assert same(compiled(jacobian(f))(2.0), np.array([[4.0, 1.0], [0.0, 2.0]]))
    many = compiled(f, batch=0)(np.array([1.0, 2.0, 3.0]))
    assert same(many, np.stack([f(x) for x in (1.0, 2.0, 3.0)]))
    for one, x in zip(compiled(f, batch=0)([1.0, 2.0]), (1.0, 2.0)):
        assert same(one, f(x))
    kept = compiled(lambda x: OrderedDict(y=Slotted(x), z=None, w=Square(x)))(2.0)
    assert kept == OrderedDict(y=Slotted(2.0), z=None, w=(2.0, 2.0))
    assert (type(kept), type(kept["w"])) == (OrderedDict, Square)


@pytest.mark.parametrize("backend", ["python", "llvm"])
def test_arrays_within_a_compiled_function(backend):
    t, y = np.array([0.0, 0.5, 1.0]), np.array([2.0, 1.0, 0.5])
    f = lambda p: ((p[0] * np.exp(t * p[1]) - y) ** 2).sum()  # noqa: E731
    for transform in (lambda f: f, grad, hessian):
        expected = np.array(transform(f)([1.0, -1.0]))
        compiled = mg.compile(transform(f), backend=backend)
        assert np.array(compiled([1.0, -1.0])) == pytest.approx(expected, rel=1e-13)
        assert compiled(np.array([1.0, -1.0])) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("backend", ["python", "llvm"])
def test_compiled_functions_take_every_kind(backend):
    def compiled(f, **roles):
        return mg.compile(f, backend=backend, **roles)

    g = compiled(grad(lambda x: (x**2).sum() + x @ x))
    assert same(g(X), 4 * X)
    assert same(g(X[:2].astype(np.float32)), 4 * X[:2])
    assert same(compiled(hessian(lambda x: x[0] * x[1]))(X[:2]), np.array([[0.0, 1], [1, 0]]))
    assert compiled(grad(lambda p: p.rate * p.weights[0]))(Frozen(2.0, [3.0])) == Frozen(3.0, [2.0])
    by_label = compiled(grad(lambda s: s["a"] * s["b"] ** 2))
    for index in (["a", "b"], ["b", "a"]):
        s = pd.Series([1.0, 2.0], index=index)
        pd.testing.assert_series_equal(by_label(s), grad(lambda s: s["a"] * s["b"] ** 2)(s))
    by_name = compiled(lambda s: s.sum() * {"x": 2.0, "y": 3.0}[s.name])
    assert [by_name(pd.Series([1.0, 2.0], name=name)) for name in ("x", "y")] == [6.0, 9.0]
    batch = compiled(grad(lambda w, x: w @ x), batch=1)(X[:2], np.ones((4, 2)))
    assert same(batch, np.ones((4, 2)))


def test_advice_for_arrays_leads_to_the_gradient():
    a = np.array([1.0, 2.0, 3.0])
    with pytest.raises(TypeError, match=r"map over it: \[f\(x\) for x in array\.flat\]"):
        grad(lambda p: mg.atan(p).sum())(a)
    assert grad(lambda p: sum(mg.atan(x) for x in p.flat))(a) == pytest.approx([0.5, 0.2, 0.1])
    with pytest.raises(TypeError, match="use it as it is"):
        Value(Value(1.0))
    with pytest.raises(TypeError, match="dtype=object"):
        np.zeros(2)[0] = Value(1.0)


def test_numpys_variance_and_deviation():
    a = np.array([1.0, 2.0, 4.0])
    assert grad(np.var)(a) == pytest.approx(2 * (a - a.mean()) / 3)
    assert mg.compile(grad(np.var))(a) == pytest.approx(2 * (a - a.mean()) / 3)
