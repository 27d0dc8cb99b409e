"""Pictures of many seeds: how many learned, how long it took, and what was printed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from statistics import median, quantiles
from textwrap import fill
from typing import Any

from microgradient.rumelhart1986.experiment import Claim
from microgradient.rumelhart1986.picture import NEGATIVE, POSITIVE
from microgradient.rumelhart1986.reproduction.statistics import wilson
from microgradient.rumelhart1986.study import Outcome, learned_sweeps
from microgradient.rumelhart1986.variant_study import VariantStudy

OURS, ORIGINAL, GREY, INK = POSITIVE, NEGATIVE, "#94a3b8", "#1e293b"
_LEAST = 20  # what is smaller in a claim is no number of sweeps


def overview(found: Sequence[tuple[VariantStudy, Sequence[Outcome]]]) -> Any:
    """Return a figure with a line for each study: the rate that learned, and after how long.

    On the left, rates with their intervals. On the right, of the networks that learned, the
    central 95 % of sweeps (line), the quartiles (bar) and the median (stroke), beside the numbers
    of the original and of the survey page.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 0.8 + 0.26 * len(found)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1, 2.2))
    names = [_label(study) for study, _ in found]
    for y, (study, outcomes) in enumerate(found):
        learned = learned_sweeps(outcomes)
        _draw_rate(left, y, len(learned), len(outcomes))
        variant = study.experiment.variants[study.variant]
        if variant.recipe.stop_when_met:
            _draw_sweeps(right, y, learned)
        for claims, marker, color in (
            (variant.original, "D", ORIGINAL),
            (variant.survey_page, "x", INK),
        ):
            for count in (n for claim in claims for n in sweeps_in(claim)):
                right.plot(count, y, marker, color=color, markersize=5, zorder=5)
    left.set_yticks(range(len(names)), names, fontsize=8)
    left.set(xlim=(-0.02, 1.02), ylim=(len(found) - 0.4, -0.6), xlabel="rate that learned")
    right.set(xscale="log", xlabel="sweeps of those that learned")
    for axes in (left, right):
        axes.grid(axis="x", alpha=0.3)
        axes.tick_params(axis="y", length=0)
    right.plot([], [], "D", color=ORIGINAL, markersize=5, label="original")
    right.plot([], [], "x", color=INK, markersize=5, label="survey page")
    right.legend(loc="lower right", fontsize=8, framealpha=1)
    return figure


def _label(study: VariantStudy) -> str:
    name, variant = study.experiment.name, study.variant
    return name if len(study.experiment.variants) == 1 else f"{name} {variant}"


def _draw_rate(axes: Any, y: float, successes: int, trials: int) -> None:
    axes.plot(wilson(successes, trials), [y, y], color=OURS, linewidth=2, solid_capstyle="butt")
    axes.plot(successes / trials, y, "o", color=OURS, markersize=4)


def _draw_sweeps(axes: Any, y: float, sweeps: Sequence[int]) -> None:
    if len(sweeps) < 2:
        axes.plot(sweeps, [y] * len(sweeps), "|", color=OURS)
        return
    ends = quantiles(sweeps, n=40, method="inclusive")
    first, _, third = quantiles(sweeps, n=4, method="inclusive")
    axes.plot([ends[0], ends[-1]], [y, y], color=GREY, linewidth=1)
    axes.plot([first, third], [y, y], color=OURS, linewidth=6, alpha=0.45, solid_capstyle="butt")
    axes.plot(median(sweeps), y, "|", color=OURS, markersize=9, markeredgewidth=2)


def sweeps_in(claim: Claim) -> list[float]:
    """Return the numbers of sweeps that a claim has: two of a range."""
    if "stuck" in claim.quantity:
        return []  # not after how many it learned
    if "sweeps" not in f"{claim.quantity} {claim.value}" and "epochs" not in claim.value:
        return []
    numbers = [float(n.replace(",", "")) for n in re.findall(r"\d[\d,]*", claim.value)]
    return [number for number in numbers if number >= _LEAST]


def rates(groups: Mapping[str, Mapping[str, tuple[int, int]]], label: str) -> Any:
    """Return a figure of rates with intervals: a panel for each group, a line for each name."""
    from matplotlib.figure import Figure

    lines = max(len(of_group) for of_group in groups.values())
    figure = Figure(figsize=(11, 1.4 + 0.26 * lines), layout="constrained")
    panels = figure.subplots(1, len(groups), squeeze=False, sharex=True)[0]
    for axes, (title, of_group) in zip(panels, groups.items()):
        for y, count in enumerate(of_group.values()):
            _draw_rate(axes, y, *count)
        axes.set_yticks(range(len(of_group)), list(of_group), fontsize=8)
        axes.set(xlim=(-0.02, 1.02), ylim=(lines - 0.4, -0.6), xlabel=label)
        axes.set_title(fill(title, 90 // len(groups)), fontsize=9)
        axes.grid(axis="x", alpha=0.3)
        axes.tick_params(axis="y", length=0)
    return figure
