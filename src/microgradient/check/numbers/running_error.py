"""Numbers that carry a bound of their own rounding error: Wilkinson's running error analysis.

A row evaluated in this arithmetic bounds the distance of its result from the exact one, to first
order. Every primitive passes on its operands' errors times its local derivatives, and adds its own
rounding error. Source: Higham, Accuracy and Stability of Numerical Algorithms, section 3.3.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite, ulp
from typing import Final

from microgradient.engine.arithmetic import FLOATS, Arithmetic
from microgradient.engine.op import Op
from microgradient.engine.ops import OPS
from microgradient.engine.value import Value

# What a user's row may raise in numbers that it was not written for.
NOT_IN_THIS_ARITHMETIC = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
UNIT = 2.0**-53  # the largest relative error of one rounding
TINY = 5e-324  # the smallest error where a result is rounded to a subnormal number

# The error of a primitive's own value, in ulps. The exact ones choose, round or change a sign.
# IEEE rounds + - * / and square roots correctly, and a sum is rounded once. C libraries promise
# nothing for the rest, but stay within about one ulp. lgamma and its derivatives have an absolute
# error near their roots.
_EXACT = {"neg", "abs", "sign", "floor", "ceil", "step", "maximum", "minimum"}
_EXACT |= {"where", "argument", "passed"}  # marks: they pass a number on
_ROUNDED_ONCE = {"add", "sub", "mul", "div", "sqrt", "fsum"}
_LIBRARY = 2.0
_ROUGH = {"lgamma": 8.0, "digamma": 8.0, "polygamma": 8.0, "gamma": 8.0, "sinc_derivative": 8.0}


class Running:
    """A float, and a bound of its distance from the exact number."""

    __slots__ = ("error", "value")

    def __init__(self, value: float, error: float = 0.0) -> None:
        self.value = value
        self.error = error

    def __neg__(self) -> Running:
        return Running(-self.value, self.error)

    def __add__(self, other: Running | float) -> Running:
        o = _lifted(other)
        value = self.value + o.value
        exact = value - self.value == o.value and value - o.value == self.value
        return Running(value, self.error + o.error + (0.0 if exact else _rounding(value)))

    def __sub__(self, other: Running | float) -> Running:
        return self + -_lifted(other)

    def __rsub__(self, other: Running | float) -> Running:
        return _lifted(other) - self

    def __mul__(self, other: Running | float) -> Running:
        o = _lifted(other)
        value = self.value * o.value
        error = 0.0
        if abs(self.value) != 1 and abs(o.value) != 1 and self.value and o.value:
            error = _rounding(value) or TINY  # a product that underflowed to 0 was not 0
        if self.error:
            error += abs(o.value) * self.error
        if o.error:
            error += abs(self.value) * o.error
        return Running(value, error + self.error * o.error)

    __radd__ = __add__
    __rmul__ = __mul__

    def __lt__(self, other: Running | float) -> bool:
        return self.value < _lifted(other).value

    def __gt__(self, other: Running | float) -> bool:
        return self.value > _lifted(other).value


def _lifted(x: Running | float) -> Running:
    """Return a constant of a row with its rounding error: 0.5 has none, log(2) has one."""
    if isinstance(x, Running):
        return x
    number = float(x)
    simple = not isfinite(number) or (number * 2**20).is_integer()
    return Running(number, 0.0 if simple else UNIT * abs(number))


def _rounding(value: float) -> float:
    return UNIT * abs(value) + TINY if value else 0.0


def _function(op: Op) -> Callable[..., Running]:
    ulps = _ROUGH.get(op.name, 0.5 if op.name in _ROUNDED_ONCE else _LIBRARY)

    def applied(*operands: Running | float) -> Running:
        xs = [_lifted(x) for x in operands]
        numbers = [x.value for x in xs]
        value = op.fast(*numbers)
        error = 0.0
        if any(x.error for x in xs):
            partials = op.partials(FLOATS, value, *numbers)
            error = sum(abs(p) * x.error for p, x in zip(partials, xs) if x.error)
        if op.name not in _EXACT and isfinite(value):
            scale = max(1.0, abs(value)) if op.name in _ROUGH else value
            error += ulps * ulp(scale) if value or all(numbers) else 0.0
        return Running(value, error)

    return applied


def _sum(terms: Sequence[Running | float]) -> Running:
    xs = [_lifted(x) for x in terms]
    value = FLOATS.fsum([x.value for x in xs])
    return Running(value, sum(x.error for x in xs) + _rounding(value))


RUNNING: Final[Arithmetic[Running]] = Arithmetic(
    {
        **{name: _function(op) for name, op in OPS.items() if op.primitive},
        "fsum": _sum,
        "where": lambda condition, x, y: x if condition else y,
        "equal": lambda x, y: _lifted(x).value == _lifted(y).value,
        "detach": lambda x: x,
        "lift": _lifted,
    }
)


def local_error(node: Value) -> float:
    """Return a first-order bound of the error of computing ``node`` from its operands.

    An operation whose formula does not run in this arithmetic counts as accurate to two ulps.
    """
    if node.op is None or not node.parents or node.op.name in _EXACT:
        return 0.0
    try:
        return _lifted(node.op.value(RUNNING, *[Running(p.data) for p in node.parents])).error
    except NOT_IN_THIS_ARITHMETIC:
        return _LIBRARY * ulp(node.data) if isfinite(node.data) else 0.0


def partial_errors(node: Value) -> list[float]:
    """Return a bound of the error of evaluating each local derivative of ``node``."""
    if node.op is None or node.op.name in ("add", "sub", "mul", "neg", "dot", "fsum", "where"):
        return [0.0] * len(node.parents)
    try:
        v = Running(node.data, local_error(node))
        partials = node.op.partials(RUNNING, v, *[Running(p.data) for p in node.parents])
        return [_lifted(p).error for p in partials]
    except NOT_IN_THIS_ARITHMETIC:
        return [_LIBRARY * ulp(p) if isfinite(p) else 0.0 for p in node.partials]
