"""Special functions over floats that ``math`` lacks: derivatives of ``lgamma``, sinc, erfinv."""

from __future__ import annotations

import math
from math import inf, nan

# Bernoulli numbers B2, B4, … (Abramowitz and Stegun, table 23.2).
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)
_MANY = 100  # terms left of 0 to sum directly; beyond, symmetry is worth its cancellation
_HALF_ROOT_PI = math.sqrt(math.pi) / 2
_LARGE = 16.0  # above this, eight terms of the asymptotic series are accurate to the last bit


def digamma(x: float) -> float:
    """Return the logarithmic derivative of the gamma function; nan at the poles 0, -1, -2, …

    By reflection, recurrence and the asymptotic series: Abramowitz and Stegun 6.3.7, 6.3.5, 6.3.18.
    """
    if x != x or x == -inf or (x <= 0 and x == math.floor(x)):
        return nan
    if x == inf:
        return inf
    if x < -1:
        return digamma(1 - x) - math.pi / math.tan(math.pi * (x - round(x)))
    terms = []
    while x < _LARGE:
        terms.append(-1 / x)
        x += 1
    power = x * x
    for k, bernoulli in enumerate(_BERNOULLI, 1):
        terms.append(-bernoulli / (2 * k) / power)
        power *= x * x
    return math.fsum([math.log(x), -0.5 / x, *terms])


def polygamma(n: float, x: float) -> float:
    """Return the n-th derivative of digamma, n = 0, 1, 2, …; inf or nan at the poles 0, -1, -2, …

    (-1)^(n+1) n! zeta(n+1, x): Abramowitz and Stegun 6.4.10.
    """
    if n == 0:
        return digamma(x)
    if not (n >= 0 and n % 1 == 0) or x != x or x == -inf:
        return nan
    if x <= 0 and x == math.floor(x):
        return inf if n % 2 == 1 else nan
    sign = 1.0 if n % 2 == 1 else -1.0
    zeta = _hurwitz_zeta(int(n) + 1, x)
    try:
        return sign * math.gamma(n + 1) * zeta
    except OverflowError:  # n! overflows, but the product need not
        return sign * zeta if zeta in (0, inf) else sign * _scaled_up(n, zeta)


def _scaled_up(n: float, zeta: float) -> float:
    """Return n! zeta by logarithms, accurate to about n ulps."""
    try:
        return math.copysign(math.exp(math.lgamma(n + 1) + math.log(abs(zeta))), zeta)
    except OverflowError:
        return math.copysign(inf, zeta)


def _power(q: float, s: int) -> float:
    try:
        return q**s
    except OverflowError:
        return -inf if q < 0 and s % 2 else inf


def _hurwitz_zeta(s: int, q: float) -> float:
    """Return the sum of 1/(q+k)^s over k >= 0, for s >= 2 and q not a pole (Euler-Maclaurin)."""
    if q < -_MANY:  # the sum over all integers has period 1; subtract the part left of q
        fraction = q - math.floor(q)
        left = _hurwitz_zeta(s, 1 - fraction) - _hurwitz_zeta(s, 1 - q)
        return _hurwitz_zeta(s, fraction) + (left if s % 2 == 0 else -left)
    terms = []
    while q < _LARGE + s:
        terms.append(_power(q, -s))
        q += 1
    terms += [_power(q, 1 - s) / (s - 1), 0.5 * _power(q, -s)]
    rising = float(s)  # s (s+1) … (s+2j-2) / (2j)!
    for j, bernoulli in enumerate(_BERNOULLI, 1):
        rising = rising if j == 1 else rising * (s + 2 * j - 3) * (s + 2 * j - 2)
        terms.append(bernoulli / math.factorial(2 * j) * rising * _power(q, 1 - s - 2 * j))
    return math.fsum(terms)


def erfinv(y: float) -> float:
    """Return x with erf(x) = y; infinite at -1 and 1, nan beyond.

    From Winitzki's estimate, which is within 0.2 %, three steps of Halley's method, each of which
    cubes the error; beyond 1/2 on erfc, so that no digit of 1 - y is lost. Source: S. Winitzki, A
    handy approximation for the error function and its inverse, 2008, equation 7.
    """
    if not -1 < y < 1:
        return math.copysign(inf, y) if abs(y) == 1 else nan
    size = abs(y)
    log = math.log1p(-size * size) if size < 0.5 else math.log((1 - size) * (1 + size))
    half = 2 / (math.pi * 0.147) + log / 2
    square = -log / 0.147
    x = math.sqrt(square / (math.sqrt(half * half + square) + half))
    for _ in range(3):
        off = math.erf(x) - size if size < 0.5 else (1 - size) - math.erfc(x)
        newton = off * _HALF_ROOT_PI * math.exp(x * x)
        x -= newton / (1 + x * newton)
    return math.copysign(x, y)


def sinc(x: float) -> float:
    """Return sin(pi x) / (pi x), 1 at 0; exactly 0 at all other whole numbers."""
    if x - x != 0:
        return 0.0 if x == x else nan
    if x == 0:
        return 1.0
    return _sine_of_pi(x) / (math.pi * x)


def _sine_of_pi(x: float, quarters: int = 0) -> float:
    """Return sin(pi x + quarters pi / 2), with ``x`` reduced before it is multiplied by pi."""
    x = math.fmod(x, 2.0)
    whole = round(2 * x)
    rest = math.pi * (x - whole / 2)
    turn = (whole + quarters) % 4
    size = math.sin(rest) if turn % 2 == 0 else math.cos(rest)
    return size if turn < 2 else -size


def sinc_derivative(n: float, x: float) -> float:
    """Return the n-th derivative of ``sinc``, n = 0, 1, 2, …

    With f the n-th derivative of sin(pi x) / (pi x) and g the one before it, Leibniz' rule gives
    x f + n g = pi^(n-1) sin(pi x + n pi/2). Near 0, where that cancels, the power series.
    """
    if not (n >= 0 and n % 1 == 0) or x != x:
        return nan
    if abs(x) == inf:
        return 0.0
    order = int(n)
    try:
        if math.pi * abs(x) <= max(1.5, order / 2):
            return math.pi**order * _sinc_series(order, math.pi * x)
        f = sinc(x)
        for k in range(1, order + 1):
            f = (math.pi ** (k - 1) * _sine_of_pi(x, k) - k * f) / x
        return f
    except OverflowError:
        return nan


def _sinc_series(n: int, y: float) -> float:
    """Return the n-th derivative of sin(y) / y, summed over the terms (-1)^k y^2k / (2k+1)!"""
    first = n % 2
    term = (-1.0) ** ((n + first) // 2) * (y if first else 1.0) / (n + first + 1)
    terms = [term]
    degree = first  # of the term, which is y^degree / degree! / (n + degree + 1) but for its sign
    while abs(term) > 1e-20 * abs(terms[0]):
        degree += 2
        term *= -y * y / (degree * (degree - 1)) * ((n + degree - 1) / (n + degree + 1))
        terms.append(term)
    return math.fsum(terms)
