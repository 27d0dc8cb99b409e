"""Program: a graph as straight-line code, plain data that is checked when it is built."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from math import nan
from typing import Any, NamedTuple

from microgradient.compiler.program.primitives import (
    CONDITIONS,
    CONSTANT,
    INPUT,
    KINDS,
    NAN_WHERE_NAN,
)
from microgradient.engine.op import Op

Doubles = Any
"""Memory that holds doubles one after the other: bytes, an ``array.array``, an array of NumPy."""


class Instruction(NamedTuple):
    """One line: the operation, and the slots of its operands; the result's slot is its place.

    ``number`` is that of a constant.
    """

    op: Op
    operands: tuple[int, ...] = ()
    number: float = nan


@dataclass(frozen=True)
class Program:
    """Straight-line instructions; the first ``len(inputs)`` are the inputs.

    ``inputs`` holds a name for each input, for readers alone: no generated code contains it.
    ``outputs`` are slots. ``adjoint_of`` tells which slots are adjoints, and of what; the adjoint
    part begins at slot ``adjoint_from``. ``captured`` are the Values that the function brought with
    it, frozen as constants: label and number. ``varying`` are the inputs that differ from example
    to example of a batch (or from replica to replica), all others are uniform; ``reduce`` is "sum"
    where the outputs are summed over the batch, None where those of each example are kept.
    Raises ValueError for an operand that is not before its instruction or not of its kind.
    Source of the form: Griewank and Walther, Evaluating Derivatives, section 2.2.
    """

    inputs: tuple[str, ...]
    instructions: tuple[Instruction, ...]
    outputs: tuple[int, ...]
    adjoint_of: Mapping[int, int] = field(default_factory=dict)
    adjoint_from: int | None = None
    captured: tuple[tuple[str, float], ...] = ()
    varying: tuple[int, ...] = ()
    reduce: str | None = None

    def __post_init__(self) -> None:
        known = len(self.instructions)
        conditions: set[int] = set()
        for slot, (op, operands, _) in enumerate(self.instructions):
            if (op is INPUT) != (slot < len(self.inputs)):
                raise ValueError(f"inputs come first, and only they: slot {slot} is {op.name}")
            if operands and not (min(operands) >= 0 and max(operands) < slot):
                raise ValueError(f"slot {slot} reads slots {operands}, which are not all before it")
            if op in KINDS or not conditions.isdisjoint(operands):
                kinds = KINDS.get(op, ("number",) * len(operands))
                if [x in conditions for x in operands] != [k == "condition" for k in kinds]:
                    raise ValueError(f"slot {slot}: an operand of {op.name} is of a wrong kind")
            if op in CONDITIONS:
                conditions.add(slot)
        if not all(0 <= slot < len(self.inputs) for slot in self.varying):
            raise ValueError(f"varying slots must be those of inputs, got {self.varying}")
        if self.reduce not in ("sum", None):
            raise ValueError(f'reduce must be "sum" or None, got {self.reduce!r}')
        if not all(0 <= slot < known for slot in self.outputs):
            raise ValueError(f"outputs must be slots below {known}, got {self.outputs}")

    def with_code(self, code: Mapping[str, Any]) -> Program:
        """Return the same program with fields that a pass has written: not checked again."""
        other = copy(self)
        vars(other).update(code)
        return other

    def counts(self) -> dict[str, int]:
        """Return how many instructions of each operation there are, inputs and constants too."""
        return dict(Counter(instruction.op.name for instruction in self.instructions))

    @property
    def operations(self) -> int:
        """How many instructions compute something."""
        return sum(op is not INPUT and op is not CONSTANT for op, _, _ in self.instructions)

    @property
    def slots(self) -> int:
        """How many numbers one evaluation holds: a slot for each instruction."""
        return len(self.instructions)

    @property
    def nbytes(self) -> int:
        """How many bytes these numbers take."""
        return 8 * self.slots

    @property
    def constants(self) -> list[float]:
        """The numbers that stand in the program, captured or written in the function."""
        return [number for op, _, number in self.instructions if op is CONSTANT]

    def varies(self) -> list[bool]:
        """Return for each slot whether its number differs from example to example."""
        found = set(self.varying)
        for slot, (_, operands, _) in enumerate(self.instructions):
            if not found.isdisjoint(operands):
                found.add(slot)
        return [slot in found for slot in range(len(self.instructions))]

    def over(self, varying: Iterable[int], reduce: str | None) -> Program:
        """Return the same program over a batch in which these inputs vary."""
        return replace(self, varying=tuple(varying), reduce=reduce)

    def evaluate(self, inputs: Sequence[float]) -> list[float]:
        """Return the number of every slot, computed instruction by instruction: what it means.

        Conditions are True or False. No batch is summed: ``inputs`` are those of one example.
        """
        numbers = list(inputs)
        for op, operands, number in self.instructions[len(numbers) :]:
            is_constant = op is CONSTANT
            numbers.append(number if is_constant else op.fast(*[numbers[i] for i in operands]))
        return numbers

    def listing(self) -> str:
        """Return the whole program as text, however long it is."""
        return "\n".join(_Listing(self).lines())

    def __str__(self) -> str:
        lines = [_cut(line) for line in _Listing(self).lines()]
        if len(lines) > _SHOWN:
            half, left = _SHOWN // 2, len(lines) - _SHOWN
            lines[half:-half] = [f"  … {left:,} more lines: program.listing() has them"]
        return "\n".join(lines)

    def __repr__(self) -> str:
        counts = {
            "input": len(self.inputs),
            "operation": self.operations,
            "output": len(self.outputs),
        }
        texts = [f"{n} {noun}" if n == 1 else f"{n} {noun}s" for noun, n in counts.items()]
        return f"<program: {', '.join(texts)}>"


_SHOWN = 200  # lines of a program that print
_WIDTH = 300


def _cut(line: str) -> str:
    return line if len(line) <= _WIDTH else f"{line[: _WIDTH - 1]}…"


def grouped(names: Sequence[str]) -> str:
    """Return names with runs of numbered ones folded: v3, v4, v5, v6 is v3…v6."""
    parts: list[str] = []
    run: list[str] = []
    for name in (*names, ""):
        if run and _follows(run[-1], name):
            run.append(name)
            continue
        parts += [f"{run[0]}…{run[-1]}"] if len(run) > 3 else run
        run = [name]
    return ", ".join(parts)


def _follows(before: str, name: str) -> bool:
    head, tail = before.rstrip("0123456789"), name.rstrip("0123456789")
    a, b = before[len(head) :], name[len(tail) :]
    return head == tail and bool(a) and bool(b) and int(b) == int(a) + 1


class _Listing:
    """The evaluation trace of a program as text: forward part, adjoint part, results."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.names = [
            self._name(slot, instruction) for slot, instruction in enumerate(program.instructions)
        ]

    def _name(self, slot: int, instruction: Instruction) -> str:
        if instruction.op is CONSTANT:
            short = f"{instruction.number:g}"
            return short if float(short) == instruction.number else repr(instruction.number)
        of = self.program.adjoint_of.get(slot)
        return f"v{slot}" if of is None else f"∂v{of}"

    def lines(self) -> list[str]:
        program = self.program
        lines = ["inputs"]
        inputs = [f"v{slot} = {_plain(name)}" for slot, name in enumerate(program.inputs)]
        shown = inputs if len(inputs) <= 12 else [*inputs[:5], "…", *inputs[-5:]]
        lines += [f"  {line}" for line in shown]
        if program.varying:
            names = grouped([self.names[slot] for slot in program.varying])
            how = "summed over it" if program.reduce else "kept for each example"
            lines.append(f"  batch: {names}; results are {how}")
        for label, number in program.captured:
            lines.append(f"  captured as a constant: {_plain(label)} = {number!r}")
        lines.append("forward")
        for slot, instruction in enumerate(program.instructions):
            if slot == program.adjoint_from:
                lines.append("adjoint")
            if instruction.op in (INPUT, CONSTANT):
                continue
            lines.append(f"  {self.names[slot]} = {self._formula(instruction)}")
        lines.append("results")
        lines.append("  " + grouped([self.names[slot] for slot in program.outputs]))
        return lines

    def _formula(self, instruction: Instruction) -> str:
        op, names = instruction.op, [self.names[slot] for slot in instruction.operands]
        if op is NAN_WHERE_NAN:
            return f"{names[0]}    (nan where {names[1]} is)"
        if op.name == "dot":
            n = len(names) // 2
            bias = "".join(f" + {name}" for name in names[2 * n :])
            return f"dot([{grouped(names[:n])}], [{grouped(names[n : 2 * n])}]){bias}"
        if len(names) == 2 and not op.symbol.isidentifier():
            return f"{names[0]} {op.symbol} {names[1]}"
        if len(names) == 1 and op.name in ("neg", "not"):
            return f"{'-' if op.name == 'neg' else 'not '}{names[0]}"
        return f"{op.name}({grouped(names)})"


def _plain(text: str, limit: int = 60) -> str:
    """Return a user's text on one line, and not too long."""
    line = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return line if len(line) <= limit else line[: limit - 1] + "…"
