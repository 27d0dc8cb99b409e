"""What a schedule is made of: loops and layers, the groups they compute, and where operands are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from microgradient.engine.op import Op

SHARED, ROWS = -1, -2
"""The stores of the inputs that all rows share, and of those of the rows; groups are 0, 1, …"""

Place = tuple[int, int]
"""A store, and which of its numbers."""


class Run(NamedTuple):
    """Numbers side by side: ``store`` is a memory, ``first`` a place in it, then every ``stride``.

    In a loop within a loop, ``jump`` is the distance from one turn of the outer one to the next.
    Stores are ``SHARED``, ``ROWS``, and groups by their numbers.
    """

    store: int
    first: int
    stride: int
    jump: int = 0


class Table(NamedTuple):
    """Numbers in places of no regular distance: those of the members of a group, one by one."""

    places: tuple[tuple[int, int], ...]


class Literals(NamedTuple):
    """Constants, one for each member."""

    numbers: tuple[float, ...]


Operand = Run | Table | Literals


@dataclass
class Group:
    """Slots of one form; their numbers may be kept in memory, one after the other."""

    slots: list[int]
    varying: bool
    kept: bool = False


@dataclass
class Item:
    """One instruction, or as many of one form as its loop has turns, ``inner`` in an outer one."""

    op: Op
    slots: list[int]
    inner: int
    operands: list[Operand]
    group: int
    first: int


@dataclass
class Term:
    """A stretch of the terms of a layer's dots: ``count`` weights and inputs with strides.

    For neuron j and term i, the weight is at ``w.first + j * w.stride + i * w_step``.
    """

    w: Run
    w_step: int
    x: Run
    x_step: int
    count: int


@dataclass
class Loop:
    """Items done for each of ``count`` members in turn (1: written out), ``inner`` at a time."""

    count: int
    inner: int
    varying: bool
    items: list[Item] = field(default_factory=list)


@dataclass
class Layer:
    """``count`` dots, ``inner`` at a time, with terms in common stretches, and perhaps biases."""

    count: int
    inner: int
    varying: bool
    terms: list[Term]
    bias: Run | None
    group: int
    first: int


@dataclass
class Products:
    """Outputs that are sums over the rows of products: an outer product of two stretches.

    Output ``first + j * step + i`` is the sum of a[j] * x[i].
    """

    a: Run
    a_count: int
    x: Run
    x_count: int
    first: int
    step: int


@dataclass
class Sums:
    """Outputs ``first``, ``first + step``, … that are sums over the rows of single numbers."""

    x: Run
    count: int
    first: int
    step: int


@dataclass
class Constants:
    """Outputs ``first``, ``first + 1``, … that are all one number."""

    number: float
    first: int
    count: int


@dataclass
class Schedule:
    """Phases in their order, and where the outputs come from."""

    phases: list[Loop | Layer]
    groups: list[Group]
    place: dict[int, Place]
    products: list[Products]
    sums: list[Sums]
    constants: list[Constants]


def run_of(places: Sequence[Place], inner: int | None = None) -> Run | None:
    """Return ``places`` as a run, or None if they are not at equal distances in one store.

    ``inner`` of them belong to each turn of an outer loop.
    """
    store, first = places[0]
    if len(places) == 1:
        return Run(store, first, 0)
    inner = inner or len(places)
    stride = places[1][1] - first if inner > 1 else 0
    jump = places[inner][1] - first if inner < len(places) else 0
    regular = all(
        place == (store, first + i // inner * jump + i % inner * stride)
        for i, place in enumerate(places)
    )
    return Run(store, first, stride, jump) if regular else None
