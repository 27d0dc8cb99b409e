"""A loop nest as an LLVM function over all blocks of a tile of examples."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from microgradient.compiler.llvm.addresses import Addresses, Layout
from microgradient.compiler.llvm.builder import Function, Index, number
from microgradient.compiler.llvm.instructions import corrected, emit, two_sum
from microgradient.compiler.llvm.lanes import Mask, Vector
from microgradient.compiler.loops.nests import (
    Access,
    Extents,
    Gather,
    Literals,
    Nest,
    Operand,
    Register,
    Series,
    Statement,
)

ARGUMENTS = (
    "ptr noalias readonly %p, ptr noalias readonly %x, i64 %stride, ptr noalias %t, "
    "ptr noalias %v, i64 %blocks"
)
Table = Callable[[Sequence[str], str], str]
"""Adds a constant table of LLVM constants of one type, and returns its name."""

Turn = tuple[Index, ...]

_TOGETHER = (4, 3, 2, 1)  # turns side by side: one chain alone leaves the processor waiting


class NestFunction(Addresses):
    """The function of a nest."""

    def __init__(self, layout: Layout, nest: Nest, table: Table) -> None:
        super().__init__(layout, layout.lanes if nest.varying else 1)
        self._nest, self._table = nest, table

    def function(self, name: str, hint: str) -> Function:
        nest = self._nest
        together = 1
        if nest.varying and nest.extents:
            together = next(n for n in _TOGETHER if nest.extents[-1] % n == 0)
        with self.turns(nest.extents, together) as turn, self._blocks() as block:
            turns = [turn, *(self._further(turn, k) for k in range(1, together))]
            self._statements([_Turn(self, t, block) for t in turns])
        return self.builder.function(f"internal void @{name}({ARGUMENTS}) {hint}nounwind", name)

    @contextmanager
    def _blocks(self) -> Iterator[Index]:
        """Repeat for each block of examples; the counter is the block's first one in the tile."""
        if not self._nest.varying:
            yield 0
            return
        with self.builder.loop("%blocks") as block:
            yield self._times(block, self.layout.lanes)

    def _further(self, turn: Turn, k: int) -> Turn:
        return (*turn[:-1], self._add(turn[-1], k))

    def _statements(self, turns: Sequence[_Turn]) -> None:
        """Do each statement for all ``turns``: independent chains of instructions, side by side."""
        for statement in self._nest.statements:
            for turn in turns:
                turn.do(statement)

    def constant(self, texts: Sequence[str], kind: str, extents: Extents, turn: Turn) -> str:
        """Return the entry for ``turn`` of a table with an entry for each turn."""
        flat: Index = 0
        for extent, counter in zip(extents, turn):
            flat = self._add(self._times(flat, extent), counter)
        table = self._table(texts, kind)
        pointer = self.builder.put(f"getelementptr inbounds {kind}, ptr {table}, i64 {flat}")
        return self.builder.load(kind, pointer)

    @property
    def extents(self) -> Extents:
        return self._nest.extents


class _Turn:
    """One turn of a nest: what its statements have computed, and what has been loaded."""

    def __init__(self, to: NestFunction, turn: Turn, block: Index) -> None:
        self._to, self._turn, self._block = to, turn, block
        self._computed: list[Vector | Mask] = []
        self._loaded: dict[Operand, Vector | Mask] = {}

    def do(self, statement: Statement) -> None:
        to, operands = self._to, statement.operands
        if operands and isinstance(operands[0], Series):
            result: Vector | Mask = self._sum(operands[0])
        else:
            result = emit(to.lanes, statement.op, [self._operand(x) for x in operands])
        self._computed.append(result)
        if to.layout.buffers[statement.target.buffer].kept:
            kept = result.choose(1.0, 0.0) if isinstance(result, Mask) else result
            to.lanes.store(kept, to.pointer(statement.target, self._turn, self._block))

    def _operand(self, operand: Operand) -> Vector | Mask:
        if isinstance(operand, Register):
            return self._computed[operand.statement]
        if isinstance(operand, Literals):
            return self._literal(operand)
        if operand not in self._loaded:
            self._loaded[operand] = self._load(operand)
        return self._loaded[operand]

    def _literal(self, literals: Literals) -> Vector:
        to, texts = self._to, [number(x) for x in literals.numbers]
        if len(set(texts)) == 1:
            return to.lanes.constant(literals.numbers[0])
        return to.lanes.splat(to.constant(texts, "double", to.extents, self._turn))

    def _load(self, operand: Operand) -> Vector | Mask:
        to = self._to
        if isinstance(operand, Gather):
            places = [str(place) for place in operand.places]
            place = to.constant(places, "i64", to.extents, self._turn)
            loaded = to.load(Access(operand.buffer, 0, (1,)), (place,), self._block)
        else:
            assert isinstance(operand, Access)
            loaded = to.load(operand, self._turn, self._block)
        is_condition = operand.buffer >= 0 and to.layout.buffers[operand.buffer].conditions
        return loaded.compare("une", 0.0) if is_condition else loaded

    def _sum(self, series: Series) -> Vector:
        """Return the sum of many terms, in a loop: as ``instructions.fsum`` adds few."""
        to, access = self._to, series.access
        sum_, lost = to.lanes.allocate(), to.lanes.allocate()
        for memory in (sum_, lost):
            to.lanes.store(to.lanes.constant(0.0), memory)
        every = access._replace(strides=(*access.strides, series.step))
        with to.builder.loop(series.size) as k:
            x = to.load(every, (*self._turn, k), self._block)
            after, error = two_sum(to.lanes.load(sum_), x, to.lanes.load(lost))
            to.lanes.store(after, sum_)
            to.lanes.store(error, lost)
        return corrected(to.lanes.load(sum_), to.lanes.load(lost))
