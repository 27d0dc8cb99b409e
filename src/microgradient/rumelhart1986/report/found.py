"""What was found: outcomes by study, for the seeds that were asked for."""

from __future__ import annotations

from collections.abc import Sequence

from microgradient.rumelhart1986.reproduction.outcomes_file import OutcomesFile
from microgradient.rumelhart1986.study import Outcome, Study
from microgradient.rumelhart1986.variant_study import VariantStudy


class Found:
    """Studies, each with how many seeds were asked for, and their outcomes."""

    def __init__(
        self, results: OutcomesFile, groups: Sequence[tuple[Sequence[Study], int]]
    ) -> None:
        self._results = results
        self._seeds = {study.name: seeds for studies, seeds in groups for study in studies}
        self._studies = {study.name: study for studies, _ in groups for study in studies}

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
        return self.named(study.name)

    def named(self, name: str) -> Sequence[Outcome]:
        """Return the outcomes of the study with a name: none, if it was not asked for."""
        if name not in self._studies:
            return []
        return self._results.of(self._studies[name], self._seeds[name])
