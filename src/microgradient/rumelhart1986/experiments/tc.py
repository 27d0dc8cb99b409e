"""T or C, in any of four directions, by fields that share weights: PDP vol. 1, ch. 8, pp. 348-352.

The size of the retina is not printed. That a T switches off 21 compactness detectors, and a C 20,
fits fields of 3 x 3 around every square that a figure can touch: 5 x 5 of them on a retina of
7 x 7, the figure in its middle.
"""

from __future__ import annotations

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
from microgradient.rumelhart1986.network import Architecture, Key, Link, of_group, shared

SIDE, FIELDS, REACH = 7, 5, 3
Figure = tuple[str, ...]
FIGURES: dict[str, Figure] = {"T": ("###", ".#.", ".#."), "C": ("##.", "#..", "##.")}


def field(i: int, j: int) -> Key | None:
    """Return where square ``i`` is within field ``j``, None if it is outside."""
    row, column = i // SIDE - j // FIELDS, i % SIDE - j % FIELDS
    return (row, column) if 0 <= row < REACH and 0 <= column < REACH else None


def _turned(figure: Figure) -> Figure:
    return tuple("".join(column) for column in zip(*figure[::-1]))


def _on_retina(figure: Figure) -> tuple[float, ...]:
    around = (SIDE - 3) // 2
    empty = ["." * SIDE] * around
    rows = [*empty, *("." * around + row + "." * around for row in figure), *empty]
    return tuple(float(square == "#") for row in rows for square in row)


def _patterns() -> tuple[NamedPattern, ...]:
    found = []
    for name, figure in FIGURES.items():
        for quarter in range(4):
            target = (float(name == "T"),)
            found.append(NamedPattern(f"{name} {90 * quarter}°", _on_retina(figure), target))
            figure = _turned(figure)
    return tuple(found)


PATTERNS = _patterns()
TC = Experiment(
    name="t-c",
    title="T or C",
    patterns=PATTERNS,
    variants={
        "shared": Variant(
            Architecture(
                {"retina": SIDE**2, "field": FIELDS**2, "output": 1},
                (Link("retina", "field", field), Link("field", "output", shared)),
                bias=of_group,
            ),
            pdp8_recipe(
                0.05, {"rate": OURS, "initial_range": OURS}, initial_range=0.3, sweeps=20_000
            ),
            (
                Claim("sweeps", "about 5,000 to 10,000", f"{PDP8}, pp. 348-352"),
                Claim(
                    "most common solution",
                    "a compactness detector: T switches off 21 units, C 20",
                    f"{PDP8}, pp. 348-352",
                ),
            ),
            "all fields share their weights, and so do the links from them",
        )
    },
    probes=(Probe("field", PATTERNS),),
)
