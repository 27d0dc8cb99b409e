"""From instructions to loops: what repeats with operands side by side becomes one loop.

Instructions of one form (the same operation on operands of the same form, down to the inputs) are
a *group*: the neurons of a layer, their activations, their adjoints. The numbers of a group lie side
by side in memory, so that a later group reads them with a stride. Groups of equal size that hand
their results on one to one share a loop, and these results stay in registers. A ``dot`` with many
terms in a group is a *layer*: a matrix times a vector. So code and compile time grow with the
number of layers, and not with that of weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple

from microgradient.compiler.program import Program
from microgradient.compiler.vocabulary import CONSTANT, INPUT
from microgradient.engine import ops
from microgradient.engine.op import Op

SMALLEST_LOOP = 4  # members; fewer are written out
STRAIGHT = 700  # operands in the whole program; a smaller one is written out entirely
LONG = 12  # terms of a dot or a sum; fewer are written out
FEW_CONSTANTS = 32  # in the whole program; else a loop may have another one in each turn
LARGEST_BLOCK = 1000  # instructions written out in one function


class Run(NamedTuple):
    """Numbers side by side: ``store`` is a memory, ``first`` a place in it, then every ``stride``.

    Stores are the inputs shared by all rows (-1), those of the rows (-2), and groups (0, 1, …).
    """

    store: int
    first: int
    stride: int


class Table(NamedTuple):
    """Numbers in places of no regular distance: those of the members of a group, one by one."""

    places: tuple[tuple[int, int], ...]


class Literals(NamedTuple):
    """Constants, one for each member."""

    numbers: tuple[float, ...]


Operand = Run | Table | Literals
SHARED, ROWS = -1, -2


@dataclass
class Group:
    """Slots of one form; their numbers may be kept in memory, one after the other."""

    slots: list[int]
    varying: bool
    kept: bool = False


@dataclass
class Item:
    """One instruction, or as many of one form as its loop has turns."""

    op: Op
    slots: list[int]
    operands: list[Operand]
    group: int
    first: int


@dataclass
class Term:
    """A stretch of the terms of a layer's dots: ``count`` weights and inputs with strides.

    For neuron j and term i, the weight is at ``w.first + j * w.stride + i * w_step``.
    """

    w: Run
    w_step: int
    x: Run
    x_step: int
    count: int


@dataclass
class Loop:
    """Items done for each of ``count`` members in turn (1: written out)."""

    count: int
    varying: bool
    items: list[Item] = field(default_factory=list)


@dataclass
class Layer:
    """``count`` dots with terms in common stretches, and perhaps biases."""

    count: int
    varying: bool
    terms: list[Term]
    bias: Run | None
    group: int
    first: int


@dataclass
class Products:
    """Outputs that are sums over the rows of products: an outer product of two stretches.

    Output ``first + j * step + i`` is the sum of a[j] * x[i].
    """

    a: Run
    a_count: int
    x: Run
    x_count: int
    first: int
    step: int


@dataclass
class Sums:
    """Outputs ``first``, ``first + step``, … that are sums over the rows of single numbers."""

    x: Run
    count: int
    first: int
    step: int


@dataclass
class Schedule:
    """Phases in their order, and where the outputs come from."""

    phases: list[Loop | Layer]
    groups: list[Group]
    place: dict[int, tuple[int, int]]
    products: list[Products]
    sums: list[Sums]
    constant_outputs: list[tuple[int, float]]


def scheduled(program: Program) -> Schedule:
    """Return the loops of ``program``."""
    return _Scheduler(program).run()


class _Scheduler:
    def __init__(self, program: Program) -> None:
        self.program, self.code = program, program.instructions
        self.rows = set(program.rows)
        self.summed = bool(program.rows) and not program.each
        self.place: dict[int, tuple[int, int]] = {}
        self.groups: list[Group] = []
        self.phases: list[Loop | Layer] = []
        self.phase_of: dict[int, int] = {}
        self.member_of: dict[int, int] = {}
        self.varying = self._varying()
        self.product_outputs = self._product_outputs() if self.summed else set()
        self.straight = sum(len(x.operands) for x in self.code) <= STRAIGHT

    def run(self) -> Schedule:
        counts = {SHARED: 0, ROWS: 0}
        for i in range(len(self.program.inputs)):
            store = ROWS if i in self.rows else SHARED
            self.place[i] = (store, counts[store])
            counts[store] += 1
        for slots in self._forms():
            self._schedule(slots)
        self._keep()
        products, sums, constants = self._outputs()
        return Schedule(self.phases, self.groups, self.place, products, sums, constants)

    def _varying(self) -> list[bool]:
        varying: list[bool] = []
        for slot, (_, operands, _) in enumerate(self.code):
            varying.append(slot in self.rows or any([varying[i] for i in operands]))
        return varying

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

    def _forms(self) -> list[list[int]]:
        """Return the slots of instructions by form, each form after those that it is made of."""
        known: dict[object, int] = {}
        form: list[int] = []
        depth: list[int] = []
        members: dict[int, list[int]] = {}
        few = sum(x.op is CONSTANT for x in self.code) <= FEW_CONSTANTS
        for slot, (op, operands, number) in enumerate(self.code):
            inner = tuple([form[i] for i in operands])
            told = number if few and op is CONSTANT else None
            key = (op, self.varying[slot], inner, told)
            form.append(known.setdefault(key, len(known)))
            depth.append(1 + max([depth[i] for i in operands], default=-1))
            if op is not INPUT and op is not CONSTANT and slot not in self.product_outputs:
                members.setdefault(form[slot], []).append(slot)
        self._delay(depth)
        return sorted(members.values(), key=lambda slots: (depth[slots[0]], slots[0]))

    def _delay(self, depth: list[int]) -> None:
        """Let what reads inputs alone wait for its first use: it may then join that loop."""
        first_use: dict[int, int] = {}
        for slot in range(len(self.code) - 1, -1, -1):
            operands = self.code[slot].operands
            if depth[slot] == 1 and slot in first_use and self.code[slot].op is not ops.dot:
                depth[slot] = max(1, first_use[slot] - 1)
            for i in operands:
                first_use[i] = min(first_use.get(i, depth[slot]), depth[slot])

    # --- groups ----------------------------------------------------------------------------------

    def _schedule(self, slots: list[int]) -> None:
        slots.sort(key=self._places)  # in the order of what they read, to go along with it
        number = len(self.groups)
        self.groups.append(Group(slots, self.varying[slots[0]]))
        for i, slot in enumerate(slots):
            self.place[slot] = (number, i)
        if len(slots) < SMALLEST_LOOP or self.straight:
            runs = [[slot] for slot in slots]
        else:
            runs = self._runs(slots)
        for run in runs:
            self._place(run)

    def _places(self, slot: int) -> list[tuple[int, int]]:
        return [self.place[i] for i in self.code[slot].operands if i in self.place]

    def _runs(self, slots: list[int]) -> list[list[int]]:
        """Return ``slots`` cut where their operands stop lying at equal distances."""
        runs: list[list[int]] = []
        steps: list[tuple[int, int] | None] = []
        for slot in slots:
            if runs:
                following = self._steps(runs[-1][-1], slot)
                if None not in following and (len(runs[-1]) == 1 or following == steps):
                    runs[-1].append(slot)
                    steps = following
                    continue
            runs.append([slot])
        if len(runs) * SMALLEST_LOOP > len(slots) >= 2 * SMALLEST_LOOP and self._one_store(slots):
            return [slots]  # hardly any regularity: look each place up in a table
        return [
            part
            for run in runs
            for part in ([run] if len(run) >= SMALLEST_LOOP else [[slot] for slot in run])
        ]

    def _one_store(self, slots: list[int]) -> bool:
        """Return whether each operand comes from one store in all of ``slots``."""
        return all(
            len({self.place[i][0] if i in self.place else "constant" for i in column}) == 1
            for column in zip(*(self.code[slot].operands for slot in slots))
        )

    def _steps(self, one: int, other: int) -> list[tuple[int, int] | None]:
        """Return for each operand the distance from that of ``one`` to that of ``other``."""
        steps: list[tuple[int, int] | None] = []
        for a, b in zip(self.code[one].operands, self.code[other].operands):
            if self.code[a].op is CONSTANT:
                steps.append((0, 0))
            else:
                (store, i), (other_store, j) = self.place[a], self.place[b]
                steps.append((store, j - i) if store == other_store else None)
        return steps

    def _operand(self, slots: Sequence[int]) -> Operand:
        """Return where the operands ``slots``, one of each member, are."""
        if self.code[slots[0]].op is CONSTANT:
            return Literals(tuple([self.code[slot].number for slot in slots]))
        places = [self.place[slot] for slot in slots]
        return _run(places) or Table(tuple(places))

    # --- phases ----------------------------------------------------------------------------------

    def _place(self, slots: list[int]) -> None:
        op = self.code[slots[0]].op
        if op is ops.dot and len(slots) > 1 and len(self.code[slots[0]].operands) >= 2 * LONG // 2:
            layer = self._layer(slots)
            if layer is not None:
                self._put(layer, slots)
                return
        operands = [
            self._operand([self.code[slot].operands[k] for slot in slots])
            for k in range(len(self.code[slots[0]].operands))
        ]
        group, first = self.place[slots[0]]
        item = Item(op, slots, operands, group, first)
        number = self._loop_for(item)
        loop = self.phases[number]
        assert isinstance(loop, Loop)
        loop.items.append(item)
        for i, slot in enumerate(slots):
            self.phase_of[slot], self.member_of[slot] = number, i

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
            if isinstance(phase, Loop) and phase.count == count and phase.varying == varying:
                if count > 1 or len(phase.items) < LARGEST_BLOCK:
                    return number
        self.phases.append(Loop(count, varying))
        return len(self.phases) - 1

    def _hand_on(self, item: Item, number: int) -> bool:
        """Return whether each turn needs from phase ``number`` only what the same turn computes."""
        phase = self.phases[number]
        if not isinstance(phase, Loop) or phase.count != len(item.slots):
            return False
        if phase.varying != self.varying[item.slots[0]]:
            return False
        return all(
            self.phase_of.get(operand) != number or self.member_of[operand] == i
            for i, slot in enumerate(item.slots)
            for operand in self.code[slot].operands
        )

    def _layer(self, slots: list[int]) -> Layer | None:
        """Return the dots ``slots`` as a layer, if their operands lie in regular stretches."""
        operands = [self.code[slot].operands for slot in slots]
        n, rest = divmod(len(operands[0]), 2)
        if any(self.code[i].op is CONSTANT for one in operands for i in one):
            return None
        columns = [_run([self.place[one[k]] for one in operands]) for k in range(len(operands[0]))]
        if None in columns:
            return None
        terms = list(_stretches(columns[:n], columns[n : 2 * n]))  # type: ignore[arg-type]
        if len(terms) > n // 2 or any((t.w.stride == 0) == (t.x.stride == 0) for t in terms):
            return None  # a layer has factors of its neurons' own, and common ones
        if rest and self._changes(operands[0][-1]):
            return None
        group, first = self.place[slots[0]]
        return Layer(
            len(slots),
            self.varying[slots[0]],
            terms,
            columns[-1] if rest else None,
            group,
            first,
        )

    def _changes(self, slot: int) -> bool:
        """Return whether a bias is no parameter but a result that is different in each row."""
        return self.varying[slot]

    # --- memory and outputs ----------------------------------------------------------------------

    def _keep(self) -> None:
        """Mark the groups whose numbers another phase, or an output, reads."""
        for slot, instruction in enumerate(self.code):
            number = self.phase_of.get(slot)
            for operand in instruction.operands:
                store, _ = self.place.get(operand, (SHARED, 0))
                if store >= 0 and (number is None or self.phase_of[operand] != number):
                    self.groups[store].kept = True
        for slot in self.program.outputs:
            store, _ = self.place.get(slot, (SHARED, 0))
            if store >= 0:
                self.groups[store].kept = True

    def _outputs(self) -> tuple[list[Products], list[Sums], list[tuple[int, float]]]:
        constants = [
            (k, self.code[slot].number)
            for k, slot in enumerate(self.program.outputs)
            if self.code[slot].op is CONSTANT
        ]
        single = [
            (k, self.place[slot])
            for k, slot in enumerate(self.program.outputs)
            if slot not in self.product_outputs and self.code[slot].op is not CONSTANT
        ]
        return self._products(), _sums(single), constants

    def _products(self) -> list[Products]:
        """Return the outer products among the outputs."""
        pairs = [
            (k, *self.code[slot].operands)
            for k, slot in enumerate(self.program.outputs)
            if slot in self.product_outputs
        ]
        rows = []
        for a, row in groupby(pairs, key=lambda pair: pair[1]):
            members = list(row)
            for part in _consecutive(members):
                rows.append((a, [x for _, _, x in part], part[0][0]))
        found: list[Products] = []
        while rows:
            a, xs, first = rows[0]
            step = rows[1][2] - first if len(rows) > 1 else 0
            count = 1
            while count < len(rows) and rows[count][1] == xs:
                if rows[count][2] != first + count * step:
                    break
                if _run([self.place[row[0]] for row in rows[: count + 1]]) is None:
                    break
                count += 1
            run = _run([self.place[row[0]] for row in rows[:count]])
            assert run is not None
            at = first
            for piece in _pieces([self.place[x] for x in xs]):
                x_run = _run(piece)
                assert x_run is not None
                found.append(Products(run, count, x_run, len(piece), at, step))
                at += len(piece)
            del rows[:count]
        return found


def _run(places: Sequence[tuple[int, int]]) -> Run | None:
    """Return ``places`` as a run, or None if they are not at equal distances in one store."""
    store, first = places[0]
    stride = places[1][1] - first if len(places) > 1 else 0
    regular = all(place == (store, first + i * stride) for i, place in enumerate(places))
    return Run(store, first, stride) if regular else None


def _stretches(ws: Sequence[Run], xs: Sequence[Run]) -> list[Term]:
    """Return the terms of a layer as few stretches along which the places go by equal steps."""
    terms: list[Term] = []
    for w, x in zip(ws, xs):
        if terms:
            last = terms[-1]
            n = last.count
            w_step, x_step = (
                (w.first - last.w.first, x.first - last.x.first)
                if n == 1
                else (last.w_step, last.x_step)
            )
            follows = w == last.w._replace(
                first=last.w.first + n * w_step
            ) and x == last.x._replace(first=last.x.first + n * x_step)
            if follows:
                terms[-1] = Term(last.w, w_step, last.x, x_step, n + 1)
                continue
        terms.append(Term(w, 0, x, 0, 1))
    return terms


def _pieces(places: Sequence[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    """Return ``places`` cut into stretches with equal distances."""
    pieces: list[list[tuple[int, int]]] = []
    for place in places:
        if pieces and _run([*pieces[-1], place][-3:]):
            pieces[-1].append(place)
        else:
            pieces.append([place])
    return pieces


def _consecutive(
    members: Sequence[tuple[int, int, int]],
) -> list[list[tuple[int, int, int]]]:
    parts: list[list[tuple[int, int, int]]] = []
    for member in members:
        if parts and member[0] == parts[-1][-1][0] + 1:
            parts[-1].append(member)
        else:
            parts.append([member])
    return parts


def _sums(single: Sequence[tuple[int, tuple[int, int]]]) -> list[Sums]:
    """Return outputs with their places as few runs."""
    found: list[Sums] = []
    for k, (store, index) in single:
        if found:
            last = found[-1]
            n = last.count
            step, stride = (
                (k - last.first, index - last.x.first) if n == 1 else (last.step, last.x.stride)
            )
            if (store, index, k) == (
                last.x.store,
                last.x.first + n * stride,
                last.first + n * step,
            ):
                found[-1] = Sums(Run(store, last.x.first, stride), n + 1, last.first, step)
                continue
        found.append(Sums(Run(store, index, 0), 1, k, 1))
    return found
