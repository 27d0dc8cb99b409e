"""The command ``microgradient``: train the networks of 1986, and say what they are made of."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from microgradient import __version__
from microgradient.files import check_writable
from microgradient.nn.checkpoint import save as save_checkpoint
from microgradient.nn.training.loop import TrainingDiverged
from microgradient.nn.training.plan import BACKENDS
from microgradient.rumelhart1986 import (
    EXPERIMENTS,
    Experiment,
    Recipe,
    Result,
    picture,
    report,
    run,
)
from microgradient.view.training.live import live

if TYPE_CHECKING:
    from rich.console import Console


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status.

    0: every network met its criterion; 1: one did not; 2: the arguments are wrong or a package is
    missing; 130: interrupted.
    """
    options = _parser().parse_args(arguments)
    try:
        console = _console()
        command = _train if options.command == "train" else _describe
        return command(options, console)
    except (ValueError, OSError, ImportError, TrainingDiverged) as fault:
        print(f"microgradient: {fault}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("microgradient: interrupted", file=sys.stderr)
        return 130


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence, without the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"microgradient: {message} (see: {self.prog} --help)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="microgradient", description="The networks of 1986: train them, see how.")
    parser.add_argument("--version", action="version", version=f"microgradient {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    names = (*EXPERIMENTS, "all")
    train = commands.add_parser("train", help="train a network and show what it learned")
    train.add_argument("name", choices=names, metavar="NAME", help=", ".join(names))
    train.add_argument(
        "--variant", help="one of the network's variants (see: microgradient describe)"
    )
    train.add_argument(
        "--seed", type=int, default=1986, help="of initial weights and held-out cases"
    )
    train.add_argument("--sweeps", type=int, help="at most so many passes over the patterns")
    train.add_argument(
        "--set",
        dest="settings",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="another setting of the recipe, such as rate=0.5; may be repeated",
    )
    train.add_argument(
        "--plot", type=Path, metavar="FILE", help="write a picture (png, svg or pdf)"
    )
    train.add_argument("--save", type=Path, metavar="FILE", help="write the weights (JSON)")
    train.add_argument(
        "--watch", action="store_true", help="show error, weights and hidden codes as they change"
    )
    train.add_argument(
        "--backend",
        choices=BACKENDS,
        default="auto",
        help="what runs the training (default: compiled where that pays)",
    )
    describe = commands.add_parser(
        "describe", help="show architectures and recipes with their sources"
    )
    describe.add_argument("name", choices=names, metavar="NAME", nargs="?", default="all")
    return parser


def _train(options: argparse.Namespace, console: Console) -> int:
    experiments = _chosen(options.name)
    settings = dict(map(_setting, options.settings))
    if options.sweeps is not None:
        settings["sweeps"] = options.sweeps
    if options.variant and len(experiments) > 1:
        raise ValueError("--variant goes with one network, not with all")
    for path in filter(None, (options.plot, options.save)):
        check_writable(path)
    if options.plot:
        picture.check(options.plot)
        if options.plot == options.save:
            raise ValueError(f"--plot and --save must be two files, got {options.save} for both")
    status = 0
    for experiment in experiments:
        result = _run(experiment, options, settings)
        written = []  # before anything is printed: the terminal may be gone
        if options.save:
            path = _named(options.save, experiment, len(experiments))
            save_checkpoint(result.network, path)
            written.append(f"Weights: {path}")
        if options.plot:
            path = _named(options.plot, experiment, len(experiments))
            picture.save(result, path)
            written.append(f"Picture: {path}")
        _show(result, console)
        for line in written:
            console.print(line)
        if result.history.stopped == "interrupted":
            return 130
        status = max(status, 0 if result.learned else 1)
    return status


def _run(
    experiment: Experiment, options: argparse.Namespace, settings: dict[str, object]
) -> Result:
    if not options.watch:
        return run(
            experiment,
            options.variant,
            seed=options.seed,
            settings=settings,
            backend=options.backend,
        )
    inputs = {p.name: p.inputs for probe in experiment.probes for p in probe.patterns}
    with live(inputs) as show:
        return run(
            experiment,
            options.variant,
            seed=options.seed,
            settings=settings,
            on_sweep=show,
            backend=options.backend,
        )


def _describe(options: argparse.Namespace, console: Console) -> int:
    for experiment in _chosen(options.name):
        for name, variant in experiment.variants.items():
            _print(report.recipe_table(experiment, name, variant), console)
    return 0


def _show(result: Result, console: Console) -> None:
    console.rule(result.experiment.title)
    changes = report.changed(result.recipe, result.variant.recipe)
    console.print(f"{result.variant.architecture} ({result.variant.note or 'as published'})")
    if changes:
        console.print(f"Set for this run: {changes}")
    console.print(report.outcome(result), style="bold green" if result.learned else "bold red")
    console.print(f"Error by sweep: {report.error_line(result.history.errors)}")
    for table in (report.figures(result), *report.weights(result), *report.codes(result)):
        _print(table, console)


def _print(table: report.Table, console: Console) -> None:
    from rich import box
    from rich.table import Table

    shown = Table(
        title=table.title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    for i, name in enumerate(table.columns):
        number = i > 0 and all(_is_number(row[i]) for row in table.rows)
        shown.add_column(name, justify="right" if number else "left")
    for row in table.rows:
        shown.add_row(*row)
    console.print(shown)


def _console() -> Console:
    try:
        from rich.console import Console
    except ImportError:
        raise ImportError(
            "the command needs rich; install it with: pip install 'microgradient[cli]'"
        ) from None
    return Console(highlight=False, markup=False)


def _chosen(name: str) -> list[Experiment]:
    return list(EXPERIMENTS.values()) if name == "all" else [EXPERIMENTS[name]]


def _named(path: Path, experiment: Experiment, count: int) -> Path:
    """Give each of several networks a file of its own: out.png becomes out-xor.png."""
    return path if count == 1 else path.with_stem(f"{path.stem}-{experiment.name}")


def _setting(text: str) -> tuple[str, object]:
    """Parse ``key=value`` by the type of the recipe's field."""
    key, equals, value = text.partition("=")
    kinds = {field.name: str(field.type) for field in fields(Recipe) if field.name != "sources"}
    if not equals or key not in kinds:
        raise ValueError(
            f"--set expects KEY=VALUE with a key out of {', '.join(kinds)}; got {text!r}"
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
