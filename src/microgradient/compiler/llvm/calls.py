"""Calls of machine code, whose arguments are pointers and whole numbers."""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import Any

from microgradient.engine import native

_COUNT = 8  # arguments that the function in C passes


def function_at(address: int, types: Sequence[str]) -> Callable[..., None]:
    """Return the function at ``address`` for Python to call; its parameters are ptr or i64.

    A pointer is given as an address, as None, or as contiguous memory: bytes, an array of the
    standard library or of NumPy, a ctypes array. Other threads run during a call.
    """
    if _call is not None and len(types) == _COUNT:
        return partial(_call, address)
    kinds = [ctypes.c_void_p if kind == "ptr" else ctypes.c_int64 for kind in types]
    function = ctypes.CFUNCTYPE(None, *kinds)(address)

    def call(*arguments: Any) -> None:
        function(*[x if x is None or type(x) is int else _pointer(x) for x in arguments])

    return call


def _pointer(x: Any) -> Any:
    """Return memory as ctypes takes it."""
    if type(x) is array:
        return x.buffer_info()[0]
    return x if isinstance(x, (bytes, ctypes.Array)) else x.ctypes.data


def _loaded() -> Any:
    """Return the function in C (_call.c); None if it was not built or is not wanted."""
    if native.node is None:
        return None
    try:
        return import_module("microgradient.compiler.llvm._call").call
    except ImportError:
        return None


_call = _loaded()
