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
    Variant,
    pdp8_recipe,
)
from microgradient.rumelhart1986.network import layered


def parity(n: int) -> Experiment:
    """Return the experiment with ``n`` inputs."""
    patterns = tuple(
        NamedPattern("".join(map(str, bits)), tuple(map(float, bits)), (float(sum(bits) % 2),))
        for bits in product((0, 1), repeat=n)
    )
    few = n <= 4
    wider = f"{OURS}: from five inputs on, more networks learn (of 5-5-1, 15 of 30 for 1)"
    recipe = pdp8_recipe(
        0.5 if few else 0.1,
        {
            "rate": f"{PDP8}, pp. 334-335, for 4-4-1" if few else wider,
            "initial_range": COMMON["initial_range"] if few else wider,
        },
        initial_range=1.0 if few else 2.0,
    )
    claims = {
        4: (Claim("one run", "2,825 sweeps", f"{PDP8}, pp. 334-335"),),
    }
    general = Claim("hidden units", f"{n} are needed; they count the ones", f"{PDP8}, pp. 334-335")
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
                one_in=4 if n == 8 else 1,
            )
        },
        probes=(Probe("hidden", patterns[:16]),),
    )


PARITIES = tuple(parity(n) for n in range(2, 9))
