"""Runs of XOR 2-2-1 made comparable, so that they can be drawn on one plane.

A network computes the same with its hidden units exchanged, and with the weights of a hidden unit
reversed (its activity h becomes 1 - h, so the weight v from it becomes -v, and the output's bias
grows by v). XOR, and so the error summed over its four patterns, is the same with the inputs
exchanged, and with an input negated (a becomes 1 - a) together with the output, whose targets are
as far from 1/2. Each run is taken as the equivalent whose end is nearest to that of another one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

from microgradient.engine.value import Value
from microgradient.rumelhart1986.insight.path import Weights
from microgradient.rumelhart1986.network import Network

Change = Callable[[Weights], Weights]

# The order of parameters() of a 2-2-1 network, which a test holds to that.
ORDER = ("a1", "b1", "bias1", "a2", "b2", "bias2", "v1", "v2", "bias")


def order_of(network: Network) -> tuple[str, ...]:
    """Return the order of a 2-2-1 network's parameters in the words of ``ORDER``."""
    hidden, output = network.layers["hidden"].neurons, network.layers["output"].neurons[0]
    names: dict[Value, str] = {}
    for k, unit in enumerate(hidden, 1):
        names |= dict(zip(unit.weights, (f"a{k}", f"b{k}"))) | {unit.bias: f"bias{k}"}
    names |= dict(zip(output.weights, ("v1", "v2"))) | {output.bias: "bias"}
    return tuple(names[parameter] for parameter in network.parameters())


def equivalents() -> Iterator[Change]:
    """Yield the 64 changes of weights that leave the error over the four patterns as it is.

    Eight of them leave the function of the network as it is; the others exchange patterns.
    """
    for units, inputs, first, second, a, b in product((False, True), repeat=6):

        def change(
            weights: Weights,
            units: bool = units,
            inputs: bool = inputs,
            reverse: tuple[bool, bool] = (first, second),
            negate: tuple[bool, bool] = (a, b),
        ) -> Weights:
            named = dict(zip(ORDER, weights))
            rows = [[named[f"{name}{k}"] for name in ("a", "b", "bias", "v")] for k in (1, 2)]
            bias = named["bias"]
            for row, is_reversed in zip(rows, reverse):
                if is_reversed:
                    bias += row[3]
                    row[:] = [-x for x in row]
                if inputs:
                    row[0], row[1] = row[1], row[0]
                for k, is_negated in enumerate(negate):
                    if is_negated:  # w a = w - w (1 - a)
                        row[2] += row[k]
                        row[k] = -row[k]
                if negate[0] != negate[1]:  # then XOR is negated
                    row[3] = -row[3]
            if negate[0] != negate[1]:
                bias = -bias
            if units:
                rows.reverse()
            (a1, b1, c1, v1), (a2, b2, c2, v2) = rows
            return (a1, b1, c1, a2, b2, c2, v1, v2, bias)

        yield change


def nearest(end: Weights, to: Weights) -> Change:
    """Return the change by which ``end`` comes nearest to some other weights."""

    def distance(change: Change) -> float:
        return sum((x - y) ** 2 for x, y in zip(change(end), to))

    return min(equivalents(), key=distance)
