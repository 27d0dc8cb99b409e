"""What was found: outcomes by study, for the seeds that were asked for."""

from __future__ import annotations

from collections.abc import Sequence

from microgradient.rumelhart1986.reproduction.outcomes_file import OutcomesFile, key_of
from microgradient.rumelhart1986.study import Outcome, Study
from microgradient.rumelhart1986.variant_study import VariantStudy


class Found:
    """Studies, each with how many seeds were asked for, and their outcomes."""

    def __init__(
        self, results: OutcomesFile, groups: Sequence[tuple[Sequence[Study], int]]
    ) -> None:
        self._results = results
        self._seeds = {key_of(study): seeds for studies, seeds in groups for study in studies}
        self._studies = {key_of(study): study for studies, _ in groups for study in studies}

    @property
    def seeds(self) -> list[int]:
        """The different numbers of seeds."""
        return sorted(set(self._seeds.values()))

    @property
    def variants(self) -> list[tuple[VariantStudy, Sequence[Outcome]]]:
        """The variants of experiments that have outcomes, with those."""
        several = [s for s in self._studies.values() if isinstance(s, VariantStudy)]
        return [(study, found) for study in several if (found := self.of(study))]

    def of(self, study: Study) -> Sequence[Outcome]:
        """Return the outcomes of a study: none, if it was not asked for."""
        seeds = self._seeds.get(key_of(study))
        return [] if seeds is None else self._results.of(study, seeds)

    def named(self, name: str) -> Sequence[Outcome]:
        """Return the outcomes of the study with a name: none, if it was not asked for."""
        several = [study for study in self._studies.values() if study.name == name]
        return self.of(several[0]) if several else []
