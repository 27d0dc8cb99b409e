"""Python's garbage collector, paused where graphs are built: they have no cycles to be found."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause the garbage collector in this block.

    It looks for cycles among the objects that were made, the more often the more there are, and in
    a graph finds none. (Nodes in C are not shown to it at all.)
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
