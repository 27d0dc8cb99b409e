"""The C module of the engine: there if it was built at installation, and not switched off.

``engine/value.py`` says what it does; without it, that runs as it is written. Set the variable
``MICROGRADIENT_PURE`` to 1 to do without.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any


def _loaded() -> tuple[Any, str]:
    """Return the module and its name for users, or None and why there is none."""
    if os.environ.get("MICROGRADIENT_PURE", "0") not in ("", "0"):
        return None, "pure Python engine (MICROGRADIENT_PURE is set)"
    try:
        built = import_module("microgradient.engine._node")
    except ModuleNotFoundError:
        return None, "pure Python engine (the native one was not built at installation)"
    except ImportError as fault:
        return None, f"pure Python engine (the native one cannot be loaded: {fault})"
    if built.in_use():  # its one type belongs to another import of the package
        return None, "pure Python engine (the native one serves another import or interpreter)"
    return built, "native engine"


node, description = _loaded()
