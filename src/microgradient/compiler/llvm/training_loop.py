"""Training as one LLVM function: sweep after sweep of gradient, update and criterion.

It trains ``width`` networks side by side: one, whose patterns fill the lanes, or, with few patterns
between two updates, the numbers of one pattern; or many replicas, one in each lane. The state has a
column for the weights, one for each memory of the optimizer, and one for the gradient, each with
``width`` numbers for a weight; the errors and the numbers of right patterns, ``width`` of each,
follow the gradient. ``@train`` returns after the first sweep in which a network ends, with the
number of sweeps done; ``%flags`` then says how it ended. ``%snapshot`` is the state before that
sweep.
"""

from __future__ import annotations

from dataclasses import dataclass

from microgradient.compiler.llvm.addresses import BLOCKS
from microgradient.compiler.llvm.builder import CLEAR, SMALLER, Builder, Callee, Function, Index
from microgradient.compiler.llvm.function import ProgramFunction, memory_places
from microgradient.compiler.llvm.lanes import Lanes, Mask, Vector
from microgradient.compiler.llvm.shuffle import SHUFFLE
from microgradient.compiler.llvm.threads import SplitGradient

FREE, ACTIVE, LEARNED, NOT_FINITE = 0.0, 1.0, 2.0, 3.0
"""What ``%flags`` says of a network."""
GROUP = 8  # networks, or weights of a single one, that are looked at together

PARAMETERS = (
    "ptr %state, i64 %column, ptr %rows, ptr %order, ptr %generator, "
    "ptr %tile, ptr %columns, i64 %stride, i64 %n, i64 %batch, ptr %settings, i64 %step, "
    " i64 %sweeps, i64 %watch, ptr %flags, ptr %history, i64 %keep, "
    "ptr %snapshot, ptr %memory, i64 %threads"
)
_PREFETCH = Callee("llvm.prefetch.p0", "void", ("ptr", "i32", "i32", "i32"))
_COPY = Callee("llvm.memcpy.p0.p0.i64", "void", ("ptr", "ptr", "i64", "i1"))


@dataclass(frozen=True)
class Parts:
    """The functions that a training loop calls, and the sizes that it is for.

    ``gradient`` and ``update`` are the programs; where weights change after every pattern,
    ``presentation`` may do both at once, and ``confirm`` then counts a right pattern. A pattern has
    ``numbers`` numbers, or so many for each network if they have patterns of their ``own``. The
    gradient takes ``lanes`` patterns, or weights, at once. ``shuffled`` says that the order is not
    always that of the patterns. ``split`` takes the gradient in parts.
    """

    gradient: ProgramFunction | None
    update: ProgramFunction | None
    presentation: ProgramFunction | None
    confirm: ProgramFunction | None
    numbers: int
    lanes: int
    shuffled: bool
    split: SplitGradient | None = None
    own: bool = False

    @property
    def alone(self) -> bool:
        """Whether the gradient is that of one pattern at a time."""
        return self.lanes == 1

    @property
    def programs(self) -> list[ProgramFunction]:
        parts = (self.gradient, self.update, self.presentation, self.confirm)
        return [part for part in parts if part is not None]

    @property
    def memory(self) -> int:
        """How many doubles all of them need to work in."""
        own = memory_places(*self.programs)[-1]
        return own if self.split is None else own + self.split.memory


class TrainingLoop:
    """The function ``@train``; the state has ``columns`` columns.

    Patterns are rows, presented in an ``%order``, which ``%generator`` shuffles before each sweep,
    if there is one. Those of a batch are presented from ``%columns``; if they are shuffled, some at
    a time are copied to the columns ``%tile`` first.
    """

    def __init__(
        self,
        parts: Parts,
        parameters: int,
        columns: int,
        width: int,
    ) -> None:
        self.builder = builder = Builder()
        self.lanes = Lanes(builder, GROUP)
        self.parts, self.width, self.weights = parts, width, parameters * width
        self.numbers = parts.numbers * (width if parts.own else 1)  # of a row
        self.groups = max(width, GROUP)
        places = [builder.at("%memory", place) for place in memory_places(*parts.programs)]
        self.memories = {
            part.name: places[i : i + 2] for part, i in zip(parts.programs, range(0, 99, 2))
        }
        self.memory_of_parts = builder.at("%memory", memory_places(*parts.programs)[-1])
        self.before_gradient = builder.integer("mul", "%column", columns - 1)
        self.slopes = builder.at("%state", self.before_gradient)
        self.errors = builder.at(self.slopes, self.weights)
        self.rights = builder.at(self.errors, width)
        self.settings, self.ended, self.candidate = map(builder.allocate, ("ptr", "i1", "i1"))

    def function(self) -> Function:
        builder = self.builder
        builder.store("ptr", "%settings", self.settings)
        with builder.loop("%sweeps") as sweep:
            if self.parts.shuffled:
                with builder.when(builder.put("icmp ne ptr %generator, null")):
                    builder.call(SHUFFLE, "%order", "%n", "%generator")
            builder.call(_COPY, "%snapshot", "%state", self._bytes(self.before_gradient), "false")
            self._clear(self.errors, 2 * self.width)
            self._present_all()
            place = builder.at("%history", builder.integer("mul", sweep, "%keep"))
            builder.call(_COPY, place, self.errors, 16 * self.width, "false")
            self._check_finite()
            candidate = builder.load("i1", self.candidate)
            watch = builder.put("trunc i64 %watch to i1")
            with builder.when(builder.put(f"and i1 {candidate}, {watch}")):
                self._confirm_learned()
            done = str(builder.integer("add", sweep, 1))
            builder.return_when(builder.load("i1", self.ended), done)
        head = f"i64 @train({PARAMETERS}) nounwind"
        return builder.function(head, "train", "i64 %sweeps")

    def _present_all(self) -> None:
        """Present every pattern once, with an update after each batch."""
        builder = self.builder
        if self.parts.presentation is not None:
            with builder.loop("%n") as i:
                self._fetch(self._row(builder.integer("add", i, 1)))
                settings = builder.load("ptr", self.settings)
                self._call(
                    self.parts.presentation,
                    *("%state", self._row(i), None, self.errors, "%column", settings),
                )
                builder.store("ptr", builder.at(settings, "%step"), self.settings)
            return
        assert self.parts.update is not None
        with builder.loop("%n", 0, "%batch") as first:
            left = builder.integer("sub", "%n", first)
            self._clear(self.slopes, self.weights)
            self._present(first, builder.call(SMALLER, left, "%batch"))
            settings = builder.load("ptr", self.settings)
            self._call(
                self.parts.update,
                *(settings, "%state", "%column", self.weights, "%state", "%column", None),
            )
            builder.store("ptr", builder.at(settings, "%step"), self.settings)

    def _present(self, first: str, count: str) -> None:
        """Add the gradient and error of some patterns, and how many are right, to the state."""
        builder, width, gradient = self.builder, self.width, self.parts.gradient
        if gradient is None:
            return
        if width == 1 and not self.parts.alone:
            if self.parts.shuffled:
                self._present_tiles(gradient, first, count)
                return
            patterns, split = builder.at("%columns", first), self.parts.split
            given = "%state", patterns, "%stride", count, self.slopes
            if split is None:
                self._call(gradient, *given, 1, None)
                return
            memories = self.memories[gradient.name]
            builder.call(split.callee, *given, "%threads", *memories, self.memory_of_parts)
            return
        with builder.loop(count) as i:
            pattern = self._row(builder.integer("add", first, i))
            if width == 1:
                self._call(gradient, "%state", pattern, 1, 1, self.slopes, 1, None)
            elif self.parts.own:
                behind = builder.at("%state", self.weights)
                builder.call(_COPY, behind, pattern, self._bytes(self.numbers), "false")
                self._call(gradient, "%state", "%state", width, width, self.slopes, width, None)
            else:
                self._call(gradient, pattern, "%state", width, width, self.slopes, width, None)

    def _present_tiles(self, gradient: ProgramFunction, first: str, count: str) -> None:
        """Present patterns in their order, as many at a time as the gradient takes at once."""
        builder, size = self.builder, BLOCKS * self.parts.lanes
        with builder.loop(count, 0, size) as i:
            start = builder.integer("add", first, i)
            some = builder.call(SMALLER, builder.integer("sub", count, i), size)
            self._fill_tile(start, some, size)
            self._call(gradient, "%state", "%tile", size, some, self.slopes, 1, None)

    def _call(self, part: ProgramFunction, *arguments: str | int | None) -> None:
        """Call a part; None stands for its two memories."""
        memories: list[str | int] = list(self.memories[part.name])
        given = [x for y in arguments for x in (memories if y is None else [y])]
        self.builder.call(part.callee, *given)

    def _row(self, i: str | int) -> str:
        """Return the address of the pattern that is presented as number ``i``."""
        builder = self.builder
        which = builder.load("i64", builder.at("%order", i))
        return builder.at("%rows", builder.integer("mul", which, self.numbers))

    def _fetch(self, row: str) -> None:
        """Have the processor load a pattern that is presented soon: no order tells it which."""
        builder, line = self.builder, 8
        with builder.loop(self.parts.numbers, 0, line) as k:
            builder.call(_PREFETCH, builder.at(row, k), 0, 3, 1)

    def _fill_tile(self, start: Index, count: Index, size: int) -> None:
        """Copy rows in their order to the columns, a cache line of a column at a time."""
        builder = self.builder
        with builder.loop(count, 0, GROUP) as first:  # the order goes on beyond a group in part
            rows = []
            for i in range(GROUP):
                place = builder.integer("add", start, builder.integer("add", first, i))
                self._fetch(self._row(builder.integer("add", place, GROUP)))
                rows.append(self._row(place))
            with builder.loop(self.parts.numbers) as k:
                line = builder.at("%tile", builder.integer("mul", k, size))
                line = builder.at(line, first)
                for i, row in enumerate(rows):
                    number = builder.load("double", builder.at(row, k))
                    builder.store("double", number, builder.at(line, i))

    def _check_finite(self) -> None:
        """Mark networks that are not finite, and note whether in one all patterns were right.

        An error, a weight or a memory of the optimizer counts.
        """
        builder, lanes = self.builder, self.lanes
        for note in (self.ended, self.candidate):
            builder.store("i1", "false", note)
        unsound = lanes.allocate()
        with builder.loop(self.groups, 0, GROUP) as group:
            error = self._of_group(self.errors, group)
            lanes.store(error - error, unsound)  # x - x is 0 for what is finite, else nan
            with builder.loop(self.before_gradient, 0, "%column") as column:  # weights, memories
                self._look_at(builder.at(builder.at("%state", column), group), unsound)
            broken = lanes.load(unsound).compare("uno", 0.0)
            active = self._mark(group, broken, NOT_FINITE)
            self._note(self.ended, active & broken)
            self._note(self.candidate, active & self._all_right(group))

    def _look_at(self, numbers: str, unsound: str) -> None:
        """Add nan to ``unsound`` where one of these numbers, one for each weight, is not finite."""
        builder, lanes = self.builder, self.lanes
        whole, rest = divmod(self.weights, self.groups)  # no rest among replicas
        if whole:
            with builder.loop(whole * self.groups, 0, self.groups) as i:
                x = lanes.load(builder.at(numbers, i))
                lanes.store(lanes.load(unsound) + (x - x), unsound)
        if rest:  # what lies behind the last one belongs to no weight, and may be nan
            x = lanes.load(builder.at(numbers, whole * self.groups))
            bad = lanes.first(str(rest)).choose(x - x, 0.0)
            lanes.store(lanes.load(unsound) + bad, unsound)

    def _confirm_learned(self) -> None:
        """Mark networks in which all patterns still are right, with the weights as they are now."""
        builder, lanes = self.builder, self.lanes
        before = []
        for group in range(0, self.groups, GROUP):
            before.append(builder.allocate(lanes.bits))
            builder.store(lanes.bits, self._all_right(group).name, before[-1])
        self._clear(self.rights, self.width)
        if self.parts.confirm is not None:
            with builder.loop("%n") as i:
                self._call(self.parts.confirm, "%state", self._row(i), 1, 1, self.rights, 1, None)
        else:
            self._present("0", "%n")
        for group, memory in zip(range(0, self.groups, GROUP), before):
            learned = Mask(lanes, builder.load(lanes.bits, memory)) & self._all_right(group)
            self._note(self.ended, self._mark(group, learned, LEARNED) & learned)

    def _of_group(self, numbers: str, group: int | str) -> Vector:
        """Return a number for each network of a group: one for all where there is one network."""
        if self.width == 1:
            return self.lanes.load_all(numbers)
        return self.lanes.load(self.builder.at(numbers, group))

    def _all_right(self, group: int | str) -> Mask:
        wanted = self.lanes.splat(self.builder.put("sitofp i64 %n to double"))
        return self._of_group(self.rights, group).compare("oeq", wanted)

    def _mark(self, group: int | str, condition: Mask, what: float) -> Mask:
        """Set the flags of active networks where ``condition`` holds; return which were active."""
        flags = self.builder.at("%flags", group)
        now = self.lanes.load(flags)
        active = now.compare("oeq", ACTIVE)
        self.lanes.store((active & condition).choose(what, now), flags)
        return active

    def _note(self, memory: str, condition: Mask) -> None:
        known = self.builder.load("i1", memory)
        self.builder.store("i1", self.builder.put(f"or i1 {known}, {condition.any()}"), memory)

    def _clear(self, pointer: str, count: int) -> None:
        self.builder.call(CLEAR, pointer, 0, 8 * count, "false")

    def _bytes(self, count: int | str) -> int | str:
        return self.builder.integer("mul", count, 8)
