"""A derivative written by hand, for a function of plain floats: finite differences alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any

from microgradient.check.gradients.differences import Stencil, measured_noise, quiet
from microgradient.check.gradients.recording import numbers_in, with_number
from microgradient.check.gradients.report import Component, GradientReport, derivative_name
from microgradient.engine.number import as_float, shown
from microgradient.engine.services.trees import Tree, matching_leaves

_OWN_ROUNDING = 2.0**-49  # relative: what a formula of some ten operations may round


def own_derivative_report(
    f: Callable[..., Any],
    args: Sequence[Tree],
    derivative: Callable[..., Tree],
    names: Sequence[str],
) -> GradientReport:
    """Check a hand-written derivative of a function of plain floats, by differences alone."""
    like = args[0] if len(args) == 1 else tuple(args)
    if not callable(derivative):
        raise TypeError(f"derivative must be a function like f, got {shown(derivative)}")
    numbers = numbers_in(args)

    def copied() -> list[Tree]:
        return with_number(args, 0, numbers[0])

    got = derivative(*copied())
    own = [as_float(x) for x in matching_leaves(got, like, "the derivative")]
    value, again = [quiet(lambda _: f(*copied()))(0.0) for _ in range(2)]
    if not isfinite(value):
        raise ValueError(f"f is not finite at this point: {value!r}; check it elsewhere")
    if value != again:
        raise ValueError(
            f"f gives different results for the same arguments ({value!r}, then {again!r}); "
            "a derivative needs a function: fix its random numbers and state"
        )
    components = []
    for i, (x, slope) in enumerate(zip(numbers, own)):
        along = quiet(lambda t, i=i: f(*with_number(args, i, t)))  # type: ignore[misc]  # one argument
        noise = measured_noise(along, x)
        stencil = Stencil(along, x, lambda h, noise=noise: noise)  # type: ignore[misc]
        bound = _OWN_ROUNDING * abs(slope) if isfinite(slope) else 0.0
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
