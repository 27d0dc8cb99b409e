"""The recipes of a study file: the settings that all of them have, and a grid of others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from math import inf, prod

from microgradient.rumelhart1986.experiment import SETTINGS, Recipe
from microgradient.rumelhart1986.grid import Setting, points
from microgradient.rumelhart1986.toml_study.entry import Entry

_POINTS = 10_000  # the most of a grid
_COUNT = 1_000_000_000  # the most sweeps
_KINDS = {field.name: str(field.type) for field in fields(Recipe)}
_DEFAULTS = dict.fromkeys(SETTINGS)  # what the file does not give is no setting of its own


def read_recipes(recipe: Entry, grid: Entry, base: Recipe) -> dict[str, Recipe]:
    """Return the recipes of the tables ``[recipe]`` and ``[grid]`` by their points of the grid.

    A point is named after the grid's settings, as in "rate=0.1 momentum=0.9"; without a grid, there
    is one recipe, and its name is empty. What the file does not set is as in ``base``.
    Raises ValueError for settings that no recipe can have, lists that are empty or hold the same
    value twice, and grids of more than 10,000 points.
    """
    fixed = {name: _setting(name, entry) for name, entry in _given(recipe).items()}
    axes = {name: _axis(name, entry) for name, entry in _given(grid).items()}
    for name in axes:
        if name in fixed:
            raise ValueError(f"{grid.file}: recipe.{name} must be left out: grid.{name} is given")
    if (count := prod(map(len, axes.values()))) > _POINTS:
        raise grid.refused(f"a grid of at most {_POINTS:,} points", f"{count:,}")
    return {name: _recipe(base, {**fixed, **p}, grid) for name, p in points(axes).items()}


def _given(table: Entry) -> dict[str, Entry]:
    """Return the settings that a table gives, in its order."""
    if not table.given:
        return {}
    table.table(_DEFAULTS)  # refuses what is no setting
    return table.entries()


def _setting(name: str, entry: Entry) -> Setting:
    if name == "bias_at_most":
        return entry.number(most=inf)
    read: dict[str, Callable[[], Setting]] = {
        "str": entry.text,
        "int": lambda: entry.integer(0, _COUNT),
        "float": entry.number,
        "bool": entry.boolean,
    }
    return read[_KINDS[name]]()


def _axis(name: str, entry: Entry) -> tuple[Setting, ...]:
    values: dict[Setting, None] = {}
    for item in entry.items(f"a list of 1 to {_POINTS:,} values", 1, _POINTS):
        value = _setting(name, item)
        if value in values:
            raise item.refused("a value that the list does not hold yet")
        values[value] = None
    return tuple(values)


def _recipe(base: Recipe, settings: Mapping[str, Setting], grid: Entry) -> Recipe:
    try:
        return base.changed(settings, f"set in {grid.file}")
    except ValueError as fault:  # which begins with the name of a setting
        name = str(fault).partition(" ")[0]
        table = "grid" if name in _given(grid) else "recipe"
        raise ValueError(f"{grid.file}: {table}.{fault}") from None
