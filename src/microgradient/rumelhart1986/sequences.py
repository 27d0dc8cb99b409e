"""Two letters stand for four digits, one after the other: PDP vol. 1, ch. 8, pp. 358-360."""

from itertools import product

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
from microgradient.rumelhart1986.network import Architecture, Link

CODES = {"A": "12", "B": "23", "C": "31", "D": "21", "E": "13"}
HELD_OUT = ("AD", "BE", "CA", "DB", "EC")


def _one_of(x: str, among: str) -> tuple[float, ...]:
    return tuple(float(x == y) for y in among)


PATTERNS = tuple(
    NamedPattern(
        a + b,
        tuple(x for letter in (a, b) for x in _one_of(letter, "ABCDE")),
        tuple(x for digit in CODES[a] + CODES[b] for x in _one_of(digit, "123")),
    )
    for a, b in product("ABCDE", repeat=2)
)
SEQUENCES = Experiment(
    name="sequences",
    title="Sequences to complete",
    patterns=PATTERNS,
    held_out=HELD_OUT,
    variants={
        "recurrent": Variant(
            Architecture(
                {"letter": 5, "hidden": 30, "digit": 3},
                (
                    Link("letter", "hidden", delay=1),
                    Link("hidden", "hidden", delay=1),
                    Link("hidden", "digit", delay=1),
                    Link("digit", "digit", delay=1),
                ),
                steps=6,
                shown=(("letter", 0), ("letter", 1)),
                asked=tuple(("digit", step) for step in (2, 3, 4, 5)),
                start=0.2,
            ),
            Recipe(
                update="sweep",
                rate=0.02,
                momentum=0.9,
                initial_range=0.3,
                initial_bias_range=0.3,
                tolerance=0.3,
                sweeps=2_000,
                loss="margin",
                off=0.2,
                on=0.8,
                sources={
                    "update": f"{PDP8}, pp. 358-360: weights changed after all sequences",
                    "rate": f"{PDP8}, pp. 358-360: decremented by .02 times the total gradient",
                    "momentum": f"{PDP8}, pp. 358-360",
                    "initial_range": f"{PDP8}, pp. 358-360",
                    "initial_bias_range": f"{OURS}: as the weights",
                    "loss": f'{PDP8}, pp. 358-360: "the amount below 0.8"',
                    "off": f"{PDP8}, pp. 358-360",
                    "on": f"{PDP8}, pp. 358-360",
                    "tolerance": f"{OURS}: on the right side of 0.5",
                    "sweeps": OURS,
                },
            ),
            (
                Claim("sweeps", "260", f"{PDP8}, pp. 358-360"),
                Claim(
                    "test sequences right", "4 of 5 and 5 of 5, in two runs", f"{PDP8}, pp. 358-360"
                ),
            ),
            "every link takes a step of time; all steps share the weights",
        )
    },
    probes=(Probe("digit", PATTERNS),),
    unit_names={"letter": tuple("ABCDE"), "digit": tuple("123")},
)
