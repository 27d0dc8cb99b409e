"""The rows of the table in 60-digit arithmetic: an oracle that shares no derivative with them.

Values come from mpmath's own functions, derivatives from ``mpmath.diff`` of these values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from operator import mul
from typing import Any

import mpmath
from mpmath import mp, mpf

from microgradient import OPS
from microgradient.engine.arithmetic import Arithmetic

DIGITS = 60

ORACLES: dict[str, Callable[..., Any]] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "neg": lambda x: -x,
    "abs": abs,
    "pow": lambda x, y: x**y,
    "square": lambda x: x * x,
    "reciprocal": lambda x: 1 / x,
    "mod": lambda x, y: x - y * mp.floor(x / y),
    "exp": mp.exp,
    "expm1": mp.expm1,
    "exp2": lambda x: mp.exp(x * mp.log(2)),
    "log": mp.log,
    "log1p": mp.log1p,
    "log2": lambda x: mp.log(x) / mp.log(2),
    "log10": lambda x: mp.log(x) / mp.log(10),
    "sqrt": mp.sqrt,
    "cbrt": lambda x: mp.sign(x) * mp.cbrt(abs(x)),
    "sin": mp.sin,
    "cos": mp.cos,
    "tan": mp.tan,
    "asin": mp.asin,
    "acos": mp.acos,
    "atan": mp.atan,
    "sinh": mp.sinh,
    "cosh": mp.cosh,
    "tanh": mp.tanh,
    "asinh": mp.asinh,
    "acosh": mp.acosh,
    "atanh": mp.atanh,
    "atan2": mp.atan2,
    "degrees": mp.degrees,
    "radians": mp.radians,
    "sinc": mp.sincpi,
    "sinc_derivative": lambda n, x: (mp.cospi(x) - mp.sincpi(x)) / x,  # the domain has n = 1
    "hypot": lambda x, y: mp.sqrt(x * x + y * y),
    "erf": mp.erf,
    "erfc": mp.erfc,
    "erfinv": mp.erfinv,
    "gamma": mp.gamma,
    "lgamma": lambda x: mp.log(abs(mp.gamma(x))),
    "digamma": mp.digamma,
    "polygamma": lambda n, x: mp.psi(int(n), x),
    "sigmoid": lambda x: 1 / (1 + mp.exp(-x)),
    "sigmoid_slope": lambda x: mp.exp(-x) / (1 + mp.exp(-x)) ** 2,
    "logsigmoid": lambda x: -mp.log1p(mp.exp(-x)),
    "softplus": lambda x: mp.log1p(mp.exp(x)),
    "relu": lambda x: max(x, mpf(0)),
    "leaky_relu": lambda x, slope: x if x > 0 else slope * x,
    "elu": lambda x, alpha: x if x > 0 else alpha * mp.expm1(x),
    "gelu": lambda x: x * mp.erfc(-x / mp.sqrt(2)) / 2,
    "silu": lambda x: x / (1 + mp.exp(-x)),
    "softsign": lambda x: x / (1 + abs(x)),
    "sign": mp.sign,
    "floor": mp.floor,
    "ceil": mp.ceil,
    "step": lambda x: mpf(x > 0),
    "maximum": lambda x, y: max(x, y),
    "minimum": lambda x, y: min(x, y),
    "clip": lambda x, low, high: min(max(x, low), high),
    "fsum": lambda *xs: mpmath.fsum(xs),
    "prod": lambda *xs: reduce(mul, xs),
    "dot": lambda *o: _dot(o),
    "logsumexp": lambda *xs: mp.log(mpmath.fsum(map(mp.exp, xs))),
    "softmax_cross_entropy": lambda *o: _cross_entropy(o),
}


def _dot(operands: Sequence[Any]) -> Any:
    n = len(operands) // 2
    return mpmath.fdot(operands[:n], operands[n : 2 * n]) + mpmath.fsum(operands[2 * n :])


def _cross_entropy(operands: Sequence[Any]) -> Any:
    n = len(operands) // 2
    total = mp.log(mpmath.fsum(map(mp.exp, operands[:n])))
    return mpmath.fsum(t * (total - z) for z, t in zip(operands[:n], operands[n:]))


MP = Arithmetic(  # the vocabulary of rows, over mpmath's numbers
    {
        **{name: f for name, f in ORACLES.items() if OPS[name].primitive},
        "fsum": mpmath.fsum,
        "where": lambda condition, x, y: x if condition else y,
        "equal": lambda x, y: x == y,
        "detach": lambda x: x,
    }
)
