"""check_gradient: a derivative against forward mode, finite differences and 50 digits."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import isfinite
from typing import Any

from microgradient.check.bounds import error_bound, gradient_error_bounds
from microgradient.check.differences import Stencil, measured_noise, quiet
from microgradient.check.exact_gradients import AtKink, branches_differ, exact_gradient
from microgradient.check.fault_finding import (
    NOT_EXACT,
    hidden_dependence,
    local_faults,
)
from microgradient.check.namespace import FUNCTIONS
from microgradient.check.recording import (
    Recording,
    input_names,
    numbers_in,
    with_number,
)
from microgradient.check.report import (
    Component,
    GradientError,
    GradientReport,
    derivative_name,
)
from microgradient.engine.number import as_float, shown
from microgradient.engine.sweeps import adjoints, tangents
from microgradient.engine.transforms import jacobian
from microgradient.engine.trees import Tree, leaves, matching_leaves
from microgradient.engine.value import Value
from microgradient.nn.module import Module

_OWN_ROUNDING = 2.0**-49  # relative: what a formula of some ten operations may round


def check_gradient(
    f: Callable[..., Any],
    *args: Tree,
    order: int = 1,
    derivative: Callable[..., Tree] | None = None,
    namespace: str | None = None,
) -> GradientReport:
    """Raise GradientError unless the derivatives of ``f`` at ``args`` are right; return the report.

    ``f`` takes numbers, or nested lists, tuples and dicts of them, and returns the same; also a
    module of ``nn``, of whose parameters the derivatives are then checked (order 1). Every
    derivative up to ``order`` (1, 2 or 3) that reverse mode gives is held against forward mode,
    against finite differences, and against 50 digits where mpmath is installed (extra ``check``).
    Each tolerance is a bound of the errors of this very case: see docs/numerics.md. At a kink the
    derivative must lie between the slopes from both sides. GradientError names the smallest failing
    part of the graph and holds the report; ``report.plot()`` draws the U of the step sizes.

    ``derivative`` is a derivative of your own, to be checked instead: ``f`` and it then take and
    return plain floats, and ``f`` need not know this package. It returns the structure of the
    argument, or a tuple of such for several, as ``grad`` does.

    ``namespace`` names a keyword parameter by which ``f`` takes its functions, as in
    ``def f(x, math=math)``: differences then use Python's own, gradients this package's.

    Raises ValueError where f is not finite, TypeError where it does not return numbers.
    """
    report = gradient_report(f, *args, order=order, derivative=derivative, namespace=namespace)
    if not report.ok:
        raise GradientError(report)
    return report


def gradient_report(
    f: Callable[..., Any],
    *args: Tree,
    order: int = 1,
    derivative: Callable[..., Tree] | None = None,
    namespace: str | None = None,
) -> GradientReport:
    """Return what :func:`check_gradient` finds, without raising GradientError."""
    if order not in (1, 2, 3) or isinstance(order, bool):
        raise ValueError(f"order must be 1, 2 or 3, got {shown(order)}")
    if not callable(f):
        raise TypeError(f"check_gradient expects a function and its arguments, got {shown(f)}")
    if not args:
        raise TypeError("check_gradient needs the point: check_gradient(f, x, …), got no argument")
    names = input_names(f, args)
    if not names:
        raise ValueError("there is no number in the arguments to differentiate by")
    args = tuple(with_number(args, 0, numbers_in(args)[0]))  # Values as numbers, in copies
    if any(isinstance(arg, Module) for arg in args) and (order > 1 or derivative is not None):
        raise ValueError(
            "a module's parameters are checked at order 1; for more, give f their numbers in a list"
        )
    if derivative is not None:
        if order != 1:
            raise ValueError("a derivative of your own is checked at order 1; check it in its turn")
        return _of_own(f, args, derivative, names)
    g, plain = f, None
    if namespace is not None:
        g, plain = partial(f, **{namespace: FUNCTIONS}), partial(f, **{namespace: math})
    components: list[Component] = []
    by: list[tuple[str, ...]] = [()]
    for _ in range(order):
        check = _Check(g, plain, args, names, by)
        components += check.components()
        wrong = next((c for c in components if c.faults), None)
        if wrong or check.wrong:
            return GradientReport(tuple(components), check.fault(wrong), check.notes)
        by = [(*so_far, name) for so_far in by for name in names]
        g, plain = jacobian(g, tuple(range(len(args)))), None
    return GradientReport(tuple(components), None, check.notes)


class _Check:
    """The derivatives of one function, which may itself be a derivative, at one point.

    ``plain`` evaluates it on floats, if that is another function. ``by`` says, for every output of
    a derivative, which inputs it was differentiated by already.
    """

    def __init__(
        self,
        f: Callable[..., Tree],
        plain: Callable[..., Tree] | None,
        args: Sequence[Tree],
        names: Sequence[str],
        by: Sequence[tuple[str, ...]],
    ) -> None:
        self.f, self.plain, self.args, self.names = f, plain, args, names
        self.recording = self._recorded(self.args)
        self._check_values()
        self._by, self._outputs = by, len(self.recording.outputs) // len(by)
        self.numbers = [x.data for x in self.recording.inputs]
        self._moved: dict[tuple[int, float], Recording] = {}
        self._tangents: dict[int, dict[Value, float]] = {}
        self.wrong = next(local_faults(self.recording), None)
        self.without_exact: str | None = None

    def components(self) -> list[Component]:
        """Return the derivatives of every output by every input."""
        return [c for j in range(len(self.recording.outputs)) for c in self._row(j)]

    @property
    def notes(self) -> tuple[str, ...]:
        return (f"Without 50 digits: {self.without_exact}",) if self.without_exact else ()

    def fault(self, first: Component | None) -> str:
        """Return the smallest failing part of the graph in words; ``first`` is a wrong result."""
        if self.wrong is not None or first is None:
            return str(self.wrong)
        hidden = hidden_dependence(self.f, self.args, self.names.index(first.input), self.names)
        return hidden or (
            "every local derivative is that of its operation: the fault is in the sum over paths, "
            "or f itself is not a function of its arguments alone"
        )

    def _recorded(self, args: Sequence[Tree]) -> Recording:
        try:
            return Recording(self.f, args)
        except TypeError as fault:
            if "functions of math" not in str(fault):
                raise
            raise TypeError(
                f"{fault}; or check f as a function of plain floats with derivative=…, or let it "
                "take its functions by a keyword parameter and name that in namespace=…"
            ) from None

    def _check_values(self) -> None:
        values = [y.data for y in self.recording.outputs]
        if not all(map(isfinite, values)):
            raise ValueError(f"f is not finite at this point: {shown(values)}; check it elsewhere")
        again = [y.data for y in self._recorded(self.args).outputs]
        if values != again:
            raise ValueError(
                f"f gives different results for the same arguments ({shown(values)}, then "
                f"{shown(again)}); a derivative needs a function: fix its random numbers and state"
            )

    def _row(self, j: int) -> Iterator[Component]:
        """Yield the derivatives of output ``j`` by every input."""
        recording = self.recording
        output = recording.outputs[j]
        swept = adjoints(recording.order, {output: 1.0}, recording.active, as_graph=False)
        reverse = [swept.get(x, 0.0) for x in recording.inputs]
        rounding = gradient_error_bounds(recording.order, output, recording.inputs)
        exact = self._exact(output, reverse, rounding)
        for i, x in enumerate(recording.inputs):
            bound = rounding[i] if isfinite(reverse[i]) else 0.0
            stencil = Stencil(partial(self._value, i, j), x.data, partial(self._noise, i, j))
            yield Component(
                name=self._name(j, i),
                input=self.names[i],
                at=x.data,
                reverse=reverse[i],
                rounding=bound,
                forward=self._forward(i).get(output, 0.0),
                exact=None if exact is None else exact[i],
                slope=stencil.judge(reverse[i], bound),
                stencil=stencil,
            )

    def _name(self, j: int, i: int) -> str:
        f = "f" if self._outputs == 1 else f"f[{j // len(self._by)}]"
        return derivative_name(f, (*self._by[j % len(self._by)], self.names[i]))

    def _forward(self, i: int) -> dict[Value, float]:
        if i not in self._tangents:
            seeds = {self.recording.inputs[i]: 1.0}
            order, active = self.recording.order, self.recording.active
            self._tangents[i] = tangents(order, seeds, active, as_graph=False)
        return self._tangents[i]

    def _exact(
        self, output: Value, reverse: Sequence[float], rounding: Sequence[float]
    ) -> list[float] | None:
        """Return the derivatives in 50 digits; None, with a note, where they do not apply."""
        try:
            adjoint = exact_gradient(self.recording, output)
            exact = [float(adjoint.get(x, 0.0)) for x in self.recording.inputs]
            close = all(g == e or abs(g - e) <= r for g, e, r in zip(reverse, exact, rounding))
            if not close and branches_differ(self.recording):
                raise AtKink
        except AtKink:
            self.without_exact = "the point lies on a kink, where a derivative is a convention"
            return None
        except NOT_EXACT as fault:
            self.without_exact = str(fault)
            return None
        return exact

    def _value(self, i: int, j: int, t: float) -> float:
        """Return output ``j`` with input ``i`` set to ``t``."""
        if self.plain is not None:
            plain = self.plain
            return quiet(lambda t: leaves(plain(*with_number(self.args, i, t)))[j])(t)
        return self._at(i, t).outputs[j].data

    def _at(self, i: int, t: float) -> Recording:
        if (i, t) not in self._moved:
            self._moved[i, t] = self._recorded(with_number(self.args, i, t))
        return self._moved[i, t]

    def _noise(self, i: int, j: int, h: float) -> float:
        points = (
            [self._at(i, self.numbers[i] + sign * h) for sign in (-1, 1)] if h else [self.recording]
        )
        bounds = [error_bound(point.outputs[j]) for point in points]
        return max((b for b in bounds if isfinite(b)), default=0.0)


def _of_own(
    f: Callable[..., Any],
    args: Sequence[Tree],
    derivative: Callable[..., Tree],
    names: Sequence[str],
) -> GradientReport:
    """Check a hand-written derivative of a function of plain floats, by differences alone."""
    like = args[0] if len(args) == 1 else tuple(args)
    own = [as_float(x) for x in matching_leaves(derivative(*args), like, "the derivative")]
    value = quiet(lambda _: f(*args))(0.0)
    if not isfinite(value):
        raise ValueError(f"f is not finite at this point: {value!r}; check it elsewhere")
    components = []
    for i, (x, slope) in enumerate(zip(leaves(list(args)), own)):
        along = quiet(lambda t, i=i: f(*with_number(args, i, t)))  # type: ignore[misc]  # one argument
        noise = measured_noise(along, x)
        stencil = Stencil(along, x, lambda h, noise=noise: noise)  # type: ignore[misc]
        bound = _OWN_ROUNDING * abs(slope)
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
