"""From instructions to loop nests: what repeats at regular distances becomes a loop (rerolling).

The results of isomorphic instructions (the neurons of a layer, their activations, their adjoints)
lie side by side in a *buffer*, so that others read them with a stride. Instructions whose operands
are at regular distances share a *nest*, and so do those of equal extents that hand their results on
one to one: these stay in registers. A ``dot`` of many terms becomes a *contraction*, a matrix times
a vector. So code and compile time grow with the number of layers, and not with that of weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from microgradient.compiler.loops.isomorphic import SMALLEST_LOOP, isomorphic
from microgradient.compiler.loops.nests import (
    UNIFORM,
    VARYING,
    Access,
    Buffer,
    Contraction,
    Extents,
    Gather,
    Layer,
    Literals,
    Nest,
    Operand,
    Place,
    Register,
    Schedule,
    Statement,
    access_of,
)
from microgradient.compiler.loops.outputs import output_nests, summed_products
from microgradient.compiler.loops.progressions import progressions
from microgradient.compiler.program.primitives import CONDITIONS, CONSTANT
from microgradient.compiler.program.program import Program
from microgradient.engine import ops

STRAIGHT = 700  # operands in the whole program; a smaller one is written out entirely
LONG_DOT = 12  # operands; with fewer a dot is a statement
LARGEST_BLOCK = 1000  # statements written out in one nest


def scheduled(program: Program, *, preset: bool = False) -> Schedule:
    """Return the loop nests of ``program``, without outputs that are constants if ``preset``."""
    return _Scheduler(program).run(preset)


class Computed(NamedTuple):
    """Where an instruction is computed."""

    nest: int
    statement: int
    iteration: int


class _Scheduler:
    def __init__(self, program: Program) -> None:
        self.program, self.code = program, program.instructions
        self.varies = program.varies()
        self.products = summed_products(program, self.varies)
        self.straight = sum(len(x.operands) for x in self.code) <= STRAIGHT
        self.buffers: list[Buffer] = []
        self.nests: list[Nest | Layer] = []
        self.place: dict[int, Place] = {}
        self.computed: dict[int, Computed] = {}

    def run(self, preset: bool) -> Schedule:
        varying, counts = set(self.program.varying), {UNIFORM: 0, VARYING: 0}
        for i in range(len(self.program.inputs)):
            buffer = VARYING if i in varying else UNIFORM
            self.place[i] = (buffer, counts[buffer])
            counts[buffer] += 1
        for slots in isomorphic(self.program, self.varies, self.products):
            self._schedule(slots)
        outputs = output_nests(self.program, self.place, self.products, preset)
        for nest in (*self.nests, *outputs):
            self._keep(nest)
        return Schedule(self.nests, outputs, self.buffers)

    def _schedule(self, slots: list[int]) -> None:
        """Schedule isomorphic instructions."""
        slots.sort(key=self._point)  # in the order of what they read, to walk along it
        is_condition = self.code[slots[0]].op in CONDITIONS
        number = len(self.buffers)
        self.buffers.append(Buffer(len(slots), self.varies[slots[0]], is_condition))
        for i, slot in enumerate(slots):
            self.place[slot] = (number, i)
        if len(slots) < SMALLEST_LOOP or self.straight:
            for slot in slots:
                self._add([slot], ())
        else:
            for iterations, extents in self._loops(slots):
                self._add(iterations, extents)

    def _loops(self, slots: list[int]) -> list[tuple[list[int], Extents]]:
        """Return ``slots`` as nests of one or two loops: their iterations, and the extents.

        Operands at one distance make the inner loop; equal inner loops at one distance make the
        outer. If that leaves mostly short pieces, one loop looks places up in a table.
        """
        inner = progressions((None, self._point(slot)) for slot in slots)
        outer = progressions(((p.step, p.size), p.first) for p in inner)
        if len(outer) * SMALLEST_LOOP > len(slots) >= 2 * SMALLEST_LOOP:
            return [(slots, (len(slots),))]
        found: list[tuple[list[int], Extents]] = []
        first = 0
        for nest in outer:
            _, size = nest.key
            iterations = slots[first : first + nest.size * size]
            first += len(iterations)
            if len(iterations) < SMALLEST_LOOP:
                found += [([slot], ()) for slot in iterations]
            else:
                found.append((iterations, tuple([n for n in (nest.size, size) if n > 1])))
        return found

    def _point(self, slot: int) -> tuple[int, ...]:
        """Return where in its buffer each operand is: isomorphic ones read the same buffers."""
        return tuple([self.place[i][1] for i in self.code[slot].operands if i in self.place])

    # --- statements and contractions --------------------------------------------------------------

    def _add(self, slots: list[int], extents: Extents) -> None:
        """Add instructions, one for each iteration, to a nest that can take them or a new one."""
        op = self.code[slots[0]].op
        columns = list(zip(*(self.code[slot].operands for slot in slots)))
        target = access_of([self.place[slot] for slot in slots], extents)
        assert target is not None
        if op is ops.dot and len(columns) >= LONG_DOT and not self.straight:
            contractions = self._contractions(columns, extents, target)
            if contractions:
                self.nests.append(Layer(extents, self.varies[slots[0]], contractions))
                self._remember(slots, len(self.nests) - 1, 0)
                return
        number = self._nest_for(slots, columns, extents)
        nest = self.nests[number]
        assert isinstance(nest, Nest)
        self._remember(slots, number, len(nest.statements))
        operands = tuple([self._operand(column, extents, number) for column in columns])
        nest.statements.append(Statement(op, operands, target))

    def _remember(self, slots: Sequence[int], nest: int, statement: int) -> None:
        for i, slot in enumerate(slots):
            self.computed[slot] = Computed(nest, statement, i)

    def _operand(self, column: Sequence[int], extents: Extents, nest: int) -> Operand:
        """Return the operands ``column``, one for each iteration of the nest."""
        first = self.computed.get(column[0])
        if first and first.nest == nest:
            return Register(first.statement)
        if self.code[column[0]].op is CONSTANT:
            return Literals(tuple([self.code[slot].number for slot in column]))
        places = [self.place[slot] for slot in column]
        access = access_of(places, extents)
        return access or Gather(places[0][0], tuple([at for _, at in places]))

    def _nest_for(
        self, slots: list[int], columns: Sequence[Sequence[int]], extents: Extents
    ) -> int:
        """Return the first nest that can take these instructions, a new one if need be."""
        varying = self.varies[slots[0]]

        def fits(nest: Nest | Layer) -> bool:
            return (
                isinstance(nest, Nest)
                and (nest.extents, nest.varying) == (extents, varying)
                and (extents != () or len(nest.statements) < LARGEST_BLOCK)
            )

        read = [self.computed[slot].nest for c in columns for slot in c if slot in self.computed]
        latest = max(read, default=-1)
        start = latest + 1
        if latest >= 0 and all(self._in_registers(column, latest) for column in columns):
            start = latest
        for number in range(start, len(self.nests)):
            if fits(self.nests[number]):
                return number
        self.nests.append(Nest(extents, varying, []))
        return len(self.nests) - 1

    def _in_registers(self, column: Sequence[int], nest: int) -> bool:
        """Return whether ``column`` reads nothing computed in ``nest``, or one statement's results.

        These each in its own iteration.
        """
        elsewhere = Computed(-1, 0, 0)
        places = [self.computed.get(slot, elsewhere) for slot in column]
        if all(place.nest != nest for place in places):
            return True
        statement = places[0].statement
        return all(place == (nest, statement, i) for i, place in enumerate(places))

    def _contractions(
        self, columns: Sequence[Sequence[int]], extents: Extents, target: Access
    ) -> list[Contraction]:
        """Return dots as contractions, one for each stretch of terms at regular distances.

        There are none if they are not what a kernel is for: products of a factor that is a
        neuron's own and one that all neurons share.
        """
        if any(self.code[i].op is CONSTANT for column in columns for i in column):
            return []
        n, has_bias = divmod(len(columns), 2)
        accesses = [access_of([self.place[i] for i in column], extents) for column in columns]
        if None in accesses or (has_bias and self.varies[columns[-1][0]]):
            return []
        ws, xs = accesses[:n], accesses[n : 2 * n]
        stretches = progressions(
            ((w.buffer, w.strides, x.buffer, x.strides), (w.first, x.first))
            for w, x in zip(ws, xs)
            if w and x
        )
        found: list[Contraction] = []
        start = accesses[-1] if has_bias else None
        for (w_buffer, w_strides, x_buffer, x_strides), firsts, steps, size in stretches:
            w = Access(w_buffer, firsts[0], (*w_strides, steps[0]))
            x = Access(x_buffer, firsts[1], (*x_strides, steps[1]))
            own, common = (w, x) if not extents or w_strides[-1] else (x, w)
            if extents and (not own.strides[-2] or common.strides[-2]):
                return []
            found.append(Contraction((*extents, size), own, common, start, target))
            start = target
        return found if 2 * len(found) <= n else []

    def _keep(self, nest: Nest | Layer | Contraction) -> None:
        """Mark the buffers that ``nest`` reads."""
        read: list[Operand | None] = []
        if isinstance(nest, Layer):
            for contraction in nest.contractions:
                self._keep(contraction)
        elif isinstance(nest, Contraction):
            read = [nest.a, nest.b, nest.start, nest.target]
        else:
            read = [x for statement in nest.statements for x in statement.operands]
        for operand in read:
            if isinstance(operand, (Access, Gather)) and operand.buffer >= 0:
                self.buffers[operand.buffer].kept = True
