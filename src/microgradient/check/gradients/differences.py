"""Finite differences that know how far they can be trusted, and what a kink looks like.

Central differences at steps h, h/2, h/4, … are extrapolated to sixth order (Richardson). What the
extrapolation changes bounds its truncation, a bound of f's own error over h its rounding; the step
with the smallest sum is taken, among those at which halving h has the effect that a smooth function
shows. Where the slopes from the left and from the right stay apart, the point is a kink.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import copysign, factorial, frexp, inf, isfinite, nan, sqrt

from microgradient.check.numbers.running_error import UNIT
from microgradient.engine.number import as_float

_ENOUGH = 30.0  # times the best bound so far: smaller steps then only add rounding
_PROBE = 5  # halvings from one probe to the next
_ODD = 0.7310585  # no power of two: those may fall on the grid that f's values are rounded to
_TRUST = 3.0  # times the sum of both estimates


@dataclass(frozen=True)
class Step:
    """A central difference at step ``h``, and how much rounding can have moved it."""

    h: float
    slope: float
    rounding: float


@dataclass(frozen=True)
class Slope:
    """A derivative by finite differences: between ``low`` and ``high``, give or take ``bound``.

    ``kind`` is "smooth" (low and high are one), "kink", "one-sided" (the function ends here),
    "unbounded" (the slopes grow without end: low is -inf or high inf), "undecided", or "overruled"
    (by 50 digits, where differences were fooled).
    """

    kind: str
    low: float
    high: float
    bound: float
    h: float

    def allows(self, derivative: float, bound: float = 0.0) -> bool:
        """Return whether ``derivative``, itself known up to ``bound``, agrees."""
        if self.kind == "unbounded":
            return self.low <= derivative <= self.high
        slack = self.bound + bound
        return self.low - slack <= derivative <= self.high + slack

    def or_rather(self, finer: Slope) -> Slope:
        """Return the better of this and an estimate from smaller steps: ``finer`` where it is
        sharper, and where the two exclude each other: then this one agreed with itself by chance.
        """
        if finer.kind == "undecided":
            return self
        apart = abs(finer.low - self.low) > finer.bound + self.bound
        return finer if finer.bound < self.bound or apart else self

    def widened(self, more: float) -> Slope:
        return replace(self, bound=self.bound + more)


_UNDECIDED = Slope("undecided", nan, nan, inf, nan)


class Stencil:
    """A function of one number around ``x``: its values at x ± h, each computed once.

    ``noise(h)`` bounds the error of f at x - h and x + h.
    """

    def __init__(
        self, f: Callable[[float], float], x: float, noise: Callable[[float], float]
    ) -> None:
        self.f, self.x, self.noise = f, x, noise
        self._here = noise(0.0)
        self._values: dict[float, float] = {}

    def at(self, offset: float) -> float:
        if offset not in self._values:
            self._values[offset] = self.f(self.x + offset)
        return self._values[offset]

    @cached_property
    def steps(self) -> list[float]:
        """The steps that are worth trying, powers of two from the largest to the smallest."""
        exponent = frexp(self.x)[1] if self.x else 0
        largest = max(exponent, 0) - 3
        smallest = exponent - 44 if self.x else -60
        return [2.0**k for k in range(largest, max(smallest, -1000), -1)]

    def step(self, h: float) -> Step:
        """Return the central difference at ``h``; nan where f is not finite."""
        above, below = self.x + h, self.x - h
        slope = (self.at(h) - self.at(-h)) / (above - below)
        moved = abs((above - self.x) - h) + abs((self.x - below) - h)  # if x ± h was rounded
        noise = max(self._here, UNIT * max(abs(self.at(h)), abs(self.at(-h))))
        return Step(h, slope, (noise + moved * abs(slope)) / h)

    def curve(self) -> list[Step]:
        """Return the central difference at every step: the data of the U."""
        return [step for step in map(self.step, self.steps) if isfinite(step.slope)]

    def judge(self, derivative: float, bound: float) -> Slope:
        """Return what the differences say, looking for a kink only where they disagree."""
        central = self._central(self.steps)
        if central.allows(derivative, bound):
            return central
        sides = self._with_sides(central)
        if sides.kind == "unbounded" and isfinite(derivative):
            return _UNDECIDED  # or the steps are too large to see where growing ends
        return sides

    def _central(self, steps: Sequence[float]) -> Slope:
        """Return the extrapolated central difference with the smallest bound, or "undecided".

        It must also hold at much smaller steps, if only as far as rounding lets these tell: what
        looks smooth from afar may have a structure of its own near x.
        """
        best, seen = _UNDECIDED, list[Step]()
        for h in steps:
            step = self.step(h)
            if not isfinite(step.slope):
                seen = []
                continue
            seen.append(step)
            if len(seen) >= 4:
                best = best.or_rather(_extrapolated(seen[-4:]))
            if step.rounding > _ENOUGH * best.bound:
                break
        if best.kind == "undecided":
            return best
        best = best.widened(2 * self.noise(best.h) / best.h)
        for h in [h for h in steps if h < best.h][_PROBE::_PROBE]:
            probe = self.step(h)
            if abs(probe.slope - best.low) > best.bound + 4 * probe.rounding:
                return self._central([smaller for smaller in steps if smaller < 64 * h])
        return best

    def _with_sides(self, central: Slope) -> Slope:
        left, right = self._side(-1.0), self._side(1.0)
        known = [side for side in (left, right) if side.low == side.low]
        if len(known) == 2 and all(isfinite(side.low) for side in known):
            bound = left.bound + right.bound
            if abs(left.low - right.low) > bound or central.kind == "undecided":
                low, high = sorted((left.low, right.low))
                return Slope("kink", low, high, bound, max(left.h, right.h))
            return central
        if not known:
            return _UNDECIDED
        if not all(isfinite(side.low) for side in known):
            lows = [side.low for side in known]
            return Slope("unbounded", min(lows), max(lows), 0.0, nan)
        return replace(known[0], kind="one-sided")

    def _side(self, sign: float) -> Slope:
        """Return the slope on one side of x, from points that leave x itself out.

        ±inf where the slopes grow without end, nan where f is not finite. The derivative at 0 of
        the parabola through the values at h, 2h, 4h.
        """
        best, previous, before, grown = _UNDECIDED, nan, nan, 0
        for h in self.steps[2:]:
            y = [self.at(sign * k * h) for k in (1, 2, 4)]
            if not all(map(isfinite, y)):
                previous = nan
                continue
            slope = sign * (-2 * y[0] + 2.5 * y[1] - 0.5 * y[2]) / h
            rounding = 5 * (self._here + UNIT * max(map(abs, y))) / h
            change = abs(slope - previous)
            if change == change:
                growing = abs(slope) > max(1.1 * abs(previous), 10 * rounding)
                grown = grown + 1 if growing else 0
                if change <= max(0.75 * before, 2 * rounding):
                    bound = _TRUST * (change + rounding)
                    best = best.or_rather(Slope("side", slope, slope, bound, h))
            if rounding > 1e3 * best.bound:
                break
            previous, before = slope, change
        if grown >= 8:
            return Slope("side", copysign(inf, previous), copysign(inf, previous), 0.0, nan)
        return best.widened(5 * self.noise(4 * best.h) / best.h) if best.kind == "side" else best


def _extrapolated(steps: Sequence[Step]) -> Slope:
    """Return the sixth-order value of the last three of four steps, each half the one before.

    The first step shows whether h is small enough: halving it must have brought the fourth-order
    values eight times closer together (16 times, in the limit), or into the noise. Where it is, the
    sixth-order values of the first and the last three steps differ by 63 times the error.
    """
    d = [step.slope for step in steps]
    fourth = [b + (b - a) / 3 for a, b in itertools.pairwise(d)]
    sixth = [b + (b - a) / 15 for a, b in itertools.pairwise(fourth)]
    rounding = 2 * steps[-1].rounding
    change, before = abs(fourth[2] - fourth[1]), abs(fourth[1] - fourth[0])
    if change > max(before / 8, 2 * rounding):
        return _UNDECIDED
    bound = abs(sixth[1] - sixth[0]) / 2 + _TRUST * rounding
    return Slope("smooth", sixth[1], sixth[1], bound, steps[-1].h)


def quiet(f: Callable[[float], float]) -> Callable[[float], float]:
    """Return ``f`` with nan where it raises an arithmetic error, as Python's math does."""

    def applied(x: float) -> float:
        try:
            y = f(x)
        except (ArithmeticError, LookupError, ValueError):
            return nan
        return nan if isinstance(y, complex) else as_float(y)

    return applied


def measured_noise(f: Callable[[float], float], x: float) -> float:
    """Return the noise of a function of plain floats near x, from a table of differences.

    The largest at three spacings, as rounding to a coarse grid shows only between its points, on
    the quieter side of x, as a kink or a jump is no noise. At least one rounding of f. Source: Moré
    and Wild, Estimating Computational Noise, SIAM J. Sci. Comput. 33, 2011, section 4.
    """
    noise = size = 0.0
    for exponent in (-40, -30, -20):
        spacing = max(abs(x), 1.0) * 2.0**exponent * _ODD
        sides = [[f(x + sign * i * spacing) for i in range(9)] for sign in (1, -1)]
        known = [values for values in sides if all(map(isfinite, values))]
        if known:
            noise = max(noise, min(map(_table_noise, known)))
            size = max(size, *(abs(y) for y in known[0]))
    return 8 * noise + UNIT * size


def _table_noise(values: Sequence[float]) -> float:
    levels = []
    for k in range(1, 7):
        values = [b - a for a, b in itertools.pairwise(values)]
        gamma = factorial(k) ** 2 / factorial(2 * k)
        levels.append(sqrt(gamma * sum(t * t for t in values) / len(values)))
    return max(levels[3:])
