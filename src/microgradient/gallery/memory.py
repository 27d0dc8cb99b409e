"""The memory that a call holds: what a method keeps for its gradient."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable


def peak(f: Callable[..., object], *args: object) -> int:
    """Return the most bytes that ``f(*args)`` holds at once."""
    tracemalloc.start()
    f(*args)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most
