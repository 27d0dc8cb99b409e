"""What a network is trained for: a small error on every pattern, and outputs that are right."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from microgradient.engine.graph import computed_nodes
from microgradient.engine.number import shown
from microgradient.engine.services.trees import leaves
from microgradient.engine.sweeps import gradients
from microgradient.engine.value import Value, constant
from microgradient.nn.training.plan import Criterion

Pattern = tuple[Sequence[float], Any]
"""The inputs of a network, and the targets that the loss and the criterion take."""

Loss = Callable[[Any, Any], Value]
"""``loss(outputs, targets)`` is the error on one pattern."""


class Model(Protocol):
    """What ``train`` trains: a network, called with its inputs."""

    def __call__(self, inputs: list[Value], /) -> Any:
        """Return the outputs: a Value, a list of them, or whatever else the loss takes."""


class ParametrizedModel(Model, Protocol):
    """What ``train_replicas`` trains: a network that knows its parameters, such as a module."""

    def parameters(self) -> list[Value]: ...
    def named_parameters(self) -> dict[str, Value]: ...
    def state_dict(self) -> dict[str, float]: ...
    def load_state_dict(self, state: Mapping[str, float], /) -> None: ...


@dataclass(frozen=True)
class Objective:
    """A network, its error on a pattern, and what makes the pattern right."""

    model: Model
    loss: Loss
    criterion: Criterion | None

    def evaluated(self, pattern: Pattern, parameters: Sequence[Value]) -> list[float]:
        """Return the gradient, the error, and 1 if the pattern is right, for the present weights.

        No node is changed.
        """
        inputs, targets = pattern
        outputs = self.model([constant(x) for x in inputs])
        right = self.criterion is not None and is_right(self.criterion, outputs, targets)
        error = error_of(self.loss, outputs, targets)
        slopes = gradients(computed_nodes(error), {error: 1.0}, parameters)
        return [*slopes, error.data, float(right)]


def error_of(loss: Loss, outputs: Any, targets: Any) -> Value:
    """Return the error on a pattern; TypeError if it, or what the model returned, is no Value."""
    try:
        error = loss(outputs, targets)
    except Exception:
        _check_outputs(outputs)
        raise
    if type(error) is not Value:
        _check_outputs(outputs)
        raise TypeError(f"loss must return a Value, got {shown(error)}")
    return error


def _check_outputs(outputs: object) -> None:
    if not any(isinstance(y, Value) for y in leaves(outputs)):
        raise TypeError(
            f"the model must return a Value or a list of Values, got {shown(outputs)}: compute "
            "with the Values themselves (mg.tanh, not math.tanh; v, not v.data or float(v))"
        ) from None


def checked_patterns(patterns: Iterable[Pattern]) -> list[Pattern]:
    """Return the patterns as a list; TypeError unless each is a pair of inputs and targets."""
    what = "patterns must be a list of (inputs, targets), such as [([0.0, 1.0], [1.0])]"
    if not isinstance(patterns, Iterable) or isinstance(patterns, str | bytes | Mapping):
        raise TypeError(f"{what}, got {shown(patterns)}")
    checked = list(patterns)
    for pattern in checked:
        if isinstance(pattern, str | bytes | Mapping) or not _is_pair(pattern):
            raise TypeError(f"{what}; one of them is {shown(pattern)}")
        if not isinstance(pattern[0], Iterable) or isinstance(pattern[0], str | bytes):
            raise TypeError(f"{what}; the inputs of one of them are {shown(pattern[0])}")
    return checked


def _is_pair(pattern: Any) -> bool:
    try:
        return len(pattern) == 2
    except TypeError:
        return False


def without_arrays(patterns: Iterable[Pattern]) -> list[Pattern]:
    """Return the patterns with arrays, of any library, as nested lists of numbers."""
    return [(list(_listed(inputs)), _listed(targets)) for inputs, targets in patterns]


def _listed(x: Any) -> Any:
    if isinstance(x, list | tuple):
        return [_listed(part) for part in x]
    return x.tolist() if hasattr(x, "tolist") else x


def count_right(model: Model, patterns: Sequence[tuple[Any, Any]], criterion: Criterion) -> int:
    """Return how many patterns meet ``criterion`` with the weights as they are."""
    return sum(is_right(criterion, model(inputs), targets) for inputs, targets in patterns)


def is_right(criterion: Criterion, outputs: Any, targets: Any) -> bool:
    """Return whether ``outputs`` meet the criterion; TypeError if it gives neither yes nor no."""
    return is_met(criterion, output_numbers(outputs), targets)


def is_met(criterion: Criterion, numbers: list[float], targets: Any) -> bool:
    """Return whether outputs, as numbers, meet the criterion; see ``is_right``."""
    answer = criterion(numbers, targets)
    if type(answer) is int and answer in (~True, ~False):
        raise TypeError(
            f"criterion must return True or False, got {shown(answer)}: ~ of a bool is a whole "
            "number; write condition == False"
        )
    try:
        return bool(answer)
    except (TypeError, ValueError):
        raise TypeError(f"criterion must return True or False, got {shown(answer)}") from None


def output_numbers(outputs: Any) -> list[float]:
    """Return the numbers of a network's outputs: a list of Values, or one Value."""
    values = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    if not all(isinstance(y, Value) for y in values):
        _check_outputs(outputs)
        raise TypeError(
            "with a criterion, a model must return a Value or a list of Values, got "
            f"{shown(outputs)}"
        )
    return [y.data for y in values]
