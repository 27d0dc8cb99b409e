"""The lowering to LLVM's intermediate representation: text, with generated names alone.

``@run`` takes the inputs that all rows share, the rows as columns (one for each input, so that
neighbouring rows lie side by side and fill the lanes of a vector), and where to put the outputs.
Rows are taken a tile at a time, small enough for the cache. Phases read and write three memories:
``%p`` and ``%x`` are inputs, ``%t`` holds numbers that all rows share, ``%v`` those of each row.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from microgradient.compiler.llvm.addresses import BLOCKS, SPACING
from microgradient.compiler.llvm.buffers import padded
from microgradient.compiler.llvm.builder import Lines, number
from microgradient.compiler.llvm.contraction import Contraction
from microgradient.compiler.llvm.instructions import LIBRARY, NATIVE
from microgradient.compiler.llvm.layer import LayerPhase
from microgradient.compiler.llvm.nest import LoopPhase
from microgradient.compiler.llvm.outputs import Outputs
from microgradient.compiler.llvm.vector_math import definition
from microgradient.compiler.loops.nests import Loop, Schedule
from microgradient.compiler.loops.schedule import scheduled
from microgradient.compiler.program.passes import expanded, fused, spelled_out
from microgradient.compiler.program.program import Program

_MANY_CALLS = 400  # of exp and its kin: with more, the code would grow too large inlined


@dataclass(frozen=True)
class Function:
    """A program as the function ``@{name}`` and what it calls; sizes of the memories it needs."""

    name: str
    bodies: tuple[str, ...]
    kernels: tuple[Contraction, ...]
    own: tuple[tuple[str, int], ...]
    lanes: int
    shared_size: int
    row_size: int


def memory_places(*functions: Function) -> list[int]:
    """Return where the two memories of each function begin, one behind the other, and the end."""
    places = [0]
    for function in functions:
        for size in (function.shared_size, function.row_size * SPACING * function.lanes):
            places.append(places[-1] + padded(size, 8))
    return places


def llvm_source(program: Program, lanes: int = 4) -> str:
    """Return ``program`` as a module's text; ``lanes`` rows are computed at a time."""
    return module_text([lowered(program, lanes)])


def lowered(
    program: Program,
    lanes: int,
    name: str = "run",
    *,
    vector: int = 4,
    accumulate: bool = False,
    whole: bool = False,
) -> Function:
    """Return ``program`` as a function; with ``accumulate`` each row's outputs are added to.

    ``vector`` is how many neighbouring numbers one instruction works on where there are no rows;
    ``whole`` promises that the number of rows is always a multiple of the lanes.
    """
    program = spelled_out(fused(expanded(program, NATIVE)))
    return _Module(program, lanes, name, vector, accumulate, whole).function()


def module_text(functions: Sequence[Function], *more: str) -> str:
    """Return one module of ``functions``, ``more`` of them, and the mathematics that they call."""
    own = dict.fromkeys(key for function in functions for key in function.own)
    kernels = {kernel.name: kernel for function in functions for kernel in function.kernels}
    parts = [body for function in functions for body in function.bodies]
    parts += [kernel.text() for kernel in kernels.values()]
    text = "\n\n".join([*parts, *more])
    inline = text.count("_1(double %r") + text.count(" x double> @") < _MANY_CALLS
    text = "\n\n".join([text, *(_definition(key, inline) for key in own)])
    declarations = "\n".join(_declarations(text))
    return f"{text}\n\n{declarations}\n\nattributes #0 = {{ alwaysinline nounwind }}\n"


def _definition(key: tuple[str, int], inline: bool) -> str:
    name, lanes = key
    if lanes:
        return definition(name, lanes, inline=inline)
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

    def __init__(
        self,
        program: Program,
        lanes: int,
        name: str,
        vector: int,
        accumulate: bool,
        whole: bool,
    ) -> None:
        self.program, self.lanes, self.name, self.vector = program, lanes, name, vector
        self.accumulate, self.whole = accumulate, whole
        self.kernels: dict[str, Contraction] = {}
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
        bodies = [
            (
                LoopPhase(self, k, phase) if isinstance(phase, Loop) else LayerPhase(self, k, phase)
            ).function()
            for k, phase in enumerate(self.schedule.phases)
        ]
        zero = f"@{self.name}_zero = private unnamed_addr constant double {number(0.0)}"
        bodies += [Outputs(self).text(), _run(self), *self.tables, zero]
        return Function(
            self.name,
            tuple(bodies),
            tuple(self.kernels.values()),
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


def _run(module: _Module) -> str:
    """Return the program's function: what all rows share first, then tile by tile."""
    lines, name = Lines(), module.name
    tile = BLOCKS * module.lanes

    def call(varying: bool, x: str, blocks: str) -> None:
        for k, phase in enumerate(module.schedule.phases):
            if phase.varying == varying:
                memories = f"ptr %p, ptr {x}, i64 %stride, ptr %t, ptr %v"
                lines.do(f"call void @{name}_phase{k}({memories}, i64 {blocks})")

    def write(x: str, out: str, rows: str) -> None:
        memories = f"ptr %p, ptr {x}, i64 %stride, ptr %t, ptr %v"
        lines.do(f"call void @{name}_outputs({memories}, ptr {out}, i64 %out_stride, i64 {rows})")

    call(False, "%x", "1")
    if not module.program.rows:
        write("%x", "%out", "1")
    else:
        with lines.when(lines.put("icmp sgt i64 %n, 0")), lines.loop("%n", 0, tile) as row:
            left = lines.put(f"sub i64 %n, {row}")
            more = lines.put(f"icmp sgt i64 {left}, {tile}")
            here = lines.put(f"select i1 {more}, i64 {tile}, i64 {left}")
            over = lines.put(f"add i64 {here}, {module.lanes - 1}")
            x = lines.put(f"getelementptr inbounds double, ptr %x, i64 {row}")
            call(True, x, lines.put(f"sdiv i64 {over}, {module.lanes}"))
            out = "%out"
            if module.program.each:
                out = lines.put(f"getelementptr inbounds double, ptr %out, i64 {row}")
            write(x, out, here)
    arguments = "ptr %p, ptr %x, i64 %stride, i64 %n, ptr %out, i64 %out_stride, ptr %t, ptr %v"
    head = f"define void @{name}({arguments}) nounwind {{"
    return "\n".join([head, "entry:", *lines.lines, "  ret void", "}"])
