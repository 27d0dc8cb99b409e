"""Timing that survives a noisy machine: one process, alternating rounds, medians, ratios."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping


def medians(
    contestants: Mapping[str, Callable[[], object]], rounds: int, calls: int = 1
) -> dict[str, float]:
    """Return the median seconds of a call of each; all have a turn in every round.

    A turn is ``calls`` calls, with the garbage collector as Python ships it. Before each turn the
    garbage of the others is collected, untimed: a contestant does not pay for the cycles of others,
    but pays for its own from the second call on. The first round does not count.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for counted in [False] + [True] * rounds:
        for name, contestant in contestants.items():
            gc.collect()
            start = time.perf_counter()
            for _ in range(calls):
                contestant()
            if counted:
                seconds[name].append((time.perf_counter() - start) / calls)
    return {name: statistics.median(times) for name, times in seconds.items()}


def show(title: str, seconds: Mapping[str, float], base: str) -> None:
    """Print each time, and how many times faster it is than ``base``."""
    print(f"\n{title}")
    for name, time_ in seconds.items():
        print(f"  {name:<44} {time_ * 1e3:10.2f} ms  {seconds[base] / time_:8.2f} x {base}")
