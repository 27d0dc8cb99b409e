"""Pictures of what hidden units learned, and of the way there. Each returns a Matplotlib figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, log10
from typing import Any

from microgradient.rumelhart1986.experiment import Experiment
from microgradient.rumelhart1986.experiments.family_trees import (
    ENGLISH_MEN,
    ENGLISH_WOMEN,
    ITALIAN_MEN,
    ITALIAN_WOMEN,
    PEOPLE,
    RELATIONS,
)
from microgradient.rumelhart1986.experiments.tc import FIELDS, PATTERNS, REACH, SIDE
from microgradient.rumelhart1986.insight.family import LABELS, correlation, person_codes
from microgradient.rumelhart1986.insight.fields import field_of
from microgradient.rumelhart1986.insight.lesions import Lesion
from microgradient.rumelhart1986.insight.path import Path, Weights, path_of
from microgradient.rumelhart1986.insight.surface import (
    Plane,
    error_grid,
    plane_through,
    principal_plane,
)
from microgradient.rumelhart1986.insight.xor_runs import nearest
from microgradient.rumelhart1986.network import Network
from microgradient.rumelhart1986.picture import NEGATIVE, POSITIVE, hinton

_GRID = 61
_INK, _GREY = "#1e293b", "#94a3b8"


def _figure(width: float, height: float) -> Any:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def weights_over_training(path: Path) -> Any:
    """Draw each group's weights by sweep: blue from units, grey biases, one panel a group."""
    network = path.trial.network
    place = {parameter: k for k, parameter in enumerate(network.parameters())}
    groups = [*network.layers]
    figure = _figure(11, 3.6)
    panels = figure.subplots(1, len(groups), squeeze=False)[0]
    for axes, group in zip(panels, groups):
        for j, neuron in enumerate(network.layers[group].neurons):
            style = ("-", "--", ":", "-.")[j % 4]
            for parameter in (*neuron.weights, neuron.bias):
                course = [weights[place[parameter]] for weights in path.weights]
                color = _GREY if parameter is neuron.bias else POSITIVE
                axes.plot(path.sweeps, course, style, color=color, linewidth=1.1)
        reads, first = network.layers[group].reads[0], network.layers[group].neurons[0]
        ends = {
            f"{read.group} {read.unit + 1}": path.weights[-1][place[parameter]]
            for read, parameter in zip(reads, first.weights)
        }
        low, high = axes.get_ylim()
        for text, end in _without_overlap(ends, (high - low) / 30).items():
            axes.annotate(f" {text}", (path.sweeps[-1], end), fontsize=6, va="center")
        units = network.architecture.groups[group]
        each = f" ({units} units, a line style each)" if units > 1 else ""
        axes.set_title(f"to {group}{each}")
        axes.set(xlabel="sweep", ylabel="weight")
        axes.axhline(0, color=_INK, linewidth=0.5)
        axes.grid(alpha=0.3)
    panels[-1].plot([], [], color=POSITIVE, label="weights")
    panels[-1].plot([], [], color=_GREY, label="biases")
    panels[-1].legend(fontsize=8)
    return figure


def _without_overlap(ends: Mapping[str, float], least: float) -> dict[str, float]:
    """Return labels by height, with one for those that are nearer than ``least``."""
    found: list[tuple[list[str], float]] = []
    for text, end in sorted(ends.items(), key=lambda item: item[1]):
        if found and end - found[-1][1] < least:
            found[-1][0].append(text)
        else:
            found.append(([text], end))
    return {", ".join(texts): end for texts, end in found}


def path_on_surface(path: Path) -> Any:
    """Draw the error surface in the plane of the first two principal components of a path."""
    figure = _figure(7, 5.6)
    axes = figure.subplots()
    plane = principal_plane(path)
    places = [plane.place(weights) for weights in path.weights]
    _surface(figure, axes, path, plane, places)
    _draw_path(axes, places, _INK, 1.6)
    axes.plot(*places[0], "o", color="white", markeredgecolor=_INK, markersize=8, label="start")
    axes.plot(*places[-1], "*", color="white", markeredgecolor=_INK, markersize=13, label="end")
    axes.set(xlabel="first principal component", ylabel="second principal component")
    axes.legend(fontsize=8)
    return figure


def _surface(
    figure: Any, axes: Any, path: Path, plane: Plane, places: Sequence[tuple[float, float]]
) -> None:
    """Draw the logarithm of the error around some places."""
    xs, ys = (_around([place[k] for place in places]) for k in (0, 1))
    errors = error_grid(path.trial, plane, xs, ys)
    logs = [[log10(max(error, 1e-6)) for error in row] for row in errors]
    filled = axes.contourf(xs, ys, logs, levels=18, cmap="cividis")
    axes.contour(xs, ys, logs, levels=18, colors="white", linewidths=0.3, alpha=0.5)
    bar = figure.colorbar(filled, ax=axes)
    bar.set_label("error (powers of ten)")


def _around(numbers: Sequence[float]) -> list[float]:
    low, high = min(numbers), max(numbers)
    margin = 0.15 * (high - low) or 1.0
    low, high = low - margin, high + margin
    return [low + (high - low) * k / (_GRID - 1) for k in range(_GRID)]


def _draw_path(axes: Any, places: Sequence[tuple[float, float]], color: str, width: float) -> None:
    axes.plot(*zip(*places), color="white", linewidth=width + 1.4, alpha=0.8)
    axes.plot(*zip(*places), color=color, linewidth=width)


def xor_runs(experiment: Experiment, variant: str, seeds: Sequence[int]) -> Any:
    """Draw runs of XOR 2-2-1 on one plane: the start of a run, its end, and the end of a stuck one.

    Runs are taken as the equivalents that are nearest to these ends; they leave the plane, and are
    projected on it. Dots mark the starts. Raises ValueError unless some of the seeds learn and some
    get stuck.
    """
    paths = [path_of(experiment, variant, seed=seed, every=10) for seed in seeds]
    solved = [path for path in paths if path.trial.learned]
    stuck = [path for path in paths if not path.trial.learned]
    if not solved or not stuck:
        raise ValueError(f"expected seeds that learn and seeds that get stuck, got {list(seeds)}")
    good, bad = solved[0].weights[-1], _brought(stuck[0], solved[0].weights[-1])[-1]
    plane = plane_through(solved[0].weights[0], good, bad)
    figure = _figure(8.5, 6)
    axes = figure.subplots()
    courses = [(path, _brought(path, good if path.trial.learned else bad)) for path in paths]
    ends = [plane.place(weights[-1]) for _, weights in courses]
    starts = [plane.place(weights[0]) for _, weights in courses]
    _surface(figure, axes, solved[0], plane, [*ends, *starts])
    for path, weights in courses:
        color = POSITIVE if path.trial.learned else NEGATIVE
        places = [plane.place(one) for one in weights]
        _draw_path(axes, places, color, 1.0)
        axes.plot(*places[0], ".", color=_INK, markersize=4)
        marker = "o" if path.trial.learned else "X"
        axes.plot(*places[-1], marker, color=color, markeredgecolor="white", markersize=7)
    for marker, color, name in (
        ("o", POSITIVE, f"{len(solved)} that learned"),
        ("X", NEGATIVE, f"{len(stuck)} stuck"),
    ):
        axes.plot([], [], marker, color=color, markeredgecolor="white", label=name)
    axes.set(
        xlabel="towards the end of a run that learned", ylabel="towards the end of a stuck run"
    )
    axes.legend(fontsize=8)
    return figure


def _brought(path: Path, to: Weights) -> list[Weights]:
    change = nearest(path.weights[-1], to)
    return [change(weights) for weights in path.weights]


def shared_field(network: Network) -> Any:
    """Draw the field of T-C: its weights as they lie on the retina, and what figures switch.

    In the panels of the figures, squares of the retina are dark where the figure is, and a field is
    drawn at its middle: black where it is on, white where it is off.
    """
    figure = _figure(11, 5.2)
    left, right = figure.subfigures(1, 2, width_ratios=(1, 2.4))
    axes = left.subplots()
    weights = field_of(network).weights
    at_rest = network.activities([0.0] * SIDE**2)["field"][0] > 0.5
    hinton(
        axes,
        [list(weights[k : k + REACH]) for k in range(0, REACH**2, REACH)],
        [""] * REACH,
        [""] * REACH,
    )
    axes.set_title("weights of the field: blue excite, orange inhibit", fontsize=9)
    for panel, pattern in zip(right.subplots(2, 4).flat, PATTERNS):
        retina = [pattern.inputs[k : k + SIDE] for k in range(0, SIDE**2, SIDE)]
        panel.imshow(retina, cmap="Greys", vmin=0, vmax=2.5)
        activities = network.activities(pattern.inputs)["field"]
        xs = [k % FIELDS + REACH // 2 for k in range(FIELDS**2)]
        ys = [k // FIELDS + REACH // 2 for k in range(FIELDS**2)]
        panel.scatter(xs, ys, c=activities, cmap="Greys", vmin=0, vmax=1, edgecolors=_INK, s=36)
        switched = sum((y > 0.5) != at_rest for y in activities)
        panel.set_title(f"{pattern.name}: {switched} switched", fontsize=9)
        panel.set_xticks([])
        panel.set_yticks([])
    return figure


def person_units(network: Network) -> Any:
    """Draw the person units as Nature's Fig. 4 does: English above Italian people, for each unit.

    Bars go up, in blue, where a unit is on, and down, in orange, where it is off. A title has the
    largest correlation with what people differ in, if it is .5 or more.
    """
    codes = dict(zip(PEOPLE, person_codes(network)))
    rows = (ENGLISH_MEN + ENGLISH_WOMEN, ITALIAN_MEN + ITALIAN_WOMEN)
    units = len(codes[PEOPLE[0]])
    figure = _figure(11, 7)
    panels = figure.subplots(ceil(units / 2), 2, sharex=True, sharey=True)
    for unit, axes in zip(range(units), panels.flat):
        for row, people in enumerate(rows):
            base = 1.3 * (1 - row)
            heights = [codes[person][unit] - 0.5 for person in people]
            colors = [POSITIVE if height > 0 else NEGATIVE for height in heights]
            axes.bar(range(12), heights, bottom=base, color=colors, width=0.8)
            axes.axhline(base, color=_INK, linewidth=0.6)
        sizes = {
            name: correlation([codes[person][unit] for person in PEOPLE], labels)
            for name, labels in LABELS.items()
        }
        name = max(sizes, key=lambda one: abs(sizes[one]))
        best = f"{name}, r = {sizes[name]:.2f}" if abs(sizes[name]) >= 0.5 else "no |r| of .5"
        axes.set_title(f"unit {unit + 1}: {best}", fontsize=9)
        axes.set_yticks([1.3, 0], ["English", "Italian"], fontsize=8)
        pairs = [f"{english} / {italian}" for english, italian in zip(*rows)]
        axes.set_xticks(range(12), pairs, rotation=90, fontsize=7)
    return figure


def lesion_chart(lesions: Sequence[Lesion], names: Sequence[str], known: Mapping[str, int]) -> Any:
    """Draw what breaks without each unit, by relation: the share of the cases of that relation.

    ``known`` has how many training cases each relation has.
    """
    relations = [relation for relation in RELATIONS if known.get(relation)]
    shares = []
    for lesion in lesions:
        broken = [pattern.name.rpartition(" ")[2] for pattern in lesion.broken]
        shares.append([broken.count(relation) / known[relation] for relation in relations])
    figure = _figure(8.5, 0.9 + 0.34 * len(lesions))
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for y, row in enumerate(shares):
        for x, share in enumerate(row):
            text = f"{share:.0%}" if share else ""
            color = "white" if share > 0.6 else _INK
            axes.text(x, y, text, ha="center", va="center", fontsize=7, color=color)
    axes.set_xticks(range(len(relations)), relations, rotation=45, ha="right", fontsize=8)
    totals = [f"{name} ({len(one.broken)} cases)" for name, one in zip(names, lesions)]
    axes.set_yticks(range(len(lesions)), totals, fontsize=8)
    figure.colorbar(image, ax=axes, label="share of its cases that break")
    return figure
