"""Find the first node that went wrong: its operation, operands, label and line of user code."""

from __future__ import annotations

import linecache
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from math import isfinite
from pathlib import Path
from typing import Any

watching = 0  # how many detect_anomaly() blocks are open, in all threads: the cheap first question
_lines: ContextVar[dict[Any, str] | None] = ContextVar("lines", default=None)
_PACKAGE = str(Path(__file__).parents[1])


@contextmanager
def detect_anomaly() -> Iterator[None]:
    """Raise FloatingPointError at the first result or gradient that is nan or infinite.

    The message names the operation, its operands with their labels, and the line of user code that
    made the node; for a gradient, the line recorded in the same block. Other threads are not
    watched. Costs several times the normal time of an operation: for finding a fault, not for
    training.
    """
    global watching
    token = _lines.set({})
    watching += 1
    try:
        yield
    finally:
        watching -= 1
        _lines.reset(token)


def check_node(node: Any) -> None:
    """Remember the line that made ``node``; raise if its number is not finite."""
    lines = _lines.get()
    if lines is not None:
        lines[node] = _user_line()
        if not isfinite(node.data):
            raise FloatingPointError(f"{describe(node)} gave {node.data}, at {lines[node]}")


def check_sweep(order: Sequence[Any], adjoint: Mapping[Any, Any]) -> None:
    """Raise if a finite adjoint became nan or infinite on its way through a node."""
    lines = _lines.get()
    if lines is None:
        return
    for node in reversed(order):
        if node not in adjoint or not isfinite(_number(adjoint[node])):
            continue
        for parent, partial in zip(node.parents, node.partials):
            if parent in adjoint and not isfinite(_number(adjoint[node]) * partial):
                raise FloatingPointError(
                    f"the gradient went wrong in {describe(node)}: adjoint "
                    f"{_number(adjoint[node])!r} times local derivative {partial!r}, "
                    f"at {lines.get(node, 'a line outside the detect_anomaly() block')}"
                )


def describe(node: Any, limit: int = 6) -> str:
    """Return ``label = op(operands)`` with at most ``limit`` operands, those not finite first."""
    operands = sorted(node.parents, key=lambda p: isfinite(p.data))[:limit]
    if len(node.parents) <= limit:
        operands = node.parents
    shown = [f"{p.label} = {p.data!r}" if p.label else repr(p.data) for p in operands]
    if len(node.parents) > limit:
        shown.append(f"… {len(node.parents) - limit} more")
    label = f"{node.label} = " if node.label else ""
    return f"{label}{node.op.name}({', '.join(shown)})"


def _number(x: Any) -> float:
    return x if type(x) is float else float(getattr(x, "data", x))


def _user_line() -> str:
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    name, number = frame.f_code.co_filename, frame.f_lineno
    source = linecache.getline(name, number).strip()
    return f"{name}:{number}" + (f": {source}" if source else "")
