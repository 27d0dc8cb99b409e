"""What training compiles: the gradient of one pattern, the criterion, the optimizer's rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from microgradient.compiler.program.adjoint import reverse
from microgradient.compiler.program.errors import CompileError
from microgradient.compiler.program.passes import recorded
from microgradient.compiler.program.program import Program
from microgradient.compiler.program.tracing import Condition, Trace
from microgradient.engine import ops
from microgradient.engine.choice import where
from microgradient.engine.number import as_float
from microgradient.engine.op import Symbol
from microgradient.engine.services.trees import leaves, matching_leaves, rebuild
from microgradient.engine.value import Value
from microgradient.nn.losses import cross_entropy
from microgradient.nn.optimizers import Optimizer
from microgradient.nn.training.eager import Criterion, Pattern


@dataclass(frozen=True)
class Programs:
    """The programs of a training run, and its patterns as rows of numbers.

    ``gradient``: weights, and a pattern as a row -> the gradient, the error, 1 if it is right.
    ``check``: the same -> the last of these. ``update``: the optimizer's settings, and as a row a
    weight, its memories and its gradient -> the new weight and memories.
    """

    gradient: Program
    check: Program
    update: Program
    rows: list[tuple[float, ...]]

    def eager_seconds(self, sweeps: int) -> float:
        """Return about how long ``sweeps`` would take on Values."""
        operands = sum(len(x.operands) for x in self.gradient.instructions)
        return sweeps * len(self.rows) * (self.gradient.operations * 0.5e-6 + operands * 0.05e-6)


def programs(
    model: Any,
    loss: Callable[[Any, Any], Any],
    optimizer: Optimizer,
    criterion: Criterion | None,
    patterns: Sequence[Pattern],
) -> Programs:
    """Return the programs of a training run; CompileError for what cannot be compiled."""
    first = _listed(patterns[0])
    rows = [
        tuple(map(as_float, matching_leaves(_listed(pattern), first, "every pattern")))
        for pattern in patterns
    ]
    if not rows[0]:
        raise CompileError("there is no number in the patterns")
    if any(type(x) is int for x in leaves(first[1])) and _wants_classes(loss):
        raise CompileError("a class as a target is no number; give a list of 0 and 1 instead")
    gradient, check = _traced(model, loss, optimizer, criterion, first, len(rows[0]))
    with _other_weights(optimizer.parameters):
        again, _ = _traced(model, loss, optimizer, criterion, first, len(rows[0]))
    if gradient.instructions != again.instructions:
        raise CompileError(
            "the model computes something else each time (a random number, a counter, a branch on "
            'a weight), which would be frozen; train it with engine="eager"'
        )
    return Programs(gradient, check, _update(optimizer), rows)


@contextmanager
def _other_weights(parameters: Sequence[Value]) -> Iterator[None]:
    """Give the parameters other numbers meanwhile: what then is another program looked at them."""
    before = [parameter.data for parameter in parameters]
    try:
        for parameter, weight in zip(parameters, before):
            parameter.data = -1.7 * weight - 0.3
        yield
    finally:
        for parameter, weight in zip(parameters, before):
            parameter.data = weight


def _wants_classes(loss: Any) -> bool:
    return loss in (ops.softmax_cross_entropy, cross_entropy)


def _listed(pattern: Pattern) -> tuple[list[Any], Any]:
    inputs, targets = pattern
    return list(inputs), targets


def _traced(
    model: Any,
    loss: Callable[[Any, Any], Any],
    optimizer: Optimizer,
    criterion: Criterion | None,
    pattern: tuple[list[Any], Any],
    numbers: int,
) -> tuple[Program, Program]:
    parameters = optimizer.parameters
    count = len(parameters)
    trace = Trace(count + numbers, {parameter: i for i, parameter in enumerate(parameters)})
    symbols = trace.inputs()
    inputs, targets = rebuild(pattern, iter(symbols[count:]))
    outputs = model(inputs)
    error = loss(outputs, targets)
    if not isinstance(error, (Symbol, Value)):
        raise CompileError(f"loss must return a Value, got {type(error).__name__}")
    right: Any = 0.0
    if criterion is not None:
        met = criterion(list(outputs) if isinstance(outputs, (list, tuple)) else [outputs], targets)
        right = where(met, 1.0, 0.0) if isinstance(met, Condition) else float(bool(met))
    slopes = reverse(trace, symbols[:count], [(error, 1.0)], keep_nan=False)
    names = [f"weight {i}" for i in range(count)]
    names += [f"pattern[{i}]" for i in range(len(leaves(pattern)))]
    rows = tuple(range(count, count + numbers))
    results = [trace.slot(x) for x in (*slopes, error, right)]
    return (
        recorded(trace, results, names).over(rows, each=False),
        recorded(trace, results[-1:], names).over(rows, each=False),
    )


def _update(optimizer: Optimizer) -> Program:
    kind = type(optimizer)
    if kind.step is not Optimizer.step or kind.rule is Optimizer.rule:
        raise CompileError(
            f"{kind.__name__} has a step of its own; give it a rule for one weight instead, "
            'or train with engine="eager"'
        )
    settings = _settings_names(optimizer)
    row = ["weight", *optimizer.memories, "gradient"]
    trace = Trace(len(settings) + len(row))
    symbols = trace.inputs()
    weight, *memories, gradient = symbols[len(settings) :]
    moved = tuple(optimizer.rule(symbols[: len(settings)], weight, gradient, *memories))
    if len(moved) != 1 + len(memories):
        raise CompileError(
            f"the rule of {kind.__name__} must return a weight and {len(memories)} memories, got "
            f"{len(moved)} numbers"
        )
    copies = [trace.emit(ops.add, (trace.slot(x), trace.constant(-0.0))) for x in moved]
    program = recorded(trace, copies, [*settings, *row])
    return program.over(tuple(range(len(settings), len(settings) + len(row))), each=True)


def _settings_names(optimizer: Optimizer) -> list[str]:
    before = dict(vars(optimizer))
    count = len(optimizer.settings())
    vars(optimizer).update(before)
    return [f"setting {i}" for i in range(count)]
