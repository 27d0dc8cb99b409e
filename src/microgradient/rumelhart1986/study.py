"""What is trained from many seeds, and how each seed ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class Outcome:
    """How one seed ended: whether it learned, after how many sweeps, and what it had right then.

    ``tested`` counts the held-out patterns that it has right. ``findings`` are what else was
    measured in the trained network, by name.
    """

    seed: int
    learned: bool
    sweeps: int
    right: int
    tested: int
    findings: Mapping[str, float] = field(default_factory=dict)


def learned_sweeps(outcomes: Iterable[Outcome]) -> list[int]:
    """Return after how many sweeps those that learned had done so, in the order of the outcomes."""
    return [one.sweeps for one in outcomes if one.learned]


class Study(Protocol):
    """Networks trained from seeds: a seed's outcome depends on nothing but the seed.

    ``name`` is one of its own. ``content`` is a text of all that outcomes depend on: where it
    changes, what was known of the study is not.
    """

    @property
    def name(self) -> str: ...
    @property
    def content(self) -> str: ...

    def wanted(self, seeds: int) -> range:
        """Return the seeds to train from where so many are asked for: fewer, if that takes long."""

    def outcomes(self, seeds: Sequence[int], workers: int) -> list[Outcome]:
        """Return how training from these seeds ends, with ``workers`` threads.

        Raises KeyboardInterrupt if training was interrupted: what has not ended has no outcome.
        """
