"""Local derivatives in 50 digits, from the value of an operation alone.

They are coefficients of Taylor series. At a seam, where a row changes its branch, the branch taken
at the point itself says nothing about the derivative: ``m.where(m.equal(x, 0), 1.0, …)`` is
constant there. So at a seam the derivative is the limit of the derivatives on both sides.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from math import inf, nextafter
from typing import Any

from microgradient.check.numbers.branches import choices
from microgradient.check.numbers.number_systems import DIGITS, exact
from microgradient.check.numbers.taylor import AtKink, Series, series_arithmetic
from microgradient.engine.arithmetic import FLOATS, Arithmetic
from microgradient.engine.op import Op

MANY_DIGITS = 40 * DIGITS  # where a formula cancels at operands as small as 5e-324
_TINY = 1e-12  # below, a removable quotient may lose more digits than there are to spare
_ROUNDING = 1e-14  # relative: constants of a row are floats, so its branches may not quite meet
# Distances from a seam: powers of two, relative to the operand unless that is 0, and the digits
# that they need: a removable quotient such as (exp(x) - 1 - x) / x² loses several times as many.
_NEAR = ((-160, 6 * DIGITS), (-1200, MANY_DIGITS))
_SETTLED = 2.0**-60


@cache
def _series(digits: int) -> Arithmetic[Any]:
    return series_arithmetic(exact(digits))


def exact_partial(op: Op, operands: Sequence[Any], i: int, digits: int = 2 * DIGITS) -> Any:
    """Return the derivative of ``op`` by operand ``i``, in 50 digits, from its value alone.

    Raises AtKink where it does not exist, AttributeError or TypeError where the formula of ``op``
    uses a function that mpmath's arithmetic lacks.
    """
    base = exact(digits)
    numbers: list[Any] = [base.lift(x) for x in operands]
    if i == 0 and any(numbers[0] == kink for kink in op.kinks):
        raise AtKink(op.name)
    if op.name in ("floor", "ceil") and base.floor(numbers[0]) == numbers[0]:
        raise AtKink(op.name)
    if _at_seam(op, numbers, i):
        return seam(op, numbers, i).slope(base.lift(op.value(base, *numbers)), op.name)
    return _taylor(op, numbers, i, digits)[1]


def digits_to_try(operands: Iterable[float]) -> tuple[int, ...]:
    """Return the digits to compute with before a fault is told: many if formulas may cancel."""
    tiny = any(0 < abs(x) < _TINY for x in operands)
    return (2 * DIGITS, MANY_DIGITS) if tiny else (2 * DIGITS,)


def limit_at_seam(op: Op, operands: Sequence[float]) -> tuple[float, float] | None:
    """Return the value that ``op`` approaches from both sides at ``operands``, and its error.

    None where the row does not branch there, or where the sides do not meet.
    """
    numbers = [exact().lift(x) for x in operands]
    for i in range(len(numbers)):
        if _at_seam(op, numbers, i):
            found = seam(op, numbers, i)
            if found.left and found.right and found.left.meets(found.right):
                return float(found.right.value), float(found.right.doubt + found.left.doubt)
    return None


def _taylor(op: Op, numbers: Sequence[Any], i: int, digits: int) -> tuple[Any, Any]:
    """Return the value of ``op`` and its derivative by operand ``i``."""
    base = exact(digits)
    moving = Series(base, [numbers[i], base.lift(1)])
    y = op.value(_series(digits), *numbers[:i], moving, *numbers[i + 1 :])
    return (y.coefficients[0], y.coefficients[1]) if type(y) is Series else (y, base.lift(0))


# --- seams --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Side:
    """Value and derivative towards a seam; the derivative may be infinite, or None: no limit."""

    value: Any
    slope: Any
    doubt: Any  # how far the value may be from its limit

    def meets(self, other: Side) -> bool:
        return self.reaches(other.value, other.doubt)

    def reaches(self, value: Any, doubt: Any = 0) -> bool:
        apart = abs(self.value - value)
        return bool(apart <= _ROUNDING * abs(value) + self.doubt + doubt)


@dataclass(frozen=True)
class Seam:
    """Both sides of a point where a row branches; None for one where it has no value."""

    left: Side | None
    right: Side | None

    def slope(self, here: Any, name: str) -> Any:
        """Return the derivative, if both sides have the same, and the value ``here``."""
        sides = [side for side in (self.left, self.right) if side]
        slopes = [side.slope for side in sides if side.slope is not None and side.reaches(here)]
        if not slopes or len(slopes) < len(sides):
            raise AtKink(name)
        one, other = slopes[0], slopes[-1]
        if one != other and not abs(one - other) <= 2.0**-50 * abs(one):
            raise AtKink(name)
        return (one + other) / 2


def _at_seam(op: Op, numbers: Sequence[Any], i: int) -> bool:
    """Return whether ``op`` takes another branch at either side of operand ``i``."""
    here = [float(x) for x in numbers]
    if not (made := choices(op, here, FLOATS)):
        return False
    x = here[i]
    near = (nextafter(x, -inf), nextafter(x, inf), x - _coarse(x), x + _coarse(x))
    if all(choices(op, [*here[:i], t, *here[i + 1 :]], FLOATS) == made for t in near):
        return False  # floats are much faster
    h, digits = _NEAR[0]
    base = exact(digits)
    exactly = [base.lift(number) for number in numbers]
    made = choices(op, exactly, base)
    return any(choices(op, x, base) != made for x in _moved(base, exactly, i, h, (-1, 1)))


def _coarse(x: float) -> float:
    return 2.0**-26 * (1 + abs(x))


def seam(op: Op, numbers: Sequence[Any], i: int) -> Seam:
    """Return what ``op`` approaches where it branches at operand ``i``."""
    return Seam(_side(op, numbers, i, -1), _side(op, numbers, i, 1))


def _side(op: Op, numbers: Sequence[Any], i: int, sign: int) -> Side | None:
    side, slopes = None, list[Any]()
    for exponent, digits in _NEAR:
        base = exact(digits)
        exactly = [base.lift(number) for number in numbers]
        value, slope, doubt = _extrapolated(op, exactly, i, exponent, sign, digits)
        _, closer, _ = _extrapolated(op, exactly, i, exponent - 10, sign, digits)
        if value != value or closer != closer:
            return None
        side = Side(value, _limit(slope, closer, base), doubt)
        if side.slope is not None:
            return side
        slopes += [slope, closer]
    growing = all(abs(a) < abs(b) and a * b > 0 for a, b in pairwise(slopes))
    if side and growing and abs(slopes[-1]) > 4 * abs(slopes[0]):
        return replace(side, slope=slopes[-1] * inf)  # as of x log x at 0
    return side


def _extrapolated(
    op: Op, numbers: Sequence[Any], i: int, exponent: int, sign: int, digits: int
) -> tuple[Any, Any, Any]:
    """Return value and derivative continued to the seam by a straight line, and how far it is."""
    once, twice = _moved(exact(digits), numbers, i, exponent, (sign, 2 * sign))
    (v1, d1), (v2, d2) = _taylor(op, once, i, digits), _taylor(op, twice, i, digits)
    slope = 2 * d1 - d2
    if abs(slope) < exact(digits).lift(2) ** (-3 * digits) * abs(d2):
        slope = slope * 0  # what the subtraction rounded
    return 2 * v1 - v2, slope, 4 * abs(v1 - v2)


def _moved(
    base: Arithmetic[Any], numbers: Sequence[Any], i: int, exponent: int, steps: Sequence[int]
) -> list[list[Any]]:
    """Return ``numbers`` with number ``i`` moved by each of ``steps``, in units of 2^exponent."""
    unit = (abs(numbers[i]) or base.lift(1)) * base.lift(2) ** exponent
    return [[*numbers[:i], numbers[i] + step * unit, *numbers[i + 1 :]] for step in steps]


def _limit(slope: Any, closer: Any, base: Arithmetic[Any]) -> Any:
    """Return the limit of slopes, of which ``closer`` is 1,024 times as near; None if unsettled."""
    if abs(slope - closer) <= _SETTLED * abs(closer):
        return closer
    return base.lift(0) if abs(closer) < abs(slope) / 16 else None
