"""What a network is trained for: a small error on every pattern, and outputs that are right."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from microgradient.engine.graph import topological_order
from microgradient.engine.sweeps import adjoints, dependents
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
        right = self.criterion is not None and self.criterion(output_numbers(outputs), targets)
        error = self.loss(outputs, targets)
        order = topological_order(error)
        active = dependents(order, parameters)
        adjoint = adjoints(order, {error: 1.0}, active, as_graph=False)
        slopes = [adjoint.get(parameter, 0.0) for parameter in parameters]
        return [*slopes, error.data, float(bool(right))]


def count_right(model: Model, patterns: Sequence[tuple[Any, Any]], criterion: Criterion) -> int:
    """Return how many patterns meet ``criterion`` with the weights as they are."""
    return sum(
        bool(criterion(output_numbers(model(inputs)), targets)) for inputs, targets in patterns
    )


def output_numbers(outputs: Any) -> list[float]:
    """Return the numbers of a network's outputs: a list of Values, or one Value."""
    return [y.data for y in outputs] if isinstance(outputs, (list, tuple)) else [outputs.data]
