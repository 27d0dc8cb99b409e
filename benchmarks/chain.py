"""A chain of nodes: time and memory per node to build, differentiate and free it."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from microgradient import Value

LINKS: dict[str, Callable[[Value, Value], Value]] = {
    "y * a": lambda y, a: y * a,
    "y + a": lambda y, a: y + a,
    "tanh(y)": lambda y, a: y.tanh(),
}


def build(n: int, link: Callable[[Value, Value], Value]) -> Value:
    """Return the end of a chain of ``n`` links."""
    y, a = Value(1.0), Value(0.999999)
    for _ in range(n):
        y = link(y, a)
    return y


def lives(n: int, chains: int) -> None:
    """Build chains one after the other; differentiate and free each."""
    for _ in range(chains):
        build(n, LINKS["y * a"]).backward()


def bytes_per_node(link: Callable[[Value, Value], Value], n: int = 100_000) -> tuple[float, float]:
    """Return the memory per node after building, and with gradients after backward."""
    gc.collect()
    tracemalloc.start()
    y = build(n, link)
    built = tracemalloc.get_traced_memory()[0]
    y.backward()
    swept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return built / n, swept / n


@contextmanager
def recursion_limit(limit: int) -> Iterator[None]:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(limit)
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
