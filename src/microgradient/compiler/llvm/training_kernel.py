"""Networks trained in machine code: one, or many replicas side by side."""

from __future__ import annotations

import ctypes
import random
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from microgradient.compiler.llvm.addresses import BLOCKS
from microgradient.compiler.llvm.buffers import columns_of, doubles, padded, whole_numbers
from microgradient.compiler.llvm.function import lowered, module_with
from microgradient.compiler.llvm.jit import Code, vector_width
from microgradient.compiler.llvm.presentation import presentation
from microgradient.compiler.llvm.shuffle import is_known, set_words, words_of
from microgradient.compiler.llvm.threads import SplitGradient, pays
from microgradient.compiler.llvm.training_loop import (
    ACTIVE,
    FREE,
    GROUP,
    LEARNED,
    NOT_FINITE,
    PARAMETERS,
    Parts,
    TrainingLoop,
)
from microgradient.compiler.program.primitives import CONSTANT
from microgradient.compiler.program.program import Program
from microgradient.engine.services.processors import processors

WIDTH = 16  # replicas side by side: enough to fill a processor's pipelines, few to wait for
_FEW = 4  # patterns between two updates, from which on vector lanes run over patterns
_LARGE = 256  # weights, from which on a network is faster alone than in a lane beside others
_LARGE_BATCH = 512  # weights times patterns of a batch, up to _FULL, which fill the lanes then
_FULL = 16
_SECONDS = 0.05  # a moment: how long a call into machine code may take


class TrainingCode:
    """The compiled loop for ``width`` networks; any number of threads may run it.

    ``gradient`` maps weights and a pattern to the gradient, the error and whether the pattern is
    right; it varies over patterns for one network, over weights for replicas. ``update`` maps
    settings and, varying, a weight with its memories and gradient to the new weight and memories.
    ``shuffled`` says that the order of the patterns may change, ``own`` that each of several
    networks has patterns of its own.
    """

    def __init__(
        self,
        gradient: Program,
        update: Program,
        width: int,
        batch: int,
        patterns: int,
        *,
        shuffled: bool,
        own: bool = False,
    ) -> None:
        self.width, self.batch, self.shuffled, self.own = width, batch, shuffled, own
        self.parameters, self.columns = len(gradient.outputs) - 2, len(update.varying)
        self.numbers = len(gradient.inputs) - self.parameters
        self.alone = width == 1 and batch < _FEW
        behind = max(2, self.numbers if own else 0)  # errors and rights, or a pattern
        self.column = padded((self.parameters + behind) * width, GROUP)
        parts = self._parts(gradient, update, patterns)
        loop = TrainingLoop(parts, self.parameters, self.columns, width)
        split = [] if parts.split is None else parts.split.functions()
        self._code = Code(module_with(parts.programs, loop.function(), *split))
        self.is_split = parts.split is not None
        types = [parameter.split()[0] for parameter in PARAMETERS.split(", ")]
        self.train = self._code.function("train", types, ctypes.c_int64)
        self.memory = parts.memory

    def _parts(self, gradient: Program, update: Program, patterns: int) -> Parts:
        size, single = vector_width(), self.width == 1
        if self.alone and self.batch == 1:
            at_once = presentation(gradient, update, size)
            if at_once is not None:
                right = gradient.outputs[-1]
                watched = gradient.instructions[right].op is not CONSTANT
                look = replace(gradient, outputs=(right,), adjoint_of={}, adjoint_from=None)
                confirm = lowered(look, 1, "confirm", vector=size, often=True) if watched else None
                return Parts(None, None, at_once, confirm, self.numbers, 1, self.shuffled)
        whole = not single or (self.batch % size == 0 and patterns % size == 0)
        lanes = 1 if self.alone else size
        slope = lowered(
            gradient,
            *(lanes, "gradient"),
            vector=size,
            accumulate=not single,
            whole=whole,
            often=True,
        )
        move = lowered(update, size, "update", whole=not single, often=True)
        split = None
        in_batches = single and not self.alone and not self.shuffled
        if in_batches and pays(self.parameters, min(self.batch, patterns), lanes):
            split = SplitGradient(slope, len(gradient.outputs), lanes)
        return Parts(slope, move, None, None, self.numbers, lanes, self.shuffled, split, self.own)


@dataclass(frozen=True)
class Ended:
    """How a replica's training ended: "criterion", "sweeps" or "diverged".

    ``course`` has the errors and the numbers of right patterns of all sweeps, if they were kept.
    """

    weights: list[float]
    memories: list[list[float]]
    sweeps: int
    stopped: str
    error: float
    right: int
    course: tuple[Sequence[float], Sequence[float]]


class Networks:
    """The weights, memories and flags of ``code.width`` networks."""

    def __init__(self, code: TrainingCode) -> None:
        self.code = code
        self._column = code.column
        self._state, self._snapshot = (doubles(self._column * code.columns) for _ in range(2))
        self._memory = doubles(code.memory)
        self._last = doubles(2 * code.width)
        self._settings: Sequence[Sequence[float]] = ()
        self._numbers = doubles(0)
        self.threads = 1
        self.flags = doubles(max(code.width, GROUP))
        self.flags[:] = [ACTIVE if code.width == 1 else FREE] * len(self.flags)

    def present(self, patterns: Sequence[Sequence[float]]) -> None:
        """Set the patterns, in the order in which they are presented until that is changed."""
        self._count, self._stride = len(patterns), padded(len(patterns), GROUP)
        ahead = self._stride + GROUP - self._count  # the loop looks so far beyond the last one
        self._order = whole_numbers([*range(self._count), *[0] * ahead])
        self._rows = self._columns = self._tile = None
        in_columns = self.code.width == 1 and not self.code.alone
        if in_columns and not self.code.shuffled:
            self._columns = columns_of(list(patterns), len(patterns[0]), self._stride)
            return
        if self.code.own:
            self._rows = doubles(self._count * self.code.numbers * self.code.width)
            return
        flat = [x for pattern in patterns for x in pattern]
        self._rows = doubles(len(flat), flat)
        if in_columns:
            self._tile = doubles(self.code.numbers * BLOCKS * vector_width() + GROUP)

    def present_own(self, patterns: Sequence[Sequence[float]], lane: int) -> None:
        """Set the patterns of one network, where each has its own."""
        assert self._rows is not None
        self._rows[lane :: self.code.width] = [x for pattern in patterns for x in pattern]

    @property
    def order(self) -> list[int]:
        """In which order the patterns were presented last."""
        return list(self._order[: self._count])

    def reorder(self, order: Sequence[int]) -> None:
        """Set the order in which the patterns are presented from now on, in shuffled code."""
        assert self.code.shuffled
        self._order[: self._count] = order

    def set_column(self, k: int, numbers: Sequence[float], lane: int = 0) -> None:
        """Set the weights (0) or the optimizer's k-th memory of one network."""
        self._state[self._place(lane, k)] = numbers

    def column(self, k: int, lane: int = 0, *, before: bool = False) -> list[float]:
        """Return the weights (0) or the k-th memory of one, now or before the last sweep."""
        return list((self._snapshot if before else self._state)[self._place(lane, k)])

    def _place(self, lane: int, column: int) -> slice:
        start = column * self._column
        return slice(start + lane, start + self.code.parameters * self.code.width, self.code.width)

    def sweep(
        self,
        sweeps: int,
        settings: Sequence[Sequence[float]],
        watch: bool,
        keep: bool,
        generator: Any = None,
    ) -> tuple[int, Any]:
        """Do at most ``sweeps``; return how many, and the errors and right patterns.

        ``settings`` are the optimizer's for each update, or one for all. ``watch`` looks whether a
        network meets the criterion; ``keep`` keeps the history of all sweeps, not only of the last.
        The words of a ``generator`` (see ``shuffle``) shuffle the order before each sweep.
        """
        if settings is not self._settings:
            flat = [x for one in settings for x in one]
            self._settings, self._numbers = settings, doubles(len(flat), flat)
        size = 2 * self.code.width
        history = doubles(size * sweeps) if keep else self._last
        done = self.code.train(
            *(self._state, self._column, self._rows, self._order, generator),
            *(self._tile, self._columns, self._stride, self._count, self.code.batch, self._numbers),
            *(len(settings[0]) if len(settings) > 1 else 0, sweeps, int(watch)),
            *(self.flags, history, size if keep else 0, self._snapshot, self._memory),
            self.threads,
        )
        return done, history

    def ended(self, lane: int, flag: float, sweeps: int, course: Course) -> Ended:
        """Return how one network ended, by its flag and by errors and rights of its last sweep."""
        stopped = {ACTIVE: "sweeps", LEARNED: "criterion", NOT_FINITE: "diverged"}[flag]
        errors, rights = course
        weights, *memories = (self.column(k, lane) for k in range(self.code.columns - 1))
        return Ended(weights, memories, sweeps, stopped, errors[-1], round(rights[-1]), course)


class Progress(NamedTuple):
    """The result of some sweeps: error and right patterns of each, and why they ended.

    ``met``: all patterns were right in the last sweep, and still are; ``broken``: its error or a
    weight is not finite.
    """

    errors: list[float]
    right: list[float]
    met: bool
    broken: bool


class NetworkTrainer(Networks):
    """One network and its optimizer in memory, and the loop that trains them.

    ``shuffled`` says that a generator will be given to ``train``.
    """

    def __init__(
        self,
        gradient: Program,
        update: Program,
        batch: int,
        patterns: int,
        *,
        shuffled: bool = False,
    ) -> None:
        super().__init__(TrainingCode(gradient, update, 1, batch, patterns, shuffled=shuffled))
        self.threads = processors()

    def train(
        self,
        sweeps: int,
        settings: Sequence[Sequence[float]],
        watch: bool,
        rng: random.Random | None = None,
    ) -> Progress:
        """Do at most ``sweeps``; ``settings`` are those of each update, or one for all.

        ``rng`` shuffles the patterns before each sweep, as its ``shuffle`` does; if it may do that
        in a way of its own, one sweep is done.
        """
        self.flags[:] = [ACTIVE] * GROUP
        words = None
        if rng is not None:
            order = self.order
            if is_known(rng):
                words = words_of(rng)
            else:
                sweeps = 1
                rng.shuffle(order)
            self.reorder(order)
        done, history = self.sweep(sweeps, settings, watch, True, words)
        if rng is not None and words is not None:
            set_words(rng, words)
        flags = set(self.flags)
        errors, right = list(history[0 : 2 * done : 2]), list(history[1 : 2 * done : 2])
        broken = NOT_FINITE in flags
        return Progress(errors, right, LEARNED in flags and not broken, broken)


class Pace:
    """How many sweeps to do in one call, after which Python handles Ctrl-C and shows progress."""

    def __init__(self) -> None:
        self.sweeps = 1

    def note(self, sweeps: int, seconds: float) -> None:
        """Choose a moment's worth, at most ten times as many as before."""
        wanted = int(sweeps * _SECONDS / max(seconds, 1e-9))
        self.sweeps = max(1, min(wanted, 10 * self.sweeps, 1_000_000))


Course = tuple["array[float]", "array[float]"]
"""Errors and numbers of right patterns by sweep: of all sweeps, or of the last one."""

Take = Callable[[], tuple[int, Sequence[Sequence[float]]] | None]
"""Returns a replica's number, and its weights and memories; None after the last one."""

Give = Callable[[int, Ended], None]
"""Takes back the result of the replica with a number."""

Settings = Callable[[int, int, int], Sequence[Sequence[float]]]
"""``settings(replica, first, sweeps)``: those of its updates from sweep ``first`` on, or one."""

OwnPatterns = Callable[[int], Sequence[Sequence[float]]]
"""Returns the patterns of the replica with a number: as many as the others have."""


def width_of(weights: int, batch: int, count: int, *, shuffled: bool) -> int:
    """Return how many replicas train side by side: small ones do, in the lanes."""
    filled = batch >= _FEW and weights * min(batch, _FULL) >= _LARGE_BATCH
    alone = shuffled or weights >= _LARGE or filled
    return 1 if alone else min(WIDTH, padded(count, GROUP))


class Replicas:
    """Replicas of a network that any number of threads train; results do not depend on it.

    Of ``width`` replicas side by side, each has a lane; large ones, whose own numbers fill the
    lanes, train one after the other in each thread, as do those whose patterns ``rng`` shuffles:
    each begins with its state. ``watch`` ends a replica when it meets the criterion; ``keep`` keeps
    the course of its training. ``patterns`` are those of all, if there are no ``own_patterns``.
    """

    def __init__(
        self,
        gradient: Program,
        update: Program,
        batch: int,
        patterns: Sequence[Sequence[float]],
        *,
        width: int,
        watch: bool,
        keep: bool = False,
        rng: random.Random | None = None,
        own_patterns: OwnPatterns | None = None,
    ) -> None:
        weights, own = len(gradient.outputs) - 2, own_patterns is not None and width > 1
        if width > 1:
            gradient = gradient.over(range(len(gradient.inputs) if own else weights), None)
        settings = {"shuffled": rng is not None, "own": own}
        self._code = TrainingCode(gradient, update, width, batch, len(patterns), **settings)
        self._patterns, self._own_patterns = patterns, own_patterns
        self._watch, self._keep, self._rng = watch, keep, rng

    def train(self, sweeps: int, take: Take, give: Give, settings: Settings, steady: bool) -> None:
        """Train what ``take`` hands out for at most ``sweeps``, in this thread.

        ``steady`` says that all updates of a replica have the same settings.
        """
        given = self._code, self._patterns, self._own_patterns, sweeps, self._watch, self._keep
        if self._code.width == 1:
            _ReplicaAlone(*given).train(take, give, settings, self._rng)
        else:
            _ReplicaLanes(*given).train(take, give, settings, refill=steady)


class _ReplicaNetworks(Networks):
    """Networks that replicas are put into, one after the other."""

    def __init__(
        self,
        code: TrainingCode,
        patterns: Sequence[Sequence[float]],
        own_patterns: OwnPatterns | None,
        sweeps: int,
        watch: bool,
        keep: bool,
    ) -> None:
        super().__init__(code)
        self.present(patterns)
        self._own_patterns = own_patterns
        self._most, self._watch, self._keep, self._pace = sweeps, watch, keep, Pace()
        self._replicas = [-1] * code.width
        self._sweeps = [0] * code.width
        self._courses: list[Course] = [(array("d"), array("d")) for _ in range(code.width)]

    def _note_course(self, lane: int, done: int, history: Any) -> None:
        """Add the errors and rights of ``done`` sweeps of one network, or of the last of them."""
        width, count = self.code.width, done if self._keep else 1
        course = self._courses[lane]
        for numbers, first in zip(course, (lane, lane + width)):
            if not self._keep:
                del numbers[:]
            numbers.extend(history[first : 2 * width * count : 2 * width])


class _ReplicaAlone(_ReplicaNetworks):
    """Replicas trained one after the other."""

    def train(self, take: Take, give: Give, settings: Settings, rng: random.Random | None) -> None:
        first_order = self.order
        while (replica := take()) is not None:
            number, columns = replica
            for k, numbers in enumerate(columns):
                self.set_column(k, numbers)
            if self._own_patterns is not None:
                self.present(self._own_patterns(number))
            self.flags[:] = [ACTIVE] * GROUP
            words = None
            if rng is not None:
                self.reorder(first_order)
                words = words_of(rng)
            give(number, self._trained(number, settings, words))

    def _trained(self, number: int, settings: Settings, words: Any) -> Ended:
        done = 0
        self._courses = [(array("d"), array("d"))]
        while True:
            left = min(self._most - done, self._pace.sweeps)
            start = time.perf_counter()
            given = settings(number, done, left)
            some, history = self.sweep(left, given, self._watch, self._keep, words)
            self._pace.note(some, time.perf_counter() - start)
            self._note_course(0, some, history)
            done += some
            flags = set(self.flags)
            flag = next((x for x in (NOT_FINITE, LEARNED) if x in flags), ACTIVE)
            if flag != ACTIVE or done >= self._most:
                return self.ended(0, flag, done, self._courses[0])


class _ReplicaLanes(_ReplicaNetworks):
    """Replicas trained side by side, a lane each; where one has ended, the next one starts."""

    def train(self, take: Take, give: Give, settings: Settings, refill: bool) -> None:
        """Train what ``take`` hands out, and hand the results to ``give``.

        Where settings change, ``refill`` must be False: then all lanes start, and end, together.
        """
        width = self.code.width
        while True:
            if refill or not any(self._sweeps):
                for lane in range(width):
                    if self.flags[lane] == FREE and not self._start(lane, take()):
                        break
            active = [lane for lane, flag in enumerate(self.flags) if flag == ACTIVE]
            if not active:
                if not any(self._sweeps):
                    return
                self._sweeps = [0] * width  # all have ended together: the next ones
                continue
            left = min(self._most - self._sweeps[lane] for lane in active)
            left = min(left, self._pace.sweeps)
            begun = self._sweeps[active[0]]
            start = time.perf_counter()
            given = settings(self._replicas[active[0]], begun, left)
            done, history = self.sweep(left, given, self._watch, self._keep)
            self._pace.note(done, time.perf_counter() - start)
            flags = self.flags[:]
            for lane in active:
                self._sweeps[lane] += done
                self._note_course(lane, done, history)
                sweeps, flag = self._sweeps[lane], flags[lane]
                if flag != ACTIVE or sweeps >= self._most:
                    give(self._replicas[lane], self.ended(lane, flag, sweeps, self._courses[lane]))
                    self.flags[lane] = FREE
                    if refill:
                        self._sweeps[lane] = 0

    def _start(self, lane: int, replica: tuple[int, Sequence[Sequence[float]]] | None) -> bool:
        """Put a replica into a lane; return whether there was one."""
        if replica is None:
            return False
        number, columns = replica
        self._replicas[lane] = number
        self._courses[lane] = array("d"), array("d")
        for k, numbers in enumerate(columns):
            self.set_column(k, numbers, lane)
        if self._own_patterns is not None:
            self.present_own(self._own_patterns(number), lane)
        self.flags[lane] = ACTIVE
        return True
