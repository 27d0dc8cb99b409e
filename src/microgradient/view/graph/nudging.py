"""What happens to a result when one of its inputs is nudged: the graph is evaluated again."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

from microgradient.engine.number import as_float
from microgradient.engine.sweeps import dependents
from microgradient.engine.value import Value
from microgradient.view.graph.numbered_graph import NumberedGraph

MOST_EVALUATIONS = 200_000  # of single operations, for all nudges of a page: about 0.5 s
_POINTS = 20  # on either side


@dataclass(frozen=True)
class Nudges:
    """The ``results`` when an input is moved by each of ``amounts``."""

    amounts: tuple[float, ...]
    results: tuple[float, ...]


def nudges(graph: NumberedGraph) -> dict[Value, Nudges]:
    """Return the nudges of each input x, from -max(1, |x|) to max(1, |x|).

    A branch that ``where`` took stays taken. The larger the graph, the fewer points are tried; for
    a very large one there are no nudges, and none for an input that is not finite.
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
            except (ArithmeticError, ValueError, TypeError):
                return nan  # a user's operation outside its domain
    return moved.get(graph.result, graph.result.data)
