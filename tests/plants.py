"""Errors to plant in the engine, each of which the checks must find: a test of the tests.

A row's local derivatives wrong by a relative 1e-9, or in sign; an operator's own; and the sweeps
changed at the places where back-propagation is usually got wrong.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
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
from microgradient.engine import graph, sweeps

FACTORS = {"1e-9": 1 + 1e-9, "sign": -1.0}
COMMON = tuple(OPS[name] for name in ("add", "mul", "sin", "tanh", "fsum"))


@dataclass(frozen=True)
class Plant:
    """An error: its name, how to plant it for a while, and the rows it can be seen in."""

    name: str
    planted: Callable[[], Any]
    rows: tuple[Op, ...]

    def caught(self, tries: int = 300) -> str:
        """Return what the checks say of it; "" if they do not notice."""
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
    """Return what the campaign, and then check_gradient, say of a gradient; "" if all is well."""
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
    """Return ``x`` times ``factor``; a derivative of 0 becomes as much too large."""
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
        node.partials = tuple(wrong(d, factor) for d in node.partials)
        return node

    setattr(Value, method, spoiled)
    try:
        yield
    finally:
        setattr(Value, method, right)


@contextmanager
def mutated(function: Any, old: str, new: str) -> Iterator[None]:
    """Replace a piece of the source of ``function`` wherever it is called from."""
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
    """Return the nodes by their distance from the result: the order in which adjoints are stale."""
    found = [order[-1]]
    for node in found:
        found += [p for p in dict.fromkeys(node.parents) if p not in found]
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
    "backward: a shared node keeps one contribution": (
        Value.backward,
        "parent.grad += adjoint * partial",
        "parent.grad = adjoint * partial",
    ),
    "backward: adjoints handed on before they are complete": (
        Value.backward,
        "reversed(order)",
        "breadth_first(order)",
    ),
    "backward: interior adjoints left over from the sweep before": (
        Value.backward,
        "if node.parents or node.grad is None",
        "if node.grad is None",
    ),
    "backward: leaves overwritten instead of added to": (
        Value.backward,
        "if node.parents or node.grad is None:",
        "if True:",
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


def plants() -> list[Plant]:
    found = []
    for name, factor in FACTORS.items():
        for op in OPS.values():
            if op.name in ("polygamma",):  # reached as the derivative of digamma, never alone
                continue

            def row(op: Op = op, factor: float = factor) -> Any:
                return wrong_row(op, factor)

            if op.name not in ("add", "sub", "mul", "div", "pow"):
                found.append(Plant(f"{op.name}, {name}", row, (op,)))
        for op_name, method in {
            "add": "__add__",
            "sub": "__sub__",
            "mul": "__mul__",
            "div": "__truediv__",
            "pow": "__pow__",
        }.items():

            def operator(method: str = method, factor: float = factor) -> Any:
                return wrong_operator(method, factor)

            found.append(Plant(f"{op_name}, {name}", operator, (OPS[op_name],)))
    for name, mutation in MUTATIONS.items():

        def change(mutation: tuple[Any, str, str] = mutation) -> Any:
            return mutated(*mutation)

        found.append(Plant(name, change, ()))
    return found


@contextmanager
def nothing() -> Iterator[None]:
    yield
