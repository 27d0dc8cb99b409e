"""``microgradient reproduce``: studies from many seeds, and the report."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from microgradient.cli.output import say
from microgradient.engine.services.processors import processors
from microgradient.nn.training.progress import bar
from microgradient.rumelhart1986 import EXPERIMENTS
from microgradient.rumelhart1986.report.document import write_report
from microgradient.rumelhart1986.report.found import Found
from microgradient.rumelhart1986.reproduction.catalogue import GROUPS, studies_of
from microgradient.rumelhart1986.reproduction.executors import dask_cluster, processes
from microgradient.rumelhart1986.reproduction.outcomes_file import OutcomesFile
from microgradient.rumelhart1986.reproduction.shares import Executors, run_studies
from microgradient.rumelhart1986.study import Study
from microgradient.rumelhart1986.toml_study.study import read_study
from microgradient.streams import Stream

_SILENCE = 30.0  # seconds without a line, after which one says how far the run has come
_SEEDS = 30  # where neither the command nor a study's file says how many


def reproduce(options: argparse.Namespace, out: Stream) -> int:
    """Train what is missing, write the report, and return the exit status."""
    chosen = [_chosen(name, options.seeds) for name in dict.fromkeys(options.names or GROUPS)]
    results = OutcomesFile(options.out)
    stopped = False
    with _executor(options) as (executors, workers):
        try:
            for seeds in sorted({one.seeds for one in chosen}):
                studies = [study for one in chosen if one.seeds == seeds for study in one.studies]
                _run(studies, seeds, results, executors, workers, out)
        except KeyboardInterrupt:
            stopped = True
    for file in write_report(options.out, Found(results, chosen)):
        say(f"Report: {file}", out)
    if stopped:
        say("Interrupted: the same command goes on from what is on disk", out)
    return 130 if stopped else 0


class _Chosen(NamedTuple):
    studies: Sequence[Study]
    seeds: int


def _chosen(name: str, seeds: int | None) -> _Chosen:
    """Return the studies of a group of the catalogue, or of a file, and from how many seeds."""
    if name in GROUPS:
        return _Chosen(GROUPS[name], seeds or _SEEDS)
    path = Path(name)
    if path.suffix != ".toml":
        raise ValueError(
            f"there is nothing called {name!r} to reproduce; there are {', '.join(GROUPS)}, and "
            "studies in files that end in .toml"
        )
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path.name} must be UTF-8 text") from None
    study = read_study(text, path.name, EXPERIMENTS)
    experiment = study.experiment
    if experiment.name in GROUPS:  # xor.toml
        experiment = replace(experiment, name=f"{experiment.name}.toml")
    return _Chosen(studies_of(experiment), seeds or study.seeds or _SEEDS)


@contextmanager
def _executor(options: argparse.Namespace) -> Iterator[tuple[Executors, int]]:
    """Yield what makes executors, and how many shares they run at once."""
    if options.dask is None:
        jobs = options.jobs or processors()
        yield partial(processes, jobs), jobs
        return
    with dask_cluster(options.dask) as (executor, threads):
        yield lambda: nullcontext(executor), options.jobs or threads


def _run(
    studies: Sequence[Study],
    seeds: int,
    results: OutcomesFile,
    executors: Executors,
    workers: int,
    out: Stream,
) -> None:
    total = sum(len(results.missing(study, seeds)) for study in studies)
    told = time.monotonic()
    with bar("reproduce", "network", total, None) as show:
        for progress in run_studies(studies, seeds, results, executors, workers):
            left = _left(progress.seconds_left)
            show(progress.done, left)
            if progress.ended is not None:
                found = results.of(progress.ended, seeds)
                learned = f"{sum(one.learned for one in found):,} of {len(found):,} learned"
                say(f"{progress.ended.name}: {learned}{left and f' ({left})'}", out)
            elif time.monotonic() - told > _SILENCE:
                say(f"{progress.done:,} of {total:,} networks{left and f' ({left})'}", out)
            else:
                continue
            out.flush()
            told = time.monotonic()


def _left(seconds: float | None) -> str:
    if seconds is None or seconds < 1:
        return ""
    return f"about {seconds / 60:.0f} min left" if seconds > 90 else f"about {seconds:.0f} s left"
