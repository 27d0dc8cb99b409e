"""Batches: the numbers of many examples, given as a list of trees or as an array."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from microgradient.compiler.program.errors import CompileError
from microgradient.engine.number import shown


class Batch(NamedTuple):
    """Examples as rows of numbers: a view of memory, or the array that was given."""

    rows: Any
    size: int
    is_array: bool

    def lists(self) -> Sequence[Sequence[float]]:
        """Return the numbers of each example."""
        return self.rows.tolist() if self.size else []


def rows_of(numbers: array[float], size: int) -> Any:
    """Return the numbers of ``size`` examples, one after the other, as rows."""
    if not size:
        return []
    return memoryview(numbers).cast("B").cast("d", (size, len(numbers) // size))


def is_array(x: Any) -> bool:
    if is_plain_array(x):  # nearly always; to ask for the interface takes 3 microseconds
        return True
    if type(x).__name__ == "MaskedArray":
        raise CompileError(
            "a masked array would lose its mask; give array.compressed() or filled()"
        )
    return hasattr(x, "__array_interface__") and hasattr(x, "ndim")


def is_plain_array(x: Any) -> bool:
    """Return whether ``x`` is NumPy's own array of real numbers, with a dimension or more."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and type(x) is numpy.ndarray and x.ndim > 0 and x.dtype.kind in "fiu"


def is_doubles(x: Any) -> bool:
    """Return whether ``x`` is NumPy's own array, and its memory doubles, row by row."""
    numpy = sys.modules.get("numpy")
    if numpy is None or type(x) is not numpy.ndarray or not x.ndim:
        return False
    kind, flags = x.dtype, x.flags
    return bool(kind.char == "d" and kind.isnative and flags.c_contiguous and flags.aligned)


def joined(batches: Sequence[Batch]) -> Batch | None:
    """Return several arguments' batches as one; CompileError unless they are of one size."""
    if len(batches) < 2:
        return batches[0] if batches else None
    sizes = {batch.size for batch in batches}
    if len(sizes) > 1:
        raise CompileError(
            f"all arguments of a batch must have equally many examples, got {sorted(sizes)}"
        )
    if all(batch.is_array for batch in batches):
        import numpy

        return Batch(numpy.column_stack([batch.rows for batch in batches]), sizes.pop(), True)
    size, numbers = sizes.pop(), array("d")
    for example in zip(*(batch.lists() for batch in batches)):
        for part in example:
            numbers.extend(part)
    return Batch(rows_of(numbers, size), size, any(batch.is_array for batch in batches))


def first_example(argument: Any, role: str) -> Any:
    """Return the first example of a batch: of an array, an array as the function would get it."""
    if is_array(argument):
        if argument.ndim < 1:
            raise CompileError(f"{role} must have a first axis to go along, got {shown(argument)}")
        if argument.shape[0] == 0:
            import numpy

            return numpy.zeros(argument.shape[1:])
        return argument[0]
    if not isinstance(argument, (list, tuple)):
        raise CompileError(f"{role} must be a NumPy array or a list, got {shown(argument)}")
    if not argument:
        raise CompileError(
            f"the first call fixes the shapes, and an empty list of {role} has none; "
            "give an array of shape (0, n), or call it with examples first"
        )
    return argument[0]


def batch_of(x: Any, name: str, width: int, add: Callable[[Any, array[float]], None]) -> Batch:
    """Return an argument as a batch; ``add`` appends the ``width`` numbers of one example."""
    if is_array(x):
        if x.dtype.kind not in "fiu":
            raise CompileError(f"{name} must be real numbers, got an array of {x.dtype}")
        return Batch(x.astype("float64", copy=False).reshape(x.shape[0], width), x.shape[0], True)
    numbers = array("d")
    for example in x:
        add(example, numbers)
    return Batch(rows_of(numbers, len(x)), len(x), False)
