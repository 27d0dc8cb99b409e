"""N patterns through log2 N hidden units: PDP vol. 1, ch. 8, pp. 335-337."""

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


def _one_of(n: int, i: int) -> tuple[float, ...]:
    return tuple(float(i == j) for j in range(n))


def encoder(
    n: int,
    hidden: int,
    name: str,
    original: tuple[Claim, ...] = (),
    survey_page: tuple[Claim, ...] = (),
) -> Experiment:
    """Return the experiment with ``n`` inputs and outputs."""
    patterns = tuple(NamedPattern(str(i + 1), _one_of(n, i), _one_of(n, i)) for i in range(n))
    recipe = Recipe(
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
    )
    no_count = Claim("sweeps", "no count given", f"{PDP8}, pp. 335-337")
    size = f"{n}-{hidden}-{n}"
    return Experiment(
        name=name,
        title=f"The {size} encoder",
        patterns=patterns,
        variants={
            size: Variant(
                layered(("input", n), ("hidden", hidden), ("output", n)),
                recipe,
                (no_count, *original),
                survey_page=survey_page,
            )
        },
        probes=(Probe("hidden", patterns),),
    )


ENCODER = encoder(
    8,
    3,
    "encoder",
    (Claim("hidden codes", "binary except for some 0.5", f"{PDP8}, p. 337, Table 5"),),
    (
        Claim(
            "learns in",
            "about 1,810 epochs",
            "not in the original; that of a Boltzmann machine (Ackley et al. 1985, p. 160)",
        ),
        Claim("fails in", "about 20 % of runs", "not in the original for back-propagation"),
    ),
)
OTHER_ENCODERS = (encoder(4, 2, "encoder-4"), encoder(16, 4, "encoder-16"))
