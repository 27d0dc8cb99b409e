"""Calls of compiled functions: which program they run, methods, copies, static arguments."""

import copy
import dataclasses
import functools
import math
import pickle
import subprocess
import sys
import threading
import warnings
from collections import OrderedDict, defaultdict, namedtuple
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

import microgradient as mg
from microgradient import CompileError, Value, nn


def traced(f, **settings):
    """Return ``f`` compiled, and the list of its traces."""
    traces = []

    def counted(*args, **kwargs):
        traces.append(args)
        return f(*args, **kwargs)

    counted.__wrapped__ = f  # with its signature
    return mg.compile(counted, **settings), traces


# --- another structure, shape or static value is another program ----------------------------------


@pytest.mark.parametrize("backend", ["llvm", "python"])
def test_another_shape_is_compiled_once(backend):
    def total(xs, scale=1.0):
        numbers = xs.values() if isinstance(xs, dict) else xs
        return mg.fsum([v if not isinstance(v, list) else mg.fsum(v) for v in numbers]) * scale

    compiled, traces = traced(total, backend=backend)
    calls = [
        ([1.0, 2.0], 3.0),
        ([1.0, 2.0, 3.0], 6.0),
        ((1.0, 2.0), 3.0),
        ([[1.0], 2.0], 3.0),
        ({"a": 1.0}, 1.0),
        ([], 0.0),
    ]
    for _ in range(2):
        for xs, want in calls:
            assert compiled(xs) == want
    assert compiled([1.0, 2.0], 2.0) == compiled([1.0, 2.0], scale=2.0) == 6.0
    assert compiled([1, 2.0]) == 3.0  # a whole number is a number
    assert len(traces) == compiled.cache_info().misses == compiled.cache_info().currsize == 7
    compiled.cache_clear()
    assert compiled([1.0, 2.0]) == 3.0
    assert compiled.cache_info() == (0, 1, 64, 1)
    with pytest.raises(TypeError, match="positional argument"):
        compiled([1.0, 2.0], 3.0, 4.0)


def test_derivatives_of_each_shape():
    f = mg.value_and_grad(lambda w: mg.fsum([v * v for v in w]))
    compiled = mg.compile(f)
    for n in (3, 1, 4, 1, 3):
        w = [float(i + 1) for i in range(n)]
        assert compiled(w) == f(w)
    assert compiled.cache_info()[:2] == (2, 3)
    assert [len(compiled.program([0.0] * n).inputs) for n in (1, 3, 4)] == [1, 3, 4]
    assert "v3 = inputs" not in compiled.source("python", [0.0])


def test_the_order_of_keys_does_not_matter():
    def f(p, *, b, a):
        return p["u"] - 2 * p["v"]["x"] + 3 * p["v"]["y"] + 5 * a - 7 * b

    compiled, traces = traced(f)
    one = compiled({"u": 1.0, "v": {"x": 2.0, "y": 3.0}}, a=1.0, b=2.0)
    other = compiled({"v": {"y": 3.0, "x": 2.0}, "u": 1.0}, b=2.0, a=1.0)
    assert one == other == f({"u": 1.0, "v": {"x": 2.0, "y": 3.0}}, a=1.0, b=2.0)
    assert len(traces) == 1
    fresh, _ = traced(f)  # and the one that comes first may be either
    assert fresh({"v": {"y": 3.0, "x": 2.0}, "u": 1.0}, b=2.0, a=1.0) == one


def test_dicts_keep_their_kind_within_the_function():
    seen = []
    compiled = mg.compile(lambda p: (seen.append(type(p)), p["a"])[1])
    kinds = [{"a": 1.0}, OrderedDict(a=1.0), defaultdict(float, a=1.0)]
    assert [compiled(p) for p in kinds] == [1.0] * 3
    assert seen == [dict, OrderedDict, defaultdict]


@dataclasses.dataclass(frozen=True)
class Weights:
    w: object
    b: object


class Doubled(namedtuple("Doubled", "x y")):
    def __new__(cls, x):
        return super().__new__(cls, x, 2 * x)


TREES = {
    "an array": (lambda a: mg.fsum([v * v for v in a]), np.array([1.0, 2.0, 3.0])),
    "a matrix": (lambda a: mg.fsum(a[0] * a[1]), np.array([[1.0, 2.0], [3.0, 4.0]])),
    "an array in a dict": (lambda p: mg.dot(p["w"], [1.0, 2.0]) ** 2, {"w": np.ones(2), "n": None}),
    "a dataclass": (lambda p: mg.dot(p.w, p.w) * p.b, Weights([1.0, 2.0], 3.0)),
    "a dataclass of arrays": (lambda p: mg.dot(p.w, p.w) * p.b, Weights(np.ones(2), 3.0)),
    "an OrderedDict": (lambda p: p["b"] * p["a"] ** 2, OrderedDict(b=2.0, a=3.0)),
    "a defaultdict": (lambda p: p["b"] * p["a"] ** 2, defaultdict(float, b=2.0, a=3.0)),
    "a named tuple with its own __new__": (lambda p: p.x * p.y, Doubled(3.0)),
    "None beside numbers": (lambda p: p[1] ** 2, [None, 3.0]),
}


@pytest.mark.parametrize("backend", ["llvm", "python"])
@pytest.mark.parametrize("name", TREES)
def test_trees_of_every_kind_go_in_and_come_out_as_on_values(backend, name):
    f, tree = TREES[name]
    for transform in (mg.value_and_grad, mg.grad):
        got, want = mg.compile(transform(f), backend=backend)(tree), transform(f)(tree)
        assert repr(got) == repr(want)
    assert repr(mg.compile(lambda t: t, backend=backend)(tree)) == repr(tree)


def test_batches_of_other_shapes():
    compiled, traces = traced(lambda w, x: mg.fsum([w * v for v in x]), batch=1, reduce="sum")
    assert compiled(2.0, [[1.0, 2.0], [3.0, 4.0]]) == 20.0
    assert compiled(2.0, np.ones((5, 2))) == 20.0
    assert compiled(2.0, [[1.0], [2.0], [3.0]]) == 12.0
    assert compiled(2.0, []) == 0.0
    assert len(traces) == 3  # two numbers in a list, two in an array, one in a list
    with pytest.raises(CompileError, match=r"x begins with list .* and has list"):
        compiled(2.0, [[1.0], [2.0, 3.0]])


def test_examples_in_an_array_are_arrays_as_without_a_batch():
    rows = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert np.array_equal(mg.compile(lambda x: x * 2, batch=0)(rows), rows * 2)
    summed = mg.compile(lambda x: x * 2 + x.sum(), batch=0, reduce="sum")
    assert np.array_equal(summed(rows), [18.0, 22.0])
    assert np.array_equal(summed(rows[:0]), [0.0, 0.0])


def test_programs_are_kept_up_to_a_number_and_many_are_told_once():
    compiled = mg.compile(lambda x, n: x * n, static="n", backend="python")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for n in range(70):
            assert compiled(2.0, n) == 2.0 * n
    (warning,) = told
    assert "compiled 32 times, now for another structure, shape or static value of n" in str(
        warning.message
    )
    assert warning.filename == __file__
    assert compiled.cache_info() == (0, 70, 64, 64)
    assert compiled(2.0, 69) == 138.0
    assert compiled(2.0, 0) == 0.0
    assert compiled.cache_info() == (1, 71, 64, 64)


def test_threads_compile_each_shape_once():
    compiled, traces = traced(lambda xs: mg.fsum([x * x for x in xs]))
    wrong = []

    def work():
        for _ in range(20):
            wrong.extend(n for n in (1, 2, 3, 4) if compiled([2.0] * n) != 4.0 * n)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(traces) == 4


@pytest.mark.parametrize("nest", [lambda x: [x], lambda x: {"a": x}, lambda x: (x, 1.0)])
def test_arguments_that_contain_themselves_or_are_too_deep(nest):
    tree = 1.0
    for _ in range(sys.getrecursionlimit() + 10):
        tree = nest(tree)
    cyclic = []
    cyclic.append(nest(cyclic))
    for argument in (tree, cyclic):
        with pytest.raises(CompileError, match="nested too deeply, or contains itself"):
            mg.compile(lambda x: 1.0)(argument)


# --- static arguments of any kind -----------------------------------------------------------------


class Plain:
    def __init__(self, n):
        self.n = n


@dataclasses.dataclass
class Sizes:
    n: int


@dataclasses.dataclass(frozen=True)
class Width:
    w: float


class Slotted:
    __slots__ = ("__n",)

    def __init__(self, n):
        self.__n = n

    @property
    def n(self):
        return self.__n


Pair = namedtuple("Pair", "n m")
STATIC = {
    "an object": (Plain(3), Plain(4)),
    "a dataclass without a hash": (Sizes(3), Sizes(4)),
    "an object with slots": (Slotted(3), Slotted(4)),
    "the sign of zero in a dataclass with a hash": (Width(0.0), Width(-0.0)),
    "nan": (math.nan, 1.0),
    "the sign of zero": (0.0, -0.0),
    "1 and True": (1, True),
    "a list with an array": ([np.zeros(2)], [np.ones(2)]),
    "arrays of other shapes": (np.zeros(2), np.zeros(3)),
    "arrays of other types": (np.zeros(2), np.zeros(2, dtype="int64")),
    "objects in an array": (np.array([None, 1]), np.array([None, 2])),
    "dicts": ({"a": [1]}, {"a": [2]}),
    "sets": ({1, 2}, {1, 3}),
    "a named tuple and a tuple": (Pair(1, 2), (1, 2)),
    "a type and a function": (float, math.sin),
    "text": ("a", "b"),
    "a model": (nn.MLP(1, [1], rng=0), nn.MLP(1, [1], rng=1)),
}


@pytest.mark.parametrize("name", STATIC)
def test_static_arguments_of_any_kind(name):
    one, other = STATIC[name]
    seen = []
    compiled = mg.compile(lambda x, s: (seen.append(s), x)[1], static="s")
    for argument in (one, one, other, one, other):
        assert compiled(2.0, argument) == 2.0
    assert len(seen) == 2
    assert (seen[0] is one, seen[1] is other) == (True, True)


def test_equal_contents_are_one_static_value():
    compiled, traces = traced(lambda x, s: x, static="s")
    for make in (lambda: [1, {"a": np.arange(3)}], lambda: float("nan"), lambda: Sizes(2)):
        before = len(traces)
        for _ in range(3):
            compiled(1.0, make())
        assert len(traces) == before + 1


def test_a_static_value_that_has_changed_is_another_one():
    thing, box, w = Plain(3), [2], Value(2.0)
    compiled = mg.compile(lambda x, s: x * (s.n if type(s) is Plain else s[0]), static="s")
    assert (compiled(2.0, thing), compiled(2.0, box), compiled(2.0, [w])) == (6.0, 4.0, 4.0)
    thing.n, box[0], w.data = 5, 7, 9.0
    assert (compiled(2.0, thing), compiled(2.0, box), compiled(2.0, [w])) == (10.0, 14.0, 18.0)
    slotted = Slotted(3)
    by_slot = mg.compile(lambda x, s: x * s.n, static="s")
    assert by_slot(2.0, slotted) == 6.0
    slotted.__init__(5)
    assert by_slot(2.0, slotted) == 10.0
    box.append(box)  # it contains itself
    assert compiled(2.0, box) == 14.0


# --- methods --------------------------------------------------------------------------------------


class Line:
    def __init__(self, slope):
        self.slope = slope

    @mg.compile
    def at(self, x):
        return self.slope * x

    def _square(self, x):
        return (self.slope * x) ** 2

    slope_of_square = mg.compile(mg.grad(_square, argnums=1))

    @staticmethod
    @mg.compile
    def double(x):
        return 2 * x


class Point(namedtuple("Point", "x y")):
    @mg.compile
    def norm(self, scale):
        return mg.hypot(self.x, self.y) * scale


def test_a_decorated_method_binds():
    two, three = Line(2.0), Line(3.0)
    for _ in range(2):
        assert (two.at(5.0), three.at(5.0), Line.at(two, 5.0), two.at(x=5.0)) == (10, 15, 10, 10)
    assert Line.at.cache_info()[1:] == (2, 64, 2)
    two.slope = 7.0
    assert two.at(5.0) == 35.0  # not what was compiled for the slope before
    assert (two.slope_of_square(1.0), three.slope_of_square(2.0)) == (98.0, 36.0)
    assert Line.double(4.0) == two.double(4.0) == 8.0
    assert [Point(3.0, 4.0).norm(2.0), Point(6.0, 8.0).norm(1.0)] == [10.0, 10.0]
    assert Point.norm.cache_info().misses == 1  # the object itself consists of numbers
    assert mg.grad(lambda x: Point.norm(Point(x, x), 1.0))  # recorded on use, not here


def test_the_object_of_a_method_is_no_batch():
    with pytest.raises((TypeError, RuntimeError), match=r"cannot be a batch|__set_name__"):

        class Wrong:
            f = mg.compile(lambda self, x: x, batch=0)


# --- copies ---------------------------------------------------------------------------------------


@mg.compile
def decorated(x):
    return x * x


def source(x):
    return x**3


def test_compiled_functions_are_copied_and_pickled_by_their_function():
    cubed = mg.compile(source, backend="python")
    assert cubed(2.0) == 8.0
    for twin in (copy.copy(cubed), copy.deepcopy(cubed), pickle.loads(pickle.dumps(cubed))):
        assert twin is not cubed
        assert twin.cache_info().currsize == 0
        assert (twin(3.0), repr(twin)[:16]) == (27.0, "<compiled source")
        assert "pow(v0, 3.0)" in twin.source("python")
    assert pickle.loads(pickle.dumps(decorated)) is decorated
    assert pickle.loads(pickle.dumps(Line.at)) is Line.at
    summed = mg.compile(lambda w, x, n: w * x * n, batch="x", reduce="sum", static="n")
    assert copy.deepcopy([summed])[0](2.0, [1.0, 2.0], 3) == 18.0
    with pytest.raises(Exception, match="lambda"):
        pickle.dumps(summed)


def energy(xs):
    return mg.fsum([x**3 for x in xs])


@functools.wraps(mg.grad(energy), assigned=())
def wrapped(xs):
    return xs


value_and_gradient = mg.compile(mg.value_and_grad(energy))
TWINS = {
    "grad": mg.grad(energy),
    "value_and_grad": mg.value_and_grad(energy, has_aux=False),
    "jacobian of a gradient": mg.jacobian(mg.grad(energy)),
    "jacfwd": mg.jacfwd(mg.grad(energy)),
    "jacrev": mg.jacrev(mg.grad(energy, argnums=(0,))),
    "hessian": mg.hessian(energy),
}


@pytest.mark.parametrize("name", TWINS)
def test_compiled_derivatives_are_pickled_by_what_they_are_of(name):
    compiled = mg.compile(TWINS[name], backend="python")
    twin = pickle.loads(pickle.dumps(compiled))
    assert twin is not compiled
    assert twin([1.0, 2.0]) == compiled([1.0, 2.0]) == TWINS[name]([1.0, 2.0])


def test_higher_derivatives_and_those_of_lambdas():
    third = pickle.loads(pickle.dumps(mg.compile(mg.derivative(source, 3))))
    assert third(2.0) == 6.0
    with pytest.raises(Exception, match="lambda"):
        pickle.dumps(mg.compile(mg.grad(lambda x: x * x)))
    assert pickle.loads(pickle.dumps(mg.compile(wrapped)))([1.0]) == [1.0]  # no derivative


def test_compiled_functions_work_in_other_processes():
    xs = [np.array([1.0, 2.0]), np.array([3.0, 4.0])]
    here = [value_and_gradient(x) for x in xs]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        there = list(pool.map(value_and_gradient, xs))
        assert list(pool.map(decorated, [3.0, 4.0])) == [9.0, 16.0]
        assert pool.submit(Line(2.0).at, 5.0).result() == 10.0
    assert repr(there) == repr(here)


def test_a_model_with_a_compiled_activation_is_copied():
    model = nn.MLP(1, [1], activation=mg.compile(source), rng=0)
    assert copy.deepcopy(model).state_dict() == model.state_dict()


def test_the_warning_about_llvmlite_points_at_the_users_line(tmp_path):
    code = f"""
import importlib.util, sys, warnings
sys.path[:0] = {sys.path!r}
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *a: None if name == "llvmlite" else find(name, *a)
import microgradient as mg
compiled = mg.compile(lambda x: x * 2)
compiled(3.0)  # line 8
compiled([3.0] * 2)
"""
    script = tmp_path / "script.py"
    script.write_text(code)
    out = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert f"{script}:8: UserWarning: llvmlite is not installed" in out.stderr


def test_compile_with_settings_is_a_decorator():
    @mg.compile(batch=0, backend="python")
    def square(x):
        return x * x

    assert square([1.0, 3.0]) == [1.0, 9.0]
