"""The node of a neuron, spelled out: ``dot`` on lists that are known to hold Values."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan

from microgradient.engine import ops
from microgradient.engine.floats import dot
from microgradient.engine.value import Value, new_node


def weighted_sum(
    weights: Sequence[Value],
    inputs: Sequence[Value],
    numbers: Sequence[float] | None,
    bias: Value,
) -> Value:
    """Return the ``dot`` node of ``weights``, ``inputs`` (whose data are ``numbers``) and ``bias``.

    Equal to ``ops.dot(weights, inputs, bias)``, which spends three quarters of its time on asking
    what its operands are. The lengths must agree: the layer that calls this has checked them.
    Without ``numbers``, among symbols, it is that.
    """
    factors = numbers_of(weights)
    if factors is None or numbers is None:
        return ops.dot(weights, inputs, bias)
    data = dot(factors, numbers, bias._data)
    parents = (*weights, *inputs, bias)
    partials = (*numbers, *factors, 1.0) if data == data else (nan,) * len(parents)
    return new_node(data, ops.dot, parents, partials)


def numbers_of(values: Sequence[Value]) -> list[float] | None:
    """Return the data of ``values`` (past the property, which costs four times the slot).

    None if one of them is a symbol, whose number is not known.
    """
    try:
        return [value._data for value in values]
    except AttributeError:
        return None
