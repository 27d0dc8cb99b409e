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
from microgradient.view.graph.sweep_steps import RULES, Step, forward_steps
from microgradient.view.page.scene import Scene
from microgradient.view.text.formulas import MATHML
from microgradient.view.text.step_text import StepWriter

Number = float | str | None
"""A number in JSON: nan and the infinities as text."""


def page_data(
    scene: Scene, sweeps: Mapping[str, list[Step] | str], lines: Sequence[Line]
) -> dict[str, Any]:
    """Return all that the script needs; a sweep without steps is the sentence that says why."""
    graph, index, writer = scene.graph, scene.number, scene.writer
    mathml = StepWriter(graph, MATHML)
    columns = scene.columns
    return {
        "result": index[graph.result],
        "nodes": [
            {
                "symbol": writer.symbol(node),
                "math": mathml.symbol(node),
                "derivative": writer.derivative(node),
                "formula": writer.formula(node),
                "formulaMath": mathml.formula(node),
                "rules": mathml.derivatives(node) if node.parents else [],
                "partials": [*map(_finite, node.partials)],
                "twice": [i for i, p, _ in graph.edges(node) if _times(p, node.parents) > 1],
                "value": _finite(node.data),
                "column": columns[node],
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
            index[x]: {
                "amounts": [*map(_finite, n.amounts)],
                "zero": len(n.amounts) // 2,
                "nodes": [index[node] for node in n.nodes],
                "values": [[_seven_digits(v) for v in values] for values in n.values],
            }
            for x, n in nudges(graph).items()
        },
    }


def _times(parent: Value, parents: Sequence[Value]) -> int:
    return sum(other is parent for other in parents)


def _seven_digits(x: float) -> Number:
    return _finite(float(f"{x:.7g}"))


def _packed(step: Step, index: Mapping[Value, int], writer: StepWriter) -> list[Number]:
    giver = -1 if step.giver is None else index[step.giver]
    numbers = (step.before, step.after, step.adjoint, step.partial, step.contribution)
    texts = writer.equation(step), writer.reason(step)
    return [step.rule, index[step.node], giver, step.operand, *map(_finite, numbers), *texts]


def _finite(x: float | None) -> Number:
    return x if x is None or x - x == 0 else str(x)
