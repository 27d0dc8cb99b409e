"""Three bits, negated if a fourth one is set: PDP vol. 1, ch. 8, pp. 346-347."""

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
from microgradient.rumelhart1986.network import Architecture, Link

PATTERNS = tuple(
    NamedPattern(
        "".join(map(str, (negate, *bits))),
        tuple(map(float, (negate, *bits))),
        tuple(float(bit != negate) for bit in bits),
    )
    for negate, *bits in product((0, 1), repeat=4)
)
NEGATION = Experiment(
    name="negation",
    title="Negation",
    patterns=PATTERNS,
    variants={
        "4-3-3": Variant(
            Architecture(
                {"input": 4, "hidden": 3, "output": 3},
                (Link("input", "hidden"), Link("input", "output"), Link("hidden", "output")),
            ),
            pdp8_recipe(0.25, {"rate": f"{PDP8}, pp. 346-347"}),
            (Claim("sweeps", "less than 5,000", f"{PDP8}, pp. 346-347"),),
            "with links from the inputs straight to the outputs",
        )
    },
    probes=(Probe("hidden", PATTERNS),),
    unit_names={"input": ("negate", "bit 1", "bit 2", "bit 3")},
)
