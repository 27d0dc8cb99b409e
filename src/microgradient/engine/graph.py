"""The order in which a graph is walked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar


class _Node(Protocol):
    @property
    def parents(self) -> Sequence[Any]: ...


Node = TypeVar("Node", bound=_Node)


def topological_order(*roots: Node) -> list[Node]:
    """Return every node that ``roots`` depend on, and the roots, each after all of its parents.

    Why an order, and why not recurse from the root? A node used twice must receive both of its
    contributions before it passes anything on; recursion would pass the first one on alone.
    Depth-first with an explicit stack, so that depth is bounded by memory and not by Python's
    recursion limit. Takes anything with ``parents``. Runs in O(nodes + edges); the order depends on
    nothing but the graph.
    """
    order: list[Node] = []
    seen: set[Node] = set()
    stack: list[Any] = list(reversed(roots))
    push, put, see = stack.append, order.append, seen.add
    while stack:
        node = stack.pop()
        if node is None:  # the mark above a node whose parents are all in the order by now
            put(stack.pop())
        elif node not in seen:
            see(node)
            push(node)
            push(None)
            for parent in reversed(node.parents):  # the stack turns them round again
                if parent not in seen:
                    if parent.parents:
                        push(parent)
                    else:  # a leaf: most nodes of a network are, and need not wait on the stack
                        see(parent)
                        put(parent)
    return order
