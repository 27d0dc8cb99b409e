"""Digamma and polygamma over floats: the derivatives of ``lgamma``, which ``math`` lacks."""

from __future__ import annotations

import math
from math import inf, nan

# Bernoulli numbers B2, B4, … (Abramowitz and Stegun, table 23.2).
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)
_MANY = 100  # terms left of 0 to sum directly; beyond, symmetry is worth its cancellation
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
