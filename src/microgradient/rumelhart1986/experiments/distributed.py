"""From two bits through one unit of four levels to one of four: PDP vol. 1, ch. 8, pp. 337-339."""

from itertools import product

from microgradient.rumelhart1986.experiment import (
    PDP8,
    Claim,
    Experiment,
    NamedPattern,
    Probe,
    Variant,
    pdp8_recipe,
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
            pdp8_recipe(0.05, {"rate": f"{PDP8}, pp. 337-339"}, sweeps=20_000),
            (
                Claim("one run", "5,226 sweeps", f"{PDP8}, pp. 337-339"),
                Claim(
                    "levels of the single unit",
                    "0, .2, .6, 1 for 10, 11, 00, 01",
                    f"{PDP8}, pp. 337-339",
                ),
            ),
        )
    },
    probes=(Probe("single", PATTERNS), Probe("hidden", PATTERNS)),
)
