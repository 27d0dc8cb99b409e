"""How a training run goes: sweeps, updates, criterion, schedule and order, as one checked value."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from microgradient.compiler.backends import BACKENDS as COMPILERS
from microgradient.engine.number import as_float, shown
from microgradient.nn.module import generator
from microgradient.nn.optimizers import Optimizer

Criterion = Callable[[Sequence[float], Any], bool]
"""``criterion(outputs, targets)`` tells whether a network is right on one pattern."""

Schedule = Mapping[int, Mapping[str, float]]
"""Attributes of the optimizer to set before a sweep: ``{20: {"rate": 0.05}}``."""

_SCHEDULE = 'schedule must give settings for sweeps, such as {20: {"rate": 0.05}}'

BACKENDS = (*COMPILERS, "eager")


class PlanSettings(TypedDict, total=False):
    """The keywords of a :class:`TrainingPlan`, which ``train`` and ``train_replicas`` take too."""

    sweeps: int
    update: str | int
    criterion: Criterion | None
    stop_when_met: bool
    schedule: Schedule | None
    shuffle: random.Random | int | None


@dataclass(frozen=True)
class TrainingPlan:
    """How a training run goes.

    ``sweeps`` is the largest number of passes over the patterns. ``update`` says when the weights
    change: "presentation" (after every pattern), "sweep" (after all patterns) or a number n (after
    every n patterns); gradients in between are summed. Training stops as soon as every pattern met
    ``criterion`` during a sweep and still does after it, unless ``stop_when_met`` is False.
    ``schedule`` sets attributes of the optimizer before a sweep: ``{20: {"rate": 0.05}}``.
    ``shuffle``, a seed or a ``random.Random``, reorders the patterns before each sweep. Raises
    ValueError or TypeError for any other setting.
    """

    sweeps: int
    update: str | int = "sweep"
    criterion: Criterion | None = None
    stop_when_met: bool = True
    schedule: Schedule | None = None
    shuffle: random.Random | int | None = None

    def __post_init__(self) -> None:
        if type(self.sweeps) is not int or self.sweeps < 0:
            raise ValueError(f"sweeps must be a whole number of at least 0, got {self.sweeps!r}")
        if self.criterion is not None and not callable(self.criterion):
            raise TypeError(
                "criterion must be a function of outputs and targets, such as nn.within(0.1), "
                f"got {shown(self.criterion)}"
            )
        schedule = {} if self.schedule is None else self.schedule
        if not isinstance(schedule, Mapping):
            raise TypeError(f"{_SCHEDULE}, got {shown(schedule)}")
        for sweep, changes in schedule.items():
            if type(sweep) is not int or sweep < 0:
                raise ValueError(f"a schedule's keys are sweeps 0, 1, 2, …, got {shown(sweep)}")
            if not isinstance(changes, Mapping):
                raise TypeError(f"{_SCHEDULE}, got {shown(changes)} for sweep {sweep}")
        self.batch_size(1)
        self.shuffler()

    def batch_size(self, patterns: int) -> int:
        """Return after how many patterns the weights change; ValueError without patterns."""
        update = self.update
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

    def updates(self, patterns: int) -> int:
        """Return how many times a sweep changes the weights."""
        return -(-patterns // self.batch_size(patterns))

    def changes(self, optimizer: Optimizer) -> dict[int, dict[str, float]]:
        """Return the schedule with floats; ValueError for what ``optimizer`` cannot be set to."""
        settings = [name for name, value in vars(optimizer).items() if type(value) is float]
        schedule = self.schedule or {}
        for changes in schedule.values():
            for name, value in changes.items():
                if name not in settings:
                    raise ValueError(
                        f"{type(optimizer).__name__} has no setting {name!r} to schedule; "
                        f"it has {', '.join(settings)}"
                    )
                try:
                    fits = 0 <= as_float(value) < float("inf")
                except (TypeError, OverflowError):
                    fits = False
                if not fits:
                    raise ValueError(
                        f"{name} must be a finite number of at least 0, got {shown(value)}"
                    )
        return {
            sweep: {name: as_float(value) for name, value in changes.items()}
            for sweep, changes in schedule.items()
        }

    def shuffler(self) -> random.Random | None:
        """Return the generator that reorders the patterns, None if they keep their order."""
        return None if self.shuffle is None else generator(self.shuffle)


def plan_of(plan: TrainingPlan | None, settings: PlanSettings) -> TrainingPlan:
    """Return ``plan``, or one with ``settings``; TypeError for both, neither, or unknown ones."""
    if unknown := sorted(settings.keys() - PlanSettings.__annotations__.keys()):
        known = ", ".join(PlanSettings.__annotations__)
        raise TypeError(f"training has no setting {unknown[0]!r}; a plan has {known}")
    if plan is not None and not isinstance(plan, TrainingPlan):
        raise TypeError(f"plan must be a TrainingPlan, got {shown(plan)}")
    if plan is not None and settings:
        raise TypeError(f"give a plan or its settings, not both; got {', '.join(settings)} too")
    if plan is None and "sweeps" not in settings:
        raise TypeError("training needs a number of sweeps: sweeps=1000, or a plan that has it")
    return plan or TrainingPlan(**settings)


def within(tolerance: float) -> Criterion:
    """Return the criterion "every output is within ``tolerance`` of its target"."""

    def met(outputs: Sequence[Any], targets: Any) -> Any:
        wanted = list(targets) if isinstance(targets, Iterable) else [targets]
        if len(wanted) != len(outputs):
            raise ValueError(
                f"the number of targets must be that of the outputs, {len(outputs)}, "
                f"got {len(wanted)}"
            )
        right: Any = True
        for y, d in zip(outputs, wanted):
            right = right & (abs(y - d) < tolerance)  # not `and`, which cannot be compiled
        return right

    return met
