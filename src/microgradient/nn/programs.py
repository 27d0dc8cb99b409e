"""What training compiles: the gradient of one pattern, the criterion, the optimizer's rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from microgradient.compiler.derivatives import reverse
from microgradient.compiler.errors import CompileError
from microgradient.compiler.passes import recorded
from microgradient.compiler.program import Program
from microgradient.compiler.tracing import Condition, Trace
from microgradient.engine.choice import where
from microgradient.engine.number import as_float
from microgradient.engine.op import Symbol
from microgradient.engine.trees import leaves, matching_leaves, rebuild
from microgradient.engine.value import Value
from microgradient.nn.eager_run import Criterion, Pattern
from microgradient.nn.optimizers import Optimizer


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
        operands = sum(len(x.operands) for x in self.check.instructions)
        return sweeps * len(self.rows) * (self.check.operations * 2e-6 + operands * 0.2e-6)


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
    gradient, check = _traced(model, loss, optimizer, criterion, first, len(rows[0]))
    again, _ = _traced(model, loss, optimizer, criterion, first, len(rows[0]))
    if gradient.instructions != again.instructions:
        raise CompileError(
            "the model computes something else each time (a random number, a counter), which "
            'would be frozen; train it with engine="eager"'
        )
    return Programs(gradient, check, _update(optimizer), rows)


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
    if kind.step is not Optimizer.step:
        raise CompileError(
            f"{kind.__name__} has a step of its own; give it a rule for one weight instead, "
            'or train with engine="eager"'
        )
    settings = _settings_names(optimizer)
    row = ["weight", *optimizer.memories, "gradient"]
    trace = Trace(len(settings) + len(row))
    symbols = trace.inputs()
    weight, *memories, gradient = symbols[len(settings) :]
    moved = optimizer.rule(symbols[: len(settings)], weight, gradient, *memories)
    program = recorded(trace, [trace.slot(x) for x in moved], [*settings, *row])
    return program.over(tuple(range(len(settings), len(settings) + len(row))), each=True)


def _settings_names(optimizer: Optimizer) -> list[str]:
    before = dict(vars(optimizer))
    count = len(optimizer.settings())
    vars(optimizer).update(before)
    return [f"setting {i}" for i in range(count)]
