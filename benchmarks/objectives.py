"""Four scalar objectives, and what their gradients cost in CasADi, JAX and autograd.

Each objective is a function of a namespace ``m`` (the module microgradient, or any with the same
``dot``, ``fsum``, ``sigmoid``, ``tanh``, ``exp``, ``log``, ``minimum`` and ``maximum``) and returns
``(f, x0)``: ``f`` takes one flat list of numbers and returns one number.

:func:`lstm` has no peers: they would need minutes to build it.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

from microgradient.rumelhart1986.experiments.family_trees import PATTERNS

Function = Callable[[Sequence[Any]], Any]
Objective = tuple[Function, list[float]]
Pair = tuple[Callable[[], Any], Callable[[], Any]]  # the value and the gradient at x0

XOR_CASES = ((0.0, 0.0, 0.1), (0.0, 1.0, 0.9), (1.0, 0.0, 0.9), (1.0, 1.0, 0.1))
SIZES = ((24, 6), (12, 6), (12, 12), (12, 6), (6, 24))
LOW, HIGH = 0.2, 0.8
BITS, UNITS, STEPS = 14, 64, 15
VARIABLES = 100


def _uniform(n: int) -> list[float]:
    rng = random.Random(0)
    return [rng.uniform(-1.0, 1.0) for _ in range(n)]


def xor(m: Any) -> Objective:
    """Half the squared errors of a 2-2-1 network, in the package's order of 9 weights."""

    def f(w: Sequence[Any]) -> Any:
        errors = []
        for a, b, target in XOR_CASES:
            h = m.sigmoid(m.dot(w[0:2], [a, b], w[2]))
            k = m.sigmoid(m.dot(w[3:5], [a, b], w[5]))
            error = m.sigmoid(m.dot(w[6:8], [h, k], w[8])) - target
            errors.append(error * error)
        return 0.5 * m.fsum(errors)

    return f, _uniform(9)


def family_trees(m: Any) -> Objective:
    """The margin error of the family trees' network, 630 weights, summed over 104 cases."""

    def layer(weights: Iterator[Any], read: Sequence[Any], size: int) -> list[Any]:
        return [
            m.sigmoid(m.dot([next(weights) for _ in read], read, next(weights)))
            for _ in range(size)
        ]

    def error(w: Sequence[Any], inputs: Sequence[float], targets: Sequence[float]) -> Any:
        weights = iter(w)
        units = layer(weights, inputs[:24], 6) + layer(weights, inputs[24:], 6)
        for _, size in SIZES[2:]:
            units = layer(weights, units, size)
        missed = [
            m.minimum(y - HIGH, 0.0) if target > 0.5 else m.maximum(y - LOW, 0.0)
            for y, target in zip(units, targets)
        ]
        return 0.5 * m.fsum([e * e for e in missed])

    def f(w: Sequence[Any]) -> Any:
        return m.fsum([error(w, pattern.inputs, pattern.targets) for pattern in PATTERNS])

    return f, _uniform(sum((n_in + 1) * n_out for n_in, n_out in SIZES))


def lstm(m: Any) -> Objective:
    """Minus the mean log-likelihood of a sequence under LSTM cells: about 634,000 operations.

    Source of the cells: Gers, Schmidhuber and Cummins 2000, Learning to forget, without peepholes.
    """
    rng = random.Random(1)
    rows = [[float(rng.random() < 0.5) for _ in range(BITS)] for _ in range(STEPS + 1)]
    reads = BITS + UNITS

    def layer(w: Iterator[Any], x: Sequence[Any], size: int) -> list[Any]:
        return [m.dot([next(w) for _ in x], x, next(w)) for _ in range(size)]

    def f(w: Sequence[Any]) -> Any:
        hidden, cell = list(w[:UNITS]), list(w[UNITS : 2 * UNITS])
        likelihoods = []
        for row, following in pairwise(rows):
            weights = iter(w[2 * UNITS :])
            sums = layer(weights, [*row, *hidden], 4 * UNITS)
            forget, accept, emit = (
                [m.sigmoid(s) for s in sums[i * UNITS : (i + 1) * UNITS]] for i in range(3)
            )
            change = [m.tanh(s) for s in sums[3 * UNITS :]]
            cell = [c * f + a * d for c, f, a, d in zip(cell, forget, accept, change)]
            hidden = [e * m.tanh(c) for e, c in zip(emit, cell)]
            scores = layer(weights, hidden, BITS)
            total = m.log(m.fsum([m.exp(s) for s in scores]))
            likelihoods.append(m.dot(following, [s - total for s in scores]))
        return -m.fsum(likelihoods) / (STEPS * BITS)

    count = 2 * UNITS + (reads + 1) * 4 * UNITS + (UNITS + 1) * BITS
    return f, [0.3 * x for x in _uniform(count)]


def rosenbrock(m: Any) -> Objective:
    """Rosenbrock's valley in 100 variables."""

    def f(x: Sequence[Any]) -> Any:
        terms = []
        for a, b in pairwise(x):
            bend, rest = b - a * a, 1.0 - a
            terms.append(100.0 * (bend * bend) + rest * rest)
        return m.fsum(terms)

    return f, _uniform(VARIABLES)


OBJECTIVES: dict[str, Callable[[Any], Objective]] = {
    "xor": xor,
    "family_trees": family_trees,
    "lstm": lstm,
    "rosenbrock": rosenbrock,
}


# --- namespaces ---------------------------------------------------------------------------------


def namespace(
    exp: Any, log: Any, tanh: Any, minimum: Any, maximum: Any, sigmoid: Any = None
) -> Any:
    """Return an ``m`` of plain operators and the given functions."""

    def dot(ws: Sequence[Any], xs: Sequence[Any], *bias: Any) -> Any:
        return fsum([*(w * x for w, x in zip(ws, xs)), *bias])

    def fsum(terms: Sequence[Any]) -> Any:
        total = terms[0]
        for term in terms[1:]:
            total = total + term
        return total

    return SimpleNamespace(
        exp=exp, log=log, tanh=tanh, minimum=minimum, maximum=maximum, dot=dot, fsum=fsum,
        sigmoid=sigmoid or (lambda x: 1.0 / (1.0 + exp(-x))),
    )  # fmt: skip


FLOATS = namespace(math.exp, math.log, math.tanh, min, max)


class Counted:
    """A number that counts the operations on all numbers of its class."""

    operations = 0

    def __init__(self, data: float) -> None:
        self.data = data

    def _with(self, other: Any, operation: Callable[[float, float], float]) -> Counted:
        Counted.operations += 1
        return Counted(operation(self.data, other.data if isinstance(other, Counted) else other))

    def __add__(self, other: Any) -> Counted:
        return self._with(other, lambda x, y: x + y)

    def __sub__(self, other: Any) -> Counted:
        return self._with(other, lambda x, y: x - y)

    def __rsub__(self, other: Any) -> Counted:
        return self._with(other, lambda x, y: y - x)

    def __mul__(self, other: Any) -> Counted:
        return self._with(other, lambda x, y: x * y)

    def __truediv__(self, other: Any) -> Counted:
        return self._with(other, lambda x, y: x / y)

    def __neg__(self) -> Counted:
        return self._with(-1.0, lambda x, y: x * y)

    __radd__ = __add__
    __rmul__ = __mul__


def operations(objective: Callable[[Any], Objective]) -> int:
    """Return how many scalar + - * / and functions an evaluation applies; a sigmoid is one."""

    def counted(function: Callable[..., float]) -> Callable[..., Counted]:
        return lambda x, y=0.0: x._with(y, function)

    def unary(function: Callable[[float], float]) -> Callable[..., Counted]:
        return counted(lambda x, _: function(x))

    m = namespace(
        unary(math.exp), unary(math.log), unary(math.tanh), counted(min), counted(max),
        unary(FLOATS.sigmoid),
    )  # fmt: skip
    f, x0 = objective(m)
    Counted.operations = 0
    result = f([Counted(x) for x in x0]).data
    if not math.isclose(result, objective(FLOATS)[0](x0), rel_tol=1e-12):
        raise AssertionError("the count is of something else")
    return Counted.operations


# --- CasADi -------------------------------------------------------------------------------------


def with_casadi(objective: Callable[[Any], Objective]) -> Pair:
    """Return functions of an SX graph, called through buffers, without conversions."""
    import casadi

    m = namespace(casadi.exp, casadi.log, casadi.tanh, casadi.fmin, casadi.fmax)
    f, x0 = objective(m)
    x = casadi.SX.sym("x", len(x0))
    value = f(casadi.vertsplit(x))
    return _buffered(casadi.Function("value", [x], [value]), x0), _buffered(
        casadi.Function("gradient", [x], [casadi.densify(casadi.gradient(value, x))]), x0
    )


def _buffered(function: Any, x0: list[float]) -> Callable[[], Any]:
    import numpy as np

    argument: Any = np.array(x0)
    result: Any = np.zeros(function.numel_out(0))
    buffer, evaluate = function.buffer()
    buffer.set_arg(0, memoryview(argument))
    buffer.set_res(0, memoryview(result))

    def call() -> Any:
        evaluate()
        return result

    call.kept = (function, buffer, argument)  # type: ignore[attr-defined]  # evaluate has pointers
    return call


# --- JAX ----------------------------------------------------------------------------------------


def with_jax(objective: Callable[[Any], Objective]) -> Pair:
    """Return compiled functions of the objective, stated again with arrays."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    restated = {xor: _jax_xor, family_trees: _jax_family_trees}
    f = restated[objective]() if objective in restated else _array_rosenbrock
    x0 = jnp.array(objective(FLOATS)[1])
    value, gradient = (jax.jit(g).lower(x0).compile() for g in (f, jax.grad(f)))
    return lambda: value(x0).block_until_ready(), lambda: gradient(x0).block_until_ready()


def _array_rosenbrock(x: Any) -> Any:
    bend, rest = x[1:] - x[:-1] ** 2, 1.0 - x[:-1]
    return (100.0 * bend**2 + rest**2).sum()


def _jax_xor() -> Callable[[Any], Any]:
    import jax.numpy as jnp
    from jax.nn import sigmoid

    inputs, targets = jnp.array(XOR_CASES)[:, :2], jnp.array(XOR_CASES)[:, 2]

    def f(w: Any) -> Any:
        hidden = w[:6].reshape(2, 3)
        h = sigmoid(inputs @ hidden[:, :2].T + hidden[:, 2])
        return 0.5 * ((sigmoid(h @ w[6:8] + w[8]) - targets) ** 2).sum()

    return f


def _jax_family_trees() -> Callable[[Any], Any]:
    import jax.numpy as jnp
    from jax.nn import sigmoid

    inputs = jnp.array([pattern.inputs for pattern in PATTERNS]).T
    on = jnp.array([pattern.targets for pattern in PATTERNS]).T > 0.5
    below, above = jnp.where(on, HIGH, -jnp.inf), jnp.where(on, jnp.inf, LOW)

    def f(w: Any) -> Any:
        start, layers = 0, []
        for n_in, n_out in SIZES:
            layers.append(w[start : start + (n_in + 1) * n_out].reshape(n_out, n_in + 1))
            start += (n_in + 1) * n_out
        codes = [(layers[0], inputs[:24]), (layers[1], inputs[24:])]
        units = jnp.concatenate([sigmoid(v[:, :-1] @ x + v[:, -1:]) for v, x in codes])
        for v in layers[2:]:
            units = sigmoid(v[:, :-1] @ units + v[:, -1:])
        return 0.5 * ((units - jnp.clip(units, below, above)) ** 2).sum()

    return f


# --- autograd -----------------------------------------------------------------------------------


def with_autograd(objective: Callable[[Any], Objective]) -> Pair:
    """Return Rosenbrock's valley in autograd's arrays."""
    import autograd
    import numpy as np

    x0, gradient = np.array(objective(FLOATS)[1]), autograd.grad(_array_rosenbrock)
    return lambda: _array_rosenbrock(x0), lambda: gradient(x0)


# --- agreement and times ------------------------------------------------------------------------

PEERS: dict[str, dict[str, Callable[[Callable[[Any], Objective]], Pair]]] = {
    "xor": {"casadi": with_casadi, "jax": with_jax},
    "family_trees": {"casadi": with_casadi, "jax": with_jax},
    "lstm": {},
    "rosenbrock": {"casadi": with_casadi, "jax": with_jax, "autograd": with_autograd},
}


def contestants(name: str) -> dict[str, Pair]:
    """Return the value and gradient of each peer, after checking that they are right."""
    import microgradient as mg

    f, x0 = OBJECTIVES[name](mg)
    value, gradient = OBJECTIVES[name](FLOATS)[0](x0), mg.grad(f)(x0)
    pairs = {}
    for peer, make in PEERS[name].items():
        start = time.perf_counter()
        pairs[peer] = make(OBJECTIVES[name])
        print(f"{name}, {peer}: made in {time.perf_counter() - start:.2f} s", flush=True)
        _check(f"{name}, {peer}", _numbers(pairs[peer][0]()), [value])
        _check(f"{name}, {peer}, gradient", _numbers(pairs[peer][1]()), gradient)
    return pairs


def _numbers(result: Any) -> list[float]:
    import numpy as np

    numbers: list[float] = np.asarray(result, dtype=float).ravel().tolist()
    return numbers


def _check(what: str, got: list[float], want: list[float]) -> None:
    scale = max(map(abs, want))
    for x, y in zip(got, want, strict=True):
        if not math.isclose(x, y, rel_tol=1e-9, abs_tol=1e-9 * scale):
            raise AssertionError(f"{what}: {x} for {y}")


def value_and_gradient_times(name: str, rounds: int = 15) -> dict[str, tuple[float, float]]:
    """Return the median seconds of a value and of a gradient of each peer."""
    from contest import medians

    pairs = contestants(name)
    calls = {(peer, i): pair[i] for peer, pair in pairs.items() for i in (0, 1)}
    seconds = medians(
        {f"{peer} {i}": call for (peer, i), call in calls.items()},
        rounds,
        calls=10 if name == "lstm" else 100,
    )
    return {peer: (seconds[f"{peer} 0"], seconds[f"{peer} 1"]) for peer in pairs}


def main() -> None:
    """Print the sizes of the objectives, and the peers' times."""
    for name, objective in OBJECTIVES.items():
        count = operations(objective)
        print(f"\n{name}: {count:,} operations in {len(objective(FLOATS)[1])} variables")
        for peer, (value, gradient) in value_and_gradient_times(name).items():
            print(
                f"  {peer:<10} value {value * 1e6:10.1f} us   gradient {gradient * 1e6:10.1f} us"
                f"   {gradient / value:6.2f} times"
            )


if __name__ == "__main__":
    main()
