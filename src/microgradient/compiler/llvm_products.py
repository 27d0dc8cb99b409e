"""The gradient of a layer's weights, an outer product summed over the rows, as one function.

A tile of sums stays in registers while it goes over all blocks of rows; the lanes of its sums are
added at the end, woven together so that one addition serves several.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from microgradient.compiler.ir import Arithmetic, Lines, register

_SUMS = {8: 24, 1: 8}  # how many a tile keeps in registers, by lanes


@dataclass(frozen=True)
class ProductKernel:
    """A tile of ``high`` by ``wide`` sums; ``whole`` says that no block is ever half empty."""

    lanes: int
    high: int
    wide: int
    whole: bool

    @property
    def name(self) -> str:
        return f"products_{self.lanes}_{self.high}_{self.wide}{'_whole' * self.whole}"

    def text(self) -> str:
        """Return the function: output j * out_step + i is increased by the sum of a[j] x[i]."""
        return _Writer(self).text()


ARGUMENTS = (
    "ptr noalias %a, i64 %a_stride, i64 %a_count, ptr noalias %x, i64 %x_stride, i64 %x_count, "
    "ptr noalias %out, i64 %out_step, i64 %rows"
)


class _Writer:
    def __init__(self, kernel: ProductKernel) -> None:
        self.kernel, self.lines = kernel, Lines()
        self.a = Arithmetic(self.lines, kernel.lanes)
        self.allocations: list[str] = []

    def text(self) -> str:
        lines, kernel = self.lines, self.kernel
        full = lines.put(f"sdiv i64 %rows, {kernel.lanes}")
        rest = lines.put(f"srem i64 %rows, {kernel.lanes}")
        high, wide = kernel.high, kernel.wide
        with lines.loop("%a_count", 0, high) as j, lines.loop("%x_count", 0, wide) as i:
            self._tile(j, i, full, rest)
        head = f"define internal void @{kernel.name}({ARGUMENTS}) noinline nounwind {{"
        return "\n".join([head, "entry:", *self.allocations, *lines.lines, "  ret void", "}"])

    def _tile(self, j: str, i: str, full: str, rest: str) -> None:
        a, kernel = self.a, self.kernel
        rows = [self._base("%a", "%a_stride", j, k) for k in range(kernel.high)]
        columns = [self._base("%x", "%x_stride", i, k) for k in range(kernel.wide)]
        sums = [[register(self.lines, self.allocations, a) for _ in columns] for _ in rows]
        for line in sums:
            for sum_ in line:
                a.store(a.constant(0.0), sum_)

        def add(row: str, masked: Callable[[str], str]) -> None:
            xs = [masked(self._load(base, row)) for base in columns]
            for base, line in zip(rows, sums):
                factor = masked(self._load(base, row))
                for x, sum_ in zip(xs, line):
                    a.store(a.fma(factor, x, a.load(sum_)), sum_)

        each_block(self.lines, a, full, rest, add, kernel.whole)
        for k, line in enumerate(sums):
            place = self.lines.put(f"add nsw i64 {j}, {k}")
            place = self.lines.put(f"mul nsw i64 {place}, %out_step")
            place = self.lines.put(f"add nsw i64 {place}, {i}")
            for first in range(0, kernel.wide, kernel.lanes):
                part = [a.load(sum_) for sum_ in line[first : first + kernel.lanes]]
                here = self.lines.put(f"add nsw i64 {place}, {first}")
                out = self.lines.put(f"getelementptr inbounds double, ptr %out, i64 {here}")
                add_lanes(self.lines, a, part, out)

    def _base(self, base: str, stride: str, first: str, k: int) -> str:
        index = self.lines.put(f"add nsw i64 {first}, {k}")
        place = self.lines.put(f"mul nsw i64 {index}, {stride}")
        return self.lines.put(f"getelementptr inbounds double, ptr {base}, i64 {place}")

    def _load(self, base: str, row: str) -> str:
        return self.a.load(self.lines.put(f"getelementptr inbounds double, ptr {base}, i64 {row}"))


def each_block(
    lines: Lines,
    a: Arithmetic,
    full: str,
    rest: str,
    do: Callable[[str, Callable[[str], str]], None],
    whole: bool,
) -> None:
    """Do ``do`` for ``full`` blocks, and for ``rest`` more rows, where empty lanes count as 0."""
    with lines.when(lines.put(f"icmp sgt i64 {full}, 0")), lines.loop(full) as block:
        do(lines.put(f"mul nsw i64 {block}, {a.lanes}"), lambda x: x)
    if a.lanes == 1 or whole:
        return
    with lines.when(lines.put(f"icmp sgt i64 {rest}, 0")):
        numbered = f"<{', '.join(f'i64 {i}' for i in range(a.lanes))}>"
        one = lines.put(f"insertelement {a.ints} poison, i64 {rest}, i64 0")
        zeros = f"<{a.lanes} x i32> zeroinitializer"
        limit = lines.put(f"shufflevector {a.ints} {one}, {a.ints} poison, {zeros}")
        inside = lines.put(f"icmp slt {a.ints} {numbered}, {limit}")
        row = lines.put(f"mul nsw i64 {full}, {a.lanes}")
        do(row, lambda x: a.select(inside, x, a.constant(0.0)))


def add_lanes(lines: Lines, a: Arithmetic, xs: Sequence[str], out: str, step: int = 1) -> None:
    """Add the sum of the lanes of each of ``xs`` to ``out``, ``out + step``, ….

    Neighbours are woven together first, so that an addition sums lanes of two at a time.
    """
    one = Arithmetic(lines, 1)
    if a.lanes == 1:
        for k, x in enumerate(xs):
            _increase(lines, one, x, out, k * step)
        return
    count, width = len(xs), 1
    woven = [*xs, *["zeroinitializer"] * ((1 << (count - 1).bit_length()) - count)]
    while len(woven) > 1:
        woven = [_woven(a, x, y, width) for x, y in zip(woven[::2], woven[1::2])]
        width *= 2
    sums, lanes = woven[0], a.lanes
    while lanes > width:
        low, high = (
            _taken(lines, sums, lanes, half)
            for half in (range(lanes // 2), range(lanes // 2, lanes))
        )
        lanes //= 2
        sums = lines.put(f"fadd <{lanes} x double> {low}, {high}")
    if step != 1:
        for k in range(count):
            x = lines.put(f"extractelement <{lanes} x double> {sums}, i64 {k}")
            _increase(lines, one, x, out, k * step)
        return
    kind = f"<{count} x double>"
    sums = _taken(lines, sums, lanes, range(count))
    before = lines.put(f"load {kind}, ptr {out}, align 8")
    lines.do(f"store {kind} {lines.put(f'fadd {kind} {before}, {sums}')}, ptr {out}, align 8")


def _increase(lines: Lines, one: Arithmetic, x: str, out: str, index: int) -> None:
    pointer = lines.put(f"getelementptr inbounds double, ptr {out}, i64 {index}")
    one.store(one.add(one.load(pointer), x), pointer)


def _woven(a: Arithmetic, x: str, y: str, width: int) -> str:
    """Return sums of neighbouring stretches of ``width`` lanes: those of x, those of y, …"""
    stretches = [range(start, start + width) for start in range(0, a.lanes, 2 * width)]
    one = [i for s in stretches for i in (*s, *(a.lanes + j for j in s))]
    return a.add(a.shuffled(x, y, one), a.shuffled(x, y, [i + width for i in one]))


def _taken(lines: Lines, x: str, lanes: int, which: Sequence[int]) -> str:
    mask = ", ".join(f"i32 {lane}" for lane in which)
    kind = f"<{lanes} x double>"
    return lines.put(f"shufflevector {kind} {x}, {kind} poison, <{len(which)} x i32> <{mask}>")


def tiles(a_count: int, x_count: int, lanes: int) -> list[tuple[int, int, int, int, int, int]]:
    """Return how an outer product is cut: for each part first row and column, sizes, tile."""
    most = _SUMS.get(lanes, 9)
    found = []
    for j, rows, high in _cut(a_count, most):
        for i, columns, wide in _cut(x_count, most // high):
            found.append((j, i, rows, columns, high, wide))
    return found


def _cut(count: int, most: int) -> list[tuple[int, int, int]]:
    """Return stretches of ``count``: first, size, and the size of the tiles that it consists of."""
    sizes = [size for size in (6, 4, 8, 3, 2, 1) if size <= most]
    exact = [size for size in sizes if count % size == 0 and size > 2]
    if exact:
        return [(0, count, exact[0])]
    found = []
    first = 0
    for size in sorted(sizes, reverse=True):
        stretch = (count - first) // size * size
        if stretch:
            found.append((first, stretch, size))
            first += stretch
    return found
