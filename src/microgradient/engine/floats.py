"""IEEE 754 arithmetic over Python floats, without exceptions or complex numbers.

Python's ``math`` raises where IEEE 754 has a value: ``math.log(0)``, ``1 / 0``, ``math.exp(1000)``.
Here these are -inf, inf and inf, and undefined results are nan. There is one function for each
primitive of the table in :mod:`~microgradient.engine.ops`; all other operations are built from
these.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from math import atan, atan2, copysign, erf, erfc, hypot, inf, nan, tanh
from operator import mul

from microgradient.engine.special import digamma as digamma
from microgradient.engine.special import erfinv as erfinv
from microgradient.engine.special import polygamma as polygamma
from microgradient.engine.special import sinc as sinc
from microgradient.engine.special import sinc_derivative as sinc_derivative

__all__ = ["atan", "atan2", "erf", "erfc", "hypot", "tanh"]


def _undefined_is_nan(function: Callable[[float], float]) -> Callable[[float], float]:
    def ieee(x: float) -> float:
        try:
            return function(x)
        except ValueError:
            return nan

    return ieee


def _overflow_is_inf(function: Callable[[float], float]) -> Callable[[float], float]:
    def ieee(x: float) -> float:
        try:
            return function(x)
        except OverflowError:
            return inf

    return ieee


sin, cos, tan = map(_undefined_is_nan, (math.sin, math.cos, math.tan))
asin, acos, acosh, sqrt = map(_undefined_is_nan, (math.asin, math.acos, math.acosh, math.sqrt))
asinh = math.asinh
exp, expm1, cosh = map(_overflow_is_inf, (math.exp, math.expm1, math.cosh))
abs = math.fabs


def sinh(x: float) -> float:
    try:
        return math.sinh(x)
    except OverflowError:
        return copysign(inf, x)


def atanh(x: float) -> float:
    return math.atanh(x) if -1 < x < 1 else copysign(inf, x) if x in (-1, 1) else nan


def _logarithm(function: Callable[[float], float]) -> Callable[[float], float]:
    def ieee(x: float) -> float:
        return function(x) if x > 0 else -inf if x == 0 else nan

    return ieee


log, log2, log10 = map(_logarithm, (math.log, math.log2, math.log10))


def log1p(x: float) -> float:
    return math.log1p(x) if x > -1 else -inf if x == -1 else nan


def cbrt(x: float) -> float:
    """Return the cube root: ``math.cbrt`` can be 2 ulps off, so one exact Newton step follows."""
    if x - x != 0 or x == 0:
        return x
    root = math.cbrt(x)
    return root - float(Fraction(root) ** 3 - Fraction(x)) / (3 * root * root)


def gamma(x: float) -> float:
    """Return the gamma function; infinite at 0 and -0, nan at the other poles -1, -2, …"""
    try:
        return math.gamma(x)
    except OverflowError:
        return inf
    except ValueError:
        return copysign(inf, x) if x == 0 else nan


def lgamma(x: float) -> float:
    try:
        return math.lgamma(x)
    except (ValueError, OverflowError):  # a pole, or a result beyond the largest float
        return inf


def div(x: float, y: float) -> float:
    try:
        return x / y
    except ZeroDivisionError:
        return nan if x == 0 or x != x else copysign(inf, x) * copysign(1.0, y)


def mod(x: float, y: float) -> float:
    """Return x % y with the sign of y, as Python does; nan where y is 0."""
    return x % y if y != 0 else nan


def pow(x: float, y: float) -> float:
    try:
        return math.pow(x, y)
    except OverflowError:
        return -inf if x < 0 and _is_odd(y) else inf
    except ValueError:  # 0 ** negative, or negative ** fraction
        if x != 0:
            return nan
        return copysign(inf, x) if _is_odd(y) else inf


def _is_odd(x: float) -> bool:
    return math.fmod(x, 2.0) in (1.0, -1.0)  # exact; % rounds -0.9999999999999999 % 2 to 1


def floor(x: float) -> float:
    return float(math.floor(x)) if x - x == 0 != x else x


def ceil(x: float) -> float:
    return -floor(-x)


def sign(x: float) -> float:
    return 1.0 if x > 0 else -1.0 if x < 0 else x


def step(x: float) -> float:
    return 1.0 if x > 0 else 0.0 if x <= 0 else nan


def maximum(x: float, y: float) -> float:
    if x > y:
        return x
    if y > x:
        return y
    return x + y if x == 0 else x if x == y else nan  # 0 + -0 is 0


def minimum(x: float, y: float) -> float:
    return -maximum(-x, -y)


def clip(x: float, low: float = -inf, high: float = inf) -> float:
    return x if low < x < high else minimum(maximum(x, low), high)


def where(condition: bool, x: float, y: float) -> float:
    return x if condition else y


def equal(x: float, y: float) -> bool:
    return x == y


def detach(x: float) -> float:
    return x


def fsum(xs: Iterable[float]) -> float:
    """Return the sum, rounded once: the order of the terms and the version of Python do not matter.

    (The built-in ``sum`` of floats rounds differently before and after Python 3.12.)
    """
    return _fsum(list(xs))


def dot(ws: Sequence[float], xs: Sequence[float], bias: float = 0.0) -> float:
    return _fsum([*map(mul, ws, xs), bias])


def _fsum(terms: list[float]) -> float:
    try:
        return math.fsum(terms)
    except (OverflowError, ValueError):  # an intermediate sum overflows, or inf - inf
        total = 0.0
        for term in terms:
            total += term
        return total


# Some rows whose formula takes several calls; a test compares each with its formula.


def relu(x: float) -> float:
    return x if x > 0 else 0.0 if x <= 0 else nan


def sigmoid(x: float) -> float:
    t = math.exp(-x if x > 0 else x)
    return 1.0 / (1.0 + t) if x > 0 else t / (1.0 + t)


def sigmoid_slope(x: float) -> float:
    t = math.exp(-abs(x))
    return t / ((1.0 + t) * (1.0 + t))


def prod(xs: Iterable[float]) -> float:
    return math.prod(xs, start=1.0)
