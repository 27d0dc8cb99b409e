"""Batches: the numbers of many examples, given as a list of trees or as an array."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from microgradient.compiler.program.errors import CompileError
from microgradient.engine.number import as_floats, shown


@dataclass(frozen=True)
class Batch:
    """Examples as flat numbers: a list of tuples, or a two-dimensional array if that was given."""

    numbers: Any
    size: int
    is_array: bool

    def lists(self) -> Sequence[Sequence[float]]:
        """Return the numbers of each example."""
        return self.numbers.tolist() if self.is_array else self.numbers  # type: ignore[no-any-return]


def is_array(x: Any) -> bool:
    if type(x).__name__ == "MaskedArray":
        raise CompileError(
            "a masked array would lose its mask; give array.compressed() or filled()"
        )
    return hasattr(x, "__array_interface__") and hasattr(x, "ndim")


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

        return Batch(numpy.column_stack([batch.numbers for batch in batches]), sizes.pop(), True)
    parts = zip(*(batch.lists() for batch in batches))
    examples = [tuple(x for part in example for x in part) for example in parts]
    return Batch(examples, sizes.pop(), any(batch.is_array for batch in batches))


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


def batch_of(x: Any, name: str, width: int, numbers: Callable[[Any], Sequence[float]]) -> Batch:
    """Return an argument as a batch; ``numbers`` gives the ``width`` numbers of one example."""
    if is_array(x):
        if x.dtype.kind not in "fiu":
            raise CompileError(f"{name} must be real numbers, got an array of {x.dtype}")
        return Batch(x.astype("float64", copy=False).reshape(x.shape[0], width), x.shape[0], True)
    examples = [tuple(as_floats(numbers(example))) for example in x]
    return Batch(examples, len(examples), False)
