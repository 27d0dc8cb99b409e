"""From instructions to loops: what repeats with operands side by side becomes one loop.

Instructions of one form (the same operation on operands of one form, down to the inputs) are a
*group*: the neurons of a layer, their activations, their adjoints. The numbers of a group lie side
by side in memory, so that a later group reads them with a stride. Groups of equal size that hand
their results on one to one share a loop, and these results stay in registers. A ``dot`` with many
terms in a group is a *layer*: a matrix times a vector. So code and compile time grow with the
number of layers, and not with that of weights.
"""

from __future__ import annotations

from collections.abc import Sequence

from microgradient.compiler.loops.isomorphic import forms
from microgradient.compiler.loops.nests import (
    ROWS,
    SHARED,
    Group,
    Item,
    Layer,
    Literals,
    Loop,
    Operand,
    Place,
    Schedule,
    Table,
    run_of,
)
from microgradient.compiler.loops.outputs import outputs, stretches
from microgradient.compiler.loops.progressions import progressions
from microgradient.compiler.program.primitives import CONSTANT
from microgradient.compiler.program.program import Program
from microgradient.engine import ops

SMALLEST_LOOP = 4  # members; fewer are written out
STRAIGHT = 700  # operands in the whole program; a smaller one is written out entirely
LONG = 12  # operands of a dot; with fewer it is written out
LARGEST_BLOCK = 1000  # instructions written out in one function


def scheduled(program: Program) -> Schedule:
    """Return the loops of ``program``."""
    return _Scheduler(program).run()


class _Scheduler:
    def __init__(self, program: Program) -> None:
        self.program, self.code = program, program.instructions
        self.rows = set(program.rows)
        self.summed = bool(program.rows) and not program.each
        self.place: dict[int, Place] = {}
        self.groups: list[Group] = []
        self.phases: list[Loop | Layer] = []
        self.phase_of: dict[int, int] = {}
        self.member_of: dict[int, int] = {}
        self.item_of: dict[int, int] = {}
        self.varying = program.varying()
        self.product_outputs = self._product_outputs() if self.summed else set()
        self.straight = sum(len(x.operands) for x in self.code) <= STRAIGHT

    def run(self) -> Schedule:
        counts = {SHARED: 0, ROWS: 0}
        for i in range(len(self.program.inputs)):
            store = ROWS if i in self.rows else SHARED
            self.place[i] = (store, counts[store])
            counts[store] += 1
        for slots in forms(self.program, self.varying, self.product_outputs):
            self._schedule(slots)
        self._keep()
        products, sums, constants = outputs(self.program, self.place, self.product_outputs)
        return Schedule(self.phases, self.groups, self.place, products, sums, constants)

    def _product_outputs(self) -> set[int]:
        """Return the products that nothing needs but an output's sum."""
        used = {operand for x in self.code for operand in x.operands}
        counted: dict[int, int] = {}
        for slot in self.program.outputs:
            counted[slot] = counted.get(slot, 0) + 1
        return {
            slot
            for slot, n in counted.items()
            if n == 1
            and slot not in used
            and self.code[slot].op is ops.mul
            and all(self.varying[i] for i in self.code[slot].operands)
        }

    # --- groups ----------------------------------------------------------------------------------

    def _schedule(self, slots: list[int]) -> None:
        slots.sort(key=self._places)  # in the order of what they read, to go along with it
        number = len(self.groups)
        self.groups.append(Group(slots, self.varying[slots[0]]))
        for i, slot in enumerate(slots):
            self.place[slot] = (number, i)
        if len(slots) < SMALLEST_LOOP or self.straight:
            nests = [([slot], 1) for slot in slots]
        else:
            nests = self._nests(slots)
        for members, inner in nests:
            self._place(members, inner)

    def _places(self, slot: int) -> list[Place]:
        return [self.place[i] for i in self.code[slot].operands if i in self.place]

    def _nests(self, slots: list[int]) -> list[tuple[list[int], int]]:
        """Return ``slots`` as loops, or loops within loops: their members, and how many inside."""
        runs = progressions(self._point(slot) for slot in slots)
        nests = progressions(((r.key, r.step, r.size), r.first) for r in runs)
        if len(nests) * SMALLEST_LOOP > len(slots) >= 2 * SMALLEST_LOOP and self._one_store(slots):
            return [(slots, len(slots))]  # hardly any regularity: look each place up in a table
        found: list[tuple[list[int], int]] = []
        first = 0
        for nest in nests:
            inner: int = nest.key[2]
            members = slots[first : first + nest.size * inner]
            first += len(members)
            if len(members) >= SMALLEST_LOOP:
                found.append((members, inner))
            else:
                found += [([slot], 1) for slot in members]
        return found

    def _point(self, slot: int) -> tuple[tuple[int | None, ...], tuple[int, ...]]:
        """Return the stores of an instruction's operands, and where in them they are."""
        places = [self.place.get(i, (None, 0)) for i in self.code[slot].operands]
        return tuple(store for store, _ in places), tuple(i for _, i in places)

    def _one_store(self, slots: list[int]) -> bool:
        """Return whether each operand comes from one store in all of ``slots``."""
        return all(
            len({self.place[i][0] if i in self.place else "constant" for i in column}) == 1
            for column in zip(*(self.code[slot].operands for slot in slots))
        )

    def _operand(self, slots: Sequence[int], inner: int) -> Operand:
        """Return where the operands ``slots``, one of each member, are."""
        if self.code[slots[0]].op is CONSTANT:
            return Literals(tuple([self.code[slot].number for slot in slots]))
        places = [self.place[slot] for slot in slots]
        return run_of(places, inner) or Table(tuple(places))

    # --- phases ----------------------------------------------------------------------------------

    def _place(self, slots: list[int], inner: int) -> None:
        op = self.code[slots[0]].op
        if op is ops.dot and len(self.code[slots[0]].operands) >= LONG and not self.straight:
            layer = self._layer(slots, inner)
            if layer is not None:
                self._put(layer, slots)
                return
        operands = [
            self._operand([self.code[slot].operands[k] for slot in slots], inner)
            for k in range(len(self.code[slots[0]].operands))
        ]
        group, first = self.place[slots[0]]
        item = Item(op, slots, inner, operands, group, first)
        number = self._loop_for(item)
        loop = self.phases[number]
        assert isinstance(loop, Loop)
        loop.items.append(item)
        for i, slot in enumerate(slots):
            self.phase_of[slot], self.member_of[slot] = number, i
            self.item_of[slot] = slots[0]

    def _put(self, layer: Layer, slots: list[int]) -> None:
        for i, slot in enumerate(slots):
            self.phase_of[slot], self.member_of[slot] = len(self.phases), i
        self.phases.append(layer)

    def _loop_for(self, item: Item) -> int:
        """Return the first phase that ``item`` can join, a new one if need be."""
        count, varying = len(item.slots), self.varying[item.slots[0]]
        latest = -1
        for slot in item.slots:
            for operand in self.code[slot].operands:
                latest = max(latest, self.phase_of.get(operand, -1))
        start = latest if latest >= 0 and self._hand_on(item, latest) else latest + 1
        for number in range(start, len(self.phases)):
            phase = self.phases[number]
            wanted = (count, item.inner, varying)
            fits = isinstance(phase, Loop) and (phase.count, phase.inner, phase.varying) == wanted
            if fits and (count > 1 or len(phase.items) < LARGEST_BLOCK):  # type: ignore[union-attr]
                return number
        self.phases.append(Loop(count, item.inner, varying))
        return len(self.phases) - 1

    def _hand_on(self, item: Item, number: int) -> bool:
        """Return whether each turn needs from phase ``number`` only what the same turn computes."""
        phase = self.phases[number]
        if not isinstance(phase, Loop) or phase.count != len(item.slots):
            return False
        if phase.inner != item.inner:
            return False
        if phase.varying != self.varying[item.slots[0]]:
            return False
        columns = zip(*(self.code[slot].operands for slot in item.slots))
        return all(self._from_one_item(column, number) for column in columns)

    def _from_one_item(self, column: Sequence[int], number: int) -> bool:
        """Return whether none is of phase ``number``, or all are one item's, each its turn's."""
        if all(self.phase_of.get(slot) != number for slot in column):
            return True
        items = {self.item_of.get(slot) for slot in column}
        return len(items) == 1 and all(
            self.phase_of.get(slot) == number and self.member_of[slot] == i
            for i, slot in enumerate(column)
        )

    def _layer(self, slots: list[int], inner: int) -> Layer | None:
        """Return the dots ``slots`` as a layer, if their operands lie in regular stretches."""
        operands = [self.code[slot].operands for slot in slots]
        n, rest = divmod(len(operands[0]), 2)
        if any(self.code[i].op is CONSTANT for one in operands for i in one):
            return None
        columns = [
            run_of([self.place[one[k]] for one in operands], inner) for k in range(len(operands[0]))
        ]
        if None in columns:
            return None
        terms = list(stretches(columns[:n], columns[n : 2 * n]))  # type: ignore[arg-type]
        mixed = any((t.w.stride == 0) == (t.x.stride == 0) for t in terms) and len(slots) > 1
        if len(terms) > n // 2 or mixed:
            return None  # a layer has factors of its neurons' own, and common ones
        if rest and self.varying[operands[0][-1]]:
            return None  # a bias that is no parameter
        group, first = self.place[slots[0]]
        return Layer(
            len(slots),
            inner,
            self.varying[slots[0]],
            terms,
            columns[-1] if rest else None,
            group,
            first,
        )

    # --- memory and outputs ----------------------------------------------------------------------

    def _keep(self) -> None:
        """Mark the groups whose numbers another phase, or an output, reads."""
        for slot, instruction in enumerate(self.code):
            number = self.phase_of.get(slot)
            for operand in instruction.operands:
                if number is None or self.phase_of.get(operand) != number:
                    self._keep_slot(operand)
        for slot in self.program.outputs:
            if slot not in self.product_outputs:
                self._keep_slot(slot)

    def _keep_slot(self, slot: int) -> None:
        store, _ = self.place.get(slot, (SHARED, 0))
        if store >= 0:
            self.groups[store].kept = True
