"""The garbage collector, paused while many objects without cycles are made."""

from __future__ import annotations

import gc
from contextlib import AbstractContextManager, nullcontext
from threading import RLock

from microgradient.engine import native


class _Pause:
    """A block without the garbage collector; blocks nest, also those of different threads.

    It looks for cycles among the objects that were made, the more often the more there are, and in
    a graph finds none. The last block to end switches it on again, if the first found it on.
    """

    def __init__(self) -> None:
        self._lock = RLock()  # a signal handler may differentiate too
        self._open, self._enabled = 0, False

    def __enter__(self) -> None:
        with self._lock:
            if self._open == 0:
                self._enabled = gc.isenabled()
                gc.disable()
            self._open += 1

    def __exit__(self, *fault: object) -> None:
        with self._lock:
            self._open -= 1
            if self._open == 0 and self._enabled:
                gc.enable()


collector_paused = _Pause()
paused_for_values: AbstractContextManager[None] = (
    collector_paused if native.node is None else nullcontext()
)  # Values in C are not shown to the collector
