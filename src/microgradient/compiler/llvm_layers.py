"""A layer, a matrix times vectors, as one function that all layers of its kind call.

In a layer, one factor of each term is the neuron's *own* (a weight) and the other is *common* to
its neurons (an input). Neurons and blocks of rows are taken a tile at a time, so that what is
loaded serves several sums, which stay in registers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from microgradient.compiler.ir import Arithmetic, Lines, register

TILE = 6  # neurons
_PAIR = 2  # blocks


@dataclass(frozen=True)
class LayerKernel:
    """A kind of layer: lanes, which factors all rows share, how many neurons a tile has.

    ``adds`` says that the sums begin with what is there (a further stretch of terms); else they
    begin with a bias. Without ``rows`` there is one row alone.
    """

    lanes: int
    own_shared: bool
    common_shared: bool
    adds: bool
    wide: int
    rows: bool

    @property
    def name(self) -> str:
        kinds = "".join("s" if shared else "v" for shared in (self.own_shared, self.common_shared))
        kinds += "_adds" if self.adds else "_bias"
        return f"layer_{self.lanes}_{kinds}_{self.wide}{'_rows' * self.rows}"

    def text(self) -> str:
        """Return the function: neuron j of block b is ``out[j * out_stride + b * lanes]``."""
        return _Writer(self).text()


ARGUMENTS = (
    "ptr noalias %own, i64 %own_stride, i64 %own_step, ptr noalias %common, i64 %common_step, "
    "i64 %terms, ptr noalias %bias, i64 %bias_stride, ptr noalias %out, i64 %out_stride, "
    "i64 %neurons, i64 %blocks"
)


class _Writer:
    def __init__(self, kernel: LayerKernel) -> None:
        self.kernel, self.lines = kernel, Lines()
        self.a = Arithmetic(self.lines, kernel.lanes)
        self.allocations: list[str] = []

    def text(self) -> str:
        lines, wide = self.lines, self.kernel.wide
        each = self._blocks if self.kernel.rows else lambda first: self._tile(first, ["0"])
        with lines.loop("%neurons", 0, wide) as first:
            each(first)
        head = f"define internal void @{self.kernel.name}({ARGUMENTS}) noinline nounwind {{"
        return "\n".join([head, "entry:", *self.allocations, *lines.lines, "  ret void", "}"])

    def _blocks(self, first: str) -> None:
        lines, lanes = self.lines, self.kernel.lanes
        pairs = lines.put(f"and i64 %blocks, -{_PAIR}")
        some = lines.put(f"icmp sgt i64 {pairs}, 0")
        with lines.when(some), lines.loop(pairs, 0, _PAIR) as block:
            row = lines.put(f"mul nsw i64 {block}, {lanes}")
            self._tile(first, [row, lines.put(f"add nsw i64 {row}, {lanes}")])
        with lines.when(lines.put("trunc i64 %blocks to i1")):
            self._tile(first, [lines.put(f"mul nsw i64 {pairs}, {lanes}")])

    def _tile(self, first: str, rows: Sequence[str]) -> None:
        lines, a = self.lines, self.a
        neurons = [lines.put(f"add nsw i64 {first}, {j}") for j in range(self.kernel.wide)]
        outs = [[self._at("%out", "%out_stride", j, row) for row in rows] for j in neurons]
        sums = [[register(lines, self.allocations, a) for _ in rows] for _ in neurons]
        for j, out_row, sum_row in zip(neurons, outs, sums):
            bias = None if self.kernel.adds else self._bias(j)
            for out, sum_ in zip(out_row, sum_row):
                a.store(a.load(out) if bias is None else bias, sum_)
        owns = [self._at("%own", "%own_stride", j) for j in neurons]
        with lines.loop("%terms") as i:
            shift = lines.put(f"mul nsw i64 {i}, %own_step")
            common_shift = lines.put(f"mul nsw i64 {i}, %common_step")
            common = self._load("%common", common_shift, rows, self.kernel.common_shared)
            for own_base, sum_row in zip(owns, sums):
                own = self._load(own_base, shift, rows, self.kernel.own_shared)
                for x, y, sum_ in zip(own, common, sum_row):
                    a.store(a.fma(x, y, a.load(sum_)), sum_)
        for out_row, sum_row in zip(outs, sums):
            for out, sum_ in zip(out_row, sum_row):
                a.store(a.load(sum_), out)

    def _bias(self, neuron: str) -> str:
        pointer = self._at("%bias", "%bias_stride", neuron)
        return self.a.splat(self.lines.put(f"load double, ptr {pointer}, align 8"))

    def _load(self, base: str, shift: str, rows: Sequence[str], shared: bool) -> list[str]:
        """Return a factor for each of the blocks that begin at ``rows``."""
        if shared:
            pointer = self.lines.put(f"getelementptr inbounds double, ptr {base}, i64 {shift}")
            number = self.a.splat(self.lines.put(f"load double, ptr {pointer}, align 8"))
            return [number] * len(rows)
        places = [self.lines.put(f"add nsw i64 {shift}, {row}") for row in rows]
        return [
            self.a.load(self.lines.put(f"getelementptr inbounds double, ptr {base}, i64 {place}"))
            for place in places
        ]

    def _at(self, base: str, stride: str, neuron: str, row: str = "0") -> str:
        place = self.lines.put(f"mul nsw i64 {neuron}, {stride}")
        if row != "0":
            place = self.lines.put(f"add nsw i64 {place}, {row}")
        return self.lines.put(f"getelementptr inbounds double, ptr {base}, i64 {place}")


def tiles(count: int) -> list[tuple[int, int, int]]:
    """Return stretches of ``count`` neurons: where each begins, its size, its tile's size."""
    found: list[tuple[int, int, int]] = []
    first = 0
    for wide in (TILE, 4, 2, 1) if count % 4 or count % TILE == 0 else (4,):
        size = (count - first) // wide * wide
        if size:
            found.append((first, size, wide))
            first += size
    return found
