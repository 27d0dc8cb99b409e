"""The check of a derivative written by hand, for a function of plain floats: differences alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import isfinite
from typing import Any

from microgradient.check.gradients.component import Component, derivative_name
from microgradient.check.gradients.finite_differences import (
    Stencil,
    measured_noise,
    nan_for_errors,
)
from microgradient.check.gradients.recording import check_values, numbers_in, with_number
from microgradient.check.gradients.report import GradientReport
from microgradient.engine.number import as_float, shown
from microgradient.engine.services.trees import Tree, matching_leaves

_FORMULA_ROUNDING = 2.0**-49  # relative: what a formula of some ten operations may round


def handwritten_report(
    f: Callable[..., Any],
    args: Sequence[Tree],
    derivative: Callable[..., Tree],
    names: Sequence[str],
) -> GradientReport:
    """Return the report of ``derivative`` as that of ``f``, both functions of plain floats."""
    like = args[0] if len(args) == 1 else tuple(args)
    if not callable(derivative):
        raise TypeError(f"derivative must be a function like f, got {shown(derivative)}")
    numbers = numbers_in(args)

    def at(i: int, t: float) -> Any:
        return f(*with_number(args, i, t))

    got = derivative(*with_number(args, 0, numbers[0]))
    slopes = [as_float(x) for x in matching_leaves(got, like, "the derivative")]
    value, again = [nan_for_errors(partial(at, 0))(numbers[0]) for _ in range(2)]
    check_values([value], [again])
    components = []
    for i, (x, slope) in enumerate(zip(numbers, slopes)):
        along = nan_for_errors(partial(at, i))
        stencil = Stencil(along, x, partial(_constant, measured_noise(along, x)))
        bound = _FORMULA_ROUNDING * abs(slope) if isfinite(slope) else 0.0
        components.append(
            Component(
                name=derivative_name("f", (names[i],)),
                input=names[i],
                at=x,
                reverse=slope,
                rounding=bound,
                forward=None,
                exact=None,
                slope=stencil.judge(slope, bound),
                stencil=stencil,
            )
        )
    return GradientReport(tuple(components))


def _constant(noise: float, h: float) -> float:
    return noise
