"""``train_replicas``: one network trained from many initial weights, side by side."""

from __future__ import annotations

import copy
import random
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from math import isfinite, nan
from typing import TYPE_CHECKING, Any, Generic, TypeVar, Unpack

from microgradient.compiler.backends import check_backend, has_llvm
from microgradient.compiler.patience import compiling
from microgradient.compiler.program.errors import CompileError
from microgradient.engine.number import positive, shown
from microgradient.engine.services.processors import processors
from microgradient.engine.value import Value
from microgradient.nn.module import Module
from microgradient.nn.optimizers import Optimizer
from microgradient.nn.training.history import History
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
from microgradient.nn.training.programs import (
    TrainingPrograms,
    flattened,
    probe,
    training_programs,
)
from microgradient.nn.training.progress import bar

if TYPE_CHECKING:
    from microgradient.compiler.llvm.training_kernel import Ended

ReplicaModel = TypeVar("ReplicaModel", bound=ParametrizedModel)


@dataclass(frozen=True)
class Replica(Generic[ReplicaModel]):
    """How the training of one replica ended: after how many whole sweeps, and why.

    ``stopped`` is "criterion", "sweeps", "interrupted" or "diverged". ``error`` and ``right`` are
    those of the last sweep. ``model`` has the learned weights. A replica that diverged has the
    weights from before training, the error nan and no right patterns. ``history`` has the course of
    all whole sweeps, if it was asked for.
    """

    model: ReplicaModel
    sweeps: int
    stopped: str
    error: float
    right: int
    history: History | None = None


def train_replicas(
    models: Iterable[ReplicaModel],
    patterns: Sequence[Pattern] | Callable[[int], Sequence[Pattern]],
    *,
    loss: Loss,
    optimizer: Callable[[list[Value]], Optimizer] | Sequence[Optimizer],
    plan: TrainingPlan | None = None,
    backend: str = "auto",
    workers: int | None = None,
    progress: bool | None = None,
    keep_history: bool = False,
    **settings: Unpack[PlanSettings],
) -> list[Replica[ReplicaModel]]:
    """Train each of ``models`` as ``train`` would, and return how each ended, in their order.

    The models have one architecture and different weights. ``optimizer`` makes an optimizer for a
    list of parameters: ``lambda parameters: nn.Momentum(parameters, rate=0.25)``; or it is a list
    of optimizers, one for each model, whose settings may differ. An optimizer of some of the
    parameters leaves the others frozen. ``patterns`` are those of all models, or a function that
    returns those of the model with a number, from 0: the same ones each time, as it is called more
    than once and from several threads. All models have as many patterns, of one shape.

    In machine code, the models train in ``workers`` threads (one for each processor), small ones
    side by side in the lanes of vector registers; as soon as one has ended, the next takes its
    place. A model's result is the same to the last digit whatever trains beside it. With a
    generator to ``shuffle`` and with other backends, they train one after another, and Ctrl-C ends
    the replica that is training and all that follow; in machine code, replicas that have not ended
    keep the weights that they began with. As in ``train``, a second Ctrl-C within two seconds
    raises KeyboardInterrupt. ``progress`` shows how many have ended; ``keep_history`` keeps the
    course of each. ``backend`` and the other keywords are those of ``train``. In machine code,
    raises ValueError for models of different architectures.
    """
    replicas, given = list(models), _patterns_of(patterns)
    check_backend(backend, BACKENDS)
    plan = plan_of(plan, settings)
    workers = positive(workers if workers is not None else processors(), "workers")
    if not callable(optimizer) and not _is_one_for_each(optimizer, replicas):
        raise TypeError(
            "optimizer must be a function of a list of parameters, such as "
            f"lambda parameters: Momentum(parameters, 0.1), or a list of {len(replicas)} "
            f"optimizers, got {shown(optimizer)}"
        )
    if not replicas:
        return []
    first = given(0)
    plan.batch_size(len(first))  # raises ValueError without patterns
    ended: list[Replica[ReplicaModel] | None] = [None] * len(replicas)
    apart = not isinstance(plan.shuffle, random.Random)  # which each would leave to the next one
    stopped = "sweeps"
    try:
        parameters = [model.parameters() for model in replicas]
        if callable(optimizer):
            optimizers = [optimizer(list(own)) for own in parameters]
        else:
            optimizers = list(optimizer)
        with bar("training", "network", len(replicas), progress) as show:
            queue = None
            if apart and backend in ("auto", "llvm") and has_llvm(backend):
                try:
                    each = replicas, parameters, optimizers
                    shared = _Shared(*each, plan, given, callable(patterns))
                    programs = compiling("the training", shared.programs, loss)
                except Exception:
                    if backend == "llvm":
                        raise
                else:
                    queue = compiling(
                        "the training", _Queue, shared, programs, keep_history, ended, show
                    )
            if queue is not None:
                queue.train(workers)
            else:
                keywords = {"loss": loss, "plan": plan, "backend": backend, "progress": False}
                for i, (model, rule) in enumerate(zip(replicas, optimizers)):
                    several = first if i == 0 else _as_many(given(i), len(first), i)
                    one = _train_alone(model, several, optimizer=rule, **keywords)
                    ended[i] = one if keep_history else replace(one, history=None)
                    if one.stopped == "interrupted":
                        stopped = "interrupted"
                        break
                    show(i + 1)
    except KeyboardInterrupt:
        if is_second():
            raise
        stopped = "interrupted"
    return [result or Replica(model, 0, stopped, 0.0, 0) for model, result in zip(replicas, ended)]


def _patterns_of(
    patterns: Sequence[Pattern] | Callable[[int], Sequence[Pattern]],
) -> Callable[[int], list[Pattern]]:
    """Return a function of a replica's number that returns its patterns, checked."""
    if callable(patterns):
        return lambda i: checked_patterns(patterns(i))
    checked = checked_patterns(patterns)
    return lambda i: checked


def _as_many(patterns: Sequence[Pattern], count: int, i: int) -> Sequence[Pattern]:
    """Return the patterns of replica ``i``; ValueError unless there are ``count``."""
    if len(patterns) != count:
        raise ValueError(
            f"replica {i} must have {count} patterns, as many as the first one, got {len(patterns)}"
        )
    return patterns


def _is_one_for_each(optimizers: object, models: Sequence[object]) -> bool:
    return (
        isinstance(optimizers, list | tuple)
        and len(optimizers) == len(models)
        and all(isinstance(one, Optimizer) for one in optimizers)
    )


def _train_alone(
    model: ReplicaModel, patterns: Sequence[Pattern], **keywords: Any
) -> Replica[ReplicaModel]:
    before = model.state_dict()
    try:
        history = train(model, patterns, **keywords)
    except TrainingDiverged as fault:
        model.load_state_dict(before)
        return Replica(model, fault.history.sweeps, "diverged", nan, 0, fault.history)
    error = history.errors[-1] if history.errors else 0.0
    right = history.right[-1] if history.right else 0
    return Replica(model, history.sweeps, history.stopped, error, right, history)


@dataclass(frozen=True)
class _Shared(Generic[ReplicaModel]):
    """Replicas, and their patterns by number, which ``differ`` or are the same for all."""

    models: Sequence[ReplicaModel]
    parameters: Sequence[Sequence[Value]]
    optimizers: Sequence[Optimizer]
    plan: TrainingPlan
    patterns: Callable[[int], Sequence[Pattern]]
    differ: bool

    def programs(self, loss: Loss) -> TrainingPrograms:
        """Return the programs that serve all models; CompileError if they differ."""
        first, patterns = self.optimizers[0], without_arrays(self.patterns(0))
        programs = training_programs(
            Objective(self.models[0], loss, self.plan.criterion),
            first,
            patterns,
            frozen=self.frozen(0),
            own_settings=self.has_own_settings and self.width(len(patterns)) > 1,
        )
        structure = _structure(self.models[0], {})
        seen: set[Value] = set()
        order: list[int | None] = []
        each = zip(self.models, self.parameters, self.optimizers)
        for i, (model, own, optimizer) in enumerate(each):
            if len(own) != len(self.parameters[0]) or _structure(model, {}) != structure:
                raise ValueError(
                    f"replicas must be of one architecture: model {i} is {model!r}, the first one "
                    f"{self.models[0]!r}"
                )
            place = {parameter: k for k, parameter in enumerate(own)}
            order = order or [place.get(parameter) for parameter in optimizer.parameters]
            if (
                None in order
                or [place.get(parameter) for parameter in optimizer.parameters] != order
                or not seen.isdisjoint(own)
            ):
                raise CompileError(
                    f"replica {i} does not train its parameters in the order of the first one, or "
                    'shares some with another one: train them with backend="eager"'
                )
            if type(optimizer) is not type(first):
                raise CompileError("replicas must have one kind of optimizer")
            seen.update(own)
            objective = Objective(model, loss, self.plan.criterion)
            tried = probe(patterns[0]), optimizer.parameters, self.frozen(i)
            is_sample = i in (1, len(self.models) - 1)
            if is_sample and not programs.holds_for(objective, *tried):
                raise CompileError("the loss or the criterion depends on which replica it is for")
        return programs

    def frozen(self, i: int) -> list[Value]:
        """Return the parameters of a model that its optimizer does not train."""
        trained = set(self.optimizers[i].parameters)
        return [parameter for parameter in self.parameters[i] if parameter not in trained]

    @property
    def has_own_settings(self) -> bool:
        """Whether the optimizers' settings differ."""
        first = _settings_of(self.optimizers[0])
        return any(_settings_of(optimizer) != first for optimizer in self.optimizers[1:])

    @property
    def is_steady(self) -> bool:
        """Whether all updates of a replica have the same settings."""
        first = self.optimizers[0]
        return first.steady and not self.plan.changes(first)

    def width(self, patterns: int) -> int:
        """Return how many train side by side."""
        from microgradient.compiler.llvm.training_kernel import width_of  # imports llvmlite

        own = [x for one in self.optimizers for x in one.settings(one.steps)]
        if self.has_own_settings and not (self.is_steady and all(map(isfinite, own))):
            return 1  # settings that change are those of all lanes, which are to be finite numbers
        batch, shuffled = self.plan.batch_size(patterns), self.plan.shuffle is not None
        weights = len(self.optimizers[0].parameters)
        return width_of(weights, batch, len(self.models), shuffled=shuffled)

    def own_numbers(self, count: int) -> Callable[[int], list[tuple[float, ...]]] | None:
        """Return a function of a replica's number that returns its patterns as flat numbers.

        Those of frozen parameters, which may differ, stand behind them. None where all have the
        same.
        """
        if not self.differ and not self.frozen(0):
            return None
        like = without_arrays(self.patterns(0)[:1])[0]

        def numbers(i: int) -> list[tuple[float, ...]]:
            patterns = without_arrays(_as_many(self.patterns(i), count, i))
            rest = tuple(parameter.data for parameter in self.frozen(i))
            return [(*flat, *rest) for flat in flattened(patterns, like)]

        return numbers


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
        shared: _Shared[ReplicaModel],
        programs: TrainingPrograms,
        keep_history: bool,
        results: list[Replica[ReplicaModel] | None],
        show: Callable[[int], object],
    ) -> None:
        from microgradient.compiler.llvm.training_kernel import Replicas  # imports llvmlite

        plan, count = shared.plan, len(programs.patterns)
        self._shared, self._models, self._optimizers = shared, shared.models, shared.optimizers
        self._changes, self._sweeps = plan.changes(shared.optimizers[0]), plan.sweeps
        self._updates = plan.updates(count)
        width = shared.width(count)
        self._own_settings = shared.has_own_settings and width > 1
        self._replicas = Replicas(
            *(programs.gradient, programs.update, plan.batch_size(count), programs.patterns),
            width=width,
            watch=plan.criterion is not None and plan.stop_when_met,
            keep=keep_history,
            rng=plan.shuffler(),
            own_patterns=shared.own_numbers(count),
        )
        self._steady, self._constant = shared.is_steady, not shared.has_own_settings
        first = shared.optimizers[0]
        self._settings_of_all = [() if self._own_settings else first.settings(first.steps)]
        self._keep, self._results, self._show = keep_history, results, show
        self._lock = threading.Lock()
        self._next = self._done = 0
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
        columns = [_weights(optimizer), *(list(getattr(optimizer, m)) for m in optimizer.memories)]
        if self._own_settings:
            settings = optimizer.settings(optimizer.steps)
            columns += [[x] * len(optimizer.parameters) for x in settings]
        return i, columns

    def _give(self, i: int, ended: Ended) -> None:
        """Take the result of replica ``i`` back."""
        model, history = self._models[i], None
        if self._keep:
            errors, right = ended.course
            history = History(list(errors), [round(n) for n in right], ended.stopped)
            if ended.stopped == "criterion":
                history.met_at = ended.sweeps
        if ended.stopped == "diverged":
            if history is not None:
                del history.errors[-1], history.right[-1]
            one = Replica(model, ended.sweeps - 1, ended.stopped, nan, 0, history)
        else:
            optimizer = self._optimizers[i]
            for parameter, weight in zip(optimizer.parameters, ended.weights):
                parameter.data = weight
            for name, memory in zip(optimizer.memories, ended.memories):
                getattr(optimizer, name)[:] = memory
            optimizer.steps += ended.sweeps * self._updates
            one = Replica(model, ended.sweeps, ended.stopped, ended.error, ended.right, history)
        with self._lock:
            self._results[i] = one
            self._done += 1
            self._show(self._done)

    def _settings(self, replica: int, first: int, sweeps: int) -> list[tuple[float, ...]]:
        """Return the optimizer's settings for each update of these sweeps, or one for all."""
        if self._stopped:
            raise KeyboardInterrupt
        if self._steady and (self._constant or self._own_settings):
            return self._settings_of_all
        optimizer = copy.copy(self._optimizers[replica])
        begun = optimizer.steps
        if self._steady:
            return [optimizer.settings(begun)]
        for sweep in sorted(self._changes):
            if sweep < first:
                vars(optimizer).update(self._changes[sweep])
        settings: list[tuple[float, ...]] = []
        for sweep in range(first, first + sweeps):
            vars(optimizer).update(self._changes.get(sweep, {}))
            step = begun + sweep * self._updates
            settings += [optimizer.settings(step + i) for i in range(self._updates)]
        return settings
