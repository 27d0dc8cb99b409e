"""What training compiles: the gradient of one pattern, and the optimizer's rule."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import getattr_static
from itertools import cycle
from math import isclose, isfinite
from typing import Any

from microgradient.compiler.program.adjoint import reverse
from microgradient.compiler.program.errors import CompileError
from microgradient.compiler.program.passes import program_of
from microgradient.compiler.program.program import Program
from microgradient.compiler.program.tracing import Trace
from microgradient.engine import ops
from microgradient.engine.choice import where
from microgradient.engine.number import as_float, shown
from microgradient.engine.services.trees import leaves, matching_leaves, rebuild
from microgradient.engine.symbol import Symbol, Undecided
from microgradient.engine.value import Value
from microgradient.nn.optimizers import Optimizer
from microgradient.nn.training.objective import Objective, Pattern, is_met
from microgradient.nn.training.plan import Criterion

_OTHER_WEIGHTS = ((-1.7, -0.3), (0.6, 0.2))
"""Scales and shifts: a program that holds for these weights too is taken to hold for all."""


@dataclass(frozen=True)
class TrainingPrograms:
    """The programs of a training run, and its patterns as flat numbers.

    ``gradient`` maps the weights and a (varying) pattern to the gradient, the error, and 1 if the
    pattern is right; the numbers of ``frozen`` parameters follow those of a pattern. ``update``
    maps the optimizer's settings and a (varying) weight with its memories and gradient to the new
    weight and memories; where a weight has settings of its own, they stand among its memories.
    """

    gradient: Program
    update: Program
    patterns: list[tuple[float, ...]]
    frozen: int = 0

    def eager_seconds(self, sweeps: int) -> float:
        """Return about how long ``sweeps`` would take on Values."""
        operands = sum(len(x.operands) for x in self.gradient.instructions)
        seconds = self.gradient.operations * 0.5e-6 + operands * 0.05e-6
        return sweeps * len(self.patterns) * seconds

    def holds_for(
        self,
        objective: Objective,
        pattern: Pattern,
        parameters: Sequence[Value],
        frozen: Sequence[Value] = (),
    ) -> bool:
        """Return whether the program computes what ``objective`` does on ``pattern``.

        It does not if the model computes something else each time, or branched on its weights.
        """
        try:
            expected = objective.evaluated(pattern, parameters)
        except Exception as fault:
            raise CompileError(
                "the model fails for other numbers than its own, so whether compiling would "
                f'freeze something cannot be tried ({fault}); train it with backend="eager"'
            ) from fault
        inputs, targets = pattern
        weights, rest = ([parameter.data for parameter in some] for some in (parameters, frozen))
        numbers = self.gradient.evaluate(
            [*weights, *map(as_float, leaves((list(inputs), targets))), *rest]
        )
        return all(map(_agree, [numbers[slot] for slot in self.gradient.outputs], expected))


def flattened(patterns: Sequence[Pattern], like: Pattern) -> list[tuple[float, ...]]:
    """Return the numbers of each pattern; ValueError or TypeError for another shape than like's."""
    first = list(like[0]), like[1]
    return [
        tuple(map(as_float, matching_leaves((list(xs), ts), first, "every pattern")))
        for xs, ts in patterns
    ]


def training_programs(
    objective: Objective,
    optimizer: Optimizer,
    patterns: Sequence[Pattern],
    *,
    frozen: Sequence[Value] = (),
    own_settings: bool = False,
) -> TrainingPrograms:
    """Return the programs of a training run; CompileError for what cannot be compiled.

    ``frozen`` parameters of the model are not trained, and may differ between replicas.
    ``own_settings`` gives each weight settings of its own, as further memories.
    """
    inputs, targets = patterns[0]
    first = list(inputs), targets
    flat = flattened(patterns, first)
    if not flat[0]:
        raise CompileError("the patterns contain no number")
    drawn = random.getstate()  # the calls below must not change what a model draws in training
    try:
        try:
            gradient = _gradient(objective, optimizer, first, frozen)
        except TypeError as fault:
            if type(targets) is not int:
                raise
            raise CompileError(
                "a class index as a target is not compiled; give a list of 0 and 1 instead"
            ) from fault
        update = _update(optimizer, own_settings=own_settings)
        programs = TrainingPrograms(gradient, update, flat, len(frozen))
        for scale, shift in _OTHER_WEIGHTS:
            with _set_weights(optimizer.parameters, scale, shift):
                tried = probe(patterns[0]), optimizer.parameters, frozen
                if not programs.holds_for(objective, *tried):
                    raise CompileError(
                        "the model computes something else each time (a random number, a counter, "
                        "a branch on a weight), which compiling would freeze; train it with "
                        'backend="eager"'
                    )
    finally:
        random.setstate(drawn)
    return programs


def probe(pattern: Pattern) -> Pattern:
    """Return ``pattern`` with other numbers, no 0 among them, which hides what it multiplies."""
    inputs, targets = pattern
    numbers = [0.75 * as_float(x) + 0.3125 for x in leaves((list(inputs), targets))]
    other: Pattern = rebuild((list(inputs), targets), iter(numbers))
    return other


def _agree(x: float, y: float) -> bool:
    return isclose(x, y, rel_tol=1e-6, abs_tol=1e-9) or not (isfinite(x) or isfinite(y))


@contextmanager
def _set_weights(parameters: Sequence[Value], scale: float, shift: float) -> Iterator[None]:
    """Set each parameter w to scale * w + shift within the block."""
    before = [parameter.data for parameter in parameters]
    try:
        for parameter, weight in zip(parameters, before):
            parameter.data = scale * weight + shift
        yield
    finally:
        for parameter, weight in zip(parameters, before):
            parameter.data = weight


def _gradient(
    objective: Objective, optimizer: Optimizer, pattern: Pattern, frozen: Sequence[Value]
) -> Program:
    parameters = optimizer.parameters
    count, numbers = len(parameters), len(leaves(pattern))
    places = {parameter: i for i, parameter in enumerate(parameters)}
    places |= {parameter: count + numbers + i for i, parameter in enumerate(frozen)}
    total = count + numbers + len(frozen)
    trace = Trace(total, places)
    symbols = trace.inputs()
    inputs, targets = rebuild(pattern, iter(symbols[count : count + numbers]))
    outputs = objective.model(inputs)
    error = objective.loss(outputs, targets)
    if not isinstance(error, (Symbol, Value)):
        raise CompileError(f"loss must return a Value, got {type(error).__name__}")
    right: Any = 0.0
    if objective.criterion is not None:
        several = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
        right = _met(objective.criterion, several, targets)
        _check_criterion(objective.criterion, len(several), pattern[1])
    slopes = reverse(trace, symbols[:count], [(error, 1.0)], keep_nan=False)
    names = [f"weight {i}" for i in range(count)] + [f"pattern[{i}]" for i in range(numbers)]
    names += [f"frozen weight {i}" for i in range(len(frozen))]
    results = [trace.slot(x) for x in (*slopes, error, right)]
    return program_of(trace, results, names, range(count, total), "sum")


def _met(criterion: Criterion, outputs: list[Any], targets: Any) -> Any:
    """Return 1 where the criterion is met, else 0."""
    met: Any = criterion(outputs, targets)
    return where(met, 1.0, 0.0) if isinstance(met, Undecided) else float(bool(met))


def _check_criterion(criterion: Criterion, count: int, targets: Any) -> None:
    """Raise CompileError unless ``criterion`` compiled is what it is on numbers.

    It is not if it compares symbols with ``is``, which sees objects and not their numbers.
    """
    wanted = [as_float(x) for x in leaves(targets)]
    trace = Trace(count + len(wanted))
    symbols = trace.inputs()
    met = _met(criterion, symbols[:count], rebuild(targets, iter(symbols[count:])))
    names = [f"output {i}" for i in range(count)] + [f"target {i}" for i in range(len(wanted))]
    program = program_of(trace, [trace.slot(met)], names)
    hit = [x for _, x in zip(range(count), cycle(wanted or [0.0]))]
    for outputs in (hit, [1 - x for x in hit], [0.0] * count, [0.5] * count, [1.0] * count):
        slots = program.evaluate([*outputs, *wanted])
        if slots[program.outputs[0]] != is_met(criterion, outputs, targets):
            raise CompileError(
                f"the criterion is not the same compiled: for the outputs {shown(outputs)} and "
                f"targets {shown(targets)} it is {not slots[program.outputs[0]]}; compare with <, "
                '==, … and not with `is`, or train with backend="eager"'
            )


def _update(optimizer: Optimizer, *, own_settings: bool) -> Program:
    kind = type(optimizer)
    if kind.step is not Optimizer.step or kind.rule is Optimizer.rule:
        raise CompileError(
            f"{kind.__name__} overrides step(), which cannot be compiled; define rule() for one "
            'weight instead, or train with backend="eager"'
        )
    if not isinstance(getattr_static(kind, "rule"), staticmethod):
        raise CompileError(
            f"the rule of {kind.__name__} must be a static method: what it reads of the optimizer "
            'would be frozen; put it in settings(), or train with backend="eager"'
        )
    count = len(optimizer.settings(optimizer.steps))
    settings = [f"setting {i}" for i in range(count)]
    uniform, own = ([], settings) if own_settings else (settings, [])
    names = [*uniform, "weight", *optimizer.memories, *own, "gradient"]
    trace = Trace(len(names))
    symbol: dict[str, Any] = dict(zip(names, trace.inputs()))
    memories = [symbol[name] for name in optimizer.memories]
    given = [symbol[name] for name in settings]
    moved = tuple(optimizer.rule(given, symbol["weight"], symbol["gradient"], *memories))
    if len(moved) != 1 + len(memories):
        raise CompileError(
            f"the rule of {kind.__name__} must return a weight and {len(memories)} memories, got "
            f"{len(moved)} numbers"
        )
    # x + -0.0 is x, but in a buffer of its own. Outputs overwrite inputs (the update runs in
    # place), and a rule may return one memory as another.
    kept = [*moved, *(symbol[name] for name in own)]
    copies = [trace.emit(ops.add, (trace.slot(x), trace.constant(-0.0))) for x in kept]
    return program_of(trace, copies, names, range(len(uniform), len(names)))
