"""Where a program's numbers are in memory, and the addresses of accesses.

``%p`` and ``%x`` are the uniform and the varying inputs, ``%out`` the outputs. In between, ``%t``
holds uniform numbers, and ``%v`` those of each example of a tile. The lanes of vectors hold
neighbouring examples, or, where one example is computed alone, neighbouring numbers of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from microgradient.compiler.llvm.builder import Builder, Function, Index
from microgradient.compiler.llvm.lanes import Lanes, Vector
from microgradient.compiler.loops.nests import (
    OUTPUT,
    UNIFORM,
    VARYING,
    Access,
    Buffer,
    Extents,
    Schedule,
)

BLOCKS = 16  # vectors of examples in a tile
ARGUMENTS = (
    "ptr noalias readonly %p, ptr noalias readonly %x, i64 %stride, ptr noalias %t, "
    "ptr noalias %v, i64 %examples"
)
"""What the function of a nest takes, for a tile of ``%examples`` examples: six, for registers."""
OUTPUT_ARGUMENTS = (
    "ptr %p, ptr %x, i64 %stride, ptr %t, ptr %v, i64 %examples, ptr %out, i64 %out_stride"
)
"""What that of a nest takes that writes outputs."""


@dataclass(frozen=True)
class Layout:
    """Where the kept buffers begin in their memory, and how many numbers the two memories hold.

    ``lanes`` examples are computed at a time; ``vector`` neighbouring numbers where there are no
    examples. ``keeps_each`` says that outputs of each example are kept, and not summed; ``shared``
    that functions take what differs between nests of one shape as arguments.
    """

    buffers: Sequence[Buffer]
    bases: dict[int, int]
    uniform: int
    varying: int
    lanes: int
    vector: int
    keeps_each: bool
    shared: bool = False

    @property
    def alone(self) -> bool:
        """Whether one example is computed at a time: its numbers lie side by side in memory."""
        return self.lanes == 1

    @property
    def tile(self) -> int:
        """How many examples a nest computes before the next one begins."""
        return 1 if self.alone else BLOCKS * self.lanes

    def memory(self, access: Access) -> str:
        """Return the pointer to the memory of these numbers."""
        given = {UNIFORM: "%p", VARYING: "%x", OUTPUT: "%out"}.get(access.buffer)
        return given or ("%v" if self.buffers[access.buffer].varying else "%t")

    def place(self, access: Access) -> int:
        """Return where in its memory an access begins."""
        return access.first + self.bases.get(access.buffer, 0)

    def is_uniform(self, access: Access) -> bool:
        """Return whether all examples share these numbers."""
        buffer = access.buffer
        return buffer == UNIFORM or (buffer >= 0 and not self.buffers[buffer].varying)


def layout_of(
    schedule: Schedule, lanes: int, vector: int, keeps_each: bool, *, shared: bool = False
) -> Layout:
    """Return the buffers that are kept one after the other in their memories."""
    bases, sizes = {}, {True: 0, False: 0}
    for i, buffer in enumerate(schedule.buffers):
        if buffer.kept:
            bases[i] = sizes[buffer.varying]
            sizes[buffer.varying] += buffer.size
    sizes_of = sizes[False], sizes[True]
    return Layout(schedule.buffers, bases, *sizes_of, lanes, vector, keeps_each, shared)


class Part(NamedTuple):
    """A function that takes more arguments behind those that all take: numbers, and tables."""

    function: Function
    arguments: tuple[Index, ...]


class Addresses:
    """A function being built that reads and writes a program's memories."""

    def __init__(self, layout: Layout, lanes: int) -> None:
        self.layout, self.builder = layout, Builder()
        self.lanes = Lanes(self.builder, lanes)
        self._given: dict[tuple[Index, str], str] = {}

    def pointer(self, access: Access, iteration: Sequence[Index], block: Index = 0) -> str:
        """Return the address of an access in an iteration, for the block at ``block``."""
        add, times = self._add, self._times
        base = self.layout.memory(access)
        index = self.given(self.layout.place(access), base)
        for counter, stride in zip(iteration, access.strides):
            index = add(index, times(counter, stride))
        if self.layout.is_uniform(access):
            return self.builder.at(base, index)
        return self.builder.at(base, add(times(index, self._spacing(access)), block))

    def given(self, x: Index, what: str) -> Index:
        """Return ``x``, a number or the name of a table, or the parameter for it if it has one.

        ``what`` tells numbers apart that are equal in this nest, and may differ in another.
        """
        if not self.layout.shared:
            return x
        return self._given.setdefault((x, what), f"%given{len(self._given)}")

    def distance(self, access: Access, places: int) -> Index:
        """Return how many doubles apart numbers are that are ``places`` apart in their buffer."""
        return (
            places if self.layout.is_uniform(access) else self._times(places, self._spacing(access))
        )

    def _spacing(self, access: Access) -> Index:
        """Return how many doubles apart neighbours are that are not uniform."""
        if access.buffer == OUTPUT:
            return "%out_stride" if self.layout.keeps_each else 1
        if self.layout.alone:
            return 1
        return "%stride" if access.buffer == VARYING else self.layout.tile

    def load(self, access: Access, iteration: Sequence[Index], block: Index = 0) -> Vector:
        """Return the numbers of a block of examples, or a uniform number in all lanes."""
        pointer = self.pointer(access, iteration, block)
        return (self.lanes.load_all if self.layout.is_uniform(access) else self.lanes.load)(pointer)

    @property
    def blocks(self) -> Index:
        """How many vectors the examples fill, the last one perhaps in part."""
        if self.layout.lanes == 1:
            return "%examples"
        over = self.builder.integer("add", "%examples", self.layout.lanes - 1)
        return self.builder.integer("sdiv", over, self.layout.lanes)

    @contextmanager
    def iterations(self, extents: Extents) -> Iterator[tuple[Index, ...]]:
        """Repeat what is added inside for all iterations of loops within each other."""
        with ExitStack() as loops:
            yield tuple([loops.enter_context(self.builder.loop(extent)) for extent in extents])

    def finished(self, name: str, hint: str, arguments: str) -> Part:
        """Return the function; ``hint`` says whether LLVM should inline it."""
        given = tuple([x for x, _ in self._given])
        more = [f"{kind_of(x)} {place}" for x, place in zip(given, self._given.values())]
        head = f"internal void @{name}({', '.join([arguments, *more])}) {hint} nounwind"
        return Part(self.builder.function(head, name), given)

    def _add(self, x: Index, y: Index) -> Index:
        return self.builder.integer("add", x, y)

    def _times(self, x: Index, y: Index) -> Index:
        return self.builder.integer("mul", x, y)


def kind_of(x: Index) -> str:
    """Return the LLVM type of a number, or of the name of a table."""
    return "i64" if isinstance(x, int) else "ptr"
