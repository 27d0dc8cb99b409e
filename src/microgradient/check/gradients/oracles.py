"""Derivatives by methods that share nothing with the sweeps, to compare them with."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import factorial, nan
from typing import Any

from microgradient.check.gradients.recording import Recording
from microgradient.check.numbers.complex_numbers import Complex, complex_numbers, step_at
from microgradient.check.numbers.number_systems import exact, floats, mpmath, rationals
from microgradient.check.numbers.taylor import AtKink, Series, series_arithmetic
from microgradient.engine.arithmetic import Arithmetic
from microgradient.engine.number import positive, shown

_HIGHEST = 100  # n! must fit a float, and each order adds a level of recursion


def dual_numbers(f: Callable[[Any], Any], x: Any, order: int = 1) -> list[Any]:
    """Return [f(x), f'(x), …] up to the given order, by dual numbers (truncated Taylor series).

    ``f`` takes one number, returns one, and is written with this package's operations. If ``x`` is
    a Fraction the results are exact Fractions (of the graph, whose constants are floats); this
    works for + - * /, integer powers and piecewise linear operations. If ``x`` is an mpmath number
    they have mpmath's working precision; otherwise they are floats. Branches are those that ``f``
    takes at ``x``. Raises ValueError at a kink, and where a row gives ``x`` a value of its own
    (``m.equal``), which has no series; TypeError for an operation that these numbers do
    not support. Source: Griewank and Walther, Evaluating Derivatives, chapter 13.
    """
    if positive(order, "order") > _HIGHEST:
        raise ValueError(f"order must be at most {_HIGHEST}, got {order}")
    base = _arithmetic_of(x)
    recording = _one_to_one(f, x)
    variable = Series(base, [base.lift(x), base.lift(1), *[base.lift(0)] * (order - 1)])
    m = series_arithmetic(base)
    vars(m).update(lift=variable.like)
    try:
        values = recording.replayed(m, {recording.inputs[0]: variable})
    except AtKink as kink:
        raise ValueError(_undefined(x, kink)) from None
    except ZeroDivisionError:
        raise ValueError(f"f divides by zero at {x!r}") from None
    except AttributeError as fault:
        raise TypeError(f"{_kind(x)} do not support this: {fault}") from None
    coefficients = variable.like(values[recording.outputs[0]]).coefficients
    result = [c * base.lift(factorial(k)) for k, c in enumerate(coefficients)]
    if isinstance(x, Fraction) and not all(isinstance(c, Fraction) for c in result):
        raise TypeError(f"f leaves the rational numbers at {x!r}, got {shown(result)}")
    return result


def complex_step(f: Callable[[Any], Any], x: float) -> float:
    """Return f'(x) as Im f(x + ih) / h for h = 1e-200: without a difference, so no cancellation.

    ``f`` takes one number, returns one, and is written with this package's operations; those that
    Python's ``cmath`` lacks (erf, lgamma and the like) raise TypeError. Comparisons, abs and
    maximum use the real part. Source: Squire and Trapp 1998.
    """
    recording = _one_to_one(f, x)
    h = step_at(recording.inputs[0].data)
    z = Complex(complex(recording.inputs[0].data, h))
    try:
        values = recording.replayed(complex_numbers(), {recording.inputs[0]: z})
    except AtKink as kink:
        raise ValueError(_undefined(x, kink)) from None
    except AttributeError as fault:
        raise TypeError(f"the complex step does not support this: {fault}") from None
    y = values[recording.outputs[0]]
    if recording.outputs[0].data != recording.outputs[0].data:
        return nan  # outside the real domain, where cmath still has a value
    return y.z.imag / h if type(y) is Complex else 0.0


def _undefined(x: object, kink: AtKink) -> str:
    return (
        f"f has no derivative at {x!r} that this method finds: {kink} has a kink, or a value of "
        "its own, there"
    )


def _arithmetic_of(x: Any) -> Arithmetic[Any]:
    if isinstance(x, Fraction):
        return rationals()
    if type(x).__module__.startswith("mpmath"):
        return exact(mpmath().mp.dps)
    return floats()


def _kind(x: Any) -> str:
    return "Fractions" if isinstance(x, Fraction) else "dual numbers"


def _one_to_one(f: Callable[[Any], Any], x: Any) -> Recording:
    if not callable(f):
        raise TypeError(f"expected a function and a number, got {shown(f)} as the function")
    recording = Recording(f, [x])
    if len(recording.inputs) != 1 or len(recording.outputs) != 1:
        raise TypeError(
            "expected a function of one number that returns one, got "
            f"{len(recording.inputs)} numbers in and {len(recording.outputs)} out"
        )
    return recording
