"""This package's functions as a namespace, in place of Python's ``math``."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

from microgradient.engine.number import shown
from microgradient.engine.ops import OPS

_CONSTANTS = ("pi", "e", "tau", "inf", "nan")
_OTHER_NAMES = {"fabs": "abs"}


class Functions:
    """``sin``, ``exp``, ``pi`` and so on, for numbers and Values."""

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


def check_namespace(f: Callable[..., Any], namespace: object) -> None:
    """Raise TypeError unless ``namespace`` is a keyword parameter of ``f``."""
    try:
        names = list(inspect.signature(f).parameters)
    except (TypeError, ValueError):
        return
    if namespace not in names[1:]:
        raise TypeError(
            "namespace must name the keyword parameter through which f receives its functions, as "
            f"in def f(x, math=math); got {shown(namespace)}, but f has {', '.join(names)}"
        )
