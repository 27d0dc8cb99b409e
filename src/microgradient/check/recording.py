"""A function recorded as a graph at one point, and the graph evaluated again in other numbers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from microgradient.engine.graph import topological_order
from microgradient.engine.number import as_float, shown
from microgradient.engine.op import Arithmetic
from microgradient.engine.sweeps import dependents
from microgradient.engine.trees import Tree, leaves, rebuild
from microgradient.engine.value import Value


class Recording:
    """One evaluation of ``f`` on fresh leaves: ``inputs``, ``outputs`` and the graph in between.

    ``args`` are numbers or nested lists, tuples and dicts of them. ``active`` are the nodes that
    depend on the inputs. Raises TypeError if ``f`` returns anything but numbers.
    """

    def __init__(self, f: Callable[..., Any], args: Sequence[Tree]) -> None:
        self.inputs = [Value(x.data if type(x) is Value else x) for x in leaves(list(args))]
        self.outputs = [
            y if type(y) is Value else Value(_number(y))
            for y in leaves(f(*rebuild(list(args), iter(self.inputs))))
        ]
        self.order = topological_order(*self.outputs)
        self.active = dependents(self.order, self.inputs)

    def replayed(self, m: Arithmetic, numbers: Mapping[Value, Any]) -> dict[Value, Any]:
        """Return every node's value in the arithmetic ``m``, with ``numbers`` for some leaves.

        The branches are those that were taken when the graph was recorded. Raises AttributeError
        for an operation whose formula uses what ``m`` lacks.
        """
        values: dict[Value, Any] = {}
        for node in self.order:
            if node in numbers:
                values[node] = numbers[node]
            elif node.parents and node.op is not None:
                values[node] = node.op.value(m, *[values[parent] for parent in node.parents])
            else:
                values[node] = m.lift(node.data)
        return values


def _number(y: Any) -> float:
    try:
        return as_float(y)
    except TypeError as fault:
        raise TypeError(
            "expected a function that returns a number, or nested lists, tuples and dicts of "
            f"numbers: {fault}"
        ) from None


def input_names(f: Callable[..., Any], args: Sequence[Tree]) -> list[str]:
    """Return a name for every number in ``args``, such as ``x``, ``p['w'][1]``."""
    try:
        names = [
            p.name
            for p in inspect.signature(f).parameters.values()
            if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        ]
    except (TypeError, ValueError):
        names = []
    if len(names) < len(args):
        names = ["x"] if len(args) == 1 else [f"x{i}" for i in range(len(args))]
    return [path for name, arg in zip(names, args) for path in _paths(name, arg)]


def output_names(output: Tree) -> list[str]:
    """Return a name for every number that a function returned, such as ``output[1]``."""
    return _paths("output", output)


def _paths(name: str, tree: Tree) -> list[str]:
    if isinstance(tree, dict):
        return [p for key, child in tree.items() for p in _paths(f"{name}[{key!r}]", child)]
    if isinstance(tree, (list, tuple)):
        return [p for i, child in enumerate(tree) for p in _paths(f"{name}[{i}]", child)]
    return [name]


def described(node: Value, names: Mapping[Value, str]) -> str:
    """Return ``node`` as a call of its operation on numbers, such as ``sin(0.5)``."""
    if node.op is None or not node.parents:
        return names.get(node) or node.label or shown(node.data)
    return f"{node.op.name}({', '.join(repr(parent.data) for parent in node.parents)})"
