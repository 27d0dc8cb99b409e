"""compile: arguments and results, derivatives, batches, replicas, choices, what is refused."""

import math
import random
import subprocess
import sys
import threading
from collections import namedtuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import microgradient as mg
from microgradient import CompileError, Value, nn
from microgradient.check import error_bound, strategies

BACKENDS = pytest.mark.parametrize("backend", ["llvm", "table", "python"], indirect=True)
Point = namedtuple("Point", "x y")


def loss(w, x):
    return mg.tanh(mg.dot(w, x)) ** 2 + mg.sigmoid(w[0]) * x[1]


# --- arguments, results, derivatives --------------------------------------------------------------


@BACKENDS
def test_derivatives_of_every_kind(backend):
    w, x = [0.5, -0.3], [1.5, 2.0]
    for transform in (mg.grad, mg.value_and_grad, mg.hessian, mg.jacobian):
        f = transform(loss)
        compiled = mg.compile(f, backend=backend)
        for shift in (0.0, 1.0, -2.0):
            moved = [w[0] + shift, w[1]]
            assert _flat(compiled(moved, x)) == pytest.approx(_flat(f(moved, x)), rel=1e-13)


def _flat(tree):
    if isinstance(tree, dict):
        tree = list(tree.values())
    return [x for t in tree for x in _flat(t)] if isinstance(tree, (list, tuple)) else [tree]


@BACKENDS
def test_derivatives_within_a_function_and_of_compiled_functions(backend):
    def f(x):
        return mg.grad(lambda y: y**3 * x)(x) + mg.jvp(mg.sin, (x,), (2.0,))[1]

    assert mg.compile(f, backend=backend)(0.7) == pytest.approx(f(0.7), rel=1e-14)
    inner = mg.compile(lambda x: mg.sin(x) * x, backend=backend)
    assert inner(0.3) == pytest.approx(math.sin(0.3) * 0.3)
    outer = mg.compile(mg.grad(inner), backend=backend)
    assert outer(0.3) == pytest.approx(math.cos(0.3) * 0.3 + math.sin(0.3))


@BACKENDS
def test_structures_go_in_and_come_out(backend):
    def f(p, *, scale):
        tree = {"sum": p["a"].x + p["b"][0] * scale, "same": p["a"], "text": "kept", "none": None}
        return tree, (p["a"].x > p["a"].y, [])

    compiled = mg.compile(f, backend=backend)
    for x in (1.0, 3.0):
        argument = {"a": Point(x, 2.0), "b": (4.0, 5)}
        assert compiled(argument, scale=0.5) == f(argument, scale=0.5)


@BACKENDS
def test_results_without_an_operation(backend):
    assert mg.compile(lambda x: x, backend=backend)(3.0) == 3.0
    assert mg.compile(lambda x: [2.0, x, x], backend=backend)(3.0) == [2.0, 3.0, 3.0]
    assert mg.compile(lambda: 1.5, backend=backend)() == 1.5
    assert mg.compile(lambda x: [], backend=backend)(3.0) == []
    assert mg.compile(mg.grad(lambda x: 2.0), backend=backend)([3.0]) == [0.0]


def test_static_arguments_are_compiled_in():
    power = mg.compile(lambda x, n: math.prod([x] * n), static=1)
    assert power(2.0, 3) == 8.0
    assert power(2.0, 4) == 16.0
    assert power(3.0, 3) == 27.0
    assert power.cache_info() == (1, 2, 64, 2)


@given(strategies.expressions())
@settings(max_examples=60)
def test_any_program_with_sharing(e):
    xs = list(e.inputs)

    def f(xs):
        return e.f(*xs)

    node = f([Value(x) for x in xs])
    assert mg.compile(f, backend="python")(xs) == (node.data if type(node) is Value else node)
    value, gradient = mg.compile(mg.value_and_grad(f))(xs)
    want, want_gradient = mg.value_and_grad(f)(xs)
    bound = error_bound(node) if type(node) is Value else 0.0
    assert abs(value - want) <= 20 * bound + 1e-300
    scale = max(map(abs, want_gradient))
    assert gradient == pytest.approx(want_gradient, rel=1e-10, abs=1e-12 * scale + 1e-13)


@given(strategies.expressions(most_steps=6))
@settings(max_examples=15)
def test_second_derivatives_of_any_program(e):
    def f(xs):
        return e.f(*xs)

    want = _flat(mg.hessian(f)(list(e.inputs)))
    scale = max(map(abs, want))
    for backend in ("llvm", "python"):
        got = _flat(mg.compile(mg.hessian(f), backend=backend)(list(e.inputs)))
        assert got == pytest.approx(want, rel=1e-9, abs=1e-11 * scale + 1e-12)


# --- batches and replicas -------------------------------------------------------------------------


@BACKENDS
@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 127, 129, 1000])
def test_batches_of_any_size(backend, size):
    rng = random.Random(size)
    w = [0.5, -0.3]
    rows = [[rng.gauss(0, 1), rng.gauss(0, 1)] for _ in range(size)]
    f = mg.value_and_grad(loss)
    each = [_flat(f(w, row)) for row in rows]
    summed = [math.fsum(column) for column in zip(*each)] if rows else [0.0] * 3
    together = mg.compile(f, batch=1, reduce="sum", backend=backend)
    apart = mg.compile(f, batch=1, backend=backend)
    array = np.array(rows).reshape(size, 2)
    assert _flat(together(w, array)) == pytest.approx(summed, rel=1e-12, abs=1e-13)
    value, gradient = apart(w, array)
    assert (value.shape, gradient.shape) == ((size,), (size, 2))
    if size:
        assert np.allclose(np.column_stack([value, gradient]), each, rtol=1e-13, atol=1e-14)
        assert _flat(together(w, rows)) == pytest.approx(summed, rel=1e-12, abs=1e-13)
        assert [_flat(r) for r in apart(w, rows)] == [
            pytest.approx(e, rel=1e-13, abs=1e-14) for e in each
        ]


@BACKENDS
def test_replicas_with_and_without_rows(backend):
    rng = np.random.default_rng(0)
    ws, xs = rng.normal(size=(11, 2)), rng.normal(size=(5, 2))
    f = mg.value_and_grad(loss)
    value, gradient = mg.compile(f, replicas=0, backend=backend)(ws, [1.0, 2.0])
    for i, w in enumerate(ws.tolist()):
        assert [value[i], *gradient[i]] == pytest.approx(_flat(f(w, [1.0, 2.0])), rel=1e-13)
    total = mg.compile(f, replicas=0, batch=1, reduce="sum", backend=backend)(ws.tolist(), xs)
    for w, result in zip(ws.tolist(), total, strict=True):
        want = [math.fsum(c) for c in zip(*[_flat(f(w, x)) for x in xs.tolist()])]
        assert _flat(result) == pytest.approx(want, rel=1e-12)
        assert {type(x) for x in _flat(result)} == {float}


@BACKENDS
def test_two_arguments_of_rows(backend):
    f = mg.compile(lambda x, t: (x[0] - t) ** 2, batch=(0, 1), reduce="sum", backend=backend)
    assert f(np.array([[1.0], [2.0]]), [0.5, 1.0]) == pytest.approx(1.25)
    with pytest.raises(CompileError, match=r"equally many .* got \[1, 2\]"):
        f([[1.0]], [0.5, 1.0])


# --- choices --------------------------------------------------------------------------------------


@BACKENDS
@pytest.mark.parametrize("x", [-1.0, 0.0, 2.0, math.nan])
def test_the_branch_not_taken_leaves_no_trace(backend, x):
    def f(x):
        inner = mg.where(x > 1, mg.log(x - 1), x)
        return mg.where(x > 0, mg.sqrt(x), 3 * x) * inner

    transforms = [mg.value_and_grad, mg.hessian]
    for transform in transforms[: 1 if math.isnan(x) else 2]:
        got, want = mg.compile(transform(f), backend=backend)(x), transform(f)(x)
        assert _flat(got) == pytest.approx(_flat(want), nan_ok=True)


@BACKENDS
def test_conditions_join_and_come_out_as_truths(backend):
    def f(x, y):
        inside = (x > 0) & (x <= 1) | (y < x)
        return inside, mg.where(inside, x * y, y), x >= y

    compiled = mg.compile(f, backend=backend)
    for x in (-0.5, 0.0, 0.5, 1.0, 2.0, math.nan):
        for y in (0.1, 3.0):
            got, want = compiled(x, y), f(x, y)
            assert got == pytest.approx(want, nan_ok=True)
            assert [type(t) for t in got] == [bool, float, bool]


def test_detach_and_ties():
    def f(x):
        return mg.detach(x) * x + mg.maximum(x, 2.0)

    assert mg.compile(mg.grad(f))(2.0) == mg.grad(f)(2.0) == 2.5


# --- what is refused ------------------------------------------------------------------------------

REFUSED = {
    "if x > 0": (lambda x: x if x > 0 else -x, r"branch on traced values .*where\(condition"),
    "max": (lambda x: max(x, 2.0), "maximum"),
    "float": (lambda x: float(x), r"write microgradient\.sin\(x\)"),
    "math.sin": (lambda x: math.sin(x), r"write microgradient\.sin\(x\)"),
    "range": (lambda x: sum(range(x)), "static argument"),
    "an index": (lambda x: [1.0, 2.0][x], r"take\(rows, index\), or .* static argument"),
    "a softmax by .data": (
        lambda x: mg.exp(x - max(v.data for v in [x, x])),
        r"detach\(x\) .*exp\(x - logsumexp\(xs\)\)",
    ),
    "a softmax by max": (
        lambda x: mg.exp(x - max([x, x + 1])),
        r"maximum\(x, y\) .*exp\(x - logsumexp\(xs\)\)",
    ),
    "truth": (lambda x: 1.0 if x else 2.0, "where"),
    "data": (lambda x: x.data + 1, "use the value itself"),
    "backward": (lambda x: (x * x).backward(), r"compile\(grad\(f\)\)"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_the_line_and_what_to_write(name):
    f, hint = REFUSED[name]
    with pytest.raises(CompileError, match=hint) as caught:
        mg.compile(f)(1.0)
    assert f"{__file__}:{f.__code__.co_firstlineno}" in str(caught.value)


def test_values_and_non_numbers_are_refused():
    compiled = mg.compile(lambda x: x * 2)
    with pytest.raises(CompileError, match=r"takes bare numbers .*write v\.data"):
        compiled(Value(1.0))
    with pytest.raises(TypeError, match="real number"):
        compiled(1j)
    assert compiled(2.0) == 4.0  # the refused calls left nothing behind


def test_settings_are_checked():
    with pytest.raises(TypeError, match="compile expects a function, got int 3"):
        mg.compile(3)
    with pytest.raises(ValueError, match="backend must be one of auto, llvm, python"):
        mg.compile(math.sin, backend="c")
    with pytest.raises(ValueError, match="one role"):
        mg.compile(math.sin, batch=0, reduce="sum", replicas=0)
    with pytest.raises(CompileError, match=r"there is no argument .argument 1"):
        mg.compile(lambda x: x, batch=1, reduce="sum")([1.0])
    with pytest.raises(RuntimeError, match="first call fixes the shapes"):
        mg.compile(lambda x: x).program()
    with pytest.raises(RuntimeError, match="first call fixes the shapes"):
        mg.compile(lambda x: x).source("python")
    with pytest.raises(ValueError, match='"python" or "llvm"'):
        mg.compile(lambda: 1.0).source("fortran")
    compiled = mg.compile(lambda x: x)
    assert compiled.program([1.0, 2.0]) is compiled.program([3.0, 4.0]) is compiled.program()
    assert compiled.program([1.0]) is not compiled.program([1.0, 2.0])


def test_own_rows_compile_or_say_what_they_lack():
    bell = mg.Op("bell", lambda m, v, x: (-2 * (x * v),), lambda m, x: m.exp(-x * x))
    f = mg.value_and_grad(lambda x: bell(x) * 2)
    assert mg.compile(f)(0.3) == pytest.approx(f(0.3))
    odd = mg.Op("odd", lambda m, v, x: (1.0,), lambda m, x: m.bessel(x), fast=lambda x: x)
    with pytest.raises(CompileError, match=r"'odd' .*lacks 'bessel'"):
        mg.compile(lambda x: odd(x))(0.3)
    same_name = mg.Op("sin", lambda m, v, x: (3.0,), lambda m, x: 3 * x)
    assert mg.compile(mg.value_and_grad(lambda x: same_name(x)))(2.0) == (6.0, 3.0)
    for name in ("less", "where", "adjoint", "not", "detach"):  # names that programs use
        own = mg.Op(name, lambda m, v, x: (3.0,), lambda m, x: 3 * x)
        for backend in ("llvm", "python"):
            f = mg.value_and_grad(lambda x, own=own: own(x))
            assert mg.compile(lambda x, f=f: f(x), backend=backend)(2.0) == (6.0, 3.0)


def test_captured_values_are_listed():
    w, unnamed = Value(0.8, label="w"), Value(2.0)
    compiled = mg.compile(lambda x: mg.tanh(w * x) + unnamed * (w + 1))
    compiled(1.0)
    assert dict(compiled.program().captured) == {"w": 0.8, "Value number 2": 2.0}
    assert "captured as a constant: w = 0.8" in str(compiled.program())
    assert 0.8 in compiled.program().constants


def test_programs_whose_parts_wait_for_their_use():
    """Forms that read inputs alone, with uses at different depths."""

    def f(x, y):
        a, b = mg.exp(x), mg.exp(y)
        return mg.tanh(mg.sqrt(b)) + a

    def g(x, y):
        t = mg.sin(mg.where(y < 1.0, x, y))
        return mg.where(x < 1.0, mg.cos(t), t)

    for h in (f, g, lambda x, y: mg.grad(lambda v: abs(abs(v[1]) ** v[0]) ** v[1])([x, y])):
        assert _flat(mg.compile(h)(0.3, 0.5)) == pytest.approx(_flat(h(0.3, 0.5)), rel=1e-13)


def test_a_diagonal_taken_out_of_a_loop():
    """One loop reads, in each turn, another item of the loop before it."""

    def f(x):
        rows = [[mg.exp(x[4 * i + j] * 0.1) for j in range(4)] for i in range(16)]
        diagonal = [mg.tanh(rows[i][i % 4]) for i in range(16)]
        return [*diagonal, mg.fsum([v * v for row in rows for v in row]), *rows[3]]

    x = [0.01 * i for i in range(64)]
    for backend in ("llvm", "python"):
        assert mg.compile(f, backend=backend)(x) == pytest.approx(f(x), rel=1e-14)


@BACKENDS
@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_hypot_of_any_number(backend, n):
    f = mg.value_and_grad(lambda x: mg.hypot(*x) * 2 if n != 1 else abs(x[0]) * 2)
    x = [3.0, 4.0, 12.0, -1.0, 0.5][:n]
    if n > 2:
        value = mg.compile(lambda x: mg.hypot(*x), backend=backend)(x)
        assert value == pytest.approx(math.hypot(*x), rel=1e-15)
    else:
        assert _flat(mg.compile(f, backend=backend)(x)) == pytest.approx(_flat(f(x)))


@BACKENDS
def test_tangents_through_a_choice_keep_nan(backend):
    def f(x):
        return mg.jvp(lambda t: mg.where(t > 0, mg.log(t - 5), t), (x,), (1.0,))

    for x in (1.0, 7.0, -1.0):
        got = mg.compile(f, backend=backend)(x)
        assert got == pytest.approx(f(x), nan_ok=True)


@BACKENDS
@pytest.mark.parametrize(
    "f",
    [
        lambda x: x * 1,
        lambda x: 1 * x,
        lambda x: x / 1,
        lambda x: x - 0.0,
        lambda x: x**1,
        lambda x: (x * 1) / 1,
        lambda x: x % 2.0,
    ],
)
def test_operations_that_change_nothing_keep_nan(f, backend):
    compiled = mg.compile(mg.value_and_grad(f), backend=backend)
    assert compiled(0.5) == mg.value_and_grad(f)(0.5)
    assert list(map(math.isnan, compiled(math.nan))) == [True, True]
    assert math.isnan(mg.compile(mg.derivative(f), backend=backend)(math.nan))


@BACKENDS
def test_second_derivatives_where_the_value_overflows(backend):
    f = mg.derivative(lambda x: (-3 * x) * (3 * x), 2)
    assert f(1e308) == mg.compile(f, backend=backend)(1e308) == -18.0
    h = mg.hessian(lambda v: (2 * v[0]) * (3 * v[1]))
    assert h([1e308, 1e308]) == mg.compile(h, backend=backend)([1e308, 1e308])


def test_extreme_dots_as_the_page_says():
    """Products that overflow with opposite signs, and sums of nothing but -0."""
    f, big = (lambda u, v: mg.dot(u, v)), ([1e200, 1e200], [1e200, -1e200])
    assert math.isnan(f(*big))
    assert math.isnan(mg.compile(f, backend="python")(*big))
    assert not math.isfinite(mg.compile(f, backend="llvm")(*big))
    for backend in ("llvm", "python"):
        for g in (lambda x: mg.dot([x], [1.0]), lambda x: mg.dot([x, x], [1.0, 2.0])):
            assert math.copysign(1, mg.compile(g, backend=backend)(-0.0)) == 1
            assert mg.compile(lambda x, g=g: 1 / g(x), backend=backend)(-0.0) == math.inf


@BACKENDS
def test_remainders(backend):
    f = mg.value_and_grad(lambda x, y: x % y + 7.5 % x + y % 0.75, (0, 1))
    for x, y in ((5.0, 3.0), (-5.0, 3.0), (5.0, -3.0), (0.25, 0.5)):
        assert mg.compile(f, backend=backend)(x, y) == f(x, y)


def test_signs_of_zero_stay():
    f = mg.compile(lambda x: [x - (-0.0), x - 0.0, x * 1.0, x / 1.0])
    assert list(map(repr, f(-0.0))) == ["0.0", "-0.0", "-0.0", "-0.0"]


def test_a_function_that_calls_its_own_compiled_form_is_refused():
    compiled = mg.compile(lambda x: compiled(2.0) + x)
    with pytest.raises(CompileError, match="its own compiled form"):
        compiled(1.0)


def test_no_rows_for_replicas_and_conditions_counted():
    dot = mg.compile(mg.dot, replicas=0, batch=1, reduce="sum")
    assert dot([[1.0, 2.0], [3.0, 4.0]], [[1.0, 2.0]]) == [5.0, 11.0]
    assert dot([[1.0, 2.0], [3.0, 4.0]], []) == [0.0, 0.0]
    count = mg.compile(lambda w, x: w > x, replicas=0, batch=1, reduce="sum")
    assert count([0.0, 10.0, 2.0], [1.0, 2.0, 3.0]) == [0.0, 3.0, 1.0]
    assert mg.compile(lambda x: 3.0, batch=0, reduce="sum")([1.0, 2.0, 3.0]) == 9.0


def test_odd_rows_are_refused():
    for rows in ([[], []], [None, None], np.ones((5, 0))):
        with pytest.raises(CompileError, match="no number"):
            mg.compile(lambda x: 1.0, batch=0, reduce="sum")(rows)
    with pytest.raises(CompileError, match="mask"):
        mg.compile(lambda x: x, batch=0, reduce="sum")(np.ma.array([1.0, 2.0], mask=[0, 1]))
    ragged = mg.compile(lambda x: x[0][0] + x[1][0], batch=0, reduce="sum")
    assert ragged([[[1.0, 2.0], [3.0]]]) == 4.0
    assert ragged(np.ones((1, 2, 2))) == 2.0
    with pytest.raises(CompileError, match="all examples must be of one structure: x begins with"):
        ragged([[[1.0, 2.0], [3.0]], [[1.0], [3.0]]])
    for wrong in (None, 1.5, -1):
        with pytest.raises(TypeError, match="positions"):
            mg.compile(lambda x: x, batch=wrong, reduce="sum")
    with pytest.raises(ValueError, match="reduce sums over a batch"):
        mg.compile(lambda x: x, reduce="sum")
    with pytest.raises(ValueError, match="reduce must be \"sum\" or None, got str 'mean'"):
        mg.compile(lambda x: x, batch=0, reduce="mean")
    with pytest.raises(ValueError, match="replicas have one result for a whole batch"):
        mg.compile(mg.dot, replicas=0, batch=1)


def test_arrays_as_other_arguments_and_lists_of_arrays():
    f = mg.compile(lambda w, x: mg.dot(w, x), batch=1, reduce="sum")
    assert f(np.array([1.0, 2.0]), [np.array([1.0, 1.0]), np.array([2.0, 0.0])]) == 5.0
    sizes = [2]
    g = mg.compile(lambda x, s: x * s[0] * len(s), static="s")
    assert g(3.0, sizes) == 6.0
    sizes.append(5)
    assert g(3.0, sizes) == 12.0


def test_calls_that_look_alike_mean_the_same():
    """Dicts in another order, negative positions, constants compared."""
    f = mg.compile(lambda p: p["a"] - p["b"])
    assert f({"a": 3.0, "b": 1.0}) == f({"b": 1.0, "a": 3.0}) == 2.0
    with pytest.raises(TypeError, match="positions 0, 1, …"):
        mg.compile(lambda a: a, batch=-2)
    assert (
        mg.compile(lambda x: mg.where(1.0 > 0.5, 1.0, x) > 0.5, batch=0, reduce="sum")([2.0] * 3)
        == 3.0
    )


def test_a_function_compiled_for_a_batch_is_refused_within_another():
    inner = mg.compile(lambda w, x: w * x, batch="x")
    assert inner(2.0, [1.0, 2.0]) == [2.0, 4.0]
    with pytest.raises(CompileError, match="compiled for a batch or replicas"):
        mg.compile(lambda w: inner(w, [1.0, 2.0]))(2.0)


@BACKENDS
def test_sums_of_negative_zeros_are_zero_in_programs_of_any_size(backend):
    for n in (1, 2, 6, 40, 800):
        for f in (lambda x: mg.dot(x, [1.0] * len(x)), mg.fsum):
            xs = [-0.0] * n
            assert math.copysign(1.0, mg.compile(f, backend=backend)(xs)) == math.copysign(
                1.0, f(xs)
            )


# --- programs as data -----------------------------------------------------------------------------


def test_a_program_prints_as_a_textbook_would():
    program = mg.compile(mg.value_and_grad(lambda w, x: mg.sin(w * x) + w)).program(2.0, 3.0)
    assert str(program) == "\n".join(
        [
            "inputs",
            "  v0 = w",
            "  v1 = x",
            "forward",
            "  v2 = v0 * v1",
            "  v3 = sin(v2)",
            "  v4 = v3 + v0",
            "adjoint",
            "  ∂v4 = 1    (nan where v4 is)",
            "  v7 = cos(v2)",
            "  ∂v2 = ∂v4 * v7",
            "  ∂v0 = dot([∂v4, ∂v2], [1, v1])",
            "results",
            "  v4, ∂v0",
        ]
    )
    assert program.evaluate([2.0, 3.0])[-1] == mg.grad(lambda w: mg.sin(w * 3.0) + w)(2.0)
    assert (program.operations, program.slots, program.nbytes) == (7, 10, 80)
    assert program.counts()["sin"] == 1


def test_what_a_large_program_prints_is_bounded():
    def f(w):
        total = 0.0
        for v in w:
            total = mg.tanh(total + v * v)
        return total + mg.fsum([a * b for a, b in zip(w, w[3:])])

    program = mg.compile(mg.grad(f)).program([0.1] * 500)
    text, whole = str(program), program.listing()
    assert len(text.splitlines()) == 201
    assert max(map(len, text.splitlines())) <= 300
    left = len(whole.splitlines()) - 200
    assert f"… {left:,} more lines: program.listing() has them" in text
    assert text.splitlines()[:20] == whole.splitlines()[:20]
    small = mg.compile(f).program([0.1] * 4)
    assert str(small) == small.listing()


def test_programs_are_checked_when_they_are_built():
    program = mg.compile(lambda x: mg.where(x > 0, x, -x)).program(1.0)
    code = list(program.instructions)
    for slot, operands in ((1, (5,)), (2, (-1,))):
        wrong = [*code[:slot], code[slot]._replace(operands=operands), *code[slot + 1 :]]
        with pytest.raises(ValueError, match="not all before it"):
            mg.Program(program.inputs, tuple(wrong), program.outputs)
    select = next(i for i, x in enumerate(code) if x.op.name == "where")
    code[select] = code[select]._replace(operands=(0, 0, 0))
    with pytest.raises(ValueError, match="wrong kind"):
        mg.Program(program.inputs, tuple(code), program.outputs)
    with pytest.raises(ValueError, match="outputs must be slots"):
        mg.Program(program.inputs, program.instructions, (99,))


def test_generated_python_stands_in_tracebacks():
    kernel = mg.compile(lambda x: mg.exp(x), backend="python")
    with pytest.raises(TypeError) as caught:
        kernel(1.0)
        next(iter(kernel._programs.values())).kernel.run([None])
    import traceback

    text = "".join(traceback.format_exception(caught.value))
    assert "compiled by microgradient" in text
    assert "v1 = exp(v0)" in text


def test_layers_become_loops():
    """Repetition becomes one loop: the code of a layer does not grow with its neurons."""

    def lines(n):
        model = nn.MLP(24, [n, 6], "tanh", rng=0)
        weights = model.parameters()

        def f(ws, x):
            neurons = [mg.tanh(mg.dot(ws[i : i + 24], x)) for i in range(0, 24 * n, 24)]
            return mg.fsum([y * y for y in neurons])

        compiled = mg.compile(mg.grad(f), batch=1, reduce="sum")
        compiled.program([0.1] * len(weights), [[0.1] * 24])
        return len(compiled.source("llvm").splitlines())

    few, many = lines(12), lines(48)
    assert many == few


def test_code_does_not_grow_with_penalties_on_weights():
    """Their gradients are sums over the batch, but no products."""

    def lines(n):
        def f(ws, x):
            neurons = [mg.tanh(mg.dot(ws[i : i + 24], x)) for i in range(0, 24 * n, 24)]
            return mg.fsum([y * y for y in neurons]) + 0.1 * mg.fsum([w * w for w in ws])

        compiled = mg.compile(mg.grad(f), batch=1, reduce="sum")
        compiled.program([0.1] * 24 * n, [[0.1] * 24])
        return len(compiled.source("llvm").splitlines())

    assert lines(48) == lines(24)


@pytest.mark.parametrize("sizes", [(3, [7, 5]), (24, [12, 1]), (5, [4, 8, 6]), (2, [16, 16, 1])])
@BACKENDS
def test_networks_of_many_shapes(sizes, backend):
    nin, nouts = sizes
    model = nn.MLP(nin, nouts, "tanh", output="sigmoid", rng=1)
    values = model.parameters()
    rng = random.Random(0)
    rows = [[rng.uniform(-1, 1) for _ in range(nin)] for _ in range(19)]

    def f(ws, x):
        ws, widths = list(ws), [nin, *nouts]
        for n, m in zip(widths, nouts):
            outs = []
            for _ in range(m):
                weights, bias, ws = ws[:n], ws[n], ws[n + 1 :]
                outs.append(mg.dot(weights, x, bias))
            x = [mg.tanh(v) for v in outs]
        return mg.fsum([v * v for v in x])

    start = [v.data for v in values]
    compiled = mg.compile(mg.value_and_grad(f), batch=1, reduce="sum", backend=backend)
    want = [math.fsum(c) for c in zip(*[_flat(mg.value_and_grad(f)(start, x)) for x in rows])]
    assert _flat(compiled(start, rows)) == pytest.approx(want, rel=1e-11, abs=1e-13)
    one = mg.compile(mg.value_and_grad(f), backend=backend)(start, rows[0])
    assert _flat(one) == pytest.approx(
        _flat(mg.value_and_grad(f)(start, rows[0])), rel=1e-11, abs=1e-14
    )


@BACKENDS
def test_weights_used_at_every_time_step(backend):
    """A recurrent network: one matrix in seven layers, whose gradients are sums over them."""
    units, bits = 13, 3
    rng = random.Random(4)
    inputs = [[rng.uniform(-1, 1) for _ in range(bits)] for _ in range(7)]

    def f(w):
        hidden = [0.1 * v for v in w[:units]]
        for x in inputs:
            weights = iter(w[units:])
            reads = [*x, *hidden]
            hidden = [
                mg.tanh(mg.dot([next(weights) for _ in reads], reads, next(weights)))
                for _ in range(units)
            ]
        return mg.fsum([h * h for h in hidden])

    w = [rng.uniform(-0.5, 0.5) for _ in range(units + units * (bits + units + 1))]
    value, gradient = mg.compile(mg.value_and_grad(f), backend=backend)(w)
    want, slopes = mg.value_and_grad(f)(w)
    assert value == pytest.approx(want, rel=1e-12)
    assert gradient == pytest.approx(slopes, rel=1e-9, abs=1e-12)


# --- threads, failures, fallbacks -----------------------------------------------------------------


@BACKENDS
def test_threads_run_one_compiled_function(backend):
    f = mg.value_and_grad(loss)
    compiled = mg.compile(f, backend=backend)
    batch = mg.compile(f, batch=1, reduce="sum", backend=backend)
    wrong = []

    def work(seed):
        rng = random.Random(seed)
        for _ in range(60):
            w = [rng.uniform(-1, 1), rng.uniform(-1, 1)]
            x = [rng.uniform(-1, 1), rng.uniform(-1, 1)]
            if _flat(compiled(w, x)) != pytest.approx(_flat(f(w, x)), rel=1e-12):
                wrong.append((w, x))
            if _flat(batch(w, [x, x])) != pytest.approx([2 * t for t in _flat(f(w, x))], rel=1e-12):
                wrong.append((w, x))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_failing_compile_leaves_nothing_behind():
    calls = []

    def f(x):
        calls.append(1)
        if len(calls) == 1:
            raise LookupError("first")
        return x * 2

    compiled = mg.compile(f)
    with pytest.raises(LookupError):
        compiled(1.0)
    assert compiled(2.0) == 4.0


def test_without_llvmlite_python_takes_over_with_one_sentence():
    code = """
import sys, warnings
sys.modules["llvmlite"] = None
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *a: None if name == "llvmlite" else find(name, *a)
import microgradient as mg
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    print(mg.compile(lambda x: x * 2)(3.0), len(seen), seen[0].message)
try:
    mg.compile(lambda x: x, backend="llvm")(1.0)
except ImportError as fault:
    print(fault)
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.startswith(
        "6.0 1 llvmlite is not installed (pip install 'microgradient[fast]')"
    )
    assert "machine code cannot be made" in out.stdout


@settings(max_examples=25)
@given(st.integers(1, 40), st.integers(1, 9), st.booleans())
def test_sums_written_with_operators_are_dots(terms, width, reverse):
    """Long chains of + and * are one instruction, whichever way they are written."""
    rng = random.Random(terms * 10 + width)
    w = [rng.uniform(-1, 1) for _ in range(terms)]

    def f(w, x):
        total = 0.0
        for a, b in zip(w, x):
            total = b * a + total if reverse else total + a * b
        return total

    rows = [[rng.uniform(-1, 1) for _ in range(terms)] for _ in range(width)]
    got = mg.compile(mg.value_and_grad(f), batch=1)(w, rows)
    for row, result in zip(rows, got):
        assert _flat(result) == pytest.approx(_flat(mg.value_and_grad(f)(w, row)), abs=1e-14)
