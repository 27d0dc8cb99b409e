"""Training as one LLVM function: sweep after sweep of gradient, update and criterion.

It trains ``width`` networks side by side: one, whose patterns fill the lanes, or many replicas, one
in each lane. The state has a column for the weights, one for each memory of the optimizer, and one
for the gradient, each with ``width`` numbers for a weight; the errors and the numbers of right
patterns, ``width`` of each, follow the gradient. ``@train`` returns after the first sweep in which
a network ends, with the number of sweeps done; ``%flags`` then says how it ended. ``%snapshot`` is
the state before that sweep.
"""

from __future__ import annotations

from microgradient.compiler.llvm.builder import Builder, Callee, Function
from microgradient.compiler.llvm.function import ProgramFunction, memory_places
from microgradient.compiler.llvm.lanes import Lanes, Mask, Vector

FREE, ACTIVE, LEARNED, NOT_FINITE = 0.0, 1.0, 2.0, 3.0
"""What ``%flags`` says of a network."""
GROUP = 8  # networks, or weights of a single one, that are looked at together

PARAMETERS = (
    "ptr %state, i64 %column, ptr %patterns, i64 %stride, i64 %n, i64 %batch, ptr %settings, "
    "i64 %step, i64 %sweeps, i64 %watch, ptr %flags, ptr %history, i64 %keep, "
    "ptr %snapshot, ptr %memory"
)
_CLEAR = Callee("llvm.memset.p0.i64", "void", ("ptr", "i8", "i64", "i1"))
_COPY = Callee("llvm.memcpy.p0.p0.i64", "void", ("ptr", "ptr", "i64", "i1"))
_SMALLER = Callee("llvm.smin.i64", "i64", ("i64", "i64"))


class TrainingLoop:
    """The function ``@train``; a pattern has ``numbers`` numbers, the state ``columns`` columns."""

    def __init__(
        self,
        gradient: ProgramFunction,
        update: ProgramFunction,
        parameters: int,
        columns: int,
        numbers: int,
        width: int,
    ) -> None:
        self.builder = builder = Builder()
        self.lanes = Lanes(builder, GROUP)
        self.gradient, self.update = gradient, update
        self.numbers, self.width, self.weights = numbers, width, parameters * width
        self.groups = max(width, GROUP)
        memories = [builder.at("%memory", place) for place in memory_places(gradient, update)]
        self.gradient_memory, self.update_memory = memories[0:2], memories[2:4]
        self.before_gradient = builder.integer("mul", "%column", columns - 1)
        self.slopes = builder.at("%state", self.before_gradient)
        self.errors = builder.at(self.slopes, self.weights)
        self.rights = builder.at(self.errors, width)
        self.settings, self.ended, self.candidate = map(builder.allocate, ("ptr", "i1", "i1"))

    def function(self) -> Function:
        builder = self.builder
        builder.store("ptr", "%settings", self.settings)
        with builder.loop("%sweeps") as sweep:
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
        with builder.loop("%n", 0, "%batch") as first:
            left = builder.integer("sub", "%n", first)
            self._clear(self.slopes, self.weights)
            self._present(first, builder.call(_SMALLER, left, "%batch"))
            settings = builder.load("ptr", self.settings)
            builder.call(
                self.update.callee,
                *(settings, "%state", "%column", self.weights, "%state", "%column"),
                *self.update_memory,
            )
            builder.store("ptr", builder.at(settings, "%step"), self.settings)

    def _present(self, first: str, count: str) -> None:
        """Add the gradient and error of some patterns, and how many are right, to the state."""
        builder, width = self.builder, self.width
        if width == 1:
            patterns = builder.at("%patterns", first)
            self._gradient("%state", patterns, "%stride", count, self.slopes, 1)
            return
        with builder.loop(count) as i:
            place = builder.integer("mul", builder.integer("add", first, i), self.numbers)
            pattern = builder.at("%patterns", place)
            self._gradient(pattern, "%state", width, width, self.slopes, width)

    def _gradient(self, *arguments: str | int) -> None:
        self.builder.call(self.gradient.callee, *arguments, *self.gradient_memory)

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
        self.builder.call(_CLEAR, pointer, 0, 8 * count, "false")

    def _bytes(self, count: int | str) -> int | str:
        return self.builder.integer("mul", count, 8)
