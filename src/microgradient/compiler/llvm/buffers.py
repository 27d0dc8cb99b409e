"""Arrays of doubles aligned to cache lines."""

from __future__ import annotations

import ctypes
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


def columns_of(batch: Any, count: int, stride: int) -> Any:
    """Return a batch turned: one column after the other, each padded to ``stride`` numbers."""
    columns = doubles(count * stride + 8)  # a batch may begin anywhere, and loads whole vectors
    if not isinstance(batch, list):
        try:
            import numpy
        except ImportError:
            batch = batch.tolist()
        else:
            table = numpy.frombuffer(columns)[: count * stride].reshape(count, stride)
            table[:, : len(batch)] = numpy.asarray(batch).T
            return columns
    for k, column in enumerate(zip(*batch)):
        columns[k * stride : k * stride + len(batch)] = column
    return columns


def padded(count: int, lanes: int) -> int:
    """Return ``count`` rounded up to whole vectors."""
    return -(-count // lanes) * lanes


def whole_numbers(numbers: Sequence[int]) -> Any:
    """Return an array of i64."""
    return (ctypes.c_int64 * len(numbers))(*numbers)
