"""What a drawing shows, before it is DOT: boxes with lines of text, links and clusters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import hypot, log10

from microgradient.engine import ops
from microgradient.engine.graph import topological_order
from microgradient.engine.value import Value
from microgradient.view.graph.composites import Composite
from microgradient.view.graph.folding import Fold, Folded, levels
from microgradient.view.graph.grouping import uses
from microgradient.view.graph.numbered_graph import NumberedGraph
from microgradient.view.numerals import counted, short, sign_of

NOT_YET = "grad not yet"


@dataclass(frozen=True)
class Box:
    """A node of a drawing: its identifier, its kind, its lines of text.

    ``kind`` is "input", "constant", "operation", "result" or "module". ``within`` names the layer
    and the neuron around it, or is empty.
    """

    key: str
    kind: str
    lines: tuple[str, ...]
    within: tuple[str, ...] = ()


@dataclass(frozen=True)
class Link:
    """An edge of a drawing; ``number`` gives it colour and width, None if it has no number."""

    key: str
    source: str
    target: str
    text: str
    number: float | None

    @property
    def sign(self) -> str:
        """Which colour the edge has: "positive", "negative" or "zero", also for nan and None."""
        return sign_of(self.number)


@dataclass(frozen=True)
class Cluster:
    """A frame with a title around boxes, by their keys, and around smaller clusters."""

    key: str
    title: str
    members: tuple[str, ...]
    inner: tuple[Cluster, ...] = ()


def width(number: float | None) -> float:
    """Return a line width: 1 below 0.01, and 0.8 more for each factor of 10, up to 1000."""
    if number is None or number == 0 or number != number:
        return 1.0
    return 1.0 + min(5.0, max(0.0, log10(min(abs(number), 1e300)) + 2.0)) * 0.8


def clusters(boxes: Iterable[Box]) -> list[Cluster]:
    """Return a cluster for each layer and, within it, one for each of its neurons."""
    layers: dict[str, dict[str, list[str]]] = {}
    for box in boxes:
        if box.within:
            neurons = layers.setdefault(box.within[0], {})
            neurons.setdefault(box.within[-1], []).append(box.key)
    return [
        Cluster(
            f"cluster_{i}",
            layer,
            tuple(neurons.get(layer, ())),  # what belongs to the layer and to none of its neurons
            tuple(
                Cluster(f"cluster_{i}_{j}", name.removeprefix(layer).lstrip("., "), tuple(members))
                for j, (name, members) in enumerate(neurons.items())
                if name != layer
            ),
        )
        for i, (layer, neurons) in enumerate(layers.items())
    ]


# --- one box for each node ----------------------------------------------------------------------


def every_node(
    graph: NumberedGraph, *, contributions: bool = False
) -> tuple[list[Box], list[Link]]:
    """Return a box for each node, constants too, and a link for each operand.

    A link shows the local derivative or, with ``contributions``, what the reverse sweep passes
    along it: adjoint times local derivative, if the adjoint has been computed.
    """
    within = _within(graph)
    order = topological_order(graph.result)
    key = {node: f"n{i}" for i, node in enumerate(graph.nodes)}
    constants = (node for node in order if node not in key)
    key.update({node: f"c{i}" for i, node in enumerate(constants)})
    boxes = [Box(key[v], _kind(v, graph), _lines(v, graph), within.get(v, ())) for v in order]
    links = [
        Link(
            f"{key[node]}-{i}",
            key[parent],
            key[node],
            *(("", None) if parent.op is ops.constant else _flow(node, partial, contributions)),
        )
        for node in order
        for i, (parent, partial) in enumerate(zip(node.parents, node.partials))
    ]
    return boxes, links


def size(graph: NumberedGraph) -> tuple[int, int]:
    """Return how many boxes and links ``every_node`` returns for ``graph``."""
    order = topological_order(graph.result)
    return len(order), sum(len(node.parents) for node in order)


def span(boxes: Sequence[Box], links: Sequence[Link]) -> int:
    """Return how many ranks all links pass together, if each box stands as early as it can.

    Boxes are in topological order, but for those that nothing leads to: these stand before the
    first that they lead to. dot puts a node of its own at each rank that a link passes: they take
    most of its time.
    """
    into: dict[str, list[str]] = {box.key: [] for box in boxes}
    for link in links:
        into[link.target].append(link.source)
    rank = dict.fromkeys(into, 0)
    for box in boxes:
        rank[box.key] = max((rank[source] + 1 for source in into[box.key]), default=0)
    first: dict[str, int] = {}
    for link in links:
        first[link.source] = min(first.get(link.source, len(rank)), rank[link.target])
    for key, sources in into.items():
        if not sources and key in first:
            rank[key] = first[key] - 1
    return sum(rank[link.target] - rank[link.source] for link in links)


def depth(graph: NumberedGraph) -> int:
    """Return how many computed nodes stand one after the other on the longest path."""
    return max(levels(graph).values())


def _kind(node: Value, graph: NumberedGraph) -> str:
    if node is graph.result:
        return "result"
    return "operation" if node.parents else "constant" if node.op is ops.constant else "input"


def _lines(node: Value, graph: NumberedGraph) -> tuple[str, ...]:
    if node.op is ops.constant and node is not graph.result:
        return (short(node.data),)
    name = graph.names.get(node) or graph.variable(node)
    computed = node.parents or isinstance(node.op, Composite)
    head = f"{name} = {graph.sign(node)}" if computed else name
    return head, f"value {short(node.data)}", _gradient(node)


def _gradient(node: Value) -> str:
    return f"grad {short(node.grad)}" if node.reached else NOT_YET


def _flow(node: Value, partial: float, contributions: bool) -> tuple[str, float]:
    """Return the text and number of an edge into ``node``."""
    if not contributions or not node.reached:
        return short(partial), partial
    term = node.grad * partial
    return f"{short(node.grad)} × {short(partial)} = {short(term)}", term


def _within(graph: NumberedGraph) -> dict[Value, tuple[str, ...]]:
    """Return the layer and the neuron around each node; empty without modules among the names.

    Empty if a neuron is used twice: its parameters would belong in two clusters.
    """
    if not graph.modules:
        return {}
    use = uses(graph)
    found = dict.fromkeys(use.values())
    if len({one.place for one in found}) < len(found):
        return {}
    inside = {p: one.place for one in found for p in one.parameters}
    inside |= {node: one.place for node, one in use.items()}
    return {node: tuple(dict.fromkeys(where)) for node, where in inside.items()}


# --- one box for each fold ------------------------------------------------------------------------


def every_fold(folded: Folded, *, contributions: bool = False) -> tuple[list[Box], list[Link]]:
    """Return a box for each fold, and a link between folds that have edges between them."""
    boxes = [Box(f"f{i}", f.kind, _summary(f)) for i, f in enumerate(folded.folds)]
    links = []
    for (source, target), edges in folded.links.items():
        text, number = counted(len(edges), "edge") if len(edges) > 1 else "", None
        node, slope = edges[0]
        if len(edges) == 1 and slope is not None:
            text, number = _flow(node, slope, contributions)
        links.append(Link(f"f{source}-{target}", f"f{source}", f"f{target}", text, number))
    return boxes, links


def _summary(fold: Fold) -> tuple[str, ...]:
    outputs = list(fold.outputs) or fold.nodes
    if fold.kind == "constant":
        return (f"{fold.title} × {fold.times:,}", f"values {_range(v.data for v in outputs)}")
    if fold.kind == "operation" and fold.operations:
        what = ", ".join(fold.operations)
        return (fold.title, f"{counted(len(fold.nodes), 'node')}: {what}", *_numbers(outputs))
    title = fold.title + (f" × {fold.times:,}" if fold.times > 1 else "")
    if fold.kind == "module":
        what = " → ".join(fold.operations)
        neurons = f"{fold.neurons} neurons: {what}" if fold.neurons > 1 else what
        weights = counted(len(fold.parameters), "parameter")
        return (title, neurons, weights, *_numbers(outputs), _norm(fold.parameters))
    return (title, *_numbers(outputs))


def _numbers(nodes: Sequence[Value]) -> tuple[str, ...]:
    gradients = [node.grad for node in nodes if node.reached]
    shown = f"grad {_range(gradients)}" if len(gradients) == len(nodes) else NOT_YET
    return f"value {_range(node.data for node in nodes)}", shown


def _norm(parameters: Sequence[Value]) -> str:
    gradients = [p.grad for p in parameters if p.reached]
    return f"gradient norm {short(hypot(*gradients))}" if gradients else "gradient norm not yet"


def _range(numbers: Iterable[float]) -> str:
    numbers = list(numbers)
    if any(x != x for x in numbers):
        return "nan"
    low, high = short(min(numbers)), short(max(numbers))
    return low if low == high else f"{low} … {high}"
