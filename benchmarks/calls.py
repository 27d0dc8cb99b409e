"""What a call of a compiled function costs beyond its code: python benchmarks/calls.py

Our kernel is the machine code alone, on an array that is there already. Peers are called as their
users do: with the same NumPy arrays in and out.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable
from itertools import pairwise
from typing import Any

# SciPy's own linear algebra on two busy cores can take ten times as long, whoever calls it. This
# comes before NumPy.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import casadi
import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import minimize

import microgradient as mg
from contest import medians
from microgradient import nn

jax.config.update("jax_enable_x64", True)


def rosenbrock(x: Any) -> Any:
    return mg.fsum([100.0 * (b - a * a) ** 2 + (1 - a) ** 2 for a, b in pairwise(x)])


def roughness(x: Any) -> Any:
    return mg.fsum([(b - a) * (b - a) for a, b in pairwise(x)])


def roughness_by_hand(x: np.ndarray) -> tuple[Any, np.ndarray]:
    d = np.diff(x)
    gradient = np.zeros_like(x)
    gradient[:-1] -= 2 * d
    gradient[1:] += 2 * d
    return d @ d, gradient


def by_hand(x: np.ndarray) -> tuple[float, np.ndarray]:
    """Return value and gradient, as somebody who knows NumPy writes them."""
    d, e = x[1:] - x[:-1] ** 2, 1 - x[:-1]
    gradient = np.zeros_like(x)
    gradient[:-1] = -400 * x[:-1] * d - 2 * e
    gradient[1:] += 200 * d
    return 100 * (d @ d) + e @ e, gradient


def vectorised(x: Any, total: Callable[[Any], Any]) -> Any:
    return total(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def roughness_vectorised(x: Any, total: Callable[[Any], Any]) -> Any:
    return total((x[1:] - x[:-1]) ** 2)


def with_jax(f: Callable[..., Any]) -> Callable[[np.ndarray], Any]:
    return jax.jit(jax.value_and_grad(lambda x: f(x, jnp.sum)))  # type: ignore[no-any-return]


def with_casadi(f: Callable[..., Any], n: int) -> Callable[[np.ndarray], Any]:
    x = casadi.SX.sym("x", n)
    y = f(x, casadi.sum1)
    return casadi.Function("f", [x], [y, casadi.gradient(y, x)])  # type: ignore[no-any-return]


def kernel_of(compiled: Any, x: np.ndarray) -> Callable[[], object]:
    built = next(iter(compiled._programs.values()))
    return built.kernel.again(x)  # type: ignore[no-any-return]


def microseconds(contestants: dict[str, Callable[[], object]], calls: int) -> dict[str, float]:
    return {name: s * 1e6 for name, s in medians(contestants, rounds=9, calls=calls).items()}


def show(title: str, times: dict[str, float]) -> None:
    print(f"\n{title}")
    for name, time in times.items():
        print(f"  {name:<36} {time:10.1f}")


def judge(what: str, seen: float, most: float) -> None:
    print(f"  {what}: {seen:.2f}, at most {most:g}: {'met' if seen <= most else 'MISSED'}")


def arrays(n: int, calls: int) -> dict[str, float]:
    x = np.linspace(-1, 1, n)
    ours = mg.compile(mg.value_and_grad(roughness))
    jitted, other = with_jax(roughness_vectorised), with_casadi(roughness_vectorised, n)
    of_dict = mg.compile(mg.value_and_grad(lambda p: roughness(p["x"])))
    for f in (ours, jitted, roughness_by_hand):
        np.testing.assert_allclose(f(x)[1], np.asarray(other(x)[1]).ravel(), rtol=1e-9, atol=1e-9)
    numbers, doubles = x.tolist(), array("d", x)
    of_dict({"x": numbers})
    times = microseconds(
        {
            "our kernel": kernel_of(ours, x),
            "array": lambda: ours(x),
            "list": lambda: ours(numbers),
            "dict of a list": lambda: of_dict({"x": numbers}),
            "  (a list, made of doubles, alone)": doubles.tolist,
            "JAX, jitted": lambda: jax.block_until_ready(jitted(x)),
            "CasADi": lambda: other(x),
            "NumPy, by hand": lambda: roughness_by_hand(x),
        },
        calls,
    )
    show(f"Value and gradient of a sum of {n:,} squares, microseconds a call", times)
    return times


def batch() -> None:
    """Print the gradient of a network, summed over 104 patterns of 60 numbers."""
    model = nn.MLP(54, [12, 6], "tanh", rng=0)
    names, rng = list(model.state_dict()), np.random.default_rng(0)
    weights = np.array(list(model.state_dict().values()))
    patterns = rng.normal(size=(104, 60))

    def loss(w: Any, pattern: Any) -> Any:
        outputs = nn.functional_call(model, dict(zip(names, w)), (pattern[:54],))
        return nn.half_squared_error(outputs, pattern[54:])

    def error(w: Any, xs: Any) -> Any:
        first, second = w[: 12 * 55].reshape(12, 55), w[12 * 55 :].reshape(6, 13)
        h = jnp.tanh(xs[:, :54] @ first[:, :-1].T + first[:, -1])
        return 0.5 * jnp.sum((h @ second[:, :-1].T + second[:, -1] - xs[:, 54:]) ** 2)

    ours = mg.compile(mg.value_and_grad(loss), batch=1, reduce="sum")
    jitted = jax.jit(jax.value_and_grad(error))
    np.testing.assert_allclose(ours(weights, patterns)[1], jitted(weights, patterns)[1], rtol=1e-9)
    kernel: Any = next(iter(ours._programs.values())).kernel
    times = microseconds(
        {
            "our kernel": kernel.again(weights, patterns),
            "arrays": lambda: ours(weights, patterns),
            "JAX, jitted": lambda: jax.block_until_ready(jitted(weights, patterns)),
        },
        200,
    )
    show("A batch of 104 x 60, gradient of a network, microseconds a call", times)
    judge("over our kernel", times["arrays"] / times["our kernel"], 2)
    judge("over JAX", times["arrays"] / times["JAX, jitted"], 1 / 5)


def optimisation(n: int) -> None:
    start = np.tile([-1.2, 1.0], n // 2)
    ours = mg.compile(mg.value_and_grad(rosenbrock))
    jitted, other = with_jax(vectorised), with_casadi(vectorised, n)

    def by_jax(x: np.ndarray) -> Any:
        value, gradient = jitted(x)
        return float(value), np.asarray(gradient)

    def by_casadi(x: np.ndarray) -> Any:
        value, gradient = other(x)
        return float(value), gradient.full().ravel()

    def run(f: Callable[..., Any]) -> Callable[[], object]:
        options = {"maxiter": 10_000, "maxfun": 100_000}
        return lambda: minimize(f, start, jac=True, method="L-BFGS-B", options=options)

    contestants = {
        "microgradient": run(ours),
        "JAX, jitted": run(by_jax),
        "CasADi": run(by_casadi),
        "NumPy, by hand": run(by_hand),
    }
    times = {k: s * 1e3 for k, s in medians(contestants, rounds=3).items()}
    show(f"SciPy's L-BFGS on Rosenbrock in {n:,} variables, milliseconds", times)
    best = min(time for name, time in times.items() if name != "microgradient")
    judge("over the fastest peer", times["microgradient"] / best, 1)


def sparse(n: int) -> None:
    """Print the sparse Hessian of Rosenbrock's function: to its first value, and a call."""
    x = np.tile([-1.2, 1.0], n // 2)

    def by_casadi() -> Any:
        v = casadi.SX.sym("v", n)
        second, _ = casadi.hessian(vectorised(v, casadi.sum1), v)
        return casadi.Function("h", [v], [second])

    def by_microgradient() -> Any:
        return mg.compile(mg.hessian(rosenbrock, sparse=True))

    ours, other = by_microgradient(), by_casadi()
    np.testing.assert_allclose(ours(x).toarray(), other(x).sparse().toarray(), rtol=1e-9)
    first = {"microgradient": lambda: by_microgradient()(x), "CasADi": lambda: by_casadi()(x)}
    times = {k: s * 1e3 for k, s in medians(first, rounds=3).items()}
    show(f"Sparse Hessian in {n:,} variables, to its first value, milliseconds", times)
    calls = {
        "our kernel": kernel_of(ours, x),
        "microgradient": lambda: ours(x),
        "CasADi, its own matrix": lambda: other(x),
        "CasADi, SciPy's matrix": lambda: other(x).sparse(),
    }
    times = microseconds(calls, 200)
    show("The same, microseconds a call", times)
    judge("over CasADi's own", times["microgradient"] / times["CasADi, its own matrix"], 3)


def main() -> None:
    square = mg.compile(lambda x: x * x)
    square(2.0)
    times = microseconds({"a float": lambda: square(2.0)}, 5_000)
    show("A float, microseconds a call", times)
    judge("microseconds", times["a float"], 3)
    hundred = arrays(100, 1_000)
    judge("microseconds beyond our kernel", hundred["array"] - hundred["our kernel"], 5)
    judge("a list over an array", hundred["list"] / hundred["array"], 3)
    judge("a dict over an array", hundred["dict of a list"] / hundred["array"], 3)
    many = arrays(10_000, 50)
    judge("an array over our kernel", many["array"] / many["our kernel"], 1.5)
    judge("a list over an array", many["list"] / many["array"], 3)
    judge("a dict over an array", many["dict of a list"] / many["array"], 3)
    batch()
    for n in (100, 400):
        sparse(n)
    for n in (100, 1_000):
        optimisation(n)


if __name__ == "__main__":
    main()
