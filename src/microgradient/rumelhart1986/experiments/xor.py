"""Exclusive or, the smallest problem that needs a hidden unit: PDP vol. 1, ch. 8, pp. 330-334."""

from dataclasses import replace

from microgradient.rumelhart1986.experiment import (
    COMMON,
    OURS,
    PDP8,
    Claim,
    Experiment,
    NamedPattern,
    Probe,
    Variant,
    pdp8_recipe,
)
from microgradient.rumelhart1986.network import Architecture, Link, layered

PATTERNS = tuple(
    NamedPattern(f"{a}{b}", (float(a), float(b)), (float(a != b),)) for a in (0, 1) for b in (0, 1)
)

_COMMON = {
    **COMMON,
    "tolerance": f"{PDP8}, p. 333: error 0.01 per pattern, read as the squared error",
}

TWO_HIDDEN = Variant(
    layered(("input", 2), ("hidden", 2), ("output", 1)),
    pdp8_recipe(0.25, {**_COMMON, "rate": f"{PDP8}, p. 333"}),
    (
        Claim("mean of many runs (Chauvin)", "about 245 sweeps", f"{PDP8}, p. 334"),
        Claim("one run stuck in a local minimum", "6,587 sweeps", f"{PDP8}, p. 332"),
        Claim("local minima", 'twice in "hundreds of times"', f"{PDP8}, p. 332"),
    ),
    "two hidden units",
    survey_page=(
        Claim("learns in", "about 6,587 epochs", "contradicted: that run was stuck"),
        Claim("stuck", "about 10 of 100 runs", "the original says twice in hundreds"),
    ),
)

ONE_HIDDEN = Variant(
    Architecture(
        {"input": 2, "hidden": 1, "output": 1},
        (Link("input", "hidden"), Link("input", "output"), Link("hidden", "output")),
    ),
    pdp8_recipe(0.5, {**_COMMON, "rate": f"{PDP8}, p. 331", "tolerance": OURS}),
    (Claim("one run", "558 sweeps", f"{PDP8}, p. 331, Fig. 3"),),
    "one hidden unit, and links from the inputs straight to the output",
)


def _chauvin(hidden: int, rate: float, sweeps: str, page_claims: tuple[Claim, ...] = ()) -> Variant:
    """Return a network of Chauvin's study: P = 280 - 33 log2 H for H hidden units at rate .25."""
    source = f"{PDP8}, p. 334"
    recipe = replace(TWO_HIDDEN.recipe, rate=rate, sources={**_COMMON, "rate": source})
    return Variant(
        layered(("input", 2), ("hidden", hidden), ("output", 1)),
        recipe,
        (Claim("mean of many runs (Chauvin)", sweeps, source),),
        f"{hidden} hidden units, rate {rate:g}",
        survey_page=page_claims,
    )


_FOUR = (Claim("learns in", "1,230 epochs", "not in the original: Chauvin's law gives 214"),)

XOR = Experiment(
    name="xor",
    title="Exclusive or",
    patterns=PATTERNS,
    variants={
        "2-2-1": TWO_HIDDEN,
        "2-1-1": ONE_HIDDEN,
        "2-4-1": _chauvin(4, 0.25, "214 sweeps by his law", _FOUR),
        "2-8-1": _chauvin(8, 0.25, "181 sweeps by his law"),
        "2-16-1": _chauvin(16, 0.25, "148 sweeps by his law"),
        "2-32-1": _chauvin(32, 0.25, "about 120 sweeps"),
        "2-8-1-slow": _chauvin(8, 0.1, "about 450 sweeps"),
        "2-8-1-fast": _chauvin(8, 0.75, "about 68 sweeps"),
    },
    probes=(Probe("hidden", PATTERNS),),
)
