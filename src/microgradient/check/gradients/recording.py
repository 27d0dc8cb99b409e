"""A function recorded as a graph at one point, and the graph evaluated again in other numbers."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import isfinite
from typing import Any

from microgradient.engine import ops
from microgradient.engine.arithmetic import Arithmetic
from microgradient.engine.graph import topological_order
from microgradient.engine.number import as_float, shown
from microgradient.engine.services.trees import Tree, leaves, named_leaves, rebuild
from microgradient.engine.sweeps import dependents
from microgradient.engine.value import Value
from microgradient.nn.module import Module


class Recording:
    """One evaluation of ``f`` on fresh leaves: ``inputs``, ``outputs`` and the graph in between.

    ``args`` are numbers, nested lists, tuples and dicts of numbers, or modules; ``f`` gets a copy
    of a module, whose parameters are inputs. ``order`` holds the nodes in topological order,
    ``active`` those that depend on the inputs. Raises TypeError if ``f`` returns anything but
    numbers, ValueError if it returns none. A transform inside ``f``, such as ``grad``, gives Values
    that depend on the inputs, as it does inside another transform.
    """

    def __init__(
        self,
        f: Callable[..., Any],
        args: Sequence[Tree],
        numbers: Sequence[float] | None = None,
    ) -> None:
        fresh, self.inputs = _fresh(args, numbers_in(args) if numbers is None else numbers)
        with _as_variables(self.inputs):
            output = f(*fresh)
        results = [output] if output is None else leaves(output)  # a return that is missing
        self.outputs = [y if type(y) is Value else Value(_number(y)) for y in results]
        if not self.outputs:
            raise ValueError("f returns no numbers, so there is nothing to differentiate")
        self.order = topological_order(*self.outputs)
        self.active = dependents(self.order, self.inputs)

    def replayed(self, m: Arithmetic[Any], numbers: Mapping[Value, Any]) -> dict[Value, Any]:
        """Return every node's value in the arithmetic ``m``, with ``numbers`` for some leaves.

        Branches are those taken when the graph was recorded. Raises AttributeError for an operation
        whose formula uses a function that ``m`` lacks.
        """
        values: dict[Value, Any] = {}
        for node in self.order:
            if node in numbers:
                values[node] = numbers[node]
            elif node.parents and node.op is not None:
                value = node.op.value(m, *[values[parent] for parent in node.parents])
                # A zero keeps its sign in floats: not every arithmetic computes one.
                values[node] = m.lift(node.data) if value == 0 and node.data == 0 else value
            else:
                values[node] = m.lift(node.data)
        return values


@contextmanager
def _as_variables(inputs: Sequence[Value]) -> Iterator[None]:
    """Mark ``inputs`` as a transform marks its own, so that transforms inside f see them."""
    for x in inputs:
        x.op = ops.argument
    try:
        yield
    finally:
        for x in inputs:
            x.op = None


def check_values(values: Sequence[float], again: Sequence[float]) -> None:
    """Raise ValueError unless the values of f are finite, and the same when computed again."""
    if not all(map(isfinite, values)):
        raise ValueError(f"f is not finite at this point: {shown(values)}; check it elsewhere")
    if values != again:
        raise ValueError(
            f"f gives different results for the same arguments ({shown(values)}, then "
            f"{shown(again)}); only a function has a derivative: fix its random numbers and state"
        )


def leaves_in(args: Sequence[Tree]) -> list[Any]:
    """Return the numbers and Values in ``args``, and the parameters of its modules, in order."""
    return [x for a in args for x in (a.parameters() if isinstance(a, Module) else leaves(a))]


def numbers_in(args: Sequence[Tree]) -> list[float]:
    """Return the numbers that ``args`` hold, in order."""
    return [x.data if type(x) is Value else as_float(x) for x in leaves_in(args)]


def with_number(args: Sequence[Tree], index: int, number: float) -> list[Tree]:
    """Return a copy of ``args`` with one number replaced, and every Value as its number."""
    numbers = numbers_in(args)
    numbers[index] = number
    return _rebuilt(args, numbers)


def _rebuilt(args: Sequence[Tree], numbers: Sequence[float]) -> list[Tree]:
    given = iter(numbers)
    return [_copy(a, given) if isinstance(a, Module) else rebuild(a, given) for a in args]


def _copy(module: Module, numbers: Iterator[float]) -> Module:
    twin = copy.deepcopy(module)
    for parameter, number in zip(twin.parameters(), numbers):
        parameter.data, parameter.grad = number, None
    return twin


def _fresh(args: Sequence[Tree], numbers: Sequence[float]) -> tuple[list[Tree], list[Value]]:
    """Return ``args`` rebuilt from fresh nodes with these numbers, and the nodes."""
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


def _number(y: object) -> float:
    try:
        return as_float(y)
    except TypeError as fault:
        raise TypeError(
            "expected a function that returns a number, or nested lists, tuples and dicts of "
            f"numbers: {fault}"
        ) from None


def input_names(f: Callable[..., Any], args: Sequence[Tree]) -> list[str]:
    """Return a name for every number in ``args``, such as ``x`` or ``p['w'][1]``."""
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
    return [path for path, _ in named_leaves(tree, name)]
