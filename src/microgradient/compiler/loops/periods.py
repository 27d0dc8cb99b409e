"""Sequences cut into repetitions: what a loop over time can walk along."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

from microgradient.compiler.loops.progressions import Point

_LONGEST = 100  # items of one repetition
_FEWEST = 3  # repetitions that a loop is worth


class Repetition(NamedTuple):
    """``times`` stretches of ``period`` items each, the first of them from ``first`` on."""

    first: int
    period: int
    times: int


def repetitions(items: Sequence[tuple[Hashable, Point]]) -> list[Repetition]:
    """Return (key, point) pairs as repetitions, from left to right.

    The keys of one are those of the next, and each point is as far from the next one's as from the
    one before. An item that nothing repeats is a repetition of its own.
    """
    found: list[Repetition] = []
    first = 0
    while first < len(items):
        longest = Repetition(first, 1, 1)
        for period in range(1, _LONGEST + 1):
            if longest.times > 1 and period % longest.period == 0:
                continue  # it goes no further
            one = _from(items, first, period)
            if one.period * one.times > longest.period * longest.times:
                longest = one
        found.append(longest)
        first += longest.period * longest.times
    return found


def _from(items: Sequence[tuple[Hashable, Point]], first: int, period: int) -> Repetition:
    """Return the repetition with this period that begins at ``first``, as long as it goes."""
    end = first
    while end + period < len(items) and _goes_on(items, first, end, period):
        end += 1
    times = (end - first) // period + 1
    return Repetition(first, period, times) if times >= _FEWEST else Repetition(first, 1, 1)


def _goes_on(items: Sequence[tuple[Hashable, Point]], first: int, at: int, period: int) -> bool:
    """Return whether the item one period after ``at`` is as expected."""
    (key, point), (next_key, next_point) = items[at], items[at + period]
    if key != next_key:
        return False
    if at - period < first:  # the first step of an item: whatever it is
        return True
    _, before = items[at - period]
    return all(c - b == b - a for a, b, c in zip(before, point, next_point))
