"""Truncated Taylor series as numbers: derivatives of any order from values alone.

A series x0 + x1 t + … + xn tⁿ is a dual number of order n. Its functions follow from differential
equations (for v = exp(u): v' = v u'), so they share no formula with the rows of the table, whose
``partials`` they check. The coefficients may be floats, Fractions or mpmath numbers. Source:
Griewank and Walther, Evaluating Derivatives, chapter 13.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from operator import add
from typing import Any

from microgradient.engine.arithmetic import Arithmetic


class AtKink(Exception):
    """Raised at a kink or a jump, where the function has no Taylor series.

    Also at a point that ``m.equal`` gives a value of its own: the series of that value is not the
    function's.
    """


class Series:
    """The coefficients of a truncated series, and the arithmetic of these coefficients."""

    __slots__ = ("base", "coefficients")

    def __init__(self, base: Arithmetic[Any], coefficients: Sequence[Any]) -> None:
        self.base = base
        self.coefficients = list(coefficients)

    def cut(self) -> Series:
        """Return the series without its highest term."""
        return Series(self.base, self.coefficients[:-1])

    def like(self, number: Any) -> Series:
        """Return ``number`` as a constant series of the same order."""
        if type(number) is Series:
            return number
        zero = self.base.lift(0)
        return Series(self.base, [self.base.lift(number), *[zero] * (len(self.coefficients) - 1)])

    def is_constant(self) -> bool:
        return all(c == 0 for c in self.coefficients[1:])

    def __neg__(self) -> Series:
        return Series(self.base, [-c for c in self.coefficients])

    def __add__(self, other: Any) -> Series:
        pairs = zip(self.coefficients, self.like(other).coefficients)
        return Series(self.base, [a + b for a, b in pairs])

    def __sub__(self, other: Any) -> Series:
        return self + -self.like(other)

    def __mul__(self, other: Any) -> Series:
        a, b = self.coefficients, self.like(other).coefficients
        return Series(
            self.base,
            [reduce(add, [a[j] * b[k - j] for j in range(k + 1)]) for k in range(len(a))],
        )

    __radd__ = __add__
    __rmul__ = __mul__

    def __rsub__(self, other: Any) -> Series:
        return self.like(other) - self

    def __lt__(self, other: Any) -> bool:
        return bool(self.coefficients[0] < self.like(other).coefficients[0])

    def __gt__(self, other: Any) -> bool:
        return bool(self.coefficients[0] > self.like(other).coefficients[0])

    def __le__(self, other: Any) -> bool:
        return not self > other

    def __ge__(self, other: Any) -> bool:
        return not self < other


# v' = slope(u) u', from v's differential equation; m computes with series one term shorter.
_SLOPES: dict[str, Callable[[Arithmetic[Series], Series], Series]] = {
    "exp": lambda m, u: m.exp(u),
    "expm1": lambda m, u: m.exp(u),
    "log": lambda m, u: m.div(1, u),
    "log1p": lambda m, u: m.div(1, u + 1),
    "log2": lambda m, u: m.div(1, u * m.log(u.like(2)).coefficients[0]),
    "log10": lambda m, u: m.div(1, u * m.log(u.like(10)).coefficients[0]),
    "sqrt": lambda m, u: m.div(1, 2 * m.sqrt(u)),
    "cbrt": lambda m, u: m.div(m.cbrt(u), 3 * u),
    "sin": lambda m, u: m.cos(u),
    "cos": lambda m, u: -m.sin(u),
    "tan": lambda m, u: m.div(1, m.cos(u) * m.cos(u)),
    "asin": lambda m, u: m.div(1, m.sqrt(1 - u * u)),
    "acos": lambda m, u: m.div(-1, m.sqrt(1 - u * u)),
    "atan": lambda m, u: m.div(1, 1 + u * u),
    "sinh": lambda m, u: m.cosh(u),
    "cosh": lambda m, u: m.sinh(u),
    "tanh": lambda m, u: m.div(1, m.cosh(u) * m.cosh(u)),
    "asinh": lambda m, u: m.div(1, m.sqrt(u * u + 1)),
    "acosh": lambda m, u: m.div(1, m.sqrt(u * u - 1)),
    "atanh": lambda m, u: m.div(1, 1 - u * u),
    "erf": lambda m, u: m.exp(-(u * u)) * _two_over_root_pi(m, u),
    "erfc": lambda m, u: -m.exp(-(u * u)) * _two_over_root_pi(m, u),
    "erfinv": lambda m, u: m.div(1, m.exp(-m.erfinv(u) * m.erfinv(u)) * _two_over_root_pi(m, u)),
    "gamma": lambda m, u: m.gamma(u) * m.digamma(u),
    "sinc": lambda m, u: m.sinc_derivative(1, u),
    "lgamma": lambda m, u: m.digamma(u),
    "digamma": lambda m, u: m.polygamma(1, u),
}


def _two_over_root_pi(m: Arithmetic[Series], u: Series) -> Any:
    return m.div(2, m.sqrt(4 * m.atan(u.like(1)))).coefficients[0]


def series_arithmetic(base: Arithmetic[Any]) -> Arithmetic[Series]:
    """Return the arithmetic of series over ``base``, which must also have ``base.lift(number)``."""

    def integrated(first: Any, *terms: tuple[Series, Any]) -> Series:
        """Return v with v(0) = first and v' = the sum of slope u' over the pairs (u, slope)."""
        v = [first]
        for k in range(1, len(terms[0][0].coefficients)):
            total = base.lift(0)
            for u, slope in terms:
                for j in range(1, k + 1):
                    if u.coefficients[j] != 0:  # else the slope need not be finite
                        total += base.lift(j) * u.coefficients[j] * slope.coefficients[k - j]
            v.append(base.div(total, base.lift(k)))
        return Series(base, v)

    def function(name: str, rule: Callable[..., Series]) -> Callable[..., Any]:
        """Return m.<name>: ``rule`` for series that vary, the base's own function for constants."""

        def applied(*operands: Any) -> Any:
            model = next((x for x in operands if type(x) is Series), None)
            if model is None:
                return getattr(base, name)(*map(base.lift, operands))
            series = [model.like(x) for x in operands]
            if all(x.is_constant() for x in series):
                return model.like(getattr(base, name)(*[x.coefficients[0] for x in series]))
            return rule(*series)

        return applied

    def smooth(name: str) -> Callable[[Series], Series]:
        def rule(u: Series) -> Series:
            first = getattr(base, name)(u.coefficients[0])
            return integrated(first, (u, _SLOPES[name](m, u.cut())))

        return rule

    def divided(x: Series, y: Series) -> Series:
        quotient: list[Any] = []
        for k, c in enumerate(x.coefficients):
            for j in range(1, k + 1):
                c = c - y.coefficients[j] * quotient[k - j]
            quotient.append(base.div(c, y.coefficients[0]))
        return Series(base, quotient)

    def power(x: Series, p: Series) -> Series:
        exponent = p.coefficients[0]
        first = base.pow(x.coefficients[0], exponent)
        if not p.is_constant():
            x_cut, p_cut = x.cut(), p.cut()
            v = m.pow(x_cut, p_cut)
            return integrated(first, (x, m.div(p_cut * v, x_cut)), (p, v * m.log(x_cut)))
        if exponent == 0:
            return x.like(1)
        return integrated(first, (x, m.pow(x.cut(), exponent - 1) * exponent))

    def circle(y: Series, x: Series) -> Series:
        y_cut, x_cut = y.cut(), x.cut()
        square = x_cut * x_cut + y_cut * y_cut
        first = base.atan2(y.coefficients[0], x.coefficients[0])
        return integrated(first, (y, m.div(x_cut, square)), (x, m.div(-y_cut, square)))

    def hypotenuse(x: Series, y: Series) -> Series:
        first = base.hypot(x.coefficients[0], y.coefficients[0])
        if first == 0:
            raise AtKink("hypot at the origin")
        h = m.hypot(x.cut(), y.cut())
        return integrated(first, (x, m.div(x.cut(), h)), (y, m.div(y.cut(), h)))

    def flat(name: str) -> Callable[[Series], Series]:
        def rule(u: Series) -> Series:
            if name in ("sign", "step") and u.coefficients[0] == 0:
                raise AtKink(name)  # not for floor and ceil: in rows they only sharpen a formula
            return u.like(getattr(base, name)(u.coefficients[0]))

        return rule

    def larger(x: Series, y: Series) -> Series:
        if x.coefficients == y.coefficients:
            return x
        if not x > y and not y > x:
            raise AtKink("a tie")
        return x if x > y else y

    def numbered(name: str) -> Callable[[Series, Series], Series]:
        """Return the rule for a family whose next member is the derivative of the one before."""

        def rule(n: Series, u: Series) -> Series:
            order = n.coefficients[0]
            first = getattr(base, name)(order, u.coefficients[0])
            return integrated(first, (u, getattr(m, name)(order + 1, u.cut())))

        return rule

    def remainder(x: Series, y: Series) -> Series:
        rest = base.mod(x.coefficients[0], y.coefficients[0])
        if rest == 0:
            raise AtKink("a multiple")
        quotient = base.div(x.coefficients[0] - rest, y.coefficients[0])
        return x - y * y.like(base.floor(quotient + base.div(1, 2)))

    def equal(x: Any, y: Any) -> bool:
        if first(x) != first(y):
            return False
        model = next((z for z in (x, y) if type(z) is Series), None)
        if model is not None and not (model.like(x) - y).is_constant():
            raise AtKink("equal")
        return True

    def first(x: Any) -> Any:
        return x.coefficients[0] if type(x) is Series else x

    rules: dict[str, Callable[..., Series]] = {
        **{name: smooth(name) for name in _SLOPES},
        **{name: flat(name) for name in ("sign", "step", "floor", "ceil")},
        "div": divided,
        "pow": power,
        "atan2": circle,
        "hypot": hypotenuse,
        "abs": lambda u: u * m.sign(u),
        "maximum": larger,
        "minimum": lambda x, y: -larger(-x, -y),
        "polygamma": numbered("polygamma"),
        "sinc_derivative": numbered("sinc_derivative"),
        "mod": remainder,
    }
    m = Arithmetic(
        {
            **{name: function(name, rule) for name, rule in rules.items()},
            "fsum": lambda xs: reduce(add, xs, 0),
            "where": lambda condition, x, y: x if condition else y,
            "equal": equal,
            "detach": lambda x: x.like(first(x)) if type(x) is Series else x,
        }
    )
    return m
