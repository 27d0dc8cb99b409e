"""A program as an LLVM function: text that contains only generated names.

It takes the uniform inputs, the batch as columns (one for each varying input, so that neighbouring
examples lie side by side and fill the lanes of a vector), and where to put the outputs. Examples
are taken a tile at a time, small enough for the cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from microgradient.compiler.llvm.addresses import Layout, layout_of
from microgradient.compiler.llvm.buffers import padded
from microgradient.compiler.llvm.builder import Builder, Callee, Function, Module, module_of
from microgradient.compiler.llvm.contraction import GradientFunction, scratch_of
from microgradient.compiler.llvm.instructions import NATIVE
from microgradient.compiler.llvm.nest_functions import Call, NestFunctions, add_calls
from microgradient.compiler.llvm.reduction import SumFunction
from microgradient.compiler.llvm.table import ADD, KEEP, SUM, TABLED, table_call
from microgradient.compiler.loops.isomorphic import repetition
from microgradient.compiler.loops.nests import Contraction, Nest, Schedule
from microgradient.compiler.loops.schedule import scheduled
from microgradient.compiler.program.passes import legalize, optimized
from microgradient.compiler.program.program import Program
from microgradient.engine import ops

_PARAMETERS = (
    *("ptr %p", "ptr %x", "i64 %stride", "i64 %n", "ptr %out", "i64 %out_stride"),
    *("ptr %t", "ptr %v"),
)
_FEW = 200  # nests and their statements: up to so many, the functions of nests are inlined


@dataclass(frozen=True)
class ProgramFunction:
    """A program as the function ``@{name}`` and its parts, and the memory that it needs.

    ``%t`` takes ``uniform`` doubles, and ``%v`` ``varying``.
    """

    name: str
    functions: tuple[Function, ...]
    tables: tuple[str, ...]
    uniform: int
    varying: int
    parameters: tuple[str, ...] = _PARAMETERS

    @property
    def callee(self) -> Callee:
        types = tuple([parameter.split()[0] for parameter in self.parameters])
        return Callee(self.name, "void", types)


def lowered(
    program: Program,
    lanes: int,
    name: str = "run",
    *,
    vector: int = 4,
    accumulate: bool = False,
    whole: bool = False,
    often: bool = False,
    preset: bool = False,
) -> ProgramFunction:
    """Return ``program`` as a function that computes ``lanes`` examples at a time.

    With one lane, a function of a batch computes one example, and its numbers are neighbours.
    ``vector`` is how many neighbouring numbers one instruction works on then, or without a batch;
    ``accumulate`` adds outputs of each example to what is there; ``whole`` promises that the number
    of examples is always a multiple of the lanes; ``often`` says that it will be called so often
    that compiling may take long; ``preset`` that outputs which are constants are there already.
    """
    if repeats_little(program, often=often):
        return _tabled(program, lanes, name, accumulate)
    program = optimized(program, NATIVE)
    schedule, batched = scheduled(program, preset=preset), bool(program.varying)
    keeps_each = batched and program.reduce is None
    layout = layout_of(schedule, lanes, vector, keeps_each, shared=is_long(schedule))
    parts = NestFunctions(name, layout)
    calls = [parts.add(nest) for nest in schedule.nests]
    for nest in schedule.outputs:
        if isinstance(nest, Contraction):
            calls.append(parts.add_function(GradientFunction(layout, nest, whole)))
        elif program.reduce:
            calls.append(parts.add_function(SumFunction(layout, nest, whole)))
        else:
            calls.append(parts.add(nest, accumulate=accumulate))
    run = _run(layout, name, batched, schedule, calls)
    products = [nest for nest in schedule.outputs if isinstance(nest, Contraction)]
    scratch = max([scratch_of(layout, nest) for nest in products], default=0)
    sizes = layout.uniform, layout.varying * layout.tile + scratch
    return ProgramFunction(name, (*parts.functions, run), tuple(parts.tables), *sizes)


def is_long(schedule: Schedule) -> bool:
    """Return whether its nests are too many for their functions to be inlined."""
    nests = [*schedule.nests, *schedule.outputs]
    statements = sum(len(nest.statements) for nest in nests if isinstance(nest, Nest))
    return len(nests) + statements > _FEW


def repeats_little(program: Program, *, often: bool) -> bool:
    """Return whether a table pays: LLVM takes some 3 ms a statement, and gains a factor of 2 to 4.

    For a batch, or if it is called often, loops are worth more time.
    """
    statements, operands = repetition(program)
    if often or program.varying:
        return statements > 400 and operands < 20 * statements
    return statements > 50 and operands < 150 * statements


def _tabled(program: Program, lanes: int, name: str, accumulate: bool) -> ProgramFunction:
    """Return ``program`` as a table and a function that has it run."""
    if any(op is ops.hypot and len(operands) != 2 for op, operands, _ in program.instructions):
        program = optimized(program, NATIVE)
    program = legalize(program, TABLED)
    builder, batched = Builder(), bool(program.varying)
    how = SUM if program.reduce else ADD if accumulate else KEEP
    tables = table_call(builder, program, name, lanes if batched else 1, how)
    run = builder.function(f"void @{name}({', '.join(_PARAMETERS)}) nounwind", name)
    slots = program.slots
    sizes = (0, slots * lanes) if batched else (slots, 0)
    return ProgramFunction(name, (run,), tables, *sizes)


def _run(
    layout: Layout, name: str, batched: bool, schedule: Schedule, calls: Sequence[Call]
) -> Function:
    """Return the program's function: the uniform nests once, then the others tile by tile."""
    builder, all_nests = Builder(), (*schedule.nests, *schedule.outputs)
    are_outputs = [k >= len(schedule.nests) for k in range(len(all_nests))]

    def call_nests(per_tile: bool, x: str, out: str, examples: str) -> None:
        arguments = f"ptr %p, ptr {x}, i64 %stride, ptr %t, ptr %v, i64 {examples}"
        nests = [
            call.after(arguments + (f", ptr {out}, i64 %out_stride" if is_output else ""))
            for nest, call, is_output in zip(all_nests, calls, are_outputs)
            if per_tile == (isinstance(nest, Contraction) or nest.varying)
        ]
        add_calls(builder, nests)

    call_nests(False, "%x", "%out", "1")
    if batched and layout.alone:
        call_nests(True, "%x", "%out", "1")
    elif batched:
        tile = layout.tile
        some = builder.put("icmp sgt i64 %n, 0")
        with builder.when(some), builder.loop("%n", 0, tile) as first:
            left = builder.put(f"sub i64 %n, {first}")
            more = builder.put(f"icmp sgt i64 {left}, {tile}")
            here = builder.put(f"select i1 {more}, i64 {tile}, i64 {left}")
            out = builder.at("%out", first) if layout.keeps_each else "%out"
            call_nests(True, builder.at("%x", first), out, here)
    return builder.function(f"void @{name}({', '.join(_PARAMETERS)}) nounwind", name)


def memory_places(*programs: ProgramFunction) -> list[int]:
    """Return where the two memories of each program begin, one behind the other, and the end."""
    places = [0]
    for program in programs:
        for size in (program.uniform, program.varying):
            places.append(places[-1] + padded(size, 8))
    return places


def module_with(programs: Sequence[ProgramFunction], *more: Function) -> Module:
    """Return one module of ``programs``, ``more`` functions, and all that they call."""
    functions = [function for program in programs for function in program.functions]
    tables = [table for program in programs for table in program.tables]
    return module_of([*functions, *more], tables)


def llvm_source(program: Program, lanes: int = 4) -> str:
    """Return ``program`` as the text of a module; ``lanes`` examples are computed at a time."""
    return module_with([lowered(program, lanes)]).text
