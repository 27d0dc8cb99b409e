"""What the script of a page reads: nodes, steps of every sweep and nudges, as JSON can hold them.

A step is a list, as the script names its parts: rule, node, giver (-1: none), operand, before,
after, adjoint, partial, contribution, equation, reason. Nodes are numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from microgradient.engine.services.watching import Line
from microgradient.engine.value import Value
from microgradient.view.graph.nudging import nudges
from microgradient.view.graph.numbered_graph import NumberedGraph
from microgradient.view.graph.sweep_steps import RULES, Step, forward_steps
from microgradient.view.text.step_text import StepWriter

Number = float | str | None
"""A number in JSON: nan and the infinities as text."""


def page_data(
    graph: NumberedGraph,
    sweeps: Mapping[str, list[Step] | str],
    writer: StepWriter,
    lines: Sequence[Line],
) -> dict[str, Any]:
    """Return all that the script needs; a sweep without steps is the sentence that says why."""
    index = {node: i for i, node in enumerate(graph.nodes)}
    return {
        "result": index[graph.result],
        "nodes": [
            {
                "symbol": writer.symbol(node),
                "derivative": writer.derivative(node),
                "formula": writer.formula(node),
                "value": _finite(node.data),
                "line": lines.index(graph.lines[node]) if node in graph.lines else -1,
            }
            for node in graph.nodes
        ],
        "forward": [_packed(step, index, writer) for step in forward_steps(graph)],
        "sweeps": {
            name: sweep
            if isinstance(sweep, str)
            else [_packed(step, index, writer) for step in sweep]
            for name, sweep in sweeps.items()
        },
        "rules": RULES,
        "nudges": {
            index[x]: [list(map(_finite, n.amounts)), list(map(_finite, n.results))]
            for x, n in nudges(graph).items()
        },
    }


def _packed(step: Step, index: Mapping[Value, int], writer: StepWriter) -> list[Number]:
    giver = -1 if step.giver is None else index[step.giver]
    numbers = (step.before, step.after, step.adjoint, step.partial, step.contribution)
    texts = writer.equation(step), writer.reason(step)
    return [step.rule, index[step.node], giver, step.operand, *map(_finite, numbers), *texts]


def _finite(x: float | None) -> Number:
    return x if x is None or x - x == 0 else str(x)
