"""The memory of a call: numbers are read and written where they lie, and no two calls share any."""

import sys
import threading
from array import array
from functools import partial

import numpy as np
import pytest

import microgradient as mg
from microgradient.compiler.llvm import buffers, calls, jit


@pytest.fixture(params=["C", "ctypes", "Python source"])
def compile_(request, monkeypatch):
    """Compile for each way to call."""
    if request.param == "ctypes":
        monkeypatch.setattr(calls, "_call", None)
    if request.param == "C" and calls._call is None:
        pytest.skip("not built")
    return partial(mg.compile, backend="python" if "Python" in request.param else "llvm")


def cubes(x):
    return mg.fsum([v**3 for v in x])


def unaligned(numbers):
    memory = np.zeros(8 * len(numbers) + 1, dtype="u1")
    there = memory[1:].view("f8")
    there[:] = numbers
    assert not there.flags.aligned
    return there


def read_only(numbers):
    numbers = np.array(numbers)
    numbers.flags.writeable = False
    return numbers


def strided(numbers):
    wide = np.full((len(numbers), 3), np.nan)
    wide[:, 1] = numbers
    return wide[:, 1]


NUMBERS = [1.0, -2.0, 3.0]
ARRAYS = {
    "doubles": np.array(NUMBERS),
    "doubles with a gap": strided(NUMBERS),
    "doubles from the end": np.array(NUMBERS[::-1])[::-1],
    "doubles nobody may write": read_only(NUMBERS),
    "doubles that begin anywhere": unaligned(NUMBERS),
    "doubles of another byte order": np.array(NUMBERS, dtype=">f8"),
    "floats": np.array(NUMBERS, dtype="f4"),
    "whole numbers": np.array(NUMBERS, dtype="i2"),
    "the standard library's": array("d", NUMBERS),
    "the standard library's floats": array("f", NUMBERS),
    "the standard library's whole numbers": array("i", [1, -2, 3]),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_of_every_layout(compile_, name):
    x = ARRAYS[name]
    value, gradient = compile_(mg.value_and_grad(cubes))(x)
    assert (type(value), value, list(gradient)) == (float, 20.0, [3.0, 12.0, 27.0])
    assert type(gradient) is (list if isinstance(x, array) else np.ndarray)
    assert list(x) == NUMBERS


@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("alone", [True, False])
def test_matrices_in_either_order(compile_, order, alone):
    x = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], order=order)
    f = compile_(lambda x, *more: x[0] * x[1] + mg.fsum(more))
    assert np.array_equal(
        f(x) if alone else f(x, 0.5), [4.0, 10.0, 18.0] if alone else [4.5, 10.5, 18.5]
    )
    assert np.array_equal(compile_(lambda x: x)(x), x)
    assert compile_(lambda x: x[:, :0])(x).shape == (2, 0)


@pytest.mark.parametrize(
    "x", [np.array([1.0, 2.0]), array("d", [1.0, 2.0])], ids=["NumPy", "array"]
)
def test_results_are_nobodys_but_the_callers(compile_, x):
    same, twice = compile_(lambda x: x), compile_(lambda x: (x, x))
    one, other = same(x), same(x)
    one[0] = 7.0
    assert (list(x), list(other), list(same(x))) == ([1.0, 2.0],) * 3
    first, second = twice(x)
    first[1] = 9.0
    assert (list(second), list(x)) == ([1.0, 2.0],) * 2
    constant = compile_(lambda x: np.array([x[0], 3.0]))
    constant(np.array(x))[1] = 5.0
    assert list(constant(np.array(x))) == [1.0, 3.0]


def test_no_numbers_at_all(compile_):
    for x in (np.zeros(0), np.zeros((2, 0)), array("d"), [], ()):
        assert repr(compile_(lambda x: x)(x)) == repr(x)
    assert compile_(lambda: 2.0)() == 2.0


def test_a_smaller_batch_sees_nothing_of_the_one_before(compile_):
    def f(w, x):
        return w / x[0] + x[1]

    summed, each = compile_(f, batch=1, reduce="sum"), compile_(f, batch=1)
    rng = np.random.default_rng(0)
    for n, scale in ((16, np.nan), (13, 1.0), (16, 2.0), (9, 1.0), (1, 3.0), (0, 1.0)):
        rows = scale * rng.uniform(1.0, 2.0, size=(n, 2))
        want = [f(2.0, row) for row in rows.tolist()]
        for xs in (rows, np.asfortranarray(rows), rows.tolist()):
            if n or isinstance(xs, np.ndarray):
                np.testing.assert_allclose(summed(2.0, xs), sum(want), rtol=1e-14)
                np.testing.assert_allclose(each(2.0, xs), want, rtol=1e-14)


def test_memory_for_large_batches_is_not_kept():
    f = mg.compile(lambda x: x[0] * x[1], batch=0, reduce="sum", backend="llvm")
    (built,) = (f(np.ones((5, 2))), *f._programs.values())[1:]
    (memory,) = built.kernel._memories._waiting
    kept = memory._columns
    assert f(np.ones((buffers._MOST_KEPT, 2))) == buffers._MOST_KEPT
    assert memory._columns is kept


@pytest.mark.parametrize("backend", ["llvm", "python"])
def test_a_call_within_a_call_of_the_same_function(backend):
    """A signal handler or a finalizer may make one; here, whoever watches the engine's gamma."""
    assert "gamma" in jit._PYTHON_OWN  # machine code calls back into Python
    for settings in ({}, {"batch": 0, "reduce": "sum"}):
        f = mg.compile(lambda x: mg.gamma(x[0]) * mg.tanh(x[1]) + x[1], backend=backend, **settings)
        one, other = np.array([[3.5, 1.0], [4.5, 2.0]]), np.array([[2.5, -1.0], [1.5, 3.0]])
        if not settings:
            one, other = one[0], other[0]
        wants, inner = (f(one), f(other)), []

        def watch(frame, event, argument, f=f, other=other, inner=inner):
            if event == "call" and frame.f_code.co_name == "gamma" and not inner:
                inner.append(None)
                inner.append(f(other))

        sys.setprofile(watch)
        try:
            got = f(one)
        finally:
            sys.setprofile(None)
        assert (got, inner[1:]) == (wants[0], [wants[1]])


def test_threads_share_no_memory(compile_):
    gradient = compile_(mg.value_and_grad(cubes))
    summed = compile_(lambda w, x: w * x[0] + mg.tanh(x[1]), batch=1, reduce="sum")
    gradient(np.zeros(50))
    summed(1.0, np.zeros((33, 2)))
    wrong = []

    def work(k):
        x, rows = np.full(50, float(k)), np.full((33, 2), float(k))
        want = summed(2.0, rows)
        for _ in range(200):
            value, slopes = gradient(x)
            if value != 50.0 * k**3 or any(slopes != 3.0 * k**2) or summed(2.0, rows) != want:
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.skipif(calls._call is None, reason="not built")
def test_the_function_in_c_refuses_what_it_cannot_pass():
    eight = [0] * 8
    for arguments in ((), (1, 2), (1, *eight, 0)):
        with pytest.raises(TypeError, match="expected an address and 8 arguments"):
            calls._call(*arguments)
    with pytest.raises(ValueError, match="expected an address"):
        calls._call(0, *eight)
    for wrong in ("text", 1.0, [1.0], strided(NUMBERS)):
        with pytest.raises((TypeError, BufferError, ValueError)):
            calls._call(1, np.zeros(2), wrong, *eight[2:])
    with pytest.raises(OverflowError):
        calls._call(1, 1 << 70, *eight[1:])
    held = bytearray(8)
    with pytest.raises(TypeError):
        calls._call(1, held, "text", *eight[2:])
    held.append(1)  # nobody holds its memory any more
