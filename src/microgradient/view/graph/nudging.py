"""What happens to all nodes when one input is nudged: the graph is evaluated again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import nan

from microgradient.engine.graph import topological_order
from microgradient.engine.number import as_float
from microgradient.engine.sweeps import dependents
from microgradient.engine.value import Value
from microgradient.view.graph.composites import Composite
from microgradient.view.graph.numbered_graph import NumberedGraph

MOST_EVALUATIONS = 40_000  # of single operations, for all nudges of a page: 0.1 s, 500 kB
_POINTS = 20  # on either side


@dataclass(frozen=True)
class Nudges:
    """The values of ``nodes`` when an input is moved by each of ``amounts``: a list for each.

    ``nodes`` are the input and all that depend on it, the result last.
    """

    amounts: tuple[float, ...]
    nodes: tuple[Value, ...]
    values: tuple[tuple[float, ...], ...]


def nudges(graph: NumberedGraph) -> dict[Value, Nudges]:
    """Return the nudges of each input x, from -max(1, |x|) to max(1, |x|).

    A branch that ``where`` took stays taken. The larger the graph, the fewer points are tried; for
    a very large one there are no nudges, and none for an input that is not finite.
    """
    if not graph.result.parents:
        return {}
    inputs = [node for node in graph.nodes if not node.parents]
    data = {node: node.data for node in topological_order(graph.result)}
    active = {x: _active(graph, x) for x in inputs}
    work = sum(_size(node) for nodes in active.values() for node in nodes)
    points = min(_POINTS, MOST_EVALUATIONS // max(1, 2 * work))
    found = {}
    for x in inputs if points else ():
        reach = max(1.0, abs(data[x]))
        if reach - reach == 0:
            amounts = tuple(reach * i / points for i in range(-points, points + 1))
            values = tuple(_values(active[x], data, x, data[x] + amount) for amount in amounts)
            found[x] = Nudges(amounts, (x, *active[x]), values)
    return found


def _size(node: Value) -> int:
    return node.op.size if isinstance(node.op, Composite) else 1


def _active(graph: NumberedGraph, x: Value) -> list[Value]:
    reached = dependents(graph.nodes, [x])
    return [node for node in graph.nodes if node in reached and node is not x]


def _values(
    active: Iterable[Value], data: Mapping[Value, float], x: Value, to: float
) -> tuple[float, ...]:
    """Return ``to`` and the ``active`` nodes, evaluated again with ``x`` there."""
    moved = {x: to}
    for node in active:
        if node.op is not None:
            operands = [moved[p] if p in moved else data[p] for p in node.parents]
            try:
                moved[node] = as_float(node.op.fast(*operands))
            except (ArithmeticError, ValueError, TypeError):
                moved[node] = nan  # a user's operation outside its domain
    return tuple(moved.values())
