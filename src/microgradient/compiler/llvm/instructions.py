"""Operations in LLVM: instructions, LLVM's own functions, vector mathematics, or library calls.

``LLVM`` is one more arithmetic of the engine: rows evaluated in it become instructions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import nan

from microgradient.compiler.llvm import vector_math
from microgradient.compiler.llvm.builder import Callee
from microgradient.compiler.llvm.lanes import Lanes, Mask, Vector, chosen
from microgradient.compiler.program.primitives import (
    AND,
    EQUAL,
    EXP_NONPOSITIVE,
    KINDS,
    LESS,
    LESS_EQUAL,
    NAN_WHERE_NAN,
    NOT,
    OR,
    SELECT,
)
from microgradient.engine.arithmetic import Arithmetic
from microgradient.engine.op import Op
from microgradient.engine.ops import OPS


def _is_zero(x: Vector | float) -> bool:
    return x == 0.0 if isinstance(x, float) else x.name == x.lanes.constant(0.0).name


def maximum(x: Vector, y: Vector) -> Vector:
    """Return the larger one; nan where either is, and 0 of 0 and -0."""
    if _is_zero(y):
        return x.compare("ugt", y).choose(x, y)
    if _is_zero(x):
        return maximum(y, x)
    equal = x.compare("oeq", y) & x.compare("une", 0.0)
    rest = equal.choose(x, x + y)  # 0 + -0 is 0, and nan stays nan
    return (x > y).choose(x, (x < y).choose(y, rest))


def minimum(x: Vector, y: Vector) -> Vector:
    """Return the smaller one; nan where either is, and -0 of 0 and -0."""
    if _is_zero(y):
        return x.compare("ule", y).choose(x, y)
    if _is_zero(x):
        return minimum(y, x)
    return -maximum(-x, -y)


def _sign(x: Vector) -> Vector:
    return (x > 0.0).choose(1.0, (x < 0.0).choose(-1.0, x))


def _step(x: Vector) -> Vector:
    return (x > 0.0).choose(1.0, (x <= 0.0).choose(0.0, nan))


def fsum(*xs: Vector) -> Vector:
    """Return the sum, the rounding errors of the additions added at the end (Neumaier 1974)."""
    if len(xs) < 3:
        return sum(xs, xs[0].like(0.0))
    sum_, lost = xs[0], xs[0].like(0.0)
    for x in xs[1:]:
        sum_, lost = two_sum(sum_, x, lost)
    return corrected(sum_, lost)


def two_sum(x: Vector, y: Vector, lost: Vector) -> tuple[Vector, Vector]:
    """Return x + y, and ``lost`` plus what its rounding lost (Knuth, TAOCP 2, 4.2.2, theorem B)."""
    sum_ = x + y
    y_part = sum_ - x
    x_part = sum_ - y_part
    return sum_, lost + ((x - x_part) + (y - y_part))


def corrected(sum_: Vector, lost: Vector) -> Vector:
    """Return sum + lost, or the sum alone where it is not a finite number."""
    return (sum_ - sum_).compare("oeq", 0.0).choose(sum_ + lost, sum_)


def dot(*operands: Vector) -> Vector:
    """Return w1 x1 + w2 x2 + …, from the bias on if there is one, by multiply-adds."""
    n = len(operands) // 2
    ws, xs, bias = operands[:n], operands[n : 2 * n], operands[2 * n :]
    sum_ = bias[0] if bias else ws[0].like(0.0)  # a sum of -0.0 is 0.0, as of math.fsum
    for w, x in zip(ws, xs):
        sum_ = vector_math.fma(w, x, sum_)
    return sum_


def _nan_where_nan(x: Vector, value: Vector) -> Vector:
    return value.compare("uno", value).choose(nan, x)


def _intrinsic(name: str) -> Callable[[Vector], Vector]:
    return lambda x: x.lanes.intrinsic(name, x)


_NATIVE: Mapping[str, Callable[..., Vector | Mask]] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": Vector.divided_by,
    "neg": lambda x: -x,
    "abs": _intrinsic("fabs"),
    "sqrt": _intrinsic("sqrt"),
    "floor": _intrinsic("floor"),
    "ceil": _intrinsic("ceil"),
    **{name: vector_math.calling(name) for name in vector_math.FUNCTIONS},
    "maximum": maximum,
    "minimum": minimum,
    "relu": lambda x: maximum(x, x.like(0.0)),
    "sign": _sign,
    "step": _step,
    "nan_where_nan": _nan_where_nan,
    "where": chosen,
    "less": lambda x, y: x < y,
    "less_equal": lambda x, y: x <= y,
    "equal": lambda x, y: x.compare("oeq", y),
    "and": lambda x, y: x & y,
    "or": lambda x, y: x | y,
    "not": lambda x: ~x,
    "copy": lambda x: x,
}
_SEQUENCES: Mapping[str, Callable[..., Vector]] = {"fsum": fsum, "dot": dot}
"""Rows of any number of operands, flat."""

LIBRARY: Mapping[str, int] = {
    name: len(op.domain)
    for name, op in OPS.items()
    if op.primitive and name not in _NATIVE and name not in _SEQUENCES
}
"""Primitives called lane by lane, and their numbers of operands: C's functions, or the engine's."""

ELEMENTWISE: Mapping[Op, int] = {
    **{op: len(op.domain) for name, op in OPS.items() if name in {**_NATIVE, **LIBRARY}},
    **{op: len(KINDS.get(op, "xy")) for op in (LESS, LESS_EQUAL, EQUAL, AND, OR, NOT, SELECT)},
    NAN_WHERE_NAN: 2,
    EXP_NONPOSITIVE: 1,
}
"""Operations with a fixed number of operands, and that number."""

NATIVE = frozenset((*_NATIVE, *_SEQUENCES, *LIBRARY, "sigmoid"))
"""Operations that a program may consist of; sigmoid is taken apart by ``optimized``."""


def _library_call(name: str) -> Callable[..., Vector]:
    def called(*xs: Vector) -> Vector:
        lanes = xs[0].lanes
        callee = Callee(f"lib_{name}", "double", ("double",) * LIBRARY[name], library=name)
        if lanes.count == 1:
            return lanes.call(callee, *xs)
        put, result = lanes.builder.put, "poison"
        for lane in range(lanes.count):
            one = lanes.builder.call(callee, *[x.lane(lane).name for x in xs])
            result = put(f"insertelement {lanes.type} {result}, double {one}, i64 {lane}")
        return Vector(lanes, result)

    return called


_CALLS = {name: _library_call(name) for name in LIBRARY}


def _lifting(function: Callable[..., Vector | Mask]) -> Callable[..., Vector | Mask]:
    """Return ``function`` with numbers among its operands in all lanes, as formulas have them."""

    def lifted(*xs: Vector | float) -> Vector | Mask:
        model = next(x for x in xs if isinstance(x, Vector))
        return function(*map(model.like, xs))

    return lifted


_EMITTED = {**_NATIVE, **_CALLS, **_SEQUENCES}
LLVM = Arithmetic(
    {
        **{name: _lifting(function) for name, function in {**_NATIVE, **_CALLS}.items()},
        "where": chosen,
        "fsum": lambda xs: _lifting(fsum)(*xs),
        "detach": lambda x: x,
    }
)


def emit(lanes: Lanes, op: Op, xs: Sequence[Vector | Mask]) -> Vector | Mask:
    """Return the result of ``op``, one of ``NATIVE``, on vectors and masks."""
    if not xs:
        return lanes.constant(op.fast())  # the sum of no terms
    return _EMITTED[op.name](*xs)
