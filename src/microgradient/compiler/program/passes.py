"""From program to program: dead code, rows by their formulas, sums of products as one instruction.

Only ``optimized`` changes a result's bits. No pass assumes what IEEE 754
does not: ``0 * x`` and ``x - x`` stay, because x may be infinite.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import accumulate
from math import nan
from typing import Any, TypedDict

from microgradient.compiler.program.errors import CompileError
from microgradient.compiler.program.primitives import (
    CONDITIONS,
    CONSTANT,
    EXP_NONPOSITIVE,
    INPUT,
    LESS,
    LONG_SUM,
    MARKS,
    OWN,
    SELECT,
    SUM,
)
from microgradient.compiler.program.program import Instruction, Program
from microgradient.compiler.program.recorder import key_of
from microgradient.compiler.program.tracing import Trace
from microgradient.engine import choice, ops
from microgradient.engine.arithmetic import Arithmetic
from microgradient.engine.op import Op
from microgradient.engine.ops import OPS

Writer = Callable[["_Copy", tuple[int, ...]], int | None]
"""Writes an instruction of one operation, its operands renumbered, into a new trace.

Returns its slot there, or None for it to be copied as it is, as those are that have no writer.
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
    code = _only_marks_left_out(trace, outputs)
    if code is None:
        writers = {op: _without_marks(op) for op in {x.op for x in trace.instructions}}
        code = _rewritten(trace, outputs, writers)
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
    writers: Mapping[Op, Writer],
    code: Sequence[Instruction] | None = None,
    *,
    cheaper: bool = False,
) -> _Code:
    """Return the live instructions of ``source``, or ``code`` for its own, written anew.

    ``cheaper``: what a formula records is written in cheaper operations too.
    """
    code = source.instructions if code is None else code
    live = _live(code, outputs)
    inputs = sum([instruction.op is INPUT for instruction in code])
    trace = (_Cheaper if cheaper else _Copy)(inputs, final=True)
    new = list(range(len(code)))
    uses, instructions = _uses(code, ()), trace.instructions
    distinct = True  # so far no two instructions have become one, nor can others that read them
    tidy = True  # so far all that was written is needed
    for slot in range(inputs, len(code)):
        if slot == source.adjoint_from:
            trace.adjoint_from = len(instructions)
        if not live[slot]:
            continue
        op, operands, number = code[slot]
        slots = tuple([new[i] for i in operands])
        end, write = len(instructions), writers.get(op)
        written = None if write is None else write(trace, slots)
        if written is None:
            if distinct and operands:
                new[slot] = len(instructions)  # beyond end, where a constant was looked for
                instructions.append(Instruction(op, slots, number))
                continue
            written = trace.put(op, slots, number)
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
    """Return the live instructions without marks; None if a constant is marked: more may be known.

    It does what ``_rewritten`` does in a third of its time: only what reads another number than
    before is looked at.
    """
    code, first = trace.instructions, trace.adjoint_from
    if any(op in MARKS and code[operands[0]].op is CONSTANT for op, operands, _ in code):
        return None
    alias = _equal_without_marks(trace)
    live = [op is INPUT for op, _, _ in code]
    for slot in outputs:
        live[alias[slot]] = True
    for slot in range(len(code) - 1, -1, -1):
        if live[slot]:
            for operand in code[slot][1]:
                live[alias[operand]] = True
    places = list(accumulate(live, initial=0))
    new = [places[slot] for slot in alias]
    renumbered = [
        Instruction(op, tuple([new[i] for i in operands]), number)
        for (op, operands, number), needed in zip(code, live)
        if needed
    ]
    adjoint_of: dict[int, int] = {}
    for slot, of in trace.adjoint_of.items():
        if live[alias[slot]] and live[alias[of]] and code[alias[slot]].op is not INPUT:
            adjoint_of.setdefault(new[slot], new[of])
    return {
        "instructions": tuple(renumbered),
        "outputs": tuple([new[slot] for slot in outputs]),
        "adjoint_of": adjoint_of,
        "adjoint_from": None if first is None else places[first],
    }


def _equal_without_marks(trace: Trace) -> list[int]:
    """Return for each slot the first one that has the same number if marks are left out."""
    alias = list(range(len(trace.instructions)))
    changed, known = set[int](), dict[tuple[Op, tuple[int, ...]], int]()
    for slot, (op, operands, _) in enumerate(trace.instructions):
        if op not in MARKS and changed.isdisjoint(operands):
            continue
        read = tuple([alias[i] for i in operands])
        if op in MARKS or (op is SELECT and read[1] == read[2]):
            alias[slot] = read[-1]
        else:
            alias[slot] = known.setdefault((op, read), slot)
            recorded = trace.find(op, read)  # the one that reads no mark
            if alias[slot] == slot and recorded is not None:
                if recorded < slot:
                    alias[slot] = known[op, read] = alias[recorded]
                else:
                    alias[recorded] = slot
                    changed.add(recorded)
        if alias[slot] != slot:
            changed.add(slot)
    return alias


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


def _without_marks(op: Op) -> Writer:
    """Return what leaves out the marks that only derivatives care for.

    Then more may be known to be constant.
    """

    def write(trace: _Copy, slots: tuple[int, ...]) -> int | None:
        if op in MARKS:
            return slots[0]
        code = trace.instructions
        more = op is SELECT or any(code[slot][0] is CONSTANT for slot in slots)
        return trace.emit(op, slots) if slots and more else None

    return write


def legalize(program: Program, native: Iterable[str]) -> Program:
    """Return ``program`` in the operations ``native`` alone, every other row by its formula.

    Raises CompileError, naming the row, for a primitive that is not among them.
    """
    formulas = _formulas(program, native)
    if not formulas:
        return program
    return program.with_code(_rewritten(program, program.outputs, formulas))


def optimized(program: Program, native: Iterable[str]) -> Program:
    """Return ``program`` as ``legalize`` does, in fewer and cheaper operations.

    Each sum of three or more terms, products among them, becomes one ``dot``: what is written with
    ``+`` and ``*`` then has the form of a neuron. The roundings of the products go, and a single
    plain term comes first. A long sum of others is one instruction too. See ``_CHEAPER`` for the
    rest.
    """
    code = _contracted(program)
    writers = {**_CHEAPER, **_formulas(program, native)}
    return program.with_code(_rewritten(program, program.outputs, writers, code, cheaper=True))


class _Copy(Trace):
    """A trace whose instructions are many, of which few are looked for.

    What was added to the list itself becomes known when something is looked for.
    """

    def __init__(self, inputs: int, *, final: bool) -> None:
        super().__init__(inputs, final=final)
        self._unknown = inputs  # from here on

    def _learn(self) -> None:
        for slot in range(self._unknown, len(self.instructions)):
            op, slots, number = self.instructions[slot]
            self._known[key_of(op, slots, number)] = slot
        self._unknown = len(self.instructions)

    def emit(self, op: Op, slots: tuple[int, ...]) -> int:
        self._learn()
        return super().emit(op, slots)

    def find(self, op: Op, slots: tuple[int, ...]) -> int | None:
        self._learn()
        return super().find(op, slots)

    def put(self, op: Op, slots: tuple[int, ...], number: float = nan) -> int:
        self._learn()
        return super().put(op, slots, number)


class _Cheaper(_Copy):
    """One that writes what a formula records in cheaper operations too."""

    def emit(self, op: Op, slots: tuple[int, ...]) -> int:
        write = _CHEAPER.get(op)
        cheaper = None if write is None else write(self, slots)
        return super().emit(op, slots) if cheaper is None else cheaper


def _formulas(program: Program, native: Iterable[str]) -> dict[Op, Writer]:
    """Return what writes the rows of ``program`` that are not ``native``: by their formulas."""
    names = set(native)

    def is_legal(op: Op) -> bool:
        return op in OWN or op is INPUT or (OPS.get(op.name) is op and op.name in names)

    m = Arithmetic(
        {
            **{name: OPS[name] for name in names if name in OPS},
            "where": choice.where,
            "detach": lambda x: x,
            "equal": choice.equal,
        }
    )

    def by_formula(op: Op) -> Writer:
        def write(trace: _Copy, slots: tuple[int, ...]) -> int:
            try:
                return trace.slot(op.value(m, *[_symbol(trace, slot) for slot in slots]))
            except AttributeError as fault:
                name = op.name
                raise CompileError(f"the operation {name!r} cannot be compiled: {fault}") from None

        return write

    used = {op for op, _, _ in program.instructions}
    return {op: by_formula(op) for op in used if not is_legal(op)}


def _symbol(trace: Trace, slot: int) -> Any:
    is_condition = trace.instructions[slot].op in CONDITIONS
    return trace.condition(slot) if is_condition else trace.symbol(slot)


def _contracted(program: Program) -> list[Instruction]:
    """Return the instructions, the last one of each sum of products being a dot, or a long sum."""
    uses = _uses(program.instructions, program.outputs)
    inner = _inner_sums(program, uses)
    code = _sums_of_squares_as_dots(program.instructions, uses)
    terms_of: dict[int, list[int]] = {}
    chains: dict[int, list[int]] = {}  # what is added from left to right: terms may be sums too
    for slot, (op, operands, _) in enumerate(code):
        if op is not ops.add:
            continue
        x, y = [terms_of.pop(i) if i in inner else [i] for i in operands]
        x += y  # in place: a chain of n additions takes n steps, and not n * n
        terms_of[slot] = x
        left, right = operands
        chains[slot] = chain = chains.pop(left) if left in inner else [left]
        chain.append(right)
        if slot not in inner:
            code[slot] = _as_dot(code, x, uses) or _as_sum(chain) or code[slot]
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
    """Return the sum of ``terms`` as a dot; None unless two are products, and all but one are."""
    pairs: list[tuple[int, ...]] = []
    plain: list[int] = []
    for term in terms:
        op, operands, _ = code[term]
        if uses[term] == 1 and op is ops.mul:
            pairs.append(operands)
        elif uses[term] == 1 and op is ops.pow and code[operands[1]].number == 2.0:
            pairs.append((operands[0], operands[0]))
        else:
            plain.append(term)
    if len(terms) < 3 or len(pairs) < 2 or len(plain) > 1:
        return None
    ws, xs = zip(*pairs)
    return Instruction(ops.dot, (*ws, *xs, *plain))


def _as_sum(chain: Sequence[int]) -> Instruction | None:
    """Return a long chain of additions as one instruction, which adds in the same order."""
    return Instruction(SUM, tuple(chain)) if len(chain) >= LONG_SUM else None


def _product(trace: _Copy, slots: tuple[int, ...]) -> int | None:
    """Write a product with a negative constant as minus the positive one, if that is there.

    With -2x as -(2x), the sigmoids of 2x and -2x share one exponential, and their selects, on one
    condition with swapped branches, multiply to a product without a select (see
    ``_of_both_branches``).
    """
    first = trace.instructions[slots[0]]
    if first.op is SELECT:
        return _Copy.emit(trace, ops.mul, _of_both_branches(trace, slots))
    if first.op is CONSTANT and first.number < 0:
        positive = trace.find(ops.mul, (trace.constant(-first.number), slots[1]))
        return None if positive is None else trace.put(ops.neg, (positive,))
    return None


def _hypot(trace: _Copy, slots: tuple[int, ...]) -> int | None:
    """Write hypot of several as hypots of two."""
    if len(slots) == 2:
        return None
    result = _Copy.emit(trace, ops.abs, slots[:1])
    for slot in slots[1:]:
        result = _Copy.emit(trace, ops.hypot, (result, slot))
    return result


def _square(trace: _Copy, slots: tuple[int, ...]) -> int | None:
    """Write x to the power of 2 as x * x."""
    is_square = trace.instructions[slots[1]].number == 2.0
    return _Copy.emit(trace, ops.mul, (slots[0], slots[0])) if is_square else None


def _exp(trace: _Copy, slots: tuple[int, ...]) -> int | None:
    """Write exp of -|x|, which cannot overflow, as an operation of its own."""
    is_small = _is_minus_size(trace, slots[0])
    return _Copy.emit(trace, EXP_NONPOSITIVE, slots) if is_small else None


def _sigmoid(trace: _Copy, slots: tuple[int, ...]) -> int:
    """Write a sigmoid by exp.

    s(x) is 1 / (1 + t) for x > 0 and t / (1 + t) below, with t = exp(-|x|): s(x) and s(-x) then
    share one exponential.
    """
    emit = partial(_Copy.emit, trace)  # what is emitted here needs no writer
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


def _of_both_branches(trace: _Copy, slots: tuple[int, ...]) -> tuple[int, ...]:
    """Return the factors x, y for where(c, x, y) * where(c, y, x), which is x * y either way."""
    first, second = (trace.instructions[slot] for slot in slots)
    if first.op is SELECT and second.op is SELECT:
        condition, x, y = first.operands
        if second.operands == (condition, y, x):
            return (x, y)
    return slots


_CHEAPER: dict[Op, Writer] = {
    ops.mul: _product,
    ops.hypot: _hypot,
    ops.pow: _square,
    ops.exp: _exp,
    ops.sigmoid: _sigmoid,
}
"""What writes these operations in cheaper ones."""
