"""What check_gradient found: every derivative by every means, as data, text and picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite, ulp
from typing import Any

from microgradient.check.gradients.differences import Slope, Stencil

_COLUMNS = ("derivative", "at", "reverse", "rounding", "- forward", "- 50 digits", "differences")


DIFFERENCES = "finite differences"


@dataclass(frozen=True)
class Component:
    """One derivative, and what each means of computing it says.

    ``reverse`` is the value to check, with ``rounding`` the bound of its rounding error.
    ``forward`` and ``exact`` (50 digits) are None where they do not apply. ``slope`` is the
    judgement of finite differences, made from ``stencil``.
    """

    name: str
    input: str
    at: float
    reverse: float
    rounding: float
    forward: float | None
    exact: float | None
    slope: Slope
    stencil: Stencil

    @cached_property
    def faults(self) -> tuple[str, ...]:
        """The means that contradict the derivative; none of them if it is right."""
        if self.reverse != self.reverse:
            return ("being nan",)
        found = []
        if self.forward is not None and not self._near(self.forward, 2 * self.rounding):
            found.append("forward mode")
        if self.exact is not None and not self._near(self.exact, self.rounding):
            found.append("50 digits")
        if self.slope.kind == "overruled":
            pass
        elif self.slope.kind == "undecided":
            if self.exact is None:
                found.append("no step size at which finite differences settle")
        elif not self.slope.allows(self.reverse, self.rounding):
            found.append(DIFFERENCES)
        return tuple(found)

    def _near(self, other: float, bound: float) -> bool:
        if self.reverse == other:
            return True
        if not (isfinite(self.reverse) and isfinite(other)):
            return False
        return abs(self.reverse - other) <= bound + 2 * max(ulp(self.reverse), ulp(other))

    @property
    def row(self) -> tuple[str, ...]:
        """The component as a row of the report."""
        return (
            self.name,
            f"{self.at:.6g}",
            f"{self.reverse:.17g}",
            f"{self.rounding:.1g}",
            "" if self.forward is None else f"{self.reverse - self.forward:.1g}",
            "" if self.exact is None else f"{self.reverse - self.exact:.1g}",
            _judgement(self.slope),
        )

    def told(self) -> str:
        """Return everything about the component, a line for each means."""
        lines = [
            f"  {'reverse mode' if self.forward is not None else 'derivative':19}"
            f"{self.reverse!r} ± {self.rounding:.1g}"
        ]
        if self.forward is not None:
            lines.append(f"  forward mode       {self.forward!r}")
        if self.exact is not None:
            lines.append(f"  50 digits          {self.exact!r}")
        lines.append(f"  finite differences {_judgement(self.slope)}")
        curve = self.stencil.curve()[::3][:9]
        if curve:
            lines.append("  by step size:      h         difference            minus derivative")
        lines += [
            f"                     {s.h:<9.2g} {s.slope:<21.15g} {s.slope - self.reverse:.1e}"
            for s in curve
        ]
        return "\n".join(lines)


@dataclass(frozen=True)
class GradientReport:
    """The outcome of a check: ``ok``, a ``Component`` per derivative, the ``fault`` in words."""

    components: tuple[Component, ...]
    fault: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def wrong(self) -> tuple[Component, ...]:
        return tuple(c for c in self.components if c.faults)

    @property
    def ok(self) -> bool:
        return not self.wrong and self.fault is None

    def __str__(self) -> str:
        rows = [_COLUMNS, *(c.row for c in self.components)]
        verdict = [
            "",
            *("; ".join(c.faults) and f"WRONG: {'; '.join(c.faults)}" for c in self.components),
        ]
        widths = [max(map(len, column)) for column in zip(*rows)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths)) + "  " + v
            for row, v in zip(rows, verdict)
        ]
        return "\n".join([*(line.rstrip() for line in lines), *self.notes])

    __repr__ = __str__

    def message(self) -> str:
        """Return what is wrong: the first wrong derivative by every means, and its source."""
        lines = []
        if self.wrong:
            first = self.wrong[0]
            lines = [
                f"{first.name} at {first.input} = {first.at!r} is wrong "
                f"({len(self.wrong)} of {len(self.components)} derivatives): contradicted by "
                f"{' and '.join(first.faults)}",
                first.told(),
            ]
        return "\n".join([*lines, *([self.fault] if self.fault else []), *self.notes])

    def plot(self, path: Any = None, component: int | None = None) -> Any:
        """Draw the error of central differences over the step size, the U, of one component.

        The first wrong one unless ``component`` says which. Written to ``path`` if given (PNG, SVG,
        PDF). Returns the matplotlib Figure; raises ImportError, saying what to install, without it.
        """
        from microgradient.check.gradients.u_curve import figure

        wrong = [i for i, c in enumerate(self.components) if c.faults]
        if not self.components or not 0 <= (component or 0) < len(self.components):
            raise ValueError(
                f"component must be one of 0 to {len(self.components) - 1}, got {component!r}"
            )
        chosen = component if component is not None else wrong[0] if wrong else 0
        drawing = figure(self.components[chosen])
        if path is not None:
            drawing.savefig(path)
        return drawing


class GradientError(AssertionError):
    """A derivative that is wrong; ``report`` holds all that was found (None once pickled)."""

    def __init__(self, report: GradientReport | None, message: str = "") -> None:
        super().__init__(message or (report and report.message()))
        self.report = report

    def __reduce__(self) -> tuple[Any, ...]:
        return GradientError, (None, str(self))  # the report holds f, which may not be pickled


def derivative_name(f: str, by: Sequence[str]) -> str:
    """Return the derivative of ``f`` by the variables ``by`` as text, such as ``d2f/dx dy``."""
    order = len(by) if len(by) > 1 else ""
    return f"d{order}{f}/{' '.join(f'd{name}' for name in by)}"


def _judgement(slope: Slope) -> str:
    if slope.kind in ("undecided", "overruled"):
        return slope.kind
    if slope.kind == "unbounded":
        return f"unbounded, towards {slope.low:g}"
    if slope.kind == "kink":
        return f"a kink: from {slope.low:.9g} to {slope.high:.9g} ± {slope.bound:.1g}"
    side = ", from one side" if slope.kind == "one-sided" else ""
    return f"{slope.low:.15g} ± {slope.bound:.1g}{side}"
