"""Compare another commit with the installed package: python benchmarks/compare.py REVISION

The commit is built into a temporary folder. Both run the same cases in processes of their own, in
alternating rounds; a case that one of them cannot run is left empty. A ratio above 1 says that the
installed package is slower. An arrow marks what moved: by a tenth, and in all rounds alike.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

ROUNDS, SECONDS = 5, 0.3
ROOT = Path(__file__).resolve().parent.parent
Run = Callable[[], object]


def rosenbrock(x: Any) -> Any:
    return sum(100.0 * (b - a * a) ** 2 + (1 - a) ** 2 for a, b in pairwise(x))


def chain(x: Any) -> Any:
    y = x[0]
    for _ in range(500):
        y = y * x[1] + x[2]
    return y


def cases() -> dict[str, Callable[[], Run]]:
    """Return what is compared: each prepares a run, which is what is timed."""
    import microgradient as mg
    from microgradient import nn

    point = [0.1 * i for i in range(10)]
    rng = random.Random(0)
    patterns = [([rng.random() for _ in range(8)], [rng.random()]) for _ in range(16)]

    def sweep() -> Run:
        y = mg.Value(0.5)
        for _ in range(5_000):
            y = y * 0.999 + 0.001
        return y.backward

    def expression() -> Run:
        def build() -> None:
            y, a = mg.Value(0.5), mg.Value(0.999)
            for _ in range(5_000):
                y = y * a + a

        return build

    def step() -> Run:
        model = nn.MLP(8, [16, 1], "tanh", rng=0)
        optimizer = nn.GradientDescent(model.parameters(), 0.01)

        def run() -> None:
            loss = mg.fsum([nn.half_squared_error(model(x), t) for x, t in patterns])
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()

        return run

    def train(backend: str, sweeps: int, **settings: Any) -> Callable[[], Run]:
        def prepare() -> Run:
            def run() -> None:
                model = nn.MLP(8, [16, 1], "tanh", rng=0)
                optimizer = nn.Momentum(model.parameters(), 0.01, 0.9)
                given = {"sweeps": sweeps, "backend": backend, "progress": False, **settings}
                nn.train(model, patterns, loss=nn.half_squared_error, optimizer=optimizer, **given)

            return run

        return prepare

    def called(f: Any, *args: Any) -> Callable[[], Run]:
        def prepare() -> Run:
            compiled = mg.compile(f)
            compiled(*args)
            return lambda: compiled(*args)

        return prepare

    def array() -> Any:
        import numpy

        return numpy.array(point * 10)

    return {
        "an expression of 10,000 nodes": expression,
        "its backward pass": sweep,
        "a step through nn": step,
        "value and gradient, 10 variables": lambda: lambda: mg.value_and_grad(rosenbrock)(point),
        "Hessian, 10 variables": lambda: lambda: mg.hessian(rosenbrock)(point),
        "compiling a chain of 1,000 operations": lambda: (
            lambda: mg.compile(mg.value_and_grad(chain))([0.5, 0.999, 0.01])
        ),
        "compiling 100 variables": lambda: (
            lambda: mg.compile(mg.value_and_grad(rosenbrock))(point * 10)
        ),
        "a call with a float": called(lambda x: x * x, 2.0),
        "a call with a list of 100": called(mg.value_and_grad(rosenbrock), point * 10),
        "a call with an array of 100": lambda: called(mg.value_and_grad(rosenbrock), array())(),
        "training on Values, 10 sweeps": train("eager", 10),
        "compiled training, 1 sweep": train("llvm", 1),
        "compiled training, 5,000 sweeps": train("llvm", 5_000),
        "the same by presentation": train("llvm", 5_000, update="presentation"),
    }


def measured() -> dict[str, float | None]:
    """Return the seconds of each case, the best of as many runs as fit into a moment."""
    found: dict[str, float | None] = {}
    for name, prepare in cases().items():
        try:
            run = prepare()
            run()
            times = list[float]()
            end = time.perf_counter() + SECONDS
            while not times or time.perf_counter() < end:
                start = time.perf_counter()
                run()
                times.append(time.perf_counter() - start)
            found[name] = min(times)
        except Exception as fault:
            print(f"{name}: {fault!r}", file=sys.stderr)
            found[name] = None
    return found


def child(path: Path | None) -> dict[str, float | None]:
    """Return what is measured in a process that imports the package from ``path``."""
    environment = {**os.environ, "MICROGRADIENT_CACHE": "off"}
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    command = [sys.executable, __file__, "--measure"]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def build(revision: str, folder: Path) -> Path:
    """Return where the package of a commit has been installed."""
    tree, site = folder / "tree", folder / "site"
    tree.mkdir()
    archive = subprocess.run(
        ["git", "-C", str(ROOT), "archive", revision], check=True, stdout=subprocess.PIPE
    )
    subprocess.run(["tar", "-x", "-C", str(tree)], input=archive.stdout, check=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site)]
    subprocess.run([*pip, str(tree)], check=True)
    return site


def main(revision: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        site = build(revision, Path(folder))
        rounds = [(child(site), child(None)) for _ in range(ROUNDS)]
    print(f"{'milliseconds':<40} {revision[:12]:>12} {'now':>10} {'ratio':>7}")
    for name in rounds[0][1]:
        pairs = [(before.get(name), now[name]) for before, now in rounds]
        known = [(a, b) for a, b in pairs if a is not None and b is not None]
        columns = [
            f"{median(x for x in side if x is not None) * 1e3:.3f}" if any(side) else ""
            for side in zip(*pairs)
        ]
        ratios = [b / a for a, b in known]
        ratio = f"{median(ratios):.2f}" if ratios else ""
        moved = bool(ratios) and (min(ratios) > 1.1 or max(ratios) < 0.9)
        mark = ("  <- slower" if min(ratios) > 1 else "  <- faster") if moved else ""
        print(f"{name:<40} {columns[0]:>12} {columns[1]:>10} {ratio:>7}{mark}")


if __name__ == "__main__":
    if sys.argv[1:] == ["--measure"]:
        print(json.dumps(measured()))
    elif len(sys.argv) == 2:
        main(sys.argv[1])
    else:
        sys.exit(__doc__)
