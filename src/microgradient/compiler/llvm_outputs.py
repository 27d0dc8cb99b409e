"""The outputs of a program as LLVM's representation: copied, or summed over the rows of a tile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from microgradient.compiler.ir import Arithmetic, number
from microgradient.compiler.llvm_source import Phase
from microgradient.compiler.schedule import Products, Sums

_HEAD = (
    "(ptr %p, ptr %x, i64 %stride, ptr %t, ptr %v, ptr %out, i64 %out_stride, i64 %rows) nounwind {"
)


def outputs(module: Any) -> str:
    """Return the function that writes the outputs of ``%rows`` rows."""
    writer = _Outputs(module)
    writer.write()
    module.functions.update(writer.lines.functions)
    return "\n".join(
        [
            f"define internal void @{module.name}_outputs{_HEAD}",
            "entry:",
            *writer.allocations,
            *writer.lines.lines,
            "  ret void",
            "}",
        ]
    )


class _Outputs(Phase):
    def __init__(self, module: Any) -> None:
        super().__init__(module, 0)
        self.varying = bool(module.program.rows)
        self.lanes = module.lanes if self.varying else 1
        self.a = Arithmetic(self.lines, self.lanes)
        self.one = Arithmetic(self.lines, 1)

    def write(self) -> None:
        schedule, program = self.module.schedule, self.module.program
        summed = self.varying and not program.each
        if self.varying:
            over = self.lines.put(f"add i64 %rows, {self.lanes - 1}")
            self.blocks = self.lines.put(f"sdiv i64 {over}, {self.lanes}")
            self.full = self.lines.put(f"sdiv i64 %rows, {self.lanes}")
            self.rest = self.lines.put(f"srem i64 %rows, {self.lanes}")
            self.count = self.lines.put("sitofp i64 %rows to double")
        for k, x in schedule.constant_outputs:
            self._constant(k, x, summed)
        for sums in schedule.sums:
            (self._sum_of if summed else self._copy)(sums)
        for products in schedule.products:
            self._products(products)

    def _out(self, index: int | str, block: int | str = 0) -> str:
        stride: int | str = "%out_stride" if self.module.program.each and self.varying else 1
        place = self._sum(self._product(index, stride), block)
        return self.lines.put(f"getelementptr inbounds double, ptr %out, i64 {place}")

    @contextmanager
    def _members(self, count: int) -> Iterator[int | str]:
        if count == 1:
            yield 0
            return
        with self.lines.loop(count) as member:
            yield member

    def _constant(self, k: int, x: float, summed: bool) -> None:
        if summed:
            self._add(self.one.mul(number(x), self.count), self._out(k))
        elif not self.varying:
            self.one.store(number(x), self._out(k))
        else:
            with self.lines.loop(self.blocks) as block:
                self._put(self.a.constant(x), self._out(k, self._product(block, self.lanes)))

    def _copy(self, sums: Sums) -> None:
        with self._members(sums.count) as member:
            index = self._sum(self._product(member, sums.step), sums.first)
            if not self.varying:
                self.one.store(self.load(sums.x, member, "0"), self._out(index))
                return
            with self.lines.loop(self.blocks) as block:
                row = str(self._product(block, self.lanes))
                self._put(self.load(sums.x, member, row), self._out(index, row))

    def _put(self, x: str, pointer: str) -> None:
        self.a.store(self.a.add(self.a.load(pointer), x) if self.module.accumulate else x, pointer)

    def _add(self, x: str, pointer: str) -> None:
        self.one.store(self.one.add(self.one.load(pointer), x), pointer)

    # --- sums over the rows ----------------------------------------------------------------------

    def _sum_of(self, sums: Sums) -> None:
        if self.is_shared(sums.x):
            with self._members(sums.count) as member:
                pointer = self.pointer(sums.x, member, "0")
                x = self.lines.put(f"load double, ptr {pointer}, align 8")
                index = self._sum(self._product(member, sums.step), sums.first)
                self._add(self.one.mul(x, self.count), self._out(index))
            return
        for tile in _tiles(sums.count, self.lanes):
            with self._steps(*tile) as member:
                self._sum_tile(sums, member, tile[2])

    def _sum_tile(self, sums: Sums, first: int | str, wide: int) -> None:
        members = [self._sum(first, i) for i in range(wide)]
        totals = [self._accumulator() for _ in members]
        for total in totals:
            self.a.store(self.a.constant(0.0), total)

        def add(row: str, masked: Callable[[str], str]) -> None:
            for member, total in zip(members, totals):
                x = masked(self.load(sums.x, member, row))
                self.a.store(self.a.add(self.a.load(total), x), total)

        self._each_block(add)
        index = self._sum(self._product(first, sums.step), sums.first)
        self._add_across([self.a.load(total) for total in totals], index, sums.step)

    def _each_block(self, do: Callable[[str, Callable[[str], str]], None]) -> None:
        """Do ``do`` for each block; the last one's lanes beyond the last row count as 0."""
        with self.lines.when(self.lines.put(f"icmp sgt i64 {self.full}, 0")):
            with self.lines.loop(self.full) as block:
                do(str(self._product(block, self.lanes)), lambda x: x)
        if self.lanes == 1:
            return
        with self.lines.when(self.lines.put(f"icmp sgt i64 {self.rest}, 0")):
            lanes = f"<{', '.join(f'i64 {i}' for i in range(self.lanes))}>"
            one = self.lines.put(f"insertelement {self.a.ints} poison, i64 {self.rest}, i64 0")
            zeros = f"<{self.lanes} x i32> zeroinitializer"
            rest = self.lines.put(
                f"shufflevector {self.a.ints} {one}, {self.a.ints} poison, {zeros}"
            )
            inside = self.lines.put(f"icmp slt {self.a.ints} {lanes}, {rest}")
            row = str(self._product(self.full, self.lanes))
            do(row, lambda x: self.a.select(inside, x, self.a.constant(0.0)))

    def _products(self, products: Products) -> None:
        """Tiles of an outer product, summed in registers over all blocks."""
        high, wide = _tile_of(products.a_count, products.x_count, _SUMS.get(self.lanes, 9))
        for a_tile in _tiles(products.a_count, high):
            for x_tile in _tiles(products.x_count, wide):
                with self._steps(*a_tile) as j, self._steps(*x_tile) as i:
                    self._product_tile(products, j, a_tile[2], i, x_tile[2])

    @contextmanager
    def _steps(self, first: int, stop: int, step: int) -> Iterator[int | str]:
        if stop - first == step:
            yield first
            return
        with self.lines.loop(stop, first, step) as index:
            yield index

    def _product_tile(
        self, products: Products, j0: int | str, high: int, i0: int | str, wide: int
    ) -> None:
        rows = [self._sum(j0, j) for j in range(high)]
        columns = [self._sum(i0, i) for i in range(wide)]
        sums = [[self._accumulator() for _ in columns] for _ in rows]
        for line in sums:
            for sum_ in line:
                self.a.store(self.a.constant(0.0), sum_)

        def add(row: str, masked: Callable[[str], str]) -> None:
            xs = [masked(self.load(products.x, i, row)) for i in columns]
            for j, line in zip(rows, sums):
                a = masked(self.load(products.a, j, row))
                for x, sum_ in zip(xs, line):
                    self.a.store(self.a.fma(a, x, self.a.load(sum_)), sum_)

        self._each_block(add)
        for j, line in zip(rows, sums):
            index = self._sum(self._product(j, products.step), self._sum(i0, products.first))
            for first in range(0, wide, self.lanes):
                part = [self.a.load(sum_) for sum_ in line[first : first + self.lanes]]
                self._add_across(part, self._sum(index, first), 1)

    def _add_across(self, xs: list[str], index: int | str, step: int) -> None:
        """Add the sums of the lanes of ``xs`` to the outputs ``index``, ``index + step``, ….

        Neighbours are woven together first, so that an addition sums lanes of two at a time.
        """
        if self.lanes == 1:
            for k, x in enumerate(xs):
                self._add(x, self._out(self._sum(index, k * step)))
            return
        count, width = len(xs), 1
        xs = [*xs, *["zeroinitializer"] * (-len(xs) % (1 << (len(xs) - 1).bit_length()))]
        while len(xs) > 1:
            xs = [self._woven(x, y, width) for x, y in zip(xs[::2], xs[1::2])]
            width *= 2
        sums, lanes = xs[0], self.lanes
        while lanes > width:
            halves = [range(lanes // 2), range(lanes // 2, lanes)]
            kind = f"<{lanes} x double>"
            low, high = (
                self.lines.put(
                    f"shufflevector {kind} {sums}, {kind} poison, <{lanes // 2} x i32> "
                    f"<{', '.join(f'i32 {lane}' for lane in half)}>"
                )
                for half in halves
            )
            lanes //= 2
            sums = self.lines.put(f"fadd <{lanes} x double> {low}, {high}")
        if step != 1:
            for k in range(count):
                x = self.lines.put(f"extractelement <{lanes} x double> {sums}, i64 {k}")
                self._add(x, self._out(self._sum(index, k * step)))
            return
        pointer = self._out(index)
        kind = f"<{count} x double>"
        mask = ", ".join(f"i32 {k}" for k in range(count))
        sums = self.lines.put(
            f"shufflevector <{lanes} x double> {sums}, <{lanes} x double> poison, "
            f"<{count} x i32> <{mask}>"
        )
        before = self.lines.put(f"load {kind}, ptr {pointer}, align 8")
        after = self.lines.put(f"fadd {kind} {before}, {sums}")
        self.lines.do(f"store {kind} {after}, ptr {pointer}, align 8")

    def _woven(self, x: str, y: str, width: int) -> str:
        """Return sums of neighbouring stretches of ``width`` lanes: those of x, those of y, …"""
        starts = range(0, self.lanes, 2 * width)
        stretches = [range(start, start + width) for start in starts]
        one = [i for s in stretches for i in (*s, *(self.lanes + j for j in s))]
        other = [i + width for i in one]
        return self.a.add(self.a.shuffled(x, y, one), self.a.shuffled(x, y, other))


_SUMS = {8: 24, 1: 8}  # how many a tile keeps in registers, by lanes


def _tile_of(high: int, wide: int, most: int) -> tuple[int, int]:
    """Return the sizes of the tile that leaves the smallest rest, and of those the largest."""
    sizes = [
        (j, i)
        for j in range(1, 7)
        for i in range(1, 9)
        if j * i <= most and j <= high and i <= wide
    ]
    return min(
        sizes,
        key=lambda size: (high % size[0] > 0) + (wide % size[1] > 0) - size[0] * size[1] / 100,
    )


def _tiles(count: int, size: int) -> list[tuple[int, int, int]]:
    """Return where whole tiles begin, end and how far they reach; then the rest, if any."""
    whole = count // size * size
    tiles = [(0, whole, size)] if whole else []
    return [*tiles, (whole, count, count - whole)] if whole < count else tiles
