"""The arithmetics in which a recorded graph can be evaluated again.

Each supplies the primitives of the table for another kind of number; every other row follows from
its formula. ``lift`` converts a float to such a number without rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import cache, reduce
from operator import add
from typing import Any

from microgradient.engine.arithmetic import FLOATS, Arithmetic
from microgradient.engine.ops import OPS

DIGITS = 50  # far more than are lost to a condition number of 1e16, even twice


def _chosen(condition: Any, x: Any, y: Any) -> Any:
    return x if condition else y


_FAR = 2**2000  # beyond the result of any one operation on floats
_CHOICE: dict[str, Callable[..., Any]] = {
    "where": _chosen,
    "equal": lambda x, y: x == y,
    "detach": lambda x: x,
}


@cache
def floats() -> Arithmetic[float]:
    """Return the arithmetic of floats, with ``lift``."""
    return Arithmetic({**FLOATS.native, "lift": float})


def named_as_in(library: Any) -> dict[str, Callable[..., Any]]:
    """Return what ``library`` has under the names of the table's primitives."""
    names = [name for name, op in OPS.items() if op.primitive and hasattr(library, name)]
    return {name: getattr(library, name) for name in names}


# --- mpmath: as many digits as one likes --------------------------------------------------------


class _MinusZero:
    """Marks a zero of mpmath as -0.0."""

    __slots__ = ()


@cache
def exact(digits: int = 2 * DIGITS) -> Arithmetic[Any]:
    """Return the arithmetic of mpmath's real numbers: 50 digits, and 50 more for cancellation.

    It has its own context, independent of mpmath's global precision. Undefined results are nan.
    ``lift`` keeps the sign of -0.0, which mpmath's numbers lack, for the functions that see it.
    Raises ImportError, saying what to install, without mpmath.
    """
    mp = mpmath().MPContext()
    mp.dps = digits

    def real(function: Callable[..., Any]) -> Callable[..., Any]:
        def applied(*xs: Any) -> Any:
            try:
                y = function(*map(mp.mpf, xs))
            except (ZeroDivisionError, ValueError):
                return mp.nan
            return y if isinstance(y, mp.mpf) else mp.nan

        return applied

    minus_zero = type("Zero", (_MinusZero, mp.mpf), {"__slots__": ()})(0)

    def lifted(x: Any) -> Any:
        minus = type(x) is float and x == 0 and math.copysign(1.0, x) < 0
        return minus_zero if minus or isinstance(x, _MinusZero) else mp.mpf(x)

    def below(x: Any) -> bool:
        return x < 0 or isinstance(x, _MinusZero)

    def divided(x: Any, y: Any) -> Any:
        if y == 0:
            infinity = -mp.inf if below(x) is not below(y) else mp.inf
            return mp.nan if x == 0 or x != x else infinity
        return mp.mpf(x) / y

    def angle(y: Any, x: Any) -> Any:
        if y == 0 and x == x:
            size = +mp.pi if below(x) else mp.zero
            return -size if below(y) else size
        return real(mp.atan2)(y, x)

    def bounded(function: Callable[[Any], Any], low: Any, high: Any) -> Callable[[Any], Any]:
        """Return ``function`` with its limits for huge operands, where mpmath never finishes."""
        return lambda x: high if x > _FAR else low if x < -_FAR else function(x)

    def sinc_derivative(n: Any, x: Any) -> Any:
        """Return the n-th derivative of sinc, from x f + n g = pi^(n-1) sin(pi x + n pi/2)."""
        if x == 0:
            return mp.cospi(n / 2) * mp.pi**n / (n + 1)
        with mp.extraprec(2 * (int(n) + 1) * max(1, -mp.mag(x))):
            f = mp.sincpi(x)
            for k in range(1, int(n) + 1):
                f = (mp.pi ** (k - 1) * mp.sinpi(x + mp.mpf(k) / 2) - k * f) / x
        return +f

    functions: dict[str, Callable[..., Any]] = {
        **named_as_in(mp),
        "exp": bounded(mp.exp, mp.zero, mp.inf),
        "expm1": bounded(mp.expm1, -mp.one, mp.inf),
        "sinh": bounded(mp.sinh, -mp.inf, mp.inf),
        "cosh": bounded(mp.cosh, mp.inf, mp.inf),
        "tanh": bounded(mp.tanh, -mp.one, mp.one),
        "erf": bounded(mp.erf, -mp.one, mp.one),
        "erfc": bounded(mp.erfc, mp.mpf(2), mp.zero),
        "log2": lambda x: mp.log(x) / mp.log(2) if x > 0 else -mp.inf if x == 0 else mp.nan,
        "log10": lambda x: mp.log(x) / mp.log(10) if x > 0 else -mp.inf if x == 0 else mp.nan,
        "cbrt": lambda x: mp.sign(x) * mp.cbrt(abs(x)),
        "pow": lambda x, p: x**p,
        "lgamma": lambda x: mp.log(abs(mp.gamma(x))),
        "polygamma": lambda n, x: mp.psi(int(n), x),
        "sinc": mp.sincpi,
        "sinc_derivative": sinc_derivative,
        "mod": lambda x, y: x - y * mp.floor(x / y) if x - x == 0 == y - y else mp.nan,
        "abs": abs,
        "step": lambda x: mp.mpf(x > 0),
        "maximum": max,
        "minimum": min,
    }
    return Arithmetic(
        {
            **{name: real(f) for name, f in functions.items()},
            **_CHOICE,
            "div": lambda x, y: divided(lifted(x), lifted(y)),
            "atan2": lambda y, x: angle(lifted(y), lifted(x)),
            "fsum": mp.fsum,
            "lift": lifted,
        }
    )


def mpmath() -> Any:
    """Return the module mpmath; raise ImportError, saying what to install, without it."""
    try:
        import mpmath
    except ImportError:
        raise ImportError(
            "this needs mpmath; install it with: pip install 'microgradient[check]'"
        ) from None
    return mpmath


# --- rational numbers: no rounding at all -------------------------------------------------------


def _rational_power(x: Fraction, p: Fraction) -> Fraction:
    if p.denominator != 1:
        raise TypeError(f"{x} ** {p} is not rational; write an integer exponent")
    return x**p.numerator


@cache
def rationals() -> Arithmetic[Any]:
    """Return the arithmetic of Fractions: + - * /, integer powers, piecewise linear operations."""
    return Arithmetic(
        {
            **_CHOICE,
            "div": lambda x, y: Fraction(x) / Fraction(y),
            "pow": lambda x, p: _rational_power(Fraction(x), Fraction(p)),
            "mod": lambda x, y: Fraction(x) % Fraction(y),
            "abs": abs,
            "sign": lambda x: Fraction((x > 0) - (x < 0)),
            "step": lambda x: Fraction(x > 0),
            "floor": lambda x: Fraction(math.floor(x)),
            "ceil": lambda x: Fraction(math.ceil(x)),
            "maximum": max,
            "minimum": min,
            "fsum": lambda xs: reduce(add, xs, Fraction(0)),
            "lift": _rational,
        }
    )


def _rational(x: Any) -> Any:
    try:
        return Fraction(x)
    except (OverflowError, ValueError):  # an infinite bound, as of clip, can still be compared
        return x
