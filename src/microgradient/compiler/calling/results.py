"""Results of a compiled function: flat outputs put back into the structure that f returns."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from microgradient.compiler.calling.batches import Batch
from microgradient.compiler.program.errors import refused
from microgradient.compiler.program.tracing import Condition, Trace
from microgradient.engine.services.blocks import Block, block_of
from microgradient.engine.services.trees import container_of
from microgradient.engine.sparse import Sparse
from microgradient.engine.symbol import Symbol
from microgradient.engine.value import Value

Build = Callable[[Sequence[Any]], Any]
"""Makes a result, or a part of it, of the outputs."""


class Results:
    """The structure of the outputs, and the slots of the numbers in it.

    ``counted`` says that there is a batch, or replicas; ``summed`` that results are summed over it.
    Then a number that does not depend on the arguments is summed like any other, and a condition
    becomes the number of examples for which it holds.
    """

    def __init__(self, trace: Trace, output: Any, counted: bool, summed: bool) -> None:
        self.slots: list[int] = []
        self._trace = trace
        self._numbers = (Symbol, Value, float, int) if counted else (Symbol, Value, float)
        self._truths, self._counted = not summed, counted
        self.one = self._part(output)
        del self._trace

    def each(self, outputs: Any, batch: Batch) -> Any:
        """Return one result for each example: a list, or arrays for arrays."""
        if not batch.is_array:
            return [self.one(list(numbers)) for numbers in outputs]
        import numpy

        table = numpy.asarray(outputs, dtype=float).reshape(batch.size, len(self.slots))
        return _stacked(self.one(list(table.T)))

    def _part(self, x: Any) -> Build:
        if x is None or isinstance(x, (str, bytes)):
            return lambda outputs: x
        if type(x) is Sparse:
            return self._sparse(x)
        block = block_of(x)
        if block is not None:
            if all(map(self._is_number, block.numbers)):
                return self._whole_array(block)
            return self._made(partial(_array, block), block.numbers)
        container = container_of(x)
        if container is not None:
            numbers = list(container.parts.values())
            if type(x) is list and all(map(self._is_number, numbers)):
                return self._list(numbers)
            return self._made(container.build, numbers)
        if isinstance(x, bool) and not self._truths:
            x = float(x)
        if isinstance(x, Condition):
            place = self._place(x.choose(1.0, 0.0))
            if self._truths:
                return lambda outputs: outputs[place] != 0
            return lambda outputs: outputs[place]
        if self._is_number(x):
            place = self._place(x)
            return lambda outputs: outputs[place]
        return lambda outputs: x

    def _sparse(self, x: Sparse) -> Build:
        first, last = self._places(x.entries)
        if self._counted:
            raise refused(
                "a sparse matrix for each example", "leave out sparse=True, or batch and replicas"
            )

        def build(outputs: Sequence[Any]) -> Any:
            import numpy

            return x.of_doubles(numpy.array(outputs[first:last], dtype=float))

        return build

    def _list(self, xs: list[Any]) -> Build:
        first, last = self._places(xs)

        def build(outputs: Sequence[Any]) -> list[Any]:
            numbers = outputs[first:last]
            return numbers.tolist() if type(numbers) is array else numbers  # type: ignore[return-value]

        return build

    def _whole_array(self, block: Block) -> Build:
        first, last = self._places(block.numbers)
        view = block.view(first, last)

        def build(outputs: Sequence[Any]) -> Any:
            if type(outputs) is array:
                return view(outputs)
            return _array(block, outputs[first:last])

        return build

    def _made(self, build: Callable[[list[Any]], Any], xs: list[Any]) -> Build:
        parts = [self._part(x) for x in xs]
        if len(parts) == 2:  # a value and a gradient: without a loop, half the time
            one, two = parts
            return lambda outputs: build([one(outputs), two(outputs)])
        return lambda outputs: build([part(outputs) for part in parts])

    def _is_number(self, x: Any) -> bool:
        return isinstance(x, self._numbers) and not isinstance(x, bool)

    def _place(self, x: Any) -> int:
        self.slots.append(self._trace.slot(x))
        return len(self.slots) - 1

    def _places(self, xs: Sequence[Any]) -> tuple[int, int]:
        """Place numbers one after the other; return the first place and the one behind the last."""
        first = len(self.slots)
        known: dict[int, int] = {}  # by identity: most of a sparse matrix is one and the same 0.0
        for x in xs:
            slot = known.get(id(x))
            if slot is None:
                slot = known[id(x)] = self._trace.slot(x)
            self.slots.append(slot)
        return first, len(self.slots)


def _array(block: Block, numbers: Sequence[Any]) -> Any:
    """Return an array of these numbers, or of columns of them, along the batch first."""
    if not any(getattr(x, "shape", ()) for x in numbers):
        return block.build(numbers)
    import numpy

    columns = numpy.broadcast_arrays(*numbers)
    return numpy.stack(columns, axis=1).reshape(-1, *block.shape)


def _stacked(tree: Any) -> Any:
    """Return ``tree`` with lists of arrays of one shape as arrays, along the batch first."""
    container = container_of(tree)
    if container is None:
        return tree
    parts = [_stacked(child) for child in container.parts.values()]
    if type(tree) is not list:
        return container.build(parts)
    import numpy

    shapes = {part.shape if isinstance(part, numpy.ndarray) else None for part in parts}
    return numpy.stack(parts, axis=1) if len(shapes) == 1 and None not in shapes else parts
