"""A function recorded as a graph at one point, and the graph evaluated again in other numbers."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from microgradient.engine.arithmetic import Arithmetic
from microgradient.engine.graph import topological_order
from microgradient.engine.number import as_float
from microgradient.engine.services.trees import Tree, leaves, rebuild
from microgradient.engine.sweeps import dependents
from microgradient.engine.value import Value
from microgradient.nn.module import Module


class Recording:
    """One evaluation of ``f`` on fresh leaves: ``inputs``, ``outputs`` and the graph in between.

    ``args`` are numbers, nested lists, tuples and dicts of them, or modules, of which ``f`` gets a
    copy: their parameters are inputs. ``active`` are the nodes that
    depend on the inputs. Raises TypeError if ``f`` returns anything but numbers.
    """

    def __init__(
        self,
        f: Callable[..., Any],
        args: Sequence[Tree],
        numbers: Sequence[float] | None = None,
    ) -> None:
        fresh, self.inputs = _fresh(args, numbers_in(args) if numbers is None else numbers)
        self.outputs = [y if type(y) is Value else Value(_number(y)) for y in leaves(f(*fresh))]
        if not self.outputs:
            raise ValueError("f returns no number at all: there is nothing to differentiate")
        self.order = topological_order(*self.outputs)
        self.active = dependents(self.order, self.inputs)

    def replayed(self, m: Arithmetic[Any], numbers: Mapping[Value, Any]) -> dict[Value, Any]:
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


def numbers_in(args: Sequence[Tree]) -> list[Any]:
    """Return the numbers that ``args`` hold, in order: the inputs of a function of them."""
    found = [x for a in args for x in (a.parameters() if isinstance(a, Module) else leaves(a))]
    return [x.data if type(x) is Value else as_float(x) for x in found]


def with_number(args: Sequence[Tree], index: int, number: float) -> list[Tree]:
    """Return a copy of ``args`` with one of their numbers replaced, and no Value among them."""
    numbers = numbers_in(args)
    numbers[index] = number
    return _rebuilt(args, numbers)


def _rebuilt(args: Sequence[Tree], numbers: Sequence[Any]) -> list[Tree]:
    given = iter(numbers)
    return [_copy(a, given) if isinstance(a, Module) else rebuild(a, given) for a in args]


def _copy(module: Module, numbers: Iterator[Any]) -> Module:
    twin = copy.deepcopy(module)
    for parameter, number in zip(twin.parameters(), numbers):
        parameter.data, parameter.grad = number, None
    return twin


def _fresh(args: Sequence[Tree], numbers: Sequence[Any]) -> tuple[list[Tree], list[Value]]:
    """Return ``args`` made of fresh nodes with these numbers, and the nodes."""
    given, made, inputs = iter(numbers), list[Tree](), list[Value]()
    for arg in args:
        if isinstance(arg, Module):
            made.append(_copy(arg, given))
            inputs += made[-1].parameters()
        else:
            nodes = [Value(next(given)) for _ in leaves(arg)]
            made.append(rebuild(arg, iter(nodes)))
            inputs += nodes
    return made, inputs


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


def _paths(name: str, tree: Tree) -> list[str]:
    if isinstance(tree, Module):
        return [f"{name}.{parameter}" for parameter in tree.named_parameters()]
    if isinstance(tree, dict):
        return [p for key, child in tree.items() for p in _paths(f"{name}[{key!r}]", child)]
    if isinstance(tree, (list, tuple)):
        return [p for i, child in enumerate(tree) for p in _paths(f"{name}[{i}]", child)]
    return [name]
