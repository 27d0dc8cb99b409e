"""The original's number, the survey page's, and ours with an interval, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean, quantiles

from microgradient.rumelhart1986.experiment import Claim, Experiment
from microgradient.rumelhart1986.reproduce import Outcomes, study_of
from microgradient.rumelhart1986.statistics import median_interval, wilson
from microgradient.rumelhart1986.study import Outcome

_HEAD = ("experiment", "variant", "original", "survey page", "learned", "sweeps", "held out")


def markdown(experiments: Sequence[Experiment], results: Outcomes, seeds: int) -> str:
    """Return a table in Markdown of the seeds below ``seeds`` that are there.

    "learned" has the number of seeds, and the interval of the rate; "sweeps" the median of those
    that learned, its interval, the quartiles and the mean; "held out" the mean of right ones.
    """
    rows = [_HEAD, tuple("---" for _ in _HEAD)]
    for experiment in experiments:
        for name in experiment.variants:
            known = results.known.get(study_of(experiment, name), {})
            found = [known[seed] for seed in range(seeds) if seed in known]
            if found:
                rows.append(_row(experiment, name, found))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def _row(experiment: Experiment, name: str, found: Sequence[Outcome]) -> tuple[str, ...]:
    variant = experiment.variants[name]
    learned = [one for one in found if one.learned]
    low, high = wilson(len(learned), len(found))
    rate = f"{len(learned)} of {len(found)} ({low:.1%} to {high:.1%})"
    return (
        experiment.title,
        name,
        _claims(variant.original),
        _claims(variant.survey_page),
        rate,
        _sweeps([one.sweeps for one in learned]) if variant.recipe.stop_when_met else "fixed",
        _held_out(experiment, found),
    )


def _claims(claims: Sequence[Claim]) -> str:
    return "; ".join(f"{claim.quantity}: {claim.value}" for claim in claims) or "-"


def _sweeps(sweeps: Sequence[int]) -> str:
    if len(sweeps) < 2:
        return ", ".join(f"{n:,}" for n in sweeps) or "-"
    first, middle, third = quantiles(sweeps, n=4, method="inclusive")
    low, high = median_interval(sweeps)
    return (
        f"{middle:,.0f}, {low:,.0f} to {high:,.0f} (quartiles {first:,.0f} and {third:,.0f}, "
        f"mean {mean(sweeps):,.0f})"
    )


def _held_out(experiment: Experiment, found: Sequence[Outcome]) -> str:
    chosen = experiment.held_out
    count = chosen if isinstance(chosen, int) else len(chosen)
    if not count:
        return "-"
    counts: Mapping[int, int] = {k: sum(one.tested == k for one in found) for k in range(count + 1)}
    average = mean(one.tested for one in found)
    several = ", ".join(f"{k}: {n}" for k, n in counts.items() if n)
    return f"{average:.2f} of {count} ({several})"
