"""draw: the graph as a picture, with numbers in the nodes and local derivatives on the edges."""

from __future__ import annotations

from microgradient.engine.number import positive, shown
from microgradient.engine.value import Value
from microgradient.view.drawing.boxes import Box, Link, every_fold, every_node, size
from microgradient.view.drawing.dot import dot_lines
from microgradient.view.drawing.drawing import Drawing
from microgradient.view.graph.folding import fold
from microgradient.view.graph.numbered_graph import Names, NumberedGraph

DETAILS = ("auto", "operations", "neurons", "layers")
MOST_NODES = 300  # of a drawing that shows every node without being asked to
MOST_EDGES = 1000  # of the same
MOST_NEURONS = 50  # boxes of a drawing by neurons, unless asked for
MOST_LINKS = 100  # of the same
MOST_BOXES = 1000  # of any drawing: the layout of thousands takes minutes and shows nothing


def draw(
    value: Value,
    names: Names | None = None,
    *,
    detail: str = "auto",
    sweep: str = "forward",
    direction: str = "LR",
    limit: int = MOST_BOXES,
) -> Drawing:
    """Return a drawing of the graph that ``value`` was computed by.

    A node shows its name, operation, value and gradient ("not yet" until a reverse sweep reaches
    it). An edge shows the local derivative: blue if positive, orange if negative, grey if exactly
    zero, and wider the larger it is. ``names`` is ``locals()``, or what ``watch`` remembered; a
    model among the names gives its neurons and layers their names. ``sweep="reverse"`` reverses
    the arrows and shows what flows back: adjoint × local derivative. ``direction`` is "LR" (left to
    right) or "TB" (top to bottom).

    ``detail`` is "operations" (every node), "neurons" or "layers" (one box for each; the examples
    of a batch and other repetitions are folded together), or "auto": every node of up to 300, else
    neurons, else layers. To see fused operations taken apart, ``draw(expand(value))``.

    A notebook displays it; ``draw(y).render("y.svg")``, or "y.png", "y.pdf", writes a file;
    ``draw(y).source`` is the DOT text. Graphviz's ``dot`` draws it or, where there is none, the
    package graphviz-pure (extra ``draw``). Raises ValueError above ``limit`` boxes.
    """
    for what, given, known in (
        ("detail", detail, DETAILS),
        ("sweep", sweep, ("forward", "reverse")),
        ("direction", direction, ("LR", "TB")),
    ):
        if not isinstance(given, str) or given not in known:
            raise ValueError(f"{what} must be one of {', '.join(known)}, got {shown(given)}")
    limit = positive(limit, "limit")
    graph = NumberedGraph(value, names, "draw")
    reverse = sweep == "reverse"
    boxes, links = _picture(graph, detail, reverse, limit)
    lines = dot_lines(boxes, links, direction=direction, reverse=reverse)
    return Drawing(tuple(lines), len(boxes))


def _picture(
    graph: NumberedGraph, detail: str, contributions: bool, limit: int
) -> tuple[list[Box], list[Link]]:
    boxes, edges = size(graph)
    small = boxes <= min(MOST_NODES, limit) and edges <= MOST_EDGES
    if detail == "operations" or (detail == "auto" and small):
        if boxes <= limit and edges <= MOST_EDGES * 10:
            return every_node(graph, contributions=contributions)
        raise ValueError(
            f"this graph has {boxes:,} nodes and {edges:,} edges, and draw shows at most {limit:,} "
            f'nodes and {MOST_EDGES * 10:,} edges; use detail="layers", draw a part of it (one of '
            "its parents, one neuron), or raise limit="
        )
    for by in ("neurons", "layers") if detail == "auto" else (detail,):
        tentative = detail == "auto" and by == "neurons"
        folded = fold(graph, by, min(limit, MOST_NEURONS) if tentative else limit)
        if folded is not None and not (tentative and len(folded.links) > MOST_LINKS):
            return every_fold(folded, contributions=contributions)
    raise ValueError(
        f"this graph has {boxes:,} nodes, more than {limit:,} even with repetitions folded, and "
        f"draw shows at most {limit:,}; draw a part of it (one of its parents, one neuron), or "
        "raise limit="
    )
