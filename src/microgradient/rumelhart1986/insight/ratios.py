"""The weights of the symmetry network: 1 : 2 : 4, mirrored with opposite sign (Nature, Fig. 1)."""

from __future__ import annotations

from dataclasses import dataclass

from microgradient.rumelhart1986.network import Network, Read

HALF = 3  # inputs on each side of the middle


@dataclass(frozen=True)
class MirrorWeights:
    """The weights of a hidden unit: ``ratios`` are their sizes from small to large, the first 1.

    ``asymmetry`` is how far the two sides are from being opposite: the largest |left + right| over
    the largest weight.
    """

    ratios: tuple[float, ...]
    asymmetry: float

    def is_124(self, tolerance: float = 0.1) -> bool:
        """Return whether they are 1 : 2 : 4, mirrored with opposite sign, within ``tolerance``."""
        near = all(abs(r / 2**k - 1) <= tolerance for k, r in enumerate(self.ratios))
        return near and self.asymmetry <= tolerance


def mirror_weights(network: Network) -> list[MirrorWeights]:
    """Return the weights of each hidden unit of a 6-2-1 network.

    Raises ValueError for a network without 6 inputs to a group "hidden".
    """
    groups = network.architecture.groups
    if groups.get("input") != 2 * HALF or "hidden" not in network.layers:
        raise ValueError(f"expected 6 input units and a group 'hidden', got {dict(groups)}")
    units = network.layers["hidden"]
    found = []
    for j in range(groups["hidden"]):
        values = [units.weight(j, Read("input", i, 0)) for i in range(2 * HALF)]
        weights = [0.0 if value is None else value.data for value in values]
        left, right = weights[:HALF], weights[: HALF - 1 : -1]
        sizes = sorted((abs(a) + abs(b)) / 2 for a, b in zip(left, right))
        largest = max(map(abs, weights))
        asymmetry = max(abs(a + b) for a, b in zip(left, right)) / largest if largest else 0.0
        smallest = sizes[0] or float("inf")
        found.append(MirrorWeights(tuple(size / smallest for size in sizes), asymmetry))
    return found
