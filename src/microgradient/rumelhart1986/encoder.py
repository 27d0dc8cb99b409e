"""Eight patterns through three hidden units: PDP vol. 1, ch. 8, pp. 335-337."""

from microgradient.rumelhart1986.experiment import (
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


def _one_hot(i: int) -> tuple[float, ...]:
    return tuple(float(i == j) for j in range(8))


PATTERNS = tuple(NamedPattern(str(i + 1), _one_hot(i), _one_hot(i)) for i in range(8))

ENCODER = Experiment(
    name="encoder",
    title="The 8-3-8 encoder",
    patterns=PATTERNS,
    variants={
        "8-3-8": Variant(
            layered(("input", 8), ("hidden", 3), ("output", 8)),
            Recipe(
                update="presentation",
                rate=0.25,
                momentum=0.9,
                initial_range=0.5,
                initial_bias_range=0.5,
                tolerance=0.1,
                sweeps=10_000,
                sources={
                    "update": f'{PDP8}, eq. 16: "n indexes the presentation number"',
                    "rate": f'{PDP8}, p. 334: "In most of our problems … 0.25 or smaller"',
                    "momentum": f'{PDP8}, p. 330: "about 0.9"',
                    "initial_range": OURS,
                    "initial_bias_range": OURS,
                    "tolerance": OURS,
                    "sweeps": OURS,
                },
            ),
            (
                Claim("sweeps", "no count given", f"{PDP8}, pp. 335-337"),
                Claim("hidden codes", "binary except for some 0.5", f"{PDP8}, p. 337, Table 5"),
            ),
            survey_page=(
                Claim(
                    "learns in",
                    "about 1,810 epochs",
                    "not in the original; that of a Boltzmann machine (Ackley et al. 1985, p. 160)",
                ),
                Claim("fails in", "about 20 % of runs", "not in the original for back-propagation"),
            ),
        )
    },
    probes=(Probe("hidden", PATTERNS),),
)
