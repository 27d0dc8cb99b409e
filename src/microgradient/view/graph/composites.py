"""A node that stands for many: what running sums and repetitions are folded into."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from microgradient.engine import ops
from microgradient.engine.arithmetic import Arithmetic
from microgradient.engine.op import Op
from microgradient.engine.services.watching import paused
from microgradient.engine.sweeps import adjoints
from microgradient.engine.value import Value, gradient_of


@dataclass(frozen=True, eq=False, repr=False)
class Composite(Op):
    """An operation that stands for many nodes, ``size`` of them; its symbol says which."""

    size: int = 1


@dataclass(frozen=True, eq=False, repr=False)
class Sum(Composite):
    """The sum of any number of terms."""


def sum_of(n: int) -> Sum:
    """Return the operation of a running sum over ``n`` terms."""
    return Sum(
        "sum",
        lambda m, v, *xs: (1.0,) * len(xs),
        lambda m, *xs: m.fsum(xs),
        symbol=f"sum of {n:,}",
    )


@dataclass(frozen=True)
class Node:
    """What a node becomes, or a node that is added: an operation on nodes, and its numbers.

    ``parents`` are nodes of the graph as it was, or nodes that are added. ``like`` is the node that
    this one repeats.
    """

    op: Op
    parents: tuple[Value | Node, ...]
    partials: tuple[float, ...]
    data: float
    grad: float | None
    like: Value | None = None


def many(
    nodes: Iterable[Value], outputs: Sequence[Value], title: str, like: Value | None = None
) -> Node:
    """Return the sum of ``outputs`` as one function of what ``nodes`` read from outside.

    ``nodes`` compute the outputs, in topological order. The local derivatives are those along all
    paths through them. Evaluated again (for a nudge), so is every node inside.
    """
    inside = list(nodes)
    within = set(inside)
    read = dict.fromkeys(
        parent
        for node in inside
        for parent in node.parents
        if parent not in within and parent.op is not ops.constant
    )
    with paused():
        slopes = adjoints(inside, dict.fromkeys(outputs, 1.0), within | read.keys(), as_graph=False)

    def value(*operands: float) -> float:
        known = dict(zip(read, operands))
        for node in inside:
            if node.op is not None and node.parents:
                inner = [known.get(p, p.data) for p in node.parents]
                known[node] = node.op.fast(*inner)
        return sum(known.get(o, o.data) for o in outputs)

    def formula(m: Arithmetic[Any], *operands: Any) -> Any:
        raise NotImplementedError("many nodes as one are evaluated in floats only")

    partials = tuple(slopes.get(parent, 0.0) for parent in read)
    return Node(
        Composite(
            "many", lambda m, v, *xs: partials, formula, symbol=title, fast=value, size=len(inside)
        ),
        tuple(read),
        partials,
        sum(output.data for output in outputs),
        gradient_of(outputs[0]),  # the same for all terms of a sum
        like,
    )
