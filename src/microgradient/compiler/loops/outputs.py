"""Places cut into regular stretches: what a loop can go along, among terms and among outputs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import accumulate, groupby

from microgradient.compiler.loops.nests import Constants, Place, Products, Run, Sums, Term, run_of
from microgradient.compiler.loops.progressions import progressions
from microgradient.compiler.program.primitives import CONSTANT
from microgradient.compiler.program.program import Program


def stretches(ws: Sequence[Run], xs: Sequence[Run]) -> list[Term]:
    """Return the terms of a layer as few stretches along which the places go by equal steps."""
    points = [
        ((w._replace(first=0), x._replace(first=0)), (w.first, x.first)) for w, x in zip(ws, xs)
    ]
    return [
        Term(w._replace(first=i), w_step, x._replace(first=k), x_step, count)
        for (w, x), (i, k), (w_step, x_step), count in progressions(points)
    ]


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
    """Return ``places`` cut where they stop lying at equal distances in one store."""
    ends = list(accumulate(p.size for p in progressions((store, (i,)) for store, i in places)))
    return [list(places[a:b]) for a, b in zip([0, *ends], ends)]


def _consecutive(
    members: Sequence[tuple[int, int, int]],
) -> list[list[tuple[int, int, int]]]:
    groups = groupby(enumerate(members), key=lambda pair: pair[1][0] - pair[0])
    return [[member for _, member in group] for _, group in groups]


def _same(numbers: Sequence[tuple[int, float]]) -> list[Constants]:
    """Return outputs with their constants as few stretches of one number."""
    groups = groupby(enumerate(numbers), key=lambda pair: (str(pair[1][1]), pair[1][0] - pair[0]))
    runs = [[pair for _, pair in group] for _, group in groups]
    return [Constants(run[0][1], run[0][0], len(run)) for run in runs]


def _sums(single: Sequence[tuple[int, Place]]) -> list[Sums]:
    """Return outputs with their places as few runs."""
    return [
        Sums(Run(store, i, stride), count, k, step if count > 1 else 1)
        for store, (k, i), (step, stride), count in progressions(
            (store, (k, i)) for k, (store, i) in single
        )
    ]
