"""A loop of a program, or instructions written out, as a function over all blocks of rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from microgradient.compiler.llvm.addresses import Member, PhaseWriter
from microgradient.compiler.llvm.builder import number, register
from microgradient.compiler.llvm.instructions import EMIT, LIBRARY, corrected, library_call, two_sum
from microgradient.compiler.loops.nests import Item, Literals, Loop, Operand, Run, Table
from microgradient.compiler.program.primitives import CONDITIONS
from microgradient.engine import ops

_LONG_SUM = 24  # terms; fewer are written out
_TOGETHER = (4, 3, 2, 1)  # members done side by side: one chain alone leaves the processor waiting


class LoopPhase(PhaseWriter):
    """The function of a loop, or of instructions written out."""

    def __init__(self, module: Any, number: int, loop: Loop) -> None:
        super().__init__(module, number, loop)
        self._loop(loop)

    def _loop(self, phase: Loop) -> None:
        if phase.count == 1:
            with self._blocks() as block:
                self._items(phase.items, [0], block)
            return
        together = next(n for n in _TOGETHER if phase.inner % n == 0) if self.varying else 1
        with self._members(phase, together) as member, self._blocks() as block:
            members = [member, *(self._behind(member, k) for k in range(1, together))]
            self._items(phase.items, members, block)

    @contextmanager
    def _members(self, phase: Loop, step: int) -> Iterator[Member]:
        """Repeat for every ``step``-th member: a loop, or one within another."""
        if phase.inner == phase.count:
            with self.lines.loop(phase.count, 0, step) as member:
                yield member
        else:
            loop, turns = self.lines.loop, phase.count // phase.inner
            with loop(turns) as outer, loop(phase.inner, 0, step) as inner:
                yield outer, inner

    def _behind(self, member: Member, k: int) -> Member:
        if isinstance(member, tuple):
            return member[0], str(self.sum(member[1], k))
        return self.sum(member, k)

    @contextmanager
    def _blocks(self) -> Iterator[str]:
        """Repeat for each block of rows; the counter is the block's first row in the tile."""
        if not self.varying:
            yield "0"
            return
        with self.lines.loop("%blocks") as block:
            yield str(self.product(block, self.module.lanes))

    def _items(self, items: Sequence[Item], members: Sequence[Member], block: str) -> None:
        """Do each item for all ``members``: independent chains of instructions, side by side."""
        states: list[tuple[Member, dict[int, str], dict[Operand, str]]] = [
            (member, {}, {}) for member in members
        ]
        for item in items:
            for member, values, loaded in states:
                value = self._item(item, member, block, values, loaded)
                values[item.slots[0]] = value
                self._keep(item, value, member, block)

    def _item(
        self,
        item: Item,
        member: Member,
        block: str,
        values: Mapping[int, str],
        loaded: dict[Operand, str],
    ) -> str:
        stretch = self._stretch(item, values)
        if stretch is not None:
            return self._total(*stretch, member, block)
        code = self.module.program.instructions
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
        return self._emit(item, xs)

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
