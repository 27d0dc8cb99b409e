"""Places cut into regular stretches: what a loop can go along, among terms and among outputs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import groupby

from microgradient.compiler.loops import Constants, Place, Products, Run, Sums, Term, run_of
from microgradient.compiler.program import Program
from microgradient.compiler.vocabulary import CONSTANT


def stretches(ws: Sequence[Run], xs: Sequence[Run]) -> list[Term]:
    """Return the terms of a layer as few stretches along which the places go by equal steps."""
    terms: list[Term] = []
    for w, x in zip(ws, xs):
        if terms:
            last = terms[-1]
            n = last.count
            w_step, x_step = (
                (w.first - last.w.first, x.first - last.x.first)
                if n == 1
                else (last.w_step, last.x_step)
            )
            follows = w == last.w._replace(
                first=last.w.first + n * w_step
            ) and x == last.x._replace(first=last.x.first + n * x_step)
            if follows:
                terms[-1] = Term(last.w, w_step, last.x, x_step, n + 1)
                continue
        terms.append(Term(w, 0, x, 0, 1))
    return terms


def outputs(
    program: Program, place: Mapping[int, Place], products: Collection[int]
) -> tuple[list[Products], list[Sums], list[Constants]]:
    """Return the outputs as outer products, as single numbers, and as constants.

    ``products`` are the slots of products that nothing needs but an output's sum.
    """
    code = program.instructions
    constants = [
        (k, code[slot].number)
        for k, slot in enumerate(program.outputs)
        if code[slot].op is CONSTANT
    ]
    single = [
        (k, place[slot])
        for k, slot in enumerate(program.outputs)
        if slot not in products and code[slot].op is not CONSTANT
    ]
    return _products(program, place, products), _sums(single), _same(constants)


def _products(
    program: Program, place: Mapping[int, Place], products: Collection[int]
) -> list[Products]:
    """Return the outer products among the outputs."""
    code = program.instructions
    pairs = [
        (k, code[slot].operands[0], code[slot].operands[1])
        for k, slot in enumerate(program.outputs)
        if slot in products
    ]
    rows = []
    for a, row in groupby(pairs, key=lambda pair: pair[1]):
        members = list(row)
        rows += [(a, [x for _, _, x in part], part[0][0]) for part in _consecutive(members)]
    found: list[Products] = []
    while rows:
        a, xs, first = rows[0]
        step = rows[1][2] - first if len(rows) > 1 else 0
        count = 1
        while count < len(rows) and rows[count][1] == xs:
            if rows[count][2] != first + count * step:
                break
            if run_of([place[row[0]] for row in rows[: count + 1]]) is None:
                break
            count += 1
        run = run_of([place[row[0]] for row in rows[:count]])
        assert run is not None
        at = first
        for piece in _pieces([place[x] for x in xs]):
            x_run = run_of(piece)
            assert x_run is not None
            found.append(Products(run, count, x_run, len(piece), at, step))
            at += len(piece)
        del rows[:count]
    return found


def _pieces(places: Sequence[Place]) -> list[list[Place]]:
    """Return ``places`` cut into stretches with equal distances."""
    pieces: list[list[Place]] = []
    for place in places:
        if pieces and run_of([*pieces[-1], place][-3:]):
            pieces[-1].append(place)
        else:
            pieces.append([place])
    return pieces


def _consecutive(
    members: Sequence[tuple[int, int, int]],
) -> list[list[tuple[int, int, int]]]:
    parts: list[list[tuple[int, int, int]]] = []
    for member in members:
        if parts and member[0] == parts[-1][-1][0] + 1:
            parts[-1].append(member)
        else:
            parts.append([member])
    return parts


def _same(numbers: Sequence[tuple[int, float]]) -> list[Constants]:
    """Return outputs with their constants as few stretches of one number."""
    found: list[Constants] = []
    for k, x in numbers:
        if found and found[-1].first + found[-1].count == k and str(found[-1].number) == str(x):
            found[-1] = Constants(x, found[-1].first, found[-1].count + 1)
        else:
            found.append(Constants(x, k, 1))
    return found


def _sums(single: Sequence[tuple[int, Place]]) -> list[Sums]:
    """Return outputs with their places as few runs."""
    found: list[Sums] = []
    for k, (store, index) in single:
        if found:
            last = found[-1]
            n = last.count
            step, stride = (
                (k - last.first, index - last.x.first) if n == 1 else (last.step, last.x.stride)
            )
            if (store, index, k) == (
                last.x.store,
                last.x.first + n * stride,
                last.first + n * step,
            ):
                found[-1] = Sums(Run(store, last.x.first, stride), n + 1, last.first, step)
                continue
        found.append(Sums(Run(store, index, 0), 1, k, 1))
    return found
