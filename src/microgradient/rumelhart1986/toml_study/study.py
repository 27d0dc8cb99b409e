"""A study as a TOML file: an experiment, settings of its recipe, a grid of them, and seeds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePath

from microgradient.rumelhart1986.experiment import (
    PDP8,
    SETTINGS,
    Experiment,
    NamedPattern,
    Probe,
    Recipe,
    Variant,
    pdp8_recipe,
)
from microgradient.rumelhart1986.network import Architecture
from microgradient.rumelhart1986.toml_study.entry import Entry, parse
from microgradient.rumelhart1986.toml_study.networks import read_network, read_patterns
from microgradient.rumelhart1986.toml_study.recipes import read_recipes

_KEYS = (
    *("name", "title", "seeds", "experiment", "variant", "network", "link", "patterns", "pattern"),
    *("held_out", "recipe", "grid"),
)
_SEEDS = 1_000_000  # the most
_SETS = 10_000  # the most, of patterns to hold out
_CHAPTER = pdp8_recipe(
    0.25, {"rate": f'{PDP8}, p. 334: "In most of our problems … 0.25 or smaller"'}
)
"""The recipe of a task that no experiment has, but for the settings of the file."""


@dataclass(frozen=True)
class StudyFile:
    """The experiment that a file describes, with a variant for each point of its grid.

    ``seeds`` is the number of seeds to train each variant from, None where the file gives none.
    """

    experiment: Experiment
    seeds: int | None


def read_study(text: str, where: str, known: Mapping[str, Experiment]) -> StudyFile:
    """Return the study that ``text`` describes in TOML; ``where`` is the file's name.

    The file names one of the ``known`` experiments and a variant of it; or the experiment and a
    network of its own for the experiment's patterns; or it gives both network and patterns. Its
    settings have the source "set in <where>". What has been reported about a variant stays with it
    where the file changes nothing; all seeds are trained, however long that takes.

    Raises ValueError, with the file's name and the key, for anything unknown, missing, impossible
    or too large.
    """
    keys = parse(text, where).table(dict.fromkeys(_KEYS))
    start = _start(keys, known)
    ((default, variant),) = start.variants.items()
    held_out = start.held_out
    if keys["held_out"].given:
        held_out = _held_out(keys["held_out"], start.patterns)
    same = held_out == start.held_out
    variants = {
        point or default: _with_recipe(variant, recipe, same, where)
        for point, recipe in read_recipes(keys["recipe"], keys["grid"], variant.recipe).items()
    }
    name = _name(keys["name"])
    title = keys["title"].text() if keys["title"].given else start.title or name
    seeds = keys["seeds"].integer(1, _SEEDS) if keys["seeds"].given else None
    study = replace(start, name=name, title=title, variants=variants, held_out=held_out)
    return StudyFile(study, seeds)


def _name(entry: Entry) -> str:
    """Return the study's name, by default that of the file: it may become part of a path."""
    if not entry.given:
        stem = re.sub(r"[^\w .+-]", "-", PurePath(entry.file).stem)
        return stem[:100].strip("-. ") or "study"
    name = entry.text()
    if not re.fullmatch(r"\w([\w .+-]*\w)?", name):
        raise entry.refused("letters and digits with spaces, dots, + or - between them")
    return name


def _start(keys: Mapping[str, Entry], known: Mapping[str, Experiment]) -> Experiment:
    """Return the experiment before settings are changed, with one variant."""
    _check_together(keys)
    if not keys["experiment"].given:
        net = read_network(keys["network"], keys["link"])
        return _own(net, read_patterns(keys["pattern"], keys["patterns"], net), _CHAPTER)
    experiment = known[keys["experiment"].one_of(known)]
    name = experiment.default
    if keys["variant"].given:
        name = keys["variant"].one_of(experiment.variants)
    variant = replace(experiment.variants[name], better=None, one_in=1)
    if not keys["network"].given:
        return replace(experiment, variants={name: variant})
    net = read_network(keys["network"], keys["link"])
    own = _own(net, _fitting(experiment, net, keys["network"]), variant.recipe)
    return replace(own, title=experiment.title, held_out=experiment.held_out)


def _check_together(keys: Mapping[str, Entry]) -> None:
    """Refuse keys that need each other, or exclude each other."""
    given = {name for name in _KEYS if keys[name].given}
    file = keys["name"].file
    if not given & {"experiment", "network"}:
        raise ValueError(f"{file}: the key experiment or the table [network] is missing")
    if not given & {"experiment", "patterns", "pattern"}:
        raise ValueError(f"{file}: patterns are missing: give patterns, or tables [[pattern]]")
    for name, other in (("variant", "experiment"), ("link", "network")):
        if name in given and other not in given:
            raise ValueError(f"{file}: {name} must be left out where there is no {other}")
    for name, other in (
        ("patterns", "experiment"),
        ("pattern", "experiment"),
        ("pattern", "patterns"),
    ):
        if {name, other} <= given:
            raise ValueError(f"{file}: {name} must be left out where {other} is given")


def _own(net: Architecture, patterns: tuple[NamedPattern, ...], recipe: Recipe) -> Experiment:
    """Return an experiment with a network of the file; its probes are the hidden groups."""
    asked = {group for group, _ in net.asked}
    return Experiment(
        name="study",
        title="",
        patterns=patterns,
        variants={"-".join(map(str, net.groups.values())): Variant(net, recipe, ())},
        probes=tuple(Probe(group, patterns) for group in net.targets if group not in asked),
    )


def _fitting(experiment: Experiment, net: Architecture, entry: Entry) -> tuple[NamedPattern, ...]:
    pattern = experiment.patterns[0]
    expected, got = (len(pattern.inputs), len(pattern.targets)), (net.inputs, net.outputs)
    if expected != got:
        text = "{} numbers for inputs and {} for outputs"
        raise entry.refused(
            f"a network with {text.format(*expected)}, as the patterns of {experiment.name} have",
            text.format(*got),
        )
    return experiment.patterns


def _held_out(
    entry: Entry, patterns: tuple[NamedPattern, ...]
) -> int | tuple[tuple[str, ...], ...]:
    """Return a number of patterns, or sets of names; a list of names is the only set."""
    most = len(patterns) - 1  # one is left to train with
    if not isinstance(entry.value, list):
        return entry.integer(0, most, " or a list of names of patterns")
    names = [pattern.name for pattern in patterns]
    if not (entry.value and isinstance(entry.value[0], list)):
        return (_names(entry, names, 1, most),)
    first, *others = entry.items(f"a list of at most {_SETS:,} lists", 1, _SETS)
    found = _names(first, names, 1, most)
    return found, *(_names(other, names, len(found), len(found)) for other in others)


def _names(entry: Entry, known: list[str], least: int, most: int) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for item in entry.items(f"a list of {least:,} to {most:,} names of patterns", least, most):
        name = item.one_of(known)
        if name in found:
            raise item.refused("a name that the list does not hold yet")
        found[name] = None
    return tuple(found)


def _with_recipe(variant: Variant, recipe: Recipe, same: bool, where: str) -> Variant:
    """Return the variant with a recipe, without what has been reported unless nothing changed."""
    if same and all(getattr(recipe, k) == getattr(variant.recipe, k) for k in SETTINGS):
        return replace(variant, recipe=recipe, note=variant.note or f"described in {where}")
    return Variant(variant.architecture, recipe, (), f"settings of {where}")
