"""The structure of an argument, as a key: calls with equal keys run one program."""

from __future__ import annotations

import copy
from collections.abc import Hashable
from dataclasses import fields, is_dataclass
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from microgradient.compiler.calling.batches import is_array
from microgradient.compiler.program.errors import CompileError
from microgradient.engine.number import as_float
from microgradient.engine.services.blocks import Block, block_of
from microgradient.engine.services.trees import container_of
from microgradient.engine.symbol import Symbol
from microgradient.engine.value import Value

NUMBER = float
"""The structure of a number."""


class SymbolGiven(Exception):
    """An argument is a symbol: the function is called within another compilation."""


def is_number(x: Any) -> bool:
    """Return whether a leaf is a number to compute with; None, truths and text are compiled in."""
    return not (x is None or isinstance(x, (bool, str)))


def number(x: Any) -> float:
    if type(x) is Value:
        raise CompileError(
            f"a compiled function takes bare numbers and records no graph, got {x!r}; write v.data "
            "for its number, and compile(grad(f)) for grad of a compiled f"
        )
    if isinstance(x, Symbol):
        raise SymbolGiven
    return as_float(x)


def as_numbers(xs: list[Any]) -> list[float]:
    return xs if set(map(type, xs)) <= {float} else list(map(number, xs))


def array_of(x: Any) -> Block | None:
    try:
        return block_of(x)
    except TypeError as fault:  # a masked array
        raise CompileError(str(fault)) from None


class Structures:
    """Finds the structures of trees; the keys of a dict count in the order first seen."""

    def __init__(self) -> None:
        self._orders: dict[frozenset[Any], tuple[Any, ...]] = {}

    def _keys(self, tree: dict[Any, Any]) -> tuple[Any, ...]:
        return self._orders.setdefault(frozenset(tree), tuple(tree))

    def ordered(self, tree: Any) -> Any:
        """Return ``tree`` with the keys of its dicts in the order that counts."""
        if isinstance(tree, dict):
            twin = copy.copy(tree)  # a dict of its own kind
            twin.clear()
            twin.update([(key, self.ordered(tree[key])) for key in self._keys(tree)])
            return twin
        container = container_of(tree)
        if container is None:
            return tree
        return container.build([self.ordered(part) for part in container.parts.values()])

    def flattened(self, tree: Any, numbers: list[float]) -> Hashable:
        """Append the numbers of ``tree`` to ``numbers`` and return its structure."""
        kind = type(tree)
        if kind is float:
            numbers.append(tree)
            return NUMBER
        if isinstance(tree, (list, tuple)):
            if set(map(type, tree)) == {float}:
                numbers += tree  # nearly always, and many times faster than one by one
                return kind, len(tree)
            parts = [self.flattened(child, numbers) for child in tree]
            if all(part is NUMBER for part in parts):
                return kind, len(parts)
            return kind, tuple(parts)
        if isinstance(tree, dict):
            keys = self._keys(tree)
            return kind, keys, tuple([self.flattened(tree[key], numbers) for key in keys])
        if not is_number(tree):
            return kind, tree
        if (block := array_of(tree)) is not None:
            numbers += as_numbers(block.numbers)
            return kind, block.shape, tuple(map(tuple, getattr(tree, "axes", ())))  # labels
        if (container := container_of(tree)) is not None:
            parts = [self.flattened(part, numbers) for part in container.parts.values()]
            return kind, tuple(container.parts), tuple(parts)
        numbers.append(number(tree))
        return NUMBER


class _Identity:
    """A key that is equal to that of the same object alone, which it keeps alive."""

    __slots__ = ("thing",)

    def __init__(self, thing: object) -> None:
        self.thing = thing

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identity) and other.thing is self.thing

    def __hash__(self) -> int:
        return id(self.thing)


_KNOWN_BY_NAME = (type, ModuleType, FunctionType, BuiltinFunctionType)


def static_key(x: Any, seen: dict[int, int] | None = None) -> Hashable:
    """Return the key of a static argument: its type, and its contents as far as Python knows them.

    Numbers count by their digits (nan is nan, -0.0 is not 0.0); containers, arrays and dataclasses
    by their contents; things with a hash of their own by hash and ``==``; all others by identity
    and by their attributes, so that a changed one is another one.
    """
    seen = {} if seen is None else seen
    kind = type(x)
    if isinstance(x, Symbol):
        raise SymbolGiven
    if isinstance(x, float):
        return kind, x.hex()
    if kind is Value:  # its number is compiled in
        return _Identity(x), x.data.hex()
    if isinstance(x, (int, str, bytes, *_KNOWN_BY_NAME)) or x is None:
        return kind, x
    if id(x) in seen:  # once more, perhaps within itself
        return seen[id(x)]
    seen[id(x)] = len(seen)
    parts = _parts(x)
    if parts is not None:
        return kind, tuple([static_key(part, seen) for part in parts])
    if isinstance(x, (set, frozenset)):
        return kind, frozenset([static_key(part, seen) for part in x])
    if is_array(x):
        items = static_key(list(x.flat), {}) if x.dtype.hasobject else x.tobytes()
        return kind, x.dtype.str, x.shape, items
    own_hash: Any = kind.__hash__
    if own_hash is not None and own_hash is not object.__hash__:
        return kind, x
    return _Identity(x), static_key(getattr(x, "__dict__", None), seen)


def _parts(x: Any) -> list[Any] | None:
    """Return what a list, a tuple, a dict or a dataclass without a hash consists of."""
    if isinstance(x, (list, tuple)):
        return list(x)
    if isinstance(x, dict):
        return [part for pair in x.items() for part in pair]
    if is_dataclass(x) and type(x).__hash__ is None:
        return [getattr(x, field.name) for field in fields(x)]
    return None
