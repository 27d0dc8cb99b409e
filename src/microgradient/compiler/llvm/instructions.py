"""Each operation of a program as LLVM instructions: what is not here has a formula, or a library.

Comparisons are IEEE's: a nan makes an ordered one (``o…``) false and an unordered one true.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import nan

from microgradient.compiler.llvm.builder import Arithmetic

Emit = Callable[..., str]


def _is_zero(a: Arithmetic, x: str) -> bool:
    return x == a.constant(0.0)


def _maximum(a: Arithmetic, x: str, y: str) -> str:
    if _is_zero(a, y):
        return a.select(a.compare("ugt", x, y), x, y)
    if _is_zero(a, x):
        return _maximum(a, y, x)
    equal = a.logic("and", a.compare("oeq", x, y), a.compare("une", x, a.constant(0.0)))
    rest = a.select(equal, x, a.add(x, y))  # 0 + -0 is 0, and nan stays nan
    rest = a.select(a.compare("olt", x, y), y, rest)
    return a.select(a.compare("ogt", x, y), x, rest)


def _minimum(a: Arithmetic, x: str, y: str) -> str:
    if _is_zero(a, y):
        return a.select(a.compare("ule", x, y), x, y)
    if _is_zero(a, x):
        return _minimum(a, y, x)
    return a.neg(_maximum(a, a.neg(x), a.neg(y)))


def _sign(a: Arithmetic, x: str) -> str:
    zero = a.constant(0.0)
    below = a.select(a.compare("olt", x, zero), a.constant(-1.0), x)
    return a.select(a.compare("ogt", x, zero), a.constant(1.0), below)


def _step(a: Arithmetic, x: str) -> str:
    zero = a.constant(0.0)
    at_most = a.select(a.compare("ole", x, zero), zero, a.constant(nan))
    return a.select(a.compare("ogt", x, zero), a.constant(1.0), at_most)


def total(a: Arithmetic, *xs: str) -> str:
    """Return the sum, the rounding errors of the additions added at the end (Neumaier 1974)."""
    if not xs:
        return a.constant(0.0)
    sum_, lost = xs[0], a.constant(0.0)
    for x in xs[1:]:
        sum_, lost = two_sum(a, sum_, x, lost)
    return corrected(a, sum_, lost) if len(xs) > 2 else a.add(*xs) if len(xs) == 2 else xs[0]


def two_sum(a: Arithmetic, x: str, y: str, lost: str) -> tuple[str, str]:
    """Return x + y, and ``lost`` plus what its rounding lost (Knuth, TAOCP 2, 4.2.2, theorem B)."""
    sum_ = a.add(x, y)
    y_part = a.sub(sum_, x)
    x_part = a.sub(sum_, y_part)
    return sum_, a.add(lost, a.add(a.sub(x, x_part), a.sub(y, y_part)))


def corrected(a: Arithmetic, sum_: str, lost: str) -> str:
    """Return sum + lost, or the sum alone where it is no finite number."""
    finite = a.compare("oeq", a.sub(sum_, sum_), a.constant(0.0))
    return a.select(finite, a.add(sum_, lost), sum_)


def dot(a: Arithmetic, *operands: str) -> str:
    n = len(operands) // 2
    bias = operands[2 * n :]
    sum_ = bias[0] if bias else a.mul(operands[0], operands[n])
    for k in range(0 if bias else 1, n):
        sum_ = a.fma(operands[k], operands[n + k], sum_)
    return sum_


def _adjoint(a: Arithmetic, x: str, value: str) -> str:
    return a.select(a.compare("uno", value, value), a.constant(nan), x)


def _own(name: str) -> Emit:
    return lambda a, x: a.own(name, x)


def _intrinsic(name: str) -> Emit:
    return lambda a, *xs: a.call(name, *xs)


EMIT: Mapping[str, Emit] = {
    "add": Arithmetic.add,
    "sub": Arithmetic.sub,
    "mul": Arithmetic.mul,
    "div": Arithmetic.div,
    "neg": Arithmetic.neg,
    "abs": _intrinsic("fabs"),
    "sqrt": _intrinsic("sqrt"),
    "floor": _intrinsic("floor"),
    "ceil": _intrinsic("ceil"),
    "exp": _own("exp"),
    "expm1": _own("expm1"),
    "log": _own("log"),
    "log1p": _own("log1p"),
    "tanh": _own("tanh"),
    "maximum": _maximum,
    "minimum": _minimum,
    "relu": lambda a, x: _maximum(a, x, a.constant(0.0)),
    "sign": _sign,
    "step": _step,
    "fsum": total,
    "dot": dot,
    "adjoint": _adjoint,
    "where": Arithmetic.select,
    "less": lambda a, x, y: a.compare("olt", x, y),
    "less_equal": lambda a, x, y: a.compare("ole", x, y),
    "equal": lambda a, x, y: a.compare("oeq", x, y),
    "both": lambda a, x, y: a.logic("and", x, y),
    "either": lambda a, x, y: a.logic("or", x, y),
    "no": Arithmetic.inverted,
}

LIBRARY: Mapping[str, int] = {
    **dict.fromkeys(("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh"), 1),
    **dict.fromkeys(("asinh", "acosh", "atanh", "erf", "erfc", "log2", "log10"), 1),
    **dict.fromkeys(("cbrt", "lgamma", "digamma"), 1),
    **dict.fromkeys(("pow", "atan2", "hypot", "polygamma"), 2),
}
"""Functions called lane by lane: the C library's, or the engine's own where it has none."""

NATIVE = frozenset((*EMIT, *LIBRARY, "sigmoid"))


def library_call(a: Arithmetic, name: str, *xs: str) -> str:
    """Return ``name`` of each lane of ``xs``."""
    a.to.functions[name, 0] = None
    if a.lanes == 1:
        operands = ", ".join(f"double {x}" for x in xs)
        return a.to.put(f"call double @lib_{name}({operands})")
    result = "poison"
    for lane in range(a.lanes):
        parts = [a.to.put(f"extractelement {a.type} {x}, i64 {lane}") for x in xs]
        operands = ", ".join(f"double {part}" for part in parts)
        one = a.to.put(f"call double @lib_{name}({operands})")
        result = a.to.put(f"insertelement {a.type} {result}, double {one}, i64 {lane}")
    return result
