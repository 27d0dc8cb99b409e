"""A training loop in machine code, and the memory it works in."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from microgradient.compiler.llvm_source import lowered, memory_places, module_text
from microgradient.compiler.llvm_training import MET, NOT_FINITE, training_loop
from microgradient.compiler.machine import Code, lanes, turned
from microgradient.compiler.memory import doubles, padded
from microgradient.compiler.program import Program

_FEW = 4  # patterns between two updates, from which on vector lanes run over patterns
_LOOP = ctypes.CFUNCTYPE(
    ctypes.c_int64,
    *(ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64),
    *(ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64),
    *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p),
)


@dataclass(frozen=True)
class Stretch:
    """What some sweeps came to: error and right patterns of each, and why they ended.

    ``met``: all patterns were right in the last sweep, and still are; ``broken``: its error or a
    weight is not finite.
    """

    errors: list[float]
    right: list[float]
    met: bool
    broken: bool


class TrainingKernel:
    """One network and its optimizer in memory, and the loop that trains them.

    ``gradient`` maps weights (shared) and a pattern (a row) to the gradient, the error and whether
    the pattern is right; ``update`` maps settings (shared)
    and a weight with its memories and gradient (a row) to the new weight and memories.
    """

    def __init__(self, gradient: Program, update: Program, batch: int, patterns: int) -> None:
        width = lanes()
        whole = batch % width == 0 and patterns % width == 0
        self._parameters = len(gradient.outputs) - 2
        self._columns = len(update.rows)
        self._batch = batch
        slope = lowered(gradient, width if batch >= _FEW else 1, "gradient", whole=whole)
        move = lowered(update, width if self._parameters >= _FEW else 1, "update")
        loop = training_loop(slope, move, self._parameters, self._columns)
        self._code = Code(module_text([slope, move], loop))
        self._loop = self._code.function("train", _LOOP)
        self._width = padded(self._parameters + 2, 8)
        self._state = doubles(self._width * self._columns)
        self._snapshot = doubles(self._width * self._columns)
        self._memory = doubles(memory_places(slope, move)[-1])
        self._count = 0
        self._stride = 0
        self._rows: Any = None

    def present(self, rows: Sequence[Sequence[float]]) -> None:
        """Set the patterns, in the order in which they are presented."""
        self._count, self._stride = len(rows), padded(len(rows), 8)
        self._rows = turned(list(rows), len(rows[0]), self._stride)

    def set_column(self, k: int, numbers: Sequence[float]) -> None:
        """Set the weights (0) or the optimizer's k-th memory."""
        start = k * self._width
        self._state[start : start + self._parameters] = numbers

    def column(self, k: int, *, before: bool = False) -> list[float]:
        """Return the weights (0) or the k-th memory, now or before the last sweep."""
        start = k * self._width
        array = self._snapshot if before else self._state
        return list(array[start : start + self._parameters])

    def train(
        self, sweeps: int, settings: Sequence[Sequence[float]], watch_criterion: bool
    ) -> Stretch:
        """Do at most ``sweeps``; ``settings`` are those of each update, or one for all."""
        step = len(settings[0]) if len(settings) > 1 else 0
        flat = [x for one in settings for x in one]
        history = doubles(2 * sweeps)
        result = self._loop(
            *(self._state, self._width, self._rows, self._stride, self._count, self._batch),
            *(doubles(len(flat), flat), step, sweeps, int(watch_criterion)),
            *(history, self._snapshot, self._memory),
        )
        status, done = result >> 32, result & 0xFFFFFFFF
        errors, right = list(history[0 : 2 * done : 2]), list(history[1 : 2 * done : 2])
        return Stretch(errors, right, status == MET, status == NOT_FINITE)
