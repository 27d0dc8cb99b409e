"""The command ``microgradient``: train the networks of 1986 and describe them."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from microgradient import __version__
from microgradient.cli.describe import describe
from microgradient.cli.train import train
from microgradient.engine.native import description
from microgradient.nn.training.loop import TrainingDiverged
from microgradient.nn.training.plan import BACKENDS
from microgradient.rumelhart1986 import EXPERIMENTS, FOUR
from microgradient.streams import Stream

_CLOSED = 141  # what a shell reports of a program that ended because nobody reads its output


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status.

    0: every network met its criterion; 1: one did not; 2: an argument is wrong, a package is
    missing, training diverged or the output cannot be written; 130: interrupted; 141: the program
    that read the output, such as ``head``, has ended.
    """
    options = _parser().parse_args(arguments)
    out, err = Stream("stdout"), Stream("stderr")
    commands = {
        "train": train,
        "reproduce": _reproduce,
        "gallery": _gallery,
        "describe": describe,
    }
    command = commands[options.command]
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


def _reproduce(options: argparse.Namespace, out: Stream) -> int:
    from microgradient.cli.reproduce import reproduce  # imports all studies, which takes a while

    return reproduce(options, out)


def _gallery(options: argparse.Namespace, out: Stream) -> int:
    from microgradient.cli.gallery import gallery  # imports all studies too

    return gallery(options, out)


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
        "names",
        metavar="NAME",
        nargs="*",
        help="an experiment, claims, deep-networks, family-riddle, or the file of a study, which "
        "ends in .toml; all but files, if none is named",
    )
    reproduce.add_argument(
        "--seeds",
        type=_count,
        help="how many seeds per study (default 30, or what a file says); fewer where a network "
        "takes long",
    )
    reproduce.add_argument(
        "--jobs", type=_count, help="how many train at once (default: one for each processor)"
    )
    reproduce.add_argument(
        "--dask",
        metavar="ADDRESS",
        help="train on the Dask cluster whose scheduler has this address, such as tcp://host:8786",
    )
    reproduce.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        default=Path("reproduction"),
        help="where outcomes are kept, and the report is written; what is there is not run again",
    )
    gallery = commands.add_parser(
        "gallery", help="run what lost to back-propagation and what came of it, and check claims"
    )
    gallery.add_argument(
        "names", metavar="NAME", nargs="*", help="a piece of the gallery; all, if none is named"
    )
    gallery.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        default=Path("gallery"),
        help="where the page and its pictures are written",
    )
    describe = commands.add_parser(
        "describe", help="show architectures and recipes with their sources"
    )
    describe.add_argument("name", choices=names, metavar="NAME", nargs="?", default="all")
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number of at least 1, got {text!r}")
    return int(text)
