"""Training of many replicas of a network: restarts from other weights, side by side."""

from __future__ import annotations

import copy
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from microgradient.compiler.program.errors import CompileError
from microgradient.engine.number import positive, shown
from microgradient.engine.value import Value
from microgradient.nn.module import Module
from microgradient.nn.optimizers import Optimizer
from microgradient.nn.training.eager import Criterion, Pattern
from microgradient.nn.training.loop import (
    TrainingDiverged,
    batch_size,
    check_engine,
    check_run,
    checked_schedule,
    train,
)
from microgradient.nn.training.programs import Programs, programs


@dataclass(frozen=True)
class Replica:
    """How the training of one replica ended: after how many sweeps, and why.

    ``stopped`` is "criterion", "sweeps" or "diverged"; ``error`` and ``right`` are those of the
    last sweep. ``model`` has the learned weights; where it diverged, those before training.
    """

    model: Module
    sweeps: int
    stopped: str
    error: float
    right: int


def train_replicas(
    models: Iterable[Any],
    patterns: Sequence[Pattern],
    *,
    loss: Callable[[Any, Any], Value],
    optimizer: Callable[[list[Value]], Optimizer],
    sweeps: int,
    update: str | int = "sweep",
    criterion: Criterion | None = None,
    schedule: Mapping[int, Mapping[str, float]] | None = None,
    engine: str = "auto",
    workers: int | None = None,
) -> list[Replica]:
    """Train each of ``models`` as ``train`` would, and return how each ended, in their order.

    The models are of one architecture and differ in their weights. ``optimizer`` makes an optimizer
    for a list of parameters: ``lambda parameters: nn.Momentum(parameters, rate=0.25)``. Compiled,
    they run side by side in the lanes of vector registers, in ``workers`` threads (one for each
    processor); a replica that has ended makes room for the next. ``engine`` and the other settings
    are those of ``train``. Raises ValueError for models of different architectures.
    """
    replicas = list(models)
    check_engine(engine)
    check_run(sweeps, criterion)
    workers = positive(workers if workers is not None else os.cpu_count() or 1, "workers")
    if not callable(optimizer):
        raise TypeError(
            "optimizer must be a function of a list of parameters, such as "
            f"lambda parameters: Momentum(parameters, 0.1), got {shown(optimizer)}"
        )
    if not replicas:
        return []
    optimizers = [optimizer(model.parameters()) for model in replicas]
    checked_schedule(schedule or {}, optimizers[0])
    size = batch_size(update, len(patterns))
    compiled = None
    if engine != "eager" and find_spec("llvmlite") is not None:
        try:
            compiled = _common_programs(replicas, optimizers, loss, criterion, patterns)
        except Exception:
            if engine == "compiled":
                raise
    if compiled is None:
        common = {"loss": loss, "sweeps": sweeps, "update": update, "criterion": criterion}
        common |= {"schedule": schedule, "engine": engine, "progress": False}
        return [_one(model, patterns, rule, common) for model, rule in zip(replicas, optimizers)]
    return _Work(replicas, optimizers, compiled, schedule or {}, sweeps, size).done(workers)


def _one(
    model: Any, patterns: Sequence[Pattern], optimizer: Optimizer, settings: dict[str, Any]
) -> Replica:
    before = model.state()
    try:
        history = train(model, patterns, optimizer=optimizer, **settings)
    except TrainingDiverged as fault:
        model.load_state(before)
        history = fault.history
        history.stopped = "diverged"
    error = history.errors[-1] if history.errors else 0.0
    right = history.right[-1] if history.right else 0
    return Replica(model, history.sweeps, history.stopped, error, right)


def _common_programs(
    models: Sequence[Any],
    optimizers: Sequence[Optimizer],
    loss: Callable[[Any, Any], Any],
    criterion: Criterion | None,
    patterns: Sequence[Pattern],
) -> Programs:
    """Return the programs that all of ``models`` share; CompileError if they are not the same."""
    compiled = programs(models[0], loss, optimizers[0], criterion, patterns)
    kind, names = _anatomy(models[0]), list(models[0].named_parameters())
    settings = copy.copy(optimizers[0]).settings()
    seen: set[Value] = set()
    for i, (model, rule) in enumerate(zip(models, optimizers)):
        parameters = model.parameters()
        if list(model.named_parameters()) != names or _anatomy(model) != kind:
            raise ValueError(
                f"replicas must be of one architecture: model {i} is {model!r}, the first one "
                f"{models[0]!r}"
            )
        if set(rule.parameters) != set(parameters) or not seen.isdisjoint(parameters):
            raise CompileError(
                f"replica {i} does not train all of its parameters, or shares some with another "
                'one: train them with engine="eager"'
            )
        if type(rule) is not type(optimizers[0]) or copy.copy(rule).settings() != settings:
            raise CompileError("replicas must have one optimizer with the same settings")
        seen.update(parameters)
    if len(models) > 1:
        other = programs(models[1], loss, optimizers[1], criterion, patterns)
        if other.gradient.instructions != compiled.gradient.instructions:
            raise CompileError("loss or criterion depends on which replica it is")
    return compiled


def _anatomy(thing: Any) -> Any:
    """Return what a model is made of besides its numbers: types, settings, functions."""
    if type(thing) is Value:
        return Value
    if isinstance(thing, Module):
        return type(thing), _anatomy(vars(thing))
    if isinstance(thing, Mapping):
        return [(key, _anatomy(part)) for key, part in thing.items()]
    if isinstance(thing, (list, tuple)):
        return [_anatomy(part) for part in thing]
    return thing


class _Work:
    """Replicas that threads take, train and give back."""

    def __init__(
        self,
        models: Sequence[Any],
        optimizers: Sequence[Optimizer],
        compiled: Programs,
        schedule: Mapping[int, Mapping[str, float]],
        sweeps: int,
        size: int,
    ) -> None:
        from microgradient.compiler.llvm.training_kernel import WIDTH, TrainingCode

        self.models, self.optimizers, self.schedule = models, optimizers, schedule
        self.sweeps, self.size, self.rows = sweeps, size, compiled.rows
        weights = tuple(range(len(compiled.gradient.outputs) - 2))
        over = compiled.gradient.over(weights, each=True)
        self.code = TrainingCode(over, compiled.update, WIDTH, size, len(self.rows))
        self.steady = not schedule and optimizers[0].steady
        self.stopped = False
        self.results: list[Replica | None] = [None] * len(models)
        self.lock = threading.Lock()
        self.next = 0

    def done(self, workers: int) -> list[Replica]:
        if self.sweeps > 0:
            with ThreadPoolExecutor(workers) as pool:
                futures = [pool.submit(self._work) for _ in range(workers)]
                try:
                    for future in futures:
                        future.result()
                finally:
                    self.stopped = True  # whatever went wrong, the other threads end soon
        return [
            result or Replica(model, 0, "sweeps", 0.0, 0)
            for model, result in zip(self.models, self.results)
        ]

    def _work(self) -> None:
        from microgradient.compiler.llvm.training_kernel import Lanes

        lanes = Lanes(self.code, self.rows, self.sweeps)
        lanes.train(self._take, self._give, self._settings, refill=self.steady)

    def _take(self) -> tuple[int, list[float]] | None:
        with self.lock:
            i = self.next
            if i >= len(self.models):
                return None
            self.next += 1
        return i, [parameter.data for parameter in self.optimizers[i].parameters]

    def _give(self, i: int, ended: Any) -> None:
        model = self.models[i]
        if ended.stopped != "diverged":
            for parameter, weight in zip(self.optimizers[i].parameters, ended.weights):
                parameter.data = weight
        self.results[i] = Replica(model, ended.sweeps, ended.stopped, ended.error, ended.right)

    def _settings(self, first: int, sweeps: int) -> list[tuple[float, ...]]:
        """Return the optimizer's settings for each update of these sweeps, or one for all."""
        if self.stopped:
            raise KeyboardInterrupt
        optimizer = copy.copy(self.optimizers[0])
        if self.steady:
            return [optimizer.settings()]
        updates = -(-len(self.rows) // self.size)
        table: list[tuple[float, ...]] = []
        for sweep in range(first + sweeps):
            vars(optimizer).update(self.schedule.get(sweep, {}))
            steps = [optimizer.settings() for _ in range(updates)]
            if sweep >= first:
                table += steps
        return table
