"""Is the number of ones odd? PDP vol. 1, ch. 8, pp. 334-335: as many hidden units as inputs."""

from itertools import product

from microgradient.rumelhart1986.experiment import (
    COMMON,
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


def parity(n: int) -> Experiment:
    """Return the experiment with ``n`` inputs."""
    patterns = tuple(
        NamedPattern("".join(map(str, bits)), tuple(map(float, bits)), (float(sum(bits) % 2),))
        for bits in product((0, 1), repeat=n)
    )
    few = n <= 4
    wider = f"{OURS}: from five inputs on, more networks learn"
    recipe = Recipe(
        update="presentation",
        rate=0.5 if few else 0.1,
        momentum=0.9,
        initial_range=1.0 if few else 2.0,
        initial_bias_range=1.0 if few else 2.0,
        tolerance=0.1,
        sweeps=10_000,
        off=0.1,
        on=0.9,
        sources={
            **COMMON,
            "rate": f"{PDP8}, p. 334, for 4-4-1" if few else wider,
            "initial_range": COMMON["initial_range"] if few else wider,
        },
    )
    claims = {
        4: (Claim("one run", "2,825 sweeps", f"{PDP8}, p. 335"),),
    }
    general = Claim("hidden units", f"{n} are needed; they count the ones", f"{PDP8}, p. 335")
    name = f"{n}-{n}-1"
    return Experiment(
        name=f"parity-{n}",
        title=f"Parity of {n} bits",
        patterns=patterns,
        variants={
            name: Variant(
                layered(("input", n), ("hidden", n), ("output", 1)),
                recipe,
                (*claims.get(n, ()), general),
            )
        },
        probes=(Probe("hidden", patterns[:16]),),
    )


PARITIES = tuple(parity(n) for n in range(2, 9))
