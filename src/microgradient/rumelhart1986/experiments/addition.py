"""The sum of two numbers of two bits: PDP vol. 1, ch. 8, pp. 341-346."""

from dataclasses import replace
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
from microgradient.rumelhart1986.network import Architecture, Key, Link


def _bits(x: int, n: int) -> tuple[float, ...]:
    return tuple(float(x >> k & 1) for k in reversed(range(n)))


PATTERNS = tuple(
    NamedPattern(f"{a:02b}+{b:02b}", _bits(a, 2) + _bits(b, 2), _bits(a + b, 3))
    for a, b in product(range(4), repeat=2)
)
_LINKS = (Link("input", "hidden"), Link("input", "output"), Link("hidden", "output"))


def _between(i: int, j: int) -> Key | None:
    return (i, j) if (i, j) == (0, 1) else None


_BETWEEN = Link("hidden", "hidden", _between)
_THREE = pdp8_recipe(0.5, {"rate": f"{PDP8}, pp. 341-346"}, sweeps=20_000)
_SLOWER = f"{OURS}: 6 of 30 networks learn at the printed 0.5"
ADDITION = Experiment(
    name="addition",
    title="Addition of two bits and two bits",
    patterns=PATTERNS,
    variants={
        "4-3-3": Variant(
            Architecture({"input": 4, "hidden": 3, "output": 3}, _LINKS),
            replace(
                _THREE,
                rate=0.1,
                initial_range=0.3,
                initial_bias_range=0.3,
                sources={**_THREE.sources, "rate": _SLOWER, "initial_range": _SLOWER},
            ),
            (Claim("three hidden units", "3,020 sweeps; always solves", f"{PDP8}, pp. 341-346"),),
            "three hidden units and direct links, a fifth of the rate",
        ),
        "4-3-3-printed": Variant(
            Architecture({"input": 4, "hidden": 3, "output": 3}, _LINKS),
            _THREE,
            (Claim("three hidden units", "3,020 sweeps; always solves", f"{PDP8}, pp. 341-346"),),
            "at the printed rate",
            better="4-3-3",
        ),
        "4-2-3": Variant(
            Architecture({"input": 4, "hidden": 2, "output": 3}, (*_LINKS, _BETWEEN)),
            replace(_THREE, rate=0.1, sources={**_THREE.sources, "rate": OURS}),
            (
                Claim(
                    "two hidden units",
                    "about half of the time, only 11 + 11 is wrong",
                    f"{PDP8}, pp. 341-346",
                ),
            ),
            "two hidden units, the first linked to the second",
            better="4-3-3",
        ),
    },
    probes=(Probe("hidden", PATTERNS),),
    unit_names={"output": ("fours", "twos", "ones")},
)
