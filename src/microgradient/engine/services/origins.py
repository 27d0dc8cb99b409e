"""How derivatives were made, so that compiled ones pickle.

A derivative is a function within a function. Pickle knows functions by name only, and finds the
differentiated one under that of its derivative.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FunctionType
from typing import Any
from weakref import ref

Function = Callable[..., Any]


def made_by(transform: Function, f: Function, *settings: Any) -> Callable[[Function], Function]:
    """Return a decorator for what ``transform(f, *settings)`` returns, which notes that."""

    def note(derivative: Function) -> Function:
        origin = ref(derivative), _Recipe(transform, f, settings)
        derivative._made_by = origin  # type: ignore[attr-defined]
        return derivative

    return note


def picklable(f: Function) -> Any:
    """Return what pickles as ``f``: a recipe for a derivative that has no name, else ``f``."""
    origin = f.__dict__.get("_made_by") if isinstance(f, FunctionType) else None
    if origin is None or origin[0]() is not f or named(f) is f:  # functools.wraps copies attributes
        return f
    return origin[1]


def named(f: Function) -> Any:
    """Return what has the name of ``f`` in its module, or None."""
    found: Any = sys.modules.get(getattr(f, "__module__", None) or "")
    for part in getattr(f, "__qualname__", "").split("."):
        found = getattr(found, part, None)
    return found


class _Recipe:
    """Pickles as the derivative that it makes."""

    def __init__(self, transform: Function, f: Function, settings: tuple[Any, ...]) -> None:
        self._transform, self._f, self._settings = transform, f, settings

    def __reduce__(self) -> Any:
        return self._transform, (picklable(self._f), *self._settings)
