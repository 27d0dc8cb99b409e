"""A solver of differential equations, which a gradient can go through."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def runge_kutta(slope: Callable[..., Any], z: Any, w: Any, h: Any) -> Any:
    """Return z after one step of h along z' = slope(z, w), to fourth order (Kutta 1901)."""
    a = slope(z, w)
    b = slope(z + h / 2 * a, w)
    c = slope(z + h / 2 * b, w)
    d = slope(z + h * c, w)
    return z + h / 6 * (a + 2 * b + 2 * c + d)
