"""Arrays of doubles aligned to cache lines."""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Iterable, Sequence
from typing import Any

_LINE = 64  # bytes of a cache line: a vector should not lie across two of them


def doubles(count: int, numbers: Iterable[float] | None = None) -> Any:
    """Return an array of ``count`` doubles, 0 or ``numbers``, that begins a cache line."""
    raw = (ctypes.c_double * (count + _LINE // 8))()
    aligned = (ctypes.c_double * count).from_buffer(raw, -ctypes.addressof(raw) % _LINE)
    if numbers is not None:
        aligned[:] = list(numbers)
    return aligned


def given_doubles(numbers: Sequence[float]) -> Any:
    """Return ``numbers`` as an array of doubles: by way of ``array``, seven times as fast."""
    return (ctypes.c_double * len(numbers)).from_buffer(array("d", numbers))


def as_list(memory: Any) -> list[float]:
    """Return an array of doubles as a list."""
    numbers: list[Any] = memoryview(memory).cast("B").cast("d").tolist()
    return numbers


def columns_of(batch: Any, count: int, stride: int) -> Any:
    """Return a batch turned: one column after the other, each padded to ``stride`` numbers."""
    columns = doubles(count * stride + 8)  # a batch may begin anywhere, and loads whole vectors
    if isinstance(batch, list):
        for k, column in enumerate(zip(*batch)):
            columns[k * stride : k * stride + len(batch)] = column
    elif len(batch):
        import numpy

        table = numpy.frombuffer(columns)[: count * stride].reshape(count, stride)
        table[:, : len(batch)] = batch.T
    return columns


def padded(count: int, lanes: int) -> int:
    """Return ``count`` rounded up to whole vectors."""
    return -(-count // lanes) * lanes
