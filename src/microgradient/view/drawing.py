"""The graph as a picture: numbers in the nodes, local derivatives on the edges."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from microgradient.engine import ops
from microgradient.engine.graph import topological_order
from microgradient.engine.number import shown
from microgradient.engine.value import Value
from microgradient.view.escaping import record_field

if TYPE_CHECKING:
    from microgradient.view.digraph import Drawing

_STYLE = (
    'node [shape=Mrecord fontname="Helvetica" fontsize=11 color="#5f6b7a" style=filled '
    'fillcolor="#ffffff"]',
    'edge [fontname="Helvetica" fontsize=10 arrowsize=0.7]',
)
_LEAF, _CONSTANT, _RESULT = "#dbeafe", "#eeeeee", "#fef3c7"
_POSITIVE, _NEGATIVE, _ZERO = "#1d4ed8", "#c2410c", "#9ca3af"  # blue, orange, grey: safe for all


def draw(value: Value, *, limit: int = 1000, direction: str = "LR") -> Drawing:
    """Return the graph that ``value`` was computed by, as a ``graphviz.Digraph``.

    A node shows label, operation, number and gradient ("not yet" until a reverse sweep reached
    it); an edge shows the local derivative, blue where positive, orange where negative, grey where
    exactly zero. In a notebook it shows itself; ``draw(y).render("y.svg")`` or "y.png" writes
    a file; ``draw(y).source`` is the DOT text. ``direction`` is "LR" or "TB".

    Drawn by Graphviz's ``dot`` if there is one, else by the package graphviz-pure (extra ``draw``).
    Raises ValueError above ``limit`` nodes: a layout of thousands takes minutes and says nothing.
    """
    if type(value) is not Value:
        raise TypeError(f"draw expects a Value, got {shown(value)}")
    if direction not in ("LR", "TB"):
        raise ValueError(f'direction must be "LR" or "TB", got {direction!r}')
    order = topological_order(value)
    if len(order) > limit:
        raise ValueError(
            f"this graph has {len(order):,} nodes, and draw stops at {limit:,}; draw a part of it "
            "(one of its parents, one neuron), or raise limit="
        )
    from microgradient.view.digraph import Drawing

    return Drawing(body=[f"\t{line}\n" for line in _statements(order, direction)])


def _statements(order: list[Value], direction: str) -> Iterator[str]:
    yield f"rankdir={direction}"
    yield from _STYLE
    number = {node: i for i, node in enumerate(order)}
    for node in order:
        fields = " | ".join(_fields(node))
        label = fields if direction == "LR" else f"{{{fields}}}"  # stacked in either direction
        yield f'{number[node]} [label="{label}" fillcolor="{_fill(node, order[-1])}"]'
    for node in order:
        for parent, partial in zip(node.parents, node.partials):
            yield f"{number[parent]} -> {number[node]} [{_edge(parent, partial)}]"


def _fields(node: Value) -> list[str]:
    if node.op is ops.constant:
        return [short(node.data)]
    symbol = node.op.symbol if node.parents and node.op else ""
    name = node.label or ""
    head = f"{name} = {symbol}" if name and symbol else name or symbol
    gradient = "grad not yet" if node.grad is None else f"grad {short(node.grad)}"
    return [*([record_field(head)] if head else []), f"value {short(node.data)}", gradient]


def _fill(node: Value, result: Value) -> str:
    if node is result:
        return _RESULT
    return "#ffffff" if node.parents else _CONSTANT if node.op is ops.constant else _LEAF


def _edge(parent: Value, partial: float) -> str:
    if parent.op is ops.constant:
        return f'color="{_ZERO}" arrowhead=none'
    color = _POSITIVE if partial > 0 else _NEGATIVE if partial < 0 else _ZERO
    return f'label=" {short(partial)} " color="{color}" fontcolor="{color}"'


def short(x: float) -> str:
    """Return ``x`` with four significant digits."""
    return f"{x:.4g}"
