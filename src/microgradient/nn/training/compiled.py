"""Sweeps of training as compiled code: machine code where llvmlite is installed, else Python."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping

from microgradient.compiler.python.source import PythonKernel
from microgradient.nn.training.eager import EagerRun, Sweeps
from microgradient.nn.training.programs import Programs

_STRETCH = 0.05  # seconds of compiled sweeps after which Python looks in: for Ctrl-C and progress


class MachineRun:
    """A run whose sweeps are one call into machine code; ``eager`` keeps and restores its state."""

    def __init__(self, eager: EagerRun, programs: Programs) -> None:
        from microgradient.compiler.llvm.training_kernel import TrainingKernel

        self.eager, self._rows = eager, programs.rows
        self._kernel = TrainingKernel(
            programs.gradient, programs.update, eager.size, len(self._rows)
        )
        self._kernel.present(self._rows)
        self._most = 1

    def advance(
        self, settings: Mapping[str, float], rng: random.Random | None, most: int, watch: bool
    ) -> Sweeps:
        """Do up to ``most`` sweeps, as many as take a moment."""
        optimizer, kernel = self.eager.optimizer, self._kernel
        self.eager.keep()
        vars(optimizer).update(settings)
        if rng is not None:
            most = 1
            rng.shuffle(self.eager.order)
            kernel.present([self._rows[i] for i in self.eager.order])
        most = min(most, self._most)
        kernel.set_column(0, self.eager.weights)
        for k, name in enumerate(optimizer.memories, 1):
            kernel.set_column(k, getattr(optimizer, name))
        updates = most * -(-len(self._rows) // self.eager.size)
        table = [optimizer.settings() for _ in range(1 if optimizer.steady else updates)]
        start = time.perf_counter()
        stretch = kernel.train(most, table, watch)
        self._pace(time.perf_counter() - start, most)
        done = len(stretch.errors) - stretch.broken
        if done < most and not optimizer.steady:
            self.eager.restore()
            vars(optimizer).update(settings)
            for _ in range(done * updates // most):
                optimizer.settings()
        self._take(before=stretch.broken)
        fault = "the loss or a weight is not finite" if stretch.broken else None
        return Sweeps(
            stretch.errors[:done],
            [round(x) for x in stretch.right[:done]],
            stretch.met,
            fault,
        )

    def _pace(self, seconds: float, sweeps: int) -> None:
        """Choose how many sweeps to do next time: a moment's worth, at most ten times as many."""
        wanted = int(sweeps * _STRETCH / max(seconds, 1e-9))
        self._most = max(1, min(wanted, 10 * sweeps, 1_000_000))

    def _take(self, *, before: bool) -> None:
        """Take weights and memories over from the kernel, after or before its last sweep."""
        optimizer = self.eager.optimizer
        for parameter, weight in zip(optimizer.parameters, self._kernel.column(0, before=before)):
            parameter.data = weight
        for k, name in enumerate(optimizer.memories, 1):
            getattr(optimizer, name)[:] = self._kernel.column(k, before=before)
        self.eager.keep()


class PythonRun:
    """A run whose gradients are a compiled Python function; the optimizer moves Values."""

    def __init__(self, eager: EagerRun, programs: Programs) -> None:
        self.eager, self._rows = eager, programs.rows
        self._gradient = PythonKernel(programs.gradient)
        self._check = PythonKernel(programs.check)

    def advance(
        self, settings: Mapping[str, float], rng: random.Random | None, most: int, watch: bool
    ) -> Sweeps:
        """Do one sweep, however many may be done."""
        eager, optimizer = self.eager, self.eager.optimizer
        vars(optimizer).update(settings)
        if rng is not None:
            rng.shuffle(eager.order)
        error, right = 0.0, 0.0
        for start in range(0, len(eager.order), eager.size):
            weights = [parameter.data for parameter in optimizer.parameters]
            rows = [self._rows[i] for i in eager.order[start : start + eager.size]]
            *slopes, loss, met = self._gradient.run_rows(weights, rows)
            error, right = error + loss, right + met
            for parameter, slope in zip(optimizer.parameters, slopes):
                parameter.grad = slope
            optimizer.step()
        weights = [parameter.data for parameter in optimizer.parameters]
        if not all(x - x == 0 for x in (error, *weights)):
            return Sweeps([], [], fault="the loss or a weight is not finite")
        eager.keep()
        all_right = watch and right == len(self._rows)
        met_now = all_right and self._check.run_rows(weights, self._rows)[0] == len(self._rows)
        return Sweeps([error], [round(right)], met_now)
