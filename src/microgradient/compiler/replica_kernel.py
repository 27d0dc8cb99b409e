"""Many replicas trained side by side in machine code; where one ends, the next one starts."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from microgradient.compiler.llvm_replicas import ACTIVE, LEARNED, replica_loop
from microgradient.compiler.llvm_source import lowered, memory_places, module_text
from microgradient.compiler.machine import Code, lanes
from microgradient.compiler.memory import doubles
from microgradient.compiler.program import Program

WIDTH = 32  # replicas side by side: enough independent work to fill a processor's pipelines
_STRETCH = 2000  # sweeps of all of them in one call: a moment's work for a small network
_LOOP = ctypes.CFUNCTYPE(
    ctypes.c_int64,
    *(ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64),
    *(ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64),
    *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p),
)


@dataclass(frozen=True)
class Ended:
    """How a replica's training ended: "criterion", "sweeps" or "diverged"."""

    weights: list[float]
    sweeps: int
    stopped: str
    error: float
    right: int


class ReplicaCode:
    """The compiled loop; any number of threads may run it, each with lanes of its own."""

    def __init__(self, gradient: Program, update: Program) -> None:
        self.parameters = len(gradient.outputs) - 2
        self.columns = len(update.rows)
        numbers = len(gradient.inputs) - self.parameters
        slope = lowered(gradient, lanes(), "gradient", accumulate=True, whole=True)
        move = lowered(update, lanes(), "update", whole=True)
        text = replica_loop(slope, move, self.parameters, numbers, self.columns)
        self._code = Code(module_text([slope, move], text))
        self.loop = self._code.function("replicas", _LOOP)
        self.memory = memory_places(slope, move)[-1]


class Lanes:
    """Replicas being trained side by side."""

    def __init__(
        self, code: ReplicaCode, patterns: Sequence[Sequence[float]], batch: int, most: int
    ) -> None:
        self._code, self._batch, self._most = code, batch, most
        self._count = len(patterns)
        flat = [x for pattern in patterns for x in pattern]
        self._patterns = doubles(len(flat), flat)
        self._state = doubles(WIDTH * (code.parameters * code.columns + 2))
        self._flags, self._right = doubles(WIDTH), doubles(2 * WIDTH)
        self._memory = doubles(code.memory)
        self._replicas: list[Any] = [None] * WIDTH
        self._sweeps = [0] * WIDTH

    def train(
        self,
        take: Callable[[], tuple[Any, Sequence[float]] | None],
        give: Callable[[Any, Ended], None],
        settings: Callable[[int, int], Sequence[Sequence[float]]],
        refill: bool,
    ) -> None:
        """Train what ``take`` hands out, and hand the results to ``give``.

        ``settings(first, sweeps)`` are those of the updates from sweep ``first`` on; where they
        change, ``refill`` must be False: then all lanes start, and end, together.
        """
        while True:
            for lane in range(WIDTH):
                if self._flags[lane] == 0 and (refill or not any(self._sweeps)):
                    self._start(lane, take())
            active = [lane for lane in range(WIDTH) if self._flags[lane] == ACTIVE]
            if not active:
                if not any(self._sweeps):
                    return
                self._sweeps = [0] * WIDTH  # all have ended together: the next ones
                continue
            left = min(self._most - self._sweeps[lane] for lane in active)
            done = self._run(min(left, _STRETCH), settings, self._sweeps[active[0]])
            for lane in active:
                self._sweeps[lane] += done
                if self._flags[lane] != ACTIVE or self._sweeps[lane] >= self._most:
                    give(self._replicas[lane], self._ended(lane))
                    self._flags[lane] = 0.0
                    if refill:
                        self._sweeps[lane] = 0

    def _start(self, lane: int, replica: tuple[Any, Sequence[float]] | None) -> None:
        if replica is None:
            return
        self._replicas[lane], weights = replica
        step = self._code.parameters * WIDTH
        for column in range(self._code.columns - 1):
            numbers = weights if column == 0 else [0.0] * len(weights)
            self._state[column * step + lane : (column + 1) * step : WIDTH] = numbers
        self._flags[lane] = ACTIVE

    def _run(self, sweeps: int, settings: Callable[[int, int], Any], first: int) -> int:
        table = settings(first, sweeps)
        flat = [x for one in table for x in one]
        return int(
            self._code.loop(
                *(self._state, WIDTH, self._patterns, self._count, self._batch),
                *(doubles(len(flat), flat), len(table[0]) if len(table) > 1 else 0, sweeps),
                *(self._flags, self._right, self._memory),
            )
        )

    def _ended(self, lane: int) -> Ended:
        step = self._code.parameters * WIDTH
        weights = list(self._state[lane:step:WIDTH])
        flag = self._flags[lane]
        stopped = "criterion" if flag == LEARNED else "sweeps" if flag == ACTIVE else "diverged"
        if not all(x - x == 0 for x in weights):
            stopped = "diverged"
        right, error = self._right[lane], self._right[WIDTH + lane]
        return Ended(weights, self._sweeps[lane], stopped, error, round(right))
