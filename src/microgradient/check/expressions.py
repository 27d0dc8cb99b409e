"""Random expressions with shared parts: data that can be called and printed as Python code.

They stay well inside every operation's domain and away from kinks, because operands are chosen to
fit rather than rejected when they do not.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from random import Random
from typing import Any, Protocol

from microgradient.check.operations.accuracy import intervals_of
from microgradient.engine.op import Op, Operand
from microgradient.engine.ops import OPS

_COUNTS = {  # of operands, for operations on sequences: from the fewest to the most
    "fsum": (2, 5),
    "prod": (2, 4),
    "logsumexp": (2, 5),
    "softmax_cross_entropy": (4, 8),
    "dot": (2, 7),
}
_INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/", "mod": "%", "pow": "**"}
_OPERATORS = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "mod": operator.mod,
    "pow": operator.pow,
}
NEAR = 0.02  # how far operands stay away from a kink or a tie
TIED = ("maximum", "minimum", "clip")  # operations with a kink where operands are equal
_LARGEST = 1e4

Argument = int | float  # the index of an earlier result (inputs first), or a constant
Call = tuple[Op | None, tuple[Argument, ...]]  # no Op: the result does not depend on it


class Choices(Protocol):
    """The source of an expression's choices: a random generator, or Hypothesis."""

    def integer(self, low: int, high: int) -> int: ...
    def number(self, low: float, high: float) -> float: ...
    def numbers(self, low: float, high: float, most: int) -> list[float]: ...
    def pick(self, options: Sequence[Any]) -> Any: ...


class RandomChoices:
    """Choices by a ``random.Random``, for millions of expressions: Hypothesis takes too long."""

    def __init__(self, rng: Random) -> None:
        self.integer = rng.randint
        self.pick = rng.choice
        self._uniform = rng.uniform

    def number(self, low: float, high: float) -> float:
        return round(self._uniform(low, high), 3)

    def numbers(self, low: float, high: float, most: int) -> list[float]:
        return [self.number(low, high) for _ in range(self.integer(1, most))]


class Expression:
    """A function of numbers, and a point to check it at: ``Expression(f, *inputs)``.

    Its repr is Python code that can be pasted into a test.
    """

    def __init__(self, f: Callable[..., Any], *inputs: float) -> None:
        self.f = f
        self.inputs = inputs

    def __call__(self, *xs: Any) -> Any:
        return self.f(*xs)

    def __repr__(self) -> str:
        code = self.f.code if isinstance(self.f, StraightLine) else repr(self.f)
        return f"Expression({code}, {', '.join(map(repr, self.inputs))})"


@dataclass(frozen=True)
class StraightLine:
    """A function of ``count`` numbers in steps, each an operation on inputs and earlier results."""

    count: int
    steps: tuple[Call, ...]

    def __call__(self, *xs: Any) -> Any:
        values = list(xs)
        for op, operands in self.live:
            flat = [values[o] if type(o) is int else o for o in operands]
            values.append(None if op is None else applied(op, flat))
        return values[-1]

    @cached_property
    def live(self) -> list[Call]:
        """The steps, with an empty one in place of each that the result does not depend on."""
        first = self.count
        needed = {first + len(self.steps) - 1}
        for place in range(first + len(self.steps) - 1, first - 1, -1):
            if place in needed:
                needed |= {o for o in self.steps[place - first][1] if type(o) is int}
        return [s if first + i in needed else (None, ()) for i, s in enumerate(self.steps)]

    @property
    def code(self) -> str:
        """The expression as a Python lambda: results used twice are named, others are inlined."""
        first = self.count
        uses = [o for _, operands in self.live for o in operands if type(o) is int]
        texts = [f"x{i}" for i in range(first)]
        named: list[str] = []
        for i, (op, operands) in enumerate(self.live, first):
            if op is None:
                texts.append("")
                continue
            text = _call(op, [texts[o] if type(o) is int else repr(o) for o in operands])
            if uses.count(i) > 1:
                named.append(f"v{i} := {text[1:-1] if _bracketed(text) else text}")
                text = f"v{i}"
            texts.append(text)
        result = texts[-1][1:-1] if _bracketed(texts[-1]) else texts[-1]
        body = f"[{', '.join([*named, result])}][-1]" if named else result
        return f"lambda {', '.join(texts[:first])}: {body}"


def applied(op: Op, operands: Sequence[Any]) -> Any:
    """Return ``op`` of flat ``operands``, by the operator that its code uses."""
    if op.name in _INFIX:
        return _OPERATORS[op.name](*operands)
    for x in operands:
        if isinstance(x, Operand):
            return x.record(op, operands)
    return op.fast(*operands)


def _call(op: Op, texts: Sequence[str]) -> str:
    if op.name in _INFIX:
        return f"({texts[0]} {_INFIX[op.name]} {texts[1]})"
    if op.name == "neg":
        return f"(-{texts[0]})"
    n = len(texts) // 2
    bare = [t[1:-1] if _bracketed(t) else t for t in texts]
    arguments = ", ".join(bare)
    if op.sequences == 2:
        parts = [f"[{', '.join(bare[:n])}]", f"[{', '.join(bare[n : 2 * n])}]", *bare[2 * n :]]
        arguments = ", ".join(parts)
    elif op.sequences == 1:
        arguments = f"[{arguments}]"
    prefix = "mg." if OPS.get(op.name) is op else ""
    return f"{prefix}{op.name}({arguments})"


def _bracketed(text: str) -> bool:
    """Return whether a single pair of parentheses encloses all of ``text``."""
    if not text.startswith("(") or not text.endswith(")"):
        return False
    depth = 0
    for i, c in enumerate(text):
        depth += (c == "(") - (c == ")")
        if depth == 0:
            return i == len(text) - 1
    return False


# --- choosing -----------------------------------------------------------------------------------


def choose_expression(
    choices: Choices, *, most_inputs: int = 3, most_steps: int = 12, rows: Sequence[Op] = ()
) -> Expression:
    """Return an expression of ``rows`` (the whole table by default) made by ``choices``."""
    if rows:  # inputs from the domains of the rows
        starts = [op.domain[0] for op in rows if op.domain[0][0] < op.domain[0][1]] or [(-2.0, 2.0)]
        values = [choices.number(*choices.pick(starts))]
        values += [
            choices.number(*choices.pick(starts))
            for _ in range(choices.integer(1, most_inputs) - 1)
        ]
    else:
        rows, values = tuple(OPS.values()), choices.numbers(-2.0, 2.0, most_inputs)
    inputs = tuple(values)
    steps: list[Call] = []
    unused: list[int] = []
    for _ in range(choices.integer(1, most_steps)):
        op = choices.pick(rows)
        fitting = [p for p, x in enumerate(values) if abs(x) <= _LARGEST and _fits(op, x)]
        fresh = [p for p in fitting if p in unused]
        if not fitting:
            continue
        place = choices.pick(fresh if fresh and choices.integer(0, 2) else fitting)
        operands = _arguments(op, place, values, choices)
        result = op.fast(*[values[o] if type(o) is int else o for o in operands])
        if isfinite(result):
            unused = [u for u in unused if u not in operands] + [len(values)]
            steps.append((op, operands))
            values.append(result)
    if not steps:  # no operation fitted: take the first that does
        op = next((op for op in rows if _fits(op, values[0])), OPS["neg"])
        steps.append((op, _arguments(op, 0, values, choices)))
    if len(unused) > 1:  # let the result depend on all of it
        steps.append((OPS["fsum"], tuple(unused)))
    return _with_used_inputs(inputs, steps)


def _with_used_inputs(inputs: Sequence[float], steps: Sequence[Call]) -> Expression:
    """Return the expression without the inputs that no step uses, but with at least one."""
    used = {o for _, operands in steps for o in operands if type(o) is int and o < len(inputs)}
    kept = sorted(used) or [0]
    places = {place: i for i, place in enumerate(kept)}
    places |= {len(inputs) + i: len(kept) + i for i in range(len(steps))}
    renumbered = [
        (op, tuple(places[o] if type(o) is int else o for o in operands)) for op, operands in steps
    ]
    return Expression(StraightLine(len(kept), tuple(renumbered)), *[inputs[i] for i in kept])


def _fits(op: Op, x: float) -> bool:
    low, high = op.domain[0]
    return low <= x <= high and low < high and all(abs(x - k) > NEAR for k in op.kinks)


def _arguments(
    op: Op, first: int, values: Sequence[float], choices: Choices
) -> tuple[Argument, ...]:
    """Return the operands of ``op``: ``first``, then earlier results in its domain or constants."""
    count = len(intervals_of(op))
    if op.sequences:
        count = choices.integer(*_COUNTS.get(op.name, (op.sequences, len(op.domain))))
        count -= count % 2 if op.name == "softmax_cross_entropy" else 0
    operands: list[Argument] = [first]
    numbers = [values[first]]
    for i in range(1, count):
        low, high = op.domain[min(i, len(op.domain) - 1)]
        apart = numbers if op.name in TIED else []
        fitting = [
            i
            for i, x in enumerate(values)
            if low < x < high and all(abs(x - y) > NEAR for y in apart)
        ]
        operand: Argument
        if low == high:
            operand = number = low
        elif fitting and choices.integer(0, 3):
            operand = earlier = choices.pick(fitting)
            number = values[earlier]
        else:
            number = choices.number(low, high)
            while any(abs(number - y) <= NEAR for y in apart):
                number += 3 * NEAR
            operand = number
        operands.append(operand)
        numbers.append(number)
    return tuple(operands)
