"""What a training run went through."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class History:
    """What a training run went through: one entry of ``errors`` and ``right`` for each sweep.

    ``errors`` holds the loss summed over the patterns; ``right`` how many patterns met the
    criterion (empty without one), both as presented in that sweep. ``stopped`` is "criterion",
    "sweeps" or "interrupted". ``met_at`` is the first sweep after which all patterns were right.
    """

    errors: list[float] = field(default_factory=list, repr=False)
    right: list[int] = field(default_factory=list, repr=False)
    stopped: str = "sweeps"
    met_at: int | None = None

    @property
    def sweeps(self) -> int:
        return len(self.errors)
