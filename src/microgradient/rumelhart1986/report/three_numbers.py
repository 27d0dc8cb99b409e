"""The original's number, the survey page's, and ours with an interval, side by side."""

from __future__ import annotations

from collections.abc import Sequence

from microgradient.rumelhart1986.experiment import Claim
from microgradient.rumelhart1986.report.figures import overview
from microgradient.rumelhart1986.report.found import Found
from microgradient.rumelhart1986.report.markdown import (
    Section,
    held_out_cell,
    learned_cells,
    paragraphs,
    picture,
    table,
)
from microgradient.rumelhart1986.study import Outcome
from microgradient.rumelhart1986.variant_study import VariantStudy

HEAD = ("experiment", "variant", "original", "survey page", "learned", "sweeps", "held out")
_TEXT = """\
The original's numbers, those of the survey page (a modern summary on the web), and ours: how many
networks learned, and the median number of sweeps of those, with its interval, the quartiles and the
mean. Settings and their sources: `microgradient describe`."""


def three_numbers(found: Found) -> Section | None:
    """Return the section, with a row for each variant about which something was printed."""
    several = [
        (study, outcomes)
        for study, outcomes in found.variants
        if study.experiment.variants[study.variant].original
    ]
    if not several:
        return None
    rows = [_row(study, outcomes) for study, outcomes in several]
    text = paragraphs(
        "## Three numbers",
        _TEXT,
        picture("three-numbers", "Rates and sweeps of every experiment, beside what was printed"),
        table(HEAD, rows),
        *_failures(several),
    )
    return Section(text, {"three-numbers": lambda: overview(several)})


def _failures(
    several: Sequence[tuple[VariantStudy, Sequence[Outcome]]],
) -> tuple[str, ...]:
    """Return a table of the networks that did not learn, by how many patterns they have wrong."""
    rows = []
    for study, outcomes in several:
        chosen = study.experiment
        total = len(chosen.patterns) - chosen.tested
        wrong = [total - one.right for one in outcomes if not one.learned]
        if wrong:
            counts = [wrong.count(1), wrong.count(2), sum(n > 2 for n in wrong)]
            rows.append((chosen.title, study.variant, str(total), *(f"{n:,}" for n in counts)))
    if not rows:
        return ()
    head = ("experiment", "variant", "patterns", "one wrong", "two wrong", "more")
    return ("Networks that did not learn, by how many patterns are wrong:", table(head, rows))


def _row(study: VariantStudy, outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    chosen = study.experiment.variants[study.variant]
    rate, sweeps = learned_cells(outcomes)
    return (
        study.experiment.title,
        study.variant,
        _claims(chosen.original),
        _claims(chosen.survey_page),
        rate,
        sweeps if chosen.recipe.stop_when_met else "fixed",
        held_out_cell(study.experiment, outcomes),
    )


def _claims(claims: Sequence[Claim]) -> str:
    return "; ".join(f"{claim.quantity}: {claim.value}" for claim in claims) or "-"
