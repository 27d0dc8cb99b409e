"""draw: the graph as a picture, with numbers in the nodes and local derivatives on the edges."""

from __future__ import annotations

from microgradient.engine.number import positive, shown
from microgradient.engine.value import Value
from microgradient.view.drawing.boxes import Box, Link, depth, every_fold, every_node, size, span
from microgradient.view.drawing.dot import dot_lines
from microgradient.view.drawing.drawing import Drawing
from microgradient.view.graph.folding import fold, stages
from microgradient.view.graph.grouping import uses
from microgradient.view.graph.numbered_graph import Names, NumberedGraph
from microgradient.view.graph.repetitions import without_repetitions
from microgradient.view.graph.running_sums import with_sums

DETAILS = ("auto", "operations", "neurons", "layers")
MOST_NODES = 300  # of a drawing that shows every node without being asked to
MOST_EDGES = 1000  # of the same
MOST_DEEP = 60  # nodes one after the other, of the same: more are a tape, not a picture
MOST_NEURONS = 50  # boxes of a drawing by neurons or layers, unless asked for
MOST_LINKS = 100  # of the same
MOST_BOXES = 1000  # of any drawing: the layout of thousands takes minutes and shows nothing
LONGEST = 5  # ranks for each box of the limit that all edges may pass: 5,000 take dot some seconds


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
    of a batch and other repetitions are folded together), or "auto". That draws every node, but a
    running sum as one; of more than eight like terms or steps, one is drawn and a box stands for
    the others. Networks with such repetitions or more than 300 nodes are drawn by neurons, or
    else by layers. Any other graph that is still too large, or too long, is cut into stages. To see
    fused operations taken apart, ``draw(expand(value))``.

    A notebook displays it; ``draw(y).render("y.svg")``, or "y.png", "y.pdf", writes a file;
    ``draw(y).source`` is the DOT text. Graphviz's ``dot`` draws it or, where there is none, the
    package graphviz-pure (extra ``draw``). Raises ValueError above ``limit`` boxes if ``detail`` is
    given.
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
    if detail == "operations":
        return _every_node(graph, contributions, limit)
    summed = with_sums(graph)
    if detail == "auto":
        return _automatic(summed, contributions, limit)
    folded = fold(summed, detail, limit)
    if folded is not None:
        found = every_fold(folded, contributions=contributions)
        if span(*found) <= LONGEST * limit:
            return found
    raise ValueError(
        f"this graph has {size(graph)[0]:,} nodes, more than {limit:,} even with repetitions "
        f"folded, or more than {LONGEST * limit:,} edges then, which is more than draw shows; draw "
        "a part of it (one of its parents, one neuron), raise limit=, or leave out detail=: "
        '"auto" draws any graph'
    )


def _automatic(
    graph: NumberedGraph, contributions: bool, limit: int
) -> tuple[list[Box], list[Link]]:
    """Return the first picture that is clear: nodes, neurons, layers, one of each, stages."""
    short = without_repetitions(graph)
    if short is graph and _clear(graph, limit):
        return every_node(graph, contributions=contributions)
    if uses(graph):
        folded = fold(graph, "neurons", min(limit, MOST_NEURONS))
        if folded is None or len(folded.links) > MOST_LINKS:
            folded = fold(graph, "layers", min(limit, MOST_NEURONS))
        if folded is not None:
            return every_fold(folded, contributions=contributions)
    if _clear(short, limit):
        return every_node(short, contributions=contributions)
    return every_fold(stages(short), contributions=contributions)


def _clear(graph: NumberedGraph, limit: int) -> bool:
    boxes, edges = size(graph)
    few = boxes <= min(MOST_NODES, limit) and edges <= MOST_EDGES
    return few and depth(graph) <= MOST_DEEP and span(*every_node(graph)) <= LONGEST * MOST_BOXES


def _every_node(
    graph: NumberedGraph, contributions: bool, limit: int
) -> tuple[list[Box], list[Link]]:
    boxes, edges = size(graph)
    passed = edges  # at least
    if boxes <= limit and edges <= LONGEST * limit:
        found = every_node(graph, contributions=contributions)
        passed = span(*found)
        if passed <= LONGEST * limit:
            return found
    raise ValueError(
        f"this graph has {boxes:,} nodes and {edges:,} edges, which pass {passed:,} or more "
        f'columns of the picture; detail="operations" shows at most {limit:,} nodes, and '
        f"{LONGEST * limit:,} columns passed; leave it out, draw a part of the graph (one of its "
        "parents, one neuron), or raise limit="
    )
