"""Outputs summed over a batch: block by block in lanes, and the lanes at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from microgradient.compiler.llvm.addresses import OUTPUT_ARGUMENTS, Addresses, Layout, Part
from microgradient.compiler.llvm.builder import Index
from microgradient.compiler.llvm.lanes import Lanes, Vector
from microgradient.compiler.loops.nests import Access, Literals, Nest

Masked = Callable[[Vector], Vector]
"""Makes 0 of the lanes that no example fills."""


class SumFunction(Addresses):
    """The function that adds the numbers of ``%examples`` examples to outputs.

    ``whole`` promises that they fill all lanes.
    """

    def __init__(self, layout: Layout, nest: Nest, whole: bool) -> None:
        super().__init__(layout, layout.lanes)
        self._nest, self._whole = nest, whole

    def function(self, name: str, hint: str) -> Part:
        nest, width = self._nest, self.lanes.count
        sums: list[tuple[Access, Access]] = []
        for statement in nest.statements:
            (x,), out = statement.operands, statement.target
            if isinstance(x, Access) and not self.layout.is_uniform(x):
                sums.append((x, out))
            else:
                assert isinstance(x, (Access, Literals))
                self._add_multiples(x, out)
        if not nest.extents:
            for first in range(0, len(sums), width):
                self._sum([(x, out, ()) for x, out in sums[first : first + width]])
        elif sums:
            self._sum_in_loop(*sums[0], nest.extents[0])
        return self.finished(name, hint, OUTPUT_ARGUMENTS)

    def _add_multiples(self, x: Access | Literals, out: Access) -> None:
        """Add numbers that all examples share as many times as there are examples."""
        one = Lanes(self.builder, 1)
        count = one.vector("sitofp i64 %examples to double")
        with self.iterations(self._nest.extents) as iteration:
            if isinstance(x, Literals):
                number = one.constant(x.numbers[0])
            else:
                number = one.load(self.pointer(x, iteration))
            add(number * count, self.pointer(out, iteration))

    def _sum_in_loop(self, x: Access, out: Access, size: int) -> None:
        width = self.lanes.count
        whole = size - size % width
        if whole:
            with self.builder.loop(whole, 0, width) as first:
                self._sum([(x, out, (self._add(first, i),)) for i in range(width)])
        if whole < size:
            self._sum([(x, out, (i,)) for i in range(whole, size)])

    def _sum(self, sums: Sequence[tuple[Access, Access, tuple[Index, ...]]]) -> None:
        """Sum as many outputs at once as there are lanes, which are added at the end."""
        lanes = self.lanes
        totals = [lanes.allocate() for _ in sums]
        for total in totals:
            lanes.store(lanes.constant(0.0), total)

        def add_block(block: Index, masked: Masked) -> None:
            place = self._times(block, lanes.count)
            for (x, _, iteration), total in zip(sums, totals):
                add(masked(self.load(x, iteration, place)), total)

        each_block(lanes, "%examples", add_block, whole=self._whole)
        outs = [self.pointer(out, iteration) for _, out, iteration in sums]
        contiguous = sums[0][1].strides == (1,)
        add_lanes(lanes, [lanes.load(total) for total in totals], outs, contiguous=contiguous)


def each_block(
    lanes: Lanes, count: Index, do: Callable[[Index, Masked], None], *, whole: bool
) -> None:
    """Do ``do`` for each block of ``count`` examples; in a last one empty lanes count as 0.

    ``whole`` promises that there are no empty lanes.
    """
    builder = lanes.builder
    full = builder.integer("sdiv", count, lanes.count)
    with builder.when(builder.put(f"icmp sgt i64 {full}, 0")), builder.loop(full) as block:
        do(block, lambda x: x)
    if lanes.count == 1 or whole:
        return
    rest = str(builder.integer("srem", count, lanes.count))
    with builder.when(builder.put(f"icmp sgt i64 {rest}, 0")):
        inside = lanes.first(rest)
        do(full, lambda x: inside.choose(x, 0.0))


def add_lanes(lanes: Lanes, xs: Sequence[Vector], outs: Sequence[str], *, contiguous: bool) -> None:
    """Add the sum of the lanes of each of ``xs`` to what is at its address in ``outs``."""
    if lanes.count == 1:
        for x, out in zip(xs, outs):
            add(x, out)
        return
    sums = lane_sums(lanes, xs)
    if contiguous:
        add(_taken(sums, range(len(xs))), outs[0])
        return
    for k, out in enumerate(outs):
        add(sums.lane(k), out)


def lane_sums(lanes: Lanes, xs: Sequence[Vector]) -> Vector:
    """Return the sum of the lanes of each of ``xs``, not more than lanes, one beside the other.

    Neighbours are woven together first, so that an addition sums lanes of two at a time.
    """
    count, width = len(xs), 1
    zero = Vector(lanes, "zeroinitializer")
    woven = [*xs, *[zero] * ((1 << (count - 1).bit_length()) - count)]
    while len(woven) > 1:
        woven = [_woven(x, y, width) for x, y in zip(woven[::2], woven[1::2])]
        width *= 2
    sums = woven[0]
    while sums.lanes.count > width:
        half = sums.lanes.count // 2
        sums = _taken(sums, range(half)) + _taken(sums, range(half, 2 * half))
    return sums


def add(x: Vector, out: str) -> None:
    """Add ``x`` to what is in memory at ``out``."""
    x.lanes.store(x.lanes.load(out) + x, out)


def _woven(x: Vector, y: Vector, width: int) -> Vector:
    """Return sums of neighbouring stretches of ``width`` lanes: those of x, those of y, …"""
    lanes = x.lanes
    starts = range(0, lanes.count, 2 * width)
    first = [i for s in starts for k in (0, lanes.count) for i in range(s + k, s + k + width)]
    return lanes.shuffled(x, y, first) + lanes.shuffled(x, y, [i + width for i in first])


def _taken(x: Vector, which: Sequence[int]) -> Vector:
    return x.lanes.shuffled(x, None, which)
