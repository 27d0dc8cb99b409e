"""The outputs of a program as LLVM's representation: copied, or summed over the rows of a tile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from microgradient.compiler.llvm.addresses import Writer
from microgradient.compiler.llvm.builder import Arithmetic, number, register
from microgradient.compiler.llvm.contraction import Contraction, add_lanes, each_block, tiles
from microgradient.compiler.loops.nests import Products, Sums

_HEAD = (
    "(ptr %p, ptr %x, i64 %stride, ptr %t, ptr %v, ptr %out, i64 %out_stride, i64 %rows) "
    "noinline nounwind {"
)


class Outputs(Writer):
    """The function that writes the outputs of ``%rows`` rows."""

    def __init__(self, module: Any) -> None:
        lanes = module.lanes if module.program.rows else 1
        super().__init__(module, lanes)
        self.varying, self.lanes = bool(module.program.rows), lanes
        self.one = Arithmetic(self.lines, 1)
        self.allocations: list[str] = []

    def text(self) -> str:
        schedule, program = self.module.schedule, self.module.program
        summed = self.varying and not program.each
        if self.varying:
            over = self.lines.put(f"add i64 %rows, {self.lanes - 1}")
            self.blocks = self.lines.put(f"sdiv i64 {over}, {self.lanes}")
            self.count = self.lines.put("sitofp i64 %rows to double")
        for constants in schedule.constants:
            with self._members(constants.count) as member:
                self._constant(self.sum(member, constants.first), constants.number, summed)
        for sums in schedule.sums:
            (self._sum_of if summed else self._copy)(sums)
        for products in schedule.products:
            self._products(products)
        self.module.functions.update(self.lines.functions)
        head = f"define internal void @{self.module.name}_outputs{_HEAD}"
        return "\n".join([head, "entry:", *self.allocations, *self.lines.lines, "  ret void", "}"])

    def _out(self, index: int | str, block: int | str = 0) -> str:
        stride: int | str = "%out_stride" if self.module.program.each and self.varying else 1
        place = self.sum(self.product(index, stride), block)
        return self.lines.put(f"getelementptr inbounds double, ptr %out, i64 {place}")

    @contextmanager
    def _members(self, count: int) -> Iterator[int | str]:
        if count == 1:
            yield 0
            return
        with self.lines.loop(count) as member:
            yield member

    def _constant(self, k: int | str, x: float, summed: bool) -> None:
        if summed:
            self._add(self.one.mul(number(x), self.count), self._out(k))
        elif not self.varying:
            self.one.store(number(x), self._out(k))
        else:
            with self.lines.loop(self.blocks) as block:
                self._put(self.a.constant(x), self._out(k, self.product(block, self.lanes)))

    def _copy(self, sums: Sums) -> None:
        with self._members(sums.count) as member:
            index = self.sum(self.product(member, sums.step), sums.first)
            if not self.varying:
                self.one.store(self.load(sums.x, member, "0"), self._out(index))
                return
            with self.lines.loop(self.blocks) as block:
                row = str(self.product(block, self.lanes))
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
                index = self.sum(self.product(member, sums.step), sums.first)
                self._add(self.one.mul(x, self.count), self._out(index))
            return
        for first in range(0, sums.count, self.lanes):
            self._sum_tile(sums, range(first, min(first + self.lanes, sums.count)))

    def _sum_tile(self, sums: Sums, members: range) -> None:
        totals = [register(self.lines, self.allocations, self.a) for _ in members]
        for total in totals:
            self.a.store(self.a.constant(0.0), total)

        def add(block: str, masked: Callable[[str], str]) -> None:
            row = str(self.product(block, self.lanes))
            for member, total in zip(members, totals):
                x = masked(self.load(sums.x, member, row))
                self.a.store(self.a.add(self.a.load(total), x), total)

        each_block(self.lines, self.a, "%rows", add, self.module.whole)
        out = self._out(members[0] * sums.step + sums.first)
        add_lanes(self.lines, self.a, [self.a.load(total) for total in totals], out, sums.step)

    def _products(self, products: Products) -> None:
        a, x = products.a, products.x
        for j, rows, high in tiles(products.a_count, (4, 3, 2)):
            for i, columns, wide in tiles(products.x_count, (4, 6, 3, 2)):
                kernel = Contraction(self.lanes, high, wide, "ab", "zero", True, self.module.whole)
                self.module.kernels[kernel.name] = kernel
                operands = [
                    f"ptr {self.pointer(a._replace(first=a.first + j * a.stride), 0, '0')}",
                    f"i64 {self.distance(a, a.stride)}, i64 0, i64 {self.lanes}",
                    f"ptr {self.pointer(x._replace(first=x.first + i * x.stride), 0, '0')}",
                    f"i64 {self.distance(x, x.stride)}, i64 {self.lanes}, ptr null, i64 0",
                    f"ptr {self._out(products.first + j * products.step + i)}",
                    f"i64 {products.step}, i64 1, i64 {rows}, i64 {columns}, i64 %rows",
                ]
                self.lines.do(f"call void @{kernel.name}({', '.join(operands)})")
