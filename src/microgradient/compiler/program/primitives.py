"""Operations that only programs have: choices, comparisons and marks."""

from __future__ import annotations

from functools import reduce
from math import inf, isnan, nan
from operator import add
from typing import Any

from microgradient.engine.arithmetic import FLOATS
from microgradient.engine.op import Op
from microgradient.engine.ops import OPS

M = Any
X = Any


def _none(m: M, v: X, *operands: X) -> tuple[()]:
    return ()


INPUT = Op("input", _none, lambda m: nan)
CONSTANT = Op("constant", _none, lambda m: nan)
ARGUMENT = Op("argument", lambda m, v, x: (1.0,), lambda m, x: x)
"""The variable of a derivative within the program: the same number as its operand."""
DETACH = Op("detach", _none, lambda m, x: x)
SAME = Op("same", lambda m, v, x: (1.0,), lambda m, x: x)
"""A number times 1, divided by 1 and the like: its adjoint is nan where it is nan."""
NAN_WHERE_NAN = Op(
    "nan_where_nan",
    lambda m, v, adjoint, value: (1.0,),
    lambda m, adjoint, value: m.where(m.equal(value, value), adjoint, nan),
)
"""An adjoint, or nan where the value it belongs to is nan."""

EXP_NONPOSITIVE = Op("exp_nonpositive", lambda m, v, x: (v,), lambda m, x: m.exp(x))
"""exp of a number that is known not to be large, such as -|x|."""
SUM = Op("sum", lambda m, v, *xs: (1.0,) * len(xs), lambda m, *xs: reduce(add, xs))
"""Many terms, added from left to right: a chain of additions as one instruction."""
LONG_SUM = 24
"""Terms from which on a sum is worth a loop; a shorter one is written out."""

LESS = Op("less", _none, lambda m, x, y: x < y, symbol="<")
LESS_EQUAL = Op("less_equal", _none, lambda m, x, y: x <= y, symbol="<=")
EQUAL = Op("equal", _none, lambda m, x, y: m.equal(x, y), symbol="==")
AND = Op("and", _none, lambda m, p, q: p and q, symbol="and")
OR = Op("or", _none, lambda m, p, q: p or q, symbol="or")
NOT = Op("not", _none, lambda m, p: not p)
SELECT = Op("where", _none, lambda m, c, x, y: m.where(c, x, y))

CONDITIONS = frozenset((LESS, LESS_EQUAL, EQUAL, AND, OR, NOT))
KINDS = {
    AND: ("condition", "condition"),
    OR: ("condition", "condition"),
    NOT: ("condition",),
    SELECT: ("condition", "number", "number"),
}
"""The kinds of the operands where they are not all numbers."""
OWN = frozenset((*CONDITIONS, ARGUMENT, DETACH, NAN_WHERE_NAN, SELECT, CONSTANT))
"""What every backend has, besides rows of the table."""
MARKS = frozenset((ARGUMENT, DETACH, SAME))
"""Operations that only derivatives care for: the number is that of the operand."""
CUT = frozenset((*CONDITIONS, DETACH, INPUT, CONSTANT))
"""Operations that no derivative passes through."""

_SPECIAL = (0.0, -0.0, 0.5, 1.0, -1.0, 2.5, -2.5, 5e-324, 1e300, inf, -inf, nan)


def _nan_in_nan_out(op: Op) -> bool:
    """Return whether ``op`` is nan wherever one operand is, the others being special values."""
    most = len(op.domain)
    return all(
        isnan(op.fast(*[nan if i == place else x for i in range(count)]))
        for count in range(op.sequences or most, most + 1)
        for place in range(count)
        for x in (_SPECIAL if count > 1 else (nan,))
    )


def _nan_out_nan_slope(op: Op) -> bool:
    return len(op.domain) == 1 and all(
        isnan(op.partials(FLOATS, v, x)[0]) for x in _SPECIAL if isnan(v := op.fast(x))
    )


NAN_IN_NAN_OUT = frozenset((*filter(_nan_in_nan_out, OPS.values()), SAME))
"""Rows whose result is nan wherever an operand is; not among them: pow, hypot, where."""
NAN_OUT_NAN_SLOPE = frozenset(filter(_nan_out_nan_slope, OPS.values()))
"""One-operand rows whose local derivative, by its formula, is nan wherever the result is."""
