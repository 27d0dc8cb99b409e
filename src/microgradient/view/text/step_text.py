"""A step in words and numbers: the sentence beside the picture."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from microgradient.engine import ops
from microgradient.engine.value import Value
from microgradient.view.graph.numbering import Numbering
from microgradient.view.graph.sweep_steps import Step
from microgradient.view.text import formulas
from microgradient.view.text.escaping import latex_name, plain
from microgradient.view.text.formulas import ATOM, LATEX, SUM, TEXT, Formula, Notation

_WIDEST = 12  # operands of which the derivatives are written out: their formulas grow with them


def digits(x: float | None) -> str:
    """Return ``x`` with six significant digits, nothing for None."""
    return "" if x is None else f"{x:.6g}"


def signed(x: float | None) -> str:
    """Return ``x`` with six significant digits, in brackets if it is negative."""
    text = digits(x)
    return f"({text})" if text.startswith("-") else text


def _index(n: int) -> str:
    return str(n).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))


class Teller:
    """Writes the formulas of a graph's nodes and tells its steps."""

    def __init__(self, graph: Numbering, notation: Notation = TEXT) -> None:
        self.graph, self.notation = graph, notation
        self.derivatives, self.formula = cache(self._derivatives), cache(self._formula)

    def symbol(self, node: Value) -> str:
        """Return the name of a node, in the notation."""
        name = self.graph.symbol(node)
        if self.notation is not LATEX:
            return plain(name)
        if name == self.graph.variable(node):
            return f"v_{{{self.graph.number[node]}}}"
        return latex_name(plain(name))

    def operand(self, node: Value) -> Formula:
        """Return the name of a node, or the number of a constant."""
        if node.op is ops.constant and node is not self.graph.result:
            return formulas.number(self.notation, node.data)
        name = self.symbol(node)
        plain_name = self.notation is LATEX or re.fullmatch(r"(v-\d+|[\w.]+(\[[^\]]*\])*)", name)
        return Formula(name, self.notation, ATOM if plain_name else SUM)

    def _formula(self, node: Value) -> str:
        """Return how ``node`` was computed, such as ``w * x``; "" for an input."""
        if not node.parents or node.op is None:
            return ""
        return formulas.written(node.op, self._operands(node), self.notation).text

    def by(self, node: Value) -> str:
        """Return the name of the derivative of the result by ``node``: ``dy/dw``."""
        a, b = f"d{self.symbol(self.graph.result)}", f"d{self.symbol(node)}"
        return rf"\frac{{{a}}}{{{b}}}" if self.notation is LATEX else f"{a}/{b}"

    def local(self, node: Value, operand: int) -> str:
        """Return the name of a local derivative: ``∂y/∂s``, all other operands held fast.

        Of a node that is an operand twice, as in ``y = a * a``: ``∂₁y/∂a`` and ``∂₂y/∂a``.
        """
        latex, parent = self.notation is LATEX, node.parents[operand]
        d, place = (r"\partial", f"_{{{operand + 1}}} ") if latex else ("∂", _index(operand + 1))
        if node.parents.count(parent) == 1:
            place = " " if latex else ""
        above, below = f"{d}{place}{self.symbol(node)}", f"{d} {self.symbol(parent)}"
        return rf"\frac{{{above}}}{{{below}}}" if latex else f"{above}/{below.replace(' ', '', 1)}"

    def tell(self, step: Step) -> str:
        """Return what happens in ``step``, such as ``dy/dw = dy/ds × ∂s/∂w = 2 × 3 = 6``."""
        if step.rule in ("input", "evaluate"):
            shown = [self.symbol(step.node), self.formula(step.node), digits(step.after)]
            return " = ".join(filter(None, shown))
        name, after = self.by(step.node), digits(step.after)
        if step.giver is None or step.operand is None:
            return f"{name} = {after}"
        factors = f"{self.by(step.giver)} × {self.local(step.giver, step.operand)}"
        numbers = f"{signed(step.adjoint)} × {signed(step.partial)}"
        if step.before is not None and step.rule != "overwrite":
            numbers = f"{digits(step.before)} + {numbers}"
            factors = f"so far + {factors}"
        return f"{name} = {factors} = {numbers} = {after}"

    def why(self, step: Step) -> str:
        """Return where the local derivative of a contribution comes from; "" for other steps."""
        if step.giver is None or step.operand is None or step.partial is None:
            return ""
        name = self.local(step.giver, step.operand)
        formula = f"{self.symbol(step.giver)} = {self.formula(step.giver)}"
        rule = self.derivatives(step.giver)[step.operand]
        number = digits(step.partial)
        shown = [name, rule, number] if rule != number else [name, number]
        return f"{' = '.join(filter(None, shown))}, for {formula}"

    def _derivatives(self, node: Value) -> Sequence[str]:
        result = Formula(self.symbol(node), self.notation)
        operands = self._operands(node)
        if node.op is None or (len(operands) > _WIDEST and node.op not in (ops.dot, ops.fsum)):
            return [""] * len(operands)
        return formulas.derivatives(node.op, result, operands)

    def _operands(self, node: Value) -> Sequence[Formula]:
        return [self.operand(parent) for parent in node.parents]
