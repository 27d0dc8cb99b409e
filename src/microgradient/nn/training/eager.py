"""Sweeps of training on Values: every pattern's graph is built, swept, and dropped."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any, NamedTuple, Protocol

from microgradient.engine.number import shown
from microgradient.engine.services.anomaly import detect_anomaly
from microgradient.engine.value import Value, constant
from microgradient.nn.optimizers import Optimizer
from microgradient.nn.training.plan import Criterion, Pattern


class Diverged(Exception):
    """Raised when the loss or a weight becomes nan or infinite."""


class Sweeps(NamedTuple):
    """Error and right patterns of each of some sweeps; whether all are right after the last.

    ``fault`` says what became infinite or nan in the sweep that would have followed.
    """

    errors: list[float]
    right: list[int]
    met: bool = False
    fault: str | None = None


class Run(Protocol):
    """What does the sweeps of a training run, however it computes them."""

    def advance(
        self, changes: Mapping[str, float], rng: random.Random | None, most: int, watch: bool
    ) -> Sweeps:
        """Do at least one and at most ``most`` sweeps.

        ``changes`` are set on the optimizer first; ``rng`` shuffles the patterns before each sweep;
        ``watch`` asks whether the criterion is met.
        """


class EagerRun:
    """A run on Values, and the state after its last whole sweep, which it can go back to."""

    def __init__(
        self,
        model: Callable[..., Any],
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

    @property
    def updates(self) -> int:
        """How many updates a sweep makes."""
        return -(-len(self.patterns) // self.size)

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
        for name, value in self.state.items():
            setattr(self.optimizer, name, list(value) if isinstance(value, list) else value)

    def advance(
        self, changes: Mapping[str, float], rng: random.Random | None, most: int, watch: bool
    ) -> Sweeps:
        """Do one sweep, however many may be done."""
        vars(self.optimizer).update(changes)
        if rng is not None:
            rng.shuffle(self.order)
        try:
            error, right = self._sweep()
        except Diverged as fault:
            return Sweeps([], [], fault=str(fault))
        self.keep()
        met = watch and right == len(self.patterns) and self._all_right()
        return Sweeps([error], [right], met)

    def _sweep(self) -> tuple[float, int]:
        """Present every pattern once, with an update after each batch; return error, right."""
        error, right = 0.0, 0
        for start in range(0, len(self.order), self.size):
            self.optimizer.zero_grad()
            for i in self.order[start : start + self.size]:
                inputs, targets = self.patterns[i]
                outputs = self.model(inputs)
                node = self._error_of(outputs, targets)
                if not isfinite(node.data):
                    raise Diverged("the loss is not finite")
                node.backward()
                error += node.data
                if self.criterion is not None:
                    right += bool(self.criterion(numbers_of(outputs), targets))
            self.optimizer.step()
        if not all(isfinite(parameter.data) for parameter in self.optimizer.parameters):
            raise Diverged("a weight is not finite")
        return error, right

    def _error_of(self, outputs: Any, targets: Any) -> Value:
        node = self.loss(outputs, targets)
        if type(node) is not Value:
            raise TypeError(f"loss must return a Value, got {shown(node)}")
        return node

    def diagnosis(self, changes: Mapping[str, float]) -> str:
        """Return why the sweep diverged: repeat it from its start, in the same order, watched."""
        vars(self.optimizer).update(changes)
        try:
            with detect_anomaly():
                self._sweep()
        except FloatingPointError as fault:
            return str(fault)
        except Diverged:
            pass
        finally:
            self.restore()
        return "an update made a weight too large"

    def _all_right(self) -> bool:
        """Return whether the weights as they are now meet the criterion everywhere."""
        return self.criterion is not None and (
            count_right(self.model, self.patterns, self.criterion) == len(self.patterns)
        )


def count_right(
    model: Callable[..., Any], patterns: Sequence[tuple[Any, Any]], criterion: Criterion
) -> int:
    """Return how many patterns meet ``criterion`` with the weights as they are."""
    return sum(bool(criterion(numbers_of(model(inputs)), targets)) for inputs, targets in patterns)


def numbers_of(outputs: Any) -> list[float]:
    """Return the numbers of a model's outputs: a list of Values, or one."""
    return [y.data for y in outputs] if isinstance(outputs, (list, tuple)) else [outputs.data]
