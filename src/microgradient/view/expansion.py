"""A graph with its fused operations taken apart into elementary ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import reduce
from operator import add
from typing import Any, Final

from microgradient.engine import ops
from microgradient.engine.choice import detach, equal
from microgradient.engine.graph import topological_order
from microgradient.engine.op import OPS, Arithmetic, Op
from microgradient.engine.sweeps import adjoints
from microgradient.engine.value import Value
from microgradient.view.numbering import Names, Numbering

_ELEMENTARY = frozenset({"add", "sub", "mul", "div", "neg", "where", "argument", "passed"})


def expand(value: Value, *operations: str, names: Names | None = None) -> Value:
    """Return the same computation as ``value``, its fused operations taken apart.

    ``operations`` are names such as "dot", "sigmoid"; without any, every operation that has a
    formula is expanded: dot, fsum, prod, logsumexp, softmax_cross_entropy, sigmoid, softplus, relu,
    …, losses too. What is left are sums, products, quotients and the functions of a C library. The
    inputs are the same Values; new nodes stand between them and the result, with gradients where
    ``value`` has one, and the names that ``names`` has for the old ones as labels. For the views:
    ``draw(expand(y))``. Numbers may differ in the last digit.

    Raises ValueError for an operation that the graph does not have, or that has no formula.
    """
    called = Numbering(value, names, "expand").names
    order = topological_order(value)
    chosen = _chosen(order, operations)
    twin: dict[Value, Value] = {}
    for node in order:
        parents = tuple([twin[parent] for parent in node.parents])
        if node.op in chosen and node.op is not None and node.data == node.data:
            made = node.op.value(_PARTS, *parents)
            made = made if type(made) is Value else Value(made)
            twin[node] = made.record(ops.taken, (made,)) if made in parents else made
        elif parents and node.op is not None and parents != node.parents:
            twin[node] = node.record(node.op, parents)
        else:
            twin[node] = node
        if twin[node] is not node:
            twin[node].label, twin[node].grad = called.get(node), node.grad
    result = twin[value]
    if value.grad is not None and result is not value:
        _fill(result, value.grad)
    return result


def _chosen(order: list[Value], names: Iterable[str]) -> set[Op]:
    here = {node.op for node in order if node.op is not None and node.parents}
    able = {op for op in here if not op.primitive and op.name not in _ELEMENTARY} | (
        here & {ops.fsum}
    )
    if not names:
        return able
    chosen = {op for op in able if op.name in names}
    if unknown := sorted(set(names) - {op.name for op in chosen}):
        there = ", ".join(sorted(op.name for op in able)) or "nothing"
        raise ValueError(f"expand has no {unknown[0]!r} to take apart here; there is {there}")
    return chosen


def _fill(result: Value, seed: float) -> None:
    """Give the new nodes the gradients that the sweep would have left there."""
    order = topological_order(result)
    for node, adjoint in adjoints(order, {result: seed}, set(order), as_graph=False).items():
        if node.parents and node.grad is None:
            node.grad = adjoint


def _chain(join: Callable[[Any, Any], Any], start: float) -> Callable[[Iterable[Any]], Any]:
    def chain(terms: Iterable[Any]) -> Any:
        terms = [term for term in terms if type(term) is Value or term != start]
        return reduce(join, terms) if terms else start

    return chain


_PARTS: Final = Arithmetic(
    {
        **{name: op for name, op in OPS.items() if op.primitive},
        "fsum": _chain(add, 0.0),
        "detach": detach,
        "equal": equal,
        "where": lambda condition, x, y: x if condition else y,
    }
)
"""The arithmetic of what cannot be taken apart: all else is derived from its formula."""
