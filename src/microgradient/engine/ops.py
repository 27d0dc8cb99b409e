"""The table: one row per operation. Everything else loops over the rows.

A row reads: name, local derivatives, value. ``m`` is the arithmetic, ``x`` the operands, ``v`` the
result. A row never branches with Python's ``if``: that would fix the choice in a graph.

Policy (docs/conventions.md): at a kink, the minimum-norm subgradient; ties of maximum and minimum
share equally; where the result is nan, every local derivative is nan (the caller sees to it).
Derivative formulas are smooth where the function is, so that they can be differentiated again, and
avoid cancellation, theirs and that of their own derivatives: sigmoid' is s(x) s(-x), because
s (1 - s) has no correct digit beyond x = 37.
"""

from __future__ import annotations

import math
from math import inf, nan
from typing import Any

from microgradient.engine import floats, nary
from microgradient.engine.arithmetic import FORMULAS, Arithmetic, X
from microgradient.engine.number import as_float
from microgradient.engine.op import Op, Operand

_LN2, _LN10, _SQRT_HALF = math.log(2), math.log(10), math.sqrt(0.5)
_DEGREES, _RADIANS = 180 / math.pi, math.pi / 180
_WIDE = ((-50.0, 50.0),)
_POSITIVE = ((0.01, 50.0),)
_UNIT = ((-0.99, 0.99),)
_PAIR = ((-4.0, 4.0), (-4.0, 4.0))

# --- arithmetic ---------------------------------------------------------------------------------

add = Op("add", lambda m, v, x, y: (1.0, 1.0), lambda m, x, y: x + y, "+", _PAIR)
sub = Op("sub", lambda m, v, x, y: (1.0, -1.0), lambda m, x, y: x - y, "-", _PAIR)
mul = Op("mul", lambda m, v, x, y: (y, x), lambda m, x, y: x * y, "*", _PAIR)
div = Op(
    "div", lambda m, v, x, y: (m.div(1, y), -m.div(v, y)), symbol="/", domain=((-4, 4), (0.1, 4))
)
neg = Op("neg", lambda m, v, x: (-1.0,), lambda m, x: -x, "-")
abs = Op("abs", lambda m, v, x: (m.sign(x),), kinks=(0,))


def _pow_partials(m: Arithmetic[X], v: X, x: X, p: X) -> tuple[X, X]:
    slope = p * m.pow(x, p - 1)  # for p = 0 it is 0, or 0 * inf; its derivative by p is not 0
    if isinstance(x, Operand) and isinstance(p, float) and p != 0:
        return slope, nan  # p is a constant, by which nobody asks for a derivative
    by_base = m.where(m.equal(p, 0), m.where(m.equal(slope, 0), slope, 0.0), slope)
    at_zero = m.where(p < 0, -inf, 0.0)
    return by_base, m.where(m.equal(x, 0), at_zero, v * m.log(x))


pow = Op("pow", _pow_partials, symbol="**", domain=((0.1, 5), (-4, 4)))
square = Op("square", lambda m, v, x: (2 * x,), lambda m, x: x * x)
reciprocal = Op(
    "reciprocal", lambda m, v, x: (-v * v,), lambda m, x: m.div(1, x), domain=((0.1, 50),)
)


def _mod_partials(m: Arithmetic[X], v: X, x: X, y: X) -> tuple[float, X]:
    quotient = m.floor(m.div(x - v, y) + 0.5)  # floor(x / y) can be off by one: x / y is rounded
    return 1.0, m.where(m.equal(v, y), 1.0, -quotient)  # -1e-20 % y is rounded to y


mod = Op("mod", _mod_partials, symbol="%", domain=((-2.9, -2.1), (1.5, 2)))

# --- exponentials, logarithms, roots ------------------------------------------------------------

exp = Op("exp", lambda m, v, x: (v,), domain=((-30, 30),))
expm1 = Op("expm1", lambda m, v, x: (m.exp(x),), domain=((-30, 30),))
exp2 = Op("exp2", lambda m, v, x: (v * _LN2,), lambda m, x: m.pow(2.0, x), domain=((-40, 40),))
log = Op("log", lambda m, v, x: (m.div(1, x),), domain=_POSITIVE)
log1p = Op("log1p", lambda m, v, x: (m.div(1, 1 + x),), domain=((-0.9, 50),))
log2 = Op("log2", lambda m, v, x: (m.div(1, x * _LN2),), domain=_POSITIVE)
log10 = Op("log10", lambda m, v, x: (m.div(1, x * _LN10),), domain=_POSITIVE)
sqrt = Op("sqrt", lambda m, v, x: (m.div(1, 2 * v),), domain=_POSITIVE)
cbrt = Op("cbrt", lambda m, v, x: (m.div(1, 3 * v * v),), domain=_WIDE, kinks=(0,))

# --- trigonometric and hyperbolic ---------------------------------------------------------------


def _rest_of_square(m: Arithmetic[X], x: X) -> X:
    """Return 1 - x^2: near 1 as a product, whose derivative would cancel near 0."""
    return m.where(x * x < 0.5, 1 - x * x, (1 - x) * (1 + x))


sin = Op("sin", lambda m, v, x: (m.cos(x),))
cos = Op("cos", lambda m, v, x: (-m.sin(x),))
tan = Op("tan", lambda m, v, x: (1 + v * v,), domain=((-1.5, 1.5),))
asin = Op("asin", lambda m, v, x: (m.div(1, m.sqrt(_rest_of_square(m, x))),), domain=_UNIT)
acos = Op("acos", lambda m, v, x: (m.div(-1, m.sqrt(_rest_of_square(m, x))),), domain=_UNIT)
atan = Op("atan", lambda m, v, x: (m.div(1, 1 + x * x),), domain=_WIDE)
sinh = Op("sinh", lambda m, v, x: (m.cosh(x),), domain=_WIDE)
cosh = Op("cosh", lambda m, v, x: (m.sinh(x),), domain=_WIDE)
tanh = Op("tanh", lambda m, v, x: (4 * m.sigmoid_slope(2 * x),), domain=((-30, 30),))
asinh = Op("asinh", lambda m, v, x: (m.div(1, m.hypot(1, x)),), domain=_WIDE)
acosh = Op(
    "acosh", lambda m, v, x: (m.div(1, m.sqrt(x - 1) * m.sqrt(x + 1)),), domain=((1.01, 50),)
)
atanh = Op("atanh", lambda m, v, x: (m.div(1, _rest_of_square(m, x)),), domain=_UNIT)
degrees = Op("degrees", lambda m, v, x: (_DEGREES,), lambda m, x: x * _DEGREES)
radians = Op("radians", lambda m, v, x: (_RADIANS,), lambda m, x: x * _RADIANS, domain=_WIDE)
sinc = Op(
    "sinc",
    lambda m, v, x: (m.sinc_derivative(1.0, x),),
    doc="Return sin(pi x) / (pi x), as NumPy, SciPy and JAX define it; 1 at 0.",
)
sinc_derivative = Op(  # as for polygamma, there is no derivative by the order
    "sinc_derivative",
    lambda m, v, n, x: (nan, m.sinc_derivative(n + 1, x)),
    domain=((1, 1), (-4, 4)),
    doc="Return the n-th derivative of sinc at x, n = 0, 1, 2, …",
)


def _atan2_partials(m: Arithmetic[X], v: X, y: X, x: X) -> tuple[X, X]:
    h = m.hypot(y, x)
    return m.div(m.div(x, h), h), -m.div(m.div(y, h), h)


atan2 = Op("atan2", _atan2_partials, domain=((-4, 4), (0.1, 4)))


def _hypot_partials(m: Arithmetic[X], v: X, *xs: X) -> tuple[X, ...]:
    at_origin = m.equal(v, 0)
    return tuple([m.where(at_origin, 0.0, m.div(x, v)) for x in xs])


hypot = Op("hypot", _hypot_partials, domain=((0.1, 4), (0.1, 4)))

# --- special functions --------------------------------------------------------------------------

_ERF_SLOPE = 2 / math.sqrt(math.pi)
_NORMAL_PEAK = 1 / math.sqrt(2 * math.pi)


def _gaussian(m: Arithmetic[X], x: X) -> X:
    """Return exp(-x^2) without the error of rounding x^2: up to x^2 ulps (Cephes, expx2.c)."""
    x = m.clip(x, -30.0, 30.0)  # beyond, the result is 0, but h - x may be inf - inf
    h = m.floor(64 * x) * 0.015625
    return m.exp(-h * h) * m.exp((h - x) * (h + x))


erf = Op("erf", lambda m, v, x: (_ERF_SLOPE * _gaussian(m, x),))
erfc = Op("erfc", lambda m, v, x: (-_ERF_SLOPE * _gaussian(m, x),))
erfinv = Op(
    "erfinv",
    lambda m, v, x: (m.div(1, _ERF_SLOPE * _gaussian(m, v)),),
    domain=((-0.999, 0.999),),
    doc="Return the y with erf(y) = x: infinite at -1 and 1, nan beyond.",
)
gamma = Op("gamma", lambda m, v, x: (v * m.digamma(x),), domain=((1.6, 50),))
lgamma = Op("lgamma", lambda m, v, x: (m.digamma(x),), domain=((2.5, 50),))
digamma = Op("digamma", lambda m, v, x: (m.polygamma(1.0, x),), domain=((2.0, 50),))
polygamma = Op(  # the order n = 0, 1, 2, … is discrete, so there is no derivative by it
    "polygamma", lambda m, v, n, x: (nan, m.polygamma(n + 1, x)), domain=((1, 1), (0.1, 50))
)

# --- activations --------------------------------------------------------------------------------


def _sigmoid(m: Arithmetic[X], x: X) -> X:
    t = m.exp(m.where(x > 0, -x, x))
    return m.div(m.where(x > 0, 1.0, t), 1 + t)


def _softplus(m: Arithmetic[X], x: X) -> X:
    return m.where(x > 0, x + m.log1p(m.exp(-x)), m.log1p(m.exp(x)))


def _gelu(m: Arithmetic[X], x: X) -> X:
    return 0.5 * m.maximum(x, -40.0) * m.erfc(-x * _SQRT_HALF)  # erfc is 0 from -39 on


def _gelu_partials(m: Arithmetic[X], v: X, x: X) -> tuple[X]:
    x = m.clip(x, -40.0, 40.0)  # beyond, the slope is 0 or 1, but x * exp(-x^2) is inf * 0
    return (0.5 * m.erfc(-x * _SQRT_HALF) + _NORMAL_PEAK * x * _gaussian(m, x * _SQRT_HALF),)


def _silu_partials(m: Arithmetic[X], v: X, x: X) -> tuple[X]:
    x = m.clip(x, -750.0, 750.0)  # beyond, the slope is 0 or 1, but x * sigmoid(-x) is inf * 0
    return (m.sigmoid(x) * (1 + x * m.sigmoid(-x)),)


def _softsign(m: Arithmetic[X], x: X) -> X:
    x = m.clip(x, -1e300, 1e300)  # the result is 1 or -1 from 1e16 on, but inf / inf is nan
    return m.div(x, 1 + m.abs(x))


def _softsign_partials(m: Arithmetic[X], v: X, x: X) -> tuple[X]:
    size = 1 + m.abs(m.clip(x, -1e300, 1e300))
    return (m.div(1, size * size),)


def _leaky_partials(m: Arithmetic[X], v: X, x: X, slope: X) -> tuple[X, X]:
    return m.where(x > 0, 1.0, slope), m.where(x > 0, 0.0, x)


def _elu_partials(m: Arithmetic[X], v: X, x: X, alpha: X) -> tuple[X, X]:
    return m.where(x > 0, 1.0, alpha * m.exp(x)), m.where(x > 0, 0.0, m.expm1(x))


sigmoid = Op(
    "sigmoid",
    lambda m, v, x: (m.sigmoid_slope(x),),
    _sigmoid,
    domain=((-30, 30),),
    fast=floats.sigmoid,
)
sigmoid_slope = Op(  # a row, because the derivative of s(x) s(-x) would cancel near 0
    "sigmoid_slope",
    lambda m, v, x: (-v * m.tanh(0.5 * x),),
    lambda m, x: m.sigmoid(x) * m.sigmoid(-x),
    domain=((-30, 30),),
    fast=floats.sigmoid_slope,
    doc="Return the derivative of sigmoid, sigmoid(x) * sigmoid(-x): the logistic density.",
)
logsigmoid = Op(
    "logsigmoid",
    lambda m, v, x: (m.sigmoid(-x),),
    lambda m, x: -m.softplus(-x),
    domain=((-30, 30),),
)
softplus = Op("softplus", lambda m, v, x: (m.sigmoid(x),), _softplus, domain=((-30, 30),))
relu = Op(
    "relu",
    lambda m, v, x: (m.step(x),),
    lambda m, x: m.maximum(x, 0.0),
    kinks=(0,),
    fast=floats.relu,
)
leaky_relu = Op(
    "leaky_relu",
    _leaky_partials,
    lambda m, x, slope: m.where(x > 0, x, slope * x),
    domain=((-4, 4), (0.01, 0.5)),
    kinks=(0,),
    operands=lambda x, slope=0.01: (x, slope),
)
elu = Op(
    "elu",
    _elu_partials,
    lambda m, x, alpha: m.where(x > 0, x, alpha * m.expm1(x)),
    domain=((-4, 4), (0.5, 2)),
    kinks=(0,),
    operands=lambda x, alpha=1.0: (x, alpha),
)
gelu = Op("gelu", _gelu_partials, _gelu)
silu = Op("silu", _silu_partials, lambda m, x: m.maximum(x, -750.0) * m.sigmoid(x))
softsign = Op("softsign", _softsign_partials, _softsign, domain=_WIDE)

# --- piecewise constant and piecewise linear ----------------------------------------------------

_INTEGERS = tuple(range(-4, 5))

sign = Op("sign", lambda m, v, x: (0.0,), kinks=(0,))
floor = Op("floor", lambda m, v, x: (0.0,), kinks=_INTEGERS)
ceil = Op("ceil", lambda m, v, x: (0.0,), kinks=_INTEGERS)
step = Op("step", lambda m, v, x: (0.0,), kinks=(0,))


def _larger_partials(m: Arithmetic[X], v: X, x: X, y: X) -> tuple[X, X]:
    share = m.where(x > y, 1.0, m.where(y > x, 0.0, 0.5))
    return share, 1 - share


def _clip_partials(m: Arithmetic[X], v: X, x: X, low: X, high: X) -> tuple[X, X, X]:
    at_high = m.where(x > high, 1.0, 0.0)
    at_low = m.where(x < low, 1.0 - at_high, 0.0)
    inside = m.where(x > low, m.where(x < high, 1.0, 0.0), 0.0)
    return inside, at_low, at_high


maximum = Op("maximum", _larger_partials, domain=_PAIR)
minimum = Op("minimum", lambda m, v, x, y: _larger_partials(m, v, y, x), domain=_PAIR)


def _clip_operands(x: Any, low: Any = -inf, high: Any = inf) -> tuple[Any, Any, Any]:
    low, high = (b if isinstance(b, Operand) else as_float(b) for b in (low, high))
    if (low > high) is True:  # not known yet for symbols
        raise ValueError(f"clip expects low <= high, got low = {low!r} and high = {high!r}")
    return x, low, high


clip = Op(
    "clip",
    _clip_partials,
    lambda m, x, low, high: m.minimum(m.maximum(x, low), high),
    domain=((-4, 4), (-2, -1), (1, 2)),
    operands=_clip_operands,
    fast=floats.clip,
)

# --- n-ary: what networks are made of (engine/nary.py) ------------------------------------------

fsum, prod, dot = nary.fsum, nary.prod, nary.dot
logsumexp, softmax_cross_entropy = nary.logsumexp, nary.softmax_cross_entropy

OPS: dict[str, Op] = {op.name: op for op in list(globals().values()) if isinstance(op, Op)}
"""The table, in the order of its rows."""

FORMULAS.update((op.name, op.formula) for op in OPS.values() if not op.primitive)

# --- marks: what a node can be besides the result of a row ----------------------------------------

constant = Op("constant", lambda m, v: (), lambda m: nan)  # a number made into a leaf
argument = Op("argument", lambda m, v, x: (1.0,), lambda m, x: x)  # the variable of a transform
passed = Op("passed", lambda m, v, x: (1.0,), lambda m, x: x)  # the same, after its function ended
taken = Op("where", lambda m, v, x: (1.0,), lambda m, x: x)  # the branch that where() took

NAMED: dict[str, Op] = OPS | {mark.name: mark for mark in (constant, argument, passed, taken)}
"""Every operation of this package by name: those that can be pickled; other modules add theirs."""
