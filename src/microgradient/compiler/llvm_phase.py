"""One phase of a program, a loop or a layer, as a function over all blocks of a tile of rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from microgradient.compiler.instructions import EMIT, LIBRARY, corrected, library_call, two_sum
from microgradient.compiler.ir import Arithmetic, Lines, number
from microgradient.compiler.llvm_layers import LayerKernel, tiles
from microgradient.compiler.llvm_products import register
from microgradient.compiler.loops import (
    ROWS,
    SHARED,
    Item,
    Layer,
    Literals,
    Loop,
    Operand,
    Run,
    Table,
    Term,
)
from microgradient.compiler.vocabulary import CONDITIONS
from microgradient.engine import ops

_LONG_SUM = 24  # terms; fewer are written out
BLOCKS = 16  # blocks of rows in a tile
_HEAD = (
    "(ptr noalias readonly %p, ptr noalias readonly %x, i64 %stride, ptr noalias %t, "
    "ptr noalias %v, i64 %blocks)"
)


Member = int | str | tuple[str, str]
"""Which member of a group: a number, a counter, or the counters of a loop and one within it."""


class Writer:
    """Lines of a function that reads a program's memories, over one number or lanes of them."""

    def __init__(self, module: Any, lanes: int) -> None:
        self.module, self.lines = module, Lines()
        self.a = Arithmetic(self.lines, lanes)

    def product(self, x: int | str, y: int | str) -> int | str:
        if isinstance(x, int) and isinstance(y, int):
            return x * y
        x, y = (int(z) if isinstance(z, str) and z.isdigit() else z for z in (x, y))
        if isinstance(x, int) and isinstance(y, int):
            return x * y
        if x in (0, 1) or y in (0, 1):
            return 0 if 0 in (x, y) else y if x == 1 else x
        return self.lines.put(f"mul nsw i64 {x}, {y}")

    def sum(self, x: int | str, y: int | str) -> int | str:
        if isinstance(x, int) and isinstance(y, int):
            return x + y
        if x in (0, "0") or y in (0, "0"):
            return y if x in (0, "0") else x
        return self.lines.put(f"add nsw i64 {x}, {y}")

    def is_shared(self, run: Run) -> bool:
        """Return whether all rows share these numbers."""
        store = run.store
        return store == SHARED or (store >= 0 and not self.module.schedule.groups[store].varying)

    def offset(self, run: Run, member: Member) -> int | str:
        """Return how far a run's ``member`` is from its first; a pair is one of a loop within."""
        if isinstance(member, tuple):
            outer, inner = member
            return self.sum(self.product(outer, run.jump), self.product(inner, run.stride))
        return self.product(member, run.stride)

    def pointer(self, run: Run, member: Member, block: str) -> str:
        """Return where a run's ``member`` is, in the block of rows that begins at row ``block``."""
        store = run.store
        first = run.first + (self.module.bases[store] if store >= 0 else 0)
        index = self.sum(first, self.offset(run, member))
        if self.is_shared(run):
            base = "%p" if store == SHARED else "%t"
        elif store == ROWS:
            base, index = "%x", self.sum(self.product(index, "%stride"), block)
        else:
            base = "%v"
            index = self.sum(self.product(index, BLOCKS * self.module.lanes), block)
        return self.lines.put(f"getelementptr inbounds double, ptr {base}, i64 {index}")

    def distance(self, run: Run, places: int) -> int | str:
        """Return how many doubles apart numbers of a run's store are that are ``places`` apart."""
        if self.is_shared(run):
            return places
        return self.product(places, "%stride" if run.store == ROWS else BLOCKS * self.module.lanes)

    def load(self, run: Run, member: Member, block: str) -> str:
        """Return numbers of this function's kind: those of a block, or one in all lanes."""
        pointer = self.pointer(run, member, block)
        if self.is_shared(run):
            return self.a.splat(self.lines.put(f"load double, ptr {pointer}, align 8"))
        return self.a.load(pointer)


class Phase(Writer):
    """The function of one phase."""

    def __init__(self, module: Any, number_: int, phase: Loop | Layer) -> None:
        super().__init__(module, module.lanes if phase.varying else 1)
        self.name = f"{module.name}_phase{number_}"
        self.phase, self.varying = phase, phase.varying
        self.allocations: list[str] = []

    def text(self) -> str:
        if isinstance(self.phase, Loop):
            self._loop(self.phase)
        else:
            self._layer(self.phase)
        self.module.functions.update(self.lines.functions)
        hint = "noinline " if len(self.module.schedule.phases) > 4 else ""
        head = f"define internal void @{self.name}{_HEAD} {hint}nounwind {{"
        return "\n".join([head, "entry:", *self.allocations, *self.lines.lines, "  ret void", "}"])

    # --- loops -----------------------------------------------------------------------------------

    def _loop(self, phase: Loop) -> None:
        if phase.count == 1:
            with self._blocks() as block:
                self._items(phase.items, 0, block)
            return
        with self._members(phase) as member, self._blocks() as block:
            self._items(phase.items, member, block)

    @contextmanager
    def _members(self, phase: Loop | Layer) -> Iterator[Member]:
        """Repeat for each member: a loop, or one within another."""
        if phase.inner == phase.count:
            with self.lines.loop(phase.count) as member:
                yield member
        else:
            loop, turns = self.lines.loop, phase.count // phase.inner
            with loop(turns) as outer, loop(phase.inner) as inner:
                yield outer, inner

    @contextmanager
    def _blocks(self) -> Iterator[str]:
        """Repeat for each block of rows; the counter is the block's first row in the tile."""
        if not self.varying:
            yield "0"
            return
        with self.lines.loop("%blocks") as block:
            yield str(self.product(block, self.module.lanes))

    def _items(self, items: Sequence[Item], member: Member, block: str) -> None:
        code = self.module.program.instructions
        values: dict[int, str] = {}
        loaded: dict[Operand, str] = {}
        for item in items:
            stretch = self._stretch(item, values)
            if stretch is not None:
                values[item.slots[0]] = self._total(*stretch, member, block)
                self._keep(item, values[item.slots[0]], member, block)
                continue
            xs = []
            for slot, operand in zip(code[item.slots[0]].operands, item.operands):
                if slot in values:
                    xs.append(values[slot])
                    continue
                if operand not in loaded or isinstance(operand, Literals):
                    loaded[operand] = self._operand(operand, item.inner, member, block)
                    if code[slot].op in CONDITIONS:
                        loaded[operand] = self.a.compare("une", loaded[operand], self.a.constant(0))
                xs.append(loaded[operand])
            value = values[item.slots[0]] = self._emit(item, xs)
            self._keep(item, value, member, block)

    def _keep(self, item: Item, value: str, member: Member, block: str) -> None:
        if self.module.schedule.groups[item.group].kept:
            kept = self.a.truth(value) if item.op in CONDITIONS else value
            place = Run(item.group, item.first, 1 if len(item.slots) > 1 else 0, item.inner)
            self.a.store(kept, self.pointer(place, member, block))

    def _stretch(self, item: Item, values: Mapping[int, str]) -> tuple[Run, int, int] | None:
        """Return where the terms of a long sum lie, if at equal distances in memory."""
        runs = item.operands
        if item.op is not ops.fsum or len(runs) < _LONG_SUM:
            return None
        operands = self.module.program.instructions[item.slots[0]].operands
        first, second = runs[:2]
        if not (isinstance(first, Run) and isinstance(second, Run)):
            return None
        step = second.first - first.first
        regular = [first._replace(first=first.first + k * step) for k in range(len(runs))]
        if list(runs) != regular or any(slot in values for slot in operands):
            return None
        return first, step, len(runs)

    def _total(self, run: Run, step: int, count: int, member: Member, block: str) -> str:
        """Return a sum of many terms: as ``fsum`` of a few, in a loop."""
        sum_, lost = (register(self.lines, self.allocations, self.a) for _ in range(2))
        for place in (sum_, lost):
            self.a.store(self.a.constant(0.0), place)
        base = self.sum(run.first, self.offset(run, member))
        with self.lines.loop(count) as k:
            x = self.load(Run(run.store, 0, 1), self.sum(base, self.product(k, step)), block)
            so_far = self.a.load(sum_)
            after, error = two_sum(self.a, so_far, x, self.a.load(lost))
            self.a.store(after, sum_)
            self.a.store(error, lost)
        return corrected(self.a, self.a.load(sum_), self.a.load(lost))

    def _emit(self, item: Item, xs: Sequence[str]) -> str:
        if item.op is ops.exp and self._is_minus_size(item):
            return self.a.own("exp_falling", *xs)
        if item.op.name in LIBRARY:
            return library_call(self.a, item.op.name, *xs)
        return EMIT[item.op.name](self.a, *xs)

    def _is_minus_size(self, item: Item) -> bool:
        """Return whether the operand is -|x|, which cannot overflow."""
        code = self.module.program.instructions
        operand = code[code[item.slots[0]].operands[0]]
        return operand.op is ops.neg and code[operand.operands[0]].op is ops.abs

    def _operand(self, operand: Operand, inner: int, member: Member, block: str) -> str:
        if isinstance(operand, Literals):
            if len({number(x) for x in operand.numbers}) == 1:
                return self.a.constant(operand.numbers[0])
            table = self.module.table([number(x) for x in operand.numbers], "double")
            flat = self.offset(Run(0, 0, 1, inner), member)
            pointer = self.lines.put(f"getelementptr inbounds double, ptr {table}, i64 {flat}")
            return self.a.splat(self.lines.put(f"load double, ptr {pointer}, align 8"))
        if isinstance(operand, Table):
            table = self.module.table([str(index) for _, index in operand.places], "i64")
            flat = self.offset(Run(0, 0, 1, inner), member)
            pointer = self.lines.put(f"getelementptr inbounds i64, ptr {table}, i64 {flat}")
            place = self.lines.put(f"load i64, ptr {pointer}, align 8")
            return self.load(Run(operand.places[0][0], 0, 1), place, block)
        return self.load(operand, member, block)

    # --- layers ----------------------------------------------------------------------------------

    def _layer(self, layer: Layer) -> None:
        if layer.inner == layer.count:
            self._calls(layer, "0")
        else:
            with self.lines.loop(layer.count // layer.inner) as turn:
                self._calls(layer, turn)

    def _calls(self, layer: Layer, turn: str) -> None:
        """Call a kernel for each stretch of neurons and of terms."""
        neurons = self._side_by_side(layer, turn) if self.a.lanes == 1 else 0
        for first, size, wide in tiles(layer.inner - neurons):
            start = (turn, str(first + neurons))
            for k, term in enumerate(layer.terms):
                own, own_step, common, common_step = _factors(term)
                kinds = self.is_shared(own), self.is_shared(common)
                self._call(
                    LayerKernel(self.a.lanes, *kinds, k > 0, wide),
                    (self.pointer(own, start, "0"), self.distance(own, own.stride)),
                    self.distance(own, own_step),
                    self.pointer(common, (turn, "0"), "0"),
                    self.distance(common, common_step),
                    term.count,
                    self._bias(layer, start),
                    (self._out(layer, start), self.distance(self._place(layer), 1)),
                    (size, "%blocks"),
                )

    def _side_by_side(self, layer: Layer, turn: str) -> int:
        """Compute neurons whose weights lie side by side in the lanes of vectors; return how many.

        To the kernel they are rows, and the common factor is the weight of its only neuron.
        """
        lanes = self.module.vector
        count = layer.inner // lanes * lanes
        factors = [_factors(term) for term in layer.terms]
        if not count or any(own.stride != 1 for own, _, _, _ in factors):
            return 0
        if layer.bias is not None and layer.bias.stride:
            return 0
        start = (turn, "0")
        for k, (term, (own, own_step, common, common_step)) in enumerate(zip(layer.terms, factors)):
            self._call(
                LayerKernel(lanes, True, False, k > 0, 1),
                (self.pointer(common, start, "0"), 0),
                common_step,
                self.pointer(own, start, "0"),
                own_step,
                term.count,
                self._bias(layer, start),
                (self._out(layer, start), 0),
                (1, count // lanes),
            )
        return count

    def _call(
        self,
        kernel: LayerKernel,
        own: tuple[str, int | str],
        own_step: int | str,
        common: str,
        common_step: int | str,
        terms: int,
        bias: tuple[str, int],
        out: tuple[str, int | str],
        counts: tuple[int, int | str],
    ) -> None:
        self.module.kernels[kernel.name] = kernel
        operands = [
            f"ptr {own[0]}, i64 {own[1]}, i64 {own_step}",
            f"ptr {common}, i64 {common_step}, i64 {terms}",
            f"ptr {bias[0]}, i64 {bias[1]}",
            f"ptr {out[0]}, i64 {out[1]}",
            f"i64 {counts[0]}, i64 {counts[1]}",
        ]
        self.lines.do(f"call void @{kernel.name}({', '.join(operands)})")

    def _bias(self, layer: Layer, start: tuple[str, str]) -> tuple[str, int]:
        if layer.bias is None:
            return f"@{self.module.name}_zero", 0
        return self.pointer(layer.bias, start, "0"), layer.bias.stride

    def _place(self, layer: Layer) -> Run:
        return Run(layer.group, layer.first, 1, layer.inner)

    def _out(self, layer: Layer, start: tuple[str, str]) -> str:
        return self.pointer(self._place(layer), start, "0")


def _factors(term: Term) -> tuple[Run, int, Run, int]:
    """Return the factor that is each neuron's own and its step, then the common one's."""
    if term.w.stride or not term.x.stride:
        return term.w, term.w_step, term.x, term.x_step
    return term.x, term.x_step, term.w, term.w_step
