"""``microgradient train``: one network, or all four, and what it learned."""

from __future__ import annotations

import argparse
from contextlib import nullcontext
from dataclasses import fields
from pathlib import Path

from microgradient.cli.output import print_table, say
from microgradient.files import check_writable
from microgradient.nn.checkpoint import save as save_checkpoint
from microgradient.rumelhart1986 import (
    EXPERIMENTS,
    FOUR,
    Experiment,
    Recipe,
    Trial,
    picture,
    run,
    trial_tables,
)
from microgradient.streams import Stream
from microgradient.view.training.frame import curve
from microgradient.view.training.live import live

_CURVE = 50  # columns of the error curve, which so fits into a line


def train(options: argparse.Namespace, out: Stream) -> int:
    experiments = FOUR if options.name == "all" else (EXPERIMENTS[options.name],)
    settings = dict(map(_setting, options.settings))
    if options.sweeps is not None:
        settings["sweeps"] = options.sweeps
    if options.variant and len(experiments) > 1:
        raise ValueError("--variant needs one network, not all")
    for path in filter(None, (options.plot, options.save)):
        check_writable(path)
    if options.plot:
        picture.check(options.plot)
        if options.plot == options.save:
            raise ValueError(f"--plot and --save must be two files, got {options.save} for both")
    trials: list[Trial] = []
    for experiment in experiments:
        trial = _run(experiment, options, settings)
        trials.append(trial)
        written = []  # files first: whatever happens to the output, they are there
        if options.save:
            path = _named(options.save, experiment, len(experiments))
            save_checkpoint(trial.network, path)
            written.append(f"Weights: {path}")
        if options.plot:
            path = _named(options.plot, experiment, len(experiments))
            picture.save(trial, path)
            written.append(f"Picture: {path}")
        _show(trial, out)
        if written:
            say("\n".join([*written, ""]), out)
        out.flush()
        if out.fault is not None or trial.history.stopped == "interrupted":
            break
    if len(experiments) > 1:
        print_table(trial_tables.summary(trials), out)
    if trials[-1].history.stopped == "interrupted":
        return 130
    return 0 if all(trial.learned for trial in trials) else 1


def _run(experiment: Experiment, options: argparse.Namespace, settings: dict[str, object]) -> Trial:
    inputs = {p.name: p.inputs for probe in experiment.probes for p in probe.patterns}
    with live(inputs) if options.watch else nullcontext() as show:
        return run(
            experiment,
            options.variant,
            seed=options.seed,
            settings=settings,
            on_sweep=show,
            backend=options.backend,
        )


def _show(trial: Trial, out: Stream) -> None:
    changes = trial_tables.changed_settings(trial.recipe, trial.variant.recipe)
    say(f"== {trial.experiment.title} ==", out)
    say(f"{trial.variant.architecture} ({trial.variant.note or 'as published'})", out)
    if changes:
        say(f"Set for this run: {changes}", out)
    say(trial_tables.outcome(trial), out)
    say(f"Error by sweep, logarithmic: {curve(trial.history.errors, _CURVE)}", out)
    say("", out)
    for table in (
        trial_tables.comparison(trial),
        *trial_tables.weights(trial),
        *trial_tables.codes(trial),
    ):
        print_table(table, out)


def _named(path: Path, experiment: Experiment, count: int) -> Path:
    """Return the file of one of several networks: out.png becomes out-xor.png."""
    return path if count == 1 else path.with_stem(f"{path.stem}-{experiment.name}")


def _setting(text: str) -> tuple[str, object]:
    """Parse KEY=VALUE by the type of the recipe's field."""
    key, equals, value = text.partition("=")
    kinds = {field.name: str(field.type) for field in fields(Recipe) if field.name != "sources"}
    if not equals or key not in kinds:
        raise ValueError(
            f"--set expects KEY=VALUE, where KEY is one of {', '.join(kinds)}, got {text!r}"
        )
    kind = kinds[key]
    if kind == "str":
        return key, value
    try:
        if kind == "bool":
            return key, {"true": True, "false": False}[value.lower()]
        return key, int(value) if kind == "int" else float(value)
    except (ValueError, KeyError):
        expected = {"bool": "true or false", "int": "a whole number"}.get(kind, "a number")
        raise ValueError(f"{key} must be {expected}, got {value!r}") from None
