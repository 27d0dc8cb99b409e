"""Print how far the derivatives can be trusted: python tests/trust.py

Operations and their worst ulps, gradients checked against 50 digits, planted errors caught, false
alarms of check_gradient, and the table of faults with the tests that show each is survived.

    --gradients 1000000 --alarms 60000     for a run of an hour
    --random                               other expressions than in the last run
    --save failures.json                   where failing expressions are written (this file)
    --seed N                               look at one expression again
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import SystemRandom

from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

import campaign
from faults import FAULTS
from microgradient import OPS
from microgradient.check import gradient_report
from microgradient.check.operations.operation_check import operation_report
from plants import plants

ROOT = Path(__file__).parent.parent


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    if not options.save.absolute().parent.is_dir():
        raise SystemExit(f"there is no folder {options.save.parent} to save failures in")
    if options.seed is not None:
        return _one(options.seed, console)
    first = SystemRandom().randrange(2**40) if options.random else 0
    ok = _operations(console)
    ok &= _gradients(console, options, first)
    ok &= _planted(console)
    ok &= _alarms(console, options, first)
    if not options.no_faults:
        ok &= _faults(console, options.workers)
    console.print(
        "[bold green]all as promised" if ok else "[bold red]something is wrong: see above"
    )
    return 0 if ok else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--gradients", type=number, default=10_000, help="how many to check")
    parser.add_argument("--alarms", type=number, default=1_000, help="how many to judge")
    parser.add_argument("--random", action="store_true", help="new expressions, not the usual ones")
    parser.add_argument("--save", type=Path, default=Path("failures.json"), metavar="FILE")
    parser.add_argument("--seed", type=int, help="check one expression again and tell all")
    parser.add_argument("--workers", type=number, default=os.cpu_count() or 1)
    parser.add_argument("--no-faults", action="store_true", help="leave the table of faults out")
    return parser


def number(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1, got {text}")
    return number


def _operations(console: Console) -> bool:
    table = Table(
        *("operation", "proof by sympy", "worst ulps: value", "derivatives", "condition off"),
        box=box.SIMPLE_HEAD,
    )
    reports = [operation_report(op) for op in OPS.values()]
    for report in reports:
        value, *derivatives = report.accuracy
        table.add_row(
            report.name,
            report.proof,
            f"{value.worst:.2f}",
            f"{max(a.worst for a in derivatives):.2f}",
            f"{max(a.conditioned_p99 for a in report.accuracy):.2f}",
            style="red" if report.faults else "",
        )
    console.print(table)
    for report in reports:
        for fault in report.faults:
            console.print(f"[red]{fault}")
    proved = sum(report.proof.startswith("proved") for report in reports)
    conditioned = max(a.conditioned_p99 for report in reports for a in report.accuracy)
    console.print(
        f"Operations: {len(reports)}, proved: {proved}. With the condition of the point taken off "
        f"('condition off'), 99 % of the points are within {conditioned:.2f} ulps."
    )
    return all(report.ok for report in reports)


def _gradients(console: Console, options: argparse.Namespace, first: int) -> bool:
    counts, seconds = _campaign(
        console, "gradients", campaign.check_seed, options.gradients, options.workers, first
    )
    console.print(
        f"Gradients checked against 50 digits: {counts.gradients:,} ({counts.derivatives:,} first, "
        f"{counts.second:,} second derivatives), wrong: {len(counts.failures)}; "
        f"{counts.at_kinks:,} more lay on a kink. {seconds:.0f} s."
    )
    return _told(console, counts, options.save, "gradients")


def _alarms(console: Console, options: argparse.Namespace, first: int) -> bool:
    counts, seconds = _campaign(
        console, "alarms", campaign.check_differences, options.alarms, options.workers, first
    )
    console.print(
        f"Right derivatives judged by check_gradient: {counts.derivatives:,}, false alarms: "
        f"{len(counts.failures)}. {seconds:.0f} s."
    )
    return _told(console, counts, options.save, "alarms")


def _campaign(
    console: Console, title: str, check: object, count: int, workers: int, first: int
) -> tuple[campaign.Counts, float]:
    start, counts = time.time(), campaign.Counts()
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task(title, total=count)
        for part in campaign.run(check, range(first, first + count), workers):
            counts += part
            progress.update(task, completed=counts.gradients + counts.at_kinks)
    return counts, time.time() - start


def _told(console: Console, counts: campaign.Counts, path: Path, title: str) -> bool:
    for failure in counts.failures[:5]:
        told = f"seed {failure.seed}: {failure.expression}\n{failure.what}"
        console.print(told, style="red", markup=False)
    if counts.failures:
        path = path.with_stem(f"{path.stem}-{title}")
        campaign.save(counts.failures, path)
        console.print(f"[red]All of them are in {path}; look at one again with --seed N")
    return not counts.failures


def _one(seed: int, console: Console) -> int:
    e = campaign.expression(seed)
    console.print(repr(e), markup=False)
    console.print(str(gradient_report(e.f, *e.inputs)), markup=False)
    counts = campaign.check_seed(seed) + campaign.check_differences(seed)
    for failure in counts.failures:
        console.print(failure.what, markup=False)
    console.print("right" if not counts.failures else "wrong")
    return 1 if counts.failures else 0


def _planted(console: Console) -> bool:
    all_of_them = plants()
    missed = [plant.name for plant in all_of_them if not plant.caught()]
    console.print(
        f"Planted errors caught: {len(all_of_them) - len(missed)} of {len(all_of_them)} "
        "(1e-9 and the sign in every row, the sweeps changed in ten places)."
    )
    for name in missed:
        console.print(f"[red]not noticed: {name}")
    return not missed


def _faults(console: Console, workers: int) -> bool:
    with console.status("faults"), ThreadPoolExecutor(workers) as pool:
        told = list(pool.map(_run_tests, [tests for _, _, tests in FAULTS]))
    table = Table("fault", "promise", "shown by", "", box=box.SIMPLE_HEAD)
    for (fault, promise, tests), failure in zip(FAULTS, told):
        names = ", ".join(test.split("::")[-1] for test in tests.split())
        table.add_row(fault, promise, names, "[bold red]FAILED" if failure else "[green]ok")
    console.print(table)
    for failure in filter(None, told):
        console.print(failure, markup=False)
    return not any(told)


def _run_tests(tests: str) -> str:
    """Run some tests in a process of their own; return what they say if they fail."""
    paths = [str(ROOT / "tests" / test) for test in tests.split()]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *paths]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return (run.stdout + run.stderr)[-1500:] if run.returncode else ""


if __name__ == "__main__":
    sys.exit(main())
