"""A loop nest as an LLVM function over all blocks of a tile of examples."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from itertools import count

from microgradient.compiler.llvm.addresses import (
    ARGUMENTS,
    OUTPUT_ARGUMENTS,
    Addresses,
    Layout,
    Part,
)
from microgradient.compiler.llvm.builder import SMALLER, Index, number
from microgradient.compiler.llvm.instructions import corrected, emit, two_sum
from microgradient.compiler.llvm.lanes import Lanes, Mask, Vector
from microgradient.compiler.llvm.vector_math import fma
from microgradient.compiler.loops.nests import (
    OUTPUT,
    Access,
    Gather,
    Literals,
    Nest,
    Operand,
    Register,
    Statement,
)
from microgradient.compiler.loops.periods import repetitions
from microgradient.compiler.program.primitives import LONG_SUM, SUM
from microgradient.engine import ops

Table = Callable[[Sequence[str], str], str]
"""Adds a constant table of LLVM constants of one type, and returns its name."""


class NestFunction(Addresses):
    """The function of a nest: its statements, in each iteration and for each block.

    ``accumulate`` adds outputs to what is there.
    """

    def __init__(self, layout: Layout, nest: Nest, table: Table, accumulate: bool) -> None:
        super().__init__(layout, layout.lanes if nest.varying else 1)
        self._nest, self._table, self._accumulate = nest, table, accumulate
        self._iteration: tuple[Index, ...] = ()
        self._block: Index = 0
        self._inner: int | None = None  # the loop whose iterations are in the lanes
        self._computed: list[Vector | Mask] = []
        self._loaded: dict[Operand, Vector | Mask] = {}

    def function(self, name: str, hint: str) -> Part:
        if self._is_contiguous():
            self._iterations_in_lanes()
        else:
            with self.iterations(self._nest.extents) as self._iteration:
                if self._nest.varying and not self.layout.alone:
                    with self.builder.loop(self.blocks) as block:
                        self._block = self._times(block, self.layout.lanes)
                        self._statements()
                else:
                    self._statements()
        writes = self._nest.statements[0].target.buffer == OUTPUT
        arguments = OUTPUT_ARGUMENTS if writes else ARGUMENTS
        return self.finished(name, hint, arguments)

    def _is_contiguous(self) -> bool:
        """Return whether vectors can run along the inner loop: it reads and writes neighbours."""
        nest, width = self._nest, self.layout.vector
        if nest.varying and not self.layout.alone:
            return False
        if not nest.extents or nest.extents[-1] < width:
            return False
        for statement in nest.statements:
            if self._accumulate and statement.target.buffer == OUTPUT:
                return False  # what is computed again would be added again
            accesses: list[Operand] = [statement.target]
            if statement.target.strides[-1] != 1 or self.distance(statement.target, 1) != 1:
                return False
            accesses += statement.operands
            if any(isinstance(x, Gather) for x in accesses):
                return False
            if any(isinstance(x, Access) and x.strides[-1] not in (0, 1) for x in accesses):
                return False
        return True

    def _iterations_in_lanes(self) -> None:
        """Do neighbouring iterations at a time; a last vector computes some of them again."""
        *outer, size = self._nest.extents
        width, builder = self.layout.vector, self.builder
        self.lanes = Lanes(builder, width)
        self._inner = len(outer)
        with self.iterations(tuple(outer)) as iteration, builder.loop(size, 0, width) as i:
            first = i if size % width == 0 else builder.call(SMALLER, i, size - width)
            self._iteration = (*iteration, first)
            self._statements()

    def load(self, access: Access, iteration: Sequence[Index], block: Index = 0) -> Vector:
        if self._inner is None:
            return super().load(access, iteration, block)
        pointer = self.pointer(access, iteration, block)
        along = access.strides[self._inner] == 1
        return self.lanes.load(pointer) if along else self.lanes.load_all(pointer)

    def _statements(self) -> None:
        for statement in self._nest.statements:
            result = self._result(statement)
            self._computed.append(result)
            buffer = statement.target.buffer
            if buffer == OUTPUT or self.layout.buffers[buffer].kept:
                self._keep(result, statement.target)

    def _result(self, statement: Statement) -> Vector | Mask:
        op, operands = statement.op, statement.operands
        if op is ops.dot and len(operands) >= 2 * LONG_SUM:
            return self._dot(operands)
        if op is ops.fsum and len(operands) >= LONG_SUM:
            return self._compensated_sum(operands)
        if op is SUM:
            return self._sum(operands)
        return emit(self.lanes, op, [self._operand(x) for x in operands])

    def _keep(self, result: Vector | Mask, target: Access) -> None:
        kept = result.choose(1.0, 0.0) if isinstance(result, Mask) else result
        pointer = self.pointer(target, self._iteration, self._block)
        if target.buffer == OUTPUT and self._accumulate:
            kept = self.lanes.load(pointer) + kept
        self.lanes.store(kept, pointer)

    def _operand(self, operand: Operand) -> Vector | Mask:
        if isinstance(operand, Register):
            return self._computed[operand.statement]
        if isinstance(operand, Literals):  # not looked up: 0.0 and -0.0 are equal keys
            return self._literal(operand)
        if operand not in self._loaded:
            self._loaded[operand] = self._load(operand)
        return self._loaded[operand]

    def _literal(self, literals: Literals) -> Vector:
        texts = [number(x) for x in literals.numbers]
        if len(set(texts)) == 1:
            return self.lanes.constant(literals.numbers[0])
        entry = self._entry(texts, "double")
        if self._inner is not None:
            return self.lanes.load(entry)
        return self.lanes.splat(self.builder.load("double", entry))

    def _load(self, operand: Operand) -> Vector | Mask:
        if isinstance(operand, Gather):
            entry = self._entry([str(place) for place in operand.places], "i64")
            place = self.builder.load("i64", entry)
            loaded = self.load(Access(operand.buffer, 0, (1,)), (place,), self._block)
        else:
            assert isinstance(operand, Access)
            loaded = self.load(operand, self._iteration, self._block)
        is_condition = operand.buffer >= 0 and self.layout.buffers[operand.buffer].conditions
        return loaded.compare("une", 0.0) if is_condition else loaded

    def _entry(self, texts: Sequence[str], kind: str) -> str:
        """Return where this iteration's entry is in a table with one for each iteration."""
        flat: Index = 0
        for extent, counter in zip(self._nest.extents, self._iteration):
            flat = self._add(self._times(flat, extent), counter)
        table = self.given(self._table(texts, kind), kind)
        return self.builder.put(f"getelementptr inbounds {kind}, ptr {table}, i64 {flat}")

    def _dot(self, operands: Sequence[Operand]) -> Vector:
        """Return the sum of many products, in loops: as ``instructions.dot`` adds few."""
        lanes, n = self.lanes, len(operands) // 2
        sum_ = lanes.allocate()
        bias = operands[2 * n :]
        lanes.store(self._number(bias[0]) if bias else lanes.constant(0.0), sum_)

        def add(w: Vector, x: Vector) -> None:
            lanes.store(fma(w, x, lanes.load(sum_)), sum_)

        self._each(list(zip(operands[:n], operands[n : 2 * n])), add)
        return lanes.load(sum_)

    def _sum(self, operands: Sequence[Operand]) -> Vector:
        """Return the sum of many terms, in loops."""
        sum_ = self.lanes.allocate()
        self.lanes.store(self._number(operands[0]), sum_)
        self._each(
            [(x,) for x in operands[1:]],
            lambda x: self.lanes.store(self.lanes.load(sum_) + x, sum_),
        )
        return self.lanes.load(sum_)

    def _compensated_sum(self, operands: Sequence[Operand]) -> Vector:
        """Return the sum of many terms, in loops: as ``instructions.fsum`` adds few."""
        lanes = self.lanes
        sum_, lost = lanes.allocate(), lanes.allocate()
        for memory in (sum_, lost):
            lanes.store(lanes.constant(0.0), memory)

        def add(x: Vector) -> None:
            after, error = two_sum(lanes.load(sum_), x, lanes.load(lost))
            lanes.store(after, sum_)
            lanes.store(error, lost)

        self._each([(x,) for x in operands], add)
        return corrected(lanes.load(sum_), lanes.load(lost))

    def _each(self, terms: Sequence[tuple[Operand, ...]], do: Callable[..., None]) -> None:
        """Do something with the numbers of each term, in loops over those at equal distances.

        The distances are those in memory, so that a loop may go over the buffers of many steps.
        """
        walked = list(map(self._walk, terms, count()))
        for first, period, times in repetitions(walked):
            if times == 1:
                do(*map(self._number, terms[first]))
                continue
            with self.builder.loop(times) as k:
                for i in range(first, first + period):
                    (_, now), (_, later) = walked[i], walked[i + period]
                    steps = [b - a for a, b in zip(now, later)]
                    do(*[self._term(x, step, k) for x, step in zip(terms[i], steps)])

    def _walk(self, term: Sequence[Operand], number: int) -> tuple[Hashable, tuple[int, ...]]:
        """Return what terms in one loop share, and where the operands of this one are.

        ``number`` tells a term apart that no loop can take.
        """
        kinds: list[Hashable] = []
        places: list[int] = []
        for x in term:
            if isinstance(x, Access):
                kinds.append((self.layout.memory(x), x.strides))
                places.append(self.layout.place(x))
            elif isinstance(x, Literals) and len(set(map(float.hex, x.numbers))) == 1:
                kinds.append(x.numbers[0].hex())
                places.append(0)
            else:
                return number, ()
        return tuple(kinds), tuple(places)

    def _term(self, operand: Operand, step: int, k: Index) -> Vector:
        if not isinstance(operand, Access):
            return self._number(operand)
        every = operand._replace(strides=(*operand.strides, step))
        return self.load(every, (*self._iteration, k), self._block)

    def _number(self, operand: Operand) -> Vector:
        number = self._operand(operand)
        assert isinstance(number, Vector)
        return number
