"""Training of many replicas of a network: restarts from other weights, side by side."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from microgradient.engine.number import positive, shown
from microgradient.engine.value import Value
from microgradient.nn.eager_run import Criterion, Pattern
from microgradient.nn.module import Module
from microgradient.nn.optimizers import Optimizer
from microgradient.nn.programs import Programs, programs
from microgradient.nn.training import (
    TrainingDiverged,
    batch_size,
    check_engine,
    checked_schedule,
    train,
)


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
    if not callable(optimizer):
        raise TypeError(
            "optimizer must be a function of a list of parameters, such as "
            f"lambda parameters: Momentum(parameters, 0.1), got {shown(optimizer)}"
        )
    if len({id(model) for model in replicas}) < len(replicas):
        raise ValueError("each replica is a model of its own, got one that stands twice")
    if not replicas:
        return []
    first = optimizer(replicas[0].parameters())
    checked_schedule(schedule or {}, first)
    size = batch_size(update, len(patterns))
    compiled = None
    if engine != "eager" and find_spec("llvmlite") is not None:
        try:
            compiled = programs(replicas[0], loss, first, criterion, patterns)
        except Exception:
            if engine == "compiled":
                raise
    if compiled is None:
        common = {"loss": loss, "sweeps": sweeps, "update": update, "criterion": criterion}
        common |= {"schedule": schedule, "engine": engine, "progress": False}
        return [_one(model, patterns, optimizer, common) for model in replicas]
    _check_alike(replicas)
    work = _Work(replicas, compiled, optimizer, schedule or {}, sweeps, size)
    return work.done(positive(workers or os.cpu_count() or 1, "workers"))


def _one(
    model: Any, patterns: Sequence[Pattern], optimizer: Any, settings: dict[str, Any]
) -> Replica:
    before = model.state()
    try:
        history = train(model, patterns, optimizer=optimizer(model.parameters()), **settings)
    except TrainingDiverged as fault:
        model.load_state(before)
        history = fault.history
        history.stopped = "diverged"
    error = history.errors[-1] if history.errors else 0.0
    right = history.right[-1] if history.right else 0
    return Replica(model, history.sweeps, history.stopped, error, right)


def _check_alike(models: Sequence[Any]) -> None:
    names = list(models[0].named_parameters())
    for i, model in enumerate(models):
        if type(model) is not type(models[0]) or list(model.named_parameters()) != names:
            raise ValueError(
                f"replicas must be of one architecture: model {i} is {model!r}, the first one "
                f"{models[0]!r}"
            )


class _Work:
    """Replicas that threads take, train and give back."""

    def __init__(
        self,
        models: Sequence[Any],
        compiled: Programs,
        optimizer: Callable[[list[Value]], Optimizer],
        schedule: Mapping[int, Mapping[str, float]],
        sweeps: int,
        size: int,
    ) -> None:
        from microgradient.compiler.replica_kernel import ReplicaCode

        self.models, self.optimizer, self.schedule = models, optimizer, schedule
        self.sweeps, self.size, self.rows = sweeps, size, compiled.rows
        weights = tuple(range(len(compiled.gradient.outputs) - 2))
        self.code = ReplicaCode(compiled.gradient.over(weights, each=True), compiled.update)
        self.steady = not schedule and optimizer(models[0].parameters()).steady
        self.results: list[Replica | None] = [None] * len(models)
        self.lock = threading.Lock()
        self.next = 0

    def done(self, workers: int) -> list[Replica]:
        if self.sweeps > 0:
            with ThreadPoolExecutor(workers) as pool:
                for future in [pool.submit(self._work) for _ in range(workers)]:
                    future.result()
        return [
            result or Replica(model, 0, "sweeps", 0.0, 0)
            for model, result in zip(self.models, self.results)
        ]

    def _work(self) -> None:
        from microgradient.compiler.replica_kernel import Lanes

        lanes = Lanes(self.code, self.rows, self.size, self.sweeps)
        lanes.train(self._take, self._give, self._settings, refill=self.steady)

    def _take(self) -> tuple[int, list[float]] | None:
        with self.lock:
            i = self.next
            if i >= len(self.models):
                return None
            self.next += 1
        return i, [parameter.data for parameter in self.models[i].parameters()]

    def _give(self, i: int, ended: Any) -> None:
        model = self.models[i]
        if ended.stopped != "diverged":
            for parameter, weight in zip(model.parameters(), ended.weights):
                parameter.data = weight
        self.results[i] = Replica(model, ended.sweeps, ended.stopped, ended.error, ended.right)

    def _settings(self, first: int, sweeps: int) -> list[tuple[float, ...]]:
        """Return the optimizer's settings for each update of these sweeps, or one for all."""
        optimizer = self.optimizer(self.models[0].parameters())
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
