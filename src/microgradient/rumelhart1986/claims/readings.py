"""XOR and the encoder as the survey page trains them, over the settings that it speaks of.

The page gives momentum .9, rates of .1 to .25, weights within ±.5, and errors below .05 (XOR) and
.1 (encoder); targets are 0 and 1. What it leaves open is read in both ways: an update after each
presentation or each sweep.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from microgradient.rumelhart1986.experiment import Experiment, Variant
from microgradient.rumelhart1986.experiments.encoder import ENCODER
from microgradient.rumelhart1986.experiments.xor import XOR
from microgradient.rumelhart1986.grid import Setting, over_grid

PAGE = "the survey page"
_READING = f"{PAGE}, or one of its readings"
UPDATES = ("presentation", "sweep")
RATES = (0.05, 0.1, 0.25, 0.5, 0.75)
RANGES = (0.1, 0.3, 0.5, 1.0, 2.0, 4.0)
SLOW = 100_000  # sweeps without momentum
Grid = Mapping[str, Sequence[Setting]]


def _as_on_the_page(variant: Variant, tolerance: float) -> Variant:
    settings = {
        "initial_range": 0.5,
        "initial_bias_range": 0.5,
        "tolerance": tolerance,
        "off": 0.0,
        "on": 1.0,
    }
    return replace(variant, recipe=variant.recipe.changed(settings, PAGE))


def _readings(
    name: str,
    experiment: Experiment,
    variant: Variant,
    grid: Grid,
    **fixed: Setting,
) -> Experiment:
    """Return the variants at the points of a grid, with some settings for all of them."""
    base = replace(variant, recipe=variant.recipe.changed(fixed, _READING))
    return replace(experiment, name=name, variants=over_grid(base, grid, _READING))


def _ranges() -> dict[str, Variant]:
    """Return XOR with weights and biases within each of the ranges."""
    found: dict[str, Variant] = {}
    for most in RANGES:
        grid: Grid = {
            "initial_range": (most,),
            "initial_bias_range": (most,),
            "update": UPDATES,
        }
        found |= over_grid(_XOR, grid, _READING)
    return found


_XOR = _as_on_the_page(XOR.variants["2-2-1"], 0.05)
_FOUR_HIDDEN = _as_on_the_page(XOR.variants["2-4-1"], 0.05)
_DIRECT = _as_on_the_page(XOR.variants["2-1-1"], 0.05)
_ENCODER = _as_on_the_page(ENCODER.variants["8-3-8"], 0.1)
_TWO_RATES: Grid = {"rate": (0.1, 0.25), "update": UPDATES}
_RATES: Grid = {"rate": RATES, "update": UPDATES}
_ZERO: Grid = {"initial_bias_range": (0.0, 0.5), "update": UPDATES}

XOR_RATES = _readings("xor-rates", XOR, _XOR, _RATES)
XOR_RANGES = replace(XOR, name="xor-ranges", variants=_ranges())
XOR_NO_MOMENTUM = _readings("xor-no-momentum", XOR, _XOR, _TWO_RATES, momentum=0.0, sweeps=SLOW)
XOR_FOUR_HIDDEN = _readings("xor-four-hidden", XOR, _FOUR_HIDDEN, {"update": UPDATES})
XOR_ZERO = _readings("xor-zero", XOR, _XOR, _ZERO, initial_range=0.0)
XOR_DIRECT_ZERO = _readings("xor-direct-zero", XOR, _DIRECT, _ZERO, initial_range=0.0)
ENCODER_RATES = _readings("encoder-rates", ENCODER, _ENCODER, _RATES)
ENCODER_NO_MOMENTUM = _readings(
    "encoder-no-momentum", ENCODER, _ENCODER, _TWO_RATES, momentum=0.0, sweeps=SLOW
)
ENCODER_ZERO = _readings("encoder-zero", ENCODER, _ENCODER, _ZERO, initial_range=0.0, sweeps=2_000)

READINGS = (
    *(XOR_RATES, XOR_RANGES, XOR_NO_MOMENTUM, XOR_FOUR_HIDDEN, XOR_ZERO, XOR_DIRECT_ZERO),
    *(ENCODER_RATES, ENCODER_NO_MOMENTUM, ENCODER_ZERO),
)
