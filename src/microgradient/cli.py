"""The command ``microgradient``: train the networks of 1986 and describe them."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import textwrap
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import fields
from pathlib import Path
from typing import NoReturn

from microgradient import __version__
from microgradient.engine.native import description
from microgradient.engine.services.processors import processors
from microgradient.files import check_writable, write_file
from microgradient.nn.checkpoint import save as save_checkpoint
from microgradient.nn.training.loop import TrainingDiverged
from microgradient.nn.training.plan import BACKENDS
from microgradient.rumelhart1986 import (
    EXPERIMENTS,
    FOUR,
    Experiment,
    Recipe,
    Trial,
    picture,
    report,
    run,
)
from microgradient.rumelhart1986.reproduce import Outcomes, reproduce
from microgradient.rumelhart1986.three_numbers import markdown
from microgradient.streams import Stream, spelled
from microgradient.view.text.tables import Table
from microgradient.view.training.frame import curve
from microgradient.view.training.live import live

_CLOSED = 141  # what a shell reports of a program that ended because nobody reads its output
_CURVE = 50  # columns of the error curve, which so fits into a line


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status.

    0: every network met its criterion; 1: one did not; 2: an argument is wrong, a package is
    missing, training diverged or the output cannot be written; 130: interrupted; 141: the program
    that read the output, such as ``head``, has ended.
    """
    options = _parser().parse_args(arguments)
    out, err = Stream("stdout"), Stream("stderr")
    command = {"train": _train, "reproduce": _reproduce, "describe": _describe}[options.command]
    try:
        status = command(options, out)
        out.flush()
        if out.fault is not None:
            raise out.fault
    except BrokenPipeError:
        _discard(out)
        return _CLOSED
    except (ValueError, OSError, ImportError, TrainingDiverged) as fault:
        print(f"microgradient: {fault}", file=err)
        _discard(out)
        return 2
    except KeyboardInterrupt:
        print("microgradient: interrupted", file=err)
        return 130
    return status


def _discard(out: Stream) -> None:
    """Let what could not be written go, or Python would try again, and complain, at its end."""
    if out.fault is not None:
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())


class _Parser(argparse.ArgumentParser):
    """A parser that says what is wrong in one sentence, without the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"microgradient: {message} (see: {self.prog} --help)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="microgradient", description="Train the networks of 1986 and see what they learned."
    )
    parser.add_argument(
        "--version", action="version", version=f"microgradient {__version__}, {description}"
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    names = (*EXPERIMENTS, "all")
    train = commands.add_parser("train", help="train a network and show what it learned")
    four = f"all: {', '.join(experiment.name for experiment in FOUR)}"
    train.add_argument(
        "name", choices=names, metavar="NAME", help=f"{', '.join(EXPERIMENTS)}; or {four}"
    )
    train.add_argument(
        "--variant", help="one of the network's variants (see: microgradient describe)"
    )
    train.add_argument(
        "--seed", type=int, default=1986, help="seed for the initial weights and the held-out cases"
    )
    train.add_argument("--sweeps", type=int, help="the largest number of passes over the patterns")
    train.add_argument(
        "--set",
        dest="settings",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="change a setting of the recipe, such as rate=0.5; may be repeated",
    )
    train.add_argument(
        "--plot", type=Path, metavar="FILE", help="write a picture (png, svg or pdf)"
    )
    train.add_argument("--save", type=Path, metavar="FILE", help="write the weights (JSON)")
    train.add_argument(
        "--watch",
        action="store_true",
        help="show the error, weights and hidden codes as they change",
    )
    train.add_argument(
        "--backend",
        choices=BACKENDS,
        default="auto",
        help="what runs the training (default auto: compile it where that saves time)",
    )
    reproduce = commands.add_parser(
        "reproduce", help="train many seeds of the experiments, and compare them with the originals"
    )
    reproduce.add_argument(
        "names", choices=EXPERIMENTS, metavar="NAME", nargs="*", help="all, if none is named"
    )
    reproduce.add_argument(
        "--seeds", type=_count, default=30, help="how many initial networks each (default 30)"
    )
    reproduce.add_argument(
        "--jobs", type=_count, help="threads or processes (default: one for each processor)"
    )
    reproduce.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        default=Path("reproduction"),
        help="where outcomes are kept, and the report is written; what is there is not run again",
    )
    describe = commands.add_parser(
        "describe", help="show architectures and recipes with their sources"
    )
    describe.add_argument("name", choices=names, metavar="NAME", nargs="?", default="all")
    return parser


def _train(options: argparse.Namespace, out: Stream) -> int:
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
            _say("\n".join([*written, ""]), out)
        out.flush()
        if out.fault is not None or trial.history.stopped == "interrupted":
            break
    if len(experiments) > 1:
        _print(report.summary(trials), out)
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


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number of at least 1, got {text!r}")
    return int(text)


def _reproduce(options: argparse.Namespace, out: Stream) -> int:
    experiments = [EXPERIMENTS[name] for name in options.names or EXPERIMENTS]
    results, file = Outcomes(options.out), options.out / "report.md"
    stopped = False
    try:
        jobs = options.jobs or processors()
        reproduce(experiments, options.seeds, jobs, results, lambda text: _say(text, out))
    except KeyboardInterrupt:
        stopped = True
    write_file(file, markdown(experiments, results, options.seeds).encode())
    again = "; the same command goes on from there" if stopped else ""
    _say(f"Report: {file}{again}", out)
    return 130 if stopped else 0


def _describe(options: argparse.Namespace, out: Stream) -> int:
    chosen = EXPERIMENTS.values() if options.name == "all" else [EXPERIMENTS[options.name]]
    for experiment in chosen:
        for name, variant in experiment.variants.items():
            _print(report.recipe_table(experiment, name, variant), out)
    return 0


def _show(trial: Trial, out: Stream) -> None:
    changes = report.changed_settings(trial.recipe, trial.variant.recipe)
    _say(f"== {trial.experiment.title} ==", out)
    _say(f"{trial.variant.architecture} ({trial.variant.note or 'as published'})", out)
    if changes:
        _say(f"Set for this run: {changes}", out)
    _say(report.outcome(trial), out)
    _say(f"Error by sweep, logarithmic: {curve(trial.history.errors, _CURVE)}", out)
    _say("", out)
    for table in (report.comparison(trial), *report.weights(trial), *report.codes(trial)):
        _print(table, out)


def _say(text: str, out: Stream) -> None:
    """Print ``text``, each line of it wrapped to the width of the terminal."""
    width = shutil.get_terminal_size().columns
    for line in spelled(text, out.encoding).split("\n"):
        print(textwrap.fill(line, width, break_on_hyphens=False), file=out)


def _print(table: report.TextTable, out: Stream) -> None:
    """Print a table with its columns wrapped to the width of the terminal."""
    columns, *rows = (
        tuple(spelled(text, out.encoding) for text in row) for row in (table.columns, *table.rows)
    )
    numbers = frozenset(
        i for i in range(1, len(columns)) if all(_is_number(row[i]) for row in rows)
    )
    _say(table.title, out)
    shown = Table("", columns, tuple(rows), numbers)
    print(shown.text(shutil.get_terminal_size().columns).removeprefix("\n"), end="\n\n", file=out)


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


def _is_number(text: str) -> bool:
    return text.translate(str.maketrans("", "", "-+.e")).isdigit()


if __name__ == "__main__":
    sys.exit(main())
