"""What a program says besides the rows of the table: to choose, to compare, to mark."""

from __future__ import annotations

from math import nan
from typing import Any

from microgradient.engine.op import OPS, Op

M = Any
X = Any


def _none(m: M, v: X, *operands: X) -> tuple[()]:
    return ()


INPUT = Op("input", _none, lambda m: nan)
CONSTANT = Op("constant", _none, lambda m: nan)
ARGUMENT = Op("argument", lambda m, v, x: (1.0,), lambda m, x: x)
"""The variable of a derivative within the program: the same number as its operand."""
DETACH = Op("detach", _none, lambda m, x: x)
ADJOINT = Op(
    "adjoint",
    lambda m, v, adjoint, value: (1.0,),
    lambda m, adjoint, value: m.where(m.equal(value, value), adjoint, nan),
)
"""An adjoint, or nan where the value it belongs to is nan."""

EXP_FALLING = Op("exp_falling", lambda m, v, x: (v,), lambda m, x: m.exp(x))
"""exp of a number that is known not to be large, such as -|x|."""

LESS = Op("less", _none, lambda m, x, y: x < y, symbol="<")
LESS_EQUAL = Op("less_equal", _none, lambda m, x, y: x <= y, symbol="<=")
EQUAL = Op("equal", _none, lambda m, x, y: m.equal(x, y), symbol="==")
BOTH = Op("both", _none, lambda m, p, q: p and q, symbol="and")
EITHER = Op("either", _none, lambda m, p, q: p or q, symbol="or")
NOT = Op("no", _none, lambda m, p: not p)
SELECT = Op("where", _none, lambda m, c, x, y: m.where(c, x, y))

CONDITIONS = frozenset((LESS, LESS_EQUAL, EQUAL, BOTH, EITHER, NOT))
KINDS = {
    BOTH: ("condition", "condition"),
    EITHER: ("condition", "condition"),
    NOT: ("condition",),
    SELECT: ("condition", "number", "number"),
}
"""The kinds of the operands where they are not all numbers."""
OWN = frozenset((*CONDITIONS, ARGUMENT, DETACH, ADJOINT, SELECT, CONSTANT))
"""What every lowering has, and no row of the table is."""
CUT = frozenset((*CONDITIONS, DETACH, INPUT, CONSTANT))
"""Operations that no derivative passes through."""

NAN_IN_NAN_OUT = frozenset(
    OPS[name]
    for name in (
        *("abs", "acos", "acosh", "add", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "ceil"),
        *("clip", "cos", "cosh", "digamma", "div", "dot", "erf", "erfc", "exp", "expm1", "floor"),
        *("fsum", "gelu", "lgamma", "log", "log10", "log1p", "log2", "logsigmoid", "logsumexp"),
        *("maximum", "minimum", "mul", "neg", "prod", "relu", "sigmoid", "sign", "silu", "sin"),
        *("sinh", "softplus", "softsign", "sqrt", "step", "sub", "tan", "tanh"),
    )
)
"""Rows whose result is nan wherever an operand is; not among them: pow, hypot, where."""
NAN_OUT_NAN_SLOPE = frozenset(
    OPS[name]
    for name in (
        *("acos", "acosh", "asin", "asinh", "atan", "cbrt", "cos", "cosh", "erf", "erfc", "exp"),
        *("expm1", "logsigmoid", "relu", "sigmoid", "sin", "sinh", "softplus", "sqrt", "tan"),
        *("abs", "tanh"),
    )
)
"""Rows whose local derivative, as the formula gives it, is nan wherever the result is."""
