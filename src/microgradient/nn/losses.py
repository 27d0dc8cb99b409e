"""Losses, each one operation: a row like those of the engine's table, one node in a graph.

A loss takes a network's outputs (one Value or a sequence) and as many targets, and returns the
error.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from microgradient.engine import native
from microgradient.engine.op import Op
from microgradient.engine.ops import NAMED, softmax_cross_entropy

M = Any  # an Arithmetic
X = Any  # an operand: float, Value, …


cross_entropy = softmax_cross_entropy


def _paired(outputs: Any, targets: Any, *settings: X) -> tuple[X, ...]:
    ys, ds = _sequence(outputs), _sequence(targets)
    if len(ys) != len(ds):
        raise ValueError(
            f"the number of targets must be that of the outputs, {len(ys)}, got {len(ds)}"
        )
    return (*ys, *ds, *settings)


def _sequence(x: Any) -> tuple[X, ...]:
    return tuple(x) if isinstance(x, Iterable) else (x,)


def _half_of_squares(m: M, errors: list[X]) -> X:
    return 0.5 * m.fsum([e * e for e in errors])


# --- half squared error: Nature 323, eq. 3 ------------------------------------------------------


def _differences(operands: tuple[X, ...]) -> list[X]:
    n = len(operands) // 2
    return [y - d for y, d in zip(operands[:n], operands[n:])]


def _half_squared_partials(m: M, v: X, *operands: X) -> list[X]:
    errors = _differences(operands)
    return errors + [-e for e in errors]


half_squared_error = Op(
    "half_squared_error",
    _half_squared_partials,
    lambda m, *operands: _half_of_squares(m, _differences(operands)),
    operands=_paired,
    doc="Return half the summed squares of outputs minus targets (Nature 323, eq. 3).",
)


# --- margin error: Hinton 1986, section 4 -------------------------------------------------------


def _shortfalls(m: M, operands: tuple[X, ...]) -> list[X]:
    """Return how far each output is on the wrong side of ``high`` (target > 0.5) or ``low``."""
    *pairs, low, high = operands
    n = len(pairs) // 2
    return [
        m.where(d > 0.5, m.minimum(y - high, 0.0), m.maximum(y - low, 0.0))
        for y, d in zip(pairs[:n], pairs[n:])
    ]


def _margin_partials(m: M, v: X, *operands: X) -> list[X]:
    """Return d/dy, d/dtarget (0: a target only chooses the side), d/dlow and d/dhigh."""
    errors = _shortfalls(m, operands)
    targets = operands[len(errors) : -2]
    by_low = [m.where(d > 0.5, 0.0, -e) for e, d in zip(errors, targets)]
    by_high = [m.where(d > 0.5, -e, 0.0) for e, d in zip(errors, targets)]
    return [*errors, *(0.0 for _ in errors), m.fsum(by_low), m.fsum(by_high)]


margin_error = Op(
    "margin_error",
    _margin_partials,
    lambda m, *operands: _half_of_squares(m, _shortfalls(m, operands)),
    operands=lambda outputs, targets, low=0.2, high=0.8: _paired(outputs, targets, low, high),
    doc="""Return half the sum of squares by which outputs miss ``high`` (0.8) or ``low`` (0.2).

    An output counts only if it should be on (target above 0.5) and lies below ``high``, or should
    be off and lies above ``low``. Source: Hinton 1986, section 4; Nature 323, Fig. 4.""",
)


# --- hinge: targets -1 and 1 --------------------------------------------------------------------


def _violations(m: M, operands: tuple[X, ...]) -> list[tuple[X, X, X]]:
    n = len(operands) // 2
    return [(y, t, 1 - t * y) for y, t in zip(operands[:n], operands[n:])]


def _hinge_partials(m: M, v: X, *operands: X) -> list[X]:
    violated = [(y, t, m.step(margin)) for y, t, margin in _violations(m, operands)]
    return [-(on * t) for _, t, on in violated] + [-(on * y) for y, _, on in violated]


hinge = Op(
    "hinge",
    _hinge_partials,
    lambda m, *operands: m.fsum([m.relu(z) for _, _, z in _violations(m, operands)]),
    operands=_paired,
    doc="Return the sum of max(0, 1 - target * output), for targets of -1 and 1.",
)

NAMED.update((loss.name, loss) for loss in (half_squared_error, margin_error, hinge))

if native.node is not None:
    native.node.add_row(half_squared_error)
