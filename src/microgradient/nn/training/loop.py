"""``train``: the loop over sweeps, with a history, progress, and a safe way to stop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar, Unpack

from microgradient.compiler.backends import check_backend, has_llvm
from microgradient.compiler.patience import compiling
from microgradient.engine.number import shown
from microgradient.nn.optimizers import Optimizer
from microgradient.nn.training.compiled import MachineRun, PythonRun
from microgradient.nn.training.eager import EagerRun, Run
from microgradient.nn.training.history import History, Onlooker
from microgradient.nn.training.interruption import is_second
from microgradient.nn.training.objective import (
    Loss,
    Model,
    Objective,
    Pattern,
    checked_patterns,
    without_arrays,
)
from microgradient.nn.training.plan import BACKENDS, PlanSettings, TrainingPlan, plan_of
from microgradient.nn.training.programs import TrainingPrograms, training_programs
from microgradient.nn.training.progress import progress_bar

AnyModel = TypeVar("AnyModel", bound=Model)

_WORTH_COMPILING = 0.5  # seconds of eager training above which "auto" compiles
_FEW = 1000  # presentations: with fewer, "auto" does not even trace the model


class TrainingDiverged(FloatingPointError):
    """Raised when the loss, a weight or a memory of the optimizer becomes nan or infinite.

    ``history`` holds the sweeps before.
    """

    __module__ = "microgradient.nn"

    def __init__(self, message: str, history: History) -> None:
        super().__init__(message)
        self.history = history

    def __reduce__(self) -> tuple[type[TrainingDiverged], tuple[str, History]]:
        return type(self), (str(self), self.history)


def train(
    model: AnyModel,
    patterns: Sequence[Pattern],
    *,
    loss: Loss,
    optimizer: Optimizer,
    plan: TrainingPlan | None = None,
    backend: str = "auto",
    progress: bool | None = None,
    description: str = "training",
    on_sweep: Callable[[AnyModel, History], object] | None = None,
    **settings: Unpack[PlanSettings],
) -> History:
    """Train ``model`` in place for at most ``sweeps`` passes over ``patterns``; return the history.

    How the run goes is a ``plan``, or its settings as keywords (see :class:`TrainingPlan`):
    ``sweeps``, ``update``, ``criterion``, ``stop_when_met``, ``schedule``, ``shuffle``.
    ``progress`` shows a bar; None shows one on a
    terminal or in a notebook if the run takes more than a moment. ``on_sweep`` is called with the
    model and the history after every sweep (see ``live``).

    ``backend`` "llvm" runs whole sweeps as machine code (needs the extra ``fast``), "python" runs
    gradients as Python source, "eager" builds Values for every pattern; "auto" compiles where that
    is possible and saves more time than it costs. Results agree within rounding (docs/compile.md).

    Ctrl-C ends the run, not the program: train returns, and ``history.stopped`` is "interrupted".
    A second Ctrl-C within two seconds, in the same run or a later one, raises KeyboardInterrupt,
    which ends a loop of runs too. Raises TrainingDiverged, naming the faulty node, at the
    first loss, weight or memory of the optimizer that is not finite; ValueError or TypeError for
    bad settings. However training ends, model and optimizer are left as they were after the last
    whole sweep.
    """
    plan = plan_of(plan, settings)
    patterns = checked_patterns(patterns)
    for what, function in (("model", model), ("loss", loss)):
        if not callable(function):
            raise TypeError(f"{what} must be a function or a module, got {shown(function)}")
    if on_sweep is not None and not callable(on_sweep):
        raise TypeError(f"on_sweep must be a function of model and history, got {shown(on_sweep)}")
    if not isinstance(optimizer, Optimizer):
        raise TypeError(
            "optimizer must be an Optimizer, such as nn.Momentum(model.parameters(), 0.1), got "
            f"{shown(optimizer)}"
        )
    check_backend(backend, BACKENDS)
    if on_sweep is not None and backend == "auto" and not isinstance(on_sweep, Onlooker):
        backend = "eager"  # on_sweep may change the model, which compiled code would not notice
    if on_sweep is not None and progress is None:
        progress = False
    changes = plan.changes(optimizer)
    eager = EagerRun(Objective(model, loss, plan.criterion), optimizer, patterns, plan)
    rng, history = plan.shuffler(), History()
    with progress_bar(description, plan.sweeps, len(patterns), progress) as show:
        try:
            run = _run(backend, eager, patterns, plan.sweeps)
            while history.sweeps < plan.sweeps:
                now = history.sweeps
                next_change = min([at for at in changes if at > now], default=plan.sweeps)
                most = 1 if on_sweep is not None else min(next_change, plan.sweeps) - now
                watch = plan.criterion is not None and history.met_at is None
                done = run.advance(changes.get(now, {}), rng, most, watch)
                history.errors += done.errors
                if plan.criterion is not None:
                    history.right += done.right
                if done.fault is not None:
                    raise _diverged(done.fault, eager, changes, history)
                show(history)
                if on_sweep is not None:
                    on_sweep(model, history)
                    eager.keep()  # it may have changed the model
                if done.met:
                    history.met_at = history.sweeps
                    if plan.stop_when_met:
                        history.stopped = "criterion"
                        break
        except KeyboardInterrupt:
            history.stopped, second = "interrupted", is_second()
            try:
                eager.restore()
            except KeyboardInterrupt:
                second = True
                eager.restore()
            if second:
                raise
        except BaseException:
            eager.restore()
            raise
    return history


def _run(backend: str, eager: EagerRun, patterns: Sequence[Pattern], sweeps: int) -> Run:
    """Return the run by ``backend``: ``eager`` itself, or compiled."""
    if backend == "eager" or (backend == "auto" and sweeps * len(patterns) < _FEW):
        return eager
    machine_code = backend != "python" and has_llvm(backend)
    try:
        numbers = without_arrays(patterns)
        programs = compiling(
            "the training", training_programs, eager.objective, eager.optimizer, numbers
        )
        if backend == "auto" and programs.eager_seconds(sweeps) < _WORTH_COMPILING:
            return eager
        compiled: Callable[[EagerRun, TrainingPrograms], Run] = (
            MachineRun if machine_code else PythonRun
        )
        return compiling("the training", compiled, eager, programs)
    except Exception:
        if backend != "auto":
            raise
        return eager  # which raises a clearer error if the model itself is wrong


def _diverged(
    fault: str, eager: EagerRun, changes: Mapping[int, Mapping[str, float]], history: History
) -> TrainingDiverged:
    """Return the error that names the sweep and the node at fault."""
    eager.restore()
    reason = eager.diagnosis(changes.get(history.sweeps, {}))
    history.stopped = "diverged"
    return TrainingDiverged(
        f"{fault} in sweep {history.sweeps + 1}: {reason}; a smaller rate or smaller initial "
        "weights may help",
        history,
    )
