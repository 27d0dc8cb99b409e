"""From program to program: dead code, rows by their formulas, sums of products as one instruction.

Only ``optimized`` changes a result's bits. No pass assumes what IEEE 754
does not: ``0 * x`` and ``x - x`` stay, because x may be infinite.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import accumulate
from typing import Any, TypedDict

from microgradient.compiler.program.errors import CompileError
from microgradient.compiler.program.primitives import (
    CONDITIONS,
    CONSTANT,
    EXP_NONPOSITIVE,
    INPUT,
    LESS,
    MARKS,
    OWN,
    SELECT,
)
from microgradient.compiler.program.program import Instruction, Program
from microgradient.compiler.program.tracing import Trace
from microgradient.engine import choice, ops
from microgradient.engine.arithmetic import Arithmetic
from microgradient.engine.op import Op
from microgradient.engine.ops import OPS

Emit = Callable[[Trace, Op, tuple[int, ...]], int | None]
"""Writes one instruction, its operands renumbered, into a new trace; returns its slot there.

Or None, for the instruction to be copied as it is. Constants are always copied.
"""


def program_of(
    trace: Trace,
    outputs: Sequence[int],
    names: Sequence[str],
    varying: Iterable[int] = (),
    reduce: str | None = None,
) -> Program:
    """Return what ``trace`` recorded, without dead code, over a batch in which inputs vary."""
    captured = [
        (value.label or f"Value number {i}", number)
        for i, (value, number) in enumerate(trace.captured.items(), 1)
    ]
    inputs = tuple([Instruction(INPUT)] * len(names))
    program = Program(
        tuple(names), inputs, (), captured=tuple(captured), varying=tuple(varying), reduce=reduce
    )
    code = _only_marks_left_out(trace, outputs) or _rewritten(trace, outputs, _without_marks)
    return program.with_code(code)


class _Code(TypedDict):
    """The fields of a program that a pass writes."""

    instructions: tuple[Instruction, ...]
    outputs: tuple[int, ...]
    adjoint_of: dict[int, int]
    adjoint_from: int | None


def _rewritten(
    source: Trace | Program,
    outputs: Sequence[int],
    emit: Emit,
    code: Sequence[Instruction] | None = None,
    into: type[Trace] = Trace,
) -> _Code:
    """Return the live instructions of ``source``, or ``code`` for its own, written by ``emit``."""
    code = source.instructions if code is None else code
    live = _live(code, outputs)
    inputs = sum([instruction.op is INPUT for instruction in code])
    trace = into(inputs, final=True)
    new = list(range(len(code)))
    uses, instructions = _uses(code, ()), trace.instructions
    distinct = True  # so far no two instructions have become one, nor can others that read them
    tidy = True  # so far all that was written is needed
    for slot in range(inputs, len(code)):
        if slot == source.adjoint_from:
            trace.adjoint_from = len(instructions)
        if live[slot]:
            op, operands, number = code[slot]
            slots = tuple([new[i] for i in operands])
            end = len(instructions)
            written = emit(trace, op, slots) if operands else None
            if written is None:
                written = (
                    trace.append(Instruction(op, slots, number))
                    if distinct and operands
                    else trace.put(op, slots, number)
                )
            elif written != end or len(instructions) > end + 1 or instructions[end][0] is not op:
                tidy = tidy and op in MARKS
            if written < end:
                distinct = distinct and op in MARKS and uses[operands[0]] == 1
            new[slot] = written
    for slot, of in source.adjoint_of.items():
        if live[slot] and live[of] and new[slot] >= inputs:
            trace.adjoint_of.setdefault(new[slot], new[of])
    return _without_dead(trace, [new[slot] for slot in outputs], tidy)


def _only_marks_left_out(trace: Trace, outputs: Sequence[int]) -> _Code | None:
    """Return the live instructions without marks; None if more may become equal, or known, so.

    That cannot be where nothing but the mark reads what is marked, and that is no constant.
    """
    code, first = trace.instructions, trace.adjoint_from
    uses = _uses(code, outputs)
    marked = [operands[0] for op, operands, _ in code if op in MARKS]
    if any(uses[slot] > 1 or code[slot].op is CONSTANT for slot in marked):
        return None
    live = _live(code, outputs)
    kept = [needed and x[0] not in MARKS for needed, x in zip(live, code)]
    new = list(accumulate(kept, initial=0))
    for slot, (op, operands, _) in enumerate(code):
        if op in MARKS:
            new[slot] = new[operands[0]]
    renumbered = [
        Instruction(op, tuple([new[i] for i in operands]), number)
        for (op, operands, number), keep in zip(code, kept)
        if keep
    ]
    adjoint_of: dict[int, int] = {}
    for slot, of in trace.adjoint_of.items():
        if live[slot] and live[of] and code[slot].op is not INPUT:
            adjoint_of.setdefault(new[slot], new[of])
    return {
        "instructions": tuple(renumbered),
        "outputs": tuple([new[slot] for slot in outputs]),
        "adjoint_of": adjoint_of,
        "adjoint_from": None if first is None else new[first],
    }


def _without_dead(trace: Trace, outputs: Sequence[int], tidy: bool) -> _Code:
    """Return what ``outputs`` need of ``trace``, which is all if ``tidy``, and the inputs."""
    code, first = trace.instructions, trace.adjoint_from
    live = [] if tidy else _live(code, outputs)
    if all(live):
        return {
            "instructions": tuple(code),
            "outputs": tuple(outputs),
            "adjoint_of": trace.adjoint_of,
            "adjoint_from": first,
        }
    new, dead = list(accumulate(live, initial=0)), live.index(False)
    renumbered = [
        Instruction(op, tuple([new[i] for i in operands]), number)
        for (op, operands, number), needed in zip(code[dead:], live[dead:])
        if needed
    ]
    return {
        "instructions": (*code[:dead], *renumbered),
        "outputs": tuple([new[slot] for slot in outputs]),
        "adjoint_of": {new[a]: new[v] for a, v in trace.adjoint_of.items() if live[a] and live[v]},
        "adjoint_from": None if first is None else new[first],
    }


def _uses(code: Sequence[Instruction], outputs: Iterable[int]) -> list[int]:
    """Return how often each slot is an operand, or an output."""
    uses = [0] * len(code)
    for _, operands, _ in code:
        for slot in operands:
            uses[slot] += 1
    for slot in outputs:
        uses[slot] += 1
    return uses


def _live(code: Sequence[Instruction], outputs: Iterable[int]) -> list[bool]:
    """Return for each slot whether it is an input or needed by an output."""
    live = [op is INPUT for op, _, _ in code]
    for slot in outputs:
        live[slot] = True
    for slot in range(len(live) - 1, -1, -1):
        if live[slot]:
            for operand in code[slot][1]:
                live[operand] = True
    return live


def _copied(trace: Trace, op: Op, slots: tuple[int, ...]) -> None:
    """Copy every instruction."""


def _without_marks(trace: Trace, op: Op, slots: tuple[int, ...]) -> int | None:
    """Leave out the marks that only derivatives care for; then more may be known to be constant."""
    if op in MARKS:
        return slots[0]
    code = trace.instructions
    for slot in slots:
        if code[slot][0] is CONSTANT:
            return trace.emit(op, slots)
    return trace.emit(op, slots) if op is SELECT else None


def legalize(program: Program, native: Iterable[str]) -> Program:
    """Return ``program`` in the operations ``native`` alone, every other row by its formula.

    Raises CompileError, naming the row, for a primitive that is not among them.
    """
    emit, is_legal = _by_formulas(program, native, lambda trace, op, slots: None)
    return program if is_legal else program.with_code(_rewritten(program, program.outputs, emit))


def optimized(program: Program, native: Iterable[str]) -> Program:
    """Return ``program`` as ``legalize`` does, in fewer and cheaper operations.

    Each sum of three or more terms, products among them, becomes one ``dot``: what is written with
    ``+`` and ``*`` then has the form of a neuron. The roundings of the products go, and a single
    plain term comes first. See ``_reduced`` for the rest.
    """
    code = _contracted(program)
    emit, _ = _by_formulas(program, native, _reduced)
    return program.with_code(_rewritten(program, program.outputs, emit, code, into=_Reducing))


class _Reducing(Trace):
    """A trace that writes what a formula records in cheaper operations too."""

    def emit(self, op: Op, slots: tuple[int, ...]) -> int:
        reduced = _reduced(self, op, slots)
        return super().emit(op, slots) if reduced is None else reduced


def _by_formulas(program: Program, native: Iterable[str], otherwise: Emit) -> tuple[Emit, bool]:
    """Return what writes rows that are not ``native`` by their formulas, and if there are none."""
    names = set(native)

    def is_legal(op: Op) -> bool:
        return op in OWN or op is INPUT or (OPS.get(op.name) is op and op.name in names)

    legal = {op: is_legal(op) for op in {op for op, _, _ in program.instructions}}
    m = Arithmetic(
        {
            **{name: OPS[name] for name in names if name in OPS},
            "where": choice.where,
            "detach": lambda x: x,
            "equal": choice.equal,
        }
    )

    def emit(trace: Trace, op: Op, slots: tuple[int, ...]) -> int | None:
        if legal.get(op, True):
            return otherwise(trace, op, slots)
        try:
            return trace.slot(op.value(m, *[_symbol(trace, slot) for slot in slots]))
        except AttributeError as fault:
            raise CompileError(f"the operation {op.name!r} cannot be compiled: {fault}") from None

    return emit, all(legal.values())


def _symbol(trace: Trace, slot: int) -> Any:
    is_condition = trace.instructions[slot].op in CONDITIONS
    return trace.condition(slot) if is_condition else trace.symbol(slot)


def _contracted(program: Program) -> list[Instruction]:
    """Return the instructions, the last one of each sum of products being a dot."""
    uses = _uses(program.instructions, program.outputs)
    inner = _inner_sums(program, uses)
    code = _sums_of_squares_as_dots(program.instructions, uses)
    terms_of: dict[int, list[int]] = {}
    for slot, (op, operands, _) in enumerate(code):
        if op is not ops.add:
            continue
        x, y = [terms_of.pop(i) if i in inner else [i] for i in operands]
        x += y  # in place: a chain of n additions takes n steps, and not n * n
        terms_of[slot] = x
        if slot not in inner:
            code[slot] = _as_dot(code, x, uses) or code[slot]
    return code


def _sums_of_squares_as_dots(code: Sequence[Instruction], uses: Sequence[int]) -> list[Instruction]:
    """Return ``code`` with each sum of squares as a dot: where nothing cancels, none is lost."""

    def is_square(slot: int) -> bool:
        op, operands, _ = code[slot]
        return op is ops.mul and operands[0] == operands[1] and uses[slot] == 1

    return [
        Instruction(ops.dot, tuple([code[i].operands[0] for i in x.operands] * 2))
        if x.op is ops.fsum and x.operands and all(map(is_square, x.operands))
        else x
        for x in code
    ]


def _inner_sums(program: Program, uses: list[int]) -> set[int]:
    """Return the additions that are used once, by another addition."""
    return {
        operand
        for op, operands, _ in program.instructions
        if op is ops.add
        for operand in operands
        if uses[operand] == 1 and program.instructions[operand].op is ops.add
    }


def _as_dot(
    code: Sequence[Instruction], terms: Sequence[int], uses: Sequence[int]
) -> Instruction | None:
    """Return the sum of ``terms`` as a dot; None where fewer than two of them are products."""
    pairs: list[tuple[int, ...]] = []
    plain: list[int] = []
    for term in terms:
        if code[term].op is ops.mul and uses[term] == 1:
            pairs.append(code[term].operands)
        else:
            plain.append(term)
    if len(terms) < 3 or len(pairs) < 2 or len(plain) > 1:
        return None
    ws, xs = zip(*pairs)
    return Instruction(ops.dot, (*ws, *xs, *plain))


def _product(trace: Trace, slots: tuple[int, ...]) -> int | None:
    """Write a product with a negative constant as minus the positive one, if that is there.

    With -2x as -(2x), the sigmoids of 2x and -2x share one exponential, and their selects, on one
    condition with swapped branches, multiply to a product without a select (see
    ``_of_both_branches``).
    """
    first = trace.instructions[slots[0]]
    if first.op is SELECT:
        return Trace.emit(trace, ops.mul, _of_both_branches(trace, slots))
    if first.op is CONSTANT and first.number < 0:
        positive = trace.find(ops.mul, (trace.constant(-first.number), slots[1]))
        return None if positive is None else trace.put(ops.neg, (positive,))
    return None


def _reduced(trace: Trace, op: Op, slots: tuple[int, ...]) -> int | None:
    """Write squares as products, hypot of two, and each sigmoid by exp; None for all else.

    s(x) is 1 / (1 + t) for x > 0 and t / (1 + t) below, with t = exp(-|x|): s(x) and s(-x) then
    share one exponential.
    """
    if op is ops.mul:
        return _product(trace, slots)
    emit = partial(Trace.emit, trace)  # what is emitted here needs no reduction
    if op is ops.hypot and len(slots) != 2:
        result = emit(ops.abs, slots[:1])
        for slot in slots[1:]:
            result = emit(ops.hypot, (result, slot))
        return result
    if op is ops.pow and trace.instructions[slots[1]].number == 2.0:
        return emit(ops.mul, (slots[0], slots[0]))
    if op is ops.exp and _is_minus_size(trace, slots[0]):
        return emit(EXP_NONPOSITIVE, slots)
    if op is not ops.sigmoid:
        return None
    x = slots[0]
    inner = trace.instructions[x]
    size = inner.operands[0] if inner.op is ops.neg else x
    minus_size = emit(ops.neg, (emit(ops.abs, (size,)),))
    t = emit(EXP_NONPOSITIVE, (minus_size,))
    one = trace.constant(1.0)
    large = emit(ops.div, (one, emit(ops.add, (one, t))))
    small = emit(ops.mul, (t, large))
    above = emit(LESS, (trace.constant(0.0), size))  # at 0 both branches are 1/2
    return emit(SELECT, (above, large, small) if size == x else (above, small, large))


def _is_minus_size(trace: Trace, slot: int) -> bool:
    """Return whether ``slot`` is -|x|."""
    instruction = trace.instructions[slot]
    is_minus = instruction.op is ops.neg
    return is_minus and trace.instructions[instruction.operands[0]].op is ops.abs


def _of_both_branches(trace: Trace, slots: tuple[int, ...]) -> tuple[int, ...]:
    """Return the factors x, y for where(c, x, y) * where(c, y, x), which is x * y either way."""
    first, second = (trace.instructions[slot] for slot in slots)
    if first.op is SELECT and second.op is SELECT:
        condition, x, y = first.operands
        if second.operands == (condition, y, x):
            return (x, y)
    return slots
