"""The views of one computation on a page: folded, node by node, in elementary operations, by terms.

A training loss is a sum over patterns: each of its terms is a view too, the network on one pattern.
"""

from __future__ import annotations

from microgradient.engine import ops
from microgradient.engine.services.watching import Watch
from microgradient.engine.value import Value
from microgradient.view.drawing.boxes import every_node, size, span
from microgradient.view.graph.composites import Sum
from microgradient.view.graph.expand import expand
from microgradient.view.graph.numbered_graph import Names, NumberedGraph
from microgradient.view.graph.repetitions import without_repetitions
from microgradient.view.graph.running_sums import with_sums

MOST_NODES, MOST_EDGES, MOST_SPAN = 300, 1000, 5000  # see view/drawing/draw.py
_MOST_TERMS = 16
_OTHERS = 150  # nodes of a view besides the first: a page holds all of them


def folded(graph: NumberedGraph) -> NumberedGraph:
    """Return a graph with running sums as one node, and one of many like terms or steps."""
    return without_repetitions(with_sums(graph))


def fits(graph: NumberedGraph, nodes: int = MOST_NODES) -> bool:
    """Return whether a page can show ``graph``, of at most so many nodes."""
    boxes, edges = size(graph)
    if boxes > nodes or edges > MOST_EDGES:
        return False
    return span(*every_node(graph)) <= MOST_SPAN


def other_views(
    graph: NumberedGraph, first: NumberedGraph, names: Names | None
) -> dict[str, NumberedGraph]:
    """Return the views of ``graph`` besides ``first``, which is folded, by name: those that fit."""
    found = {} if len(first.nodes) == len(graph.nodes) else {"every node": graph}
    terms = _terms(graph)
    for number, term in enumerate(terms, 1):
        found[f"term {number} of {len(terms)}"] = folded(NumberedGraph(term, names, "page"))
    elementary = _elementary(graph, names)
    if elementary is not None:
        found["elementary operations"] = elementary
    return {name: view for name, view in found.items() if fits(view, _OTHERS)}


def _terms(graph: NumberedGraph) -> list[Value]:
    """Return the terms of the result, if it is a sum of a few terms, or a constant times a sum."""
    top = with_sums(graph).result
    while top.op in (ops.mul, ops.div):
        inner, factor = top.parents
        if top.op is ops.mul and inner.op is ops.constant:
            inner, factor = factor, inner
        if factor.op is not ops.constant:
            return []
        top = inner
    if top.op is not ops.fsum and not isinstance(top.op, Sum):
        return []
    terms = [p for p in top.parents if p.parents and p in graph.number]
    return terms if 2 <= len(terms) <= _MOST_TERMS else []


def _elementary(graph: NumberedGraph, names: Names | None) -> NumberedGraph | None:
    """Return the graph with its fused operations taken apart, if there are any."""
    if len(graph.nodes) > _OTHERS:
        return None
    if isinstance(names, Watch):
        names = names.copied()  # it gets the lines of the new nodes
    try:
        result = expand(graph.result, names=names)
    except Exception:  # a user's operation may have no formula, or one that raises anything
        return None
    return None if result is graph.result else NumberedGraph(result, names, "page")
