"""What happens to a result when one of its inputs is nudged: the graph evaluated again."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

from microgradient.engine.number import as_float
from microgradient.engine.sweeps import dependents
from microgradient.engine.value import Value
from microgradient.view.graph.numbered_graph import NumberedGraph

MOST_EVALUATIONS = 200_000  # of operations, for all nudges of a page: about half a second
_POINTS = 20  # on either side


@dataclass(frozen=True)
class Nudges:
    """The result for an input moved by each of ``amounts``."""

    amounts: tuple[float, ...]
    results: tuple[float, ...]


def nudges(graph: NumberedGraph) -> dict[Value, Nudges]:
    """Return for each input the results for nudges of up to 1, or up to itself where it is larger.

    A branch that ``where`` took stays taken. Where the graph is large, fewer points are tried; an
    input of a very large one is left out.
    """
    if not graph.result.parents:
        return {}
    inputs = [node for node in graph.nodes if not node.parents]
    active = {x: _active(graph, x) for x in inputs}
    work = sum(map(len, active.values()))
    points = min(_POINTS, MOST_EVALUATIONS // max(1, 2 * work))
    found = {}
    for x in inputs if points else ():
        reach = max(1.0, abs(x.data))
        if reach - reach == 0:
            amounts = tuple(reach * i / points for i in range(-points, points + 1))
            found[x] = Nudges(amounts, tuple(_result(graph, active[x], x, a) for a in amounts))
    return found


def _active(graph: NumberedGraph, x: Value) -> list[Value]:
    reached = dependents(graph.nodes, [x])
    return [node for node in graph.nodes if node in reached and node is not x]


def _result(graph: NumberedGraph, active: list[Value], x: Value, amount: float) -> float:
    moved = {x: x.data + amount}
    for node in active:
        if node.op is not None:
            try:
                moved[node] = as_float(
                    node.op.fast(*[moved.get(parent, parent.data) for parent in node.parents])
                )
            except (
                ArithmeticError,
                ValueError,
                TypeError,
            ):  # a user's operation outside of its domain
                return nan
    return moved.get(graph.result, graph.result.data)
