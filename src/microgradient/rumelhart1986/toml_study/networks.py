"""The network and the patterns that a study file describes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from microgradient.rumelhart1986.experiment import NamedPattern
from microgradient.rumelhart1986.network import (
    Architecture,
    At,
    Key,
    Link,
    every,
    of_group,
    own,
    shared,
)
from microgradient.rumelhart1986.toml_study.entry import Entry

_SIZE = 1_000_000  # the most units, and the most weights
_GROUPS = 100
_PATTERNS = 10_000


def diagonal(i: int, j: int) -> Key | None:
    """Return a key of its own for unit ``i`` to unit ``i``; no others are linked."""
    return i if i == j else None


@dataclass(frozen=True)
class WeightRows:
    """The weights of a link, drawn as a row of characters for each target unit.

    A row has a character for each source unit: "." is no link, "*" is a weight of its own, and
    where the characters are equal letters or digits, it is one and the same weight.
    """

    rows: tuple[str, ...]

    def __call__(self, i: int, j: int) -> Key | None:
        mark = self.rows[j][i]
        return None if mark == "." else (i, j) if mark == "*" else mark


def no_bias(group: str, j: int) -> None:
    """Return None: there are no biases."""


_WEIGHTS = {"every": every, "shared": shared, "diagonal": diagonal}
_BIASES = {"own": own, "shared": of_group, "none": no_bias}


def read_network(network: Entry, links: Entry) -> Architecture:
    """Return the architecture of ``[network]`` and the tables ``[[link]]``.

    Without links, every group reads the one before it. Raises ValueError for what cannot run, and
    for more than a million units or weights, counted at each step of time.
    """
    defaults = {"steps": 1, "shown": [], "asked": [], "start": 0.0, "bias": "own"}
    keys = network.table(defaults, required=["groups"])
    groups, steps = _groups(keys["groups"]), keys["steps"].integer(1, _SIZE)
    shown, asked = (_places(keys[name], groups, steps) for name in ("shown", "asked"))
    start, bias = keys["start"].number(), _BIASES[keys["bias"].one_of(_BIASES)]
    found = _links(links, groups, steps) if links.given else _chain(groups)
    _check_size(network, groups, found, steps)
    try:
        return Architecture(groups, found, steps, shown, asked, start, bias)
    except ValueError as fault:
        raise ValueError(f"{network.file}: network: {fault}") from None


def _groups(entry: Entry) -> dict[str, int]:
    found = entry.entries()
    if not 1 <= len(found) <= _GROUPS:
        raise entry.refused(f"a table of 1 to {_GROUPS} groups", f"{len(found):,}")
    for name, size in found.items():
        Entry(name, entry.file, f"the name {size.path}").text()
    return {name: size.integer(1, _SIZE) for name, size in found.items()}


def _places(entry: Entry, groups: Mapping[str, int], steps: int) -> tuple[At, ...]:
    """Return groups at steps of time."""
    places: dict[At, None] = {}
    for item in entry.items("a list of [group, step]", 0, _SIZE):
        group, step = item.items("[group, step]", 2, 2)
        place = group.one_of(groups), step.integer(0, steps - 1)
        if place in places:
            raise item.refused("given once", f"{list(place)} again")
        places[place] = None
    return tuple(places)


def _links(entry: Entry, groups: Mapping[str, int], steps: int) -> tuple[Link, ...]:
    links: dict[tuple[str, str, int], Link] = {}
    for item in entry.items("a list of tables, each below [[link]]", 1, _SIZE):
        keys = item.table({"delay": 0, "weight": "every"}, required=["source", "target"])
        source, target = (keys[name].one_of(groups) for name in ("source", "target"))
        delay = keys["delay"].integer(0, max(1, steps - 1))
        weight = _weight(keys["weight"], groups[source], groups[target])
        if (source, target, delay) in links:
            again = f"a second one from {source!r} to {target!r} with the delay {delay}"
            raise item.refused("the only link between its groups with its delay", again)
        links[source, target, delay] = Link(source, target, weight, delay)
    return tuple(links.values())


def _chain(groups: Mapping[str, int]) -> tuple[Link, ...]:
    return tuple(Link(a, b) for a, b in pairwise(groups))


def _weight(entry: Entry, sources: int, targets: int) -> Callable[[int, int], Key | None]:
    if isinstance(entry.value, list):
        rows = entry.items(
            f"a list of {targets:,} rows, one for each target unit", targets, targets
        )
        return WeightRows(tuple(_row(row, sources) for row in rows))
    name = entry.one_of(_WEIGHTS)
    if name == "diagonal" and sources != targets:
        expected = "another: diagonal needs groups of the same size"
        raise entry.refused(expected, f"{sources:,} and {targets:,} units")
    return _WEIGHTS[name]


def _row(entry: Entry, sources: int) -> str:
    row = entry.value
    fits = isinstance(row, str) and len(row) == sources
    if not isinstance(row, str) or not fits or not all(c in ".*" or c.isalnum() for c in row):
        count = f"{sources:,} characters, one for each source unit"
        raise entry.refused(f'a text of {count}: ".", "*", letters or digits')
    return row


def _check_size(
    network: Entry, groups: Mapping[str, int], links: tuple[Link, ...], steps: int
) -> None:
    """Refuse networks that would fill the memory: each weight of each step is a node of a graph."""
    pairs = sum(groups[link.source] * groups[link.target] for link in links)
    for what, count in (("units", sum(groups.values())), ("weights", pairs)):
        if steps * count > _SIZE:
            expected = f"at most {_SIZE:,} {what}, counted at each step"
            raise ValueError(f"{network.file}: network must have {expected}, got {steps * count:,}")


def read_patterns(tables: Entry, lists: Entry, net: Architecture) -> tuple[NamedPattern, ...]:
    """Return the patterns of the tables ``[[pattern]]``, or of ``patterns``: lists of two lists.

    A pattern without a name has its number, counted from 1. Raises ValueError for patterns that do
    not fit the network, targets other than 0 and 1, and names that come twice.
    """
    read, entry = (_of_table, tables) if tables.given else (_of_list, lists)
    found: dict[str, NamedPattern] = {}
    for number, item in enumerate(entry.items("a list of patterns", 1, _PATTERNS), 1):
        pattern = read(item, str(number), net)
        if pattern.name in found:
            raise item.refused("a pattern with a name of its own", f"{pattern.name!r} again")
        found[pattern.name] = pattern
    return tuple(found.values())


def _of_table(item: Entry, number: str, net: Architecture) -> NamedPattern:
    keys = item.table({"name": number}, required=["inputs", "targets"])
    return NamedPattern(
        keys["name"].text(), keys["inputs"].numbers(net.inputs), _targets(keys["targets"], net)
    )


def _of_list(item: Entry, number: str, net: Architecture) -> NamedPattern:
    inputs, targets = item.items("a list of two lists: inputs and targets", 2, 2)
    return NamedPattern(number, inputs.numbers(net.inputs), _targets(targets, net))


def _targets(entry: Entry, net: Architecture) -> tuple[float, ...]:
    targets = entry.numbers(net.outputs)
    if wrong := [target for target in targets if target not in (0, 1)]:
        raise entry.refused(
            "numbers that are 0 or 1 (recipe.off and recipe.on set what is trained)", str(wrong[0])
        )
    return targets
