"""Arguments of a compiled function: their shapes at the first call, their numbers at each."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from microgradient.compiler.calling.batches import (
    Batch,
    batch_of,
    first_example,
    is_array,
    joined,
    listed,
)
from microgradient.compiler.program.errors import CompileError
from microgradient.engine.number import as_float, shown
from microgradient.engine.services.trees import leaves, named_leaves, rebuild
from microgradient.engine.symbol import Symbol
from microgradient.engine.value import Value

Place = int | str


@dataclass(frozen=True)
class Argument:
    """One argument: its place, name, role, tree, and the names and first index of its inputs.

    The tree of an argument of a batch is that of one example.
    """

    place: Place
    name: str
    role: str  # "uniform", "batch", "replicas" or "static"
    tree: Any
    names: tuple[str, ...]
    first: int


@dataclass(frozen=True)
class Given:
    """The numbers of one call: the uniform ones, the batch, and the replicas."""

    uniform: Sequence[float]
    batch: Batch | None
    replicas: Batch | None


class Arguments:
    """The roles of a function's arguments.

    Those that are not named are uniform: the same for all examples and replicas.
    """

    def __init__(
        self,
        f: Callable[..., Any],
        batch: tuple[Place, ...],
        replicas: tuple[Place, ...],
        static: tuple[Place, ...],
    ) -> None:
        self.parameters = _parameters_of(f)
        self.batch, self.replicas, self.static = map(self._placed, (batch, replicas, static))
        places = [*self.batch, *self.replicas, *self.static]
        if len(set(places)) < len(places):
            raise ValueError(f"each argument has one role: batch, replicas or static, got {places}")

    def _placed(self, places: tuple[Place, ...]) -> tuple[Place, ...]:
        """Return positions for the names of parameters that can be given by position."""
        names = self.parameters
        return tuple(names.index(p) if isinstance(p, str) and p in names else p for p in places)

    def _given(self, args: Sequence[Any], kwargs: dict[str, Any]) -> dict[Place, Any]:
        given: dict[Place, Any] = dict(enumerate(args))
        for name, argument in kwargs.items():
            (place,) = self._placed((name,))
            if place in given:
                raise CompileError(f"argument {self._name(place)!r} is given twice")
            given[place] = argument
        return given

    def _name(self, place: Place) -> str:
        if isinstance(place, str):
            return place
        return self.parameters[place] if place < len(self.parameters) else f"argument {place}"

    def role(self, place: Place) -> str:
        roles = {"batch": self.batch, "replicas": self.replicas, "static": self.static}
        return next((role for role, places in roles.items() if place in places), "uniform")

    def shapes(self, args: Sequence[Any], kwargs: dict[str, Any]) -> list[Argument]:
        """Return the arguments of a first call, with their trees."""
        given = self._given(args, kwargs)
        for place in (*self.batch, *self.replicas, *self.static):
            if place not in given:
                raise CompileError(f"there is no argument {self._name(place)!r} in this call")
        found: list[Argument] = []
        first = 0
        for place, argument in given.items():
            role = self.role(place)
            if role == "static":
                tree = copy.deepcopy(argument)
                if not is_array(argument) and tree != argument:
                    raise CompileError(
                        "a static argument is compared with the one compiled in, but this one does "
                        f"not equal its own copy: {shown(argument)}; let the function close over it"
                    )
            else:
                tree = listed(argument if role == "uniform" else first_example(argument, role))
            what = self._name(place)
            names = () if role == "static" else tuple(_names(tree, what))
            if role in ("batch", "replicas") and not names:
                raise CompileError(
                    f"there is no number in an argument of {role}, got {shown(tree)}"
                )
            found.append(Argument(place, what, role, tree, names, first))
            first += len(names)
        return found

    def filled(
        self, arguments: Sequence[Argument], symbols: Iterator[Any]
    ) -> tuple[list[Any], dict[str, Any]]:
        """Return positional arguments and keywords with ``symbols`` for their numbers."""
        positional: list[Any] = []
        keywords: dict[str, Any] = {}
        for argument in arguments:
            filled = argument.tree
            if argument.role != "static":
                filled = rebuild(
                    filled,
                    iter([next(symbols) if _is_number(x) else x for x in leaves(filled)]),
                )
            if argument.place == len(positional):
                positional.append(filled)
            else:
                keywords[self._name(argument.place)] = filled
        return positional, keywords

    def inputs(self, arguments: Sequence[Argument], role: str) -> tuple[int, ...]:
        """Return the inputs of the program that belong to arguments of this role."""
        return tuple(
            i
            for argument in arguments
            if argument.role == role
            for i in range(argument.first, argument.first + len(argument.names))
        )

    def numbers(
        self, arguments: Sequence[Argument], args: Sequence[Any], kwargs: dict[str, Any]
    ) -> Given:
        """Return the numbers of a call; CompileError unless it has the shapes of the first."""
        given = self._given(args, kwargs)
        if len(given) != len(arguments):
            raise CompileError(
                f"compiled for {len(arguments)} arguments, got {len(given)}; another call is "
                "another program: compile the function again for it"
            )
        uniform: list[float] = []
        batches: dict[str, list[Batch]] = {"batch": [], "replicas": []}
        for argument in arguments:
            if argument.place not in given:
                raise CompileError(f"compiled with {argument.name}, which is missing")
            x = given[argument.place]
            if argument.role == "uniform":
                uniform += _numbers(x, argument.tree, argument.name)
            elif argument.role == "static":
                _check_static(x, argument)
            else:
                batches[argument.role].append(
                    batch_of(
                        x,
                        argument.name,
                        argument.tree,
                        len(argument.names),
                        partial(_numbers, like=argument.tree, name=argument.name),
                    )
                )
        batch, replicas = joined(batches["batch"]), joined(batches["replicas"])
        return Given(uniform, batch, replicas)


def _parameters_of(f: Callable[..., Any]) -> list[str]:
    """Return the names of the positional parameters, as far as Python knows them."""
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):
        return []
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [parameter.name for parameter in parameters if parameter.kind in kinds]


def _is_number(x: Any) -> bool:
    return not (x is None or isinstance(x, (bool, str)))


def _names(tree: Any, name: str) -> Iterator[str]:
    for path, leaf in named_leaves(tree, name):
        if _is_number(leaf):
            _number(leaf)
            yield path


def _number(x: Any) -> float:
    if type(x) is Value:
        raise CompileError(
            f"a compiled function takes bare numbers and records no graph, got {x!r}; write v.data "
            "for its number, and compile(grad(f)) for grad of a compiled f"
        )
    if isinstance(x, Symbol):
        raise SymbolGiven
    return as_float(x)


def _numbers(tree: Any, like: Any, name: str) -> list[float]:
    """Return the numbers of ``tree``, which must have the shape of ``like``."""
    found: list[float] = []
    try:
        _collect(tree, like, found)
    except _OtherShape:
        raise CompileError(
            f"compiled for {name} shaped like {shown(like)}, got {shown(tree)}; another shape is "
            "another program: compile the function again for it"
        ) from None
    return found


class SymbolGiven(Exception):
    """An argument is a symbol: the function is called within another compilation."""


class _OtherShape(Exception):
    pass


def _collect(tree: Any, like: Any, found: list[float]) -> None:
    if isinstance(like, list) and is_array(tree):
        tree = listed(tree)
    if isinstance(like, dict):
        if not isinstance(tree, dict) or tree.keys() != like.keys():
            raise _OtherShape
        for key in like:
            _collect(tree[key], like[key], found)
    elif isinstance(like, (list, tuple)):
        if not isinstance(tree, (list, tuple)) or len(tree) != len(like):
            raise _OtherShape
        if like and set(map(type, like)) == set(map(type, tree)) == {float}:
            found += tree  # nearly always, and many times faster than one by one
        else:
            for x, y in zip(tree, like):
                _collect(x, y, found)
    elif not _is_number(like):
        if type(tree) is not type(like) or tree != like:
            raise _OtherShape
    elif isinstance(tree, (dict, list, tuple)):
        raise _OtherShape
    else:
        found.append(_number(tree))


def _check_static(x: Any, argument: Argument) -> None:
    same: Any = x == argument.tree
    same = same.all() if is_array(same) else same
    if type(x) is not type(argument.tree) or not same:
        raise CompileError(
            f"compiled with the static argument {argument.name} = {shown(argument.tree)}, got "
            f"{shown(x)}; compile the function again for it"
        )
