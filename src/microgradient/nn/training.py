"""Training: the loop over sweeps, with a criterion, a history, progress, and a safe way to stop."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from microgradient.engine.anomaly import detect_anomaly
from microgradient.engine.number import shown
from microgradient.engine.value import Value, constant
from microgradient.nn.optimizers import Optimizer
from microgradient.nn.progress import progress_bar

Pattern = tuple[Sequence[float], Any]
"""Inputs, and what the loss and the criterion take as targets."""

Criterion = Callable[[Sequence[float], Any], bool]
"""``criterion(outputs, targets)`` tells whether one pattern is right."""


@dataclass
class History:
    """What a training run went through: one entry of ``errors`` and ``right`` for each sweep.

    ``errors`` holds the loss summed over the patterns; ``right`` how many patterns met the
    criterion (empty without one), both as presented in that sweep. ``stopped`` is "criterion",
    "sweeps" or "interrupted". ``met_at`` is the first sweep after which all patterns were right.
    """

    errors: list[float] = field(default_factory=list)
    right: list[int] = field(default_factory=list)
    stopped: str = "sweeps"
    met_at: int | None = None

    @property
    def sweeps(self) -> int:
        return len(self.errors)


class TrainingDiverged(FloatingPointError):
    """The loss became nan or infinite; ``history`` holds the sweeps before."""

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
) -> History:
    """Train ``model`` in place for at most ``sweeps`` passes over ``patterns``; return the history.

    ``update`` says when the weights change: "presentation" (after every pattern), "sweep" (after
    all, with the summed gradient) or a number n (after every n patterns, summed). Training ends
    when every pattern meets ``criterion`` in one sweep and still does afterwards, unless
    ``stop_when_met`` is False. ``schedule`` sets attributes of the optimizer before a sweep:
    ``{20: {"rate": 0.05}}``. ``shuffle`` reorders the patterns before each sweep. ``progress``
    shows a bar; None shows it on a terminal or in a notebook if the run takes more than a moment.

    Ctrl-C ends training, not the program: the model has the weights of the last whole sweep.
    Raises TrainingDiverged, naming the node at fault, at the first loss that is not finite; the
    model then has the weights of the last whole sweep too. Raises ValueError for bad settings.
    """
    size = _batch_size(update, len(patterns))
    if sweeps < 0:
        raise ValueError(f"sweeps must be 0 or more, got {sweeps}")
    run = _Run(model, loss, optimizer, criterion, patterns, size)
    rng = random.Random(shuffle) if isinstance(shuffle, int) else shuffle
    history = History()
    with progress_bar(description, sweeps, len(patterns), progress) as show:
        try:
            for sweep in range(sweeps):
                _set(optimizer, (schedule or {}).get(sweep, {}))
                error, right = run.sweep(rng)
                history.errors.append(error)
                if criterion is not None:
                    history.right.append(right)
                show(history)
                if history.met_at is None and right == len(patterns) and run.all_right():
                    history.met_at = history.sweeps
                    if stop_when_met:
                        history.stopped = "criterion"
                        break
        except KeyboardInterrupt:
            history.stopped = "interrupted"
            run.restore()
        except _Diverged as fault:
            reason = run.diagnosis(*fault.args)
            run.restore()
            raise TrainingDiverged(
                f"the loss is not finite in sweep {history.sweeps + 1}: {reason}; a smaller rate "
                "or smaller initial weights may help",
                history,
            ) from None
    return history


class _Run:
    """What stays the same from sweep to sweep, and the weights after the last whole one."""

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
        self.weights = [parameter.data for parameter in optimizer.parameters]

    def sweep(self, rng: random.Random | None) -> tuple[float, int]:
        """Present every pattern once, with an update after each batch; return error, right."""
        if rng is not None:
            rng.shuffle(self.order)
        error, right = 0.0, 0
        for start in range(0, len(self.order), self.size):
            self.optimizer.zero_grad()
            for i in self.order[start : start + self.size]:
                inputs, targets = self.patterns[i]
                outputs = self.model(inputs)
                node = self.loss(outputs, targets)
                if not isfinite(node.data):
                    raise _Diverged(inputs, targets)
                node.backward()
                error += node.data
                if self.criterion is not None:
                    right += self.criterion(_numbers(outputs), targets)
            self.optimizer.step()
        self.weights = [parameter.data for parameter in self.optimizer.parameters]
        return error, right

    def all_right(self) -> bool:
        """Return whether the weights as they are now meet the criterion everywhere."""
        return self.criterion is not None and (
            count_right(self.model, self.patterns, self.criterion) == len(self.patterns)
        )

    def restore(self) -> None:
        """Go back to the weights after the last whole sweep."""
        for parameter, weight in zip(self.optimizer.parameters, self.weights):
            parameter.data = weight

    def diagnosis(self, inputs: Any, targets: Any) -> str:
        """Evaluate once more and look: the weights have not changed since."""
        try:
            with detect_anomaly():
                self.loss(self.model(inputs), targets)
        except FloatingPointError as fault:
            return str(fault)
        return "it could not be reproduced (does the model draw random numbers?)"


def count_right(model: Any, patterns: Sequence[tuple[Any, Any]], criterion: Criterion) -> int:
    """Return how many patterns meet ``criterion`` with the weights as they are."""
    return sum(criterion(_numbers(model(inputs)), targets) for inputs, targets in patterns)


def within(tolerance: float) -> Criterion:
    """Return the criterion "every output is within ``tolerance`` of its target"."""
    return lambda outputs, targets: all(
        abs(y - d) < tolerance for y, d in zip(outputs, targets, strict=True)
    )


class _Diverged(Exception):
    """The inputs and targets at which the loss was not finite."""


def _numbers(outputs: Any) -> list[float]:
    return [y.data for y in outputs] if isinstance(outputs, (list, tuple)) else [outputs.data]


def _set(optimizer: Optimizer, settings: Mapping[str, float]) -> None:
    for name, value in settings.items():
        if not hasattr(optimizer, name):
            raise ValueError(f"{type(optimizer).__name__} has no setting {name!r} to schedule")
        setattr(optimizer, name, value)


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
