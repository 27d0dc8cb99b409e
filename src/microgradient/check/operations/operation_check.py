"""check_op: one row proved, measured in ulps, and tried at special values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from microgradient.check.numbers.exact_partials import (
    digits_to_try,
    exact_partial,
    limit_at_seam,
)
from microgradient.check.numbers.running_error import NOT_IN_THIS_ARITHMETIC
from microgradient.check.numbers.symbolic import prove
from microgradient.check.operations.accuracy import (
    SPECIAL_NUMBERS,
    Accuracy,
    Reference,
    accuracies,
    interval_of,
    sample,
)
from microgradient.engine.arithmetic import FLOATS
from microgradient.engine.number import as_float, positive, shown
from microgradient.engine.op import Op

_OUTLIER = 100  # times the ulps allowed: beyond this, a point is not inaccurate but wrong
_ROUGHLY = 1e-3  # relative: at special values a formula may lose digits
_SMALLEST = 1e-290
_LARGEST = 1.7976931348623157e308


@dataclass(frozen=True)
class OperationReport:
    """The outcome of a check of one operation: ``ok``, or its ``faults`` in words.

    ``proof`` is sympy's verdict on the local derivatives, ``accuracy`` the distances from 50
    digits, ``specials`` the calls with special values and their results.
    """

    name: str
    proof: str
    accuracy: tuple[Accuracy, ...]
    specials: tuple[tuple[str, str, str], ...]
    faults: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether no fault was found."""
        return not self.faults

    def __str__(self) -> str:
        lines = [f"{self.name}: {self.proof}"]
        lines += _table(
            ("ulps", "worst", "at", "99 % within", "condition taken off"),
            [
                (a.what, _ulps(a.worst), _numbers(a.at), _ulps(a.p99), _ulps(a.conditioned_p99))
                for a in self.accuracy
            ],
        )
        lines += _table(("special values", "value", "local derivatives"), self.specials)
        return "\n".join([*lines, *(f"FAULT: {fault}" for fault in self.faults)])

    __repr__ = __str__


class OperationError(AssertionError):
    """Raised when a row is wrong; ``report`` holds all that was found."""

    def __init__(self, report: OperationReport) -> None:
        super().__init__(str(report))
        self.report = report

    def __reduce__(self) -> tuple[Any, ...]:
        return OperationError, (self.report,)


def check_op(
    op: Op,
    *,
    exact_value: Callable[..., Any] | None = None,
    points: int = 200,
    ulps: float = 4.0,
) -> OperationReport:
    """Raise OperationError unless the row ``op`` is right and accurate; return the report.

    The local derivatives are proved by sympy if it is installed. Value and derivatives are compared
    with mpmath at random ``points`` of ``op.domain``, the same in every run: 99 % of them must be
    within ``ulps`` times one plus their condition number, and all within a hundred times that.
    Special values are tried too. An operation on sequences is tried with as many operands as its
    domain has intervals. ``exact_value`` computes the value in mpmath numbers, for a row whose own
    formula is in doubt or does not run in mpmath.

    Raises ImportError, saying what to install, without mpmath.
    """
    report = operation_report(op, exact_value=exact_value, points=points, ulps=ulps)
    if not report.ok:
        raise OperationError(report)
    return report


def operation_report(
    op: Op,
    *,
    exact_value: Callable[..., Any] | None = None,
    points: int = 200,
    ulps: float = 4.0,
) -> OperationReport:
    """Return what :func:`check_op` finds, without raising OperationError."""
    if not isinstance(op, Op):
        raise TypeError(f"check_op expects an operation (an Op), got {shown(op)}")
    if exact_value is not None and not callable(exact_value):
        raise TypeError(
            f"exact_value must be a function of mpmath's numbers, such as mpmath.sin, got "
            f"{shown(exact_value)}"
        )
    positive(points, "points")
    if not as_float(ulps) > 0:
        raise ValueError(f"ulps must be a number above 0, got {ulps!r}")
    reference = Reference(op, exact_value)
    places = list(sample(op, points))
    faults: list[str] = []
    if fault := _malformed(op, places[0]):
        return OperationReport(op.name, "not tried", (), (), (fault,))
    try:
        accuracy = tuple(accuracies(reference, places))
    except NOT_IN_THIS_ARITHMETIC as error:
        raise TypeError(
            f"the row {op.name} does not run in mpmath's numbers: {error}; write its formulas over "
            "m (m.sin, not math.sin), or give its value in mpmath's functions: exact_value=…"
        ) from None
    faults += [_inaccurate(op, a, ulps) for a in accuracy if _is_far(a, ulps)]
    specials = tuple(_specials(reference, places[0], faults))
    try:
        proof = prove(op, places)
    except ImportError:
        proof = "not proved (sympy is not installed)"
    if proof.startswith("refuted"):
        faults.insert(0, proof)
    return OperationReport(op.name, proof, accuracy, specials, tuple(faults))


def _malformed(op: Op, x: Sequence[float]) -> str | None:
    """Return a fault if the row has state, or the wrong number of partials."""
    try:
        count = len(op.partials(FLOATS, op.fast(*x), *x))
        value, again = op.fast(*x), op.fast(*x)
    except Exception:  # reported where the row is measured
        return None
    if value != again and value == value:
        return f"{op.name}({_numbers(x)}) gives {value!r}, then {again!r}; a row has no state"
    if count == len(x):
        return None
    return f"{op.name} must give one partial for each of its {len(x)} operands, got {count}"


def _is_far(a: Accuracy, ulps: float) -> bool:
    return not (a.conditioned_p99 <= ulps and a.conditioned_worst <= _OUTLIER * ulps)


def _inaccurate(op: Op, a: Accuracy, ulps: float) -> str:
    return (
        f"{op.name}: {a.what} is up to {a.worst:.3g} ulps off, at {_numbers(a.at)}; with the "
        f"condition taken off, 99 % of the points must be within {ulps:g} ulps, got "
        f"{a.conditioned_p99:.3g}, and all within {_OUTLIER * ulps:g}, got "
        f"{a.conditioned_worst:.3g}. If the formula is right and cannot be more accurate, allow "
        "more with ulps=…"
    )


def _specials(
    reference: Reference, inside: Sequence[float], faults: list[str]
) -> Iterator[tuple[str, str, str]]:
    """Yield the call, value and local derivatives with each operand special in turn."""
    op = reference.op
    for i in range(len(inside)):
        low, high = interval_of(op, i)
        for special in SPECIAL_NUMBERS if low < high else ():
            x = [*inside[:i], special, *inside[i + 1 :]]
            call = f"{op.name}({_numbers(x)})"
            try:
                value = op.fast(*x)
                partials = op.partials(FLOATS, value, *x)
            except Exception as error:  # a user's row may raise anything
                faults.append(
                    f"{call} raises {type(error).__name__}: {error}; a row must not raise"
                )
                continue
            yield call, _number(value), ", ".join(map(_number, partials))
            for what, number in [
                ("value", value),
                *((f"partial {k}", p) for k, p in enumerate(partials)),
            ]:
                if type(number) not in (float, int):
                    faults.append(f"{call}: the {what} is {shown(number)}, expected a float")
            if type(value) is float and all(map(isfinite, x)) and not op.sequences:
                faults += _lost(reference, x, value, call)
                faults += _wrong_partials(reference, x, partials, call)


def _lost(reference: Reference, x: Sequence[float], value: float, call: str) -> Iterator[str]:
    """Yield a fault if the value is nan or infinite although the exact one is a finite float.

    Operations on sequences are exempt: they may overflow on the way, as sums do.
    """
    try:
        number = reference.value(x)
    except Exception:  # the reference has no value here
        return
    if not isfinite(value) and abs(number) < _LARGEST:
        yield f"{call} is {value}, the exact value is {float(number):.6g}"
    try:
        limit = limit_at_seam(reference.op, x)
    except Exception:  # a kink, or beyond mpmath
        return
    if limit is not None:
        expected, doubt = limit
        if abs(number - expected) > _ROUGHLY * abs(expected) + doubt:
            yield (
                f"{call} is {value:.6g}, but the values on both sides approach {expected:.6g}: a "
                "jump at one point, where no derivative exists"
            )


def _wrong_partials(
    reference: Reference, x: Sequence[float], partials: Sequence[Any], call: str
) -> Iterator[str]:
    """Yield a fault for each local derivative that is far from the exact one."""
    for i, got in enumerate(partials):
        low, high = interval_of(reference.op, i)
        if low == high:
            continue
        if not isinstance(got, float):
            continue
        for digits in digits_to_try(x):
            try:
                wanted = float(exact_partial(reference.op, x, i, digits))
            except Exception:  # a kink, or beyond mpmath
                break
            slack = _ROUGHLY * abs(wanted) + _SMALLEST
            if not isfinite(wanted) or abs(got - wanted) <= slack:
                break
        else:
            yield f"{call}: local derivative {i} is {got!r}, expected {wanted!r}"


def _ulps(distance: float) -> str:
    return f"{distance:.2f}"


def _numbers(x: Sequence[float]) -> str:
    return ", ".join(f"{t:.6g}" for t in x)


def _number(x: Any) -> str:
    return f"{x:.6g}" if isinstance(x, (int, float)) else shown(x)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [head, *rows]
    widths = [max(map(len, column)) for column in zip(*lines)]
    return ["  " + "  ".join(c.ljust(w) for c, w in zip(line, widths)).rstrip() for line in lines]
