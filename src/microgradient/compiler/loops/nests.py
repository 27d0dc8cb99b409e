"""Affine loop nests: what a program's instructions are rolled into, as plain data.

A nest repeats its statements for every iteration of its loops, and, if it varies, for every example
of the batch. What a statement reads or writes lies in a buffer, at a place that is an affine
function of the loops' counters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

from microgradient.engine.op import Op

UNIFORM, VARYING, OUTPUT = -1, -2, -3
"""The buffers of the inputs, uniform and varying, and of the outputs; all others are 0, 1, …"""

COPY = Op("copy", lambda m, v, x: (1.0,), lambda m, x: x)
"""What a statement does that writes an output."""

Place = tuple[int, int]
"""A buffer, and which of its numbers."""

Extents = tuple[int, ...]
"""How many iterations each loop of a nest takes, the outermost first; () is code without a loop."""


class Access(NamedTuple):
    """The number at ``first``, and ``strides`` further on for each iteration of each loop."""

    buffer: int
    first: int
    strides: tuple[int, ...]


class Gather(NamedTuple):
    """Numbers of a buffer at no regular distance: a place for each iteration of the nest."""

    buffer: int
    places: tuple[int, ...]


class Literals(NamedTuple):
    """Constants, one for each iteration of the nest."""

    numbers: tuple[float, ...]


class Register(NamedTuple):
    """What a statement of the same nest, by its index, has computed in the same iteration."""

    statement: int


Operand = Access | Gather | Literals | Register


@dataclass
class Buffer:
    """The results of instructions of one form, one after the other.

    They are in memory if they are ``kept`` because another nest reads them.
    """

    size: int
    varying: bool
    conditions: bool
    kept: bool = False


class Statement(NamedTuple):
    """An operation, its operands, and the output or buffer that its result is written to."""

    op: Op
    operands: tuple[Operand, ...]
    target: Access


@dataclass
class Nest:
    """Statements, done one after the other in each iteration of the loops."""

    extents: Extents
    varying: bool
    statements: list[Statement]


@dataclass
class Contraction:
    """``target = start + the sum of a * b`` over the last loop, or else over the batch.

    A layer sums over the last loop, of as many iterations as its neurons have inputs. ``start`` is
    the bias, the target itself (to add to it), or None for 0. The gradient of its weights is
    summed over the batch, and added to outputs.
    """

    extents: Extents
    a: Access
    b: Access
    start: Access | None
    target: Access


@dataclass
class Layer:
    """Contractions that add up to one target: a matrix times a vector, in stretches of terms."""

    extents: Extents
    varying: bool
    contractions: list[Contraction]


@dataclass
class Schedule:
    """Nests and layers in their order, the nests that write outputs, and the buffers in between."""

    nests: list[Nest | Layer]
    outputs: list[Nest | Contraction]
    buffers: list[Buffer]


def access_of(places: Sequence[Place], extents: Extents) -> Access | None:
    """Return ``places``, one for each iteration, as an access; None if no strides lead to them."""
    buffer, first = places[0]
    strides = []
    inside = prod(extents)
    for extent in extents:
        inside //= extent
        strides.append(places[inside][1] - first if extent > 1 else 0)
    expected = [first]
    for extent, stride in zip(extents, strides):
        expected = [place + i * stride for place in expected for i in range(extent)]
    regular = all(place == (buffer, at) for place, at in zip(places, expected))
    return Access(buffer, first, tuple(strides)) if regular else None
