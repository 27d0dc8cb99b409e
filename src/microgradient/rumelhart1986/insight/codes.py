"""The codes of an encoder: what its hidden units say of each pattern (PDP8, pp. 335-337)."""

from __future__ import annotations

from collections.abc import Sequence

from microgradient.rumelhart1986.experiment import NamedPattern
from microgradient.rumelhart1986.network import Network

INTERMEDIATE = 0.2, 0.8
"""Between these, an activity is neither 0 nor 1."""


def codes_of(
    network: Network, group: str, patterns: Sequence[NamedPattern]
) -> list[tuple[float, ...]]:
    """Return the activities of a group for each pattern. Raises ValueError for an unknown group."""
    if group not in network.layers:
        known = ", ".join(network.layers)
        raise ValueError(f"group must be one with units that learn ({known}), got {group!r}")
    return [tuple(network.activities(pattern.inputs)[group]) for pattern in patterns]


def distinct_codes(codes: Sequence[Sequence[float]]) -> int:
    """Return how many codes are different after rounding each activity to 0 or 1."""
    return len({tuple(activity > 0.5 for activity in code) for code in codes})


def intermediate(codes: Sequence[Sequence[float]]) -> int:
    """Return how many activities are between 0.2 and 0.8, as some of PDP8's Table 5 are."""
    low, high = INTERMEDIATE
    return sum(low < activity < high for code in codes for activity in code)
