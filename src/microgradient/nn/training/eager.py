"""Sweeps of training on Values: every pattern's graph is built, swept, and dropped."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import NamedTuple, Protocol

from microgradient.engine.services.anomaly import detect_anomaly
from microgradient.engine.services.collector import making_values
from microgradient.engine.value import constant
from microgradient.nn.optimizers import Optimizer
from microgradient.nn.training.objective import (
    Objective,
    Pattern,
    count_right,
    error_of,
    is_right,
)
from microgradient.nn.training.plan import TrainingPlan


class Sweeps(NamedTuple):
    """The error and the number of right patterns of some sweeps, one entry for each.

    ``met``: all patterns are right after the last one. ``fault``: what became nan or infinite in
    the sweep that would have followed.
    """

    errors: list[float]
    right: list[int]
    met: bool = False
    fault: str | None = None


class Run(Protocol):
    """A training run, however it computes its sweeps."""

    def advance(
        self, changes: Mapping[str, float], rng: random.Random | None, most: int, watch: bool
    ) -> Sweeps:
        """Do at least one and at most ``most`` sweeps.

        ``changes`` are set on the optimizer first; ``rng`` shuffles the patterns before each sweep;
        with ``watch``, the sweeps end as soon as the criterion is met.
        """


_TOO_LARGE = "an update made a weight too large"


class _Diverged(Exception):
    """Raised when the loss, a weight or a memory of the optimizer becomes nan or infinite."""

    def __init__(self, fault: str, reason: str = _TOO_LARGE) -> None:
        super().__init__(fault)
        self.reason = reason


class EagerRun:
    """A run on Values. It remembers the state after its last whole sweep and can return to it."""

    def __init__(
        self,
        objective: Objective,
        optimizer: Optimizer,
        patterns: Sequence[Pattern],
        plan: TrainingPlan,
    ) -> None:
        self.objective, self.optimizer = objective, optimizer
        self.batch_size, self.updates = plan.batch_size(len(patterns)), plan.updates(len(patterns))
        self.shuffled = plan.shuffle is not None
        self.patterns = [([constant(x) for x in inputs], targets) for inputs, targets in patterns]
        self.order = list(range(len(patterns)))
        self.keep()

    def keep(self) -> None:
        """Remember weights and optimizer as they are now."""
        self.weights = [parameter.data for parameter in self.optimizer.parameters]
        self._state = {
            name: list(value) if isinstance(value, list) else value
            for name, value in vars(self.optimizer).items()
            if name != "parameters"
        }

    def restore(self) -> None:
        """Return to the weights and the optimizer as they were after the last whole sweep."""
        for parameter, weight in zip(self.optimizer.parameters, self.weights):
            parameter.data = weight
        for name, value in self._state.items():
            setattr(self.optimizer, name, list(value) if isinstance(value, list) else value)

    def advance(
        self, changes: Mapping[str, float], rng: random.Random | None, most: int, watch: bool
    ) -> Sweeps:
        """Do one sweep, whatever ``most`` allows."""
        vars(self.optimizer).update(changes)
        if rng is not None:
            rng.shuffle(self.order)
        try:
            error, right = making_values(self._sweep)
        except _Diverged as fault:
            return Sweeps([], [], fault=str(fault))
        self.keep()
        met = watch and right == len(self.patterns) and self._all_right()
        return Sweeps([error], [right], met)

    def diagnosis(self, changes: Mapping[str, float]) -> str:
        """Return why the sweep diverged: repeat it in the same order and watch every node."""
        vars(self.optimizer).update(changes)
        try:
            with detect_anomaly():
                self._sweep()
        except FloatingPointError as fault:
            return str(fault)
        except _Diverged as fault:
            return fault.reason
        finally:
            self.restore()
        return _TOO_LARGE

    def _sweep(self) -> tuple[float, int]:
        """Present every pattern once, updating after each batch; return the error and right."""
        model, criterion, optimizer = self.objective.model, self.objective.criterion, self.optimizer
        error, right = 0.0, 0
        for start in range(0, len(self.order), self.batch_size):
            optimizer.zero_grad()
            for i in self.order[start : start + self.batch_size]:
                inputs, targets = self.patterns[i]
                outputs = model(inputs)
                node = error_of(self.objective.loss, outputs, targets)
                if not isfinite(node.data):
                    raise _Diverged("the loss is not finite")
                node.backward()
                error += node.data
                if criterion is not None:
                    right += is_right(criterion, outputs, targets)
            optimizer.step()
        if not all(isfinite(parameter.data) for parameter in optimizer.parameters):
            raise _Diverged("a weight is not finite")
        for name in optimizer.memories:
            if not all(map(isfinite, getattr(optimizer, name))):
                raise _Diverged(
                    f"{type(optimizer).__name__}.{name} is not finite",
                    "a gradient is too large for what the optimizer keeps of it, and the weight "
                    "would never move again",
                )
        return error, right

    def _all_right(self) -> bool:
        """Return whether the present weights meet the criterion on every pattern."""
        model, criterion = self.objective.model, self.objective.criterion
        return criterion is not None and (
            count_right(model, self.patterns, criterion) == len(self.patterns)
        )
