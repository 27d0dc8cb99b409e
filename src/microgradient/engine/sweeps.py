"""The chain rule over a recorded graph: reverse sweep (adjoints), forward sweep (tangents)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from math import nan
from typing import Any, Literal, cast, overload

from microgradient.engine import native
from microgradient.engine.choice import GRAPH
from microgradient.engine.graph import MANY
from microgradient.engine.op import Op
from microgradient.engine.ops import fsum
from microgradient.engine.services import anomaly, watching
from microgradient.engine.value import Value


def dependents(order: Iterable[Value], inputs: Iterable[Value]) -> set[Value]:
    """Return the nodes of ``order`` that depend on ``inputs``, and ``inputs``."""
    active = set(inputs)
    for node in order:
        left, right = node._left, node._right
        if right is MANY:
            if not active.isdisjoint(left):
                active.add(node)
        elif left in active or right in active:
            active.add(node)
    return active


def gradients(
    order: Sequence[Value], weights: Mapping[Value, float], inputs: Sequence[Value]
) -> list[float]:
    """Return the adjoints of ``inputs`` as floats: the reverse sweep where no graph is asked for.

    ``order`` are the computed nodes, ``weights`` the adjoints of the outputs. It does what
    ``adjoints`` does, in a third of its time: it reads the slots of Values.
    """
    adjoint = dict(weights)
    get = adjoint.get
    for node in reversed(order):
        if node in adjoint:
            above, left, right = adjoint[node], node._left, node._right
            if right is MANY:
                for parent, partial in zip(left, node._by_left):
                    adjoint[parent] = get(parent, -0.0) + above * partial
            else:
                adjoint[left] = get(left, -0.0) + above * node._by_left
                if right is not None:
                    adjoint[right] = get(right, -0.0) + above * node._by_right
    if watching.open_blocks:
        active = dependents(order, inputs)
        anomaly.check_adjoints(order, {node: adjoint[node] for node in active if node in adjoint})
    return [get(x, 0.0) for x in inputs]


@overload
def adjoints(
    order: Sequence[Value],
    seeds: Mapping[Value, float],
    active: set[Value],
    *,
    as_graph: Literal[False],
) -> dict[Value, float]: ...
@overload
def adjoints(
    order: Sequence[Value], seeds: Mapping[Value, Any], active: set[Value], *, as_graph: bool
) -> dict[Value, Any]: ...
def adjoints(
    order: Sequence[Value], seeds: Mapping[Value, Any], active: set[Value], *, as_graph: bool
) -> dict[Value, Any]:
    """Return the adjoint of every active node that ``seeds`` reach: the reverse sweep.

    ``order`` is a topological order, ``seeds`` are the adjoints of the outputs. With ``as_graph``
    the local derivatives are recomputed as Values, so the adjoints are Values that can be
    differentiated again; otherwise they are the floats stored when the nodes were made. Mutates
    no node. Source: Griewank and Walther, Evaluating Derivatives, section 3.2.
    """
    if as_graph and native.node is not None and not watching.open_blocks:
        return native.node.graph_adjoints(order, seeds, active, _partials_as_graph)  # type: ignore[no-any-return]
    result = dict(seeds)
    for node in reversed(order):
        if node in result and node in active and node.parents:
            adjoint = result[node]
            for parent, partial in zip(node.parents, local_derivatives(node, as_graph)):
                if parent in active:
                    term = times(adjoint, partial)
                    result[parent] = result[parent] + term if parent in result else term
    if watching.open_blocks:
        anomaly.check_adjoints(order, result)
    return result


@overload
def tangents(
    order: Sequence[Value],
    seeds: Mapping[Value, float],
    active: set[Value],
    *,
    as_graph: Literal[False],
) -> dict[Value, float]: ...
@overload
def tangents(
    order: Sequence[Value], seeds: Mapping[Value, Any], active: set[Value], *, as_graph: bool
) -> dict[Value, Any]: ...
def tangents(
    order: Sequence[Value], seeds: Mapping[Value, Any], active: set[Value], *, as_graph: bool
) -> dict[Value, Any]:
    """Return the tangent of every active node, given those of the inputs: the forward sweep."""
    result = dict(seeds)
    for node in order:
        if node in active and node not in result:
            terms = [
                times(result[parent], partial)
                for parent, partial in zip(node.parents, local_derivatives(node, as_graph))
                if parent in result
            ]
            if terms:
                result[node] = terms[0] if len(terms) == 1 else fsum(terms)
    if watching.open_blocks:
        anomaly.check_tangents(order, result)
    return result


def sparse_tangents(
    order: Sequence[Value], inputs: Sequence[Value]
) -> dict[Value, dict[int, float]]:
    """Return the derivatives of every node by those of ``inputs``, by number, it depends on.

    All directions in one forward sweep: a node has no entry for an input that it does not depend
    on. So the sweep takes as many operations as there are such pairs. Source: Griewank and Walther,
    Evaluating Derivatives, chapter 7, on sparse vectors of derivatives.
    """
    result: dict[Value, dict[int, float]] = {}
    for i, x in enumerate(inputs):
        result[x] = {i: 1.0}
    for node in order:
        terms: dict[int, list[float]] = {}
        for parent, partial in zip(node.parents, node.partials):
            for i, tangent in result.get(parent, {}).items():
                terms.setdefault(i, []).append(tangent * partial)
        if terms and node not in result:
            result[node] = {i: xs[0] if len(xs) == 1 else fsum(xs) for i, xs in terms.items()}
    if watching.open_blocks:
        for i in range(len(inputs)):
            anomaly.check_tangents(order, {x: row[i] for x, row in result.items() if i in row})
    return result


def local_derivatives(node: Value, as_graph: bool) -> Sequence[float | Value]:
    """Return the partials of ``node`` as stored, or recomputed as functions of its parents."""
    if not as_graph:
        return node.partials
    if node.data != node.data:
        return [nan] * len(node.parents)
    with watching.paused() if watching.open_blocks else nullcontext():
        return cast(Op, node.op).partials(GRAPH, node, *node.parents)


def _partials_as_graph(node: Value) -> Sequence[float | Value]:
    return local_derivatives(node, True)


def times(x: Any, y: Any) -> Any:
    """Return ``x * y``, without making a node if a factor is exactly 1."""
    if type(y) is float and y == 1.0:
        return x
    return y if type(x) is float and x == 1.0 else x * y


def _natively(
    order: Sequence[Value], weights: Mapping[Value, float], inputs: Sequence[Value]
) -> list[float]:
    """Return what ``gradients`` does, in C but for what is watched or has weights in a graph."""
    if watching.open_blocks or not all(type(weight) is float for weight in weights.values()):
        found = adjoints(order, weights, dependents(order, inputs), as_graph=False)
        return [found.get(x, 0.0) for x in inputs]
    return native.node.gradients(order, weights, inputs)  # type: ignore[no-any-return]


if native.node is not None:
    dependents, gradients = native.node.dependents, _natively
