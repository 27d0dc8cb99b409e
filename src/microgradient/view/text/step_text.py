"""A step in formulas and numbers: the sentence beside the picture."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar

from microgradient.engine import ops
from microgradient.engine.value import Value
from microgradient.view.escaping import latex_name, markup, mathml_name, plain
from microgradient.view.graph.composites import Composite, Sum
from microgradient.view.graph.numbered_graph import NumberedGraph
from microgradient.view.graph.sweep_steps import Step
from microgradient.view.numerals import digits, signed, subscript
from microgradient.view.text import formulas
from microgradient.view.text.formulas import ATOM, LATEX, MATHML, SUM, TEXT, Formula, Notation

T = TypeVar("T")
_WIDEST = 12  # operands whose derivatives are written out: their formulas grow with the operands


def _once(method: Callable[[StepWriter, Value], T]) -> Callable[[StepWriter, Value], T]:
    """Keep what ``method`` returns for each node: ``functools.cache`` would keep the graph too."""
    name = method.__name__

    @wraps(method)
    def remembering(self: StepWriter, node: Value) -> T:
        known: dict[Value, T] = self.known.setdefault(name, {})
        if node not in known:
            known[node] = method(self, node)
        return known[node]

    return remembering


class StepWriter:
    """Writes the steps of a graph, and the names and formulas of its nodes, in one notation."""

    def __init__(self, graph: NumberedGraph, notation: Notation = TEXT) -> None:
        self.graph, self.notation = graph, notation
        self.known: dict[str, dict[Value, Any]] = {}

    @_once
    def symbol(self, node: Value) -> str:
        """Return the name of a node."""
        name = self.graph.symbol(node)
        if self.notation is TEXT:
            return plain(name)
        if self.notation is MATHML:
            return mathml_name(re.sub(r"^(w)eights\[|^(b)ias\[", r"\1\2[", plain(name)))
        if name == self.graph.variable(node):
            return f"v_{{{self.graph.number[node]}}}"
        return latex_name(plain(name))

    def operand(self, node: Value) -> Formula:
        """Return the name of a node, or the number of a constant, as a formula."""
        if node.op is ops.constant and node is not self.graph.result:
            return formulas.number(self.notation, node.data)
        return self.name(node)

    def name(self, node: Value) -> Formula:
        """Return the name of a node as a formula: an expression, such as ``x1*w1 + b``, is one."""
        atom = re.fullmatch(r"(v-\d+|[\w.]+(\[[^\]]*\])*)", plain(self.graph.symbol(node)))
        return Formula(self.symbol(node), self.notation, ATOM if atom else SUM)

    @_once
    def formula(self, node: Value) -> str:
        """Return how ``node`` was computed, such as ``w * x``; "" for an input."""
        if isinstance(node.op, Composite) and not isinstance(node.op, Sum):
            sign = self.graph.sign(node)
            return f"<mtext>{markup(plain(sign))}</mtext>" if self.notation is MATHML else sign
        if not node.parents or node.op is None:
            return ""
        return formulas.written(node.op, self._operands(node), self.notation).text

    @_once
    def derivatives(self, node: Value) -> Sequence[str]:
        """Return the local derivative by each operand as a formula; "" where it would be long."""
        result = self.name(node)
        operands = self._operands(node)
        long = len(operands) > _WIDEST and not isinstance(node.op, Sum)
        if node.op is None or (long and node.op not in (ops.dot, ops.fsum)):
            return [""] * len(operands)
        return formulas.derivatives(node.op, result, operands)

    def derivative(self, node: Value) -> str:
        """Return what the derivative of the result by ``node`` is called: ``dy/dw``.

        A name that is an expression stands in brackets: ``dy/d(x1*w1 + b)``.
        """
        above, below = (f"d{self.name(it).within(ATOM)}" for it in (self.graph.result, node))
        return rf"\frac{{{above}}}{{{below}}}" if self.notation is LATEX else f"{above}/{below}"

    def local_derivative(self, node: Value, operand: int) -> str:
        """Return what a local derivative is called: ``∂y/∂s``.

        If a node is an operand twice, as in ``y = a * a``: ``∂₁y/∂a`` and ``∂₂y/∂a``.
        """
        parent = node.parents[operand]
        above, below = self.name(node).within(ATOM), self.name(parent).within(ATOM)
        twice = sum(other is parent for other in node.parents) > 1
        if self.notation is LATEX:
            place = f"_{{{operand + 1}}}" if twice else ""
            return rf"\frac{{\partial{place} {above}}}{{\partial {below}}}"
        return f"∂{subscript(operand + 1) if twice else ''}{above}/∂{below}"

    def equation(self, step: Step) -> str:
        """Return what happens in ``step``, such as ``dy/dw = dy/ds × ∂s/∂w = 2 × 3 = 6``."""
        if step.rule in ("input", "evaluate"):
            terms = [self.symbol(step.node), self.formula(step.node), digits(step.after)]
            return " = ".join(filter(None, terms))
        name, after = self.derivative(step.node), digits(step.after)
        if step.giver is None or step.operand is None:
            return f"{name} = {after}"
        local = self.local_derivative(step.giver, step.operand)
        factors = f"{self.derivative(step.giver)} × {local}"
        numbers = f"{signed(step.adjoint)} × {signed(step.partial)}"
        if step.before is not None and step.rule != "overwrite":
            factors = f"so far + {factors}"
            numbers = f"{digits(step.before)} + {numbers}"
        return f"{name} = {factors} = {numbers} = {after}"

    def reason(self, step: Step) -> str:
        """Return where the local derivative of a contribution comes from; "" for other steps."""
        if step.giver is None or step.operand is None or step.partial is None:
            return ""
        name = self.local_derivative(step.giver, step.operand)
        rule, number = self.derivatives(step.giver)[step.operand], digits(step.partial)
        terms = [name, rule, number] if rule != number else [name, number]
        made = f"{self.symbol(step.giver)} = {self.formula(step.giver)}"
        return f"{' = '.join(filter(None, terms))}, for {made}"

    def _operands(self, node: Value) -> Sequence[Formula]:
        return [self.operand(parent) for parent in node.parents]
