"""Operands without a number yet: what a function is compiled with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from microgradient.engine.op import Operand


class Symbol(Operand):
    """An operand whose number is not known yet.

    Values give way to it: the symbol records an operation on both, and computes the derivatives of
    anything that depends on it.
    """

    __slots__ = ()

    def detached(self) -> Any:
        """Return this operand as a constant: no derivative passes through it."""
        raise NotImplementedError

    def equal(self, x: Any, y: Any) -> Any:
        """Return the condition that two operands, one of them this, are equal."""
        raise NotImplementedError

    def adjoints(self, inputs: Sequence[Any], seeds: Sequence[tuple[Any, Any]]) -> list[Any]:
        """Return the adjoint of each input, given pairs of a result and its adjoint."""
        raise NotImplementedError

    def tangents(
        self, inputs: Sequence[Any], directions: Sequence[Any], results: Sequence[Any]
    ) -> list[Any]:
        """Return the tangent of each result, given those of ``inputs``."""
        raise NotImplementedError

    def sparse_tangents(
        self, inputs: Sequence[Any], results: Sequence[Any]
    ) -> list[dict[int, Any]]:
        """Return the derivatives of each result by those of ``inputs`` that it depends on."""
        raise NotImplementedError


class Undecided:
    """A comparison of symbols: it can choose between two operands, but is not a bool yet."""

    __slots__ = ()

    def choose(self, x: Any, y: Any) -> Any:
        """Return ``x`` where the condition holds, else ``y``."""
        raise NotImplementedError
