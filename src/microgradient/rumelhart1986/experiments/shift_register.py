"""Units that pass on what they are, step by step: PDP vol. 1, ch. 8, p. 357."""

from itertools import product

from microgradient.rumelhart1986.experiment import (
    OURS,
    PDP8,
    Claim,
    Experiment,
    NamedPattern,
    Probe,
    Variant,
    pdp8_recipe,
)
from microgradient.rumelhart1986.network import Architecture, Link

STEPS = 2


def shift_register(n: int) -> Experiment:
    """Return the experiment with ``n`` units, which are linked in both directions."""
    patterns = tuple(
        NamedPattern(
            "".join(map(str, bits)),
            tuple(map(float, bits)),
            tuple(float(bits[(j + STEPS) % n]) for j in range(n)),
        )
        for bits in product((0, 1), repeat=n)
    )
    return Experiment(
        name=f"shift-{n}",
        title=f"A shift register of {n} units",
        patterns=patterns,
        variants={
            "recurrent": Variant(
                Architecture(
                    {"units": n},
                    (Link("units", "units", delay=1),),
                    steps=STEPS + 1,
                    shown=(("units", 0),),
                    asked=(("units", STEPS),),
                ),
                pdp8_recipe(
                    0.25,
                    {
                        "rate": f"{PDP8}, p. 357",
                        "initial_range": OURS,
                        "bias_at_most": f"{PDP8}, p. 357: biases constrained to be negative",
                    },
                    sweeps=2_000,
                    bias_at_most=0.0,
                ),
                (Claim("sweeps", "fewer than 200", f"{PDP8}, p. 357"),),
                "after two steps, the pattern has moved by two units",
            )
        },
        probes=(Probe("units", patterns),),
    )


SHIFT_REGISTERS = tuple(shift_register(n) for n in (3, 5))
