"""``take``: an element of a list by an index that a compiled function computes or is given."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from typing import Any, SupportsFloat, TypeVar

from microgradient.engine.choice import detach, where
from microgradient.engine.number import shown
from microgradient.engine.ops import floor
from microgradient.engine.services.trees import matching_leaves, rebuild
from microgradient.engine.symbol import Symbol

T = TypeVar("T")


def take(rows: Sequence[T], index: SupportsFloat | Symbol) -> T:
    """Return ``rows[index]``, compiled too, where ``index`` is a number not known yet.

    ``rows`` holds numbers, or vectors and matrices of one shape; no derivative passes through
    ``index``. Compiled code chooses with ``where`` by halves, and gives nan for an index that is no
    whole number from 0 to ``len(rows) - 1``. Eagerly that is an IndexError.
    """
    elements = list(rows)
    if not isinstance(index, Symbol):
        place = detach(index)
        if not 0 <= place < len(elements) or place != int(place):
            raise IndexError(
                f"take expects a whole number from 0 to {len(elements) - 1}, got {shown(index)}"
            )
        return elements[int(place)]
    if not elements:
        raise IndexError("take expects a list with at least one element, got an empty one")
    columns = zip(*[matching_leaves(row, elements[0], "each element") for row in elements])
    valid = (index >= 0) & (index <= len(elements) - 1) & (index == floor(index))  # type: ignore[operator]  # a symbol compares
    chosen = [where(valid, _of_column(column, index, 0), nan) for column in columns]
    result: T = rebuild(elements[0], iter(chosen))
    return result


def _of_column(column: Sequence[Any], index: Any, first: int) -> Any:
    if len(column) == 1:
        return column[0]
    half = len(column) // 2
    below = _of_column(column[:half], index, first)
    return where(index < first + half, below, _of_column(column[half:], index, first + half))
