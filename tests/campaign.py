"""Gradients of random expressions against 50 digits, by the ten thousand.

Each seed makes one expression (tests/trust.py and test_campaign.py run them). Its gradient by
``grad``, by ``backward`` and by forward mode must agree with the exact one to within the bound for
this case, and every local derivative with that of its operation.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from math import isfinite, ulp
from pathlib import Path
from random import Random

from microgradient import grad
from microgradient.check import gradient_report
from microgradient.check.expressions import Expression, RandomChoices, choose_expression
from microgradient.check.gradients.bounds import gradient_error_bounds
from microgradient.check.gradients.exact_gradients import branches_differ, exact_gradient
from microgradient.check.gradients.fault_finding import local_faults
from microgradient.check.gradients.recording import Recording
from microgradient.check.numbers.taylor import AtKink
from microgradient.engine import transforms
from microgradient.engine.sweeps import tangents

SECOND_ORDER_EVERY = 20


@dataclass(frozen=True)
class Failure:
    seed: int
    expression: str
    what: str


@dataclass(frozen=True)
class Counts:
    """How much was checked: expressions, first and second derivatives; how many lay on kinks."""

    gradients: int = 0
    derivatives: int = 0
    second: int = 0
    at_kinks: int = 0
    failures: tuple[Failure, ...] = ()

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.gradients + other.gradients,
            self.derivatives + other.derivatives,
            self.second + other.second,
            self.at_kinks + other.at_kinks,
            self.failures + other.failures,
        )


def expression(seed: int) -> Expression:
    return choose_expression(RandomChoices(Random(seed)))


def check_seed(seed: int) -> Counts:
    """Check the gradient of one expression, and for some seeds the second derivatives too."""
    e = expression(seed)
    try:
        wrong, derivatives = gradient_faults(e)
        second = 0
        if not wrong and seed % SECOND_ORDER_EVERY == 0:
            wrong, second = second_order_faults(e)
    except AtKink:
        return Counts(at_kinks=1)
    failures = (Failure(seed, repr(e), wrong),) if wrong else ()
    return Counts(1, derivatives, second, 0, failures)


def gradient_faults(e: Expression) -> tuple[str, int]:
    """Return what is wrong with the gradient of ``e``, or "", and how many derivatives it has."""
    recording = Recording(e.f, e.inputs)
    (y,) = recording.outputs
    if fault := next(local_faults(recording), None):
        return str(fault), 0
    n = len(e.inputs)
    reverse = grad(lambda *xs: e.f(*xs), tuple(range(n)))(*e.inputs)
    exact = exact_gradient(recording, y)
    bounds = gradient_error_bounds(recording.order, y, recording.inputs)
    y.backward()
    for i, x in enumerate(recording.inputs):
        wanted = float(exact.get(x, 0.0))
        forward = tangents(recording.order, {x: 1.0}, recording.active, as_graph=False).get(y, 0.0)
        for mode, got in (("grad", reverse[i]), ("backward", x.grad), ("forward", forward)):
            if not near(got, wanted, bounds[i] * (2 if mode == "forward" else 1)):
                if branches_differ(Recording(e.f, e.inputs)):
                    raise AtKink
                return f"{mode} by x{i}: got {got!r}, expected {wanted!r} within {bounds[i]:.1g}", n
    y.backward()
    for i, x in enumerate(recording.inputs):
        if not near(x.grad / 2, float(exact.get(x, 0.0)), bounds[i]):
            return f"backward twice, by x{i}: got {x.grad!r}, expected twice the gradient", n
    return "", n


def second_order_faults(e: Expression) -> tuple[str, int]:
    """Return what is wrong with the second derivatives, or "", and how many there are."""
    n = len(e.inputs)
    gradient = grad(lambda *xs: e.f(*xs), tuple(range(n)))
    recording = Recording(gradient, e.inputs)
    rows = transforms.jacobian(gradient, tuple(range(n)))(*e.inputs)
    for i, y in enumerate(recording.outputs):
        exact = exact_gradient(recording, y)
        bounds = gradient_error_bounds(recording.order, y, recording.inputs)
        for j, x in enumerate(recording.inputs):
            wanted = float(exact.get(x, 0.0))
            if not near(rows[i][j], wanted, bounds[j]):
                if branches_differ(recording):
                    raise AtKink
                return (
                    f"d2/dx{i}dx{j}: got {rows[i][j]!r}, expected {wanted!r} "
                    f"within {bounds[j]:.1g}",
                    n,
                )
    return "", n * n


def near(got: float, wanted: float, bound: float) -> bool:
    if got == wanted:
        return True
    if not (isfinite(got) and isfinite(wanted)):
        return False
    return abs(got - wanted) <= bound + 2 * max(ulp(got), ulp(wanted))


def check_differences(seed: int) -> Counts:
    """Let check_gradient judge a correct gradient, differences included: a false alarm fails."""
    e = expression(seed)
    report = gradient_report(e.f, *e.inputs)
    told = report.fault or (report.wrong and str(report)) or ""
    failures = (Failure(seed, repr(e), told),) if told else ()
    return Counts(1, len(report.components), 0, 0, failures)


def run(check: object, seeds: Sequence[int], workers: int, chunk: int = 250) -> Iterator[Counts]:
    """Yield counts as chunks of ``seeds`` are done, by ``check_seed`` or ``check_differences``."""
    pieces = [(check, seeds[i : i + chunk]) for i in range(0, len(seeds), chunk)]
    if workers == 1:
        yield from map(_run_piece, pieces)
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(_run_piece, pieces)


def _run_piece(piece: tuple[object, Sequence[int]]) -> Counts:
    check, seeds = piece
    return sum(map(check, seeds), Counts())  # type: ignore[call-overload, no-any-return]


def save(failures: Sequence[Failure], path: Path) -> None:
    path.write_text(json.dumps([asdict(f) for f in failures], indent=1), encoding="utf-8")
