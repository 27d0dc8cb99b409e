"""The garbage collector, off while many objects without cycles are made."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any, TypeVar

from microgradient.engine import native

T = TypeVar("T")


def without_collector(function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
    """Return ``function(*args, **kwargs)``, called with the garbage collector off.

    It looks for cycles among the objects that are made, the more often the more there are, and in
    a graph finds none. Calls may nest, also those of different threads: who switches it off will
    switch it on, maybe before the others have ended, which costs time alone. Why no context manager
    that counts? Ctrl-C may come as Python enters ``__exit__``, and the collector would stay off.
    """
    enabled = gc.isenabled()
    try:
        if enabled:
            gc.disable()
        return function(*args, **kwargs)
    finally:
        if enabled:
            gc.enable()


def _called(function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
    return function(*args, **kwargs)


making_values = without_collector if native.node is None else _called
"""Call a function that makes Values: those in C are not shown to the collector."""
