"""From two bits through one unit of four levels to one of four: PDP vol. 1, ch. 8, pp. 337-339."""

from itertools import product

from microgradient.rumelhart1986.experiment import (
    COMMON,
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
    NamedPattern(f"{a}{b}", (float(a), float(b)), tuple(float(2 * a + b == k) for k in range(4)))
    for a, b in product((0, 1), repeat=2)
)
DISTRIBUTED = Experiment(
    name="distributed-to-local",
    title="Distributed to local",
    patterns=PATTERNS,
    variants={
        "2-1-4-4": Variant(
            layered(("input", 2), ("single", 1), ("hidden", 4), ("output", 4)),
            Recipe(
                update="presentation",
                rate=0.05,
                momentum=0.9,
                initial_range=1.0,
                initial_bias_range=1.0,
                tolerance=0.1,
                sweeps=20_000,
                off=0.1,
                on=0.9,
                sources={**COMMON, "rate": f"{PDP8}, p. 338"},
            ),
            (
                Claim("one run", "5,226 sweeps", f"{PDP8}, p. 339"),
                Claim(
                    "levels of the single unit",
                    "0, .2, .6, 1 for 10, 11, 00, 01",
                    f"{PDP8}, p. 339",
                ),
            ),
        )
    },
    probes=(Probe("single", PATTERNS), Probe("hidden", PATTERNS)),
)
