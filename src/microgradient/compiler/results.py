"""Results of a compiled function: flat outputs put back into the structure that f returns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from microgradient.compiler.arguments import Table
from microgradient.compiler.tracing import Condition, Trace
from microgradient.engine.op import Symbol
from microgradient.engine.trees import leaves, rebuild
from microgradient.engine.value import Value


class Results:
    """The structure of the outputs, and the slots of the numbers in it.

    ``rows`` is "summed", "each", or "" where there are none. Of rows, a number that does not depend
    on the arguments is summed like any other, and of a condition it is counted how often it holds.
    """

    def __init__(self, trace: Trace, output: Any, rows: str) -> None:
        self._tree = output
        self._leaves = leaves(output)
        kinds = (Symbol, Condition, Value, *((int, float) if rows else ()))
        self._computed = [isinstance(x, kinds) and not isinstance(x, bool) for x in self._leaves]
        self._truths = [isinstance(x, Condition) and rows != "summed" for x in self._leaves]
        self.slots = [
            trace.slot(x.choose(1.0, 0.0) if isinstance(x, Condition) else x)
            for x, computed in zip(self._leaves, self._computed)
            if computed
        ]
        self._leaves = [None if c else x for x, c in zip(self._leaves, self._computed)]
        self._tree = rebuild(output, iter(self._leaves))
        self._flat_list = type(output) is list and all(self._computed) and not any(self._truths)
        self._flat_list = self._flat_list and not any(
            isinstance(x, (list, tuple, dict)) for x in output
        )

    def one(self, outputs: Sequence[float]) -> Any:
        """Return the result that ``outputs`` are the numbers of."""
        return list(outputs) if self._flat_list else rebuild(self._tree, self._filled(outputs))

    def each(self, outputs: Any, rows: Table) -> Any:
        """Return one result for each row: a list, or arrays for arrays."""
        if not rows.is_array:
            return [self.one(numbers) for numbers in outputs]
        import numpy

        table = numpy.asarray(outputs, dtype=float).reshape(rows.count, len(self.slots))
        columns: Any = table.T
        return _stacked(rebuild(self._tree, self._filled(columns, rows.count)))

    def _filled(self, outputs: Sequence[Any], count: int | None = None) -> Iterator[Any]:
        numbers = iter(outputs)
        for leaf, computed, truth in zip(self._leaves, self._computed, self._truths):
            if not computed:
                yield leaf
            elif truth:
                x = next(numbers)
                yield bool(x) if count is None else x != 0
            else:
                yield next(numbers)


def _stacked(tree: Any) -> Any:
    """Return ``tree`` with lists of arrays of one shape as arrays: rows first, then the list."""
    if isinstance(tree, dict):
        return {key: _stacked(child) for key, child in tree.items()}
    if isinstance(tree, tuple):
        parts = [_stacked(child) for child in tree]
        return type(tree)(*parts) if hasattr(tree, "_fields") else tuple(parts)
    if not isinstance(tree, list):
        return tree
    import numpy

    parts = [_stacked(child) for child in tree]
    shapes = {part.shape if isinstance(part, numpy.ndarray) else None for part in parts}
    return numpy.stack(parts, axis=1) if len(shapes) == 1 and None not in shapes else parts
