"""Running sums: ``a + b + c + …`` as one node with all terms as its operands."""

from __future__ import annotations

from collections import Counter

from microgradient.engine import ops
from microgradient.engine.value import Value, gradient_of
from microgradient.view.graph.composites import Node, sum_of
from microgradient.view.graph.numbered_graph import NumberedGraph


def with_sums(graph: NumberedGraph) -> NumberedGraph:
    """Return ``graph`` with every running sum of three terms or more as one node.

    The additions inside it have no name and are read by nothing else. The local derivative by
    each term is 1. A constant 0, with which Python's ``sum`` starts, is no term.
    """
    inside = _inside(graph)
    return graph.with_nodes(
        {
            node: Node(sum_of(len(terms)), terms, (1.0,) * len(terms), node.data, gradient_of(node))
            for node in graph.nodes
            if node.op is ops.add and node not in inside
            if len(terms := _terms(node, inside)) > 2
        },
    )


def _inside(graph: NumberedGraph) -> set[Value]:
    """Return the additions whose result is a term of another addition and nothing else."""
    readers = Counter(parent for node in graph.nodes for parent in node.parents)
    return {
        parent
        for node in graph.nodes
        if node.op is ops.add
        for parent in node.parents
        if parent.op is ops.add and readers[parent] == 1 and parent not in graph.names
    }


def _terms(node: Value, inside: set[Value]) -> tuple[Value, ...]:
    """Return the terms from left to right, without recursion."""
    terms: list[Value] = []
    stack = [*reversed(node.parents)]
    while stack:
        term = stack.pop()
        if term in inside:
            stack += reversed(term.parents)
        elif term.op is not ops.constant or term.data != 0:
            terms.append(term)
    return tuple(terms)
