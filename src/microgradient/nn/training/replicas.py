"""``train_replicas``: a network trained from many initial weights, side by side."""

from __future__ import annotations

import copy
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Unpack

from microgradient.compiler.program.errors import CompileError
from microgradient.engine.number import positive, shown
from microgradient.engine.value import Value
from microgradient.nn.module import Module
from microgradient.nn.optimizers import Optimizer
from microgradient.nn.training.loop import TrainingDiverged, train
from microgradient.nn.training.plan import Pattern, PlanSettings, TrainingPlan, check_backend
from microgradient.nn.training.programs import Objective, Programs, programs


@dataclass(frozen=True)
class Replica:
    """How the training of one replica ended: after how many sweeps, and why.

    ``stopped`` is "criterion", "sweeps", "interrupted" or "diverged"; ``error`` and ``right`` are
    those of the last sweep. ``model`` has the learned weights; where it diverged, those before
    training.
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
    backend: str = "auto",
    workers: int | None = None,
    **plan: Unpack[PlanSettings],
) -> list[Replica]:
    """Train each of ``models`` as ``train`` would, and return how each ended, in their order.

    The models are of one architecture and differ in their weights. ``optimizer`` makes an optimizer
    for a list of parameters: ``lambda parameters: nn.Momentum(parameters, rate=0.25)``. As machine
    code they run side by side in the lanes of vector registers, in ``workers`` threads (one for
    each processor), and a replica that has ended makes room for the next; shuffled, or with
    ``stop_when_met=False``, or by another backend, one after the other. ``backend`` and the other
    keywords are those of ``train``. Raises ValueError for models of different architectures.
    """
    replicas = list(models)
    check_backend(backend)
    run = TrainingPlan(**plan)
    workers = positive(workers if workers is not None else os.cpu_count() or 1, "workers")
    if not callable(optimizer):
        raise TypeError(
            "optimizer must be a function of a list of parameters, such as "
            f"lambda parameters: Momentum(parameters, 0.1), got {shown(optimizer)}"
        )
    if not replicas:
        return []
    optimizers = [optimizer(model.parameters()) for model in replicas]
    changes, size = run.changes(optimizers[0]), run.batch_size(len(patterns))
    side_by_side = run.shuffle is None and run.stop_when_met and backend in ("auto", "llvm")
    if side_by_side and find_spec("llvmlite") is not None:
        try:
            compiled = _common_programs(replicas, optimizers, loss, run, patterns)
        except Exception:
            if backend == "llvm":
                raise
        else:
            return _Work(replicas, optimizers, compiled, changes, run.sweeps, size).done(workers)
    return [
        _trained(
            model, patterns, loss=loss, optimizer=rule, backend=backend, progress=False, **plan
        )
        for model, rule in zip(replicas, optimizers)
    ]


def _trained(model: Any, patterns: Sequence[Pattern], **keywords: Any) -> Replica:
    before = model.state_dict()
    try:
        history = train(model, patterns, **keywords)
    except TrainingDiverged as fault:
        model.load_state_dict(before)
        history = fault.history
        history.stopped = "diverged"
    error = history.errors[-1] if history.errors else 0.0
    right = history.right[-1] if history.right else 0
    return Replica(model, history.sweeps, history.stopped, error, right)


def _common_programs(
    models: Sequence[Any],
    optimizers: Sequence[Optimizer],
    loss: Callable[[Any, Any], Any],
    plan: TrainingPlan,
    patterns: Sequence[Pattern],
) -> Programs:
    """Return the programs that all of ``models`` share; CompileError if they are not the same."""
    first = optimizers[0]
    compiled = programs(Objective(models[0], loss, plan.criterion), first, patterns)
    kind, names = _anatomy(models[0]), list(models[0].named_parameters())
    settings = first.settings(first.steps)
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
                'one: train them with backend="eager"'
            )
        if type(rule) is not type(first) or rule.settings(rule.steps) != settings:
            raise CompileError("replicas must have one optimizer with the same settings")
        seen.update(parameters)
        objective = Objective(model, loss, plan.criterion)
        if i == 1 and not compiled.holds_for(objective, patterns[0], _weights(rule)):
            raise CompileError("loss or criterion depends on which replica it is")
    return compiled


def _weights(optimizer: Optimizer) -> list[float]:
    return [parameter.data for parameter in optimizer.parameters]


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
        changes: Mapping[int, Mapping[str, float]],
        sweeps: int,
        size: int,
    ) -> None:
        from microgradient.compiler.llvm.training_kernel import WIDTH, TrainingCode  # llvmlite

        self.models, self.optimizers, self.changes = models, optimizers, changes
        self.sweeps, self.patterns = sweeps, compiled.patterns
        self.updates = -(-len(self.patterns) // size)
        weights = range(len(compiled.gradient.outputs) - 2)
        over = compiled.gradient.over(weights, None)
        self.code = TrainingCode(over, compiled.update, WIDTH, size, len(self.patterns))
        self.steady = not changes and optimizers[0].steady
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
        from microgradient.compiler.llvm.training_kernel import ReplicaLanes

        lanes = ReplicaLanes(self.code, self.patterns, self.sweeps)
        lanes.train(self._take, self._give, self._settings, refill=self.steady)

    def _take(self) -> tuple[int, list[float]] | None:
        with self.lock:
            i = self.next
            if i >= len(self.models):
                return None
            self.next += 1
        return i, _weights(self.optimizers[i])

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
        begun = optimizer.steps
        if self.steady:
            return [optimizer.settings(begun)]
        table: list[tuple[float, ...]] = []
        for sweep in range(first + sweeps):
            vars(optimizer).update(self.changes.get(sweep, {}))
            if sweep >= first:
                step = begun + sweep * self.updates
                table += [optimizer.settings(step + i) for i in range(self.updates)]
        return table
