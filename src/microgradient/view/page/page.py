"""page: one self-contained HTML file to step through both sweeps, without server or network."""

from __future__ import annotations

import base64
import re
from functools import cached_property
from importlib.resources import files
from itertools import count
from pathlib import Path, PurePath

from microgradient.engine.number import shown
from microgradient.engine.services.watching import Line
from microgradient.engine.value import Value
from microgradient.files import path_of, write_file
from microgradient.view.drawing.boxes import every_node, size, span
from microgradient.view.escaping import markup, plain, script_data
from microgradient.view.graph.numbered_graph import Names, NumberedGraph
from microgradient.view.graph.repetitions import without_repetitions
from microgradient.view.graph.running_sums import with_sums
from microgradient.view.graph.sweep_steps import check_sweep, every_sweep, steps_or_refusal
from microgradient.view.numerals import digits
from microgradient.view.page.graph_svg import graph_svg
from microgradient.view.page.page_data import page_data
from microgradient.view.text.step_text import StepWriter
from microgradient.view.text.trace import EvaluationTrace

MOST_NODES, MOST_EDGES, MOST_SPAN = 300, 1000, 5000  # see view/drawing/draw.py
_ASSETS = files("microgradient.view.page") / "assets"


def page(
    value: Value, names: Names | None = None, *, sweep: str = "right", detail: str = "auto"
) -> Page:
    """Return a page to step through the computation of ``value`` and its reverse sweep.

    The page shows the user's source lines, the graph and the evaluation trace side by side, with a
    slider, play, step and step back, the rule used at each step, a nudge for every input, questions
    that ask for the next gradient, and three sweeps that are wrong on purpose. ``names`` is
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
    if detail == "auto":
        graph = without_repetitions(with_sums(graph))
    return Page(graph, sweep)


def fits(graph: NumberedGraph) -> bool:
    """Return whether a page can show ``graph``."""
    boxes, edges = size(graph)
    if boxes > MOST_NODES or edges > MOST_EDGES:
        return False
    return span(*every_node(graph)) <= MOST_SPAN


class Page:
    """A page to step through, see ``page``; it opens after ``position`` steps of ``sweep``."""

    def __init__(self, graph: NumberedGraph, sweep: str = "right", position: int = 0) -> None:
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
        self.sweeps = every_sweep(graph)
        steps_or_refusal(self.sweeps[sweep])
        self.adjoint = {step.node: step.after for step in steps_or_refusal(self.sweeps["right"])}

    @cached_property
    def html(self) -> str:
        """The whole page as text."""
        asset = {name: (_ASSETS / f"page.{name}").read_text("utf-8") for name in ("css", "js")}
        graph, writer = self.graph, StepWriter(self.graph)
        lines = sorted({graph.lines[node] for node in graph.nodes if node in graph.lines})
        data = page_data(graph, self.sweeps, writer, lines)
        data["start"] = {"sweep": self.sweep, "position": self.position}
        parts = {
            "title": markup(f"Step through {writer.symbol(graph.result)}"),
            "graph": self._graph,
            "trace": self._trace(writer),
            "source": _source(lines),
            "data": script_data(data),
            **asset,
        }
        template = (_ASSETS / "page.html").read_text("utf-8")
        return re.sub(r"\{\{(\w+)\}\}", lambda hole: parts[hole[1]], template)

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
        static = EvaluationTrace(self.graph)._repr_html_() + self._image()
        return (
            f"<style>.microgradient-static-{number} {{display: none}}</style>\n"
            f'<iframe title="microgradient: step through a computation" width="100%" height="760" '
            f'style="border:0" sandbox="allow-scripts" srcdoc="{markup(self.html)}"></iframe>\n'
            f'<div class="microgradient-static-{number}">{static}</div>'
        )

    @cached_property
    def _graph(self) -> str:
        """The graph in its final state as an ``svg`` element, or why there is no picture."""
        try:
            return graph_svg(self.graph, self.adjoint)
        except RuntimeError as fault:
            return f"<p>{markup(str(fault))}</p>"

    def _image(self) -> str:
        """Return the graph as an image that holds its own data, "" if nothing can draw it."""
        if not self._graph.startswith("<svg"):
            return ""
        data = base64.b64encode(self._graph.encode()).decode()
        return f'<img alt="the graph" src="data:image/svg+xml;base64,{data}">'

    def _trace(self, writer: StepWriter) -> str:
        rows = []
        for i, node in enumerate(self.graph.nodes):
            cells = (
                self.graph.variable(node),
                plain(self.graph.names.get(node, "")),
                writer.formula(node) or "input",
                digits(node.data),
                digits(self.adjoint[node]),
            )
            kinds = ("", "", "formula", "number", "number")
            texts = [f'<td class="{k}">{markup(c)}</td>' for k, c in zip(kinds, cells)]
            rows.append(f'<tr id="r{i}">{"".join(texts)}<td class="number right"></td></tr>')
        return "\n".join(rows)


_numbers = count(1)  # so that each output of a notebook has its own class


def _source(lines: list[Line]) -> str:
    if not lines:
        return (
            '<p class="note">To see your own lines here, compute inside '
            "<code>with watch() as seen:</code> and call <code>page(y, seen)</code>.</p>"
        )
    items = "".join(
        f'<li id="l{i}"><span class="place">{markup(_place(line))}</span>'
        f"<code>{markup(plain(line.text, 200))}</code></li>"
        for i, line in enumerate(lines)
    )
    return f'<ol class="source">{items}</ol>'


def _place(line: Line) -> str:
    """Return ``train.py:12``, or ``cell:3`` for a cell of a notebook."""
    name = PurePath(line.file).name
    shown = "cell" if re.fullmatch(r"\d+\.py|<.*>|.*ipython-input.*", name) else plain(name)
    return f"{shown}:{line.number}"
