"""The outputs of a program as LLVM's representation: copied, or summed over the rows of a tile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from microgradient.compiler.ir import Arithmetic, number
from microgradient.compiler.llvm_source import Phase
from microgradient.compiler.schedule import Products, Run, Sums

_HEAD = (
    "define internal void @outputs(ptr %p, ptr %x, i64 %stride, ptr %t, ptr %v, ptr %out, "
    "i64 %out_stride, i64 %rows) nounwind {"
)


def outputs(module: Any) -> str:
    """Return the function that writes the outputs of ``%rows`` rows."""
    writer = _Outputs(module)
    writer.write()
    module.functions.update(writer.lines.functions)
    return "\n".join([_HEAD, "entry:", *writer.allocations, *writer.lines.lines, "  ret void", "}"])


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
        with self._members(sums.count) as member:
            index = self._sum(self._product(member, sums.step), sums.first)
            if self.is_shared(sums.x):
                pointer = self.pointer(sums.x, member, "0")
                x = self.lines.put(f"load double, ptr {pointer}, align 8")
                self._add(self.one.mul(x, self.count), self._out(index))
                return
            sum_ = self._accumulator()
            self.a.store(self.a.constant(0.0), sum_)

            def add(row: str, masked: Callable[[str], str]) -> None:
                x = masked(self.load(sums.x, member, row))
                self.a.store(self.a.add(self.a.load(sum_), x), sum_)

            self._each_block(add)
            self._add(self._across(self.a.load(sum_)), self._out(index))

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

    def _across(self, x: str) -> str:
        """Return the sum of the lanes."""
        if self.lanes == 1:
            return x
        minus_zero = number(-0.0)
        return self.lines.put(
            f"call reassoc double @llvm.vector.reduce.fadd.{self.a.tag}"
            f"(double {minus_zero}, {self.a.type} {x})"
        )

    def _products(self, products: Products) -> None:
        """Tiles of an outer product, summed in registers over all blocks."""
        high, wide = {8: (4, 6), 1: (2, 4)}.get(self.lanes, (3, 3))
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
            for i, sum_ in zip(columns, line):
                index = self._sum(self._product(j, products.step), self._sum(i, products.first))
                self._add(self._across(self.a.load(sum_)), self._out(index))


def _tiles(count: int, size: int) -> list[tuple[int, int, int]]:
    """Return where whole tiles begin, end and how far they reach; then the rest, if any."""
    whole = count // size * size
    tiles = [(0, whole, size)] if whole else []
    return [*tiles, (whole, count, count - whole)] if whole < count else tiles


_ = Run
