"""Doubles side by side in memory, beginning where a vector register likes to load them."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from typing import Any

_LINE = 64  # bytes of a cache line: a vector across two of them takes twice as long to load


def doubles(count: int, numbers: Iterable[float] | None = None) -> Any:
    """Return an array of ``count`` doubles, 0 or ``numbers``, that begins a cache line."""
    raw = (ctypes.c_double * (count + _LINE // 8))()
    array = (ctypes.c_double * count).from_buffer(raw, -ctypes.addressof(raw) % _LINE)
    if numbers is not None:
        array[:] = list(numbers)
    return array


def padded(count: int, lanes: int) -> int:
    """Return ``count`` rounded up to whole vectors."""
    return -(-count // lanes) * lanes
