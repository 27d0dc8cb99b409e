"""Optimizers: from gradients to new parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf, nextafter
from typing import Any, TypeVar

from microgradient.engine import native
from microgradient.engine.number import as_float, shown
from microgradient.engine.ops import div, sqrt
from microgradient.engine.value import Value

X = TypeVar("X", float, Value)  # and the symbols that a rule is compiled with

_KERNELS: dict[Callable[..., Any], Callable[..., bool]] = {}
"""Whole steps by a rule, in C where that was built: each tells whether it did the step."""

_BELOW_ONE = nextafter(1.0, 0.0)
_LARGEST = nextafter(inf, 0.0)
_INCOMPLETE = "{} must define settings() and rule(), or override step(), which is not compiled"


class Optimizer:
    """Parameters, and the rule by which ``step`` moves each of them along its gradient.

    ``rate`` may be changed between steps; ``steps`` counts the steps done. A subclass names in
    ``memories`` the attributes that hold one number for each parameter between steps, and sets
    ``steady`` to False if ``settings(step)`` differs from step to step.
    """

    memories: tuple[str, ...] = ()
    steady = True
    steps = 0

    def __init__(self, parameters: Iterable[Value], rate: float) -> None:
        if not isinstance(parameters, Iterable) or isinstance(parameters, str | Mapping):
            raise TypeError(
                "expected a list of Values as parameters, such as model.parameters(), got "
                f"{shown(parameters)}"
            )
        self.steps = 0
        self.parameters = list(parameters)
        for parameter in self.parameters:
            if type(parameter) is not Value:
                raise TypeError(f"expected Values as parameters, got {shown(parameter)}")
        if not self.parameters:
            raise ValueError("an optimizer needs at least one parameter, got none")
        if len(set(self.parameters)) < len(self.parameters):
            raise ValueError("an optimizer expects each parameter once, got one of them twice")
        self.rate = _checked("rate", rate, 0.0, _LARGEST)

    def settings(self, step: int) -> tuple[float, ...]:
        """Return the numbers that ``rule`` uses in step ``step``, counted from 0."""
        raise NotImplementedError(_INCOMPLETE.format(type(self).__name__))

    @staticmethod
    def rule(settings: Sequence[X], weight: X, gradient: X, *memories: X) -> tuple[X, ...]:
        """Return the new weight and memories of one parameter.

        The rule uses the engine's operations only: it runs on floats and is compiled.
        """
        raise NotImplementedError(_INCOMPLETE.format("an optimizer"))

    def step(self) -> None:
        """Change every parameter once."""
        settings, rule = self.settings(self.steps), self.rule
        memories = [getattr(self, name) for name in self.memories]
        kernel = _KERNELS.get(rule)
        if kernel is None or not kernel(self.parameters, settings, *memories):
            for i, parameter in enumerate(self.parameters):
                before = [memory[i] for memory in memories]
                parameter.data, *after = rule(settings, parameter.data, parameter.grad, *before)
                for memory, number in zip(memories, after, strict=True):
                    memory[i] = number
        self.steps += 1

    def zero_grad(self) -> None:
        """Set the gradient of every parameter to 0."""
        for parameter in self.parameters:
            parameter.grad = 0.0


class GradientDescent(Optimizer):
    """w <- w - rate * dE/dw (Nature 323, eq. 8)."""

    def settings(self, step: int) -> tuple[float, ...]:
        return (self.rate,)

    @staticmethod
    def rule(settings: Sequence[X], weight: X, gradient: X, *memories: X) -> tuple[X, ...]:
        (rate,) = settings
        return (weight - rate * gradient,)


class Momentum(Optimizer):
    """dw(t) = -rate * dE/dw + momentum * dw(t-1), then w <- (w + dw(t)) * (1 - decay).

    In Nature 323, eq. 9, t counts sweeps; in PDP vol. 1, ch. 8, eq. 16, it counts presentations:
    the rule is the same, ``step`` is called at different times. The decay is that of the family
    trees, "decrementing every weight by 0.2 % after each weight change" (Nature 323, Fig. 4).
    """

    memories: tuple[str, ...] = ("changes",)

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

    def settings(self, step: int) -> tuple[float, ...]:
        return (self.rate, self.momentum, 1.0 - self.decay)

    @staticmethod
    def rule(settings: Sequence[X], weight: X, gradient: X, *memories: X) -> tuple[X, ...]:
        rate, momentum, keep = settings
        change = momentum * memories[0] - rate * gradient
        return (weight + change) * keep, change


class RMSprop(Optimizer):
    """w <- w - rate * dE/dw / (root of a running mean of squared gradients + epsilon).

    ``alpha`` is how much of the mean is kept in a step. Source: Tieleman and Hinton, Neural
    Networks for Machine Learning, lecture 6.5, 2012.
    """

    memories = ("squares",)

    def __init__(
        self,
        parameters: Iterable[Value],
        rate: float = 1e-2,
        alpha: float = 0.99,
        epsilon: float = 1e-8,
    ) -> None:
        super().__init__(parameters, rate)
        self.alpha = _checked("alpha", alpha, 0.0, _BELOW_ONE)
        self.epsilon = _checked("epsilon", epsilon, 5e-324, _LARGEST)
        self.squares = [0.0] * len(self.parameters)

    def settings(self, step: int) -> tuple[float, ...]:
        return (self.rate, self.alpha, self.epsilon)

    @staticmethod
    def rule(settings: Sequence[X], weight: X, gradient: X, *memories: X) -> tuple[X, ...]:
        rate, alpha, epsilon = settings
        square = alpha * memories[0] + (1 - alpha) * gradient * gradient
        return weight - div(rate * gradient, sqrt(square) + epsilon), square


class Adam(Optimizer):
    """Adaptive moment estimation. Source: Kingma and Ba 2015, algorithm 1."""

    memories = ("means", "squares")
    steady = False

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
        self.means = [0.0] * len(self.parameters)
        self.squares = [0.0] * len(self.parameters)

    def settings(self, step: int) -> tuple[float, ...]:
        size = self.rate / (1 - self.beta1 ** (step + 1))
        correction = 1 / (1 - self.beta2 ** (step + 1))
        keep = 1 - self.rate * self.decay
        return (self.beta1, self.beta2, self.epsilon, size, correction, keep)

    @staticmethod
    def rule(settings: Sequence[X], weight: X, gradient: X, *memories: X) -> tuple[X, ...]:
        beta1, beta2, epsilon, size, correction, keep = settings
        mean = beta1 * memories[0] + (1 - beta1) * gradient
        square = beta2 * memories[1] + (1 - beta2) * gradient * gradient
        step = div(size * mean, sqrt(square * correction) + epsilon)
        return weight * keep - step, mean, square


class AdamW(Adam):
    """Adam with decoupled weight decay: first w <- w (1 - rate * decay).

    The other keywords are those of :class:`Adam`: ``beta1``, ``beta2``, ``epsilon``. Source:
    Loshchilov and Hutter 2019, algorithm 2.
    """

    def __init__(
        self,
        parameters: Iterable[Value],
        rate: float = 1e-3,
        decay: float = 1e-2,
        **keywords: float,
    ) -> None:
        super().__init__(parameters, rate, **keywords)
        self.decay = _checked("decay", decay, 0.0, _LARGEST)


def _checked(name: str, x: float, low: float, high: float) -> float:
    try:
        number = as_float(x)
    except TypeError:
        raise TypeError(f"{name} must be a number, got {shown(x)}") from None
    if not low <= number <= high:
        bounds = {
            (0.0, 1.0): "from 0 to 1",
            (0.0, _BELOW_ONE): "of at least 0 and below 1",
            (0.0, _LARGEST): "of at least 0",
        }.get((low, high), "above 0")
        raise ValueError(f"{name} must be a finite number {bounds}, got {x!r}")
    return number


if native.node is not None:
    _KERNELS[GradientDescent.rule] = native.node.descent
    _KERNELS[Momentum.rule] = native.node.momentum
    _KERNELS[Adam.rule] = native.node.adam
