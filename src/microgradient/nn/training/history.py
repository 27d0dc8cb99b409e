"""The course of a training run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class History:
    """The course of a training run: ``errors`` and ``right`` have one entry for each sweep.

    ``errors`` holds the loss summed over the patterns, ``right`` how many patterns met the
    criterion (empty without one); both count each pattern as it is presented, while the weights
    still change. ``stopped`` is "criterion", "sweeps", "interrupted" or "diverged". ``met_at`` is
    the number of sweeps after which all patterns were right for the first time.
    """

    errors: list[float] = field(default_factory=list, repr=False)
    right: list[int] = field(default_factory=list, repr=False)
    stopped: str = "sweeps"
    met_at: int | None = None

    @property
    def sweeps(self) -> int:
        """The number of sweeps done."""
        return len(self.errors)


@dataclass(frozen=True)
class Onlooker:
    """An ``on_sweep`` that only looks, so that training may be compiled all the same."""

    look: Callable[[Any, History], object]

    def __call__(self, model: Any, history: History) -> object:
        return self.look(model, history)
