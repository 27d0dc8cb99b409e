"""The section on what hidden units learned: shares of networks, and pictures of some."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from microgradient.nn.training.objective import count_right
from microgradient.nn.training.plan import within
from microgradient.rumelhart1986.experiment import NamedPattern
from microgradient.rumelhart1986.experiments.family_trees import ENGLISH_MEN, ENGLISH_WOMEN
from microgradient.rumelhart1986.insight.figures import (
    lesion_chart,
    path_on_surface,
    person_units,
    shared_field,
    weights_over_training,
    xor_runs,
)
from microgradient.rumelhart1986.insight.findings import summarized
from microgradient.rumelhart1986.insight.lesions import Lesion, concentration_p, lesions
from microgradient.rumelhart1986.insight.path import path_of
from microgradient.rumelhart1986.picture import figure_of
from microgradient.rumelhart1986.report.found import Found
from microgradient.rumelhart1986.report.markdown import Section, paragraphs, picture, table
from microgradient.rumelhart1986.study import Outcome
from microgradient.rumelhart1986.trial import Trial, run, trained_pattern
from microgradient.rumelhart1986.variant_study import VariantStudy

_RUNS = 30  # of XOR, on one plane
_TEXT = """\
In the networks that learned. The correlations are those of the person unit that fits best with what
people differ in ("sex of the answer": of the relation unit); "better than chance" is p of at most
.05 by 199 permutations of the labels, for each label by itself."""
_LESIONS = """\
A unit is removed (the weights from it are 0): which of the training cases break, and are they more
of one relation, or of one nationality, than as many cases drawn at random (1,000 permutations)?"""

Draw = Callable[[VariantStudy, int], Any]


def hidden_units(found: Found) -> Section | None:
    """Return the section, if something was measured in networks that learned."""
    measured = [
        (study, learned)
        for study, outcomes in found.variants
        if study.measure
        and study.experiment.variants[study.variant].original
        and (learned := [one for one in outcomes if one.learned])
    ]
    if not measured:
        return None
    rows = [
        (study.name, *row)
        for study, learned in measured
        for row in summarized([one.findings for one in learned])
    ]
    parts = ["## What hidden units learned", _TEXT, table(("study", "finding", "measured"), rows)]
    figures: dict[str, Callable[[], Any]] = {}
    for study, outcomes in found.variants:
        seed = next((one.seed for one in outcomes if one.learned), None)
        if seed is None:
            continue
        for name, (caption, draw) in _PICTURES.get(study.name, {}).items():
            figures[name] = partial(draw, study, seed)
            parts += [f"{caption}:", picture(name, caption)]
        if study.name == "xor 2-2-1" and _is_mixed(outcomes[:_RUNS]):
            several = study.experiment, study.variant, range(_RUNS)
            figures["xor-runs"] = partial(xor_runs, *several)
            parts += [_XOR_RUNS, picture("xor-runs", "Runs of XOR on a plane of weights")]
        if study.name == "family-trees learns":
            several_lesions = _family_lesions(_trial(study, seed))
            figures["lesions"] = several_lesions.draw
            caption = "Cases that break without a unit"
            parts += [_LESIONS, picture("lesions", caption), several_lesions.table()]
    return Section(paragraphs(*parts), figures)


_XOR_RUNS = f"""\
{_RUNS} runs of XOR 2-2-1 on the plane through the start and the end of one that learned and the
end of one that got stuck. The error is the same for 64 networks (hidden units or inputs exchanged,
a hidden unit reversed, an input negated together with the output): each run is shown as the one
whose end is nearest to one of these. Runs leave the plane and are projected on it:"""


def _is_mixed(outcomes: Sequence[Outcome]) -> bool:
    return len(outcomes) == _RUNS and len({one.learned for one in outcomes}) == 2


def _trial(study: VariantStudy, seed: int) -> Trial:
    return run(study.experiment, study.variant, seed=seed, progress=False)


def _of_trial(study: VariantStudy, seed: int) -> Any:
    return figure_of(_trial(study, seed))


def _weights(study: VariantStudy, seed: int) -> Any:
    return weights_over_training(path_of(study.experiment, study.variant, seed=seed, every=10))


def _surface(study: VariantStudy, seed: int) -> Any:
    return path_on_surface(path_of(study.experiment, study.variant, seed=seed, every=5))


def _persons(study: VariantStudy, seed: int) -> Any:
    return person_units(_trial(study, seed).network)


def _field(study: VariantStudy, seed: int) -> Any:
    return shared_field(_trial(study, seed).network)


_PICTURES: dict[str, dict[str, tuple[str, Draw]]] = {
    "xor 2-2-1": {
        "xor-surface": ("XOR 2-2-1: the error around the path that training took", _surface)
    },
    "symmetry nature": {
        "symmetry": ("Symmetry: error, weights and hidden activities", _of_trial),
        "symmetry-weights": ("Symmetry: the weights while it learns", _weights),
    },
    "encoder 8-3-8": {"encoder": ("The encoder: its codes", _of_trial)},
    "parity-4 4-4-1": {"parity-4": ("Parity of four bits: hidden units count the ones", _of_trial)},
    "t-c shared": {
        "t-c": ("T or C: the shared field, and which of 25 each figure switches", _field)
    },
    "family-trees learns": {
        "persons": (
            "Family trees: the person units, English people above their Italian counterparts",
            _persons,
        )
    },
}


@dataclass(frozen=True)
class _FamilyLesions:
    """What breaks without each unit of the two codes, of the ``cases`` that were right before."""

    lesions: tuple[Lesion, ...]
    cases: tuple[NamedPattern, ...]

    @property
    def names(self) -> list[str]:
        return [f"{lesion.group} {lesion.unit + 1}" for lesion in self.lesions]

    def table(self) -> str:
        rows = []
        for name, lesion in zip(self.names, self.lesions):
            labels = (_relation, _nationality)
            chances = [concentration_p(lesion.broken, self.cases, label) for label in labels]
            rows.append((name, str(len(lesion.broken)), *(f"p = {p:.3f}" for p in chances)))
        return table(("unit removed", "cases that break", "by relation", "by nationality"), rows)

    def draw(self) -> Any:
        return lesion_chart(self.lesions, self.names, Counter(map(_relation, self.cases)))


def _family_lesions(trial: Trial) -> _FamilyLesions:
    criterion = within(trial.recipe.tolerance)
    patterns = [(p, trained_pattern(p, trial.recipe)) for p in trial.training]
    right = [
        (p, targets)
        for p, (inputs, targets) in patterns
        if count_right(trial.network, [(inputs, targets)], criterion)
    ]
    found = (
        lesion
        for group in ("person code", "relation code")
        for lesion in lesions(trial.network, group, right, criterion)
    )
    return _FamilyLesions(tuple(found), tuple(p for p, _ in right))


def _relation(pattern: NamedPattern) -> str:
    return pattern.name.rpartition(" ")[2]


def _nationality(pattern: NamedPattern) -> str:
    person = pattern.name.partition("'")[0]
    return "English" if person in ENGLISH_MEN + ENGLISH_WOMEN else "Italian"
