"""A Value of forty lines without closures, as microgpt has one: the peer of engines in pure Python.

Each node keeps its parents and local derivatives in tuples; ``backward`` orders them by recursion.
"""

from __future__ import annotations

import math
import sys

sys.setrecursionlimit(100_000)


class PlainValue:
    """A number, and how it was computed."""

    __slots__ = ("data", "grad", "parents", "partials")

    def __init__(
        self,
        data: float,
        parents: tuple[PlainValue, ...] = (),
        partials: tuple[float, ...] = (),
    ) -> None:
        self.data, self.grad, self.parents, self.partials = data, 0.0, parents, partials

    def __add__(self, other: PlainValue | float) -> PlainValue:
        y = other if isinstance(other, PlainValue) else PlainValue(other)
        return PlainValue(self.data + y.data, (self, y), (1.0, 1.0))

    def __mul__(self, other: PlainValue | float) -> PlainValue:
        y = other if isinstance(other, PlainValue) else PlainValue(other)
        return PlainValue(self.data * y.data, (self, y), (y.data, self.data))

    def __pow__(self, power: float) -> PlainValue:
        return PlainValue(self.data**power, (self,), (power * self.data ** (power - 1),))

    def exp(self) -> PlainValue:
        e = math.exp(self.data)
        return PlainValue(e, (self,), (e,))

    def log(self) -> PlainValue:
        return PlainValue(math.log(self.data), (self,), (1 / self.data,))

    def relu(self) -> PlainValue:
        return PlainValue(max(0.0, self.data), (self,), (float(self.data > 0),))

    def __neg__(self) -> PlainValue:
        return self * -1.0

    def __sub__(self, other: PlainValue | float) -> PlainValue:
        return self + -other

    def __truediv__(self, other: PlainValue | float) -> PlainValue:
        return self * other**-1.0

    def __rsub__(self, other: float) -> PlainValue:
        return -self + other

    def __rtruediv__(self, other: float) -> PlainValue:
        return self**-1.0 * other

    __radd__ = __add__
    __rmul__ = __mul__

    def backward(self) -> None:
        """Add to the gradients of all numbers that this one depends on, last first."""
        order: list[PlainValue] = []
        seen: set[PlainValue] = set()

        def visit(node: PlainValue) -> None:
            if node not in seen:
                seen.add(node)
                for parent in node.parents:
                    visit(parent)
                order.append(node)

        visit(self)
        self.grad = 1.0
        for node in reversed(order):
            for parent, partial in zip(node.parents, node.partials):
                parent.grad += partial * node.grad
