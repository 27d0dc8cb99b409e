"""Integer points cut into arithmetic progressions: what one loop can walk along."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any, NamedTuple

Point = tuple[int, ...]


class Progression(NamedTuple):
    """The points ``first``, ``first + step``, … , ``size`` of them, which share a ``key``."""

    key: Any
    first: Point
    step: Point
    size: int


def progressions(points: Iterable[tuple[Hashable, Point]]) -> list[Progression]:
    """Return (key, point) pairs as progressions, each as long as it goes, from left to right."""
    found: list[Progression] = []
    for key, point in points:
        if found and found[-1].key == key:
            _, first, step, size = found[-1]
            if size == 1:
                step = tuple(b - a for a, b in zip(first, point))
            if point == tuple(a + size * s for a, s in zip(first, step)):
                found[-1] = Progression(key, first, step, size + 1)
                continue
        found.append(Progression(key, point, (0,) * len(point), 1))
    return found
