"""draw: the graph as a picture, with numbers in the nodes and local derivatives on the edges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from microgradient.engine.number import positive, shown
from microgradient.engine.value import Value
from microgradient.view.drawing.picture import Box, Link, every_node, folds, size, width
from microgradient.view.graph.folding import fold
from microgradient.view.graph.numbering import Names, Numbering
from microgradient.view.text.escaping import record_field

if TYPE_CHECKING:
    from microgradient.view.drawing.digraph import Drawing

DETAILS = ("auto", "operations", "neurons", "layers")
MOST_NODES = 300  # of a drawing that shows every node, unless asked for
MOST_EDGES = 1000  # of the same
MOST_NEURONS = 50  # boxes of a drawing by neurons, unless asked for
MOST_BOXES = 1000  # of any drawing: a layout of thousands takes minutes and says nothing

_LARGE = 600  # boxes and links, from which on dot is told to hurry: 1,000 boxes in a second, not 15
_HURRY = "splines=line nslimit=0.1 nslimit1=0.1 mclimit=0.05"

_STYLE = (
    'node [shape=Mrecord fontname="Helvetica" fontsize=11 color="#5f6b7a" style=filled '
    'fillcolor="#ffffff"]',
    'edge [fontname="Helvetica" fontsize=10 arrowsize=0.7]',
    'graph [fontname="Helvetica" fontsize=10 fontcolor="#5f6b7a" color="#cbd5e1"]',
)
_FILL = {
    "input": "#dbeafe",
    "constant": "#eeeeee",
    "operation": "#ffffff",
    "result": "#fef3c7",
    "module": "#f3e8ff",
}
_COLOR = {"positive": "#1d4ed8", "negative": "#c2410c", "zero": "#9ca3af"}  # safe for all eyes


def draw(
    value: Value,
    names: Names | None = None,
    *,
    detail: str = "auto",
    sweep: str = "forward",
    direction: str = "LR",
    limit: int = MOST_BOXES,
) -> Drawing:
    """Return the graph that ``value`` was computed by, as a ``graphviz.Digraph``.

    A node shows name, operation, value and gradient ("not yet" until a reverse sweep reached it);
    an edge shows the local derivative: blue where positive, orange where negative, grey where
    exactly zero, wider where larger. ``names`` is ``locals()``, or what ``watch`` remembered; a
    model in it gives its neurons and layers their names. ``sweep="reverse"`` turns the arrows
    round and shows what flows back: adjoint × local derivative. ``direction`` is "LR" or "TB".

    ``detail`` is "operations" (every node), "neurons" or "layers" (one box for each, the examples
    of a batch and other repetitions folded together), or "auto": every node of up to 300, else
    neurons, else layers. To see fused operations taken apart: ``draw(expand(value))``.

    In a notebook it shows itself; ``draw(y).render("y.svg")``, or "y.png", "y.pdf", writes
    a file; ``draw(y).source`` is the DOT text. Drawn by Graphviz's ``dot`` if there is one, else by
    the package graphviz-pure (extra ``draw``). Raises ValueError above ``limit`` boxes.
    """
    for what, given, known in (
        ("detail", detail, DETAILS),
        ("sweep", sweep, ("forward", "reverse")),
        ("direction", direction, ("LR", "TB")),
    ):
        if not isinstance(given, str) or given not in known:
            raise ValueError(f"{what} must be one of {', '.join(known)}, got {shown(given)}")
    limit = positive(limit, "limit")
    graph = Numbering(value, names, "draw")
    boxes, links = _picture(graph, detail, sweep == "reverse", limit)
    from microgradient.view.drawing.digraph import Drawing

    return Drawing(body=dot_lines(boxes, links, sweep == "reverse", direction))


def _picture(
    graph: Numbering, detail: str, contributions: bool, limit: int
) -> tuple[list[Box], list[Link]]:
    boxes, edges = size(graph)
    small = boxes <= min(MOST_NODES, limit) and edges <= MOST_EDGES
    if detail == "operations" or (detail == "auto" and small):
        if boxes <= limit and edges <= MOST_EDGES * 10:
            return every_node(graph, contributions=contributions)
        raise ValueError(
            f"this graph has {boxes:,} nodes with {edges:,} edges, and draw stops at {limit:,} "
            f"with {MOST_EDGES * 10:,}; draw it with "
            'detail="layers", or a part of it (one of its parents, one neuron), or raise limit='
        )
    for by in ("neurons", "layers") if detail == "auto" else (detail,):
        most = min(limit, MOST_NEURONS) if by == "neurons" and detail == "auto" else limit
        folded = fold(graph, by, most)
        crowded = detail == "auto" and by == "neurons" and len(folded.links if folded else ()) > 100
        if folded is not None and not crowded:
            return folds(folded, contributions=contributions)
    raise ValueError(
        f"this graph has {boxes:,} nodes, more than {limit:,} with repetitions folded, and draw "
        f"stops at {limit:,}; draw a part of it (one of its parents, one neuron), or raise limit="
    )


def dot_lines(
    boxes: Sequence[Box], links: Sequence[Link], reverse: bool, direction: str
) -> list[str]:
    """Return the statements of a DOT graph. Identifiers are ours; only labels hold user text."""
    hurry = [_HURRY] if len(boxes) + len(links) > _LARGE else []
    lines = [f"rankdir={direction}", *hurry, *_STYLE, *_clusters(boxes)]
    lines += [f"{box.key} [{_box(box, direction)}]" for box in boxes]
    lines += [f"{link.source} -> {link.target} [{_edge(link, reverse)}]" for link in links]
    return [f"\t{line}\n" for line in lines]


def _box(box: Box, direction: str) -> str:
    fields = " | ".join(map(record_field, box.lines))
    label = fields if direction == "LR" else f"{{{fields}}}"  # stacked in either direction
    return f'id="{box.key}" class="{box.kind}" label="{label}" fillcolor="{_FILL[box.kind]}"'


def _edge(link: Link, reverse: bool) -> str:
    x = link.number
    sign = "zero" if not x or x != x else "positive" if x > 0 else "negative"
    color = _COLOR[sign]
    known = f'id="e{link.key}" class="{sign}" color="{color}"'
    if not link.text:
        return f"{known} {'dir=none' if reverse else 'arrowhead=none'}"
    ink = color if x is not None else "#5f6b7a"
    label = f'label=" {record_field(link.text)} " fontcolor="{ink}"'
    return f"{known} {label} penwidth={width(x):.2g}{' dir=back' if reverse else ''}"


def _clusters(boxes: Sequence[Box]) -> Iterator[str]:
    """Yield a box around each layer and, within it, around each of its neurons."""
    tree: dict[str, dict[str, list[str]]] = {}
    for box in boxes:
        if box.within:
            layer = tree.setdefault(box.within[0], {})
            layer.setdefault(box.within[-1], []).append(box.key)
    for i, (layer_name, neurons) in enumerate(tree.items()):
        yield f'subgraph cluster_{i} {{ label="{record_field(layer_name)}" style=rounded'
        for j, (name, keys) in enumerate(neurons.items()):
            members = "; ".join(keys)
            if name == layer_name:
                yield members
            else:
                inner = record_field(name.removeprefix(layer_name).lstrip("., "))
                yield f'subgraph cluster_{i}_{j} {{ label="{inner}"; {members} }}'
        yield "}"
