"""The riddle of the family trees: which reading of the caption gives what was reported?

"1,500 sweeps", after which "all 100" training cases were beyond .8 and .2, and 4 of 4 and 3 of 4
test cases were right (Hinton 1986). Taken literally, the caption of Nature's Fig. 4 gives networks
that learn nothing. A reading changes the settings that may have been meant otherwise: from where
the error is measured, whether the slope of the output units counts, the initial range, which is not
printed, the rate, and the decay. The best readings are chosen on the seeds of the scan, and
reported on others, in which all 104 cases are held out in turn.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from itertools import product

from microgradient.rumelhart1986.experiment import OURS, Experiment, Recipe, Variant
from microgradient.rumelhart1986.experiments.family_trees import FAMILY_TREES, LITERAL
from microgradient.rumelhart1986.variant_study import GridStudy, VariantStudy

TARGETS = ((0.2, 0.8), (0.15, 0.85), (0.1, 0.9))
RANGES = (0.3, 1.0, 1.5, 2.0)
DECAYS = (0.0, 0.0002, 0.002)
RATES: Mapping[str, tuple[float, ...]] = {
    "margin": (0.01, 0.05, 0.1, 0.2),
    "margin-cross-entropy": (0.005, 0.01, 0.02, 0.05),
}
SLOPE = {"margin": "with slope", "margin-cross-entropy": "no slope"}
_SCAN_ONE_IN, _FRESH_ONE_IN = 64, 4


def reading(
    loss: str, targets: tuple[float, float], initial_range: float, rate: float, decay: float
) -> Recipe:
    """Return the caption's recipe with these settings; the first 20 sweeps have half the rate."""
    settings = {
        "loss": loss,
        "off": targets[0],
        "on": targets[1],
        "initial_range": initial_range,
        "initial_bias_range": initial_range,
        "rate": rate,
        "warmup_rate": rate / 2,
        "decay": decay,
        "tolerance": 0.5 - targets[0],
    }
    return LITERAL.changed(settings, f"{OURS}: a reading of the caption")


def name_of(recipe: Recipe) -> str:
    """Return a name that says in what a reading may differ from others."""
    return (
        f"{SLOPE[recipe.loss]}, error from {recipe.on:g}/{recipe.off:g}, "
        f"±{recipe.initial_range:g}, rate {recipe.rate:g}, decay {recipe.decay:g}"
    )


def _experiment(name: str, recipes: list[Recipe], one_in: int) -> Experiment:
    first = FAMILY_TREES.variants["literal"]
    variants = {
        name_of(recipe): Variant(first.architecture, recipe, (), one_in=one_in)
        for recipe in recipes
    }
    return replace(FAMILY_TREES, name=name, variants=variants)


def _scan(loss: str) -> tuple[GridStudy, ...]:
    """Return a study for each pair of targets: the criterion is compiled, and depends on them."""
    several = []
    for targets in TARGETS:
        points = product(RANGES, RATES[loss], DECAYS)
        recipes = [reading(loss, targets, *point) for point in points]
        name = f"family-trees-readings {SLOPE[loss]} {targets[1]:g}/{targets[0]:g}"
        several.append(GridStudy(_experiment(name, recipes, _SCAN_ONE_IN)))
    return tuple(several)


SCAN = tuple(study for loss in RATES for study in _scan(loss))
"""All readings, from a few seeds each, with four random cases held out."""


def _sets() -> tuple[tuple[str, ...], ...]:
    """Return the 104 cases, shuffled, in 26 sets of four."""
    names = [pattern.name for pattern in FAMILY_TREES.patterns]
    random.Random(1986).shuffle(names)
    return tuple(tuple(names[i : i + 4]) for i in range(0, len(names), 4))


CHOSEN = (
    reading("margin", (0.15, 0.85), 1.5, 0.1, 0.0),
    reading("margin-cross-entropy", (0.15, 0.85), 1.0, 0.02, 0.0),
    reading("margin-cross-entropy", (0.15, 0.85), 1.5, 0.02, 0.0002),
)
"""The best three of the scan of 16 seeds each, in the order of ``riddle.scanned``."""

HELD_OUT_IN_TURN = replace(
    _experiment(
        "family-trees-held-out",
        [reading("margin", (0.2, 0.8), 0.3, 0.01, 0.002), *CHOSEN],
        _FRESH_ONE_IN,
    ),
    held_out=_sets(),
)
FRESH_SEED = 1_000_000
FRESH = tuple(
    VariantStudy(HELD_OUT_IN_TURN, name, first_seed=FRESH_SEED)
    for name in HELD_OUT_IN_TURN.variants
)
"""The literal caption and the chosen readings, on seeds of which each holds out the next set."""
