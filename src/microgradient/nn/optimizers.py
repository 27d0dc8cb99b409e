"""Optimizers: from gradients to new parameters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from math import inf, nextafter, sqrt

from microgradient.engine.number import as_float, shown
from microgradient.engine.value import Value

_BELOW_ONE = nextafter(1.0, 0.0)
_LARGEST = nextafter(inf, 0.0)


class Optimizer(ABC):
    """Parameters, and a rule by which ``step`` moves them along their gradients.

    ``rate`` may be changed between steps. A gradient that is None (never reached) counts as 0.
    """

    def __init__(self, parameters: Iterable[Value], rate: float) -> None:
        self.parameters = list(parameters)
        for parameter in self.parameters:
            if type(parameter) is not Value:
                raise TypeError(f"expected Values as parameters, got {shown(parameter)}")
        if not self.parameters:
            raise ValueError("an optimizer needs at least one parameter, got none")
        if len(set(self.parameters)) < len(self.parameters):
            raise ValueError("an optimizer moves each parameter once, got one that stands twice")
        self.rate = _checked("rate", rate, 0.0, _LARGEST)

    @abstractmethod
    def step(self) -> None:
        """Change every parameter once."""

    def zero_grad(self) -> None:
        """Set the gradient of every parameter to 0."""
        for parameter in self.parameters:
            parameter.grad = 0.0


class GradientDescent(Optimizer):
    """w <- w - rate * dE/dw (Nature 323, eq. 8)."""

    def step(self) -> None:
        rate = self.rate
        for parameter in self.parameters:
            parameter.data -= rate * (parameter.grad or 0.0)


class Momentum(Optimizer):
    """dw(t) = -rate * dE/dw + momentum * dw(t-1), then w <- (w + dw(t)) * (1 - decay).

    Nature 323, eq. 9, where t counts sweeps; PDP vol. 1, ch. 8, eq. 16, where it counts
    presentations: the rule is one, when to call ``step`` differs. The decay is that of the family
    trees, "decrementing every weight by 0.2 % after each weight change" (Nature 323, Fig. 4).
    """

    def __init__(
        self,
        parameters: Iterable[Value],
        rate: float,
        momentum: float = 0.9,
        decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, rate)
        self.momentum = _checked("momentum", momentum, 0.0, 1.0)
        self.decay = _checked("decay", decay, 0.0, 1.0)
        self.changes = [0.0] * len(self.parameters)

    def step(self) -> None:
        rate, momentum, keep = self.rate, self.momentum, 1.0 - self.decay
        changes = self.changes
        for i, parameter in enumerate(self.parameters):
            changes[i] = change = momentum * changes[i] - rate * (parameter.grad or 0.0)
            parameter.data = (parameter.data + change) * keep


class Adam(Optimizer):
    """Adaptive moments. Source: Kingma and Ba 2015, algorithm 1."""

    def __init__(
        self,
        parameters: Iterable[Value],
        rate: float = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
    ) -> None:
        super().__init__(parameters, rate)
        self.beta1 = _checked("beta1", beta1, 0.0, _BELOW_ONE)
        self.beta2 = _checked("beta2", beta2, 0.0, _BELOW_ONE)
        self.epsilon = _checked("epsilon", epsilon, 5e-324, _LARGEST)
        self.decay = 0.0
        self.steps = 0
        self.means = [0.0] * len(self.parameters)
        self.squares = [0.0] * len(self.parameters)

    def step(self) -> None:
        self.steps += 1
        beta1, beta2, epsilon = self.beta1, self.beta2, self.epsilon
        size = self.rate / (1 - beta1**self.steps)
        correction = 1 / (1 - beta2**self.steps)
        keep = 1 - self.rate * self.decay
        for i, parameter in enumerate(self.parameters):
            g = parameter.grad or 0.0
            self.means[i] = mean = beta1 * self.means[i] + (1 - beta1) * g
            self.squares[i] = square = beta2 * self.squares[i] + (1 - beta2) * g * g
            parameter.data = parameter.data * keep - size * mean / (
                sqrt(square * correction) + epsilon
            )


class AdamW(Adam):
    """Adam with decoupled weight decay: w <- w (1 - rate * decay) first.

    ``settings`` are the betas and the epsilon of :class:`Adam`. Source: Loshchilov and Hutter 2019,
    algorithm 2.
    """

    def __init__(
        self,
        parameters: Iterable[Value],
        rate: float = 1e-3,
        decay: float = 1e-2,
        **settings: float,
    ) -> None:
        super().__init__(parameters, rate, **settings)
        self.decay = _checked("decay", decay, 0.0, _LARGEST)


def _checked(name: str, x: float, low: float, high: float) -> float:
    number = as_float(x)
    if not low <= number <= high:
        bounds = f"from {low:g} to {high:g}" if high < _LARGEST else f"of at least {low:g}"
        raise ValueError(f"{name} must be a finite number {bounds}, got {x!r}")
    return number
