"""The functions of this package in the place of Python's ``math``."""

from __future__ import annotations

import math
from typing import Any

from microgradient.engine.op import OPS

_CONSTANTS = ("pi", "e", "tau", "inf", "nan")
_OTHER_NAMES = {"fabs": "abs"}


class Functions:
    """``sin``, ``exp``, ``pi`` and so on, for numbers and Values alike."""

    def __getattr__(self, name: str) -> Any:
        if name in _CONSTANTS:
            return getattr(math, name)
        op = OPS.get(_OTHER_NAMES.get(name, name))
        if op is None:
            raise AttributeError(
                f"no operation of microgradient is named {name!r}; it has {', '.join(sorted(OPS))}"
            )
        return op


FUNCTIONS = Functions()
