"""page: one self-contained HTML file to step through both sweeps, without server or network."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from functools import cached_property
from itertools import count
from pathlib import Path

from microgradient.engine.number import shown
from microgradient.engine.value import Value
from microgradient.files import path_of, write_file
from microgradient.view.drawing.boxes import size
from microgradient.view.escaping import markup, script_data
from microgradient.view.graph.numbered_graph import Names, NumberedGraph
from microgradient.view.graph.sweep_steps import check_sweep, steps_or_refusal
from microgradient.view.page.parts import StepperParts, asset, filled
from microgradient.view.page.views import MOST_EDGES, MOST_NODES, fits, folded, other_views
from microgradient.view.text.trace import EvaluationTrace


def page(
    value: Value, names: Names | None = None, *, sweep: str = "right", detail: str = "auto"
) -> Page:
    """Return a page to step through the computation of ``value`` and its reverse sweep.

    The page shows the graph, the user's source lines and the evaluation trace, with a slider, play,
    step and step back, the equation and the rule of each step, inputs that move, questions that ask
    for the next gradient, three sweeps that are wrong on purpose, and other views: every node,
    elementary operations, and each term of a sum. ``names`` is
    ``locals()``, or what ``watch`` remembered, which has the source lines too. The page opens on
    ``sweep``, named as in ``steps``.

    A running sum is one node; of more than eight like terms or steps, one is shown and a node
    stands for the others, with their exact derivatives. ``detail="operations"`` shows every node.

    ``.save("page.html")`` writes one file that needs nothing else, and ``.html`` is its text; a
    notebook displays the page, which works without a kernel. Raises ValueError above 300 nodes
    or 1,000 edges.
    """
    if not isinstance(detail, str) or detail not in ("auto", "operations"):
        raise ValueError(f"detail must be one of auto, operations, got {shown(detail)}")
    graph = NumberedGraph(value, names, "page")
    if detail == "operations":
        return Page(graph, sweep)
    first = folded(graph)
    return Page(first, sweep, others=other_views(graph, first, names))


class Page:
    """A page to step through, see ``page``; it opens after ``position`` steps of ``sweep``.

    ``others`` are other views of the same computation, by name.
    """

    def __init__(
        self,
        graph: NumberedGraph,
        sweep: str = "right",
        position: int = 0,
        others: Mapping[str, NumberedGraph] | None = None,
    ) -> None:
        if not fits(graph):
            boxes, edges = size(graph)
            raise ValueError(
                f"this graph has {boxes:,} nodes and {edges:,} edges, and a page shows at most "
                f"{MOST_NODES} nodes, and {MOST_EDGES:,} edges if they are short; write page(part) "
                "for a part of it (one neuron, the loss of one example, a smaller model), "
                "draw(value) for a picture by layers, or trace(value) for the numbers"
            )
        check_sweep(sweep)
        self.graph, self.sweep, self.position = graph, sweep, position
        self.others = others or {}
        self.parts = StepperParts(graph, sweep, position)
        steps_or_refusal(self.parts.sweeps[sweep])

    @cached_property
    def html(self) -> str:
        """The whole page as text."""
        views = {"whole": self.parts}
        views |= {name: StepperParts(graph) for name, graph in self.others.items()}
        parts = {
            "title": markup(f"Step through {self.parts.scene.writer.symbol(self.graph.result)}"),
            "css": "\n".join(map(asset, ("tokens.css", "page.css", "stepper.css"))),
            "stepper": self.parts.html,
            "data": script_data(
                [{"name": name, "html": it.html, "data": it.data} for name, it in views.items()]
            ),
            "js": asset("stepper.js"),
        }
        return filled(asset("page.html"), parts)

    def save(self, path: str | Path = "steps.html") -> Path:
        """Write the page to a file, whole or not at all, and return its path."""
        path = path_of(path)
        write_file(path, self.html.encode())
        return path

    def __repr__(self) -> str:
        return f"{EvaluationTrace(self.graph)!r}\n\n.save('steps.html') writes the page"

    def _repr_html_(self) -> str:
        """Return the page in a frame, then a table for places that remove frames and styles."""
        number = next(_numbers)
        picture = base64.b64encode(self.parts.picture.encode()).decode()
        static = EvaluationTrace(self.graph)._repr_html_() + (
            f'<img alt="the graph" src="data:image/svg+xml;base64,{picture}">'
        )
        return (
            f"<style>.microgradient-static-{number} {{display: none}}</style>\n"
            f'<iframe title="microgradient: step through a computation" width="100%" height="860" '
            f'style="border:0" sandbox="allow-scripts" srcdoc="{markup(self.html)}"></iframe>\n'
            f'<div class="microgradient-static-{number}">{static}</div>'
        )


_numbers = count(1)  # so that each output of a notebook has its own class
