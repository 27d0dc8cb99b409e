"""The outputs of neurons that read the same inputs: two nodes each, a ``dot`` and an activation."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from typing import Any

from microgradient.engine import native, ops
from microgradient.engine.floats import dot
from microgradient.engine.value import Value, new_node


def responses(neurons: Sequence[Any], inputs: list[Value]) -> list[Any]:
    """Return ``activation(dot(weights, inputs, bias))`` of each neuron, its three attributes.

    Raises ValueError if a neuron has another number of weights.
    """
    numbers = _numbers_of(inputs)
    return [
        neuron.activation(_weighted_sum(neuron.weights, inputs, numbers, neuron.bias))
        for neuron in neurons
    ]


def _weighted_sum(
    weights: Sequence[Value], inputs: list[Value], numbers: list[float] | None, bias: Value
) -> Value:
    """Return ``dot(weights, inputs, bias)``, which spends three quarters of its time on checks."""
    if len(weights) != len(inputs):
        raise ValueError(
            f"the number of inputs of this neuron is {len(weights)}, got {len(inputs)}"
        )
    factors = _numbers_of([*weights, bias])
    if factors is None or numbers is None:
        return ops.dot(weights, inputs, bias)
    data = dot(factors[:-1], numbers, factors[-1])
    parents = (*weights, *inputs, bias)
    partials = (*numbers, *factors[:-1], 1.0) if data == data else (nan,) * len(parents)
    return new_node(data, ops.dot, parents, partials)


def _numbers_of(values: Sequence[Value]) -> list[float] | None:
    """Return the data of ``values``; None if one of them is a symbol, or a number as it is."""
    try:
        return [value._data for value in values]  # reading the property takes four times as long
    except AttributeError:
        return None


if native.node is not None:
    responses = native.node.responses
