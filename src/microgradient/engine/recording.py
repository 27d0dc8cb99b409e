"""A recording: one evaluation of a function on fresh nodes, which the transforms sweep over."""

from __future__ import annotations

import dataclasses
import inspect
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from operator import index
from typing import Any

from microgradient.engine import native, ops
from microgradient.engine.graph import MANY, computed_nodes
from microgradient.engine.number import as_float, shown
from microgradient.engine.op import Operand
from microgradient.engine.services.blocks import block_of
from microgradient.engine.services.collector import making_values
from microgradient.engine.services.trees import Tree, container_of, flatten
from microgradient.engine.sweeps import adjoints, dependents, gradients, sparse_tangents, tangents
from microgradient.engine.symbol import Symbol
from microgradient.engine.value import Value, constant

ArgNums = int | str | Sequence[int | str]
"""The arguments to differentiate by: a position or a name, or several."""

_PLAIN = {float, int, str, bool, type(None)}


class Recording:
    """One evaluation of ``f`` on fresh nodes, ready to be swept over.

    While ``f`` runs, these nodes carry the mark ``argument``. So a node that carries it in a
    finished recording is the variable of an enclosing transform, which will differentiate the
    result: then the sweeps must make Values. They do so too if a Value is among the arguments.
    With ``has_aux``, ``f`` returns ``(output, aux)``.
    """

    aux: Any = None

    def __init__(
        self,
        f: Callable[..., Any],
        args: Sequence[Any],
        kwargs: dict[str, Any],
        argnums: ArgNums,
        has_aux: bool = False,
    ) -> None:
        given: dict[Any, Any] = {**dict(enumerate(args)), **kwargs}
        single = isinstance(argnums, (int, str)) or not isinstance(argnums, Iterable)
        chosen = [_place(f, i, args, kwargs) for i in ((argnums,) if single else argnums)]  # type: ignore[union-attr]
        if len(set(chosen)) < len(chosen):
            raise ValueError(f"argnums must name each argument once, got {argnums}")
        selected = [given.pop(place) for place in chosen]
        if single and selected[0] is None:
            raise TypeError(
                "expected a real number or a tree of them to differentiate by, got None"
            )
        numbers, self._argument = flatten(selected[0] if single else tuple(selected))
        self.inputs = [_variable(x) for x in numbers]
        fresh = self._argument.filled(self.inputs)
        arguments, keywords = list(args), dict(kwargs)
        for place, argument in zip(chosen, [fresh] if single else fresh):
            if isinstance(place, int):
                arguments[place] = argument
            else:
                keywords[place] = argument
        try:
            output = making_values(f, *arguments, **keywords)
        finally:
            for x in self.inputs:
                if type(x) is Value:
                    x.op = ops.passed if x.parents else None  # f has ended: no variable any more
        if has_aux:
            output, self.aux = _split(output)
        if output is None:
            raise TypeError(
                "expected a function that returns a real number, or a tree of them, got None: is "
                "its return missing?"
            )
        self.output = output
        self.outputs, self._structure = flatten(output)
        self._symbol = next((x for x in (*numbers, *self.outputs) if isinstance(x, Symbol)), None)
        self._order = computed_nodes(*(y for y in self.outputs if type(y) is Value))
        self.nested = (
            any(isinstance(x, Operand) for x in numbers)
            or _hold_variable(self._order, self.outputs)
            or _hold_value(given.values())
        )

    @cached_property
    def _active(self) -> set[Value]:
        return dependents(self._order, self.inputs)

    def check_output(self, transform: str) -> None:
        """Raise TypeError unless the output consists of numbers."""
        for y in self.outputs:
            try:
                number(y)
            except TypeError as fault:
                raise TypeError(
                    f"{transform} expects a function that returns numbers, or nested lists, "
                    f"tuples, dicts and arrays of them: {fault}"
                ) from None

    def reverse(self, seeds: Sequence[tuple[Any, Any]]) -> list[Any]:
        """Return the adjoint of each input, given pairs of a result and its adjoint."""
        if self._symbol is not None:
            return self._symbol.adjoints(self.inputs, seeds)
        total: dict[Value, Any] = {}
        for node, weight in seeds:
            if type(node) is Value:
                total[node] = total[node] + weight if node in total else weight
        if not self.nested:
            return gradients(self._order, total, self.inputs)
        adjoint = adjoints(self._order, total, self._active, as_graph=True)
        return [self._lifted(adjoint.get(x, 0.0)) for x in self.inputs]

    def forward(self, directions: Sequence[Any]) -> list[Any]:
        """Return the tangent of each number of the output, given those of the inputs."""
        if self._symbol is not None:
            return self._symbol.tangents(self.inputs, directions, self.outputs)
        seeds = dict(zip(self.inputs, directions))
        tangent = tangents(self._order, seeds, self._active, as_graph=self.nested)
        return [
            self._lifted(tangent.get(y, 0.0) if type(y) is Value else 0.0) for y in self.outputs
        ]

    def sparse_rows(self) -> list[dict[int, Any]]:
        """Return for each number of the output its derivatives by the inputs it depends on."""
        if self._symbol is not None:
            return self._symbol.sparse_tangents(self.inputs, self.outputs)
        found = sparse_tangents(self._order, self.inputs)
        return [found.get(y, {}) if type(y) is Value else {} for y in self.outputs]

    @property
    def symbolic(self) -> bool:
        """Whether numbers are not known yet."""
        return self._symbol is not None

    @property
    def maps_vectors(self) -> bool:
        """Whether argument and output are each a list or a one-dimensional array."""
        return self._argument.is_vector and self._structure.is_vector

    def like_inputs(self, numbers: Sequence[Any]) -> Tree:
        """Return ``numbers``, one for each input, in the structure of the arguments."""
        return self._argument.filled(numbers)

    def like_output(self, numbers: Sequence[Any]) -> Tree:
        """Return ``numbers``, one for each of the output, in its structure."""
        return self._structure.filled(numbers)

    def jacobian(self, rows: Sequence[Sequence[Any]]) -> Tree:
        """Return the derivatives of each output by each input in the structure of both."""
        return self._structure.jacobian(self._argument, rows)

    def result(self, y: Any) -> Any:
        """Return a number of the output, as a float unless it may be differentiated again."""
        return y.data if type(y) is Value and not self.nested else y

    def _lifted(self, x: Any) -> Any:
        return constant(x) if self.nested and not isinstance(x, Operand) else x


def number(x: Any) -> Any:
    """Return ``x`` if an operation takes it, a number as a float; TypeError for anything else."""
    return x if isinstance(x, Operand) else as_float(x)


def _variable(x: Any) -> Any:
    """Return a fresh node with the number of ``x``, to differentiate by."""
    if isinstance(x, Operand):
        return x.record(ops.argument, (x,))
    if type(x) is not float and hasattr(x, "named_parameters"):
        raise TypeError(
            f"expected a real number, got {shown(x)}; differentiate by a module's parameters: "
            "grad(lambda p: loss(nn.functional_call(model, p, inputs)))(model.state_dict())"
        )
    variable = Value(x)
    variable.op = ops.argument
    return variable


def _place(f: Callable[..., Any], i: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> int | str:
    """Return an argument's position, or its name if it is given as a keyword."""
    if isinstance(i, str):
        names = [] if i in kwargs else parameters_of(f)[: len(args)]
        if i not in kwargs and i not in names:
            raise ValueError(f"argnums must name an argument of the call, got {i!r}")
        return i if i in kwargs else names.index(i)
    try:
        position = -len(args) - 1 if isinstance(i, bool) else index(i)
    except TypeError:
        raise TypeError(
            f"argnums must be positions or names of arguments, such as 0, 'x' or (0, 1), "
            f"got {shown(i)}"
        ) from None
    if not -len(args) <= position < len(args):
        raise ValueError(
            f"argnums names argument {i}, but the call gives {len(args)} by position; give it, or "
            "name it as the call does: argnums='x' for f(x=…)"
        )
    return position % len(args)


def parameters_of(f: Callable[..., Any]) -> list[str]:
    """Return the names of the positional parameters, as far as Python knows them."""
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):
        return []
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [parameter.name for parameter in parameters if parameter.kind in kinds]


def _split(output: Any) -> tuple[Any, Any]:
    if not isinstance(output, tuple) or len(output) != 2:
        raise TypeError(f"with has_aux, f must return (number, anything), got {shown(output)}")
    return output


def _hold_value(arguments: Iterable[Any]) -> bool:
    """Return whether a Value is in ``arguments``, as it is or in containers and arrays."""
    stack, seen = list(arguments), set[int]()
    while stack:
        x = stack.pop()
        if type(x) is Value:
            return True
        if id(x) in seen or type(x) in _PLAIN:
            continue
        if isinstance(x, (list, tuple, deque, Mapping)) or dataclasses.is_dataclass(type(x)):
            seen.add(id(x))
            if isinstance(x, (list, tuple)) and set(map(type, x)) <= _PLAIN:
                continue
            container = container_of(x)
            stack += container.parts.values() if container is not None else ()
        elif _of_objects(x) and (block := block_of(x)) is not None:
            seen.add(id(x))
            stack += block.numbers
    return False


def _of_objects(x: Any) -> bool:
    return getattr(getattr(x, "dtype", None), "kind", "O") == "O"  # a DataFrame has no dtype


def _hold_variable(order: Sequence[Value], outputs: Sequence[Any]) -> bool:
    """Return whether a variable of a running transform is among these nodes or their parents."""
    argument = ops.argument
    for node in order:
        if node.op is argument:
            return True
        left, right = node._left, node._right
        if right is MANY:
            if any(parent.op is argument for parent in left):
                return True
        elif left.op is argument or (right is not None and right.op is argument):
            return True
    return any(type(y) is Value and y.op is argument for y in outputs)


if native.node is not None:
    _hold_variable = native.node.holds_variable
