"""The report of a gradient check, and the error that carries it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from microgradient.check.gradients.component import Component
from microgradient.check.gradients.u_curve import figure

_COLUMNS = ("derivative", "at", "reverse", "rounding", "- forward", "- 50 digits", "differences")


@dataclass(frozen=True)
class GradientReport:
    """The outcome of a check: ``ok``, one ``Component`` per derivative, and the ``fault`` in words.

    Prints as a table. ``notes`` name the methods that did not apply, and why.
    """

    components: tuple[Component, ...]
    fault: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def wrong(self) -> tuple[Component, ...]:
        """The derivatives that some method contradicts."""
        return tuple(c for c in self.components if c.faults)

    @property
    def ok(self) -> bool:
        """Whether every derivative is right."""
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
        """Return what is wrong: the first wrong derivative by every method, and its cause."""
        lines = []
        if self.wrong:
            first = self.wrong[0]
            lines = [
                f"{first.name} at {first.input} = {first.at!r} is wrong "
                f"({len(self.wrong)} of {len(self.components)} derivatives): contradicted by "
                f"{' and '.join(first.faults)}",
                first.details(),
            ]
        return "\n".join([*lines, *([self.fault] if self.fault else []), *self.notes])

    def plot(self, path: str | Path | None = None, component: int | None = None) -> Any:
        """Plot the error of central differences over the step size, a U, for one component.

        By default that is the first wrong one. The plot is written to ``path`` if given (PNG, SVG
        or PDF). Returns the matplotlib Figure; raises ImportError, saying what to install, without
        matplotlib.
        """
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
    """Raised when a derivative is wrong; ``report`` holds all that was found.

    A pickled error keeps its message but not its report, which holds ``f``.
    """

    def __init__(self, report: GradientReport | None, message: str = "") -> None:
        super().__init__(message or (report and report.message()))
        self.report = report

    def __reduce__(self) -> tuple[Any, ...]:
        return GradientError, (None, str(self))
