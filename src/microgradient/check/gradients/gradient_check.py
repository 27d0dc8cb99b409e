"""check_gradient: a derivative against forward mode, finite differences and 50 digits."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from math import inf, isfinite, isnan, nan
from typing import Any

from microgradient.check.gradients.bounds import error_bound, gradient_error_bounds
from microgradient.check.gradients.component import DIFFERENCES, Component, derivative_name
from microgradient.check.gradients.exact_gradients import branches_differ, exact_gradient
from microgradient.check.gradients.fault_finding import (
    NOT_EXACT,
    branch_of_its_own,
    first_nan,
    hidden_dependence,
    local_faults,
)
from microgradient.check.gradients.finite_differences import Stencil, nan_for_errors
from microgradient.check.gradients.handwritten_derivative import handwritten_report
from microgradient.check.gradients.namespace import FUNCTIONS, check_namespace
from microgradient.check.gradients.recording import (
    Recording,
    check_values,
    input_names,
    leaves_in,
    numbers_in,
    with_number,
)
from microgradient.check.gradients.report import GradientError, GradientReport
from microgradient.check.numbers.exact_partials import digits_to_try
from microgradient.check.numbers.taylor import AtKink
from microgradient.engine.number import shown
from microgradient.engine.services.trees import Tree, leaves
from microgradient.engine.sweeps import adjoints, tangents
from microgradient.engine.transforms import jacobian
from microgradient.engine.value import Value
from microgradient.nn.module import Module

_AT_KINK = (
    "Not compared with 50 digits: the point lies on a kink: a derivative is a convention there"
)
_NO_MPMATH = (
    "Not compared with 50 digits: mpmath is not installed; "
    "install it with: pip install 'microgradient[check]'"
)
_NOT_IN_MPMATH = "Not compared with 50 digits: a formula does not run in mpmath's numbers"


def check_gradient(
    f: Callable[..., Any],
    *args: Tree,
    order: int = 1,
    derivative: Callable[..., Tree] | None = None,
    namespace: str | None = None,
) -> GradientReport:
    """Raise GradientError unless the derivatives of ``f`` at ``args`` are right; return the report.

    ``f`` takes and returns numbers, or nested lists, tuples and dicts of numbers. An argument may
    also be a module of ``nn``: the derivatives by its parameters are then checked (order 1). Every
    derivative up to ``order`` (1, 2 or 3) that reverse mode gives is compared with forward mode,
    with finite differences, and with 50 digits if mpmath is installed (extra ``check``). Each
    tolerance is a bound of the errors of this particular case, see docs/numerics.md. At a kink the
    derivative must lie between the slopes from both sides. GradientError names the smallest failing
    part of the graph and holds the report; ``report.plot()`` plots the error over the step size.

    ``derivative`` is a handwritten derivative to check instead: then ``f`` and ``derivative`` take
    and return plain floats, and ``f`` need not use this package. It returns the structure of the
    argument, or a tuple of structures for several arguments, as ``grad`` does.

    ``namespace`` names the keyword parameter through which ``f`` receives its functions, as in
    ``def f(x, math=math)``: differences then use Python's functions, gradients this package's.

    Raises ValueError where ``f`` is not finite, TypeError if it does not return numbers.
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
    if type(order) is not int or order not in (1, 2, 3):
        raise ValueError(f"order must be 1, 2 or 3, got {shown(order)}")
    if not callable(f):
        raise TypeError(f"check_gradient expects a function and its arguments, got {shown(f)}")
    if not args:
        raise TypeError("check_gradient needs the point: check_gradient(f, x, …), got no argument")
    names = input_names(f, args)
    if not names:
        raise ValueError("the arguments contain no number to differentiate by")
    passed = {x for x in leaves_in(args) if type(x) is Value}
    args = tuple(with_number(args, 0, numbers_in(args)[0]))  # copies, with numbers for Values
    if any(isinstance(arg, Module) for arg in args) and (order > 1 or derivative is not None):
        raise ValueError(
            "a module's parameters are checked at order 1; for more, give f their numbers as a list"
        )
    if derivative is not None:
        if order != 1:
            raise ValueError(
                "a handwritten derivative is checked at order 1; for more, check derivative itself"
            )
        return handwritten_report(f, args, derivative, names)
    g, plain = f, None
    if namespace is not None:
        if any(isinstance(arg, Module) for arg in args):
            raise ValueError(
                "namespace= needs arguments that are numbers: a module has its functions"
            )
        check_namespace(f, namespace)
        g, plain = partial(f, **{namespace: FUNCTIONS}), partial(f, **{namespace: math})
    components: list[Component] = []
    notes = dict[str, None]()
    by: list[tuple[str, ...]] = [()]
    for _ in range(order):
        check = _Check(g, plain, args, names, by)
        if not passed.isdisjoint(check.recording.order):
            raise ValueError(
                "f uses a Value or module that was passed to the check, but not as its argument: "
                "f gets a copy, so write it as a function of its arguments"
            )
        components += check.components()
        wrong = next((c for c in components if c.faults), None)
        if wrong or check.wrong:
            return GradientReport(tuple(components), check.fault(wrong), (*notes, *check.notes))
        notes |= dict.fromkeys(check.notes)
        by = [(*so_far, name) for so_far in by for name in names]
        g, plain = jacobian(g, tuple(range(len(args)))), None
    return GradientReport(tuple(components), None, tuple(notes))


class _Check:
    """The derivatives of one function, which may itself be a derivative, at one point.

    ``plain`` evaluates it on floats, if that takes another function. ``by`` lists, for every output
    of a derivative, the inputs by which it has been differentiated already.
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
        self.recording = self._recorded(numbers_in(args))
        self._check_values()
        self._by, self._outputs = by, len(self.recording.outputs) // len(by)
        self.numbers = [x.data for x in self.recording.inputs]
        self._moved: dict[tuple[int, float], list[float]] = {}
        self._tangents: dict[int, dict[Value, float]] = {}
        self.wrong = next(local_faults(self.recording), None)
        self._notes = dict[str, None]()

    def components(self) -> list[Component]:
        """Return the derivatives of every output by every input."""
        return [c for j in range(len(self.recording.outputs)) for c in self._row(j)]

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(self._notes)

    def fault(self, first: Component | None) -> str:
        """Return the smallest failing part of the graph, given a wrong derivative, in words."""
        if self.wrong is not None or first is None:
            return str(self.wrong)
        if isnan(first.reverse) and (told := first_nan(self.recording)):
            return told
        return self._hidden(first, self.names.index(first.input)) or (
            "every local derivative is right: the fault is in the sum over paths, or f depends on "
            "more than its arguments, or, if only finite differences disagree, f has structure "
            "finer than their steps"
        )

    def _recorded(self, numbers: Sequence[float]) -> Recording:
        try:
            return Recording(self.f, self.args, numbers)
        except TypeError as fault:
            if "functions of math" not in str(fault):
                raise
            raise TypeError(
                f"{fault}; or check f as a function of plain floats with derivative=…, or let it "
                "receive its functions through a keyword parameter and name that in namespace=…"
            ) from None

    def _check_values(self) -> None:
        point = [x.data for x in self.recording.inputs]
        if not all(map(isfinite, point)):
            raise ValueError(f"the point must be finite, got {shown(point)}")
        again = self._recorded(numbers_in(self.args))
        check_values([y.data for y in self.recording.outputs], [y.data for y in again.outputs])

    def _row(self, j: int) -> Iterator[Component]:
        """Yield the derivatives of output ``j`` by every input."""
        recording = self.recording
        output = recording.outputs[j]
        swept = adjoints(recording.order, {output: 1.0}, recording.active, as_graph=False)
        reverse = [swept.get(x, 0.0) for x in recording.inputs]
        rounding = gradient_error_bounds(recording.order, output, recording.inputs)
        exact = self._exact(output, reverse, rounding)
        for i, x in enumerate(recording.inputs):
            bound = 0.0 if not isfinite(reverse[i]) else inf if isnan(rounding[i]) else rounding[i]
            stencil = Stencil(partial(self._value, i, j), x.data, partial(self._noise, i, j))
            component = Component(
                name=self._name(j, i),
                input=self.names[i],
                at=x.data,
                reverse=reverse[i],
                rounding=bound,
                forward=self._forward(i).get(output, 0.0),
                exact=None if exact is None or isnan(exact[i]) else exact[i],
                slope=stencil.judge(reverse[i], bound),
                stencil=stencil,
            )
            yield self._overruled(component, i)

    def _overruled(self, component: Component, i: int) -> Component:
        """Return ``component`` with finite differences overruled if they alone disagree.

        50 digits confirm that the graph is differentiated correctly. If f is the same graph near
        the point, the differences were misled by a kink or by structure finer than their steps.
        """
        alone = component.faults == (DIFFERENCES,) and component.exact is not None
        if not alone or self._hidden(component, i):
            return component
        self._notes[
            f"Finite differences do not resolve {component.name} here; 50 digits confirm it"
        ] = None
        return replace(component, slope=replace(component.slope, kind="overruled"))

    def _hidden(self, component: Component, i: int) -> str | None:
        """Return, in words, what the graph does not show of how f changes with input ``i``."""
        if told := hidden_dependence(self.f, self.args, i, self.names):
            return told
        h = component.slope.h
        beside = [self._at(i, self.numbers[i] + side) for side in (h, -h)]
        return branch_of_its_own(self.recording, [there for there in beside if there is not None])

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
        """Return the derivatives in 50 digits; None, with a note, if they do not apply."""
        try:
            for digits in digits_to_try(node.data for node in self.recording.order):
                adjoint = exact_gradient(self.recording, output, digits)
                exact = [float(adjoint.get(x, 0.0)) for x in self.recording.inputs]
                if all(g == e or abs(g - e) <= r for g, e, r in zip(reverse, exact, rounding)):
                    break
                if branches_differ(self.recording):
                    raise AtKink
        except AtKink:
            self._notes[_AT_KINK] = None
            return None
        except ImportError:
            self._notes[_NO_MPMATH] = None
            return None
        except NOT_EXACT as fault:
            self._notes[f"{_NOT_IN_MPMATH}: {fault}"] = None
            return None
        return exact

    def _value(self, i: int, j: int, t: float) -> float:
        """Return output ``j`` with input ``i`` set to ``t``; nan where f has no value."""
        if self.plain is not None:
            plain = self.plain
            return nan_for_errors(lambda t: leaves(plain(*with_number(self.args, i, t)))[j])(t)
        if (i, t) not in self._moved:
            moved = self._at(i, t)
            self._moved[i, t] = [y.data for y in moved.outputs] if moved else []
        values = self._moved[i, t]
        return values[j] if j < len(values) else nan

    def _at(self, i: int, t: float) -> Recording | None:
        numbers = [*self.numbers[:i], t, *self.numbers[i + 1 :]]
        try:
            return self._recorded(numbers)
        except (ArithmeticError, LookupError, ValueError):
            return None

    def _noise(self, i: int, j: int, h: float) -> float:
        points = [self._at(i, self.numbers[i] + sign * h) for sign in (-1, 1)] if h else []
        bounds = [error_bound(p.outputs[j]) for p in points or [self.recording] if p is not None]
        return max((b for b in bounds if isfinite(b)), default=0.0)
