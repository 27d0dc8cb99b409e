"""The two sweeps over a graph, one step at a time, as plain records.

With them three reverse sweeps that are wrong on purpose, to compare with the right one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from microgradient.engine.number import shown
from microgradient.engine.value import Value
from microgradient.view.graph.numbered_graph import NumberedGraph
from microgradient.view.numerals import large

SWEEPS = ("right", "recursion", "assignment", "no zero_grad")
RULES = {
    "input": "An input has its value from the start.",
    "evaluate": "A node is computed from its parents, and its local derivatives are kept.",
    "seed": "The derivative of the result with respect to itself is 1.",
    "pass": "A node that has received all its contributions passes adjoint × local derivative on "
    "to each parent.",
    "add": "Contributions that reach a node along several paths are added up.",
    "too early": "Wrong: the adjoint is passed on too early, as more contributions to it are still "
    "to come.",
    "again": "Wrong: the adjoint was passed on before, so part of it is counted twice.",
    "overwrite": "Wrong: with = instead of +=, what arrived before is lost.",
    "left over": "Wrong: without zero_grad(), the gradient of the previous sweep is still there.",
}
MOST_VISITS = 2_000  # of the naive recursion, which visits a node once for each path to it


@dataclass(frozen=True)
class Step:
    """One step of a sweep: what happens to one node.

    ``sweep`` is "forward" or "reverse", ``rule`` a key of ``RULES``. The value or adjoint of
    ``node`` changes from ``before`` (None: not computed yet) to ``after``. A contribution also has
    ``giver``, the node that it comes from, ``operand``, the position of ``node`` among the giver's
    operands, and ``adjoint * partial = contribution``.
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


def forward_steps(graph: NumberedGraph) -> list[Step]:
    """Return one step for each input and each node, in the order of evaluation."""
    return [
        Step("forward", "evaluate" if node.parents else "input", node, None, node.data)
        for node in graph.nodes
    ]


def reverse_sweep(graph: NumberedGraph) -> Iterator[Step]:
    """Yield the seed and one step for each edge: the reverse sweep, as ``backward`` does it."""
    return _sweep(graph, {}, lambda old, term: old + term, "add")


def sweep_named(name: str, graph: NumberedGraph) -> list[Step]:
    """Return the steps of one of the reverse sweeps in ``SWEEPS``.

    Raises ValueError for an unknown name, and for a recursion of too many visits.
    """
    check_sweep(name)
    if name == "assignment":
        return with_assignment(graph)
    if name == "recursion":
        return steps_or_refusal(by_recursion(graph))
    right = list(reverse_sweep(graph))
    return right if name == "right" else without_zero_grad(graph, right)


def every_sweep(graph: NumberedGraph) -> dict[str, list[Step] | str]:
    """Return the steps of each sweep in ``SWEEPS``, or a sentence that says why there are none."""
    right = list(reverse_sweep(graph))
    return {
        "right": right,
        "recursion": by_recursion(graph),
        "assignment": with_assignment(graph),
        "no zero_grad": without_zero_grad(graph, right),
    }


def check_sweep(name: object) -> None:
    """Raise ValueError unless ``name`` is in ``SWEEPS``."""
    if not isinstance(name, str) or name not in SWEEPS:
        raise ValueError(f"sweep must be one of {', '.join(map(repr, SWEEPS))}, got {shown(name)}")


def steps_or_refusal(steps: list[Step] | str) -> list[Step]:
    """Return the steps; raise ValueError with the sentence that says why there are none."""
    if isinstance(steps, str):
        raise ValueError(steps)
    return steps


def with_assignment(graph: NumberedGraph) -> list[Step]:
    """Return the sweep with ``=`` in place of ``+=``: the last contribution wins."""
    return list(_sweep(graph, {}, lambda old, term: term, "overwrite"))


def without_zero_grad(graph: NumberedGraph, right: Iterable[Step]) -> list[Step]:
    """Return a second sweep that adds to the gradients that ``right`` left in the inputs."""
    left = {step.node: step.after for step in right if not step.node.parents}
    leftovers = [
        Step("reverse", "left over", node, None, left[node]) for node in graph.nodes if node in left
    ]
    return leftovers + list(_sweep(graph, left, lambda old, term: old + term, "add"))


def by_recursion(graph: NumberedGraph) -> list[Step] | str:
    """Return what recursion from the result does, or why not: it would take too many visits.

    A node is visited once for each path to it, and passes its adjoint on at every visit.
    """
    if (count := visits(graph)) > MOST_VISITS:
        return (
            f"the recursion would make {large(count)} visits to {len(graph.nodes):,} nodes, too "
            "many to step through; take a smaller graph, with fewer nodes used twice"
        )
    adjoint: dict[Value, float] = {graph.result: 1.0}
    steps = [Step("reverse", "seed", graph.result, None, 1.0)]
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


def visits(graph: NumberedGraph) -> int:
    """Return how many nodes a recursion from the result visits: the number of paths to each."""
    paths = {graph.result: 1}
    for node in reversed(graph.nodes):
        for _, parent, _ in graph.edges(node):
            paths[parent] = paths.get(parent, 0) + paths[node]
    return sum(paths.values())


def _sweep(
    graph: NumberedGraph,
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
