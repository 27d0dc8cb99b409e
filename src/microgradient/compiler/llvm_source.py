"""The lowering to LLVM's intermediate representation: text, with generated names alone.

``@run`` takes the inputs that all rows share, the rows as columns (one for each input, so that
neighbouring rows lie side by side and fill the lanes of a vector), and where to put the outputs.
Rows are taken a tile at a time, small enough for the cache. Phases read and write three memories:
``%p`` and ``%x`` are inputs, ``%t`` holds numbers that all rows share, ``%v`` those of each row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from microgradient.compiler.instructions import EMIT, LIBRARY, NATIVE, library_call
from microgradient.compiler.ir import Arithmetic, Lines, number
from microgradient.compiler.passes import expanded, fused, shared_exponentials
from microgradient.compiler.program import Program
from microgradient.compiler.schedule import (
    ROWS,
    SHARED,
    Item,
    Layer,
    Literals,
    Loop,
    Operand,
    Run,
    Schedule,
    Table,
    scheduled,
)
from microgradient.compiler.vector_math import definition
from microgradient.compiler.vocabulary import CONDITIONS
from microgradient.engine import ops

BLOCKS = 16  # blocks of rows in a tile
_PHASE = (
    "ptr noalias readonly %p, ptr noalias readonly %x, i64 %stride, ptr noalias %t, ptr noalias %v"
)


@dataclass(frozen=True)
class Function:
    """A program as the function ``@{name}`` and what it calls; sizes of the memories it needs."""

    name: str
    bodies: tuple[str, ...]
    own: tuple[tuple[str, int], ...]
    lanes: int
    shared_size: int
    row_size: int


def llvm_source(program: Program, lanes: int = 4) -> str:
    """Return ``program`` as a module's text; ``lanes`` rows are computed at a time."""
    return module_text([lowered(program, lanes)])


def lowered(
    program: Program, lanes: int, name: str = "run", *, accumulate: bool = False
) -> Function:
    """Return ``program`` as a function; with ``accumulate`` each row's outputs are added to."""
    program = shared_exponentials(fused(expanded(program, NATIVE)))
    return _Module(program, lanes, name, accumulate).function()


def module_text(functions: Sequence[Function], *more: str) -> str:
    """Return one module of ``functions``, ``more`` of them, and the mathematics that they call."""
    own = dict.fromkeys(key for function in functions for key in function.own)
    parts = [body for function in functions for body in function.bodies]
    parts += [*more, *map(_definition, own)]
    text = "\n\n".join(parts)
    declarations = "\n".join(_declarations(text))
    return f"{text}\n\n{declarations}\n\nattributes #0 = {{ alwaysinline nounwind }}\n"


def _definition(key: tuple[str, int]) -> str:
    name, lanes = key
    if lanes:
        return definition(name, lanes)
    return f"declare double @lib_{name}({', '.join(['double'] * LIBRARY[name])})"


def _declarations(text: str) -> list[str]:
    found = set()
    for result, name in re.findall(r"call (double|<\d+ x double>) (@llvm\.[\w.]+)\(", text):
        base = name.split(".")[1]
        if base == "x86":
            found.add(f"declare {result} {name}({result}, {result}, {result}, i8, i32)")
        else:
            n = {"fmuladd": 3, "copysign": 2}.get(base, 1)
            found.add(f"declare {result} {name}({', '.join([result] * n)})")
    return sorted(found)


class _Module:
    """What the phases of one program share: where its numbers are, and its tables."""

    def __init__(self, program: Program, lanes: int, name: str, accumulate: bool) -> None:
        self.program, self.lanes, self.name = program, lanes, name
        self.accumulate = accumulate
        self.schedule: Schedule = scheduled(program)
        self.functions: dict[tuple[str, int], None] = {}
        self.tables: list[str] = []
        self.bases: dict[int, int] = {}
        self.sizes = {True: 0, False: 0}
        for i, group in enumerate(self.schedule.groups):
            if group.kept:
                self.bases[i] = self.sizes[group.varying]
                self.sizes[group.varying] += len(group.slots)

    def function(self) -> Function:
        bodies = [Phase(self, k).text(phase) for k, phase in enumerate(self.schedule.phases)]
        bodies += [_outputs(self), _run(self), *self.tables]
        return Function(
            self.name,
            tuple(bodies),
            tuple(self.functions),
            self.lanes,
            self.sizes[False],
            self.sizes[True],
        )

    def table(self, items: Sequence[str], kind: str) -> str:
        """Add a constant table and return its name."""
        name = f"@{self.name}_table{len(self.tables)}"
        body = ", ".join(f"{kind} {item}" for item in items)
        self.tables.append(
            f"{name} = private unnamed_addr constant [{len(items)} x {kind}] [{body}]"
        )
        return name


class Phase:
    """One function: a loop or a layer, for all blocks of a tile."""

    def __init__(self, module: _Module, number: int) -> None:
        self.module, self.number = module, number
        self.lines = Lines()
        self.allocations: list[str] = []

    def text(self, phase: Loop | Layer) -> str:
        lanes = self.module.lanes if phase.varying else 1
        self.a = Arithmetic(self.lines, lanes)
        self.varying = phase.varying
        if isinstance(phase, Loop):
            self._loop(phase)
        else:
            self._layer(phase)
        self.module.functions.update(self.lines.functions)
        hint = "noinline " if len(self.module.schedule.phases) > 4 else ""
        return "\n".join(
            [
                f"define internal void @{self.module.name}_phase{self.number}({_PHASE}, i64 %blocks) {hint}nounwind {{",
                "entry:",
                *self.allocations,
                *self.lines.lines,
                "  ret void",
                "}",
            ]
        )

    # --- memory ----------------------------------------------------------------------------------

    def pointer(self, run: Run, member: int | str, block: str) -> str:
        """Return where a run's ``member`` is, in the block of rows that begins at row ``block``."""
        store = run.store
        first = run.first + (self.module.bases[store] if store >= 0 else 0)
        index = self._sum(first, self._product(member, run.stride))
        if store == SHARED or (store >= 0 and not self.module.schedule.groups[store].varying):
            base = "%p" if store == SHARED else "%t"
        elif store == ROWS:
            base, index = "%x", self._sum(self._product(index, "%stride"), block)
        else:
            base = "%v"
            index = self._sum(self._product(index, BLOCKS * self.module.lanes), block)
        return self.lines.put(f"getelementptr inbounds double, ptr {base}, i64 {index}")

    def _product(self, x: int | str, y: int | str) -> int | str:
        if isinstance(x, int) and isinstance(y, int):
            return x * y
        if x in (0, 1) or y in (0, 1):
            return 0 if 0 in (x, y) else y if x == 1 else x
        return self.lines.put(f"mul nsw i64 {x}, {y}")

    def _sum(self, x: int | str, y: int | str) -> int | str:
        if isinstance(x, int) and isinstance(y, int):
            return x + y
        if x == 0 or y == 0:
            return y if x == 0 else x
        return self.lines.put(f"add nsw i64 {x}, {y}")

    def is_shared(self, run: Run) -> bool:
        """Return whether all rows share these numbers."""
        store = run.store
        return store == SHARED or (store >= 0 and not self.module.schedule.groups[store].varying)

    def load(self, run: Run, member: int | str, block: str) -> str:
        """Return numbers of this phase's kind: those of a block, or one in all lanes."""
        pointer = self.pointer(run, member, block)
        if self.is_shared(run):
            return self.a.splat(self.lines.put(f"load double, ptr {pointer}, align 8"))
        return self.a.load(pointer)

    # --- loops -----------------------------------------------------------------------------------

    def _loop(self, phase: Loop) -> None:
        if phase.count == 1:
            with self._blocks() as block:
                self._items(phase.items, 0, block)
            return
        with self.lines.loop(phase.count) as member, self._blocks() as block:
            self._items(phase.items, member, block)

    @contextmanager
    def _blocks(self) -> Iterator[str]:
        """Repeat for each block of rows; the counter is the block's first row in the tile."""
        if not self.varying:
            yield "0"
            return
        with self.lines.loop("%blocks") as block:
            yield str(self._product(block, self.module.lanes))

    def _items(self, items: Sequence[Item], member: int | str, block: str) -> None:
        code = self.module.program.instructions
        values: dict[int, str] = {}
        loaded: dict[Operand, str] = {}
        for item in items:
            xs = []
            for slot, operand in zip(code[item.slots[0]].operands, item.operands):
                if slot in values:
                    xs.append(values[slot])
                    continue
                if operand not in loaded or isinstance(operand, Literals):
                    loaded[operand] = self._operand(operand, member, block)
                    if code[slot].op in CONDITIONS:
                        loaded[operand] = self.a.compare("une", loaded[operand], self.a.constant(0))
                xs.append(loaded[operand])
            value = values[item.slots[0]] = self._emit(item, xs)
            if self.module.schedule.groups[item.group].kept:
                kept = self.a.truth(value) if item.op in CONDITIONS else value
                place = Run(item.group, item.first, 1 if len(item.slots) > 1 else 0)
                self.a.store(kept, self.pointer(place, member, block))

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

    def _operand(self, operand: Operand, member: int | str, block: str) -> str:
        if isinstance(operand, Literals):
            if len({number(x) for x in operand.numbers}) == 1:
                return self.a.constant(operand.numbers[0])
            table = self.module.table([number(x) for x in operand.numbers], "double")
            pointer = self.lines.put(f"getelementptr inbounds double, ptr {table}, i64 {member}")
            return self.a.splat(self.lines.put(f"load double, ptr {pointer}, align 8"))
        if isinstance(operand, Table):
            table = self.module.table([str(index) for _, index in operand.places], "i64")
            pointer = self.lines.put(f"getelementptr inbounds i64, ptr {table}, i64 {member}")
            place = self.lines.put(f"load i64, ptr {pointer}, align 8")
            return self.load(Run(operand.places[0][0], 0, 1), place, block)
        return self.load(operand, member, block)

    # --- layers ----------------------------------------------------------------------------------

    def _layer(self, layer: Layer) -> None:
        """Tiles of neurons and blocks, so that what is loaded serves several sums in registers."""
        wide, blocks = (4, 2) if self.varying else (4, 1)
        if layer.count <= 6:
            wide = layer.count
        elif layer.count % 6 == 0 and self.a.lanes == 8:
            wide = 6
        whole = layer.count // wide * wide
        with self.lines.loop(whole, 0, wide) as first:
            self._tile(layer, first, wide, blocks)
        if layer.count > whole:
            self._tile(layer, whole, layer.count - whole, blocks)

    def _tile(self, layer: Layer, first: int | str, wide: int, blocks: int) -> None:
        if not self.varying:
            self._dots(layer, first, wide, ["0"])
            return
        lanes = self.module.lanes
        pairs = self.lines.put("and i64 %blocks, -2")
        with self.lines.when(self.lines.put(f"icmp sgt i64 {pairs}, 0")):
            with self.lines.loop(pairs, 0, blocks) as block:
                row = str(self._product(block, lanes))
                self._dots(layer, first, wide, [row, str(self._sum(row, lanes))])
        odd = self.lines.put("trunc i64 %blocks to i1")
        with self.lines.when(odd):
            self._dots(layer, first, wide, [str(self._product(pairs, lanes))])

    def _dots(self, layer: Layer, first: int | str, wide: int, blocks: Sequence[str]) -> None:
        members = [self._sum(first, j) for j in range(wide)]
        sums = [[self._accumulator() for _ in blocks] for _ in members]
        for member, row in zip(members, sums):
            for block, sum_ in zip(blocks, row):
                start = self.load(layer.bias, member, block) if layer.bias else self.a.constant(0.0)
                self.a.store(start, sum_)
        for term in layer.terms:
            if term.count == 1:
                self._step(term, 0, members, blocks, sums)
                continue
            with self.lines.loop(term.count) as i:
                self._step(term, i, members, blocks, sums)
        for member, row in zip(members, sums):
            for block, sum_ in zip(blocks, row):
                place = self.pointer(Run(layer.group, layer.first, 1), member, block)
                self.a.store(self.a.load(sum_), place)

    def _step(
        self,
        term: object,
        i: int | str,
        members: Sequence[int | str],
        blocks: Sequence[str],
        sums: Sequence[Sequence[str]],
    ) -> None:
        """Add term ``i`` to each sum; what members or blocks share is loaded once."""
        ws = self._factors(term.w, term.w_step, i, members, blocks)  # type: ignore[attr-defined]
        xs = self._factors(term.x, term.x_step, i, members, blocks)  # type: ignore[attr-defined]
        for j, row in enumerate(sums):
            for b, sum_ in enumerate(row):
                self.a.store(self.a.fma(ws[j][b], xs[j][b], self.a.load(sum_)), sum_)

    def _factors(
        self,
        run: Run,
        step: int,
        i: int | str,
        members: Sequence[int | str],
        blocks: Sequence[str],
    ) -> list[list[str]]:
        shift = self._product(i, step)
        shared = self.is_shared(run)
        known: dict[tuple[int | str, str], str] = {}
        rows = []
        for member in members if run.stride else [0]:
            index = self._sum(self._product(member, run.stride), self._sum(run.first, shift))
            row = []
            for block in blocks:
                key = (index, "" if shared else block)
                if key not in known:
                    known[key] = self.load(Run(run.store, 0, 1), index, block)
                row.append(known[key])
            rows.append(row)
        return rows if run.stride else rows * len(members)

    def _accumulator(self) -> str:
        name = self.lines.fresh()
        self.allocations.append(f"  {name} = alloca {self.a.type}, align 64")
        return name


# --- outputs ------------------------------------------------------------------------------------


def _outputs(module: _Module) -> str:
    from microgradient.compiler.llvm_outputs import outputs

    return outputs(module)


def _run(module: _Module) -> str:
    """Return ``@run``: what all rows share first, then tile by tile."""
    lines = Lines()
    phases = module.schedule.phases
    call = "ptr %p, ptr {x}, i64 %stride, ptr %t, ptr %v, i64 {blocks}"
    for k, phase in enumerate(phases):
        if not phase.varying:
            lines.do(f"call void @{module.name}_phase{k}({call.format(x='%x', blocks=1)})")
    tile = BLOCKS * module.lanes
    if not module.program.rows:
        lines.do(
            f"call void @{module.name}_outputs(ptr %p, ptr %x, i64 0, ptr %t, ptr %v, ptr %out, i64 0, i64 1)"
        )
    else:
        lines.do("br label %check")
        lines.begin("check")
        with lines.when(lines.put("icmp sgt i64 %n, 0")), lines.loop("%n", 0, tile) as row:
            left = lines.put(f"sub i64 %n, {row}")
            more = lines.put(f"icmp sgt i64 {left}, {tile}")
            here = lines.put(f"select i1 {more}, i64 {tile}, i64 {left}")
            blocks = lines.put(
                f"sdiv i64 {lines.put(f'add i64 {here}, {module.lanes - 1}')}, {module.lanes}"
            )
            x = lines.put(f"getelementptr inbounds double, ptr %x, i64 {row}")
            for k, phase in enumerate(phases):
                if phase.varying:
                    lines.do(
                        f"call void @{module.name}_phase{k}({call.format(x=x, blocks=blocks)})"
                    )
            out = "%out"
            if module.program.each:
                out = lines.put(f"getelementptr inbounds double, ptr %out, i64 {row}")
            lines.do(
                f"call void @{module.name}_outputs(ptr %p, ptr {x}, i64 %stride, ptr %t, ptr %v, ptr {out}, "
                f"i64 %out_stride, i64 {here})"
            )
    head = (
        f"define void @{module.name}(ptr %p, ptr %x, i64 %stride, i64 %n, ptr %out, i64 %out_stride, "
        "ptr %t, ptr %v) nounwind {"
    )
    return "\n".join([head, "entry:", *lines.lines, "  ret void", "}"])
