"""One derivative of a check, and what each method says about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite, ulp

from microgradient.check.gradients.finite_differences import Slope, Stencil

DIFFERENCES = "finite differences"


@dataclass(frozen=True)
class Component:
    """One derivative, and what each method says about it.

    ``reverse`` is the derivative to check and ``rounding`` a bound of its rounding error.
    ``forward`` and ``exact`` (50 digits) are None where they do not apply. ``slope`` is the
    estimate by finite differences, computed from ``stencil``.
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
        """The methods that contradict the derivative; empty if it is right."""
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
            str(self.slope),
        )

    def details(self) -> str:
        """Return the component as text, a line for each method."""
        lines = [
            f"  {'reverse mode' if self.forward is not None else 'derivative':19}"
            f"{self.reverse!r} ± {self.rounding:.1g}"
        ]
        if self.forward is not None:
            lines.append(f"  forward mode       {self.forward!r}")
        if self.exact is not None:
            lines.append(f"  50 digits          {self.exact!r}")
        lines.append(f"  finite differences {self.slope}")
        curve = self.stencil.curve()[::3][:9]
        if curve:
            lines.append("  by step size:      h         difference            minus derivative")
        lines += [
            f"                     {d.h:<9.2g} {d.slope:<21.15g} {d.slope - self.reverse:.1e}"
            for d in curve
        ]
        return "\n".join(lines)


def derivative_name(f: str, by: Sequence[str]) -> str:
    """Return the derivative of ``f`` by the variables ``by`` as text, such as ``d2f/dx dy``."""
    order = len(by) if len(by) > 1 else ""
    return f"d{order}{f}/{' '.join(f'd{name}' for name in by)}"
