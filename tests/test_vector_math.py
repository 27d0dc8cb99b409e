"""The compiled exp, log, tanh, …: within 2 ulps on any number of lanes, special values too."""

import ctypes
import math
import random

import pytest
from mpmath import mp, mpf

import microgradient as mg
from microgradient.compiler.llvm.builder import Builder, module_of
from microgradient.compiler.llvm.instructions import LLVM
from microgradient.compiler.llvm.jit import Code, vector_width
from microgradient.compiler.llvm.lanes import Lanes
from microgradient.compiler.llvm.vector_math import FUNCTIONS, calling
from microgradient.engine import floats

pytestmark = pytest.mark.once

DOMAINS = {
    "exp": [(-745.0, 709.7), (-1.0, 1.0)],
    "exp_nonpositive": [(-745.0, 0.0), (-1.0, 0.0)],
    "expm1": [(-50.0, 709.7), (-1.0, 1.0), (-1e-8, 1e-8)],
    "log": [(0.0, 10.0), (0.99, 1.01), (0.0, 1e300), (0.0, 1e-310)],
    "log1p": [(-1.0, 1.0), (-0.3, 0.45), (0.0, 1e300)],
    "tanh": [(-20.0, 20.0), (-1.0, 1.0), (-1e-8, 1e-8)],
}
EXACT = {"exp_nonpositive": mp.exp}
SPECIAL = [0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, math.nan, 1e308, -1e308, 5e-324, -5e-324]
SPECIAL += [710.5, 709.782712893384, -745.1, -746.5, -1.5, 2.2250738585072014e-308, 40.0, -40.0]


def evaluated(function, width, xs):
    builder = Builder()
    vectors = Lanes(builder, width)
    vectors.store(function(vectors.load("%x")), "%y")
    code = Code(module_of([builder.function("void @each(ptr %x, ptr %y)", "each")]))
    each = code.function("each", ["ptr", "ptr"])
    results = []
    for start in range(0, len(xs), width):
        part = [*xs[start : start + width], *[0.0] * width][:width]
        given, got = (ctypes.c_double * width)(*part), (ctypes.c_double * width)()
        each(given, got)
        results += got
    return results[: len(xs)]


@pytest.mark.parametrize("width", sorted({1, 2, 4, vector_width()}))
@pytest.mark.parametrize("name", FUNCTIONS)
def test_within_two_ulps(name, width):
    rng = random.Random(name)
    xs = [rng.uniform(a, b) for a, b in DOMAINS[name] for _ in range(500)]
    exact = EXACT.get(name) or getattr(mp, name)
    with mp.workprec(200):
        for x, y in zip(xs, evaluated(calling(name), width, xs), strict=True):
            want = exact(mpf(x))
            assert abs(mpf(y) - want) <= 2 * math.ulp(float(want)), x


@pytest.mark.parametrize("width", sorted({1, 2, 4, vector_width()}))
@pytest.mark.parametrize("name", FUNCTIONS)
def test_special_values(name, width):
    xs = [x for x in SPECIAL if name != "exp_nonpositive" or not x > 700]
    eager = getattr(floats, name.removesuffix("_nonpositive"))
    for x, y in zip(xs, evaluated(calling(name), width, xs), strict=True):
        want = eager(x)
        same = repr(y) == repr(want) or abs(y - want) <= 2 * math.ulp(want)
        assert same, (x, y, want)


ROWS = [op for op in mg.OPS.values() if len(op.domain) == 1 and not (op.primitive or op.sequences)]


@pytest.mark.parametrize("op", ROWS, ids=lambda op: op.name)
def test_formulas_of_rows_are_llvm_code_as_they_stand(op):
    """The vocabulary of vectors is one more arithmetic of the engine."""
    low, high = op.domain[0]
    rng = random.Random(op.name)
    xs = [rng.uniform(low, high) for _ in range(20)]
    for width in (1, vector_width()):
        for x, y in zip(xs, evaluated(lambda x: op.value(LLVM, x), width, xs), strict=True):
            assert y == pytest.approx(op.fast(x), rel=1e-13, abs=1e-300)
