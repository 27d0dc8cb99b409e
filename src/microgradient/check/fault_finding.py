"""Where a gradient went wrong: the smallest part of the graph whose derivative is not right.

In this order: a local derivative that is not that of its operation; a number that f computed from
its inputs behind the graph's back; a graph that changes with the input; the sweep itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite, ulp

from microgradient.check.differences import Stencil
from microgradient.check.exact_gradients import AtKink, exact_partial
from microgradient.check.recording import Recording, with_number
from microgradient.check.running_error import NOT_IN_THIS_ARITHMETIC, UNIT, partial_errors
from microgradient.engine import ops
from microgradient.engine.op import OPS
from microgradient.engine.trees import Tree
from microgradient.engine.value import Value

NOT_EXACT = (*NOT_IN_THIS_ARITHMETIC, ImportError)  # a formula beyond mpmath, or no mpmath


@dataclass(frozen=True)
class Fault:
    """A local derivative that is not that of its operation."""

    node: Value
    operand: int
    got: float
    expected: float
    bound: float

    def __str__(self) -> str:
        assert self.node.op is not None
        name = self.node.op.name
        call = f"{name}({', '.join(repr(p.data) for p in self.node.parents)})"
        which = f"by operand {self.operand}" if len(self.node.parents) > 1 else "by its operand"
        text = (
            f"the smallest failing sub-graph is one node, {call}: its local derivative {which} is "
            f"{self.got!r}, expected {self.expected!r} ± {self.bound:.1g}"
        )
        if OPS.get(name) is self.node.op:
            return text + "; the row in the table, or a Value's partials, have been changed"
        return f"{text}; check the row with check_op({name})"


def local_faults(recording: Recording) -> Iterator[Fault]:
    """Yield every local derivative that differs from that of its operation's value.

    Measured against mpmath at the operands as they are, where the formula allows it, else against
    finite differences of the operation alone. Kinks are left to the caller.
    """
    for node in recording.order:
        if not node.parents or node.op is None or node.op in (ops.argument, ops.passed, ops.taken):
            continue
        errors = partial_errors(node)
        for i, (parent, got) in enumerate(zip(node.parents, node.partials)):
            if parent not in recording.active or not isfinite(got):
                continue
            try:
                expected, bound = _expected(node, i, got)
            except AtKink:
                continue
            bound += 2 * errors[i] + 4 * max(ulp(got), ulp(expected))
            if not abs(got - expected) <= bound:
                yield Fault(node, i, got, expected, bound)


def _expected(node: Value, i: int, got: float) -> tuple[float, float]:
    op, numbers = node.op, [parent.data for parent in node.parents]
    assert op is not None
    try:
        return float(exact_partial(op, numbers, i)), 0.0
    except NOT_EXACT:
        pass

    def along(t: float) -> float:
        return op.fast(*numbers[:i], t, *numbers[i + 1 :])

    noise = 8 * UNIT * abs(node.data)
    slope = Stencil(along, numbers[i], lambda h: noise).judge(got, 0.0)
    if slope.kind != "smooth":
        raise AtKink(op.name)
    return slope.low, slope.bound


def hidden_dependence(
    f: Callable[..., Tree], args: Sequence[Tree], input_index: int, names: Sequence[str]
) -> str | None:
    """Return what in the graph of ``f`` changes with an input but is not connected to it."""
    here = Recording(f, args)
    x = here.inputs[input_index].data
    there = Recording(f, with_number(args, input_index, x + max(1.0, abs(x)) * 2.0**-20))
    name = names[input_index]
    if [node.op for node in here.order] != [node.op for node in there.order]:
        return (
            f"the graph of f changes with {name}: a branch of its Python code depends on it, and "
            "is not differentiated through; choose with where(condition, a, b)"
        )
    for node, moved in zip(here.order, there.order):
        if not node.parents and node not in here.inputs and node.data != moved.data:
            users = [user for user in here.order if node in user.parents]
            where = f" (an operand of {users[0].op.name})" if users and users[0].op else ""
            return (
                f"the number {node.data!r}{where} is computed from {name}, but not connected to "
                "it: `.data`, `detach` or float arithmetic cut it off"
            )
    for node, moved in zip(here.order, there.order):
        if node not in here.active and node.data != moved.data:
            return f"the node {node!r} changes with {name}, but does not depend on it in the graph"
    return None
