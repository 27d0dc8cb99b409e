"""Sums of products, a tile at a time in registers: layers, and the gradients of their weights.

``out[m, n] = start + sum of a[m, n, k] * b[n, k] over k``, where the lanes are those of n or of k:

=====================  ==========================  ===================  ==============
what                   m                           n                    k
=====================  ==========================  ===================  ==============
a layer                neurons                     blocks of examples   terms
a layer, one example   1                           blocks of neurons    terms
the same               neurons                     1                    blocks of terms
weights' gradients     neurons                     inputs               blocks of
                                                                        examples
=====================  ==========================  ===================  ==============

Of one example, the lanes are those of neurons whose weights lie side by side (backwards), or else
those of a neuron's weights (forwards).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from microgradient.compiler.llvm.addresses import (
    ARGUMENTS,
    OUTPUT_ARGUMENTS,
    Addresses,
    Layout,
    Part,
)
from microgradient.compiler.llvm.builder import Builder, Callee, Function, Index
from microgradient.compiler.llvm.lanes import Lanes, Vector
from microgradient.compiler.llvm.reduction import Masked, add_lanes, each_block, lane_sums
from microgradient.compiler.loops.nests import Access, Contraction, Layer

_PARAMETERS = (
    *(("ptr noalias", "a"), ("i64", "a_m"), ("i64", "a_n"), ("i64", "a_k")),
    *(("ptr noalias", "b"), ("i64", "b_n"), ("i64", "b_k")),
    *(("ptr noalias", "bias"), ("i64", "bias_m")),
    *(("ptr noalias", "out"), ("i64", "out_m"), ("i64", "out_n")),
    *(("i64", "m_count"), ("i64", "n_count"), ("i64", "k_count")),
)
_TILE_OF_NEURONS = (6, 4)  # and two vectors: as many sums as there are registers for
_TWO_SIZES = 40  # neurons, from which on tiles of two sizes are worth their code
_TERMS = 256  # of a neuron at a time
_MANY_NEURONS = 6  # of a layer, from which on it pays to turn what it reads
_TURNED = 64  # inputs at a time
_BLOCKS_OF_NEURONS = (8, 4, 3, 2)  # vectors of neurons at once, of one example
_ROWS = (8, 6, 5, 4, 3, 2)  # neurons at once whose terms are in the lanes

Iteration = tuple[Index, ...]


@dataclass(frozen=True)
class Microkernel:
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

    def call(self, builder: Builder, **given: Index) -> None:
        """Call it with the arguments of these names; others are 0, or null."""
        types = tuple([kind.split()[0] for kind, _ in _PARAMETERS])
        callee = Callee(self.name, "void", types, lambda _: _MicrokernelFunction(self).function())
        default: dict[str, Index] = {"ptr": "null", "i64": 0}
        names = [name for _, name in _PARAMETERS]
        builder.call(callee, *[given.get(name, default[t]) for t, name in zip(types, names)])


class _MicrokernelFunction:
    def __init__(self, kernel: Microkernel) -> None:
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
        parameters = ", ".join(f"{kind} %{name}" for kind, name in _PARAMETERS)
        head = f"internal void @{kernel.name}({parameters}) noinline nounwind"
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
                    part = slice(first, first + kernel.lanes)
                    totals = [lanes.load(sum_) for sum_ in sum_row[part]]
                    add_lanes(lanes, totals, out_row[part], contiguous=True)
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


@dataclass(frozen=True)
class RowsKernel:
    """``out[m] = start[m] + a[m] . b``, ``high`` rows at a time, their terms in the lanes.

    There are at least as many terms as lanes: where the last vector would be in part empty, it
    begins earlier, and what was multiplied before counts as 0.
    """

    lanes: int
    high: int
    start: str

    _PARAMETERS = (
        *(("ptr", "a"), ("i64", "a_m"), ("ptr", "b"), ("ptr", "start"), ("i64", "start_m")),
        *(("ptr", "out"), ("i64", "out_m"), ("i64", "m_count"), ("i64", "k_count")),
    )

    @property
    def name(self) -> str:
        return f"rows_{self.lanes}_{self.high}_{self.start}"

    def call(self, builder: Builder, *arguments: Index) -> None:
        types = tuple([kind for kind, _ in self._PARAMETERS])
        builder.call(Callee(self.name, "void", types, lambda _: self._function()), *arguments)

    def _function(self) -> Function:
        builder, width = Builder(), self.lanes
        lanes, one = Lanes(builder, width), Lanes(builder, 1)
        parameters = ", ".join(f"{kind} %{name}" for kind, name in self._PARAMETERS)
        sums = [lanes.allocate() for _ in range(self.high)]
        part = builder.integer("srem", "%k_count", width)
        whole = builder.integer("sub", "%k_count", part)
        last = builder.integer("sub", "%k_count", width)
        known = lanes.first(str(builder.integer("sub", width, part)))
        is_ragged = builder.put(f"icmp sgt i64 {part}, 0")
        with builder.loop("%m_count", 0, self.high) as m:
            ms = [builder.integer("add", m, i) for i in range(self.high)]
            rows = [builder.at("%a", builder.integer("mul", i, "%a_m")) for i in ms]
            for i, sum_ in zip(ms, sums):
                lanes.store(self._start(lanes, i), sum_)

            def multiply(k: Index, masked: Masked, rows: Sequence[str] = rows) -> None:
                y = masked(lanes.load(builder.at("%b", k)))
                for row, sum_ in zip(rows, sums):
                    x = masked(lanes.load(builder.at(row, k)))
                    lanes.store(lanes.intrinsic("fmuladd", x, y, lanes.load(sum_)), sum_)

            with builder.loop(whole, 0, width) as k:
                multiply(k, lambda x: x)
            with builder.when(is_ragged):
                multiply(last, lambda x: known.choose(0.0, x))
            for first in range(0, self.high, width):
                totals = lane_sums(lanes, [lanes.load(x) for x in sums[first : first + width]])
                for j, i in enumerate(ms[first : first + width]):
                    out = builder.at("%out", builder.integer("mul", i, "%out_m"))
                    one.store(totals.lane(j), out)
        head = f"internal void @{self.name}({parameters}) noinline nounwind"
        return builder.function(head, self.name)

    def _start(self, lanes: Lanes, m: Index) -> Vector:
        """Return what the sum begins with: the start in one lane, 0 in the others."""
        zero = lanes.constant(0.0)
        if self.start == "zero":
            return zero
        builder = lanes.builder
        start = builder.load("double", builder.at("%start", builder.integer("mul", m, "%start_m")))
        return lanes.vector(f"insertelement {lanes.type} {zero.name}, double {start}, i64 0")


class LayerFunction(Addresses):
    """The function of a layer: calls of microkernels."""

    def __init__(self, layout: Layout, layer: Layer) -> None:
        self._batched = layer.varying and not layout.alone
        super().__init__(layout, layout.lanes if self._batched else 1)
        self._layer = layer

    def function(self, name: str, hint: str) -> Part:
        layer = self._layer
        *outer, neurons = layer.extents or (1,)
        with self.iterations(tuple(outer)) as iteration:
            for nest in layer.contractions:
                for part in _stretches(nest) if self._batched else (nest,):
                    done = 0 if self._batched else self._in_lanes(part, iteration, neurons)
                    for first, size, high in _tiles_of_neurons(neurons - done):
                        self._neurons(part, (*iteration, done + first), size, high)
        return self.finished(name, hint, ARGUMENTS)

    def _neurons(self, nest: Contraction, first: Iteration, size: int, high: int) -> None:
        """Compute ``size`` neurons from the iteration ``first`` on, examples in the lanes."""
        layout, batched, lanes = self.layout, self._batched, self.lanes.count
        vectors = "a" * (not layout.is_uniform(nest.a)) + "b" * (not layout.is_uniform(nest.b))
        Microkernel(lanes, high, 2 if batched else 1, vectors, _start(nest)).call(
            self.builder,
            **self._factor("a", nest.a, first, n=lanes),
            a_m=self._stride(nest.a, -2),
            **self._factor("b", nest.b, first, n=lanes),
            **self._bias(nest, first),
            out=self.pointer(nest.target, first),
            out_m=self._stride(nest.target, -1),
            out_n=lanes,
            m_count=size,
            n_count=self.blocks if batched else 1,
            k_count=nest.extents[-1],
        )

    def _in_lanes(self, nest: Contraction, outer: Iteration, neurons: int) -> int:
        """Compute neurons of one example by vectors; return how many."""
        lanes = self.layout.vector
        a_m, a_k = self._stride(nest.a, -2), self._stride(nest.a, -1)
        b_k, out_m = self._stride(nest.b, -1), self._stride(nest.target, -1)
        if a_m == 1 and out_m in (0, 1) and not self._bias(nest, (*outer, 0)).get("bias_m"):
            return self._neurons_in_lanes(nest, outer, neurons)
        if a_k == b_k == 1 and nest.extents[-1] >= lanes:
            self._terms_in_lanes(nest, outer, neurons)
            return neurons
        return 0

    def _neurons_in_lanes(self, nest: Contraction, outer: Iteration, neurons: int) -> int:
        """Compute neurons whose weights lie side by side in the lanes of vectors; return how many.

        To the kernel they are examples, and the common factor is the weight of its only neuron. A
        last vector computes some neurons again, if nothing is added to what is there.
        """
        lanes = self.layout.vector
        parts = [
            (first * lanes, size, wide)
            for first, size, wide in tiles(neurons // lanes, _BLOCKS_OF_NEURONS)
        ]
        done = neurons // lanes * lanes
        if lanes < neurons and done < neurons and _start(nest) != "out":
            parts.append((neurons - lanes, 1, 1))
            done = neurons
        for first, size, wide in parts:
            place = (*outer, first)
            Microkernel(lanes, 1, wide, "b", _start(nest)).call(
                self.builder,
                **self._factor("a", nest.b, place, n=lanes),
                **self._factor("b", nest.a, place, n=lanes),
                **self._bias(nest, place),
                out=self.pointer(nest.target, place),
                out_n=lanes,
                m_count=1,
                n_count=size,
                k_count=nest.extents[-1],
            )
        return done

    def _terms_in_lanes(self, nest: Contraction, outer: Iteration, neurons: int) -> None:
        """Compute all neurons, the terms of each in the lanes."""
        start, out_m = _start(nest), self._stride(nest.target, -1)
        for first, size, high in tiles(neurons, _ROWS):
            place = (*outer, first)
            out, bias = self.pointer(nest.target, place), self._bias(nest, place)
            begin, begin_m = (out, out_m) if start == "out" else (bias.get("bias", "null"), 0)
            RowsKernel(self.layout.vector, high, start).call(
                self.builder,
                *(self.pointer(nest.a, (*place, 0)), self._stride(nest.a, -2)),
                *(self.pointer(nest.b, (*place, 0)), begin, bias.get("bias_m", begin_m)),
                *(out, out_m, size, nest.extents[-1]),
            )

    def _factor(self, name: str, access: Access, first: Iteration, n: int) -> dict[str, Index]:
        address = self.pointer(access, (*first, 0))
        return {name: address, f"{name}_n": n, f"{name}_k": self._stride(access, -1)}

    def _bias(self, nest: Contraction, first: Iteration) -> dict[str, Index]:
        if nest.start in (None, nest.target):
            return {}
        assert nest.start is not None
        return {"bias": self.pointer(nest.start, first), "bias_m": self._stride(nest.start, -1)}

    def _stride(self, access: Access, loop: int) -> Index:
        """Return how far apart numbers are in neighbouring iterations of a loop, in doubles."""
        if len(access.strides) < -loop:
            return 0
        return self.distance(access, access.strides[loop])


def _stretches(nest: Contraction) -> Iterator[Contraction]:
    """Yield a contraction of many terms in parts of equal size: its weights then stay in cache."""
    *outer, terms = nest.extents
    size = -(-terms // -(-terms // _TERMS))
    for first in range(0, terms, size):
        yield Contraction(
            (*outer, min(size, terms - first)),
            *(_moved(nest.a, first), _moved(nest.b, first)),
            *(nest.target if first else nest.start, nest.target),
        )


def _moved(access: Access, terms: int) -> Access:
    """Return the access that begins some terms further on."""
    return access._replace(first=access.first + terms * access.strides[-1])


def _start(nest: Contraction) -> str:
    return "zero" if nest.start is None else "out" if nest.start == nest.target else "bias"


class GradientFunction(Addresses):
    """The function that adds the gradient of a layer's weights, over the batch, to outputs."""

    def __init__(self, layout: Layout, nest: Contraction, whole: bool) -> None:
        super().__init__(layout, layout.lanes)
        self._nest, self._whole = nest, whole

    def function(self, name: str, hint: str) -> Part:
        nest, lanes = self._nest, self.layout.lanes
        a, b, out = nest.a, nest.b, nest.target
        done = self._inputs_in_lanes() if scratch_of(self.layout, nest) else 0
        for i, m_count, high in tiles(nest.extents[0], (4, 3, 2)):
            for j, n_count, wide in tiles(nest.extents[1] - done, (4, 6, 3, 2)):
                j += done
                Microkernel(lanes, high, wide, "ab", "zero", True, self._whole).call(
                    self.builder,
                    a=self.pointer(a, (i, j)),
                    a_m=self.distance(a, a.strides[0]),
                    a_k=lanes,
                    b=self.pointer(b, (i, j)),
                    b_n=self.distance(b, b.strides[1]),
                    b_k=lanes,
                    out=self.pointer(out, (i, j)),
                    out_m=out.strides[0],
                    out_n=1,
                    m_count=m_count,
                    n_count=n_count,
                    k_count="%examples",
                )
        return self.finished(name, hint, OUTPUT_ARGUMENTS)

    def _inputs_in_lanes(self) -> int:
        """Add the slopes of as many weights of each neuron as fill vectors; return how many.

        What the layer read is turned first, some inputs of all examples at a time: an example after
        the other, its inputs side by side.
        """
        lanes = self.layout.lanes
        count = self._nest.extents[1] // lanes * lanes
        rest = count % _TURNED
        if count > rest:
            with self.builder.loop(count - rest, 0, _TURNED) as first:
                self._turned_inputs(first, _TURNED)
        if rest:
            self._turned_inputs(count - rest, rest)
        return count

    def _turned_inputs(self, first: Index, count: int) -> None:
        nest, lanes = self._nest, self.lanes
        scratch = self.builder.at("%v", self.layout.varying * self.layout.tile)
        with self.builder.loop(self.blocks) as block, self.builder.loop(count, 0, lanes.count) as n:
            place = self._times(block, lanes.count)
            inputs = [self._add(first, self._add(n, i)) for i in range(lanes.count)]
            columns = [self.load(nest.b, (0, n_i), place) for n_i in inputs]
            for k, row in enumerate(turned(lanes, columns)):
                start = self._times(self._add(place, k), count)
                lanes.store(row, self.builder.at(scratch, self._add(start, n)))
        for i, m_count, high in _tiles_of_neurons(nest.extents[0]):
            Microkernel(lanes.count, high, 2, "b", "out").call(
                self.builder,
                a=self.pointer(nest.a, (i, 0)),
                a_m=self.distance(nest.a, nest.a.strides[0]),
                a_k=1,
                b=scratch,
                b_n=lanes.count,
                b_k=count,
                out=self.pointer(nest.target, (i, first)),
                out_m=nest.target.strides[0],
                out_n=lanes.count,
                m_count=m_count,
                n_count=count // lanes.count,
                k_count="%examples",
            )


def scratch_of(layout: Layout, nest: Contraction) -> int:
    """Return how many doubles of memory the gradient needs for what it turns; 0 if it does not."""
    neurons, inputs = nest.extents
    pays = neurons >= _MANY_NEURONS and inputs >= layout.lanes > 1
    if not pays or nest.target.strides[1] != 1 or layout.is_uniform(nest.b):
        return 0
    return min(inputs, _TURNED) * layout.tile


def turned(lanes: Lanes, rows: Sequence[Vector]) -> list[Vector]:
    """Return the columns of a square of as many vectors as lanes."""
    found, width = list(rows), 1
    while width < lanes.count:
        for i in range(lanes.count):
            if i & width:
                continue
            x, y = found[i], found[i + width]
            low = [k - width + lanes.count if k & width else k for k in range(lanes.count)]
            high = [k + lanes.count if k & width else k + width for k in range(lanes.count)]
            found[i], found[i + width] = lanes.shuffled(x, y, low), lanes.shuffled(x, y, high)
        width *= 2
    return found


def _tiles_of_neurons(count: int) -> Iterator[tuple[int, int, int]]:
    """Yield ``count`` cut into as many large tiles as leave whole small ones, else by ``tiles``.

    Few neurons are worth no code for two sizes.
    """
    large, small = _TILE_OF_NEURONS
    if count < _TWO_SIZES:
        yield from tiles(count, _TILE_OF_NEURONS)
        return
    for whole in range(count // large * large, 0, -large):
        if (count - whole) % small == 0:
            yield 0, whole, large
            if whole < count:
                yield whole, count - whole, small
            return
    yield from tiles(count, _TILE_OF_NEURONS)


def tiles(count: int, sizes: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Yield ``count`` cut into parts of whole tiles: the first, the size, the size of its tiles."""
    exact = next((size for size in sizes if count % size == 0), None)
    first = 0
    for size in (exact,) if exact else (*sizes, 1):
        part = (count - first) // size * size
        if part:
            yield first, part, size
            first += part
