"""What a piece of the gallery shows: findings, races and pictures, one after another.

A piece is a module with a docstring, a function ``run`` that yields what it shows, and ``SMALL``,
the arguments with which ``run`` takes a moment. Without arguments it runs at full size.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Finding:
    """What is claimed, by whom, and what came."""

    claim: str
    source: str
    came: str
    holds: bool

    @property
    def verdict(self) -> str:
        """What came, after whether the claim holds."""
        return f"{'holds' if self.holds else 'came instead'}: {self.came}"


@dataclass(frozen=True)
class Race:
    """How a method did on a problem: ``solved`` of ``trials``, and what that took.

    ``presentations`` is the median number of times that a pattern was shown, of the trials that
    solved the problem, or None if none did; ``seconds`` is the time of one trial.
    """

    problem: str
    method: str
    solved: int
    trials: int
    presentations: float | None
    seconds: float

    @property
    def presented(self) -> str:
        """The presentations as text, "-" if there are none."""
        return "-" if self.presentations is None else f"{self.presentations:,.0f}"


@dataclass(frozen=True)
class Picture:
    """A Matplotlib figure, by the name of its file without the suffix, and what it shows."""

    name: str
    figure: Any
    caption: str


Shown = Finding | Race | Picture
Run = Callable[..., Iterator[Shown]]


def timed(shown: Iterator[Shown]) -> Iterator[tuple[Shown, float]]:
    """Yield what a piece shows, each with the seconds since the one before."""
    began = time.perf_counter()
    for one in shown:
        yield one, time.perf_counter() - began
        began = time.perf_counter()


def line_of(one: Finding | Race) -> str:
    """Return a finding or a race as one line."""
    if isinstance(one, Race):
        return (
            f"{one.problem}, {one.method}: {one.solved:,} of {one.trials:,} solved, "
            f"{one.presented} presentations, {one.seconds:.2g} s each"
        )
    return f"{one.claim} ({one.source}): {one.verdict}"


def show(run: Run) -> None:
    """Run a piece at full size: print what it finds, write its pictures into this folder."""
    for one in run():
        if isinstance(one, Picture):
            path = Path(f"{one.name}.png")
            one.figure.savefig(path, dpi=110)
            print(f"{path}: {one.caption}", flush=True)
        else:
            print(line_of(one), flush=True)
