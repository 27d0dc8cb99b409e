"""A large graph as a small one: neurons or layers as one box each, repetitions folded together."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field

from microgradient.engine import ops
from microgradient.engine.services.watching import paused
from microgradient.engine.sweeps import adjoints
from microgradient.engine.value import Value
from microgradient.view.graph.grouping import Use, uses
from microgradient.view.graph.numbered_graph import NumberedGraph, sign


@dataclass
class Fold:
    """Nodes that are drawn as one box: what is applied, how often, and to what numbers.

    ``title`` says what they are, ``times`` how often it is repeated. ``outputs`` are the nodes that
    others use, ``parameters`` the variables inside. ``neurons`` counts those of a layer.
    """

    title: str
    kind: str
    nodes: list[Value] = field(default_factory=list)
    outputs: dict[Value, None] = field(default_factory=dict)
    uses: list[Use] = field(default_factory=list)
    operations: tuple[str, ...] = ()

    @property
    def parameters(self) -> list[Value]:
        return list(dict.fromkeys(p for use in self.uses for p in use.parameters))

    @property
    def times(self) -> int:
        if not self.uses:
            return len(self.nodes)
        return max(Counter(p for use in self.uses for p in use.parameters).values())

    @property
    def neurons(self) -> int:
        return len(self.uses) // self.times


Links = dict[tuple[int, int], list[tuple[Value, float | None]]]
"""For each pair of boxes the edges between them: the node at the head, the local derivative."""


@dataclass
class Folded:
    """The boxes, and the edges that run between them."""

    folds: list[Fold]
    links: Links


def fold(graph: NumberedGraph, by: str, most: int) -> Folded | None:
    """Return ``graph`` with one box for each neuron or layer (``by``) and for each kind of node.

    Nodes are of one kind if they apply the same operation to nodes of the same kinds: the examples
    of a batch fall together, the layers do not. None if there are more than ``most`` boxes.
    """
    return _Folder(graph, by).folded(most)


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
        return Folded(self.folds, links)

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
            fold.operations = tuple(dict.fromkeys(map(sign, use.nodes)))

    def _add_operation(self, node: Value) -> None:
        kind = "result" if node is self.graph.result else "operation"
        inputs = tuple(dict.fromkeys(self.of.get(p, -1) for p in node.parents))
        title = self.graph.names.get(node, sign(node)) if kind == "result" else sign(node)
        fold = self._add((kind, sign(node), inputs), title, kind, node)
        fold.outputs[node] = None

    def _add_input(self, node: Value) -> None:
        """Fold ``w1``, ``w2`` and ``w[3]`` into one box for all inputs named w."""
        name = re.split(r"[\d\[.]", self.graph.names.get(node, ""))[0] or "inputs"
        self._add(("input", name), name, "input", node).outputs[node] = None

    def _add_constants(self) -> None:
        """Show the constants that modules read: a network's inputs."""
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
        """Yield the local derivative of a single neuron's output by each box of one input."""
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
