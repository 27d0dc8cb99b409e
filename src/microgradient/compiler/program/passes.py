"""From program to program: dead code, rows spelled out, sums of products made one instruction.

None but ``fused`` and ``spelled_out`` changes a result's bits; none assumes what IEEE does not:
``0 * x`` and ``x - x`` stay, for x may be infinite.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from microgradient.compiler.program.errors import CompileError
from microgradient.compiler.program.primitives import (
    ARGUMENT,
    CONDITIONS,
    CONSTANT,
    DETACH,
    INPUT,
    LESS,
    OWN,
    SELECT,
)
from microgradient.compiler.program.program import Instruction, Program
from microgradient.compiler.program.tracing import Condition, Trace, Traced
from microgradient.engine import choice, ops
from microgradient.engine.op import OPS, Arithmetic

Emit = Callable[[Trace, Instruction, tuple[int, ...]], int]
"""Writes one instruction, its operands renumbered, into a new trace; returns its slot there."""


def recorded(trace: Trace, outputs: Sequence[int], names: Sequence[str]) -> Program:
    """Return what ``trace`` recorded, without what no output needs."""
    captured = [
        (value.label or f"Value number {i}", number)
        for i, (value, number) in enumerate(trace.captured.items(), 1)
    ]
    program = Program(
        tuple(names),
        tuple(trace.instructions),
        tuple(outputs),
        dict(trace.adjoint_of),
        trace.adjoint_from,
        tuple(captured),
    )
    return rewritten(program, _unmarked)


def rewritten(program: Program, emit: Emit) -> Program:
    """Return ``program`` with each instruction that an output needs written anew by ``emit``."""
    trace = Trace(len(program.inputs))
    needed = _needed(program)
    new: dict[int, int] = {}
    for slot, instruction in enumerate(program.instructions):
        if slot == program.adjoint_from:
            trace.adjoint_from = len(trace.instructions)
        if instruction.op is INPUT:
            new[slot] = slot
        elif needed[slot]:
            new[slot] = emit(trace, instruction, tuple([new[i] for i in instruction.operands]))
    adjoint_of: dict[int, int] = {}
    for slot, of in program.adjoint_of.items():
        if slot in new and of in new and new[slot] >= len(program.inputs):
            adjoint_of.setdefault(new[slot], new[of])
    outputs = [new[slot] for slot in program.outputs]
    result = replace(
        program,
        instructions=tuple(trace.instructions),
        outputs=tuple(outputs),
        adjoint_of=adjoint_of,
        adjoint_from=trace.adjoint_from,
    )
    return result if all(_needed(result)) else rewritten(result, _unmarked)


def _needed(program: Program) -> list[bool]:
    needed = [instruction.op is INPUT for instruction in program.instructions]
    for slot in program.outputs:
        needed[slot] = True
    for slot in range(len(needed) - 1, -1, -1):
        if needed[slot]:
            for operand in program.instructions[slot].operands:
                needed[operand] = True
    return needed


def _copied(trace: Trace, instruction: Instruction, slots: tuple[int, ...]) -> int:
    if instruction.op is CONSTANT:
        return trace.constant(instruction.number)
    return trace.emit(instruction.op, slots)


def _unmarked(trace: Trace, instruction: Instruction, slots: tuple[int, ...]) -> int:
    """Leave out the marks that only derivatives care for."""
    if instruction.op in (ARGUMENT, DETACH):
        return slots[0]
    return _copied(trace, instruction, slots)


def expanded(program: Program, native: Iterable[str]) -> Program:
    """Return ``program`` in the operations ``native`` alone, every other row by its formula.

    Raises CompileError, naming the row, for a primitive that is not among them.
    """
    names = set(native)
    m = Arithmetic(
        {
            **{name: OPS[name] for name in names if name in OPS},
            "where": choice.where,
            "detach": lambda x: x,
            "equal": choice.equal,
        }
    )

    def emit(trace: Trace, instruction: Instruction, slots: tuple[int, ...]) -> int:
        op = instruction.op
        if op in OWN or (OPS.get(op.name) is op and op.name in names):
            return _copied(trace, instruction, slots)
        try:
            return trace.slot(op.value(m, *[_symbol(trace, slot) for slot in slots]))
        except AttributeError as fault:
            raise CompileError(f"the operation {op.name!r} cannot be compiled: {fault}") from None

    return rewritten(program, emit)


def _symbol(trace: Trace, slot: int) -> Any:
    kind = Condition if trace.instructions[slot].op in CONDITIONS else Traced
    return kind(trace, slot)


def fused(program: Program) -> Program:
    """Return ``program`` with each sum of three or more terms, products among them, as one dot.

    What is written with ``+`` and ``*`` then has the form of a neuron. The roundings of the
    products go, and a single plain term comes first.
    """
    uses = [0] * len(program.instructions)
    for instruction in program.instructions:
        for operand in instruction.operands:
            uses[operand] += 1
    for slot in program.outputs:
        uses[slot] += 1
    inner = _inner_sums(program, uses)
    terms_of: dict[int, list[int]] = {}
    for slot, (op, operands, _) in enumerate(program.instructions):
        if op is ops.add:
            terms_of[slot] = [
                term
                for operand in operands
                for term in (terms_of[operand] if operand in inner else [operand])
            ]
    return _with_dots(_sums_of_squares(program, uses), terms_of, inner, uses)


def _sums_of_squares(program: Program, uses: list[int]) -> Program:
    """Return ``program`` with each sum of squares as a dot: where nothing cancels, none is lost."""
    code = program.instructions

    def is_square(slot: int) -> bool:
        op, operands, _ = code[slot]
        return op is ops.mul and operands[0] == operands[1] and uses[slot] == 1

    changed = [
        Instruction(ops.dot, tuple([code[i].operands[0] for i in x.operands] * 2))
        if x.op is ops.fsum and x.operands and all(map(is_square, x.operands))
        else x
        for x in code
    ]
    return replace(program, instructions=tuple(changed))


def _inner_sums(program: Program, uses: list[int]) -> set[int]:
    """Return the additions that are used once, by another addition."""
    return {
        operand
        for op, operands, _ in program.instructions
        if op is ops.add
        for operand in operands
        if uses[operand] == 1 and program.instructions[operand].op is ops.add
    }


def _with_dots(
    program: Program, terms_of: dict[int, list[int]], inner: set[int], uses: list[int]
) -> Program:
    instructions = list(program.instructions)
    for slot, terms in terms_of.items():
        products = [
            instructions[t].operands if instructions[t].op is ops.mul and uses[t] == 1 else None
            for t in terms
        ]
        plain = [t for t, product in zip(terms, products) if product is None]
        if slot in inner or len(terms) < 3 or len(terms) - len(plain) < 2 or len(plain) > 1:
            continue
        pairs = [product for product in products if product is not None]
        ws, xs = zip(*pairs)
        instructions[slot] = Instruction(ops.dot, (*ws, *xs, *plain))
    return rewritten(replace(program, instructions=tuple(instructions)), _copied)


def spelled_out(program: Program) -> Program:
    """Return ``program`` with squares as products, hypot of two, and each sigmoid by exp.

    s(x) is 1 / (1 + t) for x > 0 and t / (1 + t) below, with t = exp(-|x|): s(x) and s(-x) then
    share one exponential.
    """
    return rewritten(program, _spelled)


def _product(trace: Trace, slots: tuple[int, ...]) -> int:
    """Write a product with a negative constant as minus the other one, if that is there."""
    slots = _of_both_branches(trace, slots)
    first = trace.instructions[slots[0]]
    if first.op is CONSTANT and first.number < 0:
        positive = trace.find(ops.mul, (trace.constant(-first.number), slots[1]))
        if positive is not None:
            return trace.emit(ops.neg, (positive,))
    return trace.emit(ops.mul, slots)


def _spelled(trace: Trace, instruction: Instruction, slots: tuple[int, ...]) -> int:
    if instruction.op is ops.mul:
        return _product(trace, slots)
    if instruction.op is ops.hypot and len(slots) != 2:
        result = trace.emit(ops.abs, slots[:1])
        for slot in slots[1:]:
            result = trace.emit(ops.hypot, (result, slot))
        return result
    if instruction.op is ops.pow and trace.instructions[slots[1]].number == 2.0:
        return trace.emit(ops.mul, (slots[0], slots[0]))
    if instruction.op is not ops.sigmoid:
        return _copied(trace, instruction, slots)
    x = slots[0]
    inner = trace.instructions[x]
    size = inner.operands[0] if inner.op is ops.neg else x
    minus_size = trace.emit(ops.neg, (trace.emit(ops.abs, (size,)),))
    t = trace.emit(ops.exp, (minus_size,))
    one = trace.constant(1.0)
    large = trace.emit(ops.div, (one, trace.emit(ops.add, (one, t))))
    small = trace.emit(ops.mul, (t, large))
    above = trace.emit(LESS, (trace.constant(0.0), size))  # at 0 both are 1/2, so it need not turn
    return trace.emit(SELECT, (above, large, small) if size == x else (above, small, large))


def _of_both_branches(trace: Trace, slots: tuple[int, ...]) -> tuple[int, ...]:
    """Return the factors x, y for where(c, x, y) * where(c, y, x), which is x * y either way."""
    first, second = (trace.instructions[slot] for slot in slots)
    if first.op is SELECT and second.op is SELECT:
        condition, x, y = first.operands
        if second.operands == (condition, y, x):
            return (x, y)
    return slots
