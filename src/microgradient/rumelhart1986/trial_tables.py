"""The results of a trial, and the settings of a recipe, as sentences and tables of text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from microgradient.rumelhart1986.experiment import (
    MARGIN,
    SETTINGS,
    Claim,
    Experiment,
    Recipe,
    Variant,
)
from microgradient.rumelhart1986.network import Read
from microgradient.rumelhart1986.trial import Trial

_MANY = 8  # a table with more columns shows one decimal, to fit a terminal


@dataclass(frozen=True)
class TextTable:
    """A title, the headings of the columns, and rows of text."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def outcome(trial: Trial) -> str:
    """Return one sentence: whether the criterion was met, and when."""
    history, recipe, total = trial.history, trial.recipe, len(trial.training)
    which = _criterion(recipe)
    if trial.learned:
        met_at = history.met_at or history.sweeps
        went_on = f"; trained for {history.sweeps:,} in all" if history.sweeps > met_at else ""
        sentence = f"Learned: all {total} patterns {which} after {met_at:,} sweeps{went_on}"
    else:
        count = f"{trial.right} of {total} patterns"
        sentence = f"Not learned: {count} {which} after {history.sweeps:,} sweeps"
    return f"{sentence} (seed {trial.seed}).{_ended(trial)}"


def _ended(trial: Trial) -> str:
    if trial.history.stopped == "interrupted":
        return " Interrupted: the network keeps what it has learned."
    if trial.learned or not trial.history.sweeps:
        return ""
    if (better := trial.variant.better) is not None:
        return (
            " This variant is known not to learn all of them; "
            f"--variant {better} is the one that does."
        )
    return " Another seed, more sweeps or a smaller rate may help: some runs get stuck."


def summary(trials: Sequence[Trial]) -> TextTable:
    """Return a line for each trial: whether, and when, its criterion was met."""
    rows = tuple(
        (
            trial.experiment.name,
            "learned" if trial.learned else "not learned",
            _count(trial.history.met_at),
            f"{trial.right} of {len(trial.training)}",
            f"{len(trial.test_right)} of {len(trial.test)}" if trial.test else "",
        )
        for trial in trials
    )
    columns = ("network", "result", "sweeps", "patterns right", "held-out right")
    return TextTable("== Summary ==", columns, rows)


def _criterion(recipe: Recipe) -> str:
    return f"within {recipe.tolerance:g} of the targets {recipe.off:g} and {recipe.on:g}"


def comparison(trial: Trial) -> TextTable:
    """Return the findings of this trial beside those of the original and of a survey page."""
    recipe, history = trial.recipe, trial.history
    ours = [
        Claim("sweeps until the criterion", _count(history.met_at), f"seed {trial.seed}"),
        Claim(
            "training patterns right",
            f"{trial.right} of {len(trial.training)}",
            _criterion(recipe),
        ),
    ]
    if recipe.loss != "half-squared":
        strict = f"{trial.beyond_margin} of {len(trial.training)}"
        ours.append(
            Claim(
                "patterns beyond the margin",
                strict,
                f"beyond {MARGIN[0]:g} and {MARGIN[1]:g}",
            )
        )
    if trial.test:
        names = ", ".join(
            p.name + ("" if p in trial.test_right else " (missed)") for p in trial.test
        )
        count = f"{len(trial.test_right)} of {len(trial.test)}"
        ours.append(Claim("held-out patterns right", count, names))
    sets = (
        ("here", ours),
        ("original", trial.variant.original),
        ("survey page", trial.variant.survey_page),
    )
    rows = tuple(
        (who if f is items[0] else "", f.quantity, f.value, f.source)
        for who, items in sets
        for f in items
    )
    title = "Findings side by side (survey page: a modern summary on the web, with our verdicts)"
    return TextTable(title, ("who", "quantity", "value", "source or remark"), rows)


def weights(trial: Trial) -> list[TextTable]:
    """Return the weights of every layer, its units across or down: whichever takes less width."""
    tables = []
    for group in trial.network.layers:
        units, inputs, rows, note, _ = weights_to(trial, group)
        title = f"Weights to {note}"
        if len(units) <= len(inputs):
            columns = [list(column) for column in zip(*rows)]
            tables.append(_matrix(title, units, inputs, columns))
        else:
            tables.append(_matrix(title, inputs, units, rows))
    return tables


class Weights(NamedTuple):
    """Bias and weights of a group's units, row by row, None where there is no link.

    Where all units share their weights, those of the first one; ``note`` says so.
    """

    units: list[str]
    inputs: list[str]
    rows: list[list[float | None]]
    note: str
    shared: bool


def weights_to(trial: Trial, group: str) -> Weights:
    """Return the weights to the units of a group."""
    units = trial.network.layers[group]
    names, reads = names_of_units(trial, group), trial.network.architecture.reads(group)
    sources = " and ".join(dict.fromkeys(read.group for read in reads))
    note = f"{group} from {sources}"
    first, *others = [{*neuron.weights, neuron.bias} for neuron in units.neurons]
    shared = bool(others) and all(other == first for other in others)
    if shared:
        note = f"{names[0]} from {sources}; all {len(names)} units share them"
        names, reads = names[:1], units.reads[0]
    rows: list[list[float | None]] = []
    for j, neuron in enumerate(units.neurons[: len(names)]):
        found = [units.weight(j, read) for read in reads]
        rows.append([neuron.bias.data, *(w if w is None else w.data for w in found)])
    return Weights(names, ["bias", *_names_of(trial, reads)], rows, note, shared)


def _names_of(trial: Trial, reads: Sequence[Read]) -> list[str]:
    before = {0: "", 1: " a step ago"}
    return [
        names_of_units(trial, read.group)[read.unit]
        + before.get(read.delay, f" {read.delay} steps ago")
        for read in reads
    ]


def names_of_units(trial: Trial, group: str) -> list[str]:
    """Return the names of the units of a group: those the experiment gives, or else numbers."""
    given = trial.experiment.unit_names.get(group)
    size = trial.network.architecture.groups[group]
    return list(given or (f"{group} {i + 1}" for i in range(size)))


def _matrix(
    title: str, across: list[str], down: list[str], rows: Sequence[Sequence[float | None]]
) -> TextTable:
    """Return a table with short headings: the numbers alone if all names share one word."""
    words = {name.rpartition(" ")[0] for name in across if name != "bias"}
    heads = [name.rpartition(" ")[2] if len(words) == 1 else name for name in across]
    corner, digits = ("from" if "bias" in down else "to"), 2
    if len(across) > _MANY:
        digits, down = 1, ["".join(w[0] if w.isalpha() else w for w in n.split()) for n in down]
    cells = tuple((name, *_numbers(row, digits)) for name, row in zip(down, rows))
    return TextTable(title, (corner, *heads), cells)


def codes(trial: Trial) -> list[TextTable]:
    """Return the activities of the groups that the experiment's probes name."""
    tables = []
    for probe in trial.experiment.probes:
        rows = []
        for pattern in probe.patterns:
            activities = trial.network.activities(pattern.inputs)
            outputs = activities[trial.network.architecture.asked[-1][0]]
            output = outputs if len(outputs) == 1 else []
            rows.append((pattern.name, *_numbers(activities[probe.group] + output)))
        size = trial.network.architecture.groups[probe.group]
        columns = [f"unit {i + 1}" for i in range(size)]
        if len(rows[0]) > size + 1:
            columns.append("output")
        total, shown = len(trial.experiment.patterns), len(rows)
        some = (
            f", {shown} of {total} patterns" if shown < total and probe.patterns[0].targets else ""
        )
        title = f"Activities of {probe.group}{some}"
        tables.append(TextTable(title, ("pattern", *columns), tuple(rows)))
    return tables


def recipe_table(experiment: Experiment, name: str, variant: Variant) -> TextTable:
    """Return every setting of a variant with its source in the literature."""
    recipe = variant.recipe
    rows = tuple(
        (setting, str(getattr(recipe, setting)), recipe.sources[setting])
        for setting in SETTINGS
        if setting in recipe.sources
    )
    note = f": {variant.note}" if variant.note else ""
    title = f"{experiment.name}, variant {name}{note}\n{variant.architecture}"
    return TextTable(title, ("setting", "value", "source"), rows)


def changed_settings(recipe: Recipe, default: Recipe) -> str:
    """Return the settings in which ``recipe`` differs from ``default``, as ``rate=0.5, …``."""
    return ", ".join(
        f"{name}={getattr(recipe, name)}"
        for name in SETTINGS
        if getattr(recipe, name) != getattr(default, name)
    )


def _numbers(xs: Sequence[float | None], digits: int = 2) -> list[str]:
    return ["" if x is None else f"{x:.{digits}f}" if abs(x) < 1e4 else f"{x:.2g}" for x in xs]


def _count(n: int | None) -> str:
    return "not met" if n is None else f"{n:,}"
