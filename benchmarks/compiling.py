"""From a function to its first compiled value and gradient, beside CasADi: benchmarks/compiling.py

CasADi's SX builds the same expression, differentiates it and calls the function. Both begin from
the Python function each time, in alternating rounds. Sizes count the operations of the function.
"""

from __future__ import annotations

import math
import random
import sys
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from statistics import median
from typing import Any, NamedTuple

import casadi

import microgradient as mg
from microgradient import nn
from microgradient.compiler.llvm.function import lowered
from microgradient.nn.training.objective import Objective
from microgradient.nn.training.programs import training_programs

TARGET = 2.0  # times CasADi's time
SIZES = (1_000, 3_000, 10_000, 30_000)


class Case(NamedTuple):
    """A function of a vector, written once for both libraries, and where to take it."""

    function: Callable[[Any, Any], Any]  # of the library's functions and the vector
    point: list[float]


class _Ours:
    sin, tanh, where = mg.sin, mg.tanh, staticmethod(mg.where)


class _Casadi:
    sin, tanh, where = casadi.sin, casadi.tanh, casadi.if_else


def chain(n: int) -> Case:
    def f(m: Any, x: Any) -> Any:
        y = x[0]
        for _ in range(n // 2):
            y = y * x[1] + x[2]
        return y

    return Case(f, [0.5, 0.999, 0.01])


def squared(n: int) -> Case:
    def f(m: Any, x: Any) -> Any:
        y = x[0]
        for _ in range(n):
            y = y * y
        return y

    return Case(f, [0.999999])


def long_sum(n: int) -> Case:
    def f(m: Any, x: Any) -> Any:
        total = 0.0
        for a, b in pairwise(x):
            total = total + (a - b) * (a - b)
        return total

    return Case(f, [0.01 * (i % 17) for i in range(n // 3)])


def random_graph(n: int) -> Case:
    rng = random.Random(0)
    plan = [(rng.randrange(4), rng.random(), rng.random()) for _ in range(n)]

    def f(m: Any, x: Any) -> Any:
        v, used = list(x), set[int]()
        for kind, a, b in plan:
            i, j = int(a * len(v)), int(b * len(v))
            used |= {i, j}
            p, q = v[i], v[j]
            v.append((p * q, p + q, m.sin(p), p - q)[kind] if kind != 2 else m.sin(p))
        total = v[-1]
        for i, y in enumerate(v[:-1]):
            if i not in used:
                total = total + 0.1 * m.sin(y)
        return total

    return Case(f, [0.1 * i for i in range(10)])


def recurrent(n: int) -> Case:
    size = 8
    steps = n // (2 * size * (size + 1))
    rng = random.Random(0)
    weights = [rng.gauss(0, 0.3) for _ in range(size * size)] + [0.1] * size

    def f(m: Any, w: Any) -> Any:
        h: list[Any] = [0.1] * size
        for _ in range(steps):
            h = [
                m.tanh(sum((w[i * size + j] * h[j] for j in range(size)), w[size * size + i]))
                for i in range(size)
            ]
        return sum(a * a for a in h)

    return Case(f, weights)


def where_tree(n: int) -> Case:
    rng = random.Random(0)
    depth = int(math.log2(n / 4))
    factors = [rng.random() for _ in range(4 * 2**depth)]

    def f(m: Any, x: Any) -> Any:
        def tree(depth: int, i: int) -> Any:
            if depth == 0:
                return x[i % 8] * factors[i]
            a, b = tree(depth - 1, 2 * i), tree(depth - 1, 2 * i + 1)
            return m.where(a > b, a * x[depth % 8], b + factors[i])

        return tree(depth, 1)

    return Case(f, [0.1 * i + 0.05 for i in range(8)])


def rosenbrock(n: int) -> Case:
    def f(m: Any, x: Any) -> Any:
        return sum(100.0 * (b - a**2) ** 2 + (1 - a) ** 2 for a, b in pairwise(x))

    return Case(f, [0.01 * (i % 17) for i in range(n // 7)])


SHAPES = (chain, long_sum, rosenbrock, random_graph, recurrent, where_tree, squared)


def by_microgradient(case: Case) -> list[float]:
    compiled = mg.compile(mg.value_and_grad(lambda x: case.function(_Ours, x)))
    value, gradient = compiled(case.point)
    return [value, *gradient]


def by_casadi(case: Case) -> list[float]:
    x = casadi.SX.sym("x", len(case.point))
    y = case.function(_Casadi, [x[i] for i in range(len(case.point))])
    function = casadi.Function("f", [x], [y, casadi.gradient(y, x)])
    value, gradient = function(case.point)
    return [float(value), *gradient.full().ravel().tolist()]


def seconds(run: Callable[[Case], list[float]], case: Case) -> tuple[float, list[float]]:
    start = time.perf_counter()
    result = run(case)
    return time.perf_counter() - start, result


def agree(xs: Sequence[float], ys: Sequence[float]) -> bool:
    return all(math.isclose(x, y, rel_tol=1e-6, abs_tol=1e-9) for x, y in zip(xs, ys, strict=True))


def judge(what: str, seen: float, most: float) -> None:
    met = "met" if seen <= most else "MISSED"
    print(f"  {what:<66} {seen:6.2f}   at most {most:g}: {met}")


def others() -> None:
    """Print what single large programs take, in seconds, and whether a recurrence's code grows."""
    print("\nTo the first result, seconds")
    x = [0.01 * (i % 17) for i in range(400)]
    f = rosenbrock(2_800).function
    start = time.perf_counter()
    mg.compile(mg.hessian(lambda x: f(_Ours, x)))(x)
    judge("Hessian of Rosenbrock's function in 400 variables", time.perf_counter() - start, 1)
    model = nn.MLP(784, [128, 10], "tanh", rng=0)
    patterns = [([0.01 * (i % 7) for i in range(784)], [0.0] * 10)] * 8
    optimizer = nn.Momentum(model.parameters(), 0.01)
    start = time.perf_counter()
    given: dict[str, Any] = {"sweeps": 1, "backend": "llvm", "progress": False}
    nn.train(model, patterns, loss=nn.half_squared_error, optimizer=optimizer, **given)
    judge("one sweep of a net with 101,770 weights", time.perf_counter() - start, 4)
    sizes = [_code_of(steps) for steps in (50, 200)]
    judge("code of a recurrent net's training, 200 steps over 50", sizes[1] / sizes[0], 1.02)


def _code_of(steps: int) -> int:
    """Return how many characters of code the training of a plain recurrent net has."""
    cell, out = nn.Layer(10, 8, "tanh", rng=0), nn.Layer(8, 2, "sigmoid", rng=0)

    def model(xs: Any) -> Any:
        h: list[Any] = [0.0] * 8
        for t in range(0, len(xs), 2):
            h = cell([*h, *xs[t : t + 2]])
        return out(h)

    optimizer = nn.GradientDescent([*cell.parameters(), *out.parameters()], 0.1)
    patterns = [([0.1] * (2 * steps), [0.0, 1.0])]
    objective = Objective(model, nn.half_squared_error, None)
    gradient = training_programs(objective, optimizer, patterns).gradient
    return sum(len(one.text) for one in lowered(gradient, 4, often=True).functions)


def main(sizes: Sequence[int] = SIZES) -> None:
    """Print both times and their ratio for each shape and size."""
    by_microgradient(chain(500))  # imports, and the interpreter, which is compiled once
    by_casadi(chain(500))
    print("\nFrom a function to its first compiled value and gradient, ms")
    print(f"  {'':<14}" + "".join(f"{n:>28,}" for n in sizes))
    worst = 0.0
    for shape in SHAPES:
        cells = []
        for n in sizes:
            case, ours, theirs = shape(n), list[float](), list[float]()
            for _ in range(3 if n <= 10_000 else 1):
                time_, got = seconds(by_microgradient, case)
                ours.append(time_)
                time_, want = seconds(by_casadi, case)
                theirs.append(time_)
                if not agree(got, want):
                    raise AssertionError(f"{shape.__name__} differs at {n}")
            ratio = median(ours) / median(theirs)
            worst = max(worst, ratio)
            cells.append(
                f"{median(ours) * 1e3:8.0f} CasADi {median(theirs) * 1e3:6.0f}{ratio:6.2f}"
            )
        print(f"  {shape.__name__:<14}" + "".join(cells))
    met = "met" if worst <= TARGET else "MISSED"
    print(f"  at most {TARGET:g} times CasADi's time: {worst:.2f} at worst: {met}")
    others()


if __name__ == "__main__":
    main([int(n) for n in sys.argv[1:]] or SIZES)
