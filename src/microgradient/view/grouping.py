"""Which neuron and which layer each node of a graph belongs to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from microgradient.engine import ops
from microgradient.engine.value import Value
from microgradient.nn.module import ACTIVATIONS, Module
from microgradient.view.numbering import Numbering


class Place(NamedTuple):
    """Where a node belongs: a layer, and a neuron of it, by name."""

    layer: str
    neuron: str


def places(graph: Numbering) -> dict[Value, Place]:
    """Return the place of each node that belongs to a neuron, parameters among them.

    A node belongs where its parameters do, an activation where its argument does. Whose a parameter
    is, tell the modules among the graph's names; without them, a ``dot`` with variables as
    weights counts as a neuron, and neurons that read the same inputs as a layer.
    """
    place = {p: where for p, where in _by_modules(graph.modules) if p in graph.number}
    for parameter, where in _by_shape(graph, place):
        place.setdefault(parameter, where)
    for node in graph.nodes:
        found = _place(node, place) if node.parents else None
        if found is not None:
            place[node] = found
    return place


def _place(node: Value, place: Mapping[Value, Place]) -> Place | None:
    own = {place[p] for p in node.parents if not p.parents and p in place}
    if own:
        return own.pop() if len(own) == 1 else None
    inner = [p for p in node.parents if p.parents]
    above = {place.get(p) for p in inner}
    activates = node.op is not None and node.op.name in ACTIVATIONS
    return above.pop() if len(above) == 1 and (activates or len(inner) > 1) else None


def _by_modules(modules: Mapping[str, Module]) -> Iterator[tuple[Value, Place]]:
    for name, root in modules.items():
        paths = list(root.named_modules())
        for path, parameter in root.named_parameters().items():
            around = sorted((m for m in paths if path.startswith(f"{m}.") or not m), key=len)
            neuron, layer = around[-1], (around[-2] if len(around) > 1 else "")
            full = [".".join(filter(None, (name, part))) for part in (layer or neuron, neuron)]
            yield parameter, Place(*full)


def _by_shape(graph: Numbering, known: Mapping[Value, Place]) -> Iterator[tuple[Value, Place]]:
    layers: dict[tuple[Value, ...], list[tuple[Value, ...]]] = {}  # inputs -> the weights on them
    for node in graph.nodes:
        half = len(node.parents) // 2
        weights = node.parents[:half] + node.parents[2 * half :]
        if node.op is ops.dot and all(w in graph.number and not w.parents for w in weights):
            layers.setdefault(node.parents[half : 2 * half], []).append(weights)
    names: dict[Value, Place] = {}
    count = 0
    for neurons in layers.values():
        if any(neuron[0] in known or neuron[0] in names for neuron in neurons):
            continue  # seen before, with other inputs
        count += 1
        for i, neuron in enumerate(neurons, 1):
            where = Place(f"layer {count}", f"layer {count}, neuron {i}")
            names.update(dict.fromkeys(neuron, where))
    yield from names.items()
