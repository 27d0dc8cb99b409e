"""The section on the survey page's claims."""

from __future__ import annotations

from collections.abc import Sequence

from microgradient.rumelhart1986.claims.judged import summary, verdicts
from microgradient.rumelhart1986.claims.readings import READINGS
from microgradient.rumelhart1986.deep import ShrinkFactor, shrink_factors
from microgradient.rumelhart1986.report.found import Found
from microgradient.rumelhart1986.report.markdown import (
    Section,
    learned_cells,
    paragraphs,
    table,
)

_TEXT = """\
XOR and the encoder are trained as the page says: momentum .9, weights within ±.5, targets 0 and 1,
errors below .05 (XOR) and .1 (encoder). What it leaves open is read in several ways. A claim that
holds under all readings holds; under some, it holds under conditions.

Under a reading, a count of sweeps holds within 10 % of the interval of the median, and under
conditions where 95 % of runs end; a rate holds within its interval; "never" holds without a single
network, and under conditions if the interval is below one half; "all" holds if the interval reaches
95 %, and under conditions if it is above 5 %. Fewer than 20 networks are too few."""
_FACTORS = """\
The factor by which a layer of 8 units shrinks the gradient before training, by the number of layers
that it passes ({} networks each; below 1 it grows):"""


def claims(found: Found) -> Section | None:
    """Return the section, if the readings were run."""
    names = {experiment.name for experiment in READINGS}
    readings = [(s, o) for s, o in found.variants if s.experiment.name in names]
    if not readings:
        return None
    factors = shrink_factors()
    judged = verdicts(found.named, factors)
    counts = ", ".join(f"{verdict}: {count}" for verdict, count in summary(judged).items())
    body = [(one.claim, one.original, one.measured, one.verdict) for one in judged]
    text = paragraphs(
        "## The survey page's claims, judged",
        _TEXT,
        f"{len(judged)} claims; {counts}.",
        table(("claim", "in the original", "measured", "verdict"), body),
        _FACTORS.format(factors[0].seeds + factors[0].lost),
        _factor_table(factors),
        "All readings:",
        table(
            ("reading", "learned", "sweeps"),
            [(study.name, *learned_cells(outcomes)) for study, outcomes in readings],
        ),
    )
    return Section(text)


def _factor_table(factors: Sequence[ShrinkFactor]) -> str:
    depths = sorted({one.layers for one in factors})
    kinds: dict[str, list[str]] = {}
    for one in factors:
        text = f"{one.factor:.2f} ({one.low:.2f} to {one.high:.2f})"
        kinds.setdefault(str(one.kind), []).append(text)
    head = ("layers", *map(str, depths))
    return table(head, [(kind, *cells) for kind, cells in kinds.items()])
