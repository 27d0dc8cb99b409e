"""``train``: the loop over sweeps, with a history, progress, and a safe way to stop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any, Unpack

from microgradient.engine.number import shown
from microgradient.engine.value import Value
from microgradient.nn.optimizers import Optimizer
from microgradient.nn.training.compiled import MachineRun, PythonRun
from microgradient.nn.training.eager import Diverged, EagerRun, Run
from microgradient.nn.training.history import History
from microgradient.nn.training.plan import Pattern, PlanSettings, TrainingPlan, check_backend
from microgradient.nn.training.programs import Objective, programs
from microgradient.nn.training.progress import progress_bar

_WORTH = 0.5  # seconds of eager training from which on "auto" compiles
_FEW = 1000  # presentations that are never worth it


class TrainingDiverged(FloatingPointError):
    """Raised when the loss or a weight becomes nan or infinite.

    ``history`` holds the sweeps before.
    """

    __module__ = "microgradient.nn"

    def __init__(self, message: str, history: History) -> None:
        super().__init__(message)
        self.history = history


def train(
    model: Callable[..., Any],
    patterns: Sequence[Pattern],
    *,
    loss: Callable[[Any, Any], Value],
    optimizer: Optimizer,
    backend: str = "auto",
    progress: bool | None = None,
    description: str = "training",
    on_sweep: Callable[[Any, History], object] | None = None,
    **plan: Unpack[PlanSettings],
) -> History:
    """Train ``model`` in place for at most ``sweeps`` passes over ``patterns``; return the history.

    The other keywords are those of :class:`TrainingPlan`: ``update``, ``criterion``,
    ``stop_when_met``, ``schedule``, ``shuffle``. ``progress`` shows a bar; None shows it on a
    terminal or in a notebook if the run takes more than a moment. ``on_sweep`` is called with the
    model and the history after every sweep (see ``live``).

    ``backend`` "llvm" runs whole sweeps as machine code (needs the extra ``fast``), "python" runs
    gradients as Python source, "eager" builds Values for every pattern; "auto" compiles where that
    is possible and saves more than it costs. Results agree within rounding (docs/compile.md).

    Ctrl-C ends training, not the program. Raises TrainingDiverged, naming the node at fault, at the
    first loss or weight that is not finite; ValueError or TypeError for bad settings. However it
    ends, model and optimizer are as they were after the last whole sweep.
    """
    run = TrainingPlan(**plan)
    if on_sweep is not None and not callable(on_sweep):
        raise TypeError(f"on_sweep must be a function of model and history, got {shown(on_sweep)}")
    check_backend(backend)
    if on_sweep is not None and backend == "auto":
        backend = "eager"  # it may change the model, which compiled code would not notice
    size, changes = run.batch_size(len(patterns)), run.changes(optimizer)
    eager = EagerRun(model, loss, optimizer, run.criterion, patterns, size)
    runner = _runner(backend, eager, patterns, run.sweeps)
    rng, history = run.generator(), History()
    if progress is None and on_sweep is not None:
        progress = False
    with progress_bar(description, run.sweeps, len(patterns), progress) as show:
        try:
            while history.sweeps < run.sweeps:
                now = history.sweeps
                following = min([at for at in changes if at > now], default=run.sweeps)
                most = 1 if on_sweep is not None else min(following, run.sweeps) - now
                watch = run.criterion is not None and history.met_at is None
                done = runner.advance(changes.get(now, {}), rng, most, watch)
                history.errors += done.errors
                if run.criterion is not None:
                    history.right += done.right
                if done.fault is not None:
                    raise Diverged(done.fault)
                show(history)
                if on_sweep is not None:
                    on_sweep(model, history)
                if done.met:
                    history.met_at = history.sweeps
                    if run.stop_when_met:
                        history.stopped = "criterion"
                        break
        except KeyboardInterrupt:
            history.stopped = "interrupted"
            eager.restore()
        except Diverged as fault:
            eager.restore()
            reason = eager.diagnosis(changes.get(history.sweeps, {}))
            raise TrainingDiverged(
                f"{fault} in sweep {history.sweeps + 1}: {reason}; a smaller rate or smaller "
                "initial weights may help",
                history,
            ) from None
        except BaseException:
            eager.restore()
            raise
    return history


def _runner(backend: str, eager: EagerRun, patterns: Sequence[Pattern], sweeps: int) -> Run:
    """Return what does the sweeps: ``eager`` itself, or it compiled."""
    if backend == "eager" or (backend == "auto" and sweeps * len(patterns) < _FEW):
        return eager
    has_llvm = find_spec("llvmlite") is not None
    if backend == "llvm" and not has_llvm:
        raise ImportError(
            "machine code cannot be made: llvmlite is not installed "
            "(pip install 'microgradient[fast]')"
        )
    try:
        objective = Objective(eager.model, eager.loss, eager.criterion)
        compiled = programs(objective, eager.optimizer, patterns)
        if backend == "auto" and compiled.eager_seconds(sweeps) < _WORTH:
            return eager
        if has_llvm and backend != "python":
            return MachineRun(eager, compiled)
        return PythonRun(eager, compiled)
    except Exception:
        if backend != "auto":
            raise
        return eager  # which says what is wrong, if anything is
