"""Pickling a graph as a flat list of its nodes: no recursion, however deep it is.

Leaves are pickled as separate objects, so two results pickled together still share them; an inner
node shared by two pickled results becomes two nodes. (For files, use the checkpoints of
:mod:`microgradient.nn`: a pickle runs code when it is loaded.)
"""

from __future__ import annotations

import copyreg
from collections.abc import Callable
from typing import Any, cast

from microgradient.engine import ops
from microgradient.engine.graph import topological_order
from microgradient.engine.op import Op
from microgradient.engine.value import Value, gradient_of, rebuilt

_Row = tuple[
    float, "float | None", "dict[str, Any] | None", "Op | None", "list[int]", "tuple[float, ...]"
]


def _flattened(root: Value) -> tuple[Callable[..., Value], tuple[Any, ...]]:
    if not root.parents:
        return rebuilt, (root.data, gradient_of(root), root._attributes, _settled(root), (), ())
    order = topological_order(root)
    place = {node: i for i, node in enumerate(order)}
    return _graph, ([_row(node, place) if node.parents else node for node in order],)


def _row(node: Value, place: dict[Value, int]) -> _Row:
    above = [place[parent] for parent in node.parents]
    return node.data, gradient_of(node), node._attributes, _settled(node), above, node.partials


def _settled(node: Value) -> Op | None:
    """Return the operation of ``node``; the variable of a running transform becomes a leaf."""
    if node.op is not ops.argument:
        return node.op
    return ops.passed if node.parents else None


def _graph(rows: list[Value | _Row]) -> Value:
    nodes: list[Value] = []
    for row in rows:
        if type(row) is tuple:
            data, grad, attributes, op, above, partials = row
            parents = tuple([nodes[i] for i in above])
            nodes.append(rebuilt(data, grad, attributes, op, parents, partials))
        else:
            nodes.append(cast(Value, row))
    return nodes[-1]


def _by_name(op: Op) -> tuple[Callable[[str], Op], tuple[str]]:
    if ops.NAMED.get(op.name) is not op:
        raise TypeError(f"only the package's operations can be pickled, {op.name!r} is not one")
    return _named, (op.name,)


def _named(name: str) -> Op:
    return ops.NAMED[name]


copyreg.pickle(Value, _flattened)
copyreg.pickle(Op, _by_name)
