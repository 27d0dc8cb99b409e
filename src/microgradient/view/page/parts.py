"""The parts of a page: the stepper's markup and its data, for a page or another program's frame."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from importlib.resources import files
from pathlib import PurePath
from typing import Any

from microgradient.engine.services.watching import Line
from microgradient.engine.value import Value
from microgradient.view.escaping import markup, plain
from microgradient.view.graph.grouping import uses
from microgradient.view.graph.numbered_graph import NumberedGraph
from microgradient.view.graph.sweep_steps import every_sweep, steps_or_refusal
from microgradient.view.numerals import digits
from microgradient.view.page.page_data import page_data
from microgradient.view.page.scene import Scene
from microgradient.view.page.scene_svg import scene_svg

_ASSETS = files("microgradient.view.page") / "assets"


def asset(name: str) -> str:
    """Return the text of one of the page's files."""
    return (_ASSETS / name).read_text("utf-8")


def filled(template: str, parts: Mapping[str, str]) -> str:
    """Return a template with its ``{{holes}}`` filled; what fills them has no holes."""
    return re.sub(r"\{\{(\w+)\}\}", lambda hole: parts[hole[1]], template)


class StepperParts:
    """One view of what ``mountStepper(root, views)`` in ``stepper.js`` shows: its html and data."""

    def __init__(self, graph: NumberedGraph, sweep: str = "right", position: int = 0) -> None:
        self.graph, self.start = graph, {"sweep": sweep, "position": position}
        self.scene = Scene(graph, _captions(graph))
        self.lines = sorted({graph.lines[node] for node in graph.nodes if node in graph.lines})
        self.sweeps = every_sweep(graph)
        self.adjoint = {step.node: step.after for step in steps_or_refusal(self.sweeps["right"])}

    @property
    def picture(self) -> str:
        """The graph as a picture that stands alone."""
        style = asset("tokens.css") + asset("stepper.css").replace(".stepper ", "")
        return scene_svg(self.scene, self.adjoint, style)

    @cached_property
    def html(self) -> str:
        """The markup: controls, sentence, graph, lines and trace; the script replaces numbers."""
        svg = scene_svg(self.scene, self.adjoint)
        parts = {"graph": svg, "trace": self._trace(), "source": _source(self.lines)}
        return filled(asset("stepper.html"), parts)

    @property
    def data(self) -> dict[str, Any]:
        """What the script reads, as JSON can hold it."""
        return {**page_data(self.scene, self.sweeps, self.lines), "start": self.start}

    def _trace(self) -> str:
        rows = []
        for i, node in enumerate(self.graph.nodes):
            cells = (
                self.graph.variable(node),
                plain(self.graph.names.get(node, "")),
                self.scene.writer.formula(node) or "input",
                digits(node.data),
                digits(self.adjoint[node]),
            )
            kinds = ("", "", "formula", "number", "number")
            texts = [f'<td class="{k}">{markup(c)}</td>' for k, c in zip(kinds, cells)]
            rows.append(f'<tr data-row="{i}">{"".join(texts)}<td class="number right"></td></tr>')
        return "\n".join(rows)


def _captions(graph: NumberedGraph) -> dict[Value, str]:
    """Return the name of the neuron that each node belongs to, if there are modules."""
    if not graph.modules:
        return {}
    return {node: plain(_neuron(use.place.neuron)) for node, use in uses(graph).items()}


def _neuron(path: str) -> str:
    """Return ``layer 0, neuron 1`` for ``model.layers.0.neurons.1``."""
    ours = re.search(r"layers\.(\d+)\.neurons\.(\d+)$", path)
    return f"layer {ours[1]}, neuron {ours[2]}" if ours else path


def _source(lines: list[Line]) -> str:
    if not lines:
        return (
            '<p class="note">To see your own lines here, compute inside '
            "<code>with watch() as seen:</code> and call <code>page(y, seen)</code>.</p>"
        )
    items = "".join(
        f'<li><span class="place">{markup(_place(line))}</span>'
        f"<code>{markup(plain(line.text, 200))}</code></li>"
        for line in lines
    )
    return f'<ol class="source">{items}</ol>'


def _place(line: Line) -> str:
    """Return ``train.py:12``, or ``cell:3`` for a cell of a notebook."""
    name = PurePath(line.file).name
    shown = "cell" if re.fullmatch(r"\d+\.py|<.*>|.*ipython-input.*", name) else plain(name)
    return f"{shown}:{line.number}"
