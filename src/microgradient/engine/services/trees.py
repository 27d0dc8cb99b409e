"""Trees of numbers: nested containers and arrays, flattened and rebuilt without recursion.

Containers are sequences (lists, tuples, named tuples, deques, ranges, …), mappings (dicts,
OrderedDicts, defaultdicts, …) and dataclasses; None is a tree without numbers. A rebuilt container
is of the same type; a sequence that cannot be copied with other elements, such as a range, becomes
a list. Arrays: ``engine/services/blocks.py``. Everything else is a leaf.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterable, Mapping, MutableMapping, MutableSequence
from collections.abc import Sequence as SequenceType
from itertools import islice
from operator import is_
from typing import Any, NamedTuple

from microgradient.engine.number import shown
from microgradient.engine.op import Operand
from microgradient.engine.services.blocks import Block, block_of, outer

Tree = Any  # a number, a Value, an array, or a container of trees

_NUMBERS = {float, int, bool}
_LEAVES = (Operand, str, bytes, bytearray, type)


class Container(NamedTuple):
    """A container: its parts by key, how a path writes the keys, and how to build it of others."""

    parts: dict[Any, Any]
    kind: str  # "[]" for elements and items, "." for attributes
    keyed: bool  # whether the keys are data, and so must agree
    build: Callable[[list[Any]], Any]
    plain: type | None = None  # list or tuple, where it is no more than that


class Structure:
    """A tree without its leaves: what ``flatten`` leaves over, ready to be filled again."""

    def __init__(self, entries: list[Block | Container | None]) -> None:
        self._entries = entries  # in postorder; None for a leaf
        # of a list or tuple of leaves, the most frequent tree, its type
        self._flat = None
        if entries.count(None) == len(entries) - 1 and isinstance(entries[-1], Container):
            self._flat = entries[-1].plain

    @property
    def is_vector(self) -> bool:
        """Whether the tree is a list or tuple of leaves, or a one-dimensional array."""
        block = self._entries[0]
        return self._flat is not None or (
            len(self._entries) == 1 and isinstance(block, Block) and len(block.shape) == 1
        )

    def filled(self, leaves: Iterable[Any]) -> Tree:
        """Return the tree with these leaves, in order."""
        if self._flat is not None:
            return self._flat(leaves)
        given = iter(leaves)

        def take(block: Block | None) -> Any:
            if block is None:
                return next(given)
            return block.build(list(islice(given, len(block.numbers))))

        return self._assembled(take)

    def jacobian(self, inputs: Structure, rows: SequenceType[SequenceType[Any]]) -> Tree:
        """Return this tree, of outputs, with the tree ``inputs`` in place of each number.

        ``rows`` holds the derivatives of each output by each input. Arrays count as one, as in JAX:
        the derivative of an array by an array has the shapes of both.
        """
        row = 0

        def derivatives_of(y: Block | None) -> Tree:
            nonlocal row
            first, row = row, row + (1 if y is None else len(y.numbers))
            if y is None:
                return inputs.filled(rows[first])
            column = 0

            def by(x: Block | None) -> Any:
                nonlocal column
                start, column = column, column + (1 if x is None else len(x.numbers))
                numbers = [z for line in rows[first:row] for z in line[start:column]]
                return y.build(numbers) if x is None else outer(y, x, numbers)

            return inputs._assembled(by)

        return self._assembled(derivatives_of)

    def _assembled(self, take: Callable[[Block | None], Any]) -> Tree:
        made: list[Any] = []
        for entry in self._entries:
            if isinstance(entry, Container):
                first = len(made) - len(entry.parts)
                made[first:] = [entry.build(made[first:])]
            else:
                made.append(take(entry))
        return made[0]


def flatten(tree: Tree) -> tuple[list[Any], Structure]:
    """Return the leaves of ``tree`` from left to right, and its structure.

    Raises ValueError for a container that holds itself, TypeError for a masked array.
    """
    if _is_leaf(tree):
        return [tree], _LEAF
    if type(tree) in (list, tuple) and set(map(type, tree)) <= _NUMBERS:
        return list(tree), Structure([*[None] * len(tree), container_of(tree)])
    found: list[Any] = []
    entries: list[Block | Container | None] = []
    open_ids: set[int] = set()
    stack: list[Any] = [tree]
    while stack:
        x = stack.pop()
        if _is_leaf(x):
            found.append(x)
            entries.append(None)
        elif type(x) is _End:
            open_ids.remove(id(x.tree))
            entries.append(x.container)
        elif (container := container_of(x)) is not None:
            if id(x) in open_ids:
                raise ValueError(
                    f"expected numbers in finite nesting, got a {type(x).__name__} that contains "
                    "itself"
                )
            open_ids.add(id(x))
            stack.append(_End(x, container))
            stack += reversed(container.parts.values())
        elif (block := block_of(x)) is not None:
            found += block.numbers
            entries.append(block)
        else:
            found.append(x)
            entries.append(None)
    return found, Structure(entries)


_LEAF = Structure([None])


class _End(NamedTuple):
    tree: Any  # held, so that no other object gets its id meanwhile
    container: Container


def leaves(tree: Tree) -> list[Any]:
    """Return the leaves of ``tree`` from left to right; those of a dict in its order."""
    return flatten(tree)[0]


def rebuild(tree: Tree, new_leaves: Iterable[Any]) -> Tree:
    """Return a tree shaped like ``tree`` with its leaves taken from ``new_leaves`` in order."""
    return flatten(tree)[1].filled(new_leaves)


def tree_map(function: Callable[[Any], Any], tree: Tree) -> Tree:
    """Return ``tree`` with ``function`` applied to each leaf: itself if that changes none."""
    before, structure = flatten(tree)
    after = [function(leaf) for leaf in before]
    return structure.filled(after) if any(x is not y for x, y in zip(after, before)) else tree


def matching_leaves(tree: Tree, like: Tree, what: str) -> list[Any]:
    """Return the leaves of ``tree`` in the order of ``like``; ValueError unless of equal shape.

    Dicts match by key. A list, a tuple and an array of equal lengths match.
    """
    found: list[Any] = []
    pairs = [(tree, like)]
    while pairs:
        x, y = pairs.pop()
        xs, ys = _nested(x), _nested(y)
        if xs is None and ys is None:
            found.append(x)
        elif (
            xs is None
            or ys is None
            or (xs.keyed, (x is None)) != (ys.keyed, (y is None))
            or xs.parts.keys() != ys.parts.keys()
        ):
            raise ValueError(f"{what} must be shaped like {shown(like)}, got {shown(tree)}")
        else:
            pairs += [(xs.parts[key], part) for key, part in reversed(ys.parts.items())]
    return found


def named_leaves(tree: Tree, name: str) -> list[tuple[str, Any]]:
    """Return the leaves of ``tree``, each with its path from ``name``: ``p['w'][1]``, ``p.x``."""
    found: list[tuple[str, Any]] = []
    stack = [(name, tree)]
    while stack:
        path, x = stack.pop()
        container = _nested(x)
        if container is None:
            found.append((path, x))
        else:
            stack += [
                (f"{path}.{key}" if container.kind == "." else f"{path}[{key!r}]", part)
                for key, part in reversed(container.parts.items())
            ]
    return found


def container_of(x: Any) -> Container | None:
    """Return ``x`` as a container of trees, or None if it is an array or a leaf."""
    kind = type(x)
    if _is_leaf(x):
        return None
    if kind is list or kind is tuple:
        return Container(dict(enumerate(x)), "[]", False, kind, kind)
    if x is None:
        return Container({}, "[]", False, lambda parts: None)
    if isinstance(x, Mapping):
        return Container(dict(x), "[]", True, lambda parts: _with_items(x, parts))
    if isinstance(x, tuple):  # named or not; tuple.__new__, for a __new__ may take what it likes
        return Container(dict(enumerate(x)), "[]", False, lambda parts: tuple.__new__(kind, parts))
    if dataclasses.is_dataclass(kind):
        fields = {field.name: getattr(x, field.name) for field in dataclasses.fields(x)}
        return Container(fields, ".", True, lambda parts: _with_fields(x, list(fields), parts))
    if not _is_sequence(x) or block_of(x) is not None:
        return None
    elements = list(x.tolist() if hasattr(x, "tolist") else x)  # another library's array has it
    return Container(
        dict(enumerate(elements)), "[]", False, lambda parts: _with_elements(x, elements, parts)
    )


def _is_leaf(x: Any) -> bool:
    """Return whether ``x`` is one of the most frequent leaves; not all of them."""
    return type(x) in _NUMBERS or isinstance(x, _LEAVES)


def _nested(x: Any) -> Container | None:
    """Return ``x`` as a container, an array as its nested list."""
    block = None if _is_leaf(x) else block_of(x)
    return container_of(x if block is None else block.nested())


def _is_sequence(x: Any) -> bool:
    """Return whether ``x`` has elements in order: a sequence, or the array of another library."""
    if getattr(x, "shape", None) == ():
        return False
    return isinstance(x, SequenceType) or (
        hasattr(x, "__len__") and hasattr(x, "__getitem__") and hasattr(x, "__iter__")
    )


def _with_items(x: Mapping[Any, Any], parts: list[Any]) -> Mapping[Any, Any]:
    if type(x) is dict or not isinstance(x, MutableMapping):
        return dict(zip(x, parts))
    twin = copy.copy(x)
    for key, part in zip(x, parts):
        twin[key] = part
    return twin


def _with_fields(x: Any, names: list[str], parts: list[Any]) -> Any:
    twin = copy.copy(x)
    for name, part in zip(names, parts):
        object.__setattr__(twin, name, part)  # a frozen one too
    return twin


def _with_elements(x: Any, elements: list[Any], parts: list[Any]) -> Any:
    if all(map(is_, elements, parts)):
        return x
    if not isinstance(x, MutableSequence):
        return parts
    twin = copy.copy(x)
    twin.clear()
    twin.extend(parts)
    return twin
