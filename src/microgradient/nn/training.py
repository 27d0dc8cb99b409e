"""Training: the loop over sweeps, with a criterion, a history, progress, and a safe way to stop."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isfinite
from typing import Any

from microgradient.engine.anomaly import detect_anomaly
from microgradient.engine.number import as_float, shown
from microgradient.engine.value import Value, constant
from microgradient.nn.history import History
from microgradient.nn.module import generator
from microgradient.nn.optimizers import Optimizer
from microgradient.nn.progress import progress_bar

Pattern = tuple[Sequence[float], Any]
"""Inputs, and what the loss and the criterion take as targets."""

Criterion = Callable[[Sequence[float], Any], bool]
"""``criterion(outputs, targets)`` tells whether one pattern is right."""


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
) -> History:
    """Train ``model`` in place for at most ``sweeps`` passes over ``patterns``; return the history.

    ``update`` says when the weights change: "presentation" (after every pattern), "sweep" (after
    all, with the summed gradient) or a number n (after every n patterns, summed). Training ends
    when every pattern meets ``criterion`` in one sweep and still does afterwards, unless
    ``stop_when_met`` is False. ``schedule`` sets attributes of the optimizer before a sweep:
    ``{20: {"rate": 0.05}}``. ``shuffle`` reorders the patterns before each sweep. ``progress``
    shows a bar; None shows it on a terminal or in a notebook if the run takes more than a moment.
    ``on_sweep`` is called with the model and the history after every sweep (see ``live``).

    Ctrl-C ends training, not the program. Raises TrainingDiverged, naming the node at fault, at the
    first loss or weight that is not finite; ValueError or TypeError for bad settings. However it
    ends, model and optimizer are as they were after the last whole sweep.
    """
    size = _batch_size(update, len(patterns))
    if not isinstance(sweeps, int) or sweeps < 0:
        raise ValueError(f"sweeps must be a whole number of at least 0, got {sweeps!r}")
    if criterion is not None and not callable(criterion):
        raise TypeError(
            "criterion must be a function of outputs and targets, such as nn.within(0.1), "
            f"got {shown(criterion)}"
        )
    if on_sweep is not None and not callable(on_sweep):
        raise TypeError(f"on_sweep must be a function of model and history, got {shown(on_sweep)}")
    changes = _checked_schedule(schedule or {}, optimizer)
    rng = None if shuffle is None else generator(shuffle)
    run = _Run(model, loss, optimizer, criterion, patterns, size)
    history = History()
    if progress is None and on_sweep is not None:
        progress = False
    with progress_bar(description, sweeps, len(patterns), progress) as show:
        try:
            for sweep in range(sweeps):
                error, right = run.sweep(changes.get(sweep, {}), rng)
                history.errors.append(error)
                if criterion is not None:
                    history.right.append(right)
                show(history)
                if on_sweep is not None:
                    on_sweep(model, history)
                if history.met_at is None and right == len(patterns) and run.all_right():
                    history.met_at = history.sweeps
                    if stop_when_met:
                        history.stopped = "criterion"
                        break
        except KeyboardInterrupt:
            history.stopped = "interrupted"
            run.restore()
        except _Diverged as fault:
            run.restore()
            reason = run.diagnosis(changes.get(history.sweeps, {}))
            raise TrainingDiverged(
                f"{fault} in sweep {history.sweeps + 1}: {reason}; a smaller rate or smaller "
                "initial weights may help",
                history,
            ) from None
        except BaseException:
            run.restore()
            raise
    return history


class _Run:
    """What stays the same from sweep to sweep, and the state after the last whole one."""

    def __init__(
        self,
        model: Any,
        loss: Callable[[Any, Any], Value],
        optimizer: Optimizer,
        criterion: Criterion | None,
        patterns: Sequence[Pattern],
        size: int,
    ) -> None:
        self.model, self.loss, self.optimizer = model, loss, optimizer
        self.criterion, self.size = criterion, size
        self.patterns = [([constant(x) for x in inputs], targets) for inputs, targets in patterns]
        self.order = list(range(len(patterns)))
        self.keep()

    def keep(self) -> None:
        """Remember weights and optimizer as they are now."""
        self.weights = [parameter.data for parameter in self.optimizer.parameters]
        self.state = {
            name: list(value) if isinstance(value, list) else value
            for name, value in vars(self.optimizer).items()
            if name != "parameters"
        }

    def restore(self) -> None:
        """Go back to the weights and the optimizer of the last whole sweep."""
        for parameter, weight in zip(self.optimizer.parameters, self.weights):
            parameter.data = weight
        vars(self.optimizer).update(self.state)

    def sweep(
        self, settings: Mapping[str, float], rng: random.Random | None = None
    ) -> tuple[float, int]:
        """Present every pattern once, with an update after each batch; return error, right.

        ``settings`` are set on the optimizer first; ``rng`` shuffles the patterns.
        """
        vars(self.optimizer).update(settings)
        if rng is not None:
            rng.shuffle(self.order)
        error, right = 0.0, 0
        for start in range(0, len(self.order), self.size):
            self.optimizer.zero_grad()
            for i in self.order[start : start + self.size]:
                inputs, targets = self.patterns[i]
                outputs = self.model(inputs)
                node = self.error_of(outputs, targets)
                if not isfinite(node.data):
                    raise _Diverged("the loss is not finite")
                node.backward()
                error += node.data
                if self.criterion is not None:
                    right += bool(self.criterion(_numbers(outputs), targets))
            self.optimizer.step()
        if not all(isfinite(parameter.data) for parameter in self.optimizer.parameters):
            raise _Diverged("a weight is not finite")
        self.keep()
        return error, right

    def error_of(self, outputs: Any, targets: Any) -> Value:
        node = self.loss(outputs, targets)
        if type(node) is not Value:
            raise TypeError(f"loss must return a Value, got {shown(node)}")
        return node

    def diagnosis(self, settings: Mapping[str, float]) -> str:
        """Go through the same sweep again from its start, in the same order, and look."""
        kept = self.weights, self.state
        try:
            with detect_anomaly():
                self.sweep(settings)
        except FloatingPointError as fault:
            return str(fault)
        except _Diverged:
            pass
        finally:
            self.weights, self.state = kept
            self.restore()
        return "an update made a weight too large"

    def all_right(self) -> bool:
        """Return whether the weights as they are now meet the criterion everywhere."""
        return self.criterion is not None and (
            count_right(self.model, self.patterns, self.criterion) == len(self.patterns)
        )


def count_right(model: Any, patterns: Sequence[tuple[Any, Any]], criterion: Criterion) -> int:
    """Return how many patterns meet ``criterion`` with the weights as they are."""
    return sum(criterion(_numbers(model(inputs)), targets) for inputs, targets in patterns)


def within(tolerance: float) -> Criterion:
    """Return the criterion "every output is within ``tolerance`` of its target"."""

    def met(outputs: Sequence[float], targets: Any) -> bool:
        wanted = targets if isinstance(targets, Iterable) else [targets]
        return all(abs(y - d) < tolerance for y, d in zip(outputs, wanted, strict=True))

    return met


class _Diverged(Exception):
    """What is not finite."""


def _numbers(outputs: Any) -> list[float]:
    return [y.data for y in outputs] if isinstance(outputs, (list, tuple)) else [outputs.data]


def _checked_schedule(
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


def _batch_size(update: str | int, patterns: int) -> int:
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
