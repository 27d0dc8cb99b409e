"""The nodes of a graph in order, numbered as in the textbook, with the names a user gave them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from typing import Any, TypeGuard

from microgradient.engine import ops
from microgradient.engine.graph import topological_order
from microgradient.engine.number import shown
from microgradient.engine.services.watching import Line, Watch
from microgradient.engine.value import Value, gradient_of, rebuilt
from microgradient.nn.module import Module
from microgradient.view.escaping import plain
from microgradient.view.graph.composites import Composite, Node

Names = Mapping[str, object]
_DEPTH, _MOST_LOOKED_AT = 4, 100_000  # how far into nested lists to look for names
_HOLDERS = ("layers", "neurons")  # attributes of our modules, whose names add nothing


class NumberedGraph:
    """Every node that ``result`` depends on, except constants, parents before children.

    The n inputs are v(1-n) … v(0), and the nodes computed from them v(1) … v(l), as in Griewank and
    Walther, Evaluating Derivatives, table 2.1. ``names`` is a mapping such as ``locals()``, or what
    ``watch`` remembered: a Value in it has that name unless it has a label. ``who`` is the function
    named in errors. Raises TypeError for a ``result`` that is not a Value, or other ``names``.
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
        self._number(result, names.lines if isinstance(names, Watch) else {})
        things = _named_things(names or {})
        self.modules = {name: it for name, it in things.items() if _is_module(it)}
        self._call(_names(self.number, things))
        self._like: Mapping[Value, Value] = {}

    def with_nodes(self, becomes: Mapping[Value, Node]) -> NumberedGraph:
        """Return the graph in which some nodes are others, with copies of all that read them.

        Names, labels, lines and gradients are kept, and the inputs are the same Values.
        """
        if not becomes:
            return self
        twin: dict[Value, Value] = {}
        like: dict[Value, Value] = {}

        def made(node: Node) -> Value:
            parents = [made(p) if isinstance(p, Node) else twin.get(p, p) for p in node.parents]
            it = rebuilt(node.data, node.grad, None, node.op, tuple(parents), node.partials)
            if node.like is not None:
                like[it] = twin.get(node.like, node.like)
            return it

        for node in self.nodes:
            if node in becomes:
                twin[node] = made(becomes[node])
            elif any(parent in twin for parent in node.parents) and node.op is not None:
                twin[node] = made(
                    Node(node.op, node.parents, node.partials, node.data, gradient_of(node))
                )
        new = object.__new__(NumberedGraph)
        lines: dict[Value, Line] = {}
        for node in self.lines if twin else ():
            it = twin.get(node, node)
            lines.update(dict.fromkeys((p for p in it.parents if p in like), self.lines[node]))
            lines[it] = self.lines[node]
        new._number(twin.get(self.result, self.result), lines)
        new.modules = self.modules
        named = {twin.get(node, node): name for node, name in self.names.items()}
        new._call({node: name for node, name in named.items() if node in new.number})
        new._like = {twin.get(a, a): twin.get(b, b) for a, b in self._like.items()} | dict(like)
        return new

    def _number(self, result: Value, lines: Mapping[Value, Line]) -> None:
        self.result, self.lines = result, lines
        everything = topological_order(result)
        computed = [node for node in everything if node.parents]
        if all(node in self.lines for node in computed):  # then the order in which they ran
            made = {node: i for i, node in enumerate(self.lines)}
            computed.sort(key=made.__getitem__)
        used = [parent for node in computed for parent in node.parents if not parent.parents]
        inputs = [node for node in dict.fromkeys(used) if node.op is not ops.constant]
        self.nodes = [*inputs, *computed] or [result]
        inputs = inputs if computed else self.nodes
        self.number = {node: i + 1 - len(inputs) for i, node in enumerate(self.nodes)}

    def _call(self, names: dict[Value, str]) -> None:
        self.names = names
        looks = Counter(plain(name) for name in self.names.values())
        self._unique = {
            node: name
            for node, name in self.names.items()
            if looks[plain(name)] == 1 and not re.fullmatch(r"v-?\d+", name)
        }

    def variable(self, node: Value) -> str:
        """Return ``v3``, or ``v-1`` for an input."""
        return f"v{self.number[node]}"

    def symbol(self, node: Value) -> str:
        """Return what a formula calls ``node``: its name if no other node has it, else ``v3``."""
        return self._unique.get(node) or self.variable(node)

    def sign(self, node: Value) -> str:
        """Return the operator of a node, the name of its operation, or which nodes it stands for.

        ``+`` for add, ``neg``, ``sum of 100``, ``99 more like v3``.
        """
        if node in self._like and node.op is not None:
            return f"{node.op.symbol} like {self.symbol(self._like[node])}"
        return operation_sign(node)

    @property
    def repeated(self) -> list[Value]:
        """The nodes that stand for terms or steps like others."""
        return [node for node in self.nodes if isinstance(node.op, Composite) and node.op.size > 1]

    def edges(self, node: Value) -> Iterator[tuple[int, Value, float]]:
        """Yield position, parent and local derivative of each parent that is not a constant."""
        for i, (parent, partial) in enumerate(zip(node.parents, node.partials)):
            if parent in self.number:
                yield i, parent, partial


def _named_things(names: Names) -> dict[str, object]:
    """Return what the user has named: each thing once, under its first name."""
    found: dict[str, object] = {}
    seen: set[int] = set()
    for name, thing in names.items():
        ours = not isinstance(name, str) or name.startswith("_") or name in ("In", "Out")
        if not ours and id(thing) not in seen:
            seen.add(id(thing))
            found[name] = thing
    return found


def _names(nodes: Mapping[Value, int], things: Mapping[str, object]) -> dict[Value, str]:
    found = {node: str(node.label) for node in nodes if node.label}
    for name, thing in things.items():  # a variable names a Value better than a place in a list
        if type(thing) is Value and thing in nodes:
            found.setdefault(thing, name)
    missing = len(nodes) - len(found)
    budget = count(_MOST_LOOKED_AT, -1)
    modules = sum(_is_module(thing) for thing in things.values())
    for name, thing in things.items():
        prefix = f"{name}." if modules > 1 else ""
        for part, value in _values(name, prefix, thing, _DEPTH, budget) if missing else ():
            if value in nodes:
                found.setdefault(value, part)
    return found


def _values(
    name: str, prefix: str, thing: object, depth: int, budget: Iterator[int]
) -> Iterator[tuple[str, Value]]:
    """Yield the Values in a container or module with their names, until the budget is spent."""
    if _is_module(thing):
        for path, parameter in thing.named_parameters().items():
            yield prefix + parameter_name(path), parameter
    if type(thing) is list or type(thing) is tuple:
        parts: Iterable[tuple[Any, object]] = enumerate(thing)
    elif type(thing) is dict:
        parts = ((key, part) for key, part in thing.items() if type(key) in (str, int))
    else:
        return
    for key, part in parts:
        if next(budget) <= 0:
            return
        if type(part) is Value:
            yield f"{name}[{key}]", part
        elif depth and issubclass(type(part), (list, tuple, dict, Module)):
            yield from _values(f"{name}[{key}]", prefix, part, depth - 1, budget)


def _is_module(thing: object) -> TypeGuard[Module]:
    """Return whether ``thing`` is a module: ``isinstance`` may run its code, which may raise."""
    return issubclass(type(thing), Module)


def parameter_name(path: str) -> str:
    """Return ``weights[0,2,1]`` for ``layers.0.neurons.2.weights.1``: what it is, and where."""
    parts = [part for part in path.split(".") if part not in _HOLDERS]
    if all(part.isdigit() for part in parts):
        parts = path.split(".")
    what = next((part for part in reversed(parts) if not part.isdigit()), path)
    where = [part for part in parts if part != what]
    return f"{what}[{','.join(where)}]" if where else what


def operation_sign(node: Value) -> str:
    """Return the operator of a node, ``+`` for add, or the name of its operation: ``neg``."""
    if node.op is None:
        return ""
    named = len(node.parents) > 1 or isinstance(node.op, Composite)
    return node.op.symbol if named else node.op.name
