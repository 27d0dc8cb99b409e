"""Repetitions: of many terms or steps of the same form, one stays and the others become one node.

Two parts of a graph have the same form if they apply the same operations to the same shared nodes,
whatever their own inputs and constants are (exponents apart).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

from microgradient.engine import ops
from microgradient.engine.value import Value, gradient_of
from microgradient.view.graph.composites import Composite, Node, Sum, many, sum_of
from microgradient.view.graph.numbered_graph import NumberedGraph

MOST_ALIKE = 8  # terms of one sum, or steps, that are shown one by one
MOST_NAMED = 32  # terms that have inputs with names: the weights of a neuron written by hand
_LONGEST = 32  # pieces of a step


def without_repetitions(graph: NumberedGraph) -> NumberedGraph:
    """Return ``graph`` with one of the like terms of each sum, and first and last of like steps.

    ``graph`` itself if nothing in it repeats more than ``MOST_ALIKE`` times (``MOST_NAMED`` for
    terms with named inputs of their own).
    """
    return _without_like_steps(without_like_terms(graph))


class _Forms:
    """The forms of parts of a graph, as values that are equal for equal forms."""

    def __init__(self) -> None:
        self.known: dict[Hashable, int] = {}

    def of_part(self, nodes: Iterable[Value], outside: Callable[[Value], Hashable]) -> Hashable:
        """Return the form of the part whose ``nodes`` are in topological order."""
        form: dict[Value, int] = {}
        last = -1
        for node in nodes:
            op = node.op.symbol if isinstance(node.op, Composite) else node.op
            read = tuple(
                [
                    (node.op is ops.pow and i == 1 and parent.data,)
                    if parent.op is ops.constant
                    else form[parent]
                    if parent in form
                    else outside(parent)
                    for i, parent in enumerate(node.parents)
                ]
            )
            last = form[node] = self.known.setdefault((op, read), len(self.known))
        return last, len(form)


# --- terms of a sum -----------------------------------------------------------------------------


def without_like_terms(graph: NumberedGraph) -> NumberedGraph:
    """Return ``graph`` with one term of each form in each sum, and one node for all like it."""
    readers = Counter(parent for node in graph.nodes for parent in node.parents)
    becomes: dict[Value, Node] = {}
    hidden: set[Value] = set()
    forms = _Forms()
    for node in reversed(graph.nodes):
        if node in hidden or not (node.op is ops.fsum or isinstance(node.op, Sum)):
            continue
        if len(node.parents) <= MOST_ALIKE:
            continue
        own = {
            term: _own(term, readers, graph)
            for term in node.parents
            if term in graph.number and readers[term] == 1
        }
        groups: dict[Hashable, list[Value]] = {}
        for term, nodes in own.items():
            form = forms.of_part(nodes, lambda p: (p.parents and graph.number[p],))
            groups.setdefault(form, []).append(term)
        folded = [
            group
            for group in groups.values()
            if len(group) > (MOST_NAMED if _has_named_input(own[group[0]], graph) else MOST_ALIKE)
        ]
        if folded:
            others = {term for group in folded for term in group[1:]}
            parents: list[Value | Node] = [p for p in node.parents if p not in others]
            for group in folded:
                nodes = [inner for term in group[1:] for inner in own[term]]
                hidden.update(nodes)
                nodes.sort(key=graph.number.__getitem__)
                title = f"{len(group) - 1:,} more"
                parents.append(many(nodes, group[1:], title, group[0]))
            op = node.op if isinstance(node.op, Sum) else sum_of(len(node.parents))
            ones = (1.0,) * len(parents)
            becomes[node] = Node(op, tuple(parents), ones, node.data, gradient_of(node))
    return graph.with_nodes({n: it for n, it in becomes.items() if n not in hidden})


def _has_named_input(nodes: Iterable[Value], graph: NumberedGraph) -> bool:
    return any(node in graph.names and not node.parents for node in nodes)


def _own(term: Value, readers: Counter[Value], graph: NumberedGraph) -> list[Value]:
    """Return the nodes that serve this term alone, its own inputs too, in topological order."""
    own = [term]
    read: Counter[Value] = Counter()
    for node in own:  # which grows
        for parent in node.parents:
            if parent in graph.number:
                read[parent] += 1
                if read[parent] == readers[parent]:
                    own.append(parent)
    return sorted(own, key=graph.number.__getitem__)


# --- steps --------------------------------------------------------------------------------------


class _Piece(NamedTuple):
    """The nodes from one narrow place of the graph to the next, where a single node passes on."""

    nodes: tuple[Value, ...]
    form: Hashable


class _Run(NamedTuple):
    """``times`` steps of the same form, each ``period`` pieces long, from the piece ``start``."""

    start: int
    period: int
    times: int


def _without_like_steps(graph: NumberedGraph) -> NumberedGraph:
    readers = Counter(parent for node in graph.nodes for parent in node.parents)
    pieces = _pieces(graph, readers)
    becomes = {}
    for start, period, times in _runs([piece.form for piece in pieces]):
        first, last = start + period, start + period * (times - 1)
        nodes = [node for piece in pieces[first:last] for node in piece.nodes]
        output = nodes[-1]
        read = Counter(parent for node in nodes for parent in node.parents)
        own = [p for p in read if p in graph.number and not p.parents and read[p] == readers[p]]
        becomes[output] = many([*own, *nodes], [output], f"{times - 2:,} more steps")
    return graph.with_nodes(becomes)


def _pieces(graph: NumberedGraph, readers: Mapping[Value, int]) -> list[_Piece]:
    """Cut the graph at each node that all later ones depend on through it alone.

    Inputs, and nodes that are read everywhere, may be read on both sides of a cut.
    """
    passing = [n for n in graph.nodes if n.parents and readers.get(n, 0) <= MOST_ALIKE]
    level = _levels(graph)
    depth = max(level.values()) + 1
    change = [0] * (depth + 1)  # in the number of edges that cross a level
    at: list[list[Value]] = [[] for _ in range(depth)]
    for node in passing:
        at[level[node]].append(node)
    inside = set(passing)
    for node in passing:
        for parent in node.parents:
            if parent in inside:
                change[level[node] + 1] += 1
                change[level[parent]] -= 1
    crossing = list(accumulate(change))
    forms = _Forms()

    def form(nodes: Sequence[Value], before: Value | None) -> Hashable:
        own = Counter(parent for node in nodes for parent in node.parents)

        def outside(parent: Value) -> Hashable:
            if parent is before:
                return "before"
            return (own[parent] < readers[parent] and graph.number[parent],)

        return forms.of_part(nodes, outside)

    pieces: list[_Piece] = []
    nodes: list[Value] = []
    before: Value | None = None
    for i in reversed(range(depth)):
        nodes += at[i]
        if len(at[i]) == 1 and not crossing[i]:
            pieces.append(_Piece(tuple(nodes), form(nodes, before)))
            nodes, before = [], at[i][0]
    if len(pieces) > 1:  # a recurrence starts from an input
        others = {piece.form for piece in pieces}
        first = pieces[0].nodes
        starts = (form(first, p) for node in first for p in node.parents if not p.parents)
        fitting = next((it for it in starts if it in others), pieces[0].form)
        pieces[0] = _Piece(first, fitting)
    return pieces


def _levels(graph: NumberedGraph) -> dict[Value, int]:
    """Return the length of the longest path from each node to the result."""
    level = {graph.result: 0}
    for node in reversed(graph.nodes):
        for parent in node.parents:
            level[parent] = max(level.get(parent, 0), level[node] + 1)
    return level


def _runs(forms: Sequence[Hashable]) -> Iterator[_Run]:
    """Yield the runs of more than ``MOST_ALIKE`` like steps, from left to right."""
    start = 0
    equal = {p: _equal_from(forms, p) for p in range(1, min(_LONGEST, len(forms) // 2) + 1)}
    while start < len(forms):
        found = [(p, times) for p in equal if (times := equal[p][start] // p + 1) > MOST_ALIKE]
        if found:
            period, times = max(found, key=lambda it: (it[0] * it[1], -it[0]))
            yield _Run(start, period, times)
            start += period * times
        else:
            start += 1


def _equal_from(forms: Sequence[Hashable], period: int) -> list[int]:
    """Return, for each place, how many forms from there on equal the one a period later."""
    count = [0] * (len(forms) + 1)
    for i in reversed(range(len(forms) - period)):
        count[i] = count[i + 1] + 1 if forms[i] == forms[i + period] else 0
    return count
