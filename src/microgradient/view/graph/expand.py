"""expand: a graph with its fused operations taken apart into elementary ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import reduce
from operator import add, is_not
from typing import Any, Final

from microgradient.engine import ops
from microgradient.engine.arithmetic import Arithmetic
from microgradient.engine.choice import detach, equal
from microgradient.engine.graph import topological_order
from microgradient.engine.number import shown
from microgradient.engine.op import Op
from microgradient.engine.ops import OPS
from microgradient.engine.services.watching import Watch, paused, watched
from microgradient.engine.sweeps import adjoints
from microgradient.engine.value import Value, constant, gradient_of
from microgradient.view.graph.numbered_graph import Names, NumberedGraph

_ELEMENTARY = frozenset(
    {"add", "sub", "mul", "div", "neg", "relu", "clip", "where", "argument", "passed"}
)


def expand(value: Value, *operations: str, names: Names | None = None) -> Value:
    """Return the same computation as ``value`` with its fused operations taken apart.

    ``operations`` are names such as "dot" or "sigmoid"; without any, every operation that has a
    formula is expanded, losses too. That leaves sums, products, quotients and the functions of the
    C library, and relu and clip, which stay whole to keep their derivatives at the kinks. The
    inputs are the same Values. The new nodes between them and the result have gradients if
    ``value`` has one, and the names in ``names`` become their labels. For the views:
    ``draw(expand(y))``. Rounding may differ: far from 0, the fused operation is more accurate.

    Raises ValueError for an operation that the graph does not have, or that has no formula, and
    TypeError for one that is not a name.
    """
    called = NumberedGraph(value, names, "expand").names
    order = topological_order(value)
    chosen = _chosen(order, operations)
    twin: dict[Value, Value] = {}
    for node in order:
        parents = tuple([twin[parent] for parent in node.parents])
        if node.op in chosen and node.op is not None and node.data == node.data:
            made, new = _applied(node.op, parents)
            if isinstance(names, Watch) and node in names.lines:
                names.lines.update(dict.fromkeys(new, names.lines[node]))
            made = made if type(made) is Value else constant(made)
            twin[node] = (
                made.record(ops.taken, (made,)) if any(made is p for p in parents) else made
            )
        elif parents and node.op is not None and any(map(is_not, parents, node.parents)):
            twin[node] = node.record(node.op, parents)
        else:
            twin[node] = node
        if twin[node] is not node:
            twin[node].label, twin[node].grad = called.get(node), gradient_of(node)
    result = twin[value]
    if value.reached and result is not value:
        _fill(result, value.grad)
    return result


def _applied(op: Op, parents: tuple[Value, ...]) -> tuple[Any, Iterable[Value]]:
    """Return the result of the formula, and the nodes that it made."""
    seen = Watch()
    with paused(), watched(seen):  # apart from any watch outside: not all of these are kept
        return op.value(_PARTS, *parents), seen.lines


def _chosen(order: list[Value], names: Iterable[str]) -> set[Op]:
    here = {node.op for node in order if node.op is not None and node.parents}
    able = {op for op in here if not op.primitive and op.name not in _ELEMENTARY} | (
        here & {ops.fsum}
    )
    if not names:
        return able
    if wrong := [name for name in names if not isinstance(name, str)]:
        raise TypeError(f'expand expects names such as "dot", got {shown(wrong[0])}')
    chosen = {op for op in able if op.name in names}
    if unknown := sorted(set(names) - {op.name for op in chosen}):
        there = ", ".join(sorted(op.name for op in able)) or "nothing"
        raise ValueError(
            f"expand has no {unknown[0][:40]!r} to take apart here; it can take apart {there}"
        )
    return chosen


def _fill(result: Value, seed: float) -> None:
    """Give the new nodes the gradients that a reverse sweep would have left there."""
    order = topological_order(result)
    with paused():
        found = adjoints(order, {result: seed}, set(order), as_graph=False)
    for node, adjoint in found.items():
        if node.parents and not node.reached:
            node.grad = adjoint


Term = Value | float


def _chain(join: Callable[[Term, Term], Term], start: float) -> Callable[[Iterable[Term]], Term]:
    def chain(terms: Iterable[Term]) -> Term:
        terms = [term for term in terms if type(term) is Value or term != start]
        return reduce(join, terms) if terms else start

    return chain


_PARTS: Final = Arithmetic(
    {
        **{name: op for name, op in OPS.items() if op.primitive or name in ("relu", "clip")},
        "fsum": _chain(add, 0.0),
        "detach": detach,
        "equal": equal,
        "where": lambda condition, x, y: x if condition else y,
    }
)
"""The arithmetic of the operations that stay; all others are derived from their formulas."""
