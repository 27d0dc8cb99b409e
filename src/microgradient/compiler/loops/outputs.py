"""The outputs of a program as nests: numbers to copy, or to sum over the batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from itertools import groupby

from microgradient.compiler.loops.nests import (
    COPY,
    OUTPUT,
    Access,
    Contraction,
    Literals,
    Nest,
    Operand,
    Place,
    Statement,
)
from microgradient.compiler.loops.progressions import progressions
from microgradient.compiler.program.primitives import CONSTANT
from microgradient.compiler.program.program import Program
from microgradient.engine import ops

_BLOCK = 100  # single outputs in one nest: LLVM's time grows with the square of straight code


def summed_products(program: Program, varies: Sequence[bool]) -> set[int]:
    """Return the products that nothing needs but one output's sum: parts of weights' gradients."""
    if program.reduce is None:
        return set()
    code = program.instructions
    used = {operand for x in code for operand in x.operands}
    return {
        slot
        for slot, times in Counter(program.outputs).items()
        if times == 1
        and slot not in used
        and code[slot].op is ops.mul
        and all(varies[i] for i in code[slot].operands)
    }


def output_nests(
    program: Program, place: Mapping[int, Place], products: Collection[int], preset: bool
) -> list[Nest | Contraction]:
    """Return the nests that write the outputs, of which ``products`` are contracted.

    ``preset`` says that those that are constants are there already.
    """
    return [*_copies(program, place, products, preset), *_contractions(program, place, products)]


def _copies(
    program: Program, place: Mapping[int, Place], products: Collection[int], preset: bool
) -> list[Nest]:
    constants: list[tuple[Hashable, tuple[int, int]]] = []
    numbers: list[tuple[Hashable, tuple[int, int]]] = []
    for k, slot in enumerate(program.outputs):
        if program.instructions[slot].op is CONSTANT:
            if not preset:
                constants.append((program.instructions[slot].number.hex(), (k, 0)))
        elif slot not in products:
            buffer, at = place[slot]
            numbers.append((buffer, (k, at)))
    varying, nests, block = bool(program.varying), list[Nest](), list[Statement]()
    for key, (k, at), (step, stride), size in progressions([*constants, *numbers]):
        in_loop = size > 1
        if isinstance(key, str):
            operand: Operand = Literals((float.fromhex(key),) * size)
        else:
            operand = Access(key, at, (stride,) if in_loop else ())
        statement = Statement(COPY, (operand,), Access(OUTPUT, k, (step,) if in_loop else ()))
        if in_loop:
            nests.append(Nest((size,), varying, [statement]))
        else:
            block.append(statement)
    starts = range(0, len(block), _BLOCK)
    return [*nests, *(Nest((), varying, block[i : i + _BLOCK]) for i in starts)]


def _contractions(
    program: Program, place: Mapping[int, Place], products: Collection[int]
) -> list[Contraction]:
    """Return the outer products among the outputs: rows of one factor, then equal rows at steps."""
    terms: list[tuple[Hashable, tuple[int, int]]] = []
    for k, slot in enumerate(program.outputs):
        if slot in products:
            a, x = program.instructions[slot].operands
            buffer, at = place[x]
            gap = k - len(terms)  # the same for outputs that follow one another
            terms.append(((a, buffer, gap), (k, at)))
    rows = sorted(
        ((buffer, at, step, stride, size), (k, a))
        for (a, buffer, _), (k, at), (step, stride), size in progressions(terms)
    )
    found = []
    for (buffer, at, step, stride, size), group in groupby(rows, key=lambda row: row[0]):
        factors = [(place[a][0], (k, place[a][1])) for _, (k, a) in group]
        for a_buffer, (k, a_at), (k_step, a_stride), count in progressions(factors):
            found.append(
                Contraction(
                    (count, size),
                    Access(a_buffer, a_at, (a_stride, 0)),
                    Access(buffer, at, (0, stride)),
                    None,
                    Access(OUTPUT, k, (k_step, step)),
                )
            )
    return found
