"""What training compiles: the gradient of one pattern, and the optimizer's rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import isclose
from typing import Any

from microgradient.compiler.program.adjoint import reverse
from microgradient.compiler.program.errors import CompileError
from microgradient.compiler.program.passes import program_of
from microgradient.compiler.program.program import Program
from microgradient.compiler.program.tracing import Condition, Trace
from microgradient.engine import ops
from microgradient.engine.choice import where
from microgradient.engine.number import as_float
from microgradient.engine.services.trees import leaves, matching_leaves, rebuild
from microgradient.engine.symbol import Symbol
from microgradient.engine.value import Value, constant
from microgradient.nn.losses import cross_entropy
from microgradient.nn.optimizers import Optimizer
from microgradient.nn.training.eager import numbers_of
from microgradient.nn.training.plan import Criterion, Pattern

_TRIED = ((-1.7, -0.3), (0.6, 0.2))
"""Scales and shifts of the weights, to see that a program holds for others than its own."""


@dataclass(frozen=True)
class Objective:
    """What a network is trained for: its error on a pattern, and whether the pattern is right."""

    model: Callable[..., Any]
    loss: Callable[[Any, Any], Any]
    criterion: Criterion | None

    def error_and_right(self, pattern: Pattern) -> tuple[float, float]:
        """Return the error on one pattern, and 1 if it is right, with the weights as they are."""
        inputs, targets = pattern
        outputs = self.model([constant(x) for x in inputs])
        right = self.criterion is not None and self.criterion(numbers_of(outputs), targets)
        return self.loss(outputs, targets).data, float(bool(right))


@dataclass(frozen=True)
class Programs:
    """The programs of a training run, and its patterns as flat numbers.

    ``gradient``: weights, and varying a pattern -> the gradient, the error, 1 if it is right.
    ``update``: the optimizer's settings, and varying a weight, its memories and its gradient -> the
    new weight and memories.
    """

    gradient: Program
    update: Program
    patterns: list[tuple[float, ...]]

    def eager_seconds(self, sweeps: int) -> float:
        """Return about how long ``sweeps`` would take on Values."""
        operands = sum(len(x.operands) for x in self.gradient.instructions)
        seconds = self.gradient.operations * 0.5e-6 + operands * 0.05e-6
        return sweeps * len(self.patterns) * seconds

    def holds_for(self, objective: Objective, pattern: Pattern, weights: Sequence[float]) -> bool:
        """Return whether the program computes what ``objective`` does on the first pattern.

        It does not if the model computes something else each time, or looked at its weights.
        """
        wanted = objective.error_and_right(pattern)
        slots = self.gradient.outputs[-2:]
        numbers = self.gradient.evaluate([*weights, *self.patterns[0]], max(slots) + 1)
        return all(map(_agree, [numbers[slot] for slot in slots], wanted))


def _agree(x: float, y: float) -> bool:
    return isclose(x, y, rel_tol=1e-6, abs_tol=1e-9) or (x - x != 0 and y - y != 0)


def programs(objective: Objective, optimizer: Optimizer, patterns: Sequence[Pattern]) -> Programs:
    """Return the programs of a training run; CompileError for what cannot be compiled."""
    inputs, targets = patterns[0]
    first = list(inputs), targets
    flat = [
        tuple(map(as_float, matching_leaves((list(xs), ts), first, "every pattern")))
        for xs, ts in patterns
    ]
    if not flat[0]:
        raise CompileError("there is no number in the patterns")
    if any(type(x) is int for x in leaves(targets)) and _wants_classes(objective.loss):
        raise CompileError("a class as a target is no number; give a list of 0 and 1 instead")
    found = Programs(_gradient(objective, optimizer, first), _update(optimizer), flat)
    for scale, shift in _TRIED:
        with _other_weights(optimizer.parameters, scale, shift) as weights:
            if not found.holds_for(objective, patterns[0], weights):
                raise CompileError(
                    "the model computes something else each time (a random number, a counter, a "
                    'branch on a weight), which would be frozen; train it with backend="eager"'
                )
    return found


@contextmanager
def _other_weights(
    parameters: Sequence[Value], scale: float, shift: float
) -> Iterator[Sequence[float]]:
    """Give the parameters other numbers, for a while: scale * w + shift."""
    before = [parameter.data for parameter in parameters]
    after = [scale * weight + shift for weight in before]
    try:
        for parameter, weight in zip(parameters, after):
            parameter.data = weight
        yield after
    finally:
        for parameter, weight in zip(parameters, before):
            parameter.data = weight


def _wants_classes(loss: object) -> bool:
    return loss in (ops.softmax_cross_entropy, cross_entropy)


def _gradient(objective: Objective, optimizer: Optimizer, pattern: Pattern) -> Program:
    parameters = optimizer.parameters
    count, numbers = len(parameters), len(leaves(pattern))
    trace = Trace(count + numbers, {parameter: i for i, parameter in enumerate(parameters)})
    symbols = trace.inputs()
    inputs, targets = rebuild(pattern, iter(symbols[count:]))
    outputs = objective.model(inputs)
    error = objective.loss(outputs, targets)
    if not isinstance(error, (Symbol, Value)):
        raise CompileError(f"loss must return a Value, got {type(error).__name__}")
    right: Any = 0.0
    if objective.criterion is not None:
        several = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
        met: Any = objective.criterion(several, targets)
        right = where(met, 1.0, 0.0) if isinstance(met, Condition) else float(bool(met))
    slopes = reverse(trace, symbols[:count], [(error, 1.0)], keep_nan=False)
    names = [f"weight {i}" for i in range(count)] + [f"pattern[{i}]" for i in range(numbers)]
    results = [trace.slot(x) for x in (*slopes, error, right)]
    return program_of(trace, results, names, range(count, count + numbers), "sum")


def _update(optimizer: Optimizer) -> Program:
    kind = type(optimizer)
    if kind.step is not Optimizer.step or kind.rule is Optimizer.rule:
        raise CompileError(
            f"{kind.__name__} has a step of its own; give it a rule for one weight instead, "
            'or train with backend="eager"'
        )
    count = len(optimizer.settings(optimizer.steps))
    varying = ["weight", *optimizer.memories, "gradient"]
    names = [*(f"setting {i}" for i in range(count)), *varying]
    trace = Trace(len(names))
    symbols = trace.inputs()
    weight, *memories, gradient = symbols[count:]
    moved = tuple(optimizer.rule(symbols[:count], weight, gradient, *memories))
    if len(moved) != 1 + len(memories):
        raise CompileError(
            f"the rule of {kind.__name__} must return a weight and {len(memories)} memories, got "
            f"{len(moved)} numbers"
        )
    copies = [trace.emit(ops.add, (trace.slot(x), trace.constant(-0.0))) for x in moved]
    return program_of(trace, copies, names, range(count, len(names)))
