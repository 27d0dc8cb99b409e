"""Instructions as they are recorded: equal ones become one, and those of constants a constant."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from math import nan
from typing import Any

from microgradient.compiler.program import primitives
from microgradient.compiler.program.primitives import (
    ARGUMENT,
    CONDITIONS,
    CONSTANT,
    CUT,
    NAN_WHERE_NAN,
    SAME,
    SELECT,
)
from microgradient.compiler.program.program import Instruction
from microgradient.engine import ops
from microgradient.engine.number import as_float
from microgradient.engine.op import Op

_NEUTRAL = {(ops.mul, "1.0"), (ops.div, "1.0"), (ops.sub, "0.0"), (ops.pow, "1.0")}
"""With these as second operand the result is exactly the first."""
_WITH_NEUTRAL = frozenset(op for op, _ in _NEUTRAL)


class Recorder(ABC):
    """A growing list of instructions, found again by what they compute (hash-consing).

    ``adjoint_of`` maps adjoints to what they are adjoints of; they begin at ``adjoint_from``.
    The first ``input_count`` instructions are the inputs. ``final`` tells that no derivative will
    be taken any more.
    """

    def __init__(self, inputs: int, *, final: bool = False) -> None:
        self.final, self.input_count = final, inputs
        self.instructions = [Instruction(primitives.INPUT)] * inputs
        self.adjoint_of: dict[int, int] = {}
        self.adjoint_from: int | None = None
        self._dependents: dict[tuple[int, ...], tuple[set[int], int]] = {}
        self._known: dict[tuple[Op, tuple[int, ...] | str], int] = {}

    @abstractmethod
    def slot(self, x: Any) -> int:
        """Return the slot of an operand: a symbol, a Value, or a number."""

    @abstractmethod
    def variables(self, inputs: Sequence[Any]) -> list[int]:
        """Return the slots of what a derivative is by."""

    @abstractmethod
    def symbol(self, slot: int) -> Any:
        """Return the number in ``slot`` as an operand that records what is done with it."""

    @abstractmethod
    def condition(self, slot: int) -> Any:
        """Return the condition in ``slot`` as something that ``where`` takes."""

    def operand(self, slot: int) -> Any:
        """Return the number in ``slot``, a float where it is a constant, or ``symbol`` of it."""
        op, _, number = self.instructions[slot]
        return number if op is CONSTANT else self.symbol(slot)

    def constant(self, number: float) -> int:
        """Return the slot of a constant; -0.0 and 0.0 are two."""
        return self.put(CONSTANT, (), number)

    def emit(self, op: Op, slots: tuple[int, ...]) -> int:
        """Return the slot of ``op`` of ``slots``, the one that is known to have this result."""
        known = self._known.get((op, slots))
        if known is not None:
            return known
        if op is SELECT and slots[1] == slots[2]:
            return self.same(slots[1])
        if op is ARGUMENT or op is SELECT or op in CONDITIONS:
            return self.append(Instruction(op, slots))
        code = self.instructions
        for slot in slots:
            if code[slot][0] is not CONSTANT:
                break
        else:
            if slots:
                return self.constant(as_float(op.fast(*[code[slot].number for slot in slots])))
        if op in _WITH_NEUTRAL:
            first, second = code[slots[0]], code[slots[1]]
            if second[0] is CONSTANT and (op, repr(second.number)) in _NEUTRAL:
                return self.same(slots[0])
            if op is ops.mul and first[0] is CONSTANT and first.number == 1.0:
                return self.same(slots[1])
        return self.append(Instruction(op, slots))

    def same(self, slot: int) -> int:
        """Return the slot of the same number, as another result where an adjoint needs it."""
        known = self.final or self.instructions[slot].op is SAME
        return slot if known else self.put(SAME, (slot,))

    def dependents(self, variables: Sequence[int]) -> set[int]:
        """Return the slots through which a result may depend on ``variables``, for derivatives."""
        key = tuple(variables)
        active, seen = self._dependents.get(key, (set(key), min(key, default=0)))
        code = self.instructions
        for slot in range(seen, len(code)):
            if not active.isdisjoint(self.differentiated(slot)):
                active.add(slot)
        self._dependents[key] = active, len(code)
        return active

    def differentiated(self, slot: int) -> tuple[int, ...]:
        """Return the operands by which an instruction may have a derivative."""
        op, operands, _ = self.instructions[slot]
        if op is SELECT:
            return operands[1:]
        if op is NAN_WHERE_NAN:
            return operands[:1]  # an adjoint that is constant but for nan has no derivative
        return () if op in CUT else operands

    def find(self, op: Op, slots: tuple[int, ...]) -> int | None:
        """Return the slot of this instruction, or None if it has not been recorded."""
        return self._known.get((op, slots))

    def put(self, op: Op, slots: tuple[int, ...], number: float = nan) -> int:
        """Return the slot of exactly this instruction, recorded now unless it is known."""
        known = self._known.get(key_of(op, slots, number))
        return self.append(Instruction(op, slots, number)) if known is None else known

    def append(self, instruction: Instruction) -> int:
        """Record an instruction without looking whether it is known, and return its slot."""
        slot = len(self.instructions)
        self.instructions.append(instruction)
        op, slots, number = instruction
        if op is CONSTANT:
            self._known[op, number.hex()] = slot
        elif op is not ARGUMENT:  # each argument is a variable
            self._known[op, slots] = slot
        return slot


def key_of(op: Op, slots: tuple[int, ...], number: float) -> tuple[Op, tuple[int, ...] | str]:
    """Return what an instruction is found by."""
    return (op, slots) if op is not CONSTANT else (op, number.hex())
