"""Arguments of a compiled function: their roles, and the structure and numbers of each call."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

from microgradient.compiler.calling.batches import (
    Batch,
    batch_of,
    first_example,
    is_plain_array,
    joined,
)
from microgradient.compiler.calling.structures import NUMBER, Structures, in_place, static_key
from microgradient.compiler.program.errors import CompileError
from microgradient.compiler.program.program import Doubles
from microgradient.engine.number import packed, shown
from microgradient.engine.recording import parameters_of

Place = int | str
Key = tuple[tuple[Place, ...], tuple[Hashable, ...]]
"""The arguments' places and structures."""

_ONE = (0,)


class Given(NamedTuple):
    """The arguments of a call, the key of what they are compiled to, and their numbers.

    ``uniform`` are the numbers that are the same for all examples and replicas.
    """

    arguments: dict[Place, Any]
    key: Key
    uniform: Doubles
    batch: Batch | None
    replicas: Batch | None


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
        self.parameters = parameters_of(f)
        self.batch, self.replicas, self.static = map(self._placed, (batch, replicas, static))
        places = [*self.batch, *self.replicas, *self.static]
        if len(set(places)) < len(places):
            raise ValueError(f"each argument has one role: batch, replicas or static, got {places}")
        named = {"batch": self.batch, "replicas": self.replicas, "static": self.static}
        self._roles = {place: role for role, places in named.items() for place in places}
        self.has_roles = bool(self._roles)
        self._owner: type | tuple[()] = ()
        self._structures = Structures()
        self._examples: dict[Place, tuple[Hashable, int]] = {}

    def bind(self, owner: type) -> None:
        """Note the class whose method is compiled: its instances are static arguments."""
        if 0 in (*self.batch, *self.replicas):
            raise TypeError("the object of a method, argument 0, cannot be a batch or replicas")
        self._owner, self.has_roles = owner, True

    def _role(self, place: Place, x: Any) -> str:
        if place == 0 and isinstance(x, self._owner) and not isinstance(x, (list, tuple, dict)):
            return "static"
        return self._roles.get(place, "uniform")

    def _placed(self, places: tuple[Place, ...]) -> tuple[Place, ...]:
        """Return positions for the names of parameters that can be given by position."""
        names = self.parameters
        return tuple(names.index(p) if isinstance(p, str) and p in names else p for p in places)

    def _name(self, place: Place) -> str:
        if isinstance(place, str):
            return place
        return self.parameters[place] if place < len(self.parameters) else f"argument {place}"

    def given(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Given:
        """Return the arguments of a call by place, with their structure and numbers."""
        found: dict[Place, Any] = dict(enumerate(args))
        if not (kwargs or self.has_roles):
            return Given(found, *self.plain(args), None, None)
        for name in sorted(kwargs):
            (place,) = self._placed((name,))
            if place in found:
                raise CompileError(f"argument {self._name(place)!r} is given twice")
            found[place] = kwargs[name]
        for place in self._roles:
            if place not in found:
                raise CompileError(f"there is no argument {self._name(place)!r} in this call")
        roles = [self._role(place, x) for place, x in found.items()]
        alone = roles.count("uniform") == 1
        uniform: Doubles = array("d")
        key: list[Hashable] = []
        batches: dict[str, list[Batch]] = {"batch": [], "replicas": []}
        try:
            for (place, x), role in zip(found.items(), roles):
                structure: Hashable
                if role == "uniform":
                    structure = in_place(x) if alone else None
                    if structure is not None:
                        uniform = x
                    else:
                        structure = self._structures.flattened(x, uniform)
                elif role == "static":
                    structure = static_key(x)
                else:
                    structure, examples = self._batch(place, x, role)
                    batches[role].append(examples)
                key.append(structure)
        except RecursionError:
            raise _endless() from None
        batch, replicas = joined(batches["batch"]), joined(batches["replicas"])
        return Given(found, (tuple(found), tuple(key)), uniform, batch, replicas)

    def plain(self, args: tuple[Any, ...]) -> tuple[Key, Doubles]:
        """Return key and numbers of a call with uniform arguments alone, all by position.

        The numbers of one array of doubles are the array itself.
        """
        doubles = packed(args)
        if doubles is not None:
            return _numbers(len(args)), doubles
        if len(args) == 1:
            structure = in_place(args[0])
            if structure is not None:
                return (_ONE, (structure,)), args[0]
        numbers, flattened = array("d"), self._structures.flattened
        try:
            if len(args) == 1:
                return (_ONE, (flattened(args[0], numbers),)), numbers
            structures = tuple([flattened(x, numbers) for x in args])
        except RecursionError:
            raise _endless() from None
        return (tuple(range(len(args))), structures), numbers

    def _batch(self, place: Place, x: Any, role: str) -> tuple[Hashable, Batch]:
        """Return the structure of one example, and all examples."""
        structure: Hashable
        if isinstance(x, (list, tuple)) and not x and place in self._examples:
            structure, width = self._examples[place]  # of no example: those of the last call
        elif is_plain_array(x) and x.size:
            shape = x.shape[1:]
            structure = (type(x), shape, ()) if shape else NUMBER
            width = prod(shape)
            self._examples[place] = structure, width
        else:
            numbers = array("d")
            first = first_example(x, role)
            structure, width = self._structures.flattened(first, numbers), len(numbers)
            if not numbers:
                raise CompileError(
                    f"there is no number in an argument of {role}, got {shown(first)}"
                )
            self._examples[place] = structure, width

        def add(example: Any, numbers: array[float]) -> None:
            if self._structures.flattened(example, numbers) != structure:
                raise CompileError(
                    f"all examples must be of one structure: {self._name(place)} begins with "
                    f"{shown(x[0])} and has {shown(example)}"
                )

        return structure, batch_of(x, self._name(place), width, add)

    def differing(self, key: Any, other: Any) -> list[str]:
        """Return the names of the arguments in which two keys differ."""
        one, two = dict(zip(*key)), dict(zip(*other))
        places = [*one, *(place for place in two if place not in one)]
        return [self._name(place) for place in places if one.get(place) != two.get(place)]

    def shapes(self, given: Given) -> list[Argument]:
        """Return the arguments of a call, with their trees and the names of their inputs."""
        found: list[Argument] = []
        first = 0
        for place, argument in given.arguments.items():
            role = self._role(place, argument)
            tree, names = argument, tuple[str, ...]()
            if role != "static":
                tree = argument if role == "uniform" else first_example(argument, role)
                names = tuple(self._structures.names(tree, self._name(place)))
            found.append(Argument(place, self._name(place), role, tree, names, first))
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
                filled = self._structures.filled(filled, symbols)
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


@lru_cache
def _numbers(count: int) -> Key:
    """Return the key of a call with so many floats."""
    return tuple(range(count)), (NUMBER,) * count


def _endless() -> CompileError:
    return CompileError(
        "an argument is nested too deeply, or contains itself; give nested lists, tuples "
        "and dicts of numbers, at most some hundreds deep"
    )
