"""The structure of an argument, as a key: calls with equal keys run one program."""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Iterator
from dataclasses import fields, is_dataclass
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from microgradient.compiler.calling.batches import is_array, is_doubles, is_plain_array
from microgradient.compiler.program.errors import CompileError
from microgradient.engine.number import as_float, packed
from microgradient.engine.services.blocks import Block, block_of
from microgradient.engine.services.trees import Container, container_of
from microgradient.engine.symbol import Symbol
from microgradient.engine.value import Value

NUMBER = float
"""The structure of a number."""

_MOST_ORDERS = 1000  # orders of keys that are remembered


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


class Structures:
    """Finds the structures of trees; the keys of a dict count in the order first seen."""

    def __init__(self) -> None:
        self._orders: dict[tuple[Any, ...], tuple[Any, ...]] = {}
        self._first: dict[frozenset[Any], tuple[Any, ...]] = {}

    def _keys(self, container: Container) -> tuple[Any, ...]:
        keys = tuple(container.parts)
        return self._ordered(keys) if container.keyed else keys

    def _ordered(self, keys: tuple[Any, ...]) -> tuple[Any, ...]:
        found = self._orders.get(keys)
        if found is None:
            if len(self._orders) >= _MOST_ORDERS:
                self._orders.clear()
            found = self._orders[keys] = self._first.setdefault(frozenset(keys), keys)
        return found

    def flattened(self, tree: Any, numbers: array[float]) -> Hashable:
        """Append the numbers of ``tree`` to ``numbers`` and return its structure."""
        kind = type(tree)
        if kind is float:
            numbers.append(tree)
            return NUMBER
        if kind is list or kind is tuple:
            doubles = packed(tree)
            if doubles is not None:  # nearly always
                numbers.frombytes(doubles)
                return kind, len(tree)
            parts = [self.flattened(child, numbers) for child in tree]
            return kind, len(parts) if all(part is NUMBER for part in parts) else tuple(parts)
        if kind is dict:
            keys = self._ordered(tuple(tree))
            return kind, keys, tuple([self.flattened(tree[key], numbers) for key in keys])
        if isinstance(tree, float):
            numbers.append(tree)
            return NUMBER
        if is_plain_array(tree):
            numbers.frombytes(tree.astype("d", copy=False).tobytes())
            return kind, tree.shape, ()
        if kind is array and tree.typecode == "d":
            numbers.extend(tree)
            return kind, (len(tree),), ()
        container = container_of(tree)
        if container is not None:
            keys = self._keys(container)
            parts = [self.flattened(container.parts[key], numbers) for key in keys]
            return kind, keys, tuple(parts)
        block = _block(tree)
        if block is not None:
            numbers.extend([x if type(x) is float else number(x) for x in block.numbers])
            return kind, block.shape, block.labels
        if not is_number(tree):
            return kind, tree
        numbers.append(number(tree))
        return NUMBER

    def filled(self, tree: Any, symbols: Iterator[Any]) -> Any:
        """Return ``tree`` with the next of ``symbols`` for each number."""
        container = container_of(tree)
        if container is not None:
            parts = container.parts
            made = {key: self.filled(parts[key], symbols) for key in self._keys(container)}
            return container.build([made[key] for key in parts])
        block = _block(tree)
        if block is not None:
            return block.build([next(symbols) for _ in block.numbers])
        return next(symbols) if is_number(tree) else tree

    def names(self, tree: Any, path: str) -> Iterator[str]:
        """Return a name for each number of ``tree``, such as ``p['w'][1]``."""
        block = _block(tree)
        container = container_of(tree if block is None else block.nested())
        if container is not None:
            form = "{}.{}" if container.kind == "." else "{}[{!r}]"
            for key in self._keys(container):
                yield from self.names(container.parts[key], form.format(path, key))
        elif is_number(tree):
            yield path


def in_place(tree: Any) -> Hashable | None:
    """Return the structure of an array whose memory is its numbers, as doubles; else None."""
    if is_doubles(tree):
        return type(tree), tree.shape, ()
    if type(tree) is array and tree.typecode == "d":
        return array, (len(tree),), ()
    return None


def _block(tree: Any) -> Block | None:
    return block_of(tree) if is_number(tree) and type(tree) is not float else None


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
    return _Identity(x), static_key(object.__getstate__(x), seen)  # slots too


def _parts(x: Any) -> list[Any] | None:
    """Return what a list, a tuple, a dict or a dataclass that compares by value consists of."""
    if isinstance(x, (list, tuple)):
        return list(x)
    if isinstance(x, dict):
        return [part for pair in x.items() for part in pair]
    if is_dataclass(x) and type(x).__eq__ is not object.__eq__:
        return [getattr(x, field.name) for field in fields(x)]
    return None
