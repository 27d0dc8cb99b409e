"""A grid of settings: its points by name, and a variant at each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product

from microgradient.rumelhart1986.experiment import Variant

Setting = str | float | int | bool


def points(grid: Mapping[str, Sequence[Setting]]) -> dict[str, dict[str, Setting]]:
    """Return every combination of settings, named after them: ``rate=0.1 momentum=0.9``.

    Without settings, there is one point, and its name is empty.
    """
    found = {}
    for values in product(*grid.values()):
        point = dict(zip(grid, values))
        found[" ".join(f"{name}={spelled(value)}" for name, value in point.items())] = point
    return found


def spelled(value: Setting) -> str:
    """Return a setting as short as it can be read back, in the notation of TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    short = f"{value:g}" if isinstance(value, float) else str(value)
    return repr(value) if isinstance(value, float) and float(short) != value else short


def over_grid(
    variant: Variant, grid: Mapping[str, Sequence[Setting]], source: str
) -> dict[str, Variant]:
    """Return a variant at each point of a grid of settings of its recipe, whose source is given.

    What was found by others is not kept: it holds for other settings. Errors are those of
    ``Recipe``.
    """
    found = {}
    for name, point in points(grid).items():
        recipe = variant.recipe.changed(point, source)
        found[name] = replace(
            variant, recipe=recipe, note="", original=(), survey_page=(), better=None
        )
    return found
