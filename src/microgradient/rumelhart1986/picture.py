"""A trial as a picture: error curve, Hinton diagrams of the weights, hidden codes."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

from microgradient.files import write_file
from microgradient.rumelhart1986 import trial_tables
from microgradient.rumelhart1986.trial import Trial

FORMATS = ("png", "svg", "pdf")
POSITIVE, NEGATIVE = "#1d4ed8", "#c2410c"  # as in the drawings of graphs: colour-blind safe
_NOT_INSTALLED = "a picture needs matplotlib; install it with: pip install 'microgradient[plot]'"


def check(path: Path) -> None:
    """Raise ValueError or ImportError, before any training, if no picture can be written there."""
    if path.suffix[1:].lower() not in FORMATS:
        raise ValueError(f"a picture's name must end in .{', .'.join(FORMATS)}, got {path.name!r}")
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise ImportError(_NOT_INSTALLED) from None


def save(trial: Trial, path: Path) -> None:
    """Draw ``trial`` and write it to ``path``."""
    content = BytesIO()
    figure_of(trial).savefig(content, format=path.suffix[1:].lower(), dpi=150)
    write_file(path, content.getvalue())


def figure_of(trial: Trial) -> Any:
    """Return a matplotlib figure of ``trial``."""
    from matplotlib.figure import Figure

    probes = trial.experiment.probes
    figure = Figure(figsize=(11, 9), layout="constrained")
    parts: Any = figure.subfigures(3, 1, height_ratios=(1, 1.3, 1.2))
    top, middle, bottom = parts
    figure.suptitle(
        f"{trial.experiment.title}: {trial.variant.architecture} (seed {trial.seed})",
        fontsize=11,
    )
    middle.suptitle(
        "Weights (Hinton diagrams, each with its own scale: blue positive, orange negative)",
        fontsize=9,
    )
    _errors(top.subplots(), trial)
    groups = [*trial.network.layers]
    layers = [trial_tables.weights_to(trial, group) for group in groups]
    ratios = [max(3, len(layer.inputs)) for layer in layers]
    for axes, group, layer in zip(_row(middle, len(layers), ratios), groups, layers):
        hinton(axes, layer.rows, layer.inputs, layer.units)
        axes.set_title(f"to {group}{', each unit' if layer.shared else ''}", fontsize=9)
    for axes, probe in zip(
        _row(bottom, len(probes), [len(p.patterns) for p in probes]), probes, strict=True
    ):
        codes = [trial.network.activities(p.inputs)[probe.group] for p in probe.patterns]
        _codes(axes, codes, [p.name for p in probe.patterns])
        axes.set_title(f"activities of {probe.group} (white 0, black 1)", fontsize=9)
    return figure


def _row(part: Any, count: int, ratios: list[int]) -> list[Any]:
    return list(part.subplots(1, count, squeeze=False, width_ratios=ratios)[0])


def _errors(axes: Any, trial: Trial) -> None:
    history = trial.history
    sweeps = range(1, history.sweeps + 1)
    axes.semilogy(sweeps, history.errors, color="#1e293b", linewidth=1.2)
    axes.set(xlabel="sweep", ylabel="error in a sweep")
    axes.grid(alpha=0.3)
    right = axes.twinx()
    right.plot(sweeps, history.right, color="#64748b", linewidth=0.9, linestyle="--")
    right.set_ylabel(f"patterns right (of {len(trial.training)}), dashed", color="#64748b")
    right.set_ylim(0, len(trial.training) * 1.05)


def hinton(axes: Any, matrix: list[list[float | None]], across: list[str], down: list[str]) -> None:
    """Draw squares with areas proportional to the weights, in the colours of their signs."""
    from matplotlib.patches import Rectangle

    largest = max(abs(w) for row in matrix for w in row if w is not None) or 1.0
    for y, row in enumerate(matrix):
        for x, weight in enumerate(row):
            if weight is None:
                continue
            side = 0.95 * (abs(weight) / largest) ** 0.5
            color = POSITIVE if weight > 0 else NEGATIVE
            axes.add_patch(Rectangle((x - side / 2, y - side / 2), side, side, color=color, lw=0))
    axes.set(xlim=(-0.6, len(matrix[0]) - 0.4), ylim=(len(matrix) - 0.4, -0.6))
    axes.set_facecolor("#f1f5f9")
    axes.set_aspect("equal")
    axes.tick_params(length=0, pad=1)
    size = 5 if max(len(across), len(down)) > 8 else 7
    axes.set_xticks(range(len(across)), across, rotation=90, fontsize=size)
    axes.set_yticks(range(len(down)), down, fontsize=size)


def _codes(axes: Any, codes: list[list[float]], names: list[str]) -> None:
    columns = [list(unit) for unit in zip(*codes)]
    axes.imshow(columns, cmap="gray_r", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    axes.set_xticks([x - 0.5 for x in range(1, len(names))], minor=True)
    axes.set_yticks([y - 0.5 for y in range(1, len(columns))], minor=True)
    axes.grid(which="minor", color="#9ca3af", linewidth=0.6)
    axes.tick_params(which="minor", length=0)
    rotation = 90 if max(map(len, names)) > 3 else 0
    axes.set_xticks(range(len(names)), names, rotation=rotation, fontsize=7)
    axes.set_yticks(range(len(columns)), [f"unit {i + 1}" for i in range(len(columns))], fontsize=7)
