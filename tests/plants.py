"""Errors to plant in the engine, each of which the checks must find: a test of the tests.

Local derivatives of a row or an operator are wrong by a relative 1e-9 or in sign; sweeps are
changed in the ways in which back-propagation is often implemented wrongly.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

import campaign
from microgradient import OPS, Op, Value
from microgradient.check import gradient_report
from microgradient.check.expressions import (
    Expression,
    RandomChoices,
    StraightLine,
    choose_expression,
)
from microgradient.check.numbers.taylor import AtKink
from microgradient.engine import graph, native, sweeps, value
from rows import DISCRETE

FACTORS = {"1e-9": 1 + 1e-9, "sign": -1.0}
COMMON = tuple(OPS[name] for name in ("add", "mul", "sin", "tanh", "fsum"))


@dataclass(frozen=True)
class Plant:
    """An error: its name, a context manager that plants it, and the rows that show it."""

    name: str
    planted: Callable[[], Any]
    rows: tuple[Op, ...]

    def caught(self, tries: int = 300) -> str:
        """Return what the checks report; "" if they find nothing."""
        for seed in range(tries):
            e = choose_expression(
                RandomChoices(Random(seed)), rows=self.rows + COMMON if self.rows else ()
            )
            if self.rows and not uses(e, self.rows[0]):
                continue
            with self.planted():
                if told := _told(e):
                    return told
        return ""


def _told(e: Expression) -> str:
    """Return what the campaign, and then check_gradient, report for ``e``; "" if nothing."""
    try:
        told = campaign.gradient_faults(e)[0]
    except AtKink:
        return ""
    except (KeyError, IndexError) as crash:
        return f"the sweep fails with {type(crash).__name__}"
    if not told:
        report = gradient_report(e.f, *e.inputs)
        told = "" if report.ok else report.message()
    return told


def uses(e: Expression, op: Op) -> bool:
    assert isinstance(e.f, StraightLine)
    return any(step[0] is op for step in e.f.live)


def wrong(x: Any, factor: float) -> Any:
    """Return ``x`` times ``factor``; a derivative of 0 becomes ``factor - 1``."""
    return x * factor if not (isinstance(x, float) and x == 0) else x + (factor - 1)


@contextmanager
def wrong_row(op: Op, factor: float) -> Iterator[None]:
    right = op.partials
    object.__setattr__(op, "partials", lambda m, v, *x: [wrong(d, factor) for d in right(m, v, *x)])
    try:
        yield
    finally:
        object.__setattr__(op, "partials", right)


@contextmanager
def wrong_operator(method: str, factor: float) -> Iterator[None]:
    right = getattr(Value, method)

    def spoiled(*operands: Any) -> Value:
        node = right(*operands)
        partials = tuple(wrong(d, factor) for d in node.partials)
        return value.new_node(node.data, node.op, node.parents, partials)

    setattr(Value, method, spoiled)
    try:
        yield
    finally:
        setattr(Value, method, right)


@contextmanager
def mutated(function: Any, old: str, new: str) -> Iterator[None]:
    """Replace a piece of the source of ``function``, for every caller."""
    source = textwrap.dedent(inspect.getsource(function))
    assert source.count(old) == 1, f"{old!r} stands {source.count(old)} times in {function}"
    space = dict(function.__globals__, breadth_first=breadth_first)
    exec(compile(source.replace(old, new), f"<mutated {function.__name__}>", "exec"), space)
    right = function.__code__
    function.__globals__["breadth_first"] = breadth_first
    function.__code__ = space[function.__name__].__code__
    try:
        yield
    finally:
        function.__code__ = right
        del function.__globals__["breadth_first"]


def breadth_first(order: Sequence[Any]) -> list[Any]:
    """Return the nodes by their distance from the result, an order with incomplete adjoints."""
    found = [order[-1]]
    for node in found:
        computed = [p for p in dict.fromkeys(node.parents) if p.parents]
        found += [p for p in computed if not any(p is q for q in found)]
    return found


MUTATIONS: dict[str, tuple[Any, str, str]] = {
    "grad: a shared node keeps one contribution": (
        sweeps.adjoints,
        "result[parent] + term if parent in result else term",
        "term",
    ),
    "grad: adjoints handed on before they are complete": (
        sweeps.adjoints,
        "reversed(order)",
        "breadth_first(order)",
    ),
    "grad: the local derivative of the wrong operand": (
        sweeps.adjoints,
        "zip(node.parents, local_derivatives(node, as_graph))",
        "zip(node.parents, list(local_derivatives(node, as_graph))[::-1])",
    ),
    "grad: an adjoint not multiplied on": (sweeps.adjoints, "times(adjoint, partial)", "partial"),
    "grad in floats: a shared node keeps one contribution": (
        sweeps.gradients,
        "get(right, -0.0) + above",
        "above",
    ),
    "grad in floats: adjoints handed on before they are complete": (
        sweeps.gradients,
        "reversed(order)",
        "breadth_first(order)",
    ),
    "backward: a shared node keeps one contribution": (
        Value.backward,
        "right._grad += adjoint",
        "right._grad = adjoint",
    ),
    "backward: adjoints handed on before they are complete": (
        Value.backward,
        "reversed(order)",
        "breadth_first(order)",
    ),
    "backward: interior adjoints left over from the sweep before": (
        Value.backward,
        "node._grad = 0.0",
        "pass",
    ),
    "backward: leaves overwritten instead of added to": (
        Value.backward,
        "for node in order:",
        "for node in topological_order(self):",
    ),
    "forward: only the first operand's tangent": (
        sweeps.tangents,
        "terms[0] if len(terms) == 1 else fsum(terms)",
        "terms[0]",
    ),
    "the order: a parent after a node that uses it": (
        graph.topological_order,
        "put(stack.pop())",
        "order.insert(0, stack.pop())",
    ),
}
if native.node is not None:  # what runs in C is planted where the suite runs without it
    MUTATIONS = {
        name: mutation
        for name, mutation in MUTATIONS.items()
        if not name.startswith(("backward", "grad in floats"))
    }


OPERATORS = {
    "add": "__add__",
    "sub": "__sub__",
    "mul": "__mul__",
    "div": "__truediv__",
    "pow": "__pow__",
}


def plants() -> list[Plant]:
    found = []
    for name, factor in FACTORS.items():
        for op in OPS.values():
            if op.name in OPERATORS:
                planted = partial(wrong_operator, OPERATORS[op.name], factor)
            elif op.name in DISCRETE:  # reached as derivatives of others, never alone
                continue
            else:
                planted = partial(wrong_row, op, factor)
            found.append(Plant(f"{op.name}, {name}", planted, (op,)))
    for name, mutation in MUTATIONS.items():
        found.append(Plant(name, partial(mutated, *mutation), ()))
    return found
