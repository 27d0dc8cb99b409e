"""Back-propagation on a problem of 1986, for a race with another method."""

from __future__ import annotations

import time
from statistics import median

from microgradient.engine.services.processors import processors
from microgradient.gallery.piece import Race
from microgradient.rumelhart1986 import EXPERIMENTS
from microgradient.rumelhart1986.study import learned_sweeps
from microgradient.rumelhart1986.variant_study import VariantStudy


def problem(experiment: str, variant: str) -> str:
    """Return what a race calls a problem: ``Exclusive or 2-2-1``, ``The 4-2-4 encoder``."""
    title = EXPERIMENTS[experiment].title
    return title if variant in title else f"{title} {variant}"


def backprop(experiment: str, variant: str, trials: int) -> Race:
    """Train networks from the seeds 0, 1, …, side by side in machine code.

    A sweep presents each pattern once. The time includes compilation.
    """
    chosen = EXPERIMENTS[experiment]
    began = time.perf_counter()
    outcomes = VariantStudy(chosen, variant).outcomes(range(trials), processors())
    seconds = time.perf_counter() - began
    sweeps = learned_sweeps(outcomes)
    presentations = median(sweeps) * len(chosen.patterns) if sweeps else None
    name = problem(experiment, variant)
    return Race(name, "back-propagation", len(sweeps), trials, presentations, seconds / trials)
