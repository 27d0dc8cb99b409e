"""What a run came to, as tables: data first (rows of text), shown by whoever asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from microgradient.rumelhart1986.experiment import SETTINGS, Experiment, Figure, Recipe, Variant
from microgradient.rumelhart1986.network import Group
from microgradient.rumelhart1986.trial import Result

_MANY = 8  # columns, beyond which a table has one decimal to fit a terminal
_BARS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class Table:
    """A title, the heads of the columns, and rows of text."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def outcome(result: Result) -> str:
    """Return one sentence: whether the criterion was met, and when."""
    history, recipe, total = result.history, result.recipe, len(result.training)
    which = _criterion(recipe)
    if result.learned:
        met_at = history.met_at or history.sweeps
        went_on = f", and trained for {history.sweeps:,}" if history.sweeps > met_at else ""
        sentence = f"Learned: all {total} patterns {which} after {met_at:,} sweeps{went_on}"
    else:
        count = f"{result.right} of {total} patterns"
        sentence = f"Not learned: {count} {which} after {history.sweeps:,} sweeps"
    return f"{sentence} (seed {result.seed}).{_ended(result)}"


def _ended(result: Result) -> str:
    if result.history.stopped == "interrupted":
        return " Interrupted; what was learned is kept."
    if result.learned or not result.history.sweeps:
        return ""
    return " Another seed, more sweeps or a smaller rate may do; some starts get stuck."


def _criterion(recipe: Recipe) -> str:
    return f"within {recipe.tolerance:g} of {recipe.off:g} and {recipe.on:g}"


def figures(result: Result) -> Table:
    """Return this run's numbers beside the original's and a modern survey page's."""
    recipe, history = result.recipe, result.history
    ours = [
        Figure("sweeps until the criterion", _count(history.met_at), f"seed {result.seed}"),
        Figure(
            "training patterns right",
            f"{result.right} of {len(result.training)}",
            _criterion(recipe),
        ),
    ]
    if recipe.loss == "margin":
        strict = f"{result.beyond_margin} of {len(result.training)}"
        ours.append(
            Figure("the same, strictly", strict, f"beyond {recipe.off:g} and {recipe.on:g}")
        )
    if result.test:
        names = ", ".join(
            p.name + ("" if p in result.test_right else " (missed)") for p in result.test
        )
        count = f"{len(result.test_right)} of {len(result.test)}"
        ours.append(Figure("held-out patterns right", count, names))
    sets = (
        ("here", ours),
        ("original", result.variant.original),
        ("survey page", result.variant.page),
    )
    rows = tuple(
        (who if f is items[0] else "", f.what, f.value, f.source)
        for who, items in sets
        for f in items
    )
    title = "Numbers side by side (survey page: a modern web summary, checked claim by claim)"
    return Table(title, ("who", "what", "value", "source or remark"), rows)


def weights(result: Result) -> list[Table]:
    """Return the weights of every layer: units across or down, whichever makes fewer columns."""
    net = result.network.architecture
    tables = []
    for group in net.layers:
        matrix = [
            [neuron.bias.data, *(w.data for w in neuron.weights)]
            for neuron in result.network.layers[group.name].neurons
        ]
        inputs = _names_of_inputs(result, group)
        units = [f"{group.name} {i + 1}" for i in range(group.size)]
        title = f"Weights to {group.name} from {' and '.join(group.reads)}"
        if group.size <= len(inputs):
            columns = [list(column) for column in zip(*matrix)]
            tables.append(_matrix(title, units, ["bias", *inputs], columns))
        else:
            tables.append(_matrix(title, ["bias", *inputs], units, matrix))
    return tables


def _names_of_inputs(result: Result, layer: Group) -> list[str]:
    """Name them as the probe does that switches on one input at a time, or by number."""
    net = result.network.architecture
    for probe in result.experiment.probes:
        if probe.group == layer.name and len(probe.patterns) == net.fan_in(layer):
            return [pattern.name for pattern in probe.patterns]
    return [f"{name} {i + 1}" for name in layer.reads for i in range(net.size(name))]


def _matrix(title: str, across: list[str], down: list[str], rows: list[list[float]]) -> Table:
    """Make a table whose columns have short names: the numbers alone, if all share one word."""
    words = {name.rpartition(" ")[0] for name in across if name != "bias"}
    heads = [name.rpartition(" ")[2] if len(words) == 1 else name for name in across]
    corner, digits = ("from" if "bias" in down else "to"), 2
    if len(across) > _MANY:
        digits, down = 1, ["".join(w[0] if w.isalpha() else w for w in n.split()) for n in down]
    cells = tuple((name, *_numbers(row, digits)) for name, row in zip(down, rows))
    return Table(title, (corner, *heads), cells)


def codes(result: Result) -> list[Table]:
    """Return the activities of the hidden groups that the experiment asks to be shown."""
    tables = []
    for probe in result.experiment.probes:
        rows = []
        for pattern in probe.patterns:
            activities = result.network.activities(pattern.inputs)
            answers = activities["output"] if len(activities["output"]) == 1 else []
            rows.append((pattern.name, *_numbers(activities[probe.group] + answers)))
        size = result.network.architecture.size(probe.group)
        columns = [f"unit {i + 1}" for i in range(size)]
        if len(rows[0]) > size + 1:
            columns.append("output")
        total, shown = len(result.experiment.patterns), len(rows)
        some = (
            f", {shown} of {total} patterns" if shown < total and probe.patterns[0].targets else ""
        )
        title = f"Activities of {probe.group}{some}"
        tables.append(Table(title, ("pattern", *columns), tuple(rows)))
    return tables


def error_line(errors: Sequence[float], width: int = 60) -> str:
    """Return the error curve as one line of block characters."""
    if not errors:
        return ""
    top = max(errors) or 1.0
    step = max(1, len(errors) // width)
    return "".join(_BARS[min(7, int(8 * e / top))] for e in errors[::step])


def recipe_table(experiment: Experiment, name: str, variant: Variant) -> Table:
    """Return every setting of a variant with the place in the literature that it comes from."""
    recipe = variant.recipe
    rows = tuple(
        (setting, str(getattr(recipe, setting)), recipe.sources[setting])
        for setting in SETTINGS
        if setting in recipe.sources
    )
    title = f"{experiment.name}, variant {name}: {variant.note}\n{variant.architecture}"
    return Table(title, ("setting", "value", "source"), rows)


def changed(recipe: Recipe, default: Recipe) -> str:
    """Return what a run set otherwise than its variant, as ``rate=0.5, …``."""
    return ", ".join(
        f"{name}={getattr(recipe, name)}"
        for name in SETTINGS
        if getattr(recipe, name) != getattr(default, name)
    )


def _numbers(xs: Sequence[float], digits: int = 2) -> list[str]:
    return [f"{x:.{digits}f}" if abs(x) < 1e4 else f"{x:.2g}" for x in xs]


def _count(n: int | None) -> str:
    return "not met" if n is None else f"{n:,}"
