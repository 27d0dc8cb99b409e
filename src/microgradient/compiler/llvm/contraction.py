"""Sums of products, a tile at a time in registers: layers, and the gradients of their weights.

``out[m, n] = start + sum of a[m, n, k] * b[n, k] over k``, where the lanes are those of n or of k:

=====================  ==========================  ===================  ==============
what                   m                           n                    k
=====================  ==========================  ===================  ==============
a layer                neurons                     blocks of examples   terms
a layer, no batch      1                           blocks of neurons    terms
weights' gradients     neurons                     inputs               blocks of
                                                                        examples
=====================  ==========================  ===================  ==============
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from microgradient.compiler.llvm.addresses import ARGUMENTS, OUTPUT_ARGUMENTS, Addresses, Layout
from microgradient.compiler.llvm.builder import Builder, Callee, Function, Index
from microgradient.compiler.llvm.lanes import Lanes, Vector
from microgradient.compiler.llvm.reduction import Masked, add_lanes, each_block
from microgradient.compiler.loops.nests import Access, Contraction, Layer

_PARAMETERS = (
    *("ptr noalias %a", "i64 %a_m", "i64 %a_n", "i64 %a_k", "ptr noalias %b", "i64 %b_n"),
    *("i64 %b_k", "ptr noalias %bias", "i64 %bias_m", "ptr noalias %out", "i64 %out_m"),
    *("i64 %out_n", "i64 %m_count", "i64 %n_count", "i64 %k_count"),
)
_TILE_OF_NEURONS = (6, 4)  # and two blocks of examples


@dataclass(frozen=True)
class Kernel:
    """A kind of contraction: a tile of ``high`` by ``wide`` sums, and what its factors depend on.

    Of ``a`` and ``b``, the ones in ``vectors`` have a number for each lane, the others one for all.
    ``start`` is "bias", "out" (to add to it) or "zero". ``lanes_of_k``: lanes are added at the end;
    ``whole`` then promises that no block has empty ones.
    """

    lanes: int
    high: int
    wide: int
    vectors: str
    start: str
    lanes_of_k: bool = False
    whole: bool = True

    @property
    def name(self) -> str:
        flags = "_lanes_of_k" * self.lanes_of_k + "_ragged" * (not self.whole)
        return f"contract_{self.lanes}_{self.high}x{self.wide}_{self.vectors}_{self.start}{flags}"

    def callee(self) -> Callee:
        types = tuple([parameter.split()[0] for parameter in _PARAMETERS])
        return Callee(self.name, "void", types, lambda inline: _KernelFunction(self).function())


class _KernelFunction:
    def __init__(self, kernel: Kernel) -> None:
        self.kernel, self.builder = kernel, Builder()
        self.lanes = Lanes(self.builder, kernel.lanes)

    def function(self) -> Function:
        kernel, builder, wide = self.kernel, self.builder, self.kernel.wide
        with builder.loop("%m_count", 0, kernel.high) as m:
            if kernel.lanes_of_k:  # the caller sees to whole tiles
                with builder.loop("%n_count", 0, wide) as n:
                    self._tile(m, n, wide)
            elif wide == 1:  # there is one n alone
                self._tile(m, 0, 1)
            else:
                whole = builder.integer("mul", builder.integer("sdiv", "%n_count", wide), wide)
                some = builder.put(f"icmp sgt i64 {whole}, 0")
                with builder.when(some), builder.loop(whole, 0, wide) as n:
                    self._tile(m, n, wide)
                rest = builder.put(f"icmp slt i64 {whole}, %n_count")
                with builder.when(rest), builder.loop("%n_count", whole) as n:
                    self._tile(m, n, 1)
        head = f"internal void @{kernel.name}({', '.join(_PARAMETERS)}) noinline nounwind"
        return builder.function(head, kernel.name)

    def _tile(self, m: Index, n: Index, wide: int) -> None:
        kernel, lanes, builder = self.kernel, self.lanes, self.builder
        ms = [builder.integer("add", m, i) for i in range(kernel.high)]
        ns = [builder.integer("add", n, j) for j in range(wide)]
        outs = [[self._at("%out", (i, "%out_m"), (j, "%out_n")) for j in ns] for i in ms]
        sums = [[lanes.allocate() for _ in ns] for _ in ms]
        for i, out_row, sum_row in zip(ms, outs, sums):
            start = self._start(i)
            for out, sum_ in zip(out_row, sum_row):
                lanes.store(start or lanes.load(out), sum_)
        a_bases = [[self._at("%a", (i, "%a_m"))] * wide for i in ms]
        b_bases = ["%b"] * wide
        if "a" in kernel.vectors and not kernel.lanes_of_k:
            a_bases = [[self._at(row[0], (j, "%a_n")) for j in ns] for row in a_bases]
        if "b" in kernel.vectors:
            b_bases = [self._at("%b", (j, "%b_n")) for j in ns]

        def multiply(k: Index, masked: Masked) -> None:
            a_k, b_k = (builder.integer("mul", k, f"%{factor}_k") for factor in "ab")
            ys = self._loaded(b_bases, b_k, "b", masked)
            for bases, sum_row in zip(a_bases, sums):
                for x, y, sum_ in zip(self._loaded(bases, a_k, "a", masked), ys, sum_row):
                    lanes.store(lanes.intrinsic("fmuladd", x, y, lanes.load(sum_)), sum_)

        if kernel.lanes_of_k:
            each_block(lanes, "%k_count", multiply, whole=kernel.whole)
            for out_row, sum_row in zip(outs, sums):
                for first in range(0, wide, kernel.lanes):
                    part = [lanes.load(sum_) for sum_ in sum_row[first : first + kernel.lanes]]
                    add_lanes(lanes, part, out_row[first])
            return
        with builder.loop("%k_count") as k:
            multiply(k, lambda x: x)
        for out_row, sum_row in zip(outs, sums):
            for out, sum_ in zip(out_row, sum_row):
                lanes.store(lanes.load(sum_), out)

    def _start(self, m: Index) -> Vector | None:
        if self.kernel.start == "bias":
            return self.lanes.load_all(self._at("%bias", (m, "%bias_m")))
        return self.lanes.constant(0.0) if self.kernel.start == "zero" else None

    def _loaded(
        self, bases: Sequence[str], shift: Index, factor: str, masked: Masked
    ) -> list[Vector]:
        """Return a factor for each of ``bases``, those that are the same loaded once."""
        known: dict[str, Vector] = {}
        for base in dict.fromkeys(bases):
            pointer = self.builder.at(base, shift)
            if factor in self.kernel.vectors:
                known[base] = masked(self.lanes.load(pointer))
            else:
                known[base] = self.lanes.load_all(pointer)
        return [known[base] for base in bases]

    def _at(self, base: str, *axes: tuple[Index, str]) -> str:
        for index, stride in axes:
            base = self.builder.at(base, self.builder.integer("mul", index, stride))
        return base


class LayerFunction(Addresses):
    """The function of a layer: calls of kernels."""

    def __init__(self, layout: Layout, layer: Layer) -> None:
        super().__init__(layout, layout.lanes if layer.varying else 1)
        self._layer = layer

    def function(self, name: str, hint: str) -> Function:
        *outer, neurons = self._layer.extents or (1,)
        with self.turns(tuple(outer)) as turn:
            for nest in self._layer.contractions:
                done = 0 if self._layer.varying else self._neurons_in_lanes(nest, turn, neurons)
                for first, size, high in tiles(neurons - done, _TILE_OF_NEURONS):
                    self._neurons(nest, turn, done + first, size, high)
        return self.builder.function(f"internal void @{name}({ARGUMENTS}) {hint}nounwind", name)

    def _neurons(
        self, nest: Contraction, turn: tuple[Index, ...], first: int, size: int, high: int
    ) -> None:
        lanes = self.lanes.count
        vectors = "".join(
            name for name, x in (("a", nest.a), ("b", nest.b)) if not self.layout.is_uniform(x)
        )
        start, (bias, bias_m) = self._start(nest, (*turn, first))
        self._call(
            Kernel(lanes, high, 2 if self._layer.varying else 1, vectors, start),
            *(self._pointer(nest.a, turn, first), self._stride(nest.a, -2), lanes),
            *(self._stride(nest.a, -1), self._pointer(nest.b, turn, first), lanes),
            *(self._stride(nest.b, -1), bias, bias_m),
            *(self._pointer(nest.target, turn, first), self._stride(nest.target, -1), lanes),
            *(size, self.blocks if self._layer.varying else 1, nest.extents[-1]),
        )

    def _neurons_in_lanes(self, nest: Contraction, turn: tuple[Index, ...], neurons: int) -> int:
        """Compute neurons whose weights lie side by side in the lanes of vectors; return how many.

        To the kernel they are examples, and the common factor is the weight of its only neuron.
        """
        lanes = self.layout.vector
        count = neurons // lanes * lanes
        if not count or nest.a.strides[-2] != 1:
            return 0
        bias_stride = 0 if nest.start in (None, nest.target) else self._stride(nest.start, -1)
        if bias_stride:
            return 0
        start, (bias, _) = self._start(nest, (*turn, 0))
        self._call(
            Kernel(lanes, 1, 2, "b", start),
            *(self._pointer(nest.b, turn, 0), 0, lanes, self._stride(nest.b, -1)),
            *(self._pointer(nest.a, turn, 0), lanes, self._stride(nest.a, -1), bias, 0),
            *(self._pointer(nest.target, turn, 0), 0, lanes, 1, count // lanes, nest.extents[-1]),
        )
        return count

    def _start(self, nest: Contraction, turn: tuple[Index, ...]) -> tuple[str, tuple[str, Index]]:
        """Return with what the sums start, and the address and stride of the biases."""
        if nest.start is None:
            return "zero", ("null", 0)
        if nest.start == nest.target:
            return "out", ("null", 0)
        return "bias", (
            self._pointer(nest.start, turn[:-1], turn[-1]),
            self._stride(nest.start, -1),
        )

    def _pointer(self, access: Access, turn: tuple[Index, ...], neuron: Index) -> str:
        return self.pointer(access, (*turn, neuron, 0))

    def _stride(self, access: Access | None, loop: int) -> Index:
        """Return how far apart numbers are in neighbouring turns of a loop, in doubles."""
        if access is None or len(access.strides) < -loop:
            return 0
        return self.distance(access, access.strides[loop])

    def _call(self, kernel: Kernel, *arguments: Index) -> None:
        self.builder.call(kernel.callee(), *arguments)


class GradientFunction(Addresses):
    """The function that adds the gradient of a layer's weights, over the batch, to outputs."""

    def __init__(self, layout: Layout, nest: Contraction, whole: bool) -> None:
        super().__init__(layout, layout.lanes)
        self._nest, self._whole = nest, whole

    def function(self, name: str) -> Function:
        nest, lanes = self._nest, self.layout.lanes
        a, b, out = nest.a, nest.b, nest.target
        a_m, b_n = self.distance(a, a.strides[0]), self.distance(b, b.strides[1])
        for i, m_count, high in tiles(nest.extents[0], (4, 3, 2)):
            for j, n_count, wide in tiles(nest.extents[1], (4, 6, 3, 2)):
                kernel = Kernel(lanes, high, wide, "ab", "zero", True, self._whole)
                self.builder.call(
                    kernel.callee(),
                    *(self.pointer(a, (i, j)), a_m, 0, lanes),
                    *(self.pointer(b, (i, j)), b_n, lanes, "null", 0),
                    *(self.pointer(out, (i, j)), out.strides[0], 1),
                    *(m_count, n_count, "%examples"),
                )
        return self.builder.function(f"internal void @{name}({OUTPUT_ARGUMENTS}) nounwind", name)


def tiles(count: int, sizes: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Yield ``count`` cut into parts of whole tiles: the first, the size, the size of its tiles."""
    exact = next((size for size in sizes if count % size == 0), None)
    first = 0
    for size in (exact,) if exact else (*sizes, 1):
        part = (count - first) // size * size
        if part:
            yield first, part, size
            first += part
