"""The chain rule over a recorded graph: reverse sweep (adjoints), forward sweep (tangents)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from math import nan
from typing import Any

from microgradient.engine.choice import GRAPH
from microgradient.engine.ops import fsum
from microgradient.engine.services import anomaly, watching


def dependents(order: Iterable[Any], inputs: Iterable[Any]) -> set[Any]:
    """Return the nodes of ``order`` through which the result depends on ``inputs``."""
    active = set(inputs)
    for node in order:
        if not active.isdisjoint(node.parents):
            active.add(node)
    return active


def adjoints(
    order: Sequence[Any], seeds: Mapping[Any, Any], active: set[Any], *, as_graph: bool
) -> dict[Any, Any]:
    """Return the adjoint of every active node that ``seeds`` reach: the reverse sweep.

    ``order`` is a topological order, ``seeds`` the adjoints of the outputs. With ``as_graph`` the
    local derivatives are recomputed as Values, and so the adjoints are Values that can be
    differentiated again; otherwise they are the floats captured when the nodes were made.
    Mutates no node. Source: Griewank and Walther, Evaluating Derivatives, section 3.2.
    """
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


def tangents(
    order: Sequence[Any], seeds: Mapping[Any, Any], active: set[Any], *, as_graph: bool
) -> dict[Any, Any]:
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


def local_derivatives(node: Any, as_graph: bool) -> Sequence[Any]:
    """Return the partials of ``node``: as captured, or again as functions of its parents."""
    if not as_graph:
        return node.partials  # type: ignore[no-any-return]
    if node.data != node.data:
        return [nan] * len(node.parents)
    with watching.paused() if watching.open_blocks else nullcontext():
        return node.op.partials(GRAPH, node, *node.parents)  # type: ignore[no-any-return]


def times(x: Any, y: Any) -> Any:
    """Return ``x * y`` without a node for a factor of exactly 1."""
    if type(y) is float and y == 1.0:
        return x
    return y if type(x) is float and x == 1.0 else x * y
