"""Tables and numbers of a report in Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from statistics import mean, quantiles
from typing import Any

from microgradient.rumelhart1986.experiment import Experiment
from microgradient.rumelhart1986.reproduction.statistics import median_interval, rate_text
from microgradient.rumelhart1986.study import Outcome, learned_sweeps


@dataclass(frozen=True)
class Section:
    """A part of a report: text in Markdown, and what draws its Matplotlib figures, by name."""

    text: str
    figures: dict[str, Callable[[], Any]] = field(default_factory=dict)


def paragraphs(*parts: str) -> str:
    """Return parts with an empty line between them."""
    return "\n\n".join(part.strip("\n") for part in parts if part)


def picture(name: str, caption: str) -> str:
    """Return the place of a figure."""
    return f"![{caption}](pictures/{name}.png)"


def table(head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *body]
    cells = [[cell.replace("|", "\\|").replace("\n", " ") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells) + "\n"


def sweeps_text(outcomes: Sequence[Outcome]) -> str:
    """Return the sweeps of those that learned: median, interval, quartiles and mean."""
    sweeps = learned_sweeps(outcomes)
    if len(sweeps) < 2:
        return ", ".join(f"{n:,}" for n in sweeps) or "-"
    first, middle, third = quantiles(sweeps, n=4, method="inclusive")
    low, high = median_interval(sweeps)
    return (
        f"{middle:,.0f}, {low:,.0f} to {high:,.0f} (quartiles {first:,.0f} and {third:,.0f}, "
        f"mean {mean(sweeps):,.0f})"
    )


def learned_cells(outcomes: Sequence[Outcome]) -> tuple[str, str]:
    """Return how many learned, and their sweeps, as two cells."""
    learned = sum(one.learned for one in outcomes)
    return rate_text(learned, len(outcomes)), sweeps_text(outcomes)


def held_out_cell(experiment: Experiment, outcomes: Sequence[Outcome]) -> str:
    """Return the mean of right held-out patterns, and how many seeds had how many right."""
    if not experiment.tested:
        return "-"
    counts = Counter(one.tested for one in outcomes)
    several = ", ".join(f"{k}: {counts[k]}" for k in sorted(counts))
    average = mean(one.tested for one in outcomes)
    return f"{average:.2f} of {experiment.tested} ({several})"
