"""What the shared field of T-C became: a compactness detector, in most cases (PDP8, p. 351)."""

from __future__ import annotations

from dataclasses import dataclass

from microgradient.rumelhart1986.experiments.tc import PATTERNS
from microgradient.rumelhart1986.network import Network


@dataclass(frozen=True)
class Field:
    """The weights of the field, its bias, and how many fields each kind of figure switches.

    A field is switched if its activity is on the other side of 0.5 than over an empty retina.
    """

    weights: tuple[float, ...]
    bias: float
    switched_by_t: float
    switched_by_c: float

    @property
    def is_compactness_detector(self) -> bool:
        """Whether all weights inhibit, or all excite: any square of a figure has the same effect.

        In the original, a T then switches off 21 units, and a C 20.
        """
        return all(w < 0 for w in self.weights) or all(w > 0 for w in self.weights)


def field_of(network: Network) -> Field:
    """Return the shared field of a T-C network, with means over the four directions of figures."""
    unit = network.layers["field"].neurons[0]
    empty = network.activities([0.0] * len(PATTERNS[0].inputs))["field"][0] > 0.5
    counts: dict[str, list[int]] = {"T": [], "C": []}
    for pattern in PATTERNS:
        activities = network.activities(pattern.inputs)["field"]
        counts[pattern.name[0]].append(sum((y > 0.5) != empty for y in activities))
    means = {letter: sum(several) / len(several) for letter, several in counts.items()}
    weights = tuple(weight.data for weight in unit.weights)
    return Field(weights, unit.bias.data, means["T"], means["C"])
