"""The accuracy of a row: distances from 50 digits, in units in the last place (ulps)."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil, inf, isfinite, isnan, nan, ulp
from random import Random
from typing import Any

from microgradient.check.numbers.exact_partials import exact_partial
from microgradient.check.numbers.number_systems import DIGITS, exact, mpmath
from microgradient.check.numbers.taylor import AtKink
from microgradient.engine.arithmetic import FLOATS
from microgradient.engine.number import positive, shown
from microgradient.engine.op import Op

SPECIAL_NUMBERS = (0.0, -0.0, 1.0, -1.0, inf, -inf, nan, 5e-324, 1.7e308)
_MANY, _FEWEST = 8, 3  # operands from which on derivatives are measured at fewer points
_MORE_DIGITS = 3 * DIGITS  # a third for the step, a third for cancellation in the difference


@dataclass(frozen=True)
class Accuracy:
    """How far the value, or one local derivative, is from the exact one, in ulps.

    ``worst`` is the largest distance, found ``at`` these operands; 99 % of the points are within
    ``p99``. The conditioned distances are divided by one plus the condition number of the point,
    because rounding the operands alone costs as many ulps as the condition number.
    """

    what: str
    points: int
    worst: float
    at: tuple[float, ...]
    p99: float
    conditioned_p99: float
    conditioned_worst: float


def sample(op: Op, points: int) -> Iterator[list[float]]:
    """Yield operands of ``op`` in its domain, the same in every run."""
    rng = Random(op.name)
    intervals = intervals_of(op)
    for k in range(points):
        yield [_between(rng, a, b, k % 2 == 1) for a, b in intervals]


def intervals_of(op: Op, operands: int | None = None) -> list[tuple[float, float]]:
    """Return an interval for each operand; raise ValueError for an invalid domain."""
    if not op.domain or not all(
        len(pair) == 2 and isfinite(pair[0]) and isfinite(pair[1]) and pair[0] <= pair[1]
        for pair in op.domain
    ):
        raise ValueError(
            f"the domain of {op.name} must hold a finite interval (low, high) for each operand, "
            f"got {shown(op.domain)}"
        )
    count = positive(operands, "operands") if operands is not None else _operand_count(op)
    return [interval_of(op, i) for i in range(count)]


def _operand_count(op: Op) -> int:
    """Return how many operands the row names, or else as many as its domain has intervals."""
    given = len(op.domain)
    try:
        parameters = [*inspect.signature(op.value).parameters.values()][1:]
    except (TypeError, ValueError):
        return given
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return given
    named = sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)
    needed = sum(p.default is p.empty and p.kind is not p.KEYWORD_ONLY for p in parameters)
    if given > named:
        raise ValueError(
            f"the domain of {op.name} has {given} intervals, but its value takes {named}; write "
            "one interval for each operand"
        )
    return max(given, needed)


def interval_of(op: Op, i: int) -> tuple[float, float]:
    """Return the interval of operand ``i``; the last one serves all further operands."""
    return op.domain[min(i, len(op.domain) - 1)]


def _between(rng: Random, low: float, high: float, small: bool) -> float:
    """Return a number in the interval; a ``small`` one is up to a thousand times smaller."""
    x = rng.uniform(low, high)
    return x * 10 ** -rng.uniform(0, 3) if small and low < 0 < high else x


class Reference:
    """The exact value and local derivatives of an operation, in 50 digits."""

    def __init__(self, op: Op, value: Callable[..., Any] | None) -> None:
        self.op = op
        self._exact_value = value
        self._m = exact()

    def value(self, x: Sequence[Any]) -> Any:
        if self._exact_value is None:
            return self.op.value(self._m, *map(self._m.lift, x))
        with mpmath().workdps(_MORE_DIGITS):
            return self._m.lift(self._exact_value(*map(mpmath().mpf, x)))

    def partial(self, x: Sequence[Any], i: int) -> Any:
        return exact_partial(self.op, x, i) if self._exact_value is None else self._difference(x, i)

    def _difference(self, x: Sequence[Any], i: int) -> Any:
        """Return the derivative of a function of mpmath's global context, to 50 digits."""
        assert self._exact_value is not None
        mp = mpmath()
        with mp.workdps(_MORE_DIGITS):
            numbers = list(map(mp.mpf, x))
            h = mp.mpf(2) ** -160
            y = [
                self._exact_value(*numbers[:i], numbers[i] + k * h, *numbers[i + 1 :])
                for k in (-2, -1, 1, 2)
            ]
            near, far = (y[2] - y[1]) / (2 * h), (y[3] - y[0]) / (4 * h)
            return self._m.lift(near + (near - far) / 3)

    def condition(self, f: Callable[[Sequence[Any]], Any], x: Sequence[float]) -> float:
        """Return the condition number of ``f`` at ``x``, by differences in 50 digits."""
        y, total = f(x), 0.0
        if y == 0:
            return 0.0
        for i, t in enumerate(x):
            moved = [self._m.lift(u) for u in x]
            step = abs(moved[i]) * self._m.lift(2) ** -70
            moved[i] += step
            if step:
                total += float(abs((f(moved) - y) / step * t / y))
        return total


def accuracies(reference: Reference, places: Sequence[Sequence[float]]) -> Iterator[Accuracy]:
    """Yield the accuracy of the value and of every local derivative at ``places``.

    With many operands, at fewer of them: a derivative costs a call in 50 digits.
    """
    op, n = reference.op, len(places[0])
    yield _accuracy("value", op.fast, reference.value, reference, places)
    fewer = places[: max(_FEWEST, len(places) * _MANY // max(n, _MANY))]
    for i in range(n):
        low, high = interval_of(op, i)
        if low == high:
            continue  # the operand is a fixed number: no derivative by it
        what = "derivative" if n == 1 else f"by operand {i}"

        def got(*x: float, i: int = i) -> Any:
            return op.partials(FLOATS, op.fast(*x), *x)[i]

        def wanted(x: Sequence[Any], i: int = i) -> Any:
            return reference.partial(x, i)

        yield _accuracy(what, got, wanted, reference, fewer)


def _accuracy(
    what: str,
    got: Callable[..., Any],
    wanted: Callable[[Sequence[Any]], Any],
    reference: Reference,
    places: Sequence[Sequence[float]],
) -> Accuracy:
    found: list[tuple[float, float, tuple[float, ...]]] = []
    for x in places:
        try:
            distance = _ulps(got(*x), wanted(x))
            found.append((distance, _conditioned(distance, reference, wanted, x), tuple(x)))
        except AtKink:
            continue
    if not found:
        return Accuracy(what, 0, 0.0, (), 0.0, 0.0, 0.0)
    worst, at = max((distance, x) for distance, _, x in found)
    last = ceil(0.99 * len(found)) - 1
    p99, conditioned_p99 = (
        sorted(column)[last] for column in ([f[0] for f in found], [f[1] for f in found])
    )
    return Accuracy(what, len(found), worst, at, p99, conditioned_p99, max(f[1] for f in found))


def _conditioned(
    distance: float,
    reference: Reference,
    wanted: Callable[[Sequence[Any]], Any],
    x: Sequence[float],
) -> float:
    """Return the distance over one plus the condition number, if it is above 2 ulps."""
    return distance if distance <= 2 else distance / (1 + reference.condition(wanted, x))


def _ulps(got: Any, wanted: Any) -> float:
    number = float(wanted)
    if not isinstance(got, (int, float)):
        return inf  # the check of special values names the type
    if isnan(number) or isnan(got):
        return 0.0 if isnan(number) and isnan(got) else inf
    if not isfinite(number):
        return 0.0 if got == number else inf
    return float(abs(got - wanted) / ulp(number))
