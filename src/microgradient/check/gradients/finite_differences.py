"""Finite differences with error bounds, that recognise kinks.

Central differences at steps h, h/2, h/4, … are extrapolated to sixth order (Richardson). The change
made by extrapolating bounds the truncation error; the error of f itself, divided by h, bounds the
rounding error. Among the steps where halving h has the effect it has on a smooth function, the one
with the smallest sum of both is used. If the slopes from the left and the right stay apart, the
point is a kink.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import copysign, factorial, frexp, inf, isfinite, nan, sqrt

from microgradient.check.numbers.running_error import TINY, UNIT
from microgradient.engine.number import as_float

_ENOUGH = 30.0  # times the best bound so far: from here on, smaller steps only add rounding
_PROBE = 5  # halvings from one probe to the next
_ODD = 0.7310585  # not a power of two: those may fall on the grid that f's values are rounded to
_FINEST, _WIDEST, _WIDER = 2.0**-48, 2.0**-20, 16.0  # spacings of tables, relative to x
_FINEST_AT_0 = 2.0**-80
_SMOOTH = 256.0  # times the noise: f changes this much from point to point
_SAFETY = 3.0  # times the estimate of the rounding error, or of both errors at one side


@dataclass(frozen=True)
class CentralDifference:
    """A central difference with step ``h``, and how far rounding can have moved it."""

    h: float
    slope: float
    rounding: float


@dataclass(frozen=True)
class Slope:
    """A derivative by finite differences: between ``low`` and ``high``, give or take ``bound``.

    ``kind`` is "smooth" (low equals high), "kink", "one-sided" (the function ends here),
    "unbounded" (the slopes grow without limit: low is -inf or high inf), "undecided", or
    "overruled" (by 50 digits, where the differences were misled).
    """

    kind: str
    low: float
    high: float
    bound: float
    h: float

    def allows(self, derivative: float, bound: float = 0.0) -> bool:
        """Return whether ``derivative``, itself known to within ``bound``, agrees."""
        if self.kind == "unbounded":
            return self.low <= derivative <= self.high
        slack = self.bound + bound
        return self.low - slack <= derivative <= self.high + slack

    def refined_by(self, finer: Slope) -> Slope:
        """Return the better of this and ``finer``, an estimate from smaller steps.

        That is ``finer`` if its bound is smaller, or if the two exclude each other: then this one
        agreed with itself by chance.
        """
        if finer.kind == "undecided":
            return self
        apart = abs(finer.low - self.low) > finer.bound + self.bound
        return finer if finer.bound < self.bound or apart else self

    def widened(self, more: float) -> Slope:
        return replace(self, bound=self.bound + more)

    def __str__(self) -> str:
        if self.kind in ("undecided", "overruled"):
            return self.kind
        if self.kind == "unbounded":
            return f"unbounded, towards {self.low:g}"
        if self.kind == "kink":
            return f"a kink: from {self.low:.9g} to {self.high:.9g} ± {self.bound:.1g}"
        side = ", from one side" if self.kind == "one-sided" else ""
        return f"{self.low:.15g} ± {self.bound:.1g}{side}"


_UNDECIDED = Slope("undecided", nan, nan, inf, nan)


class Stencil:
    """A function of one number near ``x``: its values at x ± h, each computed once.

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
        """The step sizes worth trying: powers of two, the largest first."""
        exponent = frexp(self.x)[1] if self.x else 0
        largest = max(exponent, 0) - 3
        smallest = exponent - 44 if self.x else -60
        return [2.0**k for k in range(largest, max(smallest, -1060), -1)]

    def central(self, h: float) -> CentralDifference:
        """Return the central difference with step ``h``; its slope is nan where f is not finite."""
        above, below = self.x + h, self.x - h
        slope = (self.at(h) - self.at(-h)) / (above - below)
        moved = abs((above - self.x) - h) + abs((self.x - below) - h)  # by rounding x ± h
        noise = max(self._here, UNIT * max(abs(self.at(h)), abs(self.at(-h)))) + TINY
        return CentralDifference(h, slope, (noise + moved * abs(slope)) / h)

    def curve(self) -> list[CentralDifference]:
        """Return the finite central differences of every step size: the data of the U curve."""
        return [d for d in map(self.central, self.steps) if isfinite(d.slope)]

    def judge(self, derivative: float, bound: float) -> Slope:
        """Return the slope, looking for a kink only if ``derivative`` is contradicted."""
        central = self._extrapolated(self.steps)
        if central.allows(derivative, bound):
            return central
        sides = self._with_sides(central)
        if sides.kind == "unbounded" and isfinite(derivative):
            return _UNDECIDED  # the steps may be too large to show where the growth ends
        return sides

    def _extrapolated(self, steps: Sequence[float]) -> Slope:
        """Return the extrapolated central difference with the smallest bound, or "undecided".

        Much smaller steps must confirm it, as far as their rounding errors allow: a function that
        looks smooth from afar may have finer structure near x.
        """
        best, seen = _UNDECIDED, list[CentralDifference]()
        for h in steps:
            difference = self.central(h)
            if not isfinite(difference.slope):
                seen = []
                continue
            seen.append(difference)
            if len(seen) >= 4:
                best = self._refined(best, _richardson(seen[-4:]), 2.0)
            if difference.rounding > _ENOUGH * best.bound:
                break
        if best.kind == "undecided":
            return best
        for h in [h for h in steps if h < best.h][_PROBE::_PROBE]:
            probe = self.central(h)
            apart = abs(probe.slope - best.low) - best.bound - 4 * probe.rounding
            if apart > 0 and apart > 2 * self.noise(h) / h:
                return self._extrapolated([smaller for smaller in steps if smaller < 64 * h])
        return best

    def _refined(self, best: Slope, finer: Slope, weight: float) -> Slope:
        """Return the better slope, with the error of f at ``finer`` counted in.

        Near x that error may be far larger than at x, as where (exp(x) - 1) / x has a value of its
        own at 0; so a slope that looks finer may be worth nothing.
        """
        if best.refined_by(finer) is not finer:
            return best
        farthest = 4 * finer.h if finer.kind == "side" else finer.h
        noise = max(self.noise(finer.h), self.noise(farthest))
        return best.refined_by(finer.widened(weight * noise / finer.h))

    def _with_sides(self, central: Slope) -> Slope:
        left, right = (self._side(sign, self.steps[2:]) for sign in (-1.0, 1.0))
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

    def _side(self, sign: float, steps: Sequence[float]) -> Slope:
        """Return the slope on one side of x, from points other than x itself.

        ±inf where the slopes grow without limit, nan where f is not finite. As for central
        differences, much smaller steps must confirm it.
        """
        best, previous, before, grown = _UNDECIDED, nan, nan, 0
        for h in steps:
            slope, rounding = self._parabola(sign, h)
            if not isfinite(slope):
                previous = nan
                continue
            change = abs(slope - previous)
            if change == change:
                growing = abs(slope) > max(1.1 * abs(previous), 10 * rounding)
                grown = grown + 1 if growing else 0
                if change <= max(0.75 * before, 2 * rounding):
                    bound = _SAFETY * (change + rounding)
                    best = self._refined(best, Slope("side", slope, slope, bound, h), 5.0)
            if rounding > 1e3 * best.bound and not grown:
                break
            previous, before = slope, change
        if grown >= 8:
            return Slope("side", copysign(inf, previous), copysign(inf, previous), 0.0, nan)
        if best.kind == "undecided":
            return best
        for h in [h for h in steps if h < best.h][_PROBE::_PROBE]:
            slope, rounding = self._parabola(sign, h)
            apart = abs(slope - best.low) - best.bound - 4 * rounding
            if apart > 0 and apart > 5 * self.noise(h) / h:
                return self._side(sign, [smaller for smaller in steps if smaller < 64 * h])
        return best

    def _parabola(self, sign: float, h: float) -> tuple[float, float]:
        """Return the slope at x of the parabola through the values at h, 2h, 4h, and its error."""
        y = [self.at(sign * k * h) for k in (1, 2, 4)]
        slope = sign * (-2 * y[0] + 2.5 * y[1] - 0.5 * y[2]) / h
        return slope, 5 * (self._here + UNIT * max(map(abs, y)) + TINY) / h


def _richardson(differences: Sequence[CentralDifference]) -> Slope:
    """Return the sixth-order value from the last three of four steps, each half the one before.

    The first step shows whether h is small enough: halving it must bring the fourth-order values
    eight times closer together (16 times, in the limit), or to within the noise. If so, the
    sixth-order values of the first and the last three steps differ by 63 times the error.
    """
    d = [difference.slope for difference in differences]
    fourth = [b + (b - a) / 3 for a, b in itertools.pairwise(d)]
    sixth = [b + (b - a) / 15 for a, b in itertools.pairwise(fourth)]
    rounding = 2 * differences[-1].rounding
    change, before = abs(fourth[2] - fourth[1]), abs(fourth[1] - fourth[0])
    if change > max(before / 8, 2 * rounding):
        return _UNDECIDED
    bound = abs(sixth[1] - sixth[0]) / 2 + _SAFETY * rounding
    return Slope("smooth", sixth[1], sixth[1], bound, differences[-1].h)


def nan_for_errors(f: Callable[[float], float]) -> Callable[[float], float]:
    """Return ``f`` with nan in place of an arithmetic error, such as Python's math raises."""

    def applied(x: float) -> float:
        try:
            y = f(x)
        except (ArithmeticError, LookupError, ValueError):
            return nan
        return nan if isinstance(y, complex) else as_float(y)

    return applied


def measured_noise(f: Callable[[float], float], x: float) -> float:
    """Return the noise of a function of plain floats near x, from tables of differences.

    The spacing grows from a few roundings of x until f varies smoothly from point to point, far
    above its noise: beyond, structure of f would count as noise, and below, rounding to a coarse
    grid may not show. Measured on the quieter side of x, since a kink or a jump is not noise; at
    least one rounding of f. Source: Moré and Wild, Estimating Computational Noise, SIAM J. Sci.
    Comput. 33, 2011, section 4.
    """
    noise = size = 0.0
    spacing = max(abs(x) * _FINEST, 64 * TINY) if x else _FINEST_AT_0
    smooth = 0
    while spacing < max(abs(x), 1.0) * _WIDEST and smooth < 2:
        step = spacing * _ODD
        sides = [[f(x + sign * i * step) for i in range(9)] for sign in (1, -1)]
        known = [values for values in sides if all(map(isfinite, values))]
        if known:
            found, change = min(map(_table_noise, known))
            noise, size = max(noise, found), max(size, *map(abs, known[0]))
            smooth = smooth + 1 if change > _SMOOTH * found else 0
        spacing *= _WIDER
    return 8 * noise + UNIT * size


def _table_noise(values: Sequence[float]) -> tuple[float, float]:
    """Return the noise of equidistant values, and how much they change from one to the next."""
    largest = max(map(abs, values)) or 1.0
    values = [y / largest for y in values]  # a square of 1e200, or of 1e-200, does not fit a float
    levels, changes = [], [b - a for a, b in itertools.pairwise(values)]
    for k in range(1, 7):
        values = [b - a for a, b in itertools.pairwise(values)]
        gamma = factorial(k) ** 2 / factorial(2 * k)
        levels.append(sqrt(gamma * sum(t * t for t in values) / len(values)))
    change = sqrt(sum(t * t for t in changes) / len(changes))
    return largest * max(levels[3:]), largest * change
