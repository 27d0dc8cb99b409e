"""A large graph as a small one: neurons or layers as one box each, repetitions folded together."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field

from microgradient.engine import ops
from microgradient.engine.sweeps import adjoints
from microgradient.engine.value import Value
from microgradient.view.grouping import Place, places
from microgradient.view.numbering import Numbering, sign


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
    parameters: list[Value] = field(default_factory=list)
    operations: tuple[str, ...] = ()
    neurons: int = 0
    times: int = 1


Links = dict[tuple[int, int], list[tuple[Value, float | None]]]
"""For each pair of boxes the edges between them: the node at the head, the local derivative."""


@dataclass
class Folded:
    """The boxes, and the edges that run between them."""

    folds: list[Fold]
    links: Links


def fold(graph: Numbering, by: str, most: int) -> Folded | None:
    """Return ``graph`` with one box for each neuron or layer (``by``) and for each kind of node.

    Nodes are of one kind if they apply the same operation to nodes of the same kinds: the examples
    of a batch fall together, the layers do not. None if there are more than ``most`` boxes.
    """
    return _Folder(graph, by).folded(most)


class _Folder:
    def __init__(self, graph: Numbering, by: str) -> None:
        self.graph, self.by = graph, by
        self.place = places(graph)
        self.part = _parts(graph, self.place)
        self.classes: dict[Hashable, int] = {}
        self.folds: list[Fold] = []
        self.of: dict[Value, int] = {}

    def folded(self, most: int) -> Folded | None:
        last = {self.part[node]: node for node in self.graph.nodes if node in self.part}
        for node in self.graph.nodes:
            if len(self.folds) > most:
                return None
            if node in self.part:
                if last[self.part[node]] is node:
                    self._add_module(self.part[node].nodes)
            elif not node.parents:
                if node not in self.place:
                    self._add_input(node)
            else:
                inputs = tuple(sorted({self.of.get(p, -1) for p in node.parents}))
                name = sign(node)
                kind = "result" if node is self.graph.result else "operation"
                title = self.graph.names.get(node, name) if node is self.graph.result else name
                self._add((kind, name, inputs), title, kind, node)
        self._add_constants()
        if len(self.folds) > most:
            return None
        links = self._links()
        self._count(links)
        return Folded(self.folds, links)

    def _add(self, key: Hashable, title: str, kind: str, *nodes: Value) -> Fold:
        if key not in self.classes:
            self.classes[key] = len(self.folds)
            self.folds.append(Fold(title, kind))
        fold = self.folds[self.classes[key]]
        fold.nodes += nodes
        self.of.update(dict.fromkeys(nodes, self.classes[key]))
        return fold

    def _add_module(self, members: list[Value]) -> None:
        where = self.place[members[0]]
        name = where.layer if self.by == "layers" else where.neuron
        read = frozenset(self.of[p] for n in members for p in n.parents if p in self.of)
        fold = self._add((name, read), name, "module", *members)
        fold.operations = tuple(dict.fromkeys(sign(node) for node in members))

    def _add_input(self, node: Value) -> None:
        """Fold ``w1``, ``w2`` and ``w[3]`` into one box for all inputs named w."""
        name = re.split(r"[\d\[.]", self.graph.names.get(node, ""))[0] or "inputs"
        self._add(("input", name), name, "input", node)

    def _add_constants(self) -> None:
        """Show the constants that modules read: a network's inputs."""
        readers: dict[Value, set[int]] = {}
        for node in self.graph.nodes:
            for parent in node.parents:
                if parent.op is ops.constant and self.folds[self.of[node]].kind == "module":
                    readers.setdefault(parent, set()).add(self.of[node])
        for constant, classes in readers.items():
            self._add(("constants", frozenset(classes)), "inputs", "constant", constant)

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
                self.folds[source].outputs[parent] = None
        return links

    def _count(self, links: Links) -> None:
        for i, fold in enumerate(self.folds):
            if self.of.get(self.graph.result) == i:
                fold.outputs[self.graph.result] = None
            if fold.kind == "module":
                inside = {p: self.place[p] for n in fold.nodes for p in n.parents if self._own(p)}
                fold.parameters = list(inside)
                fold.neurons = len({where.neuron for where in inside.values()}) or 1
                fold.times = max(1, len(fold.outputs) // fold.neurons)
                for source, through in self._through(i, fold):
                    links[source, i] = [(next(iter(fold.outputs)), through)]
            else:
                fold.times = len(fold.nodes)

    def _own(self, node: Value) -> bool:
        return not node.parents and node in self.place

    def _through(self, i: int, fold: Fold) -> Iterator[tuple[int, float]]:
        """Yield the local derivative of a single neuron's output by each box of one input."""
        if len(fold.outputs) > 1 or fold.times > 1:
            return
        read = {p for n in fold.nodes for p in n.parents if p in self.of and self.of[p] != i}
        inside = set(fold.nodes) | read
        order = sorted(fold.nodes, key=self.graph.number.__getitem__)
        found = adjoints(order, {next(iter(fold.outputs)): 1.0}, inside, as_graph=False)
        by_source = Counter(self.of[p] for p in read)
        for parent in read:
            if by_source[self.of[parent]] == 1 and parent.op is not ops.constant:
                yield self.of[parent], found.get(parent, 0.0)


@dataclass(eq=False)
class _Part:
    """The nodes of one use of a neuron, and the parameters that they read."""

    nodes: list[Value] = field(default_factory=list)
    parameters: set[Value] = field(default_factory=set)


def _parts(graph: Numbering, place: dict[Value, Place]) -> dict[Value, _Part]:
    """Return for each computed node of a neuron the nodes of the same use of that neuron.

    A use reads a parameter once: what reads it again, on the result of the first, is another use.
    """
    part: dict[Value, _Part] = {}
    for node in graph.nodes:
        if not node.parents or node not in place:
            continue
        own = {p for p in node.parents if not p.parents and p in place}
        near = dict.fromkeys(part[p] for p in node.parents if p in part and place[p] == place[node])
        joined = sorted(
            (p for p in near if own.isdisjoint(p.parameters)), key=lambda p: -len(p.nodes)
        )
        mine = joined[0] if joined else _Part()
        for other in joined[1:]:
            mine.nodes += other.nodes
            mine.parameters |= other.parameters
            part.update(dict.fromkeys(other.nodes, mine))
        mine.nodes.append(node)
        mine.parameters |= own
        part[node] = mine
    return part
