"""Arrays of doubles aligned to cache lines."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterable, Sequence
from typing import Any

_MOST_KEPT = 1 << 17  # numbers of a batch: a larger one's memory is freed after the call
_LINE = 64  # bytes of a cache line: a vector should not lie across two of them


def doubles(count: int, numbers: Iterable[float] | None = None) -> Any:
    """Return an array of ``count`` doubles, 0 or ``numbers``, that begins a cache line."""
    raw = (ctypes.c_double * (count + _LINE // 8))()
    aligned = (ctypes.c_double * count).from_buffer(raw, -ctypes.addressof(raw) % _LINE)
    if numbers is not None:
        aligned[:] = list(numbers)
    return aligned


class Columns:
    """Room for a batch turned: one column after the other, each padded to ``stride`` numbers."""

    def __init__(self, count: int, stride: int) -> None:
        self.stride = stride
        self.memory = doubles(count * stride + 8)  # a batch may begin anywhere, in whole vectors
        self.address = ctypes.addressof(self.memory)
        self._table: Any = None
        numpy = sys.modules.get("numpy")  # not imported for lists: that takes 0.15 s
        if numpy is not None:
            self._table = numpy.frombuffer(self.memory)[: count * stride].reshape(count, stride)

    def fill(self, batch: Any) -> None:
        """Take the numbers of ``batch``: rows in a list, an array or a view."""
        n, stride, table = len(batch), self.stride, self._table
        if table is None or isinstance(batch, list):
            rows = batch if isinstance(batch, list) else batch.tolist()
            for k, column in enumerate(zip(*rows)):
                self.memory[k * stride : k * stride + n] = column
        elif n == stride:
            table.T[:] = batch
        else:
            table[:, n:] = 0.0  # there may be another batch's
            table.T[:n] = batch


def columns_of(batch: Any, count: int, stride: int) -> Any:
    """Return a batch turned: one column after the other, each padded to ``stride`` numbers."""
    columns = Columns(count, stride)
    columns.fill(batch)
    return columns.memory


class Memory:
    """Memory that a call works in, uniform and varying, and room for its batch."""

    def __init__(self, uniform: int, varying: int) -> None:
        self._held = doubles(uniform), doubles(varying)
        self.uniform, self.varying = map(ctypes.addressof, self._held)
        self._columns: Columns | None = None

    def columns(self, batch: Any, count: int, stride: int) -> Any:
        """Return ``batch`` turned, until the next one is."""
        if count * stride > _MOST_KEPT:
            return columns_of(batch, count, stride)
        if self._columns is None or self._columns.stride != stride:
            self._columns = Columns(count, stride)
        self._columns.fill(batch)
        return self._columns.address


class Memories:
    """Memories that wait for the next call.

    A call takes one and puts it back, so no two calls share one: neither those of several threads,
    nor one that a signal handler makes during another. What a failing call took is freed.
    """

    def __init__(self, uniform: int, varying: int) -> None:
        self._sizes = uniform, varying
        self._waiting: list[Memory] = []
        self.put_back = self._waiting.append

    def taken(self) -> Memory:
        try:
            return self._waiting.pop()
        except IndexError:  # nearly never; to ask first would not be safe with threads
            return Memory(*self._sizes)


def padded(count: int, lanes: int) -> int:
    """Return ``count`` rounded up to whole vectors."""
    return -(-count // lanes) * lanes


def whole_numbers(numbers: Sequence[int]) -> Any:
    """Return an array of i64."""
    return (ctypes.c_int64 * len(numbers))(*numbers)
