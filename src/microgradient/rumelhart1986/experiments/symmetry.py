"""Is a row of six bits its own mirror image? Nature 323, Fig. 1; PDP vol. 1, ch. 8, pp. 340-341."""

from dataclasses import replace
from itertools import product

from microgradient.rumelhart1986.experiment import (
    NATURE,
    OURS,
    PDP8,
    Claim,
    Experiment,
    NamedPattern,
    Probe,
    Recipe,
    Variant,
)
from microgradient.rumelhart1986.network import layered

PATTERNS = tuple(
    NamedPattern("".join(map(str, bits)), tuple(map(float, bits)), (float(bits == bits[::-1]),))
    for bits in product((0, 1), repeat=6)
)
SYMMETRIC = tuple(p for p in PATTERNS if p.targets == (1.0,))
SHOWN = SYMMETRIC + tuple(p for p in PATTERNS if sum(p.inputs) == 1)
ARCHITECTURE = layered(("input", 6), ("hidden", 2), ("output", 1))
_SURVEY_PAGE = (Claim("learns in", "about 1,208 epochs", "agrees with PDP; Nature has 1,425"),)

AS_IN_NATURE = Variant(
    ARCHITECTURE,
    Recipe(
        update="sweep",
        rate=0.1,
        momentum=0.9,
        initial_range=0.3,
        initial_bias_range=0.0,
        tolerance=0.1,
        sweeps=10_000,
        sources={
            "update": f"{NATURE}, Fig. 1: gradients accumulated over a sweep of the 64 patterns",
            "rate": f"{NATURE}, Fig. 1",
            "momentum": f"{NATURE}, Fig. 1",
            "initial_range": f"{NATURE}, Fig. 1",
            "initial_bias_range": OURS,
            "tolerance": OURS,
            "sweeps": OURS,
        },
    ),
    (
        Claim("one run", "1,425 sweeps", f"{NATURE}, Fig. 1"),
        Claim(
            "weights of a hidden unit",
            "1 : 2 : 4, mirrored with opposite sign",
            f"{NATURE}, Fig. 1",
        ),
    ),
    "summed gradient of all 64 patterns",
    survey_page=_SURVEY_PAGE,
)

AS_IN_PDP = Variant(
    ARCHITECTURE,
    Recipe(
        update="presentation",
        rate=0.1,
        momentum=0.9,
        initial_range=0.3,
        initial_bias_range=0.0,
        tolerance=0.1,
        sweeps=5_000,
        off=0.1,
        on=0.9,
        sources={
            "update": f'{PDP8}, eq. 16: "n indexes the presentation number"',
            "rate": f"{PDP8}, p. 340",
            "momentum": f'{PDP8}, p. 330: "about 0.9"',
            "initial_range": f"{NATURE}, Fig. 1",
            "initial_bias_range": OURS,
            "off": f"{PDP8}, p. 329",
            "on": f"{PDP8}, p. 329",
            "tolerance": OURS,
            "sweeps": OURS,
        },
    ),
    (Claim("one run", "1,208 sweeps", f"{PDP8}, p. 341"),),
    "an update after each pattern",
    survey_page=_SURVEY_PAGE,
)

_WITH_BIASES = f"{OURS}: as the weights, of which biases are some"
NATURE_WITH_BIASES = replace(
    AS_IN_NATURE,
    recipe=AS_IN_NATURE.recipe.changed({"initial_bias_range": 0.3}, _WITH_BIASES),
    note="summed gradient; biases start like weights, and some networks get stuck",
)

SYMMETRY = Experiment(
    name="symmetry",
    title="Mirror symmetry of six bits",
    patterns=PATTERNS,
    variants={"nature": AS_IN_NATURE, "nature-biases": NATURE_WITH_BIASES, "pdp": AS_IN_PDP},
    probes=(Probe("hidden", SHOWN),),
)
