"""The section on studies of which nothing was printed, such as those of files."""

from __future__ import annotations

from microgradient.rumelhart1986.claims.family_readings import HELD_OUT_IN_TURN
from microgradient.rumelhart1986.claims.readings import READINGS
from microgradient.rumelhart1986.report.found import Found
from microgradient.rumelhart1986.report.markdown import (
    Section,
    held_out_cell,
    learned_cells,
    paragraphs,
    table,
)

_ELSEWHERE = {HELD_OUT_IN_TURN.name, *(experiment.name for experiment in READINGS)}


def others(found: Found) -> Section | None:
    """Return the section, if there are such studies."""
    rows = [
        (
            study.experiment.title,
            study.variant,
            *learned_cells(outcomes),
            held_out_cell(study.experiment, outcomes),
        )
        for study, outcomes in found.variants
        if study.experiment.name not in _ELSEWHERE
        and not study.experiment.variants[study.variant].original
    ]
    if not rows:
        return None
    head = ("study", "variant", "learned", "sweeps", "held out")
    return Section(paragraphs("## Other studies", table(head, rows)))
