"""The two sweeps over a graph, one step at a time, as plain records.

Also three reverse sweeps that are wrong on purpose, to be seen beside the right one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import log10

from microgradient.engine.number import shown
from microgradient.engine.value import Value
from microgradient.view.graph.numbering import Numbering

RULES = {
    "input": "An input has its value from the start.",
    "evaluate": "A node is computed from its parents, and keeps its local derivatives.",
    "seed": "The derivative of the result by itself is 1.",
    "pass": "A node that has received everything passes adjoint × local derivative to each parent.",
    "add": "What arrives at a node by several ways is added up.",
    "too early": "Wrong: the giver passes on what it has, though more is still to come to it.",
    "again": "Wrong: the giver has passed its adjoint on before, and part of it counts twice.",
    "overwrite": "Wrong: = instead of +=, what had arrived before is lost.",
    "left over": "Wrong: without zero_grad() the gradient of the last time is still there.",
}
MOST_VISITS = 2_000  # of the naive recursion, which visits a node once for each path to it


@dataclass(frozen=True)
class Step:
    """One step of a sweep: what happens to one node.

    ``sweep`` is "forward" or "reverse", ``rule`` a key of ``RULES``. ``node`` is whose value or
    adjoint is set, from ``before`` to ``after`` (None: not computed yet). A contribution also has
    ``giver``, the node that passes it on, ``operand``, the position of ``node`` among its operands,
    and ``adjoint * partial = contribution``.
    """

    sweep: str
    rule: str
    node: Value
    before: float | None
    after: float
    giver: Value | None = None
    operand: int | None = None
    adjoint: float | None = None
    partial: float | None = None
    contribution: float | None = None


def forward_steps(graph: Numbering) -> list[Step]:
    """Return one step for each input and each node, in the order of evaluation."""
    return [
        Step("forward", "evaluate" if node.parents else "input", node, None, node.data)
        for node in graph.nodes
    ]


def reverse_sweep(graph: Numbering) -> Iterator[Step]:
    """Yield the seed and one step for each edge: the reverse sweep, as ``backward`` does it."""
    return _sweep(graph, {}, lambda old, term: old + term, "add")


def reverse_steps(graph: Numbering) -> list[Step]:
    """Return the steps of the reverse sweep."""
    return list(reverse_sweep(graph))


def with_assignment(graph: Numbering) -> list[Step]:
    """Return the sweep with ``=`` in place of ``+=``: the last contribution wins."""
    return list(_sweep(graph, {}, lambda old, term: term, "overwrite"))


def without_zero_grad(graph: Numbering) -> list[Step]:
    """Return a second sweep on top of the first one's gradients of the inputs."""
    first = {step.node: step.after for step in reverse_steps(graph)}
    left = {node: first[node] for node in graph.nodes if not node.parents}
    leftovers = [Step("reverse", "left over", node, None, old) for node, old in left.items()]
    return leftovers + list(_sweep(graph, left, lambda old, term: old + term, "add"))


def by_recursion(graph: Numbering) -> list[Step] | None:
    """Return what recursion from the result does, or None where it would take too many visits.

    Each node passes its adjoint on as soon as it is visited, and it is visited once for each path.
    """
    if visits(graph) > MOST_VISITS:
        return None
    adjoint: dict[Value, float] = {graph.result: 1.0}
    steps = [_seed(graph)]
    visited: set[Value] = set()
    awaited = Counter(parent for node in graph.nodes for _, parent, _ in graph.edges(node))
    stack = [graph.result]
    while stack:
        giver = stack.pop()
        edges = list(graph.edges(giver))
        for operand, parent, partial in edges:
            old, term = adjoint.get(parent), adjoint[giver] * partial
            adjoint[parent] = term if old is None else old + term
            rule = "pass" if old is None else "add"
            if giver in visited:
                rule = "again"
            elif awaited[giver] > 0:
                rule = "too early"
            awaited[parent] -= 1
            steps.append(_contribution(rule, parent, old, adjoint, giver, operand, partial, term))
        visited.add(giver)
        stack += [parent for _, parent, _ in reversed(edges)]
    return steps


def visits(graph: Numbering) -> int:
    """Return how many nodes a recursion from the result visits: the number of paths to each."""
    paths = {graph.result: 1}
    for node in reversed(graph.nodes):
        for _, parent, _ in graph.edges(node):
            paths[parent] = paths.get(parent, 0) + paths[node]
    return sum(paths.values())


SWEEPS: Mapping[str, Callable[[Numbering], list[Step] | None]] = {
    "right": reverse_steps,
    "recursion": by_recursion,
    "assignment": with_assignment,
    "no zero_grad": without_zero_grad,
}


def sweep_of(graph: Numbering, name: str) -> list[Step]:
    """Return the reverse sweep of that name; ValueError where it is unknown or would take long."""
    if not isinstance(name, str) or name not in SWEEPS:
        raise ValueError(f"sweep must be one of {', '.join(map(repr, SWEEPS))}, got {shown(name)}")
    steps = SWEEPS[name](graph)
    if steps is None:
        raise ValueError(
            f"the recursion would make {large(visits(graph))} visits to {len(graph.nodes):,} "
            "nodes, too many to step through: step a smaller graph, with fewer nodes used twice"
        )
    return steps


def large(n: int) -> str:
    """Return a count with separators, or as a power of 10: one of thousands of digits, too."""
    return f"{n:,}" if n < 10**15 else f"about 10^{round(log10(n))}"


def _seed(graph: Numbering) -> Step:
    return Step("reverse", "seed", graph.result, None, 1.0)


def _sweep(
    graph: Numbering,
    left: Mapping[Value, float],
    arrive: Callable[[float, float], float],
    rule: str,
) -> Iterator[Step]:
    before = left.get(graph.result)
    adjoint = {**left, graph.result: 1.0 if before is None else before + 1.0}
    yield Step("reverse", "seed", graph.result, before, adjoint[graph.result])
    for node in reversed(graph.nodes):
        for operand, parent, partial in graph.edges(node):
            term = adjoint[node] * partial
            old = adjoint.get(parent)
            adjoint[parent] = term if old is None else arrive(old, term)
            how = "pass" if old is None else rule
            yield _contribution(how, parent, old, adjoint, node, operand, partial, term)


def _contribution(
    rule: str,
    parent: Value,
    old: float | None,
    adjoint: Mapping[Value, float],
    giver: Value,
    operand: int,
    partial: float,
    term: float,
) -> Step:
    amounts = adjoint[giver], partial, term
    return Step("reverse", rule, parent, old, adjoint[parent], giver, operand, *amounts)
