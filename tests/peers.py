"""The same functions in other libraries, to compare gradients and conventions with.

A function is written over a namespace ``m`` (``lambda m, x: m.relu(x)``); each peer supplies the
names it has. autograd is installed with the tests, the others by the extra ``peers``.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import operator
import os
import warnings
from collections.abc import Callable, Sequence
from functools import reduce
from math import isnan
from types import SimpleNamespace
from typing import Any

import microgradient as mg
from microgradient.check.expressions import StraightLine

inf, nan = float("inf"), float("nan")
Function = Callable[..., Any]


_NUMPY = (
    "exp expm1 log log1p log2 log10 sqrt sin cos tan sinh cosh tanh sign floor ceil abs "
    "maximum minimum where hypot"
)
_TORCH = (
    "exp expm1 log log1p log2 log10 sqrt sin cos tan asin acos atan sinh cosh tanh asinh acosh "
    "atanh erf erfc lgamma digamma sigmoid relu sign floor ceil abs"
)
_TENSORFLOW = (
    "exp expm1 log log1p sqrt sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh atan2 "
    "erf erfc lgamma digamma sigmoid sign floor ceil abs maximum minimum softplus softsign"
)


class Peer:
    """A library: ``value_and_gradient(f, x)`` of a function over its namespace, as floats."""

    def __init__(
        self, names: SimpleNamespace, both: Callable[[Function, Sequence[float]], Any]
    ) -> None:
        self.names = names
        self._both = both

    def value_and_gradient(self, f: Function, x: Sequence[float]) -> tuple[float, list[float]]:
        """Raises AttributeError where the library lacks a function that ``f`` uses."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value, gradient = self._both(lambda *xs: f(self.names, *xs), x)
        return float(value), [float(g) for g in gradient]


def ours() -> Peer:
    names = SimpleNamespace(**{name: getattr(mg, name) for name in mg.OPS})
    names.where = lambda c, x, y: mg.where(c, x, y)

    def both(f: Function, x: Sequence[float]) -> Any:
        return mg.value_and_grad(f, tuple(range(len(x))))(*x)

    return Peer(names, both)


def autograd() -> Peer:
    import autograd.numpy as anp
    from autograd import grad

    names = SimpleNamespace(
        **{n: getattr(anp, n) for n in _NUMPY.split() if hasattr(anp, n)},
        **_numpy_spellings(anp),
        clip=anp.clip,
        softplus=lambda x: anp.logaddexp(0.0, x),
        relu=lambda x: anp.maximum(x, 0.0),
    )

    def both(f: Function, x: Sequence[float]) -> Any:
        x = [anp.float64(t) for t in x]
        return f(*x), [grad(f, i)(*x) for i in range(len(x))]

    return Peer(names, both)


def jax() -> Peer:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    j = jax.scipy.special
    names = SimpleNamespace(
        **{n: getattr(jnp, n) for n in _NUMPY.split() if hasattr(jnp, n)},
        **_numpy_spellings(jnp),
        erf=j.erf,
        erfc=j.erfc,
        lgamma=j.gammaln,
        digamma=j.digamma,
        logsumexp=lambda xs: j.logsumexp(jnp.array(xs)),
        clip=jnp.clip,
        cbrt=jnp.cbrt,
        **{
            n: getattr(jax.nn, n)
            for n in ("relu", "leaky_relu", "elu", "silu", "sigmoid", "softplus")
        },
        gelu=lambda x: jax.nn.gelu(x, approximate=False),
        logsigmoid=jax.nn.log_sigmoid,
        softsign=jax.nn.soft_sign,
    )

    def both(f: Function, x: Sequence[float]) -> Any:
        x = [jnp.float64(t) for t in x]
        return jax.value_and_grad(f, tuple(range(len(x))))(*x)

    return Peer(names, both)


def torch() -> Peer:
    import torch

    t = torch
    names = SimpleNamespace(
        **{n: getattr(t, n) for n in _TORCH.split()},
        **{n: _of_tensors(t, n) for n in ("maximum", "minimum", "atan2", "hypot")},
        where=lambda c, x, y: t.where(c, *_tensors(t, x, y)),
        clip=lambda x, low, high: t.clamp(x, low, high),
        logsumexp=lambda xs: t.logsumexp(t.stack(_tensors(t, *xs)), 0),
        **{
            n: getattr(t.nn.functional, n)
            for n in ("leaky_relu", "elu", "silu", "gelu", "logsigmoid", "softsign")
        },
        softplus=t.nn.functional.softplus,
    )

    def both(f: Function, x: Sequence[float]) -> Any:
        leaves = [t.tensor(v, dtype=t.float64, requires_grad=True) for v in x]
        y = f(*leaves)
        if not y.requires_grad:
            return y, [0.0] * len(x)
        gradient = t.autograd.grad(y, leaves, allow_unused=True)
        return y.detach(), [0.0 if g is None else g for g in gradient]

    return Peer(names, both)


def tensorflow() -> Peer:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    m, nn = tf.math, tf.nn
    names = SimpleNamespace(
        **{n: getattr(m, n) for n in _TENSORFLOW.split()},
        relu=nn.relu,
        leaky_relu=nn.leaky_relu,
        elu=nn.elu,
        silu=nn.silu,
        gelu=lambda x: nn.gelu(x, approximate=False),
        logsigmoid=m.log_sigmoid,
        where=tf.where,
        clip=tf.clip_by_value,
        logsumexp=lambda xs: m.reduce_logsumexp(tf.stack(xs)),
    )

    def both(f: Function, x: Sequence[float]) -> Any:
        leaves = [tf.Variable(v, dtype=tf.float64) for v in x]
        with tf.GradientTape() as tape:
            y = f(*leaves)
        gradient = tape.gradient(y, leaves)
        return y, [0.0 if g is None else g for g in gradient]

    return Peer(names, both)


def _numpy_spellings(np: Any) -> dict[str, Any]:
    short = ("asin", "acos", "atan", "asinh", "acosh", "atanh", "atan2")
    return {n: getattr(np, "arc" + n[1:]) for n in short if hasattr(np, "arc" + n[1:])}


def _of_tensors(torch: Any, name: str) -> Function:
    return lambda x, y: getattr(torch, name)(*_tensors(torch, x, y))


def _tensors(torch: Any, *xs: Any) -> list[Any]:
    return [x if torch.is_tensor(x) else torch.tensor(x, dtype=torch.float64) for x in xs]


PEERS: dict[str, Callable[[], Peer]] = {
    "PyTorch": torch,
    "JAX": jax,
    "TensorFlow": tensorflow,
    "autograd": autograd,
}


def version(name: str) -> str:
    return importlib.metadata.version(PEERS[name].__name__).split("+")[0]


def installed() -> dict[str, Peer]:
    """Return the peers that can be imported here."""
    found = {}
    for name, make in PEERS.items():
        try:
            importlib.import_module(make.__name__)
        except ImportError:
            continue
        found[name] = make()
    return found


def over(f: StraightLine) -> Function:
    """Return ``f`` as a function over a namespace, by the names of its operations."""

    def evaluated(m: Any, *xs: Any) -> Any:
        values = list(xs)
        for op, operands in f.live:
            flat = [values[o] if type(o) is int else o for o in operands]
            values.append(None if op is None else _called(m, op.name, flat))
        return values[-1]

    return evaluated


_OPERATORS = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "pow": operator.pow,
    "neg": operator.neg,
}
REACHED = {*_OPERATORS, "fsum", "prod", "dot"}  # without a function of that name


def _called(m: Any, name: str, x: list[Any]) -> Any:
    if name in _OPERATORS:
        return _OPERATORS[name](*x)
    if name == "fsum":
        return reduce(operator.add, x)
    if name == "prod":
        return reduce(operator.mul, x)
    if name == "dot":
        n = len(x) // 2
        return reduce(operator.add, [*map(operator.mul, x[:n], x[n : 2 * n]), *x[2 * n :]])
    return getattr(m, name)(x) if name == "logsumexp" else getattr(m, name)(*x)


# What the page docs/conventions.md compares: text, function, operands.
CASES: list[tuple[str, Function, tuple[float, ...]]] = [
    ("relu(0)", lambda m, x: m.relu(x), (0.0,)),
    ("relu(nan)", lambda m, x: m.relu(x), (nan,)),
    ("maximum(x, 0) at 0", lambda m, x: m.maximum(x, 0.0), (0.0,)),
    ("leaky_relu(0)", lambda m, x: m.leaky_relu(x), (0.0,)),
    ("elu(0)", lambda m, x: m.elu(x), (0.0,)),
    ("abs(0)", lambda m, x: m.abs(x), (0.0,)),
    ("abs(nan)", lambda m, x: m.abs(x), (nan,)),
    ("sign(0)", lambda m, x: m.sign(x), (0.0,)),
    ("floor(2)", lambda m, x: m.floor(x), (2.0,)),
    ("maximum(1, 1)", lambda m, x, y: m.maximum(x, y), (1.0, 1.0)),
    ("maximum(0, nan)", lambda m, x, y: m.maximum(x, y), (0.0, nan)),
    ("clip(1, 0, 1)", lambda m, x: m.clip(x, 0.0, 1.0), (1.0,)),
    ("sqrt(0)", lambda m, x: m.sqrt(x), (0.0,)),
    ("sqrt(-1)", lambda m, x: m.sqrt(x), (-1.0,)),
    ("cbrt(0)", lambda m, x: m.cbrt(x), (0.0,)),
    ("log(0)", lambda m, x: m.log(x), (0.0,)),
    ("log(-1)", lambda m, x: m.log(x), (-1.0,)),
    ("1 / 0", lambda m, x: 1.0 / x, (0.0,)),
    ("x / y at (0, 0)", lambda m, x, y: x / y, (0.0, 0.0)),
    ("x ** 0 at 0", lambda m, x: x**0.0, (0.0,)),
    ("x ** y at (0, 0)", lambda m, x, y: x**y, (0.0, 0.0)),
    ("x ** y at (0, 2)", lambda m, x, y: x**y, (0.0, 2.0)),
    ("x ** y at (0, -1)", lambda m, x, y: x**y, (0.0, -1.0)),
    ("x ** y at (-2, 3)", lambda m, x, y: x**y, (-2.0, 3.0)),
    ("x ** y at (-2, 0.5)", lambda m, x, y: x**y, (-2.0, 0.5)),
    ("atan2(0, 0)", lambda m, y, x: m.atan2(y, x), (0.0, 0.0)),
    ("hypot(0, 0)", lambda m, x, y: m.hypot(x, y), (0.0, 0.0)),
    ("sqrt(x² + y²) at (0, 0)", lambda m, x, y: m.sqrt(x * x + y * y), (0.0, 0.0)),
    ("exp(1000)", lambda m, x: m.exp(x), (1000.0,)),
    ("sigmoid(-1000)", lambda m, x: m.sigmoid(x), (-1000.0,)),
    ("softplus(1000)", lambda m, x: m.softplus(x), (1000.0,)),
    ("logsumexp(1000, 1000)", lambda m, x, y: m.logsumexp([x, y]), (1000.0, 1000.0)),
    ("logsumexp(-inf, -inf)", lambda m, x, y: m.logsumexp([x, y]), (-inf, -inf)),
    ("where(x > 0, sqrt(x), 0) at 0", lambda m, x: m.where(x > 0, m.sqrt(x), 0.0), (0.0,)),
    ("where(x > 0, log(x), 0) at 0", lambda m, x: m.where(x > 0, m.log(x), 0.0), (0.0,)),
    ("x - x at inf", lambda m, x: x - x, (inf,)),
    ("x / x at inf", lambda m, x: x / x, (inf,)),
]


def told(peer: Peer, f: Function, x: Sequence[float]) -> str:
    """Return the value and the derivatives as one cell: ``0 | 0.5, 0.5``."""
    try:
        value, gradient = peer.value_and_gradient(f, x)
    except AttributeError:
        return "–"
    except (ZeroDivisionError, ValueError, TypeError) as fault:
        return type(fault).__name__
    return f"{_text(value)} \\| {', '.join(map(_text, gradient))}"


def _text(x: float) -> str:
    return "nan" if isnan(x) else f"{x:.4g}".replace("-0", "0") if x == 0 else f"{x:.4g}"


def table() -> str:
    """Return the table of conventions as Markdown: ours, and every peer that is installed."""
    peers = {f"{name} {version(name)}": peer for name, peer in installed().items()}
    columns = {"microgradient": ours(), **peers}
    lines = [
        "| value \\| derivatives of | " + " | ".join(columns) + " |",
        "|---" * (len(columns) + 1) + "|",
    ]
    for text, f, x in CASES:
        lines.append(f"| {text} | " + " | ".join(told(p, f, x) for p in columns.values()) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
