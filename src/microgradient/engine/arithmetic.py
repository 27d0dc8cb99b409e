"""An arithmetic: the numbers that a row of the table is evaluated in, and their functions.

In floats a row gives a float; in graphs, a Value that can be differentiated again. Checks evaluate
the same rows in 50 digits, Fractions and Taylor series; the docs, in text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, Protocol, Self, TypeVar

from microgradient.engine import floats


class Number(Protocol):
    """What rows compute with: a float, a Value, an mpmath number, a formula, …"""

    def __neg__(self) -> Self: ...
    def __add__(self, other: Self | float, /) -> Self: ...
    def __radd__(self, other: float, /) -> Self: ...
    def __sub__(self, other: Self | float, /) -> Self: ...
    def __rsub__(self, other: float, /) -> Self: ...
    def __mul__(self, other: Self | float, /) -> Self: ...
    def __rmul__(self, other: float, /) -> Self: ...
    def __lt__(self, other: Self | float, /) -> Any: ...
    def __gt__(self, other: Self | float, /) -> Any: ...


X = TypeVar("X", bound=Number)

FORMULAS: dict[str, Callable[..., Any]] = {}
"""The formulas of the table, by name, for arithmetics without a function of their own.

Filled by ``engine/ops.py``.
"""


class Arithmetic(Generic[X]):
    """The vocabulary in which a row is written: ``m.exp(x)``, ``m.where(condition, x, y)``, …

    ``native`` gives some functions directly. Every other row of the table is derived from its own
    formula, evaluated in this arithmetic. A row also uses ``+ - *`` and comparisons.
    """

    where: Callable[[Any, X | float, X | float], X]  # a condition is a bool, or a symbol for one
    equal: Callable[[X | float, X | float], Any]
    detach: Callable[[X], X]

    def __init__(self: Arithmetic[Any], native: Mapping[str, Callable[..., Any]]) -> None:
        vars(self).update(native)
        self.native = dict(native)

    def __getattr__(self, name: str) -> Callable[..., X]:
        formula = FORMULAS.get(name)
        if formula is None:
            raise AttributeError(f"this arithmetic lacks {name!r}, and no row has a formula for it")

        def derived(*arguments: Any, **keywords: Any) -> X:
            return formula(self, *arguments, **keywords)  # type: ignore[no-any-return]

        setattr(self, name, derived)
        return derived


FLOATS: Final[Arithmetic[float]] = Arithmetic(
    {k: v for k, v in vars(floats).items() if callable(v) and k.islower() and k[0] != "_"}
)
