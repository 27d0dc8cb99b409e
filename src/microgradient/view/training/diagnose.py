"""diagnose: where the gradients of a network vanish, explode, or stop being finite."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import hypot, isfinite, sqrt
from typing import Any

from microgradient.engine.number import shown
from microgradient.engine.ops import fsum
from microgradient.engine.services.anomaly import describe
from microgradient.engine.services.watching import Watch, paused, watched
from microgradient.engine.sweeps import adjoints
from microgradient.engine.value import Value
from microgradient.nn.losses import half_squared_error
from microgradient.nn.module import Module
from microgradient.view.graph.grouping import Place, Use, uses
from microgradient.view.graph.numbered_graph import NumberedGraph
from microgradient.view.text.tables import Table

STEEPEST = {
    "sigmoid": 0.25,
    "tanh": 1.0,
    "softsign": 1.0,
}  # slope at 0 of activations that saturate
FLAT = 0.04  # a unit is saturated below this part of the steepest slope: a sigmoid beyond 0.99
NEARLY_ALWAYS = 0.9  # reported: a unit that is saturated on this part of the batch
FACTOR = 10.0  # reported: a gradient that changes by more than this from layer to layer


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: its ``kind``, ``where`` it is, and a ``sentence``.

    ``kind`` is "saturated", "dead", "shrinking", "growing", "unused" or "not finite".
    """

    kind: str
    where: str
    sentence: str


@dataclass(frozen=True)
class Unit:
    """An activation over the batch: on which part of the examples it is saturated, or dead."""

    layer: str
    neuron: str
    operation: str
    saturated: float
    dead: float


@dataclass(frozen=True)
class LayerFlow:
    """A layer over the batch: the root mean squares of its outputs and of their adjoints."""

    layer: str
    neurons: int
    output: float
    gradient: float


@dataclass(frozen=True)
class Diagnosis:
    """What ``diagnose`` found: ``findings`` by kind, and the numbers for each unit and layer."""

    findings: tuple[Finding, ...]
    units: tuple[Unit, ...]
    layers: tuple[LayerFlow, ...]

    def table(self) -> Table:
        """Return the layers, from input to output, as a table."""
        rows = [
            (
                flow.layer,
                str(flow.neurons),
                f"{flow.output:.3g}",
                f"{flow.gradient:.3g}",
                _percent(unit.saturated for unit in self.units if unit.layer == flow.layer),
                _percent(unit.dead for unit in self.units if unit.layer == flow.layer),
            )
            for flow in self.layers
        ]
        heads = ("layer", "neurons", "output (rms)", "gradient (rms)", "saturated", "dead")
        return Table("Layers, from input to output", heads, tuple(rows), frozenset(range(1, 6)))

    def sentences(self) -> list[str]:
        """Return the findings as sentences, or one that says that there are none."""
        return [f.sentence for f in self.findings] or ["Nothing wrong: gradients flow everywhere."]

    def __repr__(self) -> str:
        return "\n".join([*(f"- {text}" for text in self.sentences()), "", self.table().text()])

    def _repr_html_(self) -> str:
        rows = tuple((text,) for text in self.sentences())
        return Table("Findings", ("",), rows).html() + self.table().html()


def diagnose(
    model: Module,
    batch: Sequence[tuple[Any, Any]],
    loss: Callable[[Any, Any], Value] = half_squared_error,
) -> Diagnosis:
    """Run ``model`` on a batch of (inputs, targets) and report what is wrong with its gradients.

    Reported are sigmoid, tanh and softsign units that are saturated (slope below 4 % of the
    steepest) on at least 90 % of the batch, ReLUs that are dead (slope 0) on all of it, layers
    where the gradient shrinks or grows more than tenfold on its way back, parameters that the loss
    does not depend on, and the first value or adjoint that is not finite, with its operands and
    source line. ``loss`` takes outputs and targets, as in ``nn.train``; the default is half the
    squared error. No gradient is changed. Raises TypeError for a model that is not a module or
    cannot be called, for a batch that is not a list of pairs and for a loss that does not return
    a Value, and ValueError for an empty batch.
    """
    if not isinstance(model, Module):
        raise TypeError(f"diagnose expects a module, such as nn.MLP, got {shown(model)}")
    if not callable(model):
        raise TypeError(f"diagnose calls the model, so it needs a __call__, got {shown(model)}")
    if not callable(loss):
        raise TypeError(f"loss must be a function of outputs and targets, got {shown(loss)}")
    batch = _patterns(batch)
    seen = Watch()
    with paused(), watched(seen):
        total = fsum([_error(model, loss, inputs, targets) for inputs, targets in batch])
    seen["model"] = model
    graph = NumberedGraph(total, seen, "diagnose")
    order = graph.nodes
    with paused():
        adjoint = adjoints(order, {total: 1.0}, set(order), as_graph=False)
    use = uses(graph)
    units = _units(use)
    layers = _layers(use, adjoint)
    findings = [
        *_not_finite(graph, use, adjoint),
        *_flat(units),
        *_jumps(layers),
        *_unused(model, graph),
    ]
    return Diagnosis(tuple(findings), tuple(units), tuple(layers))


def _patterns(batch: object) -> list[tuple[Any, Any]]:
    """Return the batch as a list of pairs, after checking that it is one."""
    what = "diagnose needs a list of (inputs, targets), at least one"
    if not isinstance(batch, Iterable) or isinstance(batch, str):
        raise TypeError(f"{what}; got {shown(batch)}")
    patterns = list(batch)
    if not patterns:
        raise ValueError(f"{what}; got none")
    for pattern in patterns:
        if not isinstance(pattern, Sequence) or isinstance(pattern, str) or len(pattern) != 2:
            raise TypeError(f"{what}; got {shown(pattern)} among them")
    return patterns


def _error(
    model: Callable[[Any], Any], loss: Callable[[Any, Any], Value], inputs: Any, targets: Any
) -> Value:
    error = loss(model(inputs), targets)
    if type(error) is not Value:
        raise TypeError(f"loss must return a Value, got {shown(error)}")
    return error


def _units(use: Mapping[Value, Use]) -> list[Unit]:
    slopes: dict[tuple[Place, str], list[float]] = defaultdict(list)
    for node, one in use.items():
        if node.op is not None and node.op.name in {*STEEPEST, "relu"}:
            slopes[one.place, node.op.name].append(abs(node.partials[0]))
    return [
        Unit(
            where.layer,
            where.neuron,
            name,
            _share(s < FLAT * STEEPEST.get(name, 0.0) for s in found),
            _share(s == 0 for s in found) if name == "relu" else 0.0,
        )
        for (where, name), found in slopes.items()
    ]


def _layers(use: Mapping[Value, Use], adjoint: Mapping[Value, float]) -> list[LayerFlow]:
    layers: dict[str, list[Use]] = defaultdict(list)
    for one in dict.fromkeys(use.values()):
        layers[one.place.layer].append(one)
    return [
        LayerFlow(
            layer,
            len({one.place.neuron for one in found}),
            _rms([node.data for one in found for node in one.outputs]),
            _rms([adjoint[node] for one in found for node in one.outputs]),
        )
        for layer, found in layers.items()
    ]


def _flat(units: Iterable[Unit]) -> list[Finding]:
    findings = []
    for unit in units:
        if unit.dead == 1.0:
            sentence = f"{unit.neuron} is dead: its relu has slope 0 on every example."
            findings.append(Finding("dead", unit.neuron, sentence))
        elif unit.saturated >= NEARLY_ALWAYS:
            sentence = (
                f"{unit.neuron} is saturated: its {unit.operation} is flat (below {FLAT:.0%} of "
                f"its steepest slope) on {unit.saturated:.0%} of the examples."
            )
            findings.append(Finding("saturated", unit.neuron, sentence))
    return findings


def _jumps(layers: Sequence[LayerFlow]) -> list[Finding]:
    findings = []
    for lower, upper in pairwise(layers):
        if not (upper.gradient and isfinite(upper.gradient) and isfinite(lower.gradient)):
            continue
        ratio = lower.gradient / upper.gradient
        if 1 / FACTOR <= ratio <= FACTOR:
            continue
        kind = "shrinking" if ratio < 1 else "growing"
        sentence = (
            f"The gradient is {kind} from {upper.layer} to {lower.layer}: "
            f"{upper.gradient:.3g} there, {lower.gradient:.3g} here."
        )
        findings.append(Finding(kind, lower.layer, sentence))
    return findings


def _unused(model: Module, graph: NumberedGraph) -> list[Finding]:
    names = [name for name, p in model.named_parameters().items() if p not in graph.number]
    if not names:
        return []
    listed = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return [Finding("unused", names[0], f"The loss does not depend on {listed}.")]


def _not_finite(
    graph: NumberedGraph, use: Mapping[Value, Use], adjoint: Mapping[Value, float]
) -> list[Finding]:
    for node in graph.nodes:
        if not isfinite(node.data):
            return [_broken(graph, use, node, f"{describe(node)} gave {node.data}")]
    for node in reversed(graph.nodes):
        for _, parent, partial in graph.edges(node):
            if isfinite(adjoint[node]) and not isfinite(adjoint[node] * partial):
                what = f"adjoint {adjoint[node]!r} times local derivative {partial!r} on the way to"
                return [_broken(graph, use, node, f"{what} {describe(parent)}")]
    return []


def _broken(graph: NumberedGraph, use: Mapping[Value, Use], node: Value, what: str) -> Finding:
    where = use[node].place.neuron if node in use else "the loss"
    if not node.parents:
        where = graph.names.get(node, "an input")
    line = f", at {graph.lines[node]}" if node in graph.lines else ""
    return Finding(
        "not finite", where, f"The first number that is not finite, in {where}: {what}{line}."
    )


def _share(hits: Iterable[bool]) -> float:
    hits = list(hits)
    return sum(hits) / len(hits)


def _rms(numbers: Sequence[float]) -> float:
    return hypot(*numbers) / sqrt(len(numbers)) if numbers else 0.0  # squares could overflow


def _percent(shares: Iterable[float]) -> str:
    shares = list(shares)
    return f"{sum(shares) / len(shares):.0%}" if shares else ""
