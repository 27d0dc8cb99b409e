"""Networks trained in machine code: one, or many replicas side by side."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from microgradient.compiler.llvm.buffers import columns_of, doubles, padded
from microgradient.compiler.llvm.function import lowered, memory_places, module_with
from microgradient.compiler.llvm.jit import Code, vector_width
from microgradient.compiler.llvm.training_loop import (
    ACTIVE,
    FREE,
    GROUP,
    LEARNED,
    NOT_FINITE,
    PARAMETERS,
    TrainingLoop,
)
from microgradient.compiler.program.program import Program

WIDTH = 32  # replicas side by side: enough independent work to fill a processor's pipelines
_FEW = 4  # patterns between two updates, from which on vector lanes run over patterns
_SWEEPS = 2000  # of all replicas in one call: a moment's work for a small network


class TrainingCode:
    """The compiled loop for ``width`` networks; any number of threads may run it.

    ``gradient`` maps weights and a pattern to the gradient, the error and whether the pattern is
    right; it varies over patterns for one network, over weights for replicas. ``update`` maps
    settings and, varying, a weight with its memories and gradient to the new weight and memories.
    """

    def __init__(
        self, gradient: Program, update: Program, width: int, batch: int, patterns: int
    ) -> None:
        self.width, self.batch = width, batch
        self.parameters, self.columns = len(gradient.outputs) - 2, len(update.varying)
        size, single = vector_width(), width == 1
        whole = not single or (batch % size == 0 and patterns % size == 0)
        over = size if not single or batch >= _FEW else 1
        slope = lowered(gradient, over, "gradient", accumulate=not single, whole=whole, often=True)
        over = size if width * self.parameters >= _FEW else 1
        move = lowered(update, over, "update", whole=not single, often=True)
        numbers = len(gradient.inputs) - self.parameters
        loop = TrainingLoop(slope, move, self.parameters, self.columns, numbers, width)
        self._code = Code(module_with([slope, move], loop.function()))
        types = [parameter.split()[0] for parameter in PARAMETERS.split(", ")]
        self.train = self._code.function("train", types, ctypes.c_int64)
        self.memory = memory_places(slope, move)[-1]


class Networks:
    """The weights, memories and flags of ``code.width`` networks."""

    def __init__(self, code: TrainingCode) -> None:
        self.code = code
        self._column = padded((code.parameters + 2) * code.width, GROUP)
        self._state, self._snapshot = (doubles(self._column * code.columns) for _ in range(2))
        self._memory = doubles(code.memory)
        self.flags = doubles(max(code.width, GROUP))
        self.flags[:] = [ACTIVE if code.width == 1 else FREE] * len(self.flags)

    def present(self, patterns: Sequence[Sequence[float]]) -> None:
        """Set the patterns, in the order in which they are presented."""
        self._count, self._stride = len(patterns), padded(len(patterns), GROUP)
        if self.code.width == 1:
            self._patterns = columns_of(list(patterns), len(patterns[0]), self._stride)
        else:
            flat = [x for pattern in patterns for x in pattern]
            self._patterns = doubles(len(flat), flat)

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
        self, sweeps: int, settings: Sequence[Sequence[float]], watch: bool, keep: bool
    ) -> tuple[int, Any]:
        """Do at most ``sweeps``; return how many, and the errors and right patterns.

        ``settings`` are the optimizer's for each update, or one for all. ``watch`` looks whether a
        network meets the criterion; ``keep`` keeps the history of all sweeps, not only of the last.
        """
        flat = [x for one in settings for x in one]
        size = 2 * self.code.width
        history = doubles(size * (sweeps if keep else 1))
        done = self.code.train(
            *(self._state, self._column, self._patterns, self._stride, self._count),
            *(self.code.batch, doubles(len(flat), flat)),
            *(len(settings[0]) if len(settings) > 1 else 0, sweeps, int(watch)),
            *(self.flags, history, size if keep else 0, self._snapshot, self._memory),
        )
        return done, history


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
    """One network and its optimizer in memory, and the loop that trains them."""

    def __init__(self, gradient: Program, update: Program, batch: int, patterns: int) -> None:
        super().__init__(TrainingCode(gradient, update, 1, batch, patterns))

    def train(self, sweeps: int, settings: Sequence[Sequence[float]], watch: bool) -> Progress:
        """Do at most ``sweeps``; ``settings`` are those of each update, or one for all."""
        self.flags[:] = [ACTIVE] * GROUP
        done, history = self.sweep(sweeps, settings, watch, True)
        flags = set(self.flags)
        errors, right = list(history[0 : 2 * done : 2]), list(history[1 : 2 * done : 2])
        broken = NOT_FINITE in flags
        return Progress(errors, right, LEARNED in flags and not broken, broken)


@dataclass(frozen=True)
class Ended:
    """How a replica's training ended: "criterion", "sweeps" or "diverged"."""

    weights: list[float]
    memories: list[list[float]]
    sweeps: int
    stopped: str
    error: float
    right: int


class ReplicaLanes(Networks):
    """Replicas trained side by side, a lane each; where one has ended, the next one starts."""

    def __init__(
        self, code: TrainingCode, patterns: Sequence[Sequence[float]], sweeps: int
    ) -> None:
        super().__init__(code)
        self.present(patterns)
        self._most = sweeps
        self._replicas = [-1] * code.width
        self._sweeps = [0] * code.width

    def train(
        self,
        take: Callable[[], tuple[int, Sequence[Sequence[float]]] | None],
        give: Callable[[int, Ended], None],
        settings: Callable[[int, int], Sequence[Sequence[float]]],
        refill: bool,
    ) -> None:
        """Train what ``take`` hands out, and hand the results to ``give``.

        ``take`` returns a replica's number, its weights, and its memories, or None at the end.
        ``settings(first, sweeps)`` are those of the updates from sweep ``first`` on; where they
        change, ``refill`` must be False: then all lanes start, and end, together.
        """
        width = self.code.width
        while True:
            for lane in range(width):
                if self.flags[lane] == FREE and (refill or not any(self._sweeps)):
                    self._start(lane, take())
            active = [lane for lane in range(width) if self.flags[lane] == ACTIVE]
            if not active:
                if not any(self._sweeps):
                    return
                self._sweeps = [0] * width  # all have ended together: the next ones
                continue
            left = min(min(self._most - self._sweeps[lane] for lane in active), _SWEEPS)
            done, last = self.sweep(left, settings(self._sweeps[active[0]], left), True, False)
            for lane in active:
                self._sweeps[lane] += done
                if self.flags[lane] != ACTIVE or self._sweeps[lane] >= self._most:
                    give(self._replicas[lane], self._ended(lane, last))
                    self.flags[lane] = FREE
                    if refill:
                        self._sweeps[lane] = 0

    def _start(self, lane: int, replica: tuple[int, Sequence[Sequence[float]]] | None) -> None:
        if replica is None:
            return
        self._replicas[lane], columns = replica
        for k, numbers in enumerate(columns):
            self.set_column(k, numbers, lane)
        self.flags[lane] = ACTIVE

    def _ended(self, lane: int, last: Any) -> Ended:
        names = {ACTIVE: "sweeps", LEARNED: "criterion", NOT_FINITE: "diverged"}
        error, right = last[lane], last[self.code.width + lane]
        stopped = names[self.flags[lane]]
        weights, *memories = (self.column(k, lane) for k in range(self.code.columns - 1))
        return Ended(weights, memories, self._sweeps[lane], stopped, error, round(right))
