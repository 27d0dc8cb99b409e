"""Isomorphic instructions: one operation on isomorphic operands, down to the inputs."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from microgradient.compiler.program.primitives import CONSTANT, INPUT
from microgradient.compiler.program.program import Instruction, Program
from microgradient.engine import ops

SMALLEST_LOOP = 4  # iterations; fewer are written out
FEW_CONSTANTS = 32  # in the whole program; else a loop may have another one in each iteration


def repetition(program: Program) -> tuple[int, int]:
    """Return about how many statements the loops of ``program`` would have, and its operands.

    That is how many forms its instructions have; of a form that fewer share than make a loop, each
    instruction counts. Additions to what is added on do not: they become one sum.
    """
    code = program.instructions
    known: dict[object, int] = {}
    form: list[int] = []
    used = [0] * len(code)  # once by an addition, or 2 for each other use
    work = 0
    for op, operands, _ in code:
        inner = tuple(map(form.__getitem__, operands))
        form.append(known.setdefault((op, inner), len(known)))
        work += len(operands)
        for i in operands:
            used[i] += 1 if op is ops.add else 2
    members = [0] * len(known)
    for slot, (op, _, _) in enumerate(code):
        if op is not INPUT and op is not CONSTANT and not (op is ops.add and used[slot] == 1):
            members[form[slot]] += 1
    return sum(n if n < SMALLEST_LOOP else 1 for n in members if n), work


def isomorphic(
    program: Program, varies: Sequence[bool], left_out: Collection[int]
) -> list[list[int]]:
    """Return the slots of instructions by form, each form after those that it is made of."""
    code = program.instructions
    known: dict[object, int] = {}
    form: list[int] = []
    depth: list[int] = []
    members: dict[int, list[int]] = {}
    few = sum(x.op is CONSTANT for x in code) <= FEW_CONSTANTS
    for slot, (op, operands, number) in enumerate(code):
        depth.append(1 + max(map(depth.__getitem__, operands), default=-1))
        if op is INPUT:
            form.append(known.setdefault((op, varies[slot]), len(known)))
            continue
        if slot in left_out:  # nothing reads it
            form.append(-1)
            continue
        inner = tuple(map(form.__getitem__, operands))
        literal = number if few and op is CONSTANT else None
        key = (op, varies[slot], inner, literal)
        form.append(known.setdefault(key, len(known)))
        if op is not CONSTANT:
            members.setdefault(form[slot], []).append(slot)
    _sink(code, depth, form)
    return sorted(members.values(), key=lambda slots: (depth[slots[0]], slots[0]))


def _sink(code: Sequence[Instruction], depth: list[int], form: list[int]) -> None:
    """Schedule forms that read only inputs as late as their first use allows, to join its loop."""
    first_use: dict[int, int] = {}
    for (_, operands, _), at in zip(code, depth):
        for i in operands:
            if first_use.get(i, at) >= at:
                first_use[i] = at
    latest: dict[int, int] = {}
    for slot, one in enumerate(form):
        if depth[slot] == 1 and code[slot].op is not ops.dot:
            use = first_use.get(slot, 1) - 1
            latest[one] = min(latest.get(one, use), use)
    for slot, one in enumerate(form):
        if latest.get(one, 1) > depth[slot]:
            depth[slot] = latest.get(one, 1)
