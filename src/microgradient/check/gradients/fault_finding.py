"""Where a gradient went wrong: the smallest part of the graph whose derivative is wrong.

Looked for in this order: a wrong local derivative; a number that f computes from its inputs outside
the graph; a graph that changes with the input; the sweep itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite, isnan, ulp

from microgradient.check.gradients.finite_differences import Stencil
from microgradient.check.gradients.recording import Recording
from microgradient.check.numbers.branches import choices
from microgradient.check.numbers.exact_partials import digits_to_try, exact_partial, limit_at_seam
from microgradient.check.numbers.number_systems import exact
from microgradient.check.numbers.running_error import (
    NOT_IN_THIS_ARITHMETIC,
    UNIT,
    local_error,
    partial_errors,
)
from microgradient.check.numbers.taylor import AtKink
from microgradient.engine import ops
from microgradient.engine.arithmetic import FLOATS
from microgradient.engine.ops import OPS
from microgradient.engine.services.trees import Tree
from microgradient.engine.value import Value

_MOVED = 2.0**-30
NOT_EXACT = (*NOT_IN_THIS_ARITHMETIC, ImportError)  # mpmath cannot evaluate it, or is missing


@dataclass(frozen=True)
class Fault:
    """A node whose value, or a local derivative, is wrong for its operation."""

    node: Value
    operand: int | None  # None: the value itself
    got: float
    expected: float
    bound: float

    def __str__(self) -> str:
        assert self.node.op is not None
        name = self.node.op.name
        call = f"{name}({', '.join(repr(p.data) for p in self.node.parents)})"
        which = "local derivative by its operand"
        if self.operand is None:
            which = "value"
        elif len(self.node.parents) > 1:
            which = f"local derivative by operand {self.operand}"
        text = (
            f"the smallest failing subgraph is one node, {call}: its {which} is "
            f"{self.got!r}, expected {self.expected!r} ± {self.bound:.1g}"
        )
        if OPS.get(name) is self.node.op:
            return text + "; the row of the table, or the node's partials, have been changed"
        return f"{text}; check the row with check_op({name})"


def local_faults(recording: Recording) -> Iterator[Fault]:
    """Yield every wrong value, and every wrong local derivative, of the nodes.

    Each is compared with mpmath at the node's own operands, or with finite differences of the
    operation alone if mpmath cannot evaluate its formula. Kinks are skipped.
    """
    for node in recording.order:
        if not node.parents or node.op is None or node.op in (ops.argument, ops.passed, ops.taken):
            continue
        if fault := _wrong_value(node):
            yield fault
        errors = partial_errors(node)
        for i, (parent, got) in enumerate(zip(node.parents, node.partials)):
            if parent not in recording.active or not isfinite(got):
                continue
            if fault := _wrong_partial(node, i, got, errors[i]):
                yield fault


def _wrong_value(node: Value) -> Fault | None:
    op, numbers = node.op, [p.data for p in node.parents]
    assert op is not None
    try:
        m = exact()
        wanted = float(op.value(m, *map(m.lift, numbers)))
        if not (isfinite(wanted) and isfinite(node.data)):
            return None
        limit = limit_at_seam(op, numbers)
    except AtKink:
        limit = None
    except NOT_EXACT:
        return None
    bound = 2 * local_error(node) + 2 * ulp(wanted)
    if abs(node.data - wanted) > bound:
        return Fault(node, None, node.data, wanted, bound)
    if limit is not None:
        expected, doubt = limit
        bound += doubt + 4 * ulp(expected)
        if abs(node.data - expected) > bound:  # a jump at this point alone
            return Fault(node, None, node.data, expected, bound)
    return None


def _wrong_partial(node: Value, i: int, got: float, error: float) -> Fault | None:
    for digits in digits_to_try(parent.data for parent in node.parents):
        try:
            expected, bound = _expected(node, i, got, digits)
        except AtKink:
            return None
        if not isfinite(expected) or error != error:
            return None  # nothing to compare with, or no bound
        bound += 2 * error + 4 * max(ulp(got), ulp(expected))
        if abs(got - expected) <= bound:
            return None
    return Fault(node, i, got, expected, bound)


def _expected(node: Value, i: int, got: float, digits: int) -> tuple[float, float]:
    op, numbers = node.op, [parent.data for parent in node.parents]
    assert op is not None
    try:
        return float(exact_partial(op, numbers, i, digits)), 0.0
    except NOT_EXACT:
        pass

    def along(t: float) -> float:
        return op.fast(*numbers[:i], t, *numbers[i + 1 :])

    noise = 8 * UNIT * abs(node.data)
    slope = Stencil(along, numbers[i], lambda h: noise).judge(got, 0.0)
    if slope.kind != "smooth":
        raise AtKink(op.name)
    return slope.low, slope.bound


def first_nan(recording: Recording) -> str | None:
    """Return which node is the first with a local derivative that is nan, in words."""
    for node in recording.order:
        if node in recording.active and node.op is not None and any(map(isnan, node.partials)):
            call = ", ".join(repr(p.data) for p in node.parents)
            return f"the first nan among local derivatives is at {node.op.name}({call})"
    return None


def hidden_dependence(
    f: Callable[..., Tree], args: Sequence[Tree], input_index: int, names: Sequence[str]
) -> str | None:
    """Return, in words, what changes with an input without being connected to it in the graph."""
    here = Recording(f, args)
    x, name = here.inputs[input_index].data, names[input_index]
    near = abs(x) or 1.0
    # From far off, as numbers near a large one need, another branch says nothing about this point.
    for move in (near, -near, *((1.0, -1.0) if near < 1 else ())):
        numbers = [x.data for x in here.inputs]
        numbers[input_index] += move * _MOVED
        try:
            there = Recording(f, args, numbers)
        except (ArithmeticError, LookupError, ValueError):
            continue  # f ends here
        same = _shape(here) == _shape(there)
        if not same and abs(move) == near:
            return _another_graph(here, name)
        if same and (told := _difference(here, there, name)):
            return told
    return None


def _shape(recording: Recording) -> list[tuple[object, ...]]:
    """Return the operation of every node, and where in the order its parents are."""
    place = {node: k for k, node in enumerate(recording.order)}
    return [(node.op, *(place[p] for p in node.parents)) for node in recording.order]


def _another_graph(here: Recording, name: str) -> str:
    if any(node.op is ops.taken for node in here.order):
        return (
            f"the graph of f changes with {name}: a `where` or `if` takes another branch beside "
            "this point, and only the branch taken is differentiated; give it the slope of f, as "
            "in where(x == 0, 1 + x / 2, (exp(x) - 1) / x)"
        )
    return (
        f"the graph of f changes with {name}: a branch in its Python code depends on it, and "
        "branches are not differentiated; write where(condition, a, b)"
    )


def _difference(here: Recording, there: Recording, name: str) -> str | None:
    for node, moved in zip(here.order, there.order):
        if not node.parents and node not in here.active and node.data != moved.data:
            users = [user for user in here.order if any(p is node for p in user.parents)]
            where = f" (an operand of {users[0].op.name})" if users and users[0].op else ""
            return (
                f"the number {node.data!r}{where} is computed from {name} but not connected to it "
                "in the graph: `.data`, `detach` or float arithmetic cut it off"
            )
    for node, moved in zip(here.order, there.order):
        if node not in here.active and node.data != moved.data:
            return f"the node {node!r} changes with {name} but does not depend on it in the graph"
    return None


def branch_of_its_own(here: Recording, beside: Sequence[Recording]) -> str | None:
    """Return, in words, which row takes a branch at this point that it takes on neither side.

    The formula of such a branch, often a constant, need not have the derivative of the function.
    """
    for nodes in zip(here.order, *(there.order for there in beside)):
        op = nodes[0].op
        if op is None or not nodes[0].parents:
            continue
        made, *others = [choices(op, [p.data for p in node.parents], FLOATS) for node in nodes]
        if made and made not in others:
            call = ", ".join(repr(p.data) for p in nodes[0].parents)
            return (
                f"{op.name}({call}) takes a branch that it does not take on either side: its "
                "formula hides the slope; make it a series about the point, or one value at the "
                "point, by m.equal"
            )
    return None
