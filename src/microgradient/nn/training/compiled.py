"""Sweeps of training as compiled code: all in machine code, or gradients as Python source."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from math import isfinite

from microgradient.compiler.python.source import PythonKernel
from microgradient.nn.training.eager import EagerRun, Sweeps
from microgradient.nn.training.programs import TrainingPrograms

_FAULT = "the loss, a weight or a memory of the optimizer is not finite"


class MachineRun:
    """A run whose sweeps are one call into machine code; ``eager`` keeps and restores its state."""

    def __init__(self, eager: EagerRun, programs: TrainingPrograms) -> None:
        from microgradient.compiler.llvm.training_kernel import NetworkTrainer, Pace  # llvmlite

        self.eager, self._patterns = eager, programs.patterns
        self._kernel = NetworkTrainer(
            *(programs.gradient, programs.update, eager.batch_size, len(self._patterns)),
            shuffled=eager.shuffled,
        )
        self._kernel.present(self._patterns)
        self._pace = Pace()

    def advance(
        self, changes: Mapping[str, float], rng: random.Random | None, most: int, watch: bool
    ) -> Sweeps:
        """Do up to ``most`` sweeps, as many as fit into a moment."""
        optimizer, kernel = self.eager.optimizer, self._kernel
        self.eager.keep()
        vars(optimizer).update(changes)
        most = min(most, self._pace.sweeps)
        kernel.set_column(0, self.eager.weights)
        for k, name in enumerate(optimizer.memories, 1):
            kernel.set_column(k, getattr(optimizer, name))
        begun, updates = optimizer.steps, 1 if optimizer.steady else most * self.eager.updates
        settings = [optimizer.settings(step) for step in range(begun, begun + updates)]
        start = time.perf_counter()
        progress = kernel.train(most, settings, watch, rng)
        if rng is not None:
            self.eager.order[:] = kernel.order
        self._pace.note(len(progress.errors), time.perf_counter() - start)
        done = len(progress.errors) - progress.broken
        if done:
            optimizer.steps = begun + done * self.eager.updates
            self._take(before=progress.broken)
        return Sweeps(
            progress.errors[:done],
            [round(x) for x in progress.right[:done]],
            progress.met,
            _FAULT if progress.broken else None,
        )

    def _take(self, *, before: bool) -> None:
        """Copy weights and memories from the kernel, as after or ``before`` its last sweep."""
        optimizer = self.eager.optimizer
        for parameter, weight in zip(optimizer.parameters, self._kernel.column(0, before=before)):
            parameter.data = weight
        for k, name in enumerate(optimizer.memories, 1):
            getattr(optimizer, name)[:] = self._kernel.column(k, before=before)
        self.eager.keep()


class PythonRun:
    """A run whose gradients are a compiled Python function; the optimizer moves Values."""

    def __init__(self, eager: EagerRun, programs: TrainingPrograms) -> None:
        self.eager, self._patterns = eager, programs.patterns
        self._gradient = PythonKernel(programs.gradient)

    def advance(
        self, changes: Mapping[str, float], rng: random.Random | None, most: int, watch: bool
    ) -> Sweeps:
        """Do one sweep, whatever ``most`` allows."""
        eager, optimizer = self.eager, self.eager.optimizer
        vars(optimizer).update(changes)
        if rng is not None:
            rng.shuffle(eager.order)
        error, right = 0.0, 0.0
        for start in range(0, len(eager.order), eager.batch_size):
            batch = [self._patterns[i] for i in eager.order[start : start + eager.batch_size]]
            *slopes, loss, met = self._gradient.run_batch(self._weights(), batch)
            error, right = error + loss, right + met
            for parameter, slope in zip(optimizer.parameters, slopes):
                parameter.grad = slope
            optimizer.step()
        weights = self._weights()
        memories = [x for name in optimizer.memories for x in getattr(optimizer, name)]
        if not all(map(isfinite, (error, *weights, *memories))):
            return Sweeps([], [], fault=_FAULT)
        eager.keep()
        count = len(self._patterns)
        met_now = (
            watch
            and right == count
            and self._gradient.run_batch(weights, self._patterns)[-1] == count
        )
        return Sweeps([error], [round(right)], met_now)

    def _weights(self) -> list[float]:
        return [parameter.data for parameter in self.eager.optimizer.parameters]
