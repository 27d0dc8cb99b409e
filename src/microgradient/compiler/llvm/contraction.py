"""Sums of products, a tile at a time in registers: layers, and the gradients of their weights.

``out[m, n] = start + sum of a[m, n, k] * b[m, n, k] over k``. In a layer m counts neurons, n
blocks of rows and k terms. In the gradient of
its weights m and n count weights and k blocks of rows, whose lanes are added at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from microgradient.compiler.llvm.builder import Arithmetic, Lines, register

ARGUMENTS = (
    "ptr noalias %a, i64 %a_m, i64 %a_n, i64 %a_k, ptr noalias %b, i64 %b_n, i64 %b_k, "
    "ptr noalias %bias, i64 %bias_m, ptr noalias %out, i64 %out_m, i64 %out_n, "
    "i64 %m_count, i64 %n_count, i64 %k_count"
)


@dataclass(frozen=True)
class Contraction:
    """A kind of kernel: a tile of ``high`` by ``wide`` sums, and what its factors depend on.

    ``rows`` names those of ``a`` and ``b`` that differ from row to row; ``start`` is "bias", "out"
    or "zero". ``over_rows``: k goes over rows; ``whole`` promises whole blocks of them.
    """

    lanes: int
    high: int
    wide: int
    rows: str
    start: str
    over_rows: bool = False
    whole: bool = True

    @property
    def name(self) -> str:
        flags = "_over_rows" * self.over_rows + "_ragged" * (not self.whole)
        return f"contract_{self.lanes}_{self.high}x{self.wide}_{self.rows}_{self.start}{flags}"

    def text(self) -> str:
        """Return the kernel as a function."""
        return _Writer(self).text()


class _Writer:
    def __init__(self, kernel: Contraction) -> None:
        self.kernel, self.lines = kernel, Lines()
        self.a = Arithmetic(self.lines, kernel.lanes)
        self.allocations: list[str] = []

    def text(self) -> str:
        lines, wide = self.lines, self.kernel.wide
        with lines.loop("%m_count", 0, self.kernel.high) as m:
            tiles = lines.put(f"sdiv i64 %n_count, {wide}")
            whole = lines.put(f"mul nsw i64 {tiles}, {wide}")
            with lines.when(lines.put(f"icmp sgt i64 {tiles}, 0")), lines.loop(whole, 0, wide) as n:
                self._tile(m, n, wide)
            if wide > 1 and not self.kernel.over_rows:
                rest = lines.put(f"icmp slt i64 {whole}, %n_count")
                with lines.when(rest), lines.loop("%n_count", whole, 1) as n:
                    self._tile(m, n, 1)
        head = f"define internal void @{self.kernel.name}({ARGUMENTS}) noinline nounwind {{"
        return "\n".join([head, "entry:", *self.allocations, *lines.lines, "  ret void", "}"])

    def _tile(self, m: str, n: str, wide: int) -> None:
        kernel, a, lines = self.kernel, self.a, self.lines
        ms = [lines.put(f"add nsw i64 {m}, {i}") for i in range(kernel.high)]
        ns = [lines.put(f"add nsw i64 {n}, {j}") for j in range(wide)]
        outs = [[self._at("%out", (i, "%out_m"), (j, "%out_n")) for j in ns] for i in ms]
        sums = [[register(lines, self.allocations, a) for _ in ns] for _ in ms]
        for i, out_row, sum_row in zip(ms, outs, sums):
            start = self._start(i)
            for out, sum_ in zip(out_row, sum_row):
                a.store(start or a.load(out), sum_)
        by_row = [self._by_row(factor) for factor in "ab"]
        each_n = by_row[0] and not kernel.over_rows
        a_bases = [
            [self._at("%a", (i, "%a_m"), (j, "%a_n")) for j in ns]
            if each_n
            else [self._at("%a", (i, "%a_m"))] * wide
            for i in ms
        ]
        b_bases = [self._at("%b", (j, "%b_n")) for j in ns] if by_row[1] else ["%b"] * wide

        def add(k: str, masked: Callable[[str], str]) -> None:
            a_k, b_k = (lines.put(f"mul nsw i64 {k}, %{factor}_k") for factor in "ab")
            ys = self._loaded(b_bases, b_k, by_row[1], masked)
            for bases, sum_row in zip(a_bases, sums):
                for x, y, sum_ in zip(self._loaded(bases, a_k, by_row[0], masked), ys, sum_row):
                    a.store(a.fma(x, y, a.load(sum_)), sum_)

        if kernel.over_rows:
            each_block(lines, a, "%k_count", add, kernel.whole)
            for out_row, sum_row in zip(outs, sums):
                for first in range(0, wide, kernel.lanes):
                    part = [a.load(sum_) for sum_ in sum_row[first : first + kernel.lanes]]
                    add_lanes(lines, a, part, out_row[first])
        else:
            with lines.loop("%k_count") as k:
                add(k, lambda x: x)
            for out_row, sum_row in zip(outs, sums):
                for out, sum_ in zip(out_row, sum_row):
                    a.store(a.load(sum_), out)

    def _by_row(self, factor: str) -> bool:
        return self.kernel.over_rows or factor in self.kernel.rows

    def _start(self, m: str) -> str | None:
        if self.kernel.start != "bias":
            return self.a.constant(0.0) if self.kernel.start == "zero" else None
        pointer = self._at("%bias", (m, "%bias_m"))
        return self.a.splat(self.lines.put(f"load double, ptr {pointer}, align 8"))

    def _loaded(
        self, bases: Sequence[str], shift: str, by_row: bool, masked: Callable[[str], str]
    ) -> list[str]:
        """Return a factor for each of ``bases``, those that are the same loaded once."""
        known: dict[str, str] = {}
        for base in dict.fromkeys(bases):
            pointer = self.lines.put(f"getelementptr inbounds double, ptr {base}, i64 {shift}")
            if by_row:
                known[base] = masked(self.a.load(pointer))
            else:
                number = self.lines.put(f"load double, ptr {pointer}, align 8")
                known[base] = self.a.splat(number)
        return [known[base] for base in bases]

    def _at(self, base: str, *axes: tuple[str, str]) -> str:
        for index, stride in axes:
            place = self.lines.put(f"mul nsw i64 {index}, {stride}")
            base = self.lines.put(f"getelementptr inbounds double, ptr {base}, i64 {place}")
        return base


def each_block(
    lines: Lines,
    a: Arithmetic,
    rows: str,
    do: Callable[[str, Callable[[str], str]], None],
    whole: bool,
) -> None:
    """Do ``do`` for each block of ``rows``; in the last one empty lanes count as 0."""
    full = lines.put(f"sdiv i64 {rows}, {a.lanes}")
    with lines.when(lines.put(f"icmp sgt i64 {full}, 0")), lines.loop(full) as block:
        do(block, lambda x: x)
    if a.lanes == 1 or whole:
        return
    rest = lines.put(f"srem i64 {rows}, {a.lanes}")
    with lines.when(lines.put(f"icmp sgt i64 {rest}, 0")):
        numbered = f"<{', '.join(f'i64 {i}' for i in range(a.lanes))}>"
        one = lines.put(f"insertelement {a.ints} poison, i64 {rest}, i64 0")
        zeros = f"<{a.lanes} x i32> zeroinitializer"
        limit = lines.put(f"shufflevector {a.ints} {one}, {a.ints} poison, {zeros}")
        inside = lines.put(f"icmp slt {a.ints} {numbered}, {limit}")
        do(full, lambda x: a.select(inside, x, a.constant(0.0)))


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


def tiles(count: int, sizes: Sequence[int]) -> list[tuple[int, int, int]]:
    """Return ``count`` cut into parts of whole tiles: the first, the size, the tile's size."""
    exact = next((size for size in sizes if count % size == 0), None)
    if exact:
        return [(0, count, exact)]
    found, first = [], 0
    for size in (*sizes, 1):
        part = (count - first) // size * size
        if part:
            found.append((first, part, size))
            first += part
    return found
