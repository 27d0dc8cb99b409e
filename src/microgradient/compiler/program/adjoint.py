"""The chain rule over recorded instructions: the adjoint program, and the tangent program.

Both read the same rows as everything else. The eager engine never records the branch of a ``where``
that is not taken. Here both branches are computed, and each contribution is masked by the condition
under which its result is ``reached``, so 0 * inf in the branch not taken cannot put a nan into the
gradient.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from heapq import heapify, heappop, heappush
from typing import Any, NamedTuple

from microgradient.compiler.program.primitives import (
    AND,
    ARGUMENT,
    CUT,
    INPUT,
    NAN_IN_NAN_OUT,
    NAN_OUT_NAN_SLOPE,
    NAN_WHERE_NAN,
    NOT,
    OR,
    SELECT,
)
from microgradient.compiler.program.recorder import Recorder
from microgradient.engine import ops
from microgradient.engine.choice import GRAPH, where
from microgradient.engine.op import Op
from microgradient.engine.sweeps import times


class _Part(NamedTuple):
    """One contribution to an adjoint: a product, under a condition, from an operation."""

    adjoint: Any
    partial: Any
    reached: int | None
    source: Op | None


def reverse(
    trace: Recorder,
    inputs: Sequence[Any],
    seeds: Sequence[tuple[Any, Any]],
    *,
    keep_nan: bool = True,
) -> list[Any]:
    """Return the adjoints of ``inputs``, given those of some results, as symbols.

    Without ``keep_nan`` an adjoint need not be nan where its value is: for a caller that looks at
    the results themselves.
    """
    variables = trace.variables(inputs)
    if trace.adjoint_from is None:
        trace.adjoint_from = len(trace.instructions)
    parts: dict[int, list[_Part]] = {}
    for result, weight in seeds:
        parts.setdefault(trace.slot(result), []).append(_Part(weight, 1.0, None, None))
    active, ends = trace.dependents(variables), trace.input_count
    parts = {slot: found for slot, found in parts.items() if slot in active}
    waiting = [-slot for slot in parts if slot >= ends]  # the last one first
    heapify(waiting)
    adjoint: dict[int, Any] = {}
    while waiting:  # only what the results depend on is visited, however much has been recorded
        slot = -heappop(waiting)
        one = _Adjoint(trace, slot, parts.pop(slot), keep_nan)
        adjoint[slot] = one.value
        for operand, part in one.passed_on(active):
            if operand in parts:
                parts[operand].append(part)
                continue
            parts[operand] = [part]
            if operand >= ends:
                heappush(waiting, -operand)
    for slot in sorted(parts, reverse=True):  # the inputs, which pass nothing on
        total = trace.slot(_sum(trace, parts[slot]))
        trace.adjoint_of.setdefault(total, slot)
        adjoint[slot] = trace.symbol(total)
    return [adjoint.get(slot, 0.0) for slot in variables]


def _sum(trace: Recorder, parts: list[_Part]) -> Any:
    """Return the sum of contributions to an adjoint."""
    first = parts[0]
    if len(parts) == 1 and first.reached is None:
        return times(first.adjoint, first.partial)
    products = [(p.adjoint, p.partial) for p in parts if p.reached is None]
    terms = [
        where(trace.condition(p.reached), times(p.adjoint, p.partial), 0.0)
        for p in parts
        if p.reached is not None
    ]
    if len(products) == 1:
        terms.insert(0, times(*products[0]))
    elif products and all(type(p) is float and p == 1.0 for _, p in products):
        terms[:0] = [a for a, _ in products]
    elif products:
        terms.insert(0, ops.dot(*zip(*products)))
    if len(terms) <= 2:
        return terms[0] if len(terms) == 1 else terms[0] + terms[1]
    return ops.fsum(terms)


class _Adjoint:
    """The adjoint of one slot, made of its parts, and what it hands to the operands."""

    def __init__(self, trace: Recorder, slot: int, parts: list[_Part], keep_nan: bool) -> None:
        self.trace, self.slot, self.keep_nan = trace, slot, keep_nan
        self.instruction = trace.instructions[slot]
        self.reached = self._either([part.reached for part in parts])
        self.value = self._total(parts)

    def _either(self, conditions: list[int | None]) -> int | None:
        whole: int | None = conditions[0]
        for condition in conditions[1:]:
            if whole is None or condition is None:
                return None
            if whole != condition:
                whole = self.trace.emit(OR, (whole, condition))
        return whole

    def _total(self, parts: list[_Part]) -> Any:
        trace = self.trace
        slot = trace.slot(_sum(trace, parts))
        if self.keep_nan and not self._nan_covered(parts):
            slot = trace.emit(NAN_WHERE_NAN, (slot, self.slot))
        trace.adjoint_of.setdefault(slot, self.slot)
        return trace.symbol(slot)

    def _nan_covered(self, parts: list[_Part]) -> bool:
        """Return whether the adjoint's products are nan by themselves where the value is nan."""
        op = self.instruction.op
        return (
            op in (INPUT, ARGUMENT)
            or op in NAN_OUT_NAN_SLOPE
            or any(p.source in NAN_IN_NAN_OUT and p.reached in (None, self.reached) for p in parts)
        )

    def passed_on(self, active: Container[int]) -> list[tuple[int, _Part]]:
        """Return what it contributes to the adjoints of the operands that are active."""
        op, slots = self.instruction.op, self.instruction.operands
        if op is SELECT:
            return self._chosen(active)
        if not slots or op in CUT:
            return []
        trace = self.trace
        v, operands = trace.symbol(self.slot), [trace.operand(slot) for slot in slots]
        return [
            (slot, _Part(self.value, partial, self.reached, op))
            for slot, partial in zip(slots, op.partials(GRAPH, v, *operands))
            if slot in active
        ]

    def _chosen(self, active: Container[int]) -> list[tuple[int, _Part]]:
        condition, x, y = self.instruction.operands
        emit, found = self.trace.emit, []
        for slot, taken in ((x, condition), (y, emit(NOT, (condition,)))):
            if slot in active:
                reached = taken if self.reached is None else emit(AND, (self.reached, taken))
                found.append((slot, _Part(self.value, 1.0, reached, None)))
        return found


def forward(
    trace: Recorder, inputs: Sequence[Any], directions: Sequence[Any], results: Sequence[Any]
) -> list[Any]:
    """Return the tangents of ``results``, given those of ``inputs``, as symbols or numbers."""
    tangent: dict[int, dict[int, Any]] = {}
    for variable, direction in zip(trace.variables(inputs), directions):
        own = tangent.setdefault(variable, {})
        own[0] = own[0] + direction if own else direction
    return [found.get(0, 0.0) for found in _tangents(trace, tangent, results)]


def sparse_forward(
    trace: Recorder, inputs: Sequence[Any], results: Sequence[Any]
) -> list[dict[int, Any]]:
    """Return the derivatives of each result by those of ``inputs``, by number, it depends on."""
    variables = trace.variables(inputs)
    return _tangents(trace, {slot: {i: 1.0} for i, slot in enumerate(variables)}, results)


def _tangents(
    trace: Recorder, tangent: dict[int, dict[int, Any]], results: Sequence[Any]
) -> list[dict[int, Any]]:
    """Return the tangents of ``results`` in several directions, given those of variables.

    An instruction has none in a direction in which nothing changes that it is made of.
    """
    slots = [trace.slot(y) for y in results]
    for slot in sorted(_made_of(trace, slots, since=min(tangent, default=0))):
        op, operands, _ = trace.instructions[slot]
        along = [tangent.get(operand, {}) for operand in operands]
        directions = {j: None for found in along for j in found}  # each once, in order
        if slot in tangent or op in CUT or not directions:
            continue
        if op is SELECT:
            condition, (_, xs, ys) = trace.condition(operands[0]), along
            total = {j: where(condition, xs.get(j, 0.0), ys.get(j, 0.0)) for j in directions}
        else:
            v, numbers = trace.symbol(slot), [trace.operand(operand) for operand in operands]
            pairs = list(zip(along, op.partials(GRAPH, v, *numbers)))
            terms = {j: [times(xs[j], p) for xs, p in pairs if j in xs] for j in directions}
            total = {j: xs[0] if len(xs) == 1 else ops.fsum(xs) for j, xs in terms.items() if xs}
        if op not in NAN_OUT_NAN_SLOPE:
            for j, x in total.items():
                total[j] = trace.symbol(trace.emit(NAN_WHERE_NAN, (trace.slot(x), slot)))
        tangent[slot] = total
    return [tangent.get(slot, {}) for slot in slots]


def _made_of(trace: Recorder, slots: Sequence[int], since: int) -> set[int]:
    """Return ``slots`` and what they are made of, for derivatives, from slot ``since`` on."""
    found, waiting = set(slots), list(slots)
    while waiting:
        for operand in trace.differentiated(waiting.pop()):
            if operand >= since and operand not in found:
                found.add(operand)
                waiting.append(operand)
    return found
