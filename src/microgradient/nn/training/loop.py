"""Training: the loop over sweeps, with a criterion, a history, progress, and a safe way to stop."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from microgradient.engine.number import as_float, shown
from microgradient.engine.value import Value
from microgradient.nn.module import generator
from microgradient.nn.optimizers import Optimizer
from microgradient.nn.training.compiled import MachineRun, PythonRun
from microgradient.nn.training.eager import Criterion, Diverged, EagerRun, Pattern
from microgradient.nn.training.history import History
from microgradient.nn.training.programs import programs
from microgradient.nn.training.progress import progress_bar

ENGINES = ("auto", "compiled", "eager")
_WORTH = 0.5  # seconds of eager training from which on "auto" compiles
_FEW = 1000  # presentations that are never worth it


class TrainingDiverged(FloatingPointError):
    """The loss or a weight became nan or infinite; ``history`` holds the sweeps before."""

    def __init__(self, message: str, history: History) -> None:
        super().__init__(message)
        self.history = history


def train(
    model: Callable[..., Any],
    patterns: Sequence[Pattern],
    *,
    loss: Callable[[Any, Any], Value],
    optimizer: Optimizer,
    sweeps: int,
    update: str | int = "sweep",
    criterion: Criterion | None = None,
    stop_when_met: bool = True,
    schedule: Mapping[int, Mapping[str, float]] | None = None,
    shuffle: random.Random | int | None = None,
    progress: bool | None = None,
    description: str = "training",
    on_sweep: Callable[[Any, History], object] | None = None,
    engine: str = "auto",
) -> History:
    """Train ``model`` in place for at most ``sweeps`` passes over ``patterns``; return the history.

    ``update`` says when the weights change: "presentation" (after every pattern), "sweep" (after
    all, with the summed gradient) or a number n (after every n patterns, summed). Training ends
    when every pattern meets ``criterion`` in one sweep and still does afterwards, unless
    ``stop_when_met`` is False. ``schedule`` sets attributes of the optimizer before a sweep:
    ``{20: {"rate": 0.05}}``. ``shuffle`` reorders the patterns before each sweep. ``progress``
    shows a bar; None shows it on a terminal or in a notebook if the run takes more than a moment.
    ``on_sweep`` is called with the model and the history after every sweep (see ``live``).

    ``engine`` "compiled" runs whole sweeps as machine code (with the extra ``fast``; else Python
    source), "eager" builds Values for every pattern, "auto" compiles where that is possible and
    saves more than it costs. Results agree within rounding (docs/compile.md).

    Ctrl-C ends training, not the program. Raises TrainingDiverged, naming the node at fault, at the
    first loss or weight that is not finite; ValueError or TypeError for bad settings. However it
    ends, model and optimizer are as they were after the last whole sweep.
    """
    size = batch_size(update, len(patterns))
    check_run(sweeps, criterion)
    if on_sweep is not None and not callable(on_sweep):
        raise TypeError(f"on_sweep must be a function of model and history, got {shown(on_sweep)}")
    changes = checked_schedule(schedule or {}, optimizer)
    rng = None if shuffle is None else generator(shuffle)
    check_engine(engine)
    eager = EagerRun(model, loss, optimizer, criterion, patterns, size)
    if on_sweep is not None and engine == "auto":
        engine = "eager"  # it may change the model, which compiled code would not notice
    run = _run_of(engine, eager, patterns, sweeps)
    history = History()
    if progress is None and on_sweep is not None:
        progress = False
    with progress_bar(description, sweeps, len(patterns), progress) as show:
        try:
            while history.sweeps < sweeps:
                now = history.sweeps
                stops = [at for at in changes if at > now] + [sweeps]
                most = 1 if on_sweep is not None else min(stops) - now
                watch = criterion is not None and history.met_at is None
                done = run.advance(changes.get(now, {}), rng, most, watch)
                history.errors += done.errors
                if criterion is not None:
                    history.right += done.right
                if done.fault is not None:
                    raise Diverged(done.fault)
                show(history)
                if on_sweep is not None:
                    on_sweep(model, history)
                if done.met:
                    history.met_at = history.sweeps
                    if stop_when_met:
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


def check_run(sweeps: int, criterion: Criterion | None) -> None:
    """Raise ValueError or TypeError for what cannot be a number of sweeps or a criterion."""
    if not isinstance(sweeps, int) or sweeps < 0:
        raise ValueError(f"sweeps must be a whole number of at least 0, got {sweeps!r}")
    if criterion is not None and not callable(criterion):
        raise TypeError(
            "criterion must be a function of outputs and targets, such as nn.within(0.1), "
            f"got {shown(criterion)}"
        )


def check_engine(engine: str) -> None:
    """Raise ValueError unless ``engine`` is the name of one."""
    if engine not in ENGINES:
        raise ValueError(f"engine must be one of {', '.join(ENGINES)}, got {shown(engine)}")


def _run_of(
    engine: str, eager: EagerRun, patterns: Sequence[Pattern], sweeps: int
) -> EagerRun | MachineRun | PythonRun:
    """Return the run that does the sweeps: ``eager`` itself, or it compiled."""
    if engine == "eager" or (engine == "auto" and sweeps * len(patterns) < _FEW):
        return eager
    try:
        compiled = programs(eager.model, eager.loss, eager.optimizer, eager.criterion, patterns)
        if engine == "auto" and compiled.eager_seconds(sweeps) < _WORTH:
            return eager
        if find_spec("llvmlite") is not None:
            return MachineRun(eager, compiled)
        return PythonRun(eager, compiled)
    except Exception:
        if engine == "compiled":
            raise
        return eager  # which says what is wrong, if anything is


def within(tolerance: float) -> Criterion:
    """Return the criterion "every output is within ``tolerance`` of its target"."""

    def met(outputs: Sequence[Any], targets: Any) -> Any:
        wanted = targets if isinstance(targets, Iterable) else [targets]
        right: Any = True
        for y, d in zip(outputs, wanted, strict=True):
            right = right & (abs(y - d) < tolerance)  # no `and`: this is compiled, too
        return right

    return met


def checked_schedule(
    schedule: Mapping[int, Mapping[str, float]], optimizer: Optimizer
) -> dict[int, dict[str, float]]:
    """Return the schedule with floats, once every sweep, name and number in it is known to fit."""
    settings = [name for name, value in vars(optimizer).items() if type(value) is float]
    for sweep, changes in schedule.items():
        if type(sweep) is not int or sweep < 0:
            raise ValueError(f"a schedule's keys are sweeps 0, 1, 2, …, got {shown(sweep)}")
        for name, value in changes.items():
            if name not in settings:
                raise ValueError(
                    f"{type(optimizer).__name__} has no setting {name!r} to schedule; "
                    f"it has {', '.join(settings)}"
                )
            if not 0 <= as_float(value) < float("inf"):
                raise ValueError(f"{name} must be a finite number of at least 0, got {value!r}")
    return {
        sweep: {name: as_float(value) for name, value in changes.items()}
        for sweep, changes in schedule.items()
    }


def batch_size(update: str | int, patterns: int) -> int:
    if patterns == 0:
        raise ValueError("training needs at least one pattern, got none")
    if update == "presentation":
        return 1
    if update == "sweep":
        return patterns
    if isinstance(update, int) and not isinstance(update, bool) and update > 0:
        return update
    raise ValueError(
        'update must be "presentation", "sweep" or a positive number of patterns, '
        f"got {shown(update)}"
    )
