"""Blocks: arrays as numbers in rows; NumPy's, pandas' and ``array.array``, none imported here.

An array of a library exists only if that library is loaded, so it is looked up in ``sys.modules``.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractContextManager, nullcontext
from math import prod
from typing import Any, NamedTuple

from microgradient.engine.op import Operand

_REAL = {float, int}


class Block(NamedTuple):
    """An array: its numbers row by row, its shape, and how to make one of its kind of others.

    ``labels`` are those of its axes and its name, by which a function may index it.

    ``build`` makes an array of floats for numbers, and of objects for Values and symbols: what a
    function that is being differentiated indexes, slices and computes with.
    """

    source: Any
    numbers: list[Any]
    shape: tuple[int, ...]
    build: Callable[[Sequence[Any]], Any]
    labels: tuple[Hashable, ...] = ()

    def view(self, first: int, last: int) -> Callable[[array[float]], Any]:
        """Return a function that makes an array of this kind of some of an array's numbers.

        It may lie in the memory of the array that is given.
        """
        if isinstance(self.source, array):
            return lambda doubles: doubles[first:last]
        numpy = _loaded("numpy")
        if first == last or not (self.shape and isinstance(self.source, numpy.ndarray)):
            return lambda doubles: self.build(doubles[first:last].tolist())
        of_memory, kind, start, shape = numpy.frombuffer, numpy.dtype("d"), 8 * first, self.shape
        if len(shape) == 1:
            return lambda doubles: of_memory(doubles, kind, last - first, start)
        return lambda doubles: of_memory(doubles, kind, last - first, start).reshape(shape)

    def nested(self) -> Any:
        """Return the numbers as nested lists."""
        numbers = self.numbers
        for i in range(len(self.shape) - 1, 0, -1):
            n, rows = self.shape[i], prod(self.shape[:i])
            numbers = [numbers[k * n : (k + 1) * n] for k in range(rows)]
        return numbers if self.shape else numbers[0]


def block_of(x: Any) -> Block | None:
    """Return ``x`` as a block, or None if it is no array, as a 0-d array of numbers is not.

    Raises TypeError for a masked array.
    """
    if isinstance(x, array):
        return Block(x, x.tolist(), (len(x),), _vector)
    numpy, pandas = _loaded("numpy"), _loaded("pandas")
    if numpy is not None and isinstance(x, numpy.ndarray):
        if isinstance(x, numpy.ma.MaskedArray):
            raise TypeError(
                "a masked array would lose its mask; give array.compressed() or filled()"
            )
        if x.shape == () and x.dtype.kind != "O":
            return None
        return Block(x, x.ravel().tolist(), x.shape, lambda numbers: shaped(numbers, x.shape))
    if pandas is None or not isinstance(x, (pandas.Series, pandas.DataFrame)):
        return None
    labels = {"name": x.name} if isinstance(x, pandas.Series) else {"columns": x.columns}

    def build(numbers: Sequence[Any]) -> Any:
        return type(x)(shaped(numbers, x.shape), index=x.index, **labels)

    axes = tuple([tuple(axis) for axis in x.axes])
    return Block(x, x.to_numpy().ravel().tolist(), x.shape, build, (*axes, labels.get("name")))


def shaped(numbers: Sequence[Any], shape: tuple[int, ...]) -> Any:
    """Return a NumPy array of ``numbers``, row by row: of objects if Values are among them.

    Without dimensions it is the one number itself.
    """
    import numpy

    if not shape:
        return numbers[0]
    if any(isinstance(x, Operand) for x in numbers):
        return numpy.fromiter(numbers, dtype=object, count=len(numbers)).reshape(shape)
    real = set(map(type, numbers)) <= _REAL
    return numpy.array(numbers, dtype=float if real else None).reshape(shape)


def outer(y: Block, x: Block, numbers: Sequence[Any]) -> Any:
    """Return ``numbers``, the derivatives of those of ``y`` by those of ``x``, as one array.

    It is a list of arrays for two arrays of the standard library, a DataFrame for two Series, else
    a NumPy array that has the shape of ``y`` and then that of ``x``.
    """
    if isinstance(y.source, array) and isinstance(x.source, array):
        n = len(x.numbers)
        return [x.build(numbers[i * n : (i + 1) * n]) for i in range(len(y.numbers))]
    table = shaped(numbers, (*y.shape, *x.shape))
    pandas = _loaded("pandas")
    if pandas is not None and all(isinstance(b.source, pandas.Series) for b in (y, x)):
        return pandas.DataFrame(table, index=y.source.index, columns=x.source.index)
    return table


def quiet() -> AbstractContextManager[Any]:
    """Return a block in which NumPy does not warn of what operations on its objects did."""
    numpy = _loaded("numpy")
    return nullcontext() if numpy is None else numpy.errstate(all="ignore")


def _vector(numbers: Sequence[Any]) -> Any:
    return array("d", numbers) if set(map(type, numbers)) <= _REAL else list(numbers)


def _loaded(library: str) -> Any:
    return sys.modules.get(library)
