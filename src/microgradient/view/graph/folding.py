"""A large graph as a small one: a box for each neuron or layer, repetitions folded together."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field

from microgradient.engine import ops
from microgradient.engine.services.watching import paused
from microgradient.engine.sweeps import adjoints
from microgradient.engine.value import Value
from microgradient.view.graph.composites import Sum
from microgradient.view.graph.grouping import Use, uses
from microgradient.view.graph.numbered_graph import NumberedGraph, operation_sign

STAGES = 6
_COMMON = 3  # operations that a stage names


@dataclass
class Fold:
    """Nodes that are drawn as one box.

    ``title`` says what they are; ``kind`` is as in a ``Box``. ``outputs`` are the nodes that others
    read. ``uses`` are those of the neurons inside, if it is a module, and ``operations`` what one
    neuron applies, or what the nodes of a stage apply.
    """

    title: str
    kind: str
    nodes: list[Value] = field(default_factory=list)
    outputs: dict[Value, None] = field(default_factory=dict)
    uses: list[Use] = field(default_factory=list)
    operations: tuple[str, ...] = ()

    @property
    def parameters(self) -> list[Value]:
        """The parameters that the neurons read, each once."""
        return list(dict.fromkeys(p for use in self.uses for p in use.parameters))

    @property
    def times(self) -> int:
        """How often the same is repeated: on each example of a batch, for instance."""
        if not self.uses:
            return len(self.nodes)
        return max(Counter(p for use in self.uses for p in use.parameters).values())

    @property
    def neurons(self) -> int:
        """How many neurons it holds, repetitions apart."""
        return len(self.uses) // self.times


Links = dict[tuple[int, int], list[tuple[Value, float | None]]]
"""The edges between each pair of boxes: the node at the head, and the local derivative."""


@dataclass
class Folded:
    """The boxes, and the edges between them."""

    folds: list[Fold]
    links: Links


def fold(graph: NumberedGraph, by: str, most: int) -> Folded | None:
    """Return ``graph`` with one box for each neuron or layer, and one for each kind of other node.

    ``by`` is "neurons" or "layers". Nodes are of one kind if they apply the same operation to nodes
    of the same kinds: that unites the examples of a batch, but no two layers. None if there are
    more than ``most`` boxes.
    """
    return _Folder(graph, by).folded(most)


def _joined(folded: Folded) -> Folded:
    """Return ``folded`` with operations that are repeated one after the other in one box."""
    into: dict[int, list[int]] = {}
    out: dict[int, list[int]] = {}
    for source, target in folded.links:
        out.setdefault(source, []).append(target)
        into.setdefault(target, []).append(source)
    head = list(range(len(folded.folds)))  # the box that each box is now a part of
    for i, fold in enumerate(folded.folds):
        if len(out.get(i, ())) == 1 and into[out[i][0]] == [i]:
            after = folded.folds[out[i][0]]
            alike = fold.kind == after.kind == "operation" and fold.times == after.times > 1
            if alike and not fold.uses and not after.uses:
                after.title = f"{fold.title} → {after.title}"
                head[i] = out[i][0]
    kept = [i for i, to in enumerate(head) if to == i]
    place = {i: n for n, i in enumerate(kept)}
    for i in reversed(range(len(head))):  # a box is joined to a later one
        place[i] = place[head[i]]
    return Folded(
        [folded.folds[i] for i in kept],
        {
            (place[a], place[b]): edges
            for (a, b), edges in folded.links.items()
            if place[a] != place[b]
        },
    )


def stages(graph: NumberedGraph) -> Folded:
    """Return ``graph`` in at most ``STAGES`` boxes, each with the nodes at some distances.

    The distance is that from the inputs: the number of computed nodes on the longest path. The
    link from a stage to the next has all edges that pass from there on.
    """
    level = levels(graph)
    deepest = max(level.values())
    last = min(STAGES, deepest - 1)  # the result has its own box
    folds: dict[int, Fold] = {}
    of: dict[Value, int] = {}
    for node in sorted(graph.nodes, key=level.__getitem__):
        stage = -(-level[node] * last // deepest)  # rounded up: 0 for the inputs alone
        title, kind = (f"stage {stage} of {last}", "operation") if stage else ("inputs", "input")
        if node is graph.result:
            stage, title, kind = STAGES + 1, _title(graph, node), "result"
        if stage not in folds:
            folds[stage] = Fold(title, kind)
        folds[stage].nodes.append(node)
        of[node] = list(folds).index(stage)
    for fold in folds.values():
        if fold.kind == "operation":
            common = [kind for kind, _ in Counter(map(_kind, fold.nodes)).most_common(_COMMON + 1)]
            fold.operations = (*common[:_COMMON], *("…" for _ in common[_COMMON:]))
    links: Links = {}
    for node in graph.nodes:
        for _, parent, partial in graph.edges(node):
            for i in range(of[parent], of[node]):
                links.setdefault((i, i + 1), []).append((node, partial))
    return Folded(list(folds.values()), links)


def levels(graph: NumberedGraph) -> dict[Value, int]:
    """Return how many computed nodes the longest path from an input to each node has."""
    level: dict[Value, int] = {}
    for node in graph.nodes:
        level[node] = max((level[p] + 1 for _, p, _ in graph.edges(node)), default=0)
    return level


def _title(graph: NumberedGraph, node: Value) -> str:
    sign = graph.sign(node)
    return f"{graph.names[node]} = {sign}" if node in graph.names else sign


def _kind(node: Value) -> str:
    """Return the operator of a node: ``+`` for a sum of any number of terms."""
    return "+" if isinstance(node.op, Sum) else operation_sign(node)


class _Folder:
    def __init__(self, graph: NumberedGraph, by: str) -> None:
        self.graph, self.by = graph, by
        self.use = uses(graph)
        self.inside = {p for use in self.use.values() for p in use.parameters}
        self.classes: dict[Hashable, int] = {}
        self.folds: list[Fold] = []
        self.of: dict[Value, int] = {}

    def folded(self, most: int) -> Folded | None:
        for node in self.graph.nodes:
            if len(self.folds) > most:
                return None
            if node in self.use:
                if self.use[node].nodes[-1] is node:
                    self._add_use(self.use[node])
            elif node.parents:
                self._add_operation(node)
            elif node not in self.inside:
                self._add_input(node)
        self._add_constants()
        if len(self.folds) > most:
            return None
        links = self._links()
        for i, fold in enumerate(self.folds):
            for source, through in self._through(i, fold):
                links[source, i] = [(next(iter(fold.outputs)), through)]
        return _joined(Folded(self.folds, links))

    def _add(self, key: Hashable, title: str, kind: str, *nodes: Value) -> Fold:
        if key not in self.classes:
            self.classes[key] = len(self.folds)
            self.folds.append(Fold(title, kind))
        fold = self.folds[self.classes[key]]
        fold.nodes += nodes
        self.of.update(dict.fromkeys(nodes, self.classes[key]))
        return fold

    def _add_use(self, use: Use) -> None:
        name = use.place.layer if self.by == "layers" else use.place.neuron
        read = frozenset(self.of[p] for n in use.nodes for p in n.parents if p in self.of)
        fold = self._add((name, read), name, "module", *use.nodes)
        fold.uses.append(use)
        fold.outputs.update(use.outputs)
        if not fold.operations:
            fold.operations = tuple(dict.fromkeys(map(_kind, use.nodes)))

    def _add_operation(self, node: Value) -> None:
        kind, operation = "operation", self.graph.sign(node)
        title = _title(self.graph, node)
        if node is self.graph.result:
            kind = "result"
        inputs = tuple(dict.fromkeys(self.of.get(p, -1) for p in node.parents))
        fold = self._add((kind, operation, inputs), title, kind, node)
        fold.outputs[node] = None

    def _add_input(self, node: Value) -> None:
        """Fold ``w1``, ``w2`` and ``w[3]`` into one box: the inputs named w."""
        name = re.split(r"[\d\[.]", self.graph.names.get(node, ""))[0] or "inputs"
        self._add(("input", name), name, "input", node).outputs[node] = None

    def _add_constants(self) -> None:
        """Add boxes for the constants that modules read: a network's inputs."""
        readers: dict[Value, dict[int, None]] = {}
        for node in self.use:
            for parent in node.parents:
                if parent.op is ops.constant:
                    readers.setdefault(parent, {})[self.of[node]] = None
        for constant, classes in readers.items():
            fold = self._add(("constants", frozenset(classes)), "inputs", "constant", constant)
            fold.outputs[constant] = None

    def _links(self) -> Links:
        links: Links = {}
        for node in self.graph.nodes:
            target = self.of.get(node)
            for parent, partial in zip(node.parents, node.partials):
                source = self.of.get(parent)
                if source is None or target is None or source == target:
                    continue
                plain = self.folds[source].kind != "constant"
                links.setdefault((source, target), []).append((node, partial if plain else None))
        return links

    def _through(self, i: int, fold: Fold) -> Iterator[tuple[int, float]]:
        """Yield the derivative of a single neuron's output by each box that gives it one input."""
        if len(fold.uses) != 1 or len(fold.outputs) != 1:
            return
        read = dict.fromkeys(p for n in fold.nodes for p in n.parents if self.of.get(p, i) != i)
        inside = {*fold.nodes, *read}
        with paused():
            found = adjoints(fold.nodes, {next(iter(fold.outputs)): 1.0}, inside, as_graph=False)
        from_box = Counter(self.of[p] for p in read)
        for parent in read:
            if from_box[self.of[parent]] == 1 and parent.op is not ops.constant:
                yield self.of[parent], found.get(parent, 0.0)
