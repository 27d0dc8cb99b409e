"""A program as a table that one loop of machine code runs, instruction by instruction.

For programs of which too little repeats: LLVM would take longer over their code than anybody waits.
The loop, an interpreter, is compiled once for each number of lanes. A program is then data: for
each instruction a number that names its operation, and the slots of its operands.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from itertools import count
from struct import pack, unpack
from typing import Any

from microgradient.compiler.llvm.builder import Builder, Callee, Index, Module, module_of
from microgradient.compiler.llvm.instructions import (
    ELEMENTWISE,
    LLVM,
    corrected,
    emit,
    two_sum,
)
from microgradient.compiler.llvm.lanes import Lanes, Mask, Vector
from microgradient.compiler.llvm.vector_math import fma
from microgradient.compiler.program.primitives import CONSTANT, INPUT, KINDS
from microgradient.compiler.program.program import Program
from microgradient.engine import ops
from microgradient.engine.op import Op
from microgradient.engine.ops import OPS

KEEP, ADD, SUM = range(3)
"""What is done with the outputs of an example: stored, added to what is there, or summed up."""

_PARAMETERS = {
    "code": "ptr",  # words of 32 bits
    "size": "i64",  # how many instructions
    "outputs": "ptr",  # slots, in words of 32 bits
    "output_count": "i64",
    "how": "i64",
    "p": "ptr",
    "x": "ptr",
    "stride": "i64",
    "examples": "i64",
    "out": "ptr",
    "out_stride": "i64",
    "memory": "ptr",  # a vector for each slot
}
_CONSTANT, _UNIFORM, _VARYING, _FSUM, _DOT, _DOT_AND_BIAS = range(6)
_ROWS = {
    **ELEMENTWISE,
    **{op: len(op.domain) for op in OPS.values() if op not in ELEMENTWISE and not op.sequences},
}
_CODES = {op: code for code, op in enumerate(_ROWS, start=_DOT_AND_BIAS + 1)}

TABLED = frozenset(("fsum", "dot", *(op.name for op in _ROWS)))
"""Operations that a table may consist of."""


def interpreter_callee(lanes: int) -> Callee:
    """Return the interpreter that computes up to ``lanes`` examples at once, for others to call."""
    name = f"table{lanes}"
    return Callee(f"lib_{name}", "void", tuple(_PARAMETERS.values()), library=name)


def words_of(program: Program) -> list[int]:
    """Return the table of ``program``, which consists of what machine code has."""
    words: list[int] = []
    varying = {slot: i for i, slot in enumerate(program.varying)}
    uniform = count()
    for slot, (op, operands, number) in enumerate(program.instructions):
        if op is CONSTANT:
            words += (_CONSTANT, *unpack("<ii", pack("<d", number)))
        elif op is INPUT:
            given = varying.get(slot)
            words += (_UNIFORM, next(uniform)) if given is None else (_VARYING, given)
        elif op is ops.fsum:
            words += (_FSUM, len(operands), *operands)
        elif op is ops.dot:
            n, biased = divmod(len(operands), 2)
            words += (_DOT + biased, n, *operands[2 * n :], *operands[: 2 * n])
        elif op is ops.pow and program.instructions[operands[1]].number == 2.0:
            words += (_CODES[ops.mul], operands[0], operands[0])
        else:
            words.append(_CODES[op])
            words += operands
    return words


def table_call(
    builder: Builder, program: Program, name: str, lanes: int, how: int
) -> tuple[str, ...]:
    """Add the call of the interpreter for all examples; return the constants of the module.

    The memory that it takes, ``%t`` without a batch and ``%v`` with one, has ``lanes`` doubles for
    each slot.
    """
    words, outputs = words_of(program), program.outputs
    tables = [(f"{name}_code", words), (f"{name}_outputs", outputs)]
    callee, batched = interpreter_callee(lanes), bool(program.varying)
    sizes = len(program.instructions), len(outputs)
    first = (f"@{name}_code", sizes[0], f"@{name}_outputs", sizes[1], how, "%p")
    if batched:
        some = builder.put("icmp sgt i64 %n, 0")
        with builder.when(some), builder.loop("%n", 0, lanes) as i:
            left = builder.integer("sub", "%n", i)
            more = builder.put(f"icmp sgt i64 {left}, {lanes}")
            here = builder.put(f"select i1 {more}, i64 {lanes}, i64 {left}")
            out = "%out" if how == SUM else builder.at("%out", i)
            rest = (builder.at("%x", i), "%stride", here, out, "%out_stride", "%v")
            builder.call(callee, *first, *rest)
    else:
        builder.call(callee, *first, "%x", 0, 1, "%out", 1, "%t")
    return tuple(_constant_words(name, slots) for name, slots in tables)


def _constant_words(name: str, words: Sequence[int]) -> str:
    """Return a constant of 32-bit words as the text of its bytes, which LLVM reads fastest."""
    raw = array("i", words).tobytes()
    text = f"\\{raw.hex(chr(92))}" if raw else ""
    return f'@{name} = private unnamed_addr constant [{len(raw)} x i8] c"{text}", align 4'


class Interpreter:
    """The function of the interpreter, being built."""

    def __init__(self, lanes: int) -> None:
        self.builder = Builder()
        self.lanes = Lanes(self.builder, lanes)
        self._at = self.builder.allocate("ptr")  # the word to read next

    def module(self) -> Module:
        builder, width = self.builder, self.lanes.count
        builder.store("ptr", "%code", self._at)
        cases: list[Callable[[str], Vector | Mask]] = [
            *(self._constant, self._uniform, self._varying),
            *(
                self._fsum,
                lambda slot: self._dot(biased=False),
                lambda slot: self._dot(biased=True),
            ),
            *(self._elementwise(op) for op in _ROWS),
        ]

        def case(compute: Callable[[str], Vector | Mask]) -> Callable[[], None]:
            def body() -> None:
                result = compute(slot)
                kept = result.choose(1.0, 0.0) if isinstance(result, Mask) else result
                self.lanes.store(kept, self._place(slot))

            return body

        with builder.loop("%size") as slot:
            builder.switch(self._word(), [case(compute) for compute in cases])
        some = builder.put("icmp sgt i64 %output_count, 0")
        with builder.when(some):
            self._outputs()
        parameters = ", ".join(f"{kind} %{name}" for name, kind in _PARAMETERS.items())
        name = f"table{width}"
        return module_of([builder.function(f"void @{name}({parameters}) nounwind", name)])

    # --- reading the table ------------------------------------------------------------------------

    def _word(self) -> str:
        """Return the next word, and go on to the one after it."""
        at = self.builder.load("ptr", self._at)
        word = self.builder.put(f"load i32, ptr {at}, align 4")
        self._skip(at, 1)
        return word

    def _skip(self, at: str, words: Index) -> None:
        after = self.builder.put(f"getelementptr inbounds i32, ptr {at}, i64 {words}")
        self.builder.store("ptr", after, self._at)

    def _number(self, word: str) -> str:
        return self.builder.put(f"sext i32 {word} to i64")

    def _place(self, slot: str) -> str:
        return self.builder.at("%memory", self.builder.integer("mul", slot, self.lanes.count))

    def _operand(self) -> Vector:
        return self.lanes.load(self._place(self._number(self._word())))

    def _listed(self, at: str, i: Index) -> Vector:
        """Return operand ``i`` of those whose slots are listed from ``at`` on."""
        word = self.builder.put(f"getelementptr inbounds i32, ptr {at}, i64 {i}")
        slot = self.builder.put(f"load i32, ptr {word}, align 4")
        return self.lanes.load(self._place(self._number(slot)))

    # --- instructions -----------------------------------------------------------------------------

    def _constant(self, slot: str) -> Vector:
        at = self.builder.load("ptr", self._at)
        number = self.builder.put(f"load double, ptr {at}, align 4")
        self._skip(at, 2)
        return self.lanes.splat(number)

    def _uniform(self, slot: str) -> Vector:
        return self.lanes.load_all(self.builder.at("%p", self._number(self._word())))

    def _varying(self, slot: str) -> Vector:
        place = self.builder.integer("mul", self._number(self._word()), "%stride")
        return self.lanes.load(self.builder.at("%x", place))

    def _elementwise(self, op: Op) -> Callable[[str], Vector | Mask]:
        kinds = KINDS.get(op, ("number",) * _ROWS[op])

        def compute(slot: str) -> Vector | Mask:
            xs: list[Any] = [self._operand() for _ in kinds]
            if op not in ELEMENTWISE:
                return xs[0].like(op.value(LLVM, *xs))  # type: ignore[no-any-return]
            for i, kind in enumerate(kinds):
                xs[i] = xs[i].compare("une", 0.0) if kind == "condition" else xs[i]
            return emit(self.lanes, op, xs)

        return compute

    def _fsum(self, slot: str) -> Vector:
        n = self._number(self._word())
        at = self.builder.load("ptr", self._at)
        sum_, lost = self.lanes.allocate(), self.lanes.allocate()
        for memory in (sum_, lost):
            self.lanes.store(self.lanes.constant(0.0), memory)
        with self.builder.loop(n) as k:
            after, error = two_sum(
                self.lanes.load(sum_), self._listed(at, k), self.lanes.load(lost)
            )
            self.lanes.store(after, sum_)
            self.lanes.store(error, lost)
        self._skip(at, n)
        return corrected(self.lanes.load(sum_), self.lanes.load(lost))

    def _dot(self, *, biased: bool) -> Vector:
        n = self._number(self._word())
        sum_ = self.lanes.allocate()
        self.lanes.store(self._operand() if biased else self.lanes.constant(0.0), sum_)
        at = self.builder.load("ptr", self._at)
        with self.builder.loop(n) as k:
            w, x = self._listed(at, k), self._listed(at, self.builder.integer("add", n, k))
            self.lanes.store(fma(w, x, self.lanes.load(sum_)), sum_)
        self._skip(at, self.builder.integer("add", n, n))
        return self.lanes.load(sum_)

    # --- outputs ----------------------------------------------------------------------------------

    def _outputs(self) -> None:
        builder, lanes, one = self.builder, self.lanes, Lanes(self.builder, 1)
        summed = builder.put(f"icmp eq i64 %how, {SUM}")
        added = builder.put(f"icmp eq i64 %how, {ADD}")
        with builder.loop("%output_count") as k:
            word = builder.put(f"getelementptr inbounds i32, ptr %outputs, i64 {k}")
            slot = builder.put(f"load i32, ptr {word}, align 4")
            number = self._place(self._number(slot))
            out = builder.at("%out", builder.integer("mul", k, "%out_stride"))
            with builder.when(summed), builder.loop("%examples") as i:
                one.store(one.load(out) + one.load(builder.at(number, i)), out)
            kept = builder.put(f"xor i1 {summed}, true")
            with builder.when(kept):
                x = lanes.load(number)
                with builder.when(added):
                    lanes.store(lanes.load(out) + x, out)
                stored = builder.put(f"xor i1 {added}, true")
                with builder.when(stored):
                    lanes.store(x, out)
