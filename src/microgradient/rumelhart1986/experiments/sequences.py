"""Two letters stand for four digits, one after the other: PDP vol. 1, ch. 8, pp. 358-361.

The letters come at steps 1 and 2, or at any two of the first four; then the digits follow from step
3, or from step 5.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import combinations, product

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
from microgradient.rumelhart1986.network import Architecture, Key, Link, every

CODES = {"A": "12", "B": "23", "C": "31", "D": "21", "E": "13"}
HELD_OUT = ("AD", "BE", "CA", "DB", "EC")


def _one_of(x: str, among: str) -> tuple[float, ...]:
    return tuple(float(x == y) for y in among)


def _pattern(name: str, letters: str, digits: str) -> NamedPattern:
    """Return the pattern of what is shown at each step, "-" for nothing, and of what is asked."""
    return NamedPattern(
        name,
        tuple(x for letter in letters for x in _one_of(letter, "ABCDE")),
        tuple(x for digit in digits for x in _one_of(digit, "123")),
    )


def _half(i: int, j: int) -> Key | None:
    """Return a key for half of the pairs of units, drawn once and for all."""
    return (i, j) if (i, j) in _HALF else None


def _architecture(
    hidden: int, first: int, steps: int, between: Callable[[int, int], Key | None]
) -> Architecture:
    """Return a network that is asked for digits from step ``first`` on."""
    return Architecture(
        {"letter": 5, "hidden": hidden, "digit": 3},
        (
            Link("letter", "hidden", delay=1),
            Link("hidden", "hidden", between, delay=1),
            Link("hidden", "digit", delay=1),
            Link("digit", "digit", delay=1),
        ),
        steps=steps,
        shown=tuple(("letter", step) for step in range(first)),
        asked=tuple(("digit", step) for step in range(first, steps)),
        start=0.2,
    )


_HIDDEN = 60
_PAIRS = list(product(range(_HIDDEN), repeat=2))
_HALF = frozenset(random.Random(1986).sample(_PAIRS, len(_PAIRS) // 2))
_SECTION = f"{PDP8}, pp. 358-360"
_RECIPE = Recipe(
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
        "update": f"{_SECTION}: weights changed after all sequences",
        "rate": f"{_SECTION}: decremented by .02 times the total gradient",
        "momentum": _SECTION,
        "initial_range": _SECTION,
        "initial_bias_range": f"{OURS}: as the weights",
        "loss": f'{_SECTION}: "the amount below 0.8"',
        "off": _SECTION,
        "on": _SECTION,
        "tolerance": f"{_SECTION}: values above 0.5 count as 1, those below as 0",
        "sweeps": OURS,
    },
)
_UNITS: Mapping[str, tuple[str, ...]] = {"letter": tuple("ABCDE"), "digit": tuple("123")}
PATTERNS = tuple(_pattern(a + b, a + b, CODES[a] + CODES[b]) for a, b in product("ABCDE", repeat=2))
SEQUENCES = Experiment(
    name="sequences",
    title="Sequences to complete",
    patterns=PATTERNS,
    held_out=(HELD_OUT,),
    variants={
        "recurrent": Variant(
            _architecture(30, 2, 6, every),
            _RECIPE,
            (
                Claim("sweeps", "260", f"{PDP8}, p. 359"),
                Claim("test sequences right", "4 of 5 and 5 of 5, in two runs", f"{PDP8}, p. 359"),
            ),
            "every link takes a step of time; all steps share the weights",
        )
    },
    probes=(Probe("digit", PATTERNS),),
    unit_names=_UNITS,
)


def _at(steps: tuple[int, int], a: str, b: str) -> str:
    """Return what is shown in four steps, such as "E-A-"."""
    return "".join({steps[0]: a, steps[1]: b}.get(step, "-") for step in range(4))


TIMED = tuple(
    _pattern(shown, shown, CODES[a] + CODES[b])
    for a, b in product("ABCDE", repeat=2)
    for steps in combinations(range(4), 2)
    for shown in [_at(steps, a, b)]
)
_SLOWER = {
    **_RECIPE.sources,
    "rate": f"{OURS}: the gradient adds up 7 times as many sequences; at 0.02 nothing is learned",
}
SEQUENCES_ANY_TIME = Experiment(
    name="sequences-any-time",
    title="Sequences whose letters come at any time",
    patterns=TIMED,
    held_out=14,
    variants={
        name: Variant(
            _architecture(_HIDDEN, 4, 8, _half),
            recipe,
            (
                Claim("sweeps", "thousands", f"{PDP8}, p. 360"),
                Claim("test sequences right", "most of 14, perfectly", f"{PDP8}, p. 360"),
            ),
            note,
            better=better,
            one_in=one_in,
        )
        for name, recipe, note, better, one_in in (
            (
                "recurrent",
                replace(_RECIPE, rate=0.002, sweeps=5_000, sources=_SLOWER),
                "60 hidden units, half of the links between them left out at random",
                None,
                50,
            ),
            (
                "fixed-times-rate",
                replace(_RECIPE, sweeps=1_000),
                "at the rate printed for letters at fixed times",
                "recurrent",
                100,
            ),
        )
    },
    probes=(Probe("digit", TIMED[:6]),),
    unit_names=_UNITS,
)
