"""All studies, in groups, by name: what ``microgradient reproduce`` runs."""

from __future__ import annotations

from collections.abc import Mapping

from microgradient.rumelhart1986.claims.family_readings import FRESH, SCAN
from microgradient.rumelhart1986.claims.readings import READINGS
from microgradient.rumelhart1986.deep import DEEP_STUDIES, HARD_THRESHOLD
from microgradient.rumelhart1986.experiment import Experiment
from microgradient.rumelhart1986.experiments import EXPERIMENTS
from microgradient.rumelhart1986.insight.findings import FINDINGS
from microgradient.rumelhart1986.study import Study
from microgradient.rumelhart1986.variant_study import VariantStudy


def studies_of(experiment: Experiment) -> tuple[Study, ...]:
    """Return a study for each variant, with the findings of the task that it is."""
    tasks = [name for name, one in EXPERIMENTS.items() if one.patterns == experiment.patterns]
    measure = FINDINGS.get(tasks[0]) if tasks else None
    return tuple(VariantStudy(experiment, name, measure) for name in experiment.variants)


GROUPS: Mapping[str, tuple[Study, ...]] = {
    **{name: studies_of(experiment) for name, experiment in EXPERIMENTS.items()},
    "claims": (*(study for one in READINGS for study in studies_of(one)), HARD_THRESHOLD),
    "deep-networks": DEEP_STUDIES,
    "family-riddle": (*SCAN, *FRESH),
}
"""Each experiment; the survey page's claims; deep networks; the riddle of the family trees."""
