"""The nodes of a graph in order, numbered as in the textbook, with the names a user gave them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from microgradient.engine import ops
from microgradient.engine.graph import topological_order
from microgradient.engine.number import shown
from microgradient.engine.value import Value
from microgradient.engine.watching import Line, Watch
from microgradient.nn.module import Module

Names = Mapping[str, object]
_DEPTH, _WIDTH = 4, 10_000  # how far into lists of lists names are looked for


class Numbering:
    """Every node that ``result`` depends on, constants apart, parents before children.

    The n inputs are v(1-n) … v(0), what is computed from them v(1) … v(l), as in Griewank and
    Walther, Evaluating Derivatives, table 2.1. ``names`` is a mapping such as ``locals()``, or what
    ``watch`` remembered: a Value in it has that name unless it has a label of its own.
    """

    def __init__(self, result: Value, names: Names | None, who: str) -> None:
        if type(result) is not Value:
            raise TypeError(
                f"{who} expects the Value at the end of a computation, got {shown(result)}"
            )
        if names is not None and not isinstance(names, Mapping):
            raise TypeError(
                f"names must be a mapping from names to Values, such as locals(), got "
                f"{shown(names)}"
            )
        self.result = result
        everything = topological_order(result)
        self.lines: Mapping[Value, Line] = names.lines if isinstance(names, Watch) else {}
        computed = [node for node in everything if node.parents]
        if all(node in self.lines for node in computed):  # then in the order in which they ran
            made = {node: i for i, node in enumerate(self.lines)}
            computed.sort(key=made.__getitem__)
        used = [parent for node in computed for parent in node.parents if not parent.parents]
        inputs = [node for node in dict.fromkeys(used) if node.op is not ops.constant]
        self.nodes = [*inputs, *computed] or [result]
        inputs = inputs if computed else self.nodes
        self.number = {node: i + 1 - len(inputs) for i, node in enumerate(self.nodes)}
        self.names = _names(self.number, names or {})
        self.modules = {
            n: m for n, m in (names or {}).items() if isinstance(m, Module) and isinstance(n, str)
        }
        repeated = {name for name, n in Counter(self.names.values()).items() if n > 1}
        self._unique = {node: n for node, n in self.names.items() if n not in repeated}

    def variable(self, node: Value) -> str:
        """Return ``v3``, or ``v-1`` for an input."""
        return f"v{self.number[node]}"

    def symbol(self, node: Value) -> str:
        """Return what a formula calls ``node``: its name, where only it has that, or ``v3``."""
        return self._unique.get(node) or self.variable(node)

    def is_variable(self, node: Value) -> bool:
        """Return whether ``node`` is a variable and not a constant."""
        return node in self.number

    def edges(self, node: Value) -> Iterator[tuple[int, Value, float]]:
        """Yield position, parent and local derivative for each parent that is no constant."""
        for i, (parent, partial) in enumerate(zip(node.parents, node.partials)):
            if parent in self.number:
                yield i, parent, partial


def _names(nodes: Mapping[Value, int], names: Names) -> dict[Value, str]:
    found = {node: node.label for node in nodes if node.label}
    things = {
        name: thing
        for name, thing in names.items()
        if isinstance(name, str) and not name.startswith("_") and name not in ("In", "Out")
    }
    for depth in (0, _DEPTH):  # a variable of its own names a Value better than a place in a list
        for name, thing in things.items():
            for part, value in _values(name, thing, depth):
                if value in nodes:
                    found.setdefault(value, part)
    return found


def _values(name: str, thing: object, depth: int) -> Iterator[tuple[str, Value]]:
    if type(thing) is Value:
        yield name, thing
    elif depth and isinstance(thing, Module):
        for path, parameter in thing.named_parameters().items():
            yield parameter_name(path), parameter
    elif depth and isinstance(thing, (list, tuple)):
        for i, part in enumerate(islice(thing, _WIDTH)):
            yield from _values(f"{name}[{i}]", part, depth - 1)
    elif depth and isinstance(thing, dict) and not isinstance(thing, Watch):
        for key, part in islice(thing.items(), _WIDTH):
            yield from _values(f"{name}[{key}]", part, depth - 1)


def parameter_name(path: str) -> str:
    """Return ``weights[0,2,1]`` for ``layers.0.neurons.2.weights.1``: what it is, and where."""
    parts = [part for part in path.split(".") if part not in ("layers", "neurons")]
    what = next((part for part in reversed(parts) if not part.isdigit()), path)
    where: list[Any] = [part for part in parts if part != what]
    return f"{what}[{','.join(where)}]" if where else what


def sign(node: Value) -> str:
    """Return the sign of a node's operation: ``+`` for add, but ``neg`` and not ``-``."""
    if node.op is None:
        return ""
    return node.op.symbol if len(node.parents) > 1 else node.op.name
