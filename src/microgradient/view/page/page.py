"""page: one self-contained HTML file to step through both sweeps, without server or network."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from functools import cached_property
from importlib.resources import files
from itertools import count
from math import inf
from pathlib import Path, PurePath
from typing import Any

from microgradient.engine.services.watching import Line
from microgradient.engine.value import Value
from microgradient.view.drawing.draw import dot_lines
from microgradient.view.drawing.picture import every_node, short, size
from microgradient.view.files import write_file
from microgradient.view.graph.nudging import nudges
from microgradient.view.graph.numbering import Names, Numbering
from microgradient.view.graph.sweep_steps import (
    RULES,
    SWEEPS,
    Step,
    forward_steps,
    large,
    reverse_sweep,
    sweep_of,
    visits,
)
from microgradient.view.text.escaping import markup, plain, script_data
from microgradient.view.text.evaluation_trace import Trace
from microgradient.view.text.step_text import Teller, digits

MOST_NODES, MOST_EDGES = 300, 1000
_ROOM = "value 888888888"  # as wide as nearly any text with a number
_DENSE = "\tbgcolor=transparent ranksep=0.35 nodesep=0.2\n"
_ASSETS = files("microgradient.view.page") / "assets"


def page(value: Value, names: Names | None = None, *, sweep: str = "right") -> Page:
    """Return a page to step through the computation of ``value`` and its reverse sweep.

    It shows the user's source lines, the graph and the evaluation trace side by side, with a
    slider, play, step and step back, the rule used at each step, a nudge for every input, questions
    to predict the next gradient, and three sweeps that are wrong on purpose. ``names`` is
    ``locals()``, or what ``watch`` remembered, which has the source lines too. ``sweep`` is the one
    that it opens with, as in ``steps``.

    ``.save("page.html")`` writes one file that needs nothing else; ``.html`` is its text; in a
    notebook the page shows itself and works without a kernel. Raises ValueError above 300 nodes.
    """
    return Page(Numbering(value, names, "page"), sweep)


def fits(graph: Numbering) -> bool:
    """Return whether a page can show ``graph``."""
    boxes, edges = size(graph)
    return boxes <= MOST_NODES and edges <= MOST_EDGES


class Page:
    """A page to step through; see ``page``. It opens at ``position`` steps of ``sweep``."""

    def __init__(self, graph: Numbering, sweep: str = "right", position: int = 0) -> None:
        if not fits(graph):
            boxes, edges = size(graph)
            raise ValueError(
                f"this graph has {boxes:,} nodes with {edges:,} edges, and a page shows at most "
                f"{MOST_NODES} with {MOST_EDGES:,}; step a part of it (one neuron, one example), "
                "or see draw, which folds repetitions"
            )
        sweep_of(graph, sweep)  # or it says why not
        self.graph, self.sweep, self.position = graph, sweep, position

    @cached_property
    def html(self) -> str:
        """The whole page as text."""
        asset = {name: (_ASSETS / f"page.{name}").read_text("utf-8") for name in ("css", "js")}
        tell = Teller(self.graph)
        parts = {
            "title": markup(f"Step through {tell.symbol(self.graph.result)}"),
            "graph": self._graph(),
            "trace": self._trace(tell),
            "source": self._source(),
            "data": script_data(self._data(tell)),
            **asset,
        }
        template = (_ASSETS / "page.html").read_text("utf-8")
        return re.sub(r"\{\{(\w+)\}\}", lambda hole: parts[hole[1]], template)

    def save(self, path: str | Path = "steps.html") -> Path:
        """Write the page to a file, whole or not at all, and return its path."""
        path = Path(path)
        write_file(path, self.html.encode())
        return path

    def __repr__(self) -> str:
        return f"{Trace(self.graph)!r}\n\n.save('steps.html') writes the page to step through"

    def _repr_html_(self) -> str:
        """Return the page in a frame, and behind it a table where frames and styles are removed."""
        number = next(_numbers)
        static = Trace(self.graph)._repr_html_() + self._image()
        return (
            f"<style>.microgradient-static-{number} {{display: none}}</style>\n"
            f'<iframe title="microgradient: step through a computation" width="100%" height="760" '
            f'style="border:0" sandbox="allow-scripts" srcdoc="{markup(self.html)}"></iframe>\n'
            f'<div class="microgradient-static-{number}">{static}</div>'
        )

    # --- the parts of the page --------------------------------------------------------------------

    def _graph(self) -> str:
        try:
            return self._svg()
        except RuntimeError as fault:
            return f"<p>{markup(str(fault))}</p>"

    def _image(self) -> str:
        """Return the graph as an image that holds its own data, "" where nothing can draw it."""
        try:
            data = base64.b64encode(self._svg(static=True).encode()).decode()
        except RuntimeError:
            return ""
        return f'<img alt="the graph" src="data:image/svg+xml;base64,{data}">'

    @cached_property
    def _adjoint(self) -> dict[Value, float]:
        return {step.node: step.after for step in reverse_sweep(self.graph)}

    @cached_property
    def _lines(self) -> list[Line]:
        graph = self.graph
        return sorted({graph.lines[node] for node in graph.nodes if node in graph.lines})

    def _svg(self, static: bool = False) -> str:
        """Return the graph as SVG in its final state; RuntimeError where nothing can draw it.

        Unless ``static``, its boxes have room for every number that can stand in them.
        """
        from microgradient.view.drawing.digraph import Drawing

        boxes, links = every_node(self.graph)
        final = {
            f"n{i}": (f"value {short(node.data)}", f"grad {short(self._adjoint[node])}")
            for i, node in enumerate(self.graph.nodes)
        }
        lines = {key: texts if static else (_ROOM, _ROOM) for key, texts in final.items()}
        boxes = [
            replace(box, lines=(*box.lines[:-2], *lines[box.key])) if box.key in lines else box
            for box in boxes
        ]
        svg, (width, height) = "", (inf, 1.0)
        for direction in ("LR", "TB"):  # a long chain reads better from top to bottom here
            if width > height:
                body = [_DENSE, *dot_lines(boxes, links, False, direction)]
                svg = Drawing(body=body).pipe("svg", encoding="utf-8")
                if "<svg" not in svg:
                    raise RuntimeError("the program that should draw the graph gave no SVG")
                svg = svg[svg.index("<svg") :]
                width, height = (float(x) for x in re.findall(r'="([\d.]+)pt"', svg)[:2])
        if static:
            return svg
        svg = re.sub(r"<title>.*?</title>|<!--.*?-->", "", svg, flags=re.S)
        svg = '<g id="'.join(_refilled(part, final) for part in svg.split('<g id="'))
        style = f"--width:{1.15 * width:.0f}px"
        size = f'<svg style="{style}" role="group" aria-label="Computation graph"'
        return re.sub(r'<svg width="[\d.]+pt" height="[\d.]+pt"', size, svg, count=1)

    def _trace(self, tell: Teller) -> str:
        rows = []
        for i, node in enumerate(self.graph.nodes):
            cells = (
                self.graph.variable(node),
                plain(self.graph.names.get(node, "")),
                tell.formula(node) or "input",
                digits(node.data),
                digits(self._adjoint[node]),
            )
            kinds = ("", "", "formula", "number", "number")
            texts = [f'<td class="{k}">{markup(c)}</td>' for k, c in zip(kinds, cells)]
            rows.append(f'<tr id="r{i}">{"".join(texts)}<td class="number right"></td></tr>')
        return "\n".join(rows)

    def _source(self) -> str:
        lines = self._lines
        if not lines:
            return (
                '<p class="note">To see your own lines here, compute inside of '
                "<code>with watch() as seen:</code> and write <code>page(y, seen)</code>.</p>"
            )
        items = "".join(
            f'<li id="l{i}"><span class="place">{markup(_place(line))}</span>'
            f"<code>{markup(plain(line.text, 200))}</code></li>"
            for i, line in enumerate(lines)
        )
        return f'<ol class="source">{items}</ol>'

    def _data(self, tell: Teller) -> dict[str, Any]:
        graph = self.graph
        index = {node: i for i, node in enumerate(graph.nodes)}
        lines = self._lines
        moved = nudges(graph)
        return {
            "result": index[graph.result],
            "nodes": [
                {
                    "symbol": tell.symbol(node),
                    "by": tell.by(node),
                    "formula": tell.formula(node),
                    "value": _finite(node.data),
                    "line": lines.index(graph.lines[node]) if node in graph.lines else -1,
                    "input": not node.parents,
                }
                for node in graph.nodes
            ],
            "forward": [_packed(step, index, tell) for step in forward_steps(graph)],
            "sweeps": {
                name: [_packed(step, index, tell) for step in sweep]
                if (sweep := make(graph)) is not None
                else f"The recursion would make {large(visits(graph))} visits: too many to show."
                for name, make in SWEEPS.items()
            },
            "rules": RULES,
            "nudges": {
                index[x]: [[_finite(a) for a in n.amounts], [_finite(r) for r in n.results]]
                for x, n in moved.items()
            },
            "start": {"sweep": self.sweep, "position": self.position},
        }


_numbers = count(1)  # a class of its own for each output of a notebook


def _packed(step: Step, index: dict[Value, int], tell: Teller) -> list[Any]:
    giver = -1 if step.giver is None else index[step.giver]
    numbers = (step.before, step.after, step.adjoint, step.partial, step.contribution)
    texts = tell.tell(step), tell.why(step)
    return [step.rule, index[step.node], giver, step.operand, *map(_finite, numbers), *texts]


def _finite(x: float | None) -> float | str | None:
    """Return a number as JSON can hold it: nan and the infinities as text."""
    return x if x is None or x - x == 0 else str(x)


def _refilled(group: str, texts: dict[str, tuple[str, str]]) -> str:
    """Write the final numbers of a node into its group of SVG, in place of their room."""
    key = group.partition('"')[0]
    if key not in texts:
        return group
    head, between, tail = group.rsplit(_ROOM, 2)
    return f"{head}{texts[key][0]}{between}{texts[key][1]}{tail}"


def _place(line: Line) -> str:
    """Return ``train.py:12``, or ``cell:3`` for a cell of a notebook."""
    name = PurePath(line.file).name
    shown = "cell" if re.fullmatch(r"\d+\.py|<.*>|.*ipython-input.*", name) else plain(name)
    return f"{shown}:{line.number}"
