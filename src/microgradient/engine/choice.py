"""What rows need besides the table: to choose, to compare, and to stop a derivative."""

from __future__ import annotations

from typing import Any, Final, SupportsFloat, TypeVar, overload

from microgradient.engine import ops
from microgradient.engine.arithmetic import Arithmetic
from microgradient.engine.number import as_float, shown
from microgradient.engine.op import Operand
from microgradient.engine.ops import OPS
from microgradient.engine.services.trees import tree_map
from microgradient.engine.symbol import Symbol, Undecided
from microgradient.engine.value import Value, constant

T = TypeVar("T", bound=Operand)


@overload
def where(condition: bool, x: T, y: T | float) -> T: ...
@overload
def where(condition: bool, x: float, y: T) -> T: ...
@overload
def where(condition: bool, x: float, y: float) -> float: ...
@overload
def where(condition: bool | Undecided, x: Any, y: Any) -> Any: ...
def where(condition: bool | Undecided, x: Any, y: Any) -> Any:
    """Return ``x`` if ``condition`` holds, else ``y``; a Value if either is one.

    Only the branch taken is recorded, so the other one cannot put a nan into the gradient.
    Raises TypeError for a condition that is not a bool (compare: ``where(v > 0, …)``).
    """
    if isinstance(condition, Undecided):
        return condition.choose(x, y)
    if type(condition).__name__ not in ("bool", "bool_"):  # NumPy's too
        hint = "where(v > 0, …)"
        if type(condition) is int and condition in (~True, ~False):
            hint = "condition == False instead of ~condition, which is a whole number for a bool"
        raise TypeError(f"where expects a bool, got {shown(condition)}; write a comparison: {hint}")
    branch = x if condition else y
    if isinstance(branch, Symbol):
        return branch.record(ops.taken, (branch,))
    if type(x) is Value or type(y) is Value:
        branch = branch if type(branch) is Value else constant(branch)
        return branch.record(ops.taken, (branch,))
    return as_float(branch)


@overload
def detach(x: Symbol) -> Any: ...
@overload
def detach(x: SupportsFloat) -> float: ...
@overload
def detach(x: Any) -> Any: ...
def detach(x: Any) -> Any:
    """Return the number of ``x`` as a constant: no derivative passes through it.

    Of a tree it returns the tree of its numbers. ``stop_gradient`` is JAX's name for it.
    """
    if type(x) is Value:
        return x.data
    if type(x) is float or type(x) is int:
        return as_float(x)
    return x.detached() if isinstance(x, Symbol) else tree_map(_detached, x)


stop_gradient = detach


def _detached(x: Any) -> Any:
    return detach(x) if isinstance(x, Operand) else as_float(x)


def equal(x: Any, y: Any) -> Any:
    """Return whether two numbers are equal: a bool, or a condition for symbols."""
    symbol = next((z for z in (x, y) if isinstance(z, Symbol)), None)
    if symbol is not None:
        return symbol.equal(x, y)
    return detach(x) == detach(y)


GRAPH: Final = Arithmetic({**OPS, "where": where, "detach": detach, "equal": equal})
"""The arithmetic of Values: its functions are the rows of the table."""
