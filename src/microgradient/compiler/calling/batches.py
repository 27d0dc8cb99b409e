"""Rows of numbers: lists of trees, or arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from microgradient.compiler.program.errors import CompileError
from microgradient.engine.number import as_floats, shown


@dataclass(frozen=True)
class Table:
    """Rows of numbers: a list of tuples, or a two-dimensional array if an array was given."""

    table: Any
    count: int
    is_array: bool


def is_array(x: Any) -> bool:
    if type(x).__name__ == "MaskedArray":
        raise CompileError(
            "a masked array would lose its mask; give array.compressed() or filled()"
        )
    return hasattr(x, "__array_interface__") and hasattr(x, "ndim")


def listed(tree: Any) -> Any:
    """Return ``tree`` with its arrays as lists."""
    if isinstance(tree, dict):
        return {key: listed(child) for key, child in tree.items()}
    if type(tree) in (list, tuple):
        return type(tree)(map(listed, tree))
    return tree.tolist() if is_array(tree) else tree


def _shape(tree: Any) -> tuple[int, ...]:
    """Return the shape of an array with these numbers; of a ragged tree, one that no array has."""
    if not isinstance(tree, (list, tuple)):
        return ()
    shapes = {_shape(child) for child in tree}
    return (len(tree), *(shapes.pop() if len(shapes) == 1 else (-1,) * len(shapes)))


def joined(tables: list[Table]) -> Table | None:
    """Return several tables side by side."""
    if len(tables) < 2:
        return tables[0] if tables else None
    counts = {table.count for table in tables}
    if len(counts) > 1:
        raise CompileError(f"rows must be equally many in each argument, got {sorted(counts)}")
    if all(t.is_array for t in tables):
        import numpy

        return Table(numpy.column_stack([t.table for t in tables]), counts.pop(), True)
    lists = [t.table.tolist() if t.is_array else t.table for t in tables]
    rows = [tuple(x for part in parts for x in part) for parts in zip(*lists)]
    return Table(rows, counts.pop(), any(t.is_array for t in tables))


def _zeros(shape: Sequence[int]) -> Any:
    return [_zeros(shape[1:]) for _ in range(shape[0])] if shape else 0.0


def first_row(argument: Any, role: str) -> Any:
    if is_array(argument):
        if argument.ndim < 1:
            raise CompileError(f"{role} must have a first axis to go along, got {shown(argument)}")
        if argument.shape[0] == 0:
            return _zeros(argument.shape[1:])
        return argument[0].tolist()
    if not isinstance(argument, (list, tuple)):
        raise CompileError(f"{role} must be a NumPy array or a list, got {shown(argument)}")
    if not argument:
        raise CompileError(
            f"the first call fixes the shapes, and there is no first of {role} in an empty list; "
            "give an array of shape (0, n), or call it with rows first"
        )
    return argument[0]


def table_of(x: Any, like: Any, width: int, numbers: Callable[[Any], Sequence[float]]) -> Table:
    """Return rows as a table; CompileError unless each has the shape of ``like``.

    ``numbers`` gives the ``width`` numbers of one row.
    """
    if is_array(x):
        expected = _shape(like)
        if tuple(x.shape[1:]) != expected or math.prod(expected) != width:
            raise CompileError(
                f"compiled for rows of shape {expected} here, got an "
                f"array of shape {tuple(x.shape)}; compile the function again for it"
            )
        if x.dtype.kind not in "fiu":
            raise CompileError(f"rows must be real numbers, got an array of {x.dtype}")
        return Table(x.astype("float64", copy=False).reshape(x.shape[0], width), x.shape[0], True)
    if not isinstance(x, (list, tuple)):
        raise CompileError(f"expected a NumPy array or a list of rows, got {shown(x)}")
    rows = [tuple(as_floats(numbers(row))) for row in x]
    return Table(rows, len(rows), False)
