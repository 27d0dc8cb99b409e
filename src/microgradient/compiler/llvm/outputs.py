"""The outputs of a program for the examples of a tile: copied, or summed over them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from microgradient.compiler.llvm.addresses import Addresses, Layout
from microgradient.compiler.llvm.builder import Function, Index
from microgradient.compiler.llvm.contraction import weight_gradient
from microgradient.compiler.llvm.lanes import Lanes, Vector
from microgradient.compiler.llvm.reduction import Masked, add, add_lanes, each_block
from microgradient.compiler.loops.nests import Access, Contraction, Literals, Nest

ARGUMENTS = "ptr %p, ptr %x, i64 %stride, ptr %t, ptr %v, ptr %out, i64 %out_stride, i64 %examples"


class OutputFunction(Addresses):
    """The function that writes the outputs of ``%examples`` examples, or of none in particular.

    ``accumulate`` adds outputs that are kept for each example to what is there. ``whole`` promises
    that all lanes are filled.
    """

    def __init__(self, layout: Layout, batched: bool, accumulate: bool, whole: bool) -> None:
        super().__init__(layout, layout.lanes if batched else 1)
        self._batched, self._accumulate, self._whole = batched, accumulate, whole
        self._one = Lanes(self.builder, 1)

    def function(self, name: str, nests: Sequence[Nest | Contraction]) -> Function:
        for nest in nests:
            if isinstance(nest, Contraction):
                weight_gradient(self, nest, "%examples", whole=self._whole)
            elif not self._batched:
                self._copy(nest)
            elif self.layout.keeps_each:
                self._keep_each(nest)
            else:
                self._sum(nest)
        head = f"internal void @{name}({ARGUMENTS}) noinline nounwind"
        return self.builder.function(head, name)

    def _copy(self, nest: Nest) -> None:
        (statement,) = nest.statements
        with self.turns(nest.extents) as turn:
            x = self._number(statement.operands[0], turn, 0)
            self.lanes.store(x, self.pointer(statement.target, turn))

    def _keep_each(self, nest: Nest) -> None:
        (statement,) = nest.statements
        with self.turns(nest.extents) as turn, self._blocks() as block:
            x, out = self._number(statement.operands[0], turn, block), statement.target
            pointer = self.pointer(out, turn, block)
            if self._accumulate:
                add(x, pointer)
            else:
                self.lanes.store(x, pointer)

    @contextmanager
    def _blocks(self) -> Iterator[Index]:
        lanes = self.lanes.count
        over = self.builder.integer("add", "%examples", lanes - 1)
        with self.builder.loop(self.builder.integer("sdiv", over, lanes)) as block:
            yield self._times(block, lanes)

    def _number(self, operand: object, turn: tuple[Index, ...], block: Index) -> Vector:
        if isinstance(operand, Literals):
            return self.lanes.constant(operand.numbers[0])
        assert isinstance(operand, Access)
        return self.load(operand, turn, block)

    # --- sums over the examples -------------------------------------------------------------------

    def _sum(self, nest: Nest) -> None:
        (statement,) = nest.statements
        x, out = statement.operands[0], statement.target
        if isinstance(x, Access) and not self.layout.is_uniform(x):
            self._sum_varying(x, out, nest.extents)
            return
        count = self._one.vector("sitofp i64 %examples to double")
        with self.turns(nest.extents) as turn:
            if isinstance(x, Literals):
                number = self._one.constant(x.numbers[0])
            else:
                assert isinstance(x, Access)
                number = self._one.load(self.pointer(x, turn))
            add(number * count, self.pointer(out, turn))

    def _sum_varying(self, x: Access, out: Access, extents: tuple[int, ...]) -> None:
        """Sum as many outputs at once as there are lanes, which are added at the end."""
        lanes = self.lanes
        turns = [(i,) for i in range(extents[0])] if extents else [()]
        for first in range(0, len(turns), lanes.count):
            some = turns[first : first + lanes.count]
            totals = [lanes.allocate() for _ in some]
            for total in totals:
                lanes.store(lanes.constant(0.0), total)

            def do(
                block: Index,
                masked: Masked,
                some: Sequence[tuple[int, ...]] = some,
                totals: Sequence[str] = totals,
            ) -> None:
                place = self._times(block, lanes.count)
                for turn, total in zip(some, totals):
                    add(masked(self.load(x, turn, place)), total)

            each_block(lanes, "%examples", do, whole=self._whole)
            step = out.strides[0] if out.strides else 1
            pointer = self.pointer(out, some[0])
            add_lanes(lanes, [lanes.load(total) for total in totals], pointer, step)
