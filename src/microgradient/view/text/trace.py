"""trace: the evaluation trace, all numbers of the forward and the reverse sweep as two tables."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from itertools import islice
from typing import Any

from microgradient.engine.value import Value
from microgradient.view.escaping import cell, plain
from microgradient.view.graph.numbered_graph import Names, NumberedGraph
from microgradient.view.graph.sweep_steps import Step, reverse_sweep
from microgradient.view.numerals import digits
from microgradient.view.text.formulas import ATOM, LATEX, number
from microgradient.view.text.step_text import StepWriter
from microgradient.view.text.tables import Table

FORWARD = ("variable", "name", "formula", "value")
REVERSE = ("from", "adjoint", "× local derivative", "", "= contribution", "to", "so far")
_MOST = 2_000  # rows that text, HTML and LaTeX show


def trace(value: Value, names: Names | None = None) -> EvaluationTrace:
    """Return the evaluation trace of ``value``: the forward and the reverse sweep as two tables.

    Forward, one row for each variable: v(1-n) … v(0) are the n inputs, v(1) … v(l) are computed
    from them. Reverse, from the result down: every contribution ``adjoint × local derivative``,
    where it goes, and the sum that has arrived there so far. The adjoints, d(value)/d(variable),
    are computed afresh; no ``grad`` is read or changed. ``names`` is ``locals()``, or what
    ``watch`` remembered.

    Prints as text; a notebook displays HTML; ``.latex()`` and ``.csv()`` return text. ``.rows`` and
    ``.contributions`` are lists of dicts, so that ``pandas.DataFrame(trace(y).rows)`` works.
    Source: Griewank and Walther, Evaluating Derivatives, tables 2.1 and 3.1.
    """
    return EvaluationTrace(NumberedGraph(value, names, "trace"))


@dataclass(frozen=True)
class EvaluationTrace:
    """The forward and the reverse sweep through ``graph`` as tables; see ``trace``."""

    graph: NumberedGraph

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One dict for each variable, inputs first."""
        graph, writer = self.graph, StepWriter(self.graph)
        adjoint = {step.node: step.after for step in reverse_sweep(graph)}
        return [
            {
                "variable": graph.variable(node),
                "name": graph.names.get(node, ""),
                "operation": node.op.name if node.op and node.parents else "",
                "formula": writer.formula(node),
                "value": node.data,
                "adjoint": adjoint[node],
                "parents": tuple(graph.variable(p) for _, p, _ in graph.edges(node)),
                "partials": tuple(partial for _, _, partial in graph.edges(node)),
                "line": graph.lines[node].text if node in graph.lines else "",
            }
            for node in graph.nodes
        ]

    @property
    def contributions(self) -> list[dict[str, Any]]:
        """One dict for each contribution, in the order of the reverse sweep."""
        return [
            {
                "from": self.graph.variable(step.giver),
                "adjoint": step.adjoint,
                "partial": step.partial,
                "contribution": step.contribution,
                "to": self.graph.variable(step.node),
                "sum": step.after,
            }
            for step in reverse_sweep(self.graph)
            if step.giver is not None
        ]

    def csv(self) -> str:
        """Return the rows as CSV with a header; a cell that starts like a formula gets a '."""
        out = io.StringIO()
        columns = ("variable", "name", "operation", "formula", "value", "adjoint")
        writer = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
        writer.writerow(columns)
        for row in self.rows:
            texts = [row[c] if isinstance(row[c], float) else cell(row[c]) for c in columns]
            writer.writerow(texts)
        return out.getvalue()

    def latex(self) -> str:
        """Return both sweeps as one ``array`` environment, to be put between dollars."""
        writer = StepWriter(self.graph, LATEX)
        lines = [
            rf"{writer.symbol(node)} &= {writer.formula(node) or LATEX.number(node.data)} "
            rf"&{'=' if node.parents else ''} {LATEX.number(node.data) if node.parents else ''} \\"
            for node in self.graph.nodes[:_MOST]
        ]
        lines.append(r"\hline")
        lines += [_latex_line(writer, step) for step in islice(reverse_sweep(self.graph), _MOST)]
        if max(len(self.graph.nodes), len(lines)) > _MOST:
            lines.append(rf"\text{{(cut after {_MOST:,} lines)}}")
        return "\\begin{array}{lll}\n" + "\n".join(lines) + "\n\\end{array}"

    def tables(self) -> tuple[Table, Table]:
        """Return the forward and the reverse sweep as tables of text."""
        graph, writer = self.graph, StepWriter(self.graph)
        result = writer.name(graph.result).within(ATOM)
        forward = [
            (
                graph.variable(node),
                plain(graph.names.get(node, "")),
                writer.formula(node) or "input",
                digits(node.data),
            )
            for node in graph.nodes[:_MOST]
        ]
        steps = list(islice(reverse_sweep(graph), _MOST + 1))
        reverse = [_reverse_cells(writer, step) for step in steps[:_MOST]]
        notes = [
            f" (the first {_MOST:,} rows; .{where} has all)" if count > _MOST else ""
            for where, count in (("rows", len(graph.nodes)), ("contributions", len(steps)))
        ]
        return (
            Table(f"Forward sweep{notes[0]}", FORWARD, tuple(forward), frozenset({3})),
            Table(
                f"Reverse sweep: the adjoint of v is d{result}/dv{notes[1]}",
                REVERSE,
                tuple(reverse),
                frozenset({1, 3, 4, 6}),
            ),
        )

    def __repr__(self) -> str:
        return "\n\n".join(table.text() for table in self.tables())

    def _repr_html_(self) -> str:
        return "\n".join(table.html() for table in self.tables())


def _latex_line(writer: StepWriter, step: Step) -> str:
    name, sign = writer.derivative(step.node), "=" if step.before is None else r"\mathrel{+}="
    if step.giver is None or step.operand is None:
        return rf"{name} &= 1 & \\[4pt]"
    local = writer.local_derivative(step.giver, step.operand)
    factors = rf"{writer.derivative(step.giver)} \cdot {local}"
    numbers = r" \cdot ".join(
        number(LATEX, x).within(ATOM) for x in (step.adjoint, step.partial) if x is not None
    )
    result = LATEX.number(step.contribution) if step.contribution is not None else ""
    return rf"{name} &{sign} {factors} = {numbers} &= {result} \\[4pt]"


def _reverse_cells(writer: StepWriter, step: Step) -> tuple[str, ...]:
    to, now = writer.derivative(step.node), digits(step.after)
    if step.giver is None or step.operand is None:
        return ("", "", "", "", "1", to, now)
    numbers = [digits(x) for x in (step.adjoint, step.partial, step.contribution)]
    local = writer.local_derivative(step.giver, step.operand)
    return (writer.symbol(step.giver), numbers[0], local, numbers[1], numbers[2], to, now)
