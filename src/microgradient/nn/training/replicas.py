"""``train_replicas``: one network trained from many initial weights, side by side."""

from __future__ import annotations

import copy
import random
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import nan
from typing import TYPE_CHECKING, Any, Generic, TypeVar, Unpack

from microgradient.compiler.backends import check_backend, has_llvm
from microgradient.compiler.patience import compiling
from microgradient.compiler.program.errors import CompileError
from microgradient.engine.number import positive, shown
from microgradient.engine.services.processors import processors
from microgradient.engine.value import Value
from microgradient.nn.module import Module
from microgradient.nn.optimizers import Optimizer
from microgradient.nn.training.interruption import is_second
from microgradient.nn.training.loop import TrainingDiverged, train
from microgradient.nn.training.objective import (
    Loss,
    Objective,
    ParametrizedModel,
    Pattern,
    checked_patterns,
    without_arrays,
)
from microgradient.nn.training.plan import BACKENDS, PlanSettings, TrainingPlan, plan_of
from microgradient.nn.training.programs import TrainingPrograms, probe, training_programs

if TYPE_CHECKING:
    from microgradient.compiler.llvm.training_kernel import Ended

ReplicaModel = TypeVar("ReplicaModel", bound=ParametrizedModel)


@dataclass(frozen=True)
class Replica(Generic[ReplicaModel]):
    """How the training of one replica ended: after how many whole sweeps, and why.

    ``stopped`` is "criterion", "sweeps", "interrupted" or "diverged". ``error`` and ``right`` are
    those of the last sweep. ``model`` has the learned weights. A replica that diverged has the
    weights from before training, the error nan and no right patterns.
    """

    model: ReplicaModel
    sweeps: int
    stopped: str
    error: float
    right: int


def train_replicas(
    models: Iterable[ReplicaModel],
    patterns: Sequence[Pattern],
    *,
    loss: Loss,
    optimizer: Callable[[list[Value]], Optimizer],
    plan: TrainingPlan | None = None,
    backend: str = "auto",
    workers: int | None = None,
    **settings: Unpack[PlanSettings],
) -> list[Replica[ReplicaModel]]:
    """Train each of ``models`` as ``train`` would, and return how each ended, in their order.

    The models have one architecture and different weights. ``optimizer`` makes an optimizer for a
    list of parameters: ``lambda parameters: nn.Momentum(parameters, rate=0.25)``. In machine code,
    the models train in ``workers`` threads (one for each processor), small ones side by side in
    the lanes of vector registers; as soon as one has ended, the next takes its place. A model's
    result is the same to the last digit whatever trains beside it. With a generator to ``shuffle``
    and with other backends, they train one after another, and Ctrl-C ends the replica that is
    training and all that follow; in machine code, replicas that have not ended keep the weights
    that they began with. As in ``train``, a second Ctrl-C within two seconds raises
    KeyboardInterrupt. ``backend`` and the other keywords are those of ``train``. In machine code,
    raises ValueError for models of different architectures.
    """
    replicas, patterns = list(models), checked_patterns(patterns)
    check_backend(backend, BACKENDS)
    plan = plan_of(plan, settings)
    workers = positive(workers if workers is not None else processors(), "workers")
    if not callable(optimizer):
        raise TypeError(
            "optimizer must be a function of a list of parameters, such as "
            f"lambda parameters: Momentum(parameters, 0.1), got {shown(optimizer)}"
        )
    if not replicas:
        return []
    plan.batch_size(len(patterns))  # raises ValueError without patterns
    ended: list[Replica[ReplicaModel] | None] = [None] * len(replicas)
    apart = not isinstance(plan.shuffle, random.Random)  # which each would leave to the next one
    stopped = "sweeps"
    try:
        parameters = [model.parameters() for model in replicas]
        optimizers = [optimizer(list(own)) for own in parameters]
        queue = None
        if apart and backend in ("auto", "llvm") and has_llvm(backend):
            try:
                numbers = without_arrays(patterns)
                given = replicas, parameters, optimizers, loss, plan, numbers
                programs = compiling("the training", _shared_programs, *given)
            except Exception:
                if backend == "llvm":
                    raise
            else:
                queue = compiling(
                    "the training", _Queue, replicas, optimizers, programs, plan, ended
                )
        if queue is not None:
            queue.train(workers)
        else:
            keywords = {"loss": loss, "plan": plan, "backend": backend, "progress": False}
            for i, (model, own) in enumerate(zip(replicas, optimizers)):
                ended[i] = one = _train_alone(model, patterns, optimizer=own, **keywords)
                if one.stopped == "interrupted":
                    stopped = "interrupted"
                    break
    except KeyboardInterrupt:
        if is_second():
            raise
        stopped = "interrupted"
    return [result or Replica(model, 0, stopped, 0.0, 0) for model, result in zip(replicas, ended)]


def _train_alone(
    model: ReplicaModel, patterns: Sequence[Pattern], **keywords: Any
) -> Replica[ReplicaModel]:
    before = model.state_dict()
    try:
        history = train(model, patterns, **keywords)
    except TrainingDiverged as fault:
        model.load_state_dict(before)
        return Replica(model, fault.history.sweeps, "diverged", nan, 0)
    error = history.errors[-1] if history.errors else 0.0
    right = history.right[-1] if history.right else 0
    return Replica(model, history.sweeps, history.stopped, error, right)


def _shared_programs(
    models: Sequence[ParametrizedModel],
    parameters: Sequence[Sequence[Value]],
    optimizers: Sequence[Optimizer],
    loss: Loss,
    plan: TrainingPlan,
    patterns: Sequence[Pattern],
) -> TrainingPrograms:
    """Return the programs that serve all of ``models``; CompileError if they differ."""
    first = optimizers[0]
    programs = training_programs(Objective(models[0], loss, plan.criterion), first, patterns)
    structure = _structure(models[0], {})
    settings = _settings_of(first)
    seen: set[Value] = set()
    order: list[int | None] = []
    for i, (model, own, optimizer) in enumerate(zip(models, parameters, optimizers)):
        if len(own) != len(parameters[0]) or _structure(model, {}) != structure:
            raise ValueError(
                f"replicas must be of one architecture: model {i} is {model!r}, the first one "
                f"{models[0]!r}"
            )
        place = {parameter: k for k, parameter in enumerate(own)}
        order = order or [place.get(parameter) for parameter in optimizer.parameters]
        if (
            set(order) != set(place.values())
            or [place.get(parameter) for parameter in optimizer.parameters] != order
            or not seen.isdisjoint(own)
        ):
            raise CompileError(
                f"replica {i} does not train all of its parameters in the order of the first one, "
                'or shares some with another one: train them with backend="eager"'
            )
        if type(optimizer) is not type(first) or _settings_of(optimizer) != settings:
            raise CompileError("replicas must have one optimizer with the same settings")
        seen.update(own)
        objective = Objective(model, loss, plan.criterion)
        is_sample = i in (1, len(models) - 1)
        if is_sample and not programs.holds_for(
            objective, probe(patterns[0]), optimizer.parameters
        ):
            raise CompileError("the loss or the criterion depends on which replica it is for")
    return programs


def _structure(thing: Any, known: dict[Value, int]) -> Any:
    """Return what a model is made of besides its numbers: types, settings, functions.

    Values are numbered, so that it tells which are one and the same.
    """
    kind = type(thing)
    if kind is Value:
        return Value, known.setdefault(thing, len(known)), bool(thing.parents), thing.op
    if kind is float or kind is int or kind is str:
        return thing
    if isinstance(thing, Module):
        return kind, _structure(vars(thing), known)
    if isinstance(thing, Mapping):
        return [(key, _structure(part, known)) for key, part in thing.items()]
    if isinstance(thing, (list, tuple)):
        return [_structure(part, known) for part in thing]
    return thing


def _settings_of(optimizer: Optimizer) -> dict[str, Any]:
    """Return all that settings() may read: the attributes besides parameters and memories."""
    own = {"parameters", *optimizer.memories}
    return {name: x for name, x in vars(optimizer).items() if name not in own} | {
        "steps": optimizer.steps
    }


def _weights(optimizer: Optimizer) -> list[float]:
    return [parameter.data for parameter in optimizer.parameters]


class _Queue(Generic[ReplicaModel]):
    """Replicas that threads take from a queue, train, and hand back."""

    def __init__(
        self,
        models: Sequence[ReplicaModel],
        optimizers: Sequence[Optimizer],
        programs: TrainingPrograms,
        plan: TrainingPlan,
        results: list[Replica[ReplicaModel] | None],
    ) -> None:
        from microgradient.compiler.llvm.training_kernel import Replicas  # imports llvmlite

        count = len(programs.patterns)
        self._models, self._optimizers = models, optimizers
        self._changes, self._sweeps = plan.changes(optimizers[0]), plan.sweeps
        self._updates = plan.updates(count)
        self._replicas = Replicas(
            *(programs.gradient, programs.update, plan.batch_size(count), programs.patterns),
            count=len(models),
            watch=plan.criterion is not None and plan.stop_when_met,
            rng=plan.shuffler(),
        )
        self._steady = not self._changes and optimizers[0].steady
        self._constant = [optimizers[0].settings(optimizers[0].steps)] if self._steady else []
        self._results = results
        self._first = copy.copy(optimizers[0])  # with its settings as they were
        self._lock = threading.Lock()
        self._next = 0
        self._stopped = False

    def train(self, workers: int) -> None:
        """Train the replicas in ``workers`` threads."""
        if self._sweeps == 0:
            return
        with ThreadPoolExecutor(workers) as pool:
            futures = [pool.submit(self._work) for _ in range(workers)]
            try:
                for future in futures:
                    future.result()
            finally:
                self._stopped = True  # after an exception or Ctrl-C, the other threads end soon

    def _work(self) -> None:
        self._replicas.train(self._sweeps, self._take, self._give, self._settings, self._steady)

    def _take(self) -> tuple[int, list[list[float]]] | None:
        """Return the next replica, its number, weights and memories; None after the last one."""
        with self._lock:
            i = self._next
            if i >= len(self._models):
                return None
            self._next += 1
        optimizer = self._optimizers[i]
        memories = [list(getattr(optimizer, name)) for name in optimizer.memories]
        return i, [_weights(optimizer), *memories]

    def _give(self, i: int, ended: Ended) -> None:
        """Take the result of replica ``i`` back."""
        model = self._models[i]
        if ended.stopped == "diverged":
            self._results[i] = Replica(model, ended.sweeps - 1, ended.stopped, nan, 0)
            return
        optimizer = self._optimizers[i]
        for parameter, weight in zip(optimizer.parameters, ended.weights):
            parameter.data = weight
        for name, memory in zip(optimizer.memories, ended.memories):
            getattr(optimizer, name)[:] = memory
        optimizer.steps += ended.sweeps * self._updates
        self._results[i] = Replica(model, ended.sweeps, ended.stopped, ended.error, ended.right)

    def _settings(self, first: int, sweeps: int) -> list[tuple[float, ...]]:
        """Return the optimizer's settings for each update of these sweeps, or one for all."""
        if self._stopped:
            raise KeyboardInterrupt
        if self._steady:
            return self._constant
        optimizer = copy.copy(self._first)
        begun = optimizer.steps
        for sweep in sorted(self._changes):
            if sweep < first:
                vars(optimizer).update(self._changes[sweep])
        settings: list[tuple[float, ...]] = []
        for sweep in range(first, first + sweeps):
            vars(optimizer).update(self._changes.get(sweep, {}))
            step = begun + sweep * self._updates
            settings += [optimizer.settings(step + i) for i in range(self._updates)]
        return settings
