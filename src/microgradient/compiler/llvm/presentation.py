"""A presentation: the gradient of one example, and the update by it, as one function.

No gradient is stored. Where a weight's slope is computed, an element of the outer product of a
layer's deltas and of what it read, the optimizer's rule moves the weight at once. By then nothing
reads weights any more: outputs come last, and are made of deltas and activations.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from microgradient.compiler.llvm.addresses import Addresses, Layout, layout_of
from microgradient.compiler.llvm.builder import Builder, Callee, Function, Index
from microgradient.compiler.llvm.function import (
    ProgramFunction,
    is_long,
    repeats_little,
)
from microgradient.compiler.llvm.instructions import NATIVE, emit
from microgradient.compiler.llvm.lanes import Lanes, Mask, Vector
from microgradient.compiler.llvm.nest_functions import NestFunctions, add_calls
from microgradient.compiler.loops.nests import (
    UNIFORM,
    Access,
    Contraction,
    Extents,
    Gather,
    Literals,
    Nest,
    Schedule,
    Statement,
)
from microgradient.compiler.loops.schedule import scheduled
from microgradient.compiler.program.passes import optimized
from microgradient.compiler.program.primitives import CONSTANT
from microgradient.compiler.program.program import Program

PARAMETERS = ("ptr %p", "ptr %x", "ptr %t", "ptr %v", "ptr %errors", "i64 %column", "ptr %settings")
"""Weights, pattern, memories, error and right, how far columns are apart, the optimizer's."""

_LONG_RULE = 60  # instructions; a longer one is not written out where it is used
_MANY_COPIES = 100  # slopes that are in no loop
_BLOCKS = 4  # vectors of a row at once


def presentation(
    gradient: Program, update: Program, vector: int, name: str = "presentation"
) -> ProgramFunction | None:
    """Return the function ``@{name}``; None where weights are read too late, or it does not pay.

    ``update`` maps settings and, varying, a weight with its memories and slope to the new ones.
    """
    if repeats_little(gradient, often=True):
        return None
    rule, parameters = optimized(update, NATIVE), len(gradient.outputs) - 2
    schedule = scheduled(optimized(gradient, NATIVE))
    if len(rule.instructions) > _LONG_RULE or not _can_update(schedule, parameters):
        return None
    layout = layout_of(schedule, 1, vector, False, shared=is_long(schedule))
    parts = NestFunctions(name, layout)
    calls = [parts.add(nest) for nest in schedule.nests]
    move = _UpdateFunction(layout, rule, parameters).function(schedule, f"{name}_update")
    builder = Builder()
    given = "ptr %p, ptr %x, i64 1, ptr %t, ptr %v, i64 1"
    for varying in (False, True):
        chosen = [c for c, nest in zip(calls, schedule.nests) if nest.varying == varying]
        add_calls(builder, [call.after(given) for call in chosen])
    arguments = ", ".join(PARAMETERS)
    builder.do(f"call void @{name}_update({arguments})")
    run = builder.function(f"internal void @{name}({arguments}) noinline nounwind", name)
    sizes = layout.uniform, layout.varying
    return ProgramFunction(
        name, (*parts.functions, move, run), tuple(parts.tables), *sizes, PARAMETERS
    )


def _can_update(schedule: Schedule, parameters: int) -> bool:
    """Return whether there are outer products, and no output is a weight, which may have moved."""
    copies = [nest for nest in schedule.outputs if isinstance(nest, Nest)]
    statements = [(nest.extents, x) for nest in copies for x in nest.statements]
    read = [x for _, statement in statements for x in statement.operands]
    return (
        len(copies) < len(schedule.outputs)
        and len(statements) <= _MANY_COPIES
        and not any(isinstance(x, Access | Gather) and x.buffer == UNIFORM for x in read)
        and all(_is_slope(x.target, extents, parameters) is not None for extents, x in statements)
    )


def _is_slope(target: Access, extents: Extents, parameters: int) -> bool | None:
    """Return whether all of these outputs are slopes; None where only some are."""
    last = target.first + sum((n - 1) * stride for n, stride in zip(extents, target.strides))
    ends = target.first < parameters, last < parameters
    return ends[0] if ends[0] == ends[1] else None


class Rule:
    """An optimizer's rule over lanes; what depends on the settings alone is computed once."""

    def __init__(self, program: Program, lanes: Lanes) -> None:
        self._program, self._lanes, self._varies = program, lanes, program.varies()
        self._settings: dict[int, Vector | Mask] = {}
        settings = len(program.inputs) - len(program.varying)
        for slot in range(settings):
            self._settings[slot] = lanes.load_all(lanes.builder.at("%settings", slot))
        self._compute(self._settings, varying=False)

    def move(self, weight: str, slope: Vector) -> None:
        """Move the weights at an address, and their memories, in the columns behind theirs."""
        program, lanes, builder = self._program, self._lanes, self._lanes.builder
        columns = range(len(program.varying) - 1)
        places = [builder.at(weight, builder.integer("mul", k, "%column")) for k in columns]
        numbers = dict(self._settings)
        for slot, place in zip(program.varying, places):
            numbers[slot] = lanes.load(place)
        numbers[program.varying[-1]] = slope
        self._compute(numbers, varying=True)
        for slot, place in zip(program.outputs, places, strict=True):
            moved = numbers[slot]
            assert isinstance(moved, Vector)
            lanes.store(moved, place)

    def _compute(self, numbers: dict[int, Vector | Mask], *, varying: bool) -> None:
        for slot, (op, operands, number) in enumerate(self._program.instructions):
            if slot not in numbers and self._varies[slot] == varying:
                if op is CONSTANT:
                    numbers[slot] = self._lanes.constant(number)
                else:
                    numbers[slot] = emit(self._lanes, op, [numbers[i] for i in operands])


@dataclass(frozen=True)
class _OuterProduct:
    """A kernel: the weights in ``m_count`` rows of ``n_count`` move by the slopes ``a[m] * b[n]``.

    With more than one lane, neighbours in a row are neighbours in memory.
    """

    rule: Program
    lanes: int

    _PARAMETERS = (
        *(("ptr", "a"), ("i64", "a_m"), ("ptr", "b"), ("i64", "b_n")),
        *(("ptr", "weights"), ("i64", "m"), ("i64", "n"), ("i64", "column"), ("ptr", "settings")),
        *(("i64", "m_count"), ("i64", "n_count")),
    )

    def call(self, builder: Builder, *arguments: Index) -> None:
        types = tuple([kind for kind, _ in self._PARAMETERS])
        name = f"move_{self.lanes}"
        builder.call(Callee(name, "void", types, lambda _: self._function(name)), *arguments)

    def _function(self, name: str) -> Function:
        builder, width = Builder(), self.lanes
        one = Lanes(builder, 1)
        single = Rule(self.rule, one)
        several = Rule(self.rule, Lanes(builder, width)) if width > 1 else single

        def move(lanes: Lanes, rule: Rule, row: str, factor: Vector, n: Index) -> None:
            b_n, w_n = (1, 1) if width > 1 else ("%b_n", "%n")
            b = lanes.load(builder.at("%b", builder.integer("mul", n, b_n)))
            rule.move(builder.at(row, builder.integer("mul", n, w_n)), factor * b)

        with builder.loop("%m_count") as m:
            a = one.load(builder.at("%a", builder.integer("mul", m, "%a_m")))
            row = builder.at("%weights", builder.integer("mul", m, "%m"))
            done: Index = 0
            for blocks in (_BLOCKS, 1) if width > 1 else ():
                lanes, step = Lanes(builder, width), blocks * width
                part = builder.integer("srem", builder.integer("sub", "%n_count", done), step)
                end = builder.integer("sub", "%n_count", part)
                some = builder.put(f"icmp sgt i64 {end}, {done}")
                factor = lanes.splat(a.name)
                with builder.when(some), builder.loop(end, done, step) as n:
                    for k in range(blocks):
                        move(lanes, several, row, factor, builder.integer("add", n, k * width))
                done = end
            some = builder.put(f"icmp sgt i64 %n_count, {done}")
            with builder.when(some), builder.loop("%n_count", done) as n:
                move(one, single, row, a, n)
        parameters = ", ".join(f"{kind} %{name}" for kind, name in self._PARAMETERS)
        return builder.function(f"internal void @{name}({parameters}) noinline nounwind", name)


class _UpdateFunction(Addresses):
    """The function that moves all weights by their slopes, and adds up the error and the right."""

    def __init__(self, layout: Layout, rule: Program, parameters: int) -> None:
        super().__init__(replace(layout, shared=False), 1)
        self._rule, self._parameters = rule, parameters

    def function(self, schedule: Schedule, name: str) -> Function:
        single = Rule(self._rule, self.lanes)
        for nest in schedule.outputs:
            if isinstance(nest, Contraction):
                self._outer_product(nest)
                continue
            with self.iterations(nest.extents) as iteration:
                for statement in nest.statements:
                    self._copy(statement, nest.extents, iteration, single)
        head = f"internal void @{name}({', '.join(PARAMETERS)}) alwaysinline nounwind"
        return self.builder.function(head, name)

    def _outer_product(self, nest: Contraction) -> None:
        factors = [(nest.a, 0), (nest.b, 1)]
        if nest.b.strides[1] != 1 or nest.target.strides[1] != 1:
            factors.reverse()
        (a, m), (b, n) = factors
        strides = nest.target.strides
        neighbours = b.strides[n] == strides[n] == 1
        _OuterProduct(self._rule, self.layout.vector if neighbours else 1).call(
            self.builder,
            *(self.pointer(a, (0, 0)), a.strides[m], self.pointer(b, (0, 0)), b.strides[n]),
            *(self.builder.at("%p", nest.target.first), strides[m], strides[n]),
            *("%column", "%settings", nest.extents[m], nest.extents[n]),
        )

    def _copy(
        self, statement: Statement, extents: Extents, iteration: tuple[Index, ...], rule: Rule
    ) -> None:
        (x,), target = statement.operands, statement.target
        if isinstance(x, Literals):
            number = self.lanes.constant(x.numbers[0])
        else:
            assert isinstance(x, Access)
            number = self.load(x, iteration)
        place: Index = target.first
        for counter, stride in zip(iteration, target.strides):
            place = self._add(place, self._times(counter, stride))
        if _is_slope(target, extents, self._parameters):
            rule.move(self.builder.at("%p", place), number)
        else:
            at = self.builder.at("%errors", self._add(place, -self._parameters))
            self.lanes.store(self.lanes.load(at) + number, at)
