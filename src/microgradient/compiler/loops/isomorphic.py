"""Isomorphic instructions: one operation on isomorphic operands, down to the inputs."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from microgradient.compiler.program.primitives import CONSTANT, INPUT
from microgradient.compiler.program.program import Instruction, Program
from microgradient.engine import ops

FEW_CONSTANTS = 32  # in the whole program; else a loop may have another one in each iteration


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
        inner = tuple([form[i] for i in operands])
        literal = number if few and op is CONSTANT else None
        key = (op, varies[slot], inner, literal)
        form.append(known.setdefault(key, len(known)))
        depth.append(1 + max([depth[i] for i in operands], default=-1))
        if op is not INPUT and op is not CONSTANT and slot not in left_out:
            members.setdefault(form[slot], []).append(slot)
    _sink(code, depth, form)
    return sorted(members.values(), key=lambda slots: (depth[slots[0]], slots[0]))


def _sink(code: Sequence[Instruction], depth: list[int], form: list[int]) -> None:
    """Schedule forms that read only inputs as late as their first use allows, to join its loop."""
    first_use: dict[int, int] = {}
    for slot, (_, operands, _) in enumerate(code):
        for i in operands:
            first_use[i] = min(first_use.get(i, depth[slot]), depth[slot])
    latest: dict[int, int] = {}
    for slot, one in enumerate(form):
        if depth[slot] == 1 and code[slot].op is not ops.dot:
            use = first_use.get(slot, 1) - 1
            latest[one] = min(latest.get(one, use), use)
    for slot, one in enumerate(form):
        depth[slot] = max(depth[slot], latest.get(one, 1))
