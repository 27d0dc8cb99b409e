"""Deep networks of layers of one width, from the logistic layers of 1986 to residual ones."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from microgradient.engine.value import Value
from microgradient.nn.initializers import Initializer, initializer_of, uniform, zeros
from microgradient.nn.module import Inputs, Layer, Module, input_values
from microgradient.rumelhart1986.experiments.xor import PATTERNS as XOR

WIDTH = 8
"""Units of a hidden layer."""

PATTERNS = tuple((pattern.inputs, pattern.targets) for pattern in XOR)
"""Exclusive or: inputs and targets of 0 and 1."""


@dataclass(frozen=True)
class Kind:
    """What the hidden layers of a network are.

    ``activation`` is a name in ``nn.module.ACTIVATIONS``. ``initial`` is "glorot" or "he", with
    biases that start at 0, or a number r: weights and biases start uniform within ±r. With
    ``residual``, a layer with as many inputs as outputs adds its inputs: h + f(W h + b), the
    smallest block of He et al. 2016 ("Deep residual learning for image recognition"), eq. 1.
    """

    activation: str
    initial: str | float
    residual: bool = False

    def __str__(self) -> str:
        initial = self.initial if isinstance(self.initial, str) else f"{self.initial:g}"
        return "-".join([self.activation, initial, *["residual"] * self.residual])


class DeepNetwork(Module):
    """A network of a ``kind``, from as many inputs as the first of ``widths`` to the last of them.

    A call returns the incoming sums of its logistic output units (logits); the loss and the
    criterion apply the logistic function. Raises ValueError for fewer than two widths.
    """

    def __init__(self, kind: Kind, widths: Sequence[int], rng: random.Random) -> None:
        if len(widths) < 2:
            raise ValueError(f"a network needs at least two widths, got {list(widths)}")
        self.kind = kind
        weight, bias = _initializers(kind.initial)
        activations = [kind.activation] * (len(widths) - 2) + ["linear"]
        self.layers = [
            Layer(nin, nout, name, initializer=weight, bias_initializer=bias, rng=rng)
            for (nin, nout), name in zip(pairwise(widths), activations)
        ]

    def __call__(self, inputs: Inputs) -> list[Value]:
        return self.states(inputs)[-1]

    def __repr__(self) -> str:
        return f"DeepNetwork({self.kind}, {len(self.layers)} layers)"

    def states(self, inputs: Inputs) -> list[list[Value]]:
        """Return the activities of each hidden layer, and then the logits."""
        states = [input_values(inputs, len(self.layers[0].neurons[0].weights), "this network")]
        for layer in self.layers[:-1]:
            below, outputs = states[-1], layer.outputs(states[-1])
            if self.kind.residual and len(below) == len(outputs):
                outputs = [h + f for h, f in zip(below, outputs)]
            states.append(outputs)
        states.append(self.layers[-1].outputs(states[-1]))
        return states[1:]


def _initializers(initial: str | float) -> tuple[Initializer, Initializer]:
    """Return those of weights and of biases."""
    if isinstance(initial, str):
        return initializer_of(initial), zeros
    return uniform(initial), uniform(initial)


def deep_network(kind: Kind, layers: int, seed: int) -> DeepNetwork:
    """Return a network for XOR with ``layers`` layers of weights, 2-8-...-8-1, from a seed.

    Raises ValueError for fewer than two layers.
    """
    if layers < 2:
        raise ValueError(f"a network with hidden units needs at least 2 layers, got {layers}")
    return DeepNetwork(kind, [2, *[WIDTH] * (layers - 1), 1], random.Random(seed))
