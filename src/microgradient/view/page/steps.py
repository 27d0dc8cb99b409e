"""steps: both sweeps over a graph, forward and back, one step at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

from microgradient.engine.number import shown
from microgradient.engine.value import Value
from microgradient.view.graph.numbered_graph import Names, NumberedGraph
from microgradient.view.graph.sweep_steps import RULES, Step, forward_steps, sweep_named
from microgradient.view.page.page import Page
from microgradient.view.page.views import fits
from microgradient.view.text.step_text import StepWriter
from microgradient.view.text.trace import EvaluationTrace

MOST_NODES = 100_000


def steps(value: Value, names: Names | None = None, *, sweep: str = "right") -> Stepper:
    """Return every step of the forward and the reverse sweep through the graph of ``value``.

    The sweeps are computed afresh: no ``grad`` is read or changed. ``names`` is ``locals()``, or
    what ``watch`` remembered. ``sweep`` is "right", or one that is wrong on purpose: "recursion"
    (every node passes on at once, without a topological order), "assignment" (``=`` for ``+=``) or
    "no zero_grad" (the gradients of a first sweep are still there).

    A notebook displays the steps as a page, or as an evaluation trace if the graph is too large for
    a page; ``.save("steps.html")`` writes the page. Raises ValueError for an unknown sweep, above
    100,000 nodes, or if the recursion would take too many visits.
    """
    return Stepper(NumberedGraph(value, names, "steps"), sweep)


class Stepper(Sequence[Step]):
    """The steps of two sweeps, and a position among them.

    A sequence of ``Step`` records. ``position`` is how many steps are done, 0 at first.
    ``forward()`` does the next step and returns it, or None at the end; ``back()`` undoes the last
    one and returns it, or None at the start. ``values`` and ``adjoints`` hold what is known at this
    position, by node.
    """

    def __init__(self, graph: NumberedGraph, sweep: str = "right") -> None:
        if len(graph.nodes) > MOST_NODES:
            raise ValueError(
                f"this graph has {len(graph.nodes):,} nodes, and steps shows at most "
                f"{MOST_NODES:,}; step through a part of it, such as one of the result's parents"
            )
        self.graph = graph
        self._steps = (*forward_steps(graph), *sweep_named(sweep, graph))
        self._writer = StepWriter(graph)
        self._sweep = sweep
        self._position = 0
        self.values: dict[Value, float] = {}
        self.adjoints: dict[Value, float] = {}

    @property
    def position(self) -> int:
        """How many steps are done."""
        return self._position

    def __len__(self) -> int:
        return len(self._steps)

    @overload
    def __getitem__(self, index: int) -> Step: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Step, ...]: ...
    def __getitem__(self, index: int | slice) -> Step | tuple[Step, ...]:
        return self._steps[index]

    def forward(self) -> Step | None:
        """Do the next step and return it; None at the end."""
        if self.position == len(self):
            return None
        step = self[self.position]
        self._known(step)[step.node] = step.after
        self._position += 1
        return step

    def back(self) -> Step | None:
        """Undo the last step and return it; None at the start."""
        if self.position == 0:
            return None
        self._position -= 1
        step = self[self.position]
        if step.before is None:
            del self._known(step)[step.node]
        else:
            self._known(step)[step.node] = step.before
        return step

    def goto(self, position: int) -> None:
        """Do or undo steps until ``position`` of them are done."""
        if type(position) is not int or not 0 <= position <= len(self):
            raise ValueError(f"expected a position from 0 to {len(self)}, got {shown(position)}")
        while self.position < position:
            self.forward()
        while self.position > position:
            self.back()

    def tell(self, step: Step) -> str:
        """Return what happens in a step: the equation, its local derivative, the rule."""
        lines = [self._writer.equation(step), self._writer.reason(step), RULES[step.rule]]
        return "\n".join(filter(None, lines))

    @property
    def records(self) -> list[dict[str, Any]]:
        """The steps as dicts of numbers and names, for ``pandas.DataFrame(steps(y).records)``."""
        symbol = self._writer.symbol
        return [
            {
                "sweep": step.sweep,
                "rule": step.rule,
                "node": symbol(step.node),
                "before": step.before,
                "after": step.after,
                "giver": symbol(step.giver) if step.giver is not None else None,
                "adjoint": step.adjoint,
                "partial": step.partial,
                "contribution": step.contribution,
                "text": self._writer.equation(step),
            }
            for step in self
        ]

    def save(self, path: str | Path = "steps.html") -> Path:
        """Write the page that shows these steps, as ``page(value).save(path)`` does."""
        return self._page().save(path)

    def __repr__(self) -> str:
        head = f"step {self.position} of {len(self)}"
        if self.position == 0:
            return f"{head}: nothing is done yet; .forward() does a step and .back() undoes one"
        return f"{head}: {self.tell(self[self.position - 1])}"

    def _repr_html_(self) -> str:
        if not fits(self.graph):
            return EvaluationTrace(self.graph)._repr_html_()
        return self._page()._repr_html_()

    def _page(self) -> Page:
        return Page(self.graph, self._sweep, self.position)

    def _known(self, step: Step) -> dict[Value, float]:
        return self.values if step.sweep == "forward" else self.adjoints
