"""Which layer and neuron each node of a graph belongs to, and to which use of the neuron."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from microgradient.engine import ops
from microgradient.engine.value import Value
from microgradient.nn.module import ACTIVATIONS, Layer, Module
from microgradient.view.escaping import plain
from microgradient.view.graph.numbered_graph import NumberedGraph


class Place(NamedTuple):
    """Where a parameter belongs: the names of a layer and of a neuron in it."""

    layer: str
    neuron: str


@dataclass(eq=False)
class Use:
    """One application of a neuron: its nodes in order, and the parameters that they read.

    ``outputs`` are those nodes that others read, and the result of the graph. ``activated`` says
    that an activation has ended it.
    """

    place: Place
    nodes: list[Value] = field(default_factory=list)
    parameters: dict[Value, None] = field(default_factory=dict)
    outputs: dict[Value, None] = field(default_factory=dict)
    activated: bool = False


def owners(modules: Mapping[str, Module]) -> dict[Value, Place]:
    """Return the place of each parameter: the innermost module around it, and the next one out.

    A parameter that modules share belongs where its first name says.
    """
    return dict(_owned(modules))


def _owned(modules: Mapping[str, Module]) -> Iterator[tuple[Value, Place]]:
    for name, root in modules.items():
        paths = root.named_modules()
        for path, parameter in root.named_parameters().items():
            around = [part for part in _prefixes(path) if part in paths]
            neuron, layer = around[0], around[min(1, len(around) - 1)]
            if not layer and not isinstance(root, Layer):
                layer = neuron
            full = (plain(".".join(filter(None, (name, part))), 80) for part in (layer, neuron))
            yield parameter, Place(*full)


def _prefixes(path: str) -> Iterator[str]:
    """Yield ``a.b`` for ``a.b.c``, then ``a``, then "" for the module itself."""
    while path:
        path = path.rpartition(".")[0]
        yield path


def uses(graph: NumberedGraph, owner: Mapping[Value, Place] | None = None) -> dict[Value, Use]:
    """Return, for each node that belongs to a neuron, the use of that neuron.

    A node belongs where its parameters do, and an activation where its argument does. Parts of one
    neuron are joined where they meet. A use reads each parameter once: what reads it again is
    another use. ``owner``, or else the modules among the graph's names, tells where parameters
    belong. A ``dot`` whose weights belong nowhere is a neuron too, and those that read the same
    inputs are a layer. What reads nothing but parameters, such as a penalty ``w * w``, is no use.
    """
    owner = owners(graph.modules) if owner is None else owner
    owner = {**dict(_by_shape(graph, owner)), **owner}
    use: dict[Value, Use] = {}
    for node in graph.nodes:
        if node.parents:
            _assign(node, owner, use)
    for found in dict.fromkeys(use.values()):
        found.nodes.sort(key=graph.number.__getitem__)
        if _reads_nothing(found):
            for node in found.nodes:
                del use[node]
    for node in graph.nodes:
        for parent in node.parents:
            if parent in use and use[parent] is not use.get(node):
                use[parent].outputs[parent] = None
    if graph.result in use:
        use[graph.result].outputs[graph.result] = None
    return use


def _assign(node: Value, owner: Mapping[Value, Place], use: dict[Value, Use]) -> None:
    """Add ``node`` to a use, to a new one if need be, or to none."""
    own = [p for p in node.parents if not p.parents and p in owner]
    inner = [p for p in node.parents if p.parents]
    open_uses = list(dict.fromkeys(use[p] for p in inner if p in use and not use[p].activated))
    if own:
        if len({owner[p] for p in own}) > 1:
            return
        mine = Use(owner[own[0]])
        mine.parameters.update(dict.fromkeys(own))
        parts = [part for part in open_uses if part.place == mine.place]
    elif node.op is not None and node.op.name in ACTIVATIONS and len(inner) == len(open_uses) == 1:
        mine, parts = open_uses[0], []
        mine.activated = True
    elif len(inner) == len(open_uses) > 1 and len({part.place for part in open_uses}) == 1:
        mine, parts = open_uses[0], open_uses[1:]
        if not _disjoint(open_uses):
            return
    else:
        return
    for part in parts:
        if mine.parameters.keys().isdisjoint(part.parameters):
            mine.nodes += part.nodes
            mine.parameters.update(part.parameters)
            use.update(dict.fromkeys(part.nodes, mine))
    mine.nodes.append(node)
    use[node] = mine


def _reads_nothing(use: Use) -> bool:
    """Return whether the nodes have no operand but parameters: a penalty on weights, no neuron."""
    known = {*use.nodes, *use.parameters}
    return not any(
        parent not in known
        for node in use.nodes
        for i, parent in enumerate(node.parents)
        if not (node.op is ops.pow and i == 1 and parent.op is ops.constant)
    )


def _disjoint(parts: list[Use]) -> bool:
    return len({p for part in parts for p in part.parameters}) == sum(
        len(part.parameters) for part in parts
    )


def _by_shape(graph: NumberedGraph, known: Mapping[Value, Place]) -> Iterator[tuple[Value, Place]]:
    layers: dict[tuple[Value, ...], list[tuple[Value, ...]]] = {}  # inputs -> the weights on them
    for node in graph.nodes:
        half = len(node.parents) // 2
        weights = node.parents[:half] + node.parents[2 * half :]
        if node.op is ops.dot and all(w in graph.number and not w.parents for w in weights):
            layers.setdefault(node.parents[half : 2 * half], []).append(weights)
    seen: set[Value] = set(known)
    count = 0
    for neurons in layers.values():
        if not seen.isdisjoint(w for neuron in neurons for w in neuron):
            continue  # used before, on other inputs
        count += 1
        for i, neuron in enumerate(neurons, 1):
            seen.update(neuron)
            for weight in neuron:
                yield weight, Place(f"layer {count}", f"layer {count}, neuron {i}")
