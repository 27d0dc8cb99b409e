"""exp, expm1, log, log1p and tanh over lanes: within 2 ulps, with IEEE's special values.

The polynomials interpolate at Chebyshev points; their relative errors are below 2^-57 (that of
``_EXP_ALONE``: 2^-54). Argument reduction by k log 2 in two parts: W. J. Cody and W. Waite,
Software Manual for the Elementary Functions, 1980, chapter 6. log(1+f) from s = f/(2+f):
Abramowitz and Stegun 4.1.27.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from math import inf, log, nan, sqrt

from microgradient.compiler.llvm.builder import Arithmetic, Lines

_LOG2E = 1 / log(2)
_LN2_HIGH, _LN2_LOW = float.fromhex("0x1.62e42fefa0000p-1"), float.fromhex("0x1.cf79abc9e3b3ap-40")
_ROUNDER = 1.5 * 2.0**52  # adding it rounds to a whole number, whose bits then stand lowest

_EXP = tuple(  # (expm1(r) - r) / r^2 for |r| <= log(2)/2
    map(
        float.fromhex,
        [
            "0x1.0000000000000p-1",
            "0x1.5555555555555p-3",
            "0x1.5555555555556p-5",
            "0x1.11111111100dfp-7",
            "0x1.6c16c16c162d6p-10",
            "0x1.a01a01abe6323p-13",
            "0x1.a01a01a6d7831p-16",
            "0x1.71de0237484cdp-19",
            "0x1.27e4db67ac2b0p-22",
            "0x1.af4ddda1c08cdp-26",
            "0x1.1f72fc83bcbc7p-29",
        ],
    )
)
_EXP_ALONE = tuple(  # the same, to 2^-54: enough where 1 is added
    map(
        float.fromhex,
        [
            "0x1.0000000000001p-1",
            "0x1.5555555555556p-3",
            "0x1.5555555553d68p-5",
            "0x1.11111111109b5p-7",
            "0x1.6c16c17889f3cp-10",
            "0x1.a01a01a7c2f2cp-13",
            "0x1.a019b914881bap-16",
            "0x1.71de0db2eb873p-19",
            "0x1.28917c9f3a495p-22",
            "0x1.af389eea54156p-26",
        ],
    )
)
_LOG = tuple(  # (2 atanh(s) - 2s) / s^3 in s^2, for |s| <= (sqrt(2)-1)/(sqrt(2)+1)
    map(
        float.fromhex,
        [
            "0x1.5555555555558p-1",
            "0x1.99999999952e2p-2",
            "0x1.2492492df14bcp-2",
            "0x1.c71c62e57c3c4p-3",
            "0x1.7462b4ac441afp-3",
            "0x1.39fe604146b74p-3",
            "0x1.2b584c6b42d60p-3",
        ],
    )
)


def _polynomial(a: Arithmetic, x: str, coefficients: Sequence[float]) -> str:
    """Pair neighbours first (Estrin): half as long a chain as Horner's."""
    x2 = a.mul(x, x)
    terms = [a.constant(c) for c in coefficients]
    pairs = [
        a.fma(terms[i + 1], x, terms[i]) if i + 1 < len(terms) else terms[i]
        for i in range(0, len(terms), 2)
    ]
    result = pairs[-1]
    for pair in reversed(pairs[:-1]):
        result = a.fma(result, x2, pair)
    return result


def _reduced(a: Arithmetic, x: str, coefficients: Sequence[float] = _EXP) -> tuple[str, str, str]:
    """Return r, expm1(r) - r and the whole number k (as a double) with x = k log 2 + r."""
    shifted = a.fma(x, a.constant(_LOG2E), a.constant(_ROUNDER))
    k = a.sub(shifted, a.constant(_ROUNDER))
    minus_k = a.neg(k)
    r = a.fma(minus_k, a.constant(_LN2_LOW), a.fma(minus_k, a.constant(_LN2_HIGH), x))
    tail = a.mul(a.mul(r, r), _polynomial(a, r, coefficients))
    return r, tail, k


def _whole(a: Arithmetic, k: str) -> str:
    """Return the whole number k as an integer."""
    shifted = a.add(k, a.constant(_ROUNDER))
    return a.int_op("sub", a.as_ints(shifted), _bits(_ROUNDER))


def _bits(x: float) -> int:
    return int(struct.unpack("<q", struct.pack("<d", x))[0])


def _power_of_two(a: Arithmetic, k: str) -> str:
    return a.as_doubles(a.int_op("shl", a.int_op("add", k, 1023), 52))


def _clamped(a: Arithmetic, x: str, low: float, high: float) -> str:
    """Return x within bounds, nan staying nan."""
    x = a.select(a.compare("ogt", x, a.constant(high)), a.constant(high), x)
    return a.select(a.compare("olt", x, a.constant(low)), a.constant(low), x)


def _scaled(a: Arithmetic, r: str, tail: str, scale: str) -> tuple[str, str]:
    """Return a large and a small part of scale (1 + r + tail) - 1."""
    base = a.sub(scale, a.constant(1.0))
    sum_ = a.fma(scale, r, base)
    lost = a.fma(scale, r, a.sub(base, sum_))
    return sum_, a.fma(scale, tail, lost)


def exp(a: Arithmetic, x: str) -> str:
    """2^k (1 + expm1(r)), scaled in two steps so that subnormal results are rounded once."""
    return exp_falling(a, a.select(a.compare("ogt", x, a.constant(710.0)), a.constant(710.0), x))


def exp_falling(a: Arithmetic, x: str) -> str:
    """exp for arguments that are known not to be large, such as -|x|."""
    bounded = a.select(a.compare("olt", x, a.constant(-746.0)), a.constant(-746.0), x)
    r, tail, k = _reduced(a, bounded, _EXP_ALONE)
    p = a.add(r, tail)
    if a.lanes == 8:  # AVX-512 has one instruction for it
        return a.scaled(a.add(p, a.constant(1.0)), k)
    k = _whole(a, k)
    half = a.int_op("ashr", k, 1)
    first, second = _power_of_two(a, half), _power_of_two(a, a.int_op("sub", k, half))
    return a.mul(a.mul(a.add(p, a.constant(1.0)), first), second)


def expm1(a: Arithmetic, x: str) -> str:
    """2^k expm1(r) + (2^k - 1): near 0, where k is 0, nothing but the polynomial."""
    bounded = _clamped(a, x, -40.0, 710.0)
    r, tail, k = _reduced(a, bounded)
    k = _whole(a, k)
    half = a.int_op("ashr", k, 1)  # 2^1024 is no double: half of it twice
    first, second = _power_of_two(a, half), _power_of_two(a, a.int_op("sub", k, half))
    scale = a.mul(first, second)
    near = a.add(*_scaled(a, r, tail, scale))
    far = a.mul(a.mul(a.add(a.add(r, tail), a.constant(1.0)), first), second)
    result = a.select(a.compare("ogt", bounded, a.constant(700.0)), far, near)
    return a.select(a.compare("oeq", x, a.constant(0.0)), x, result)  # -0 stays -0


def tanh(a: Arithmetic, x: str) -> str:
    """e / (e + 2) with e = expm1(2 |x|), and the sign of x."""
    size = a.call("fabs", x)
    doubled = a.add(size, size)
    bounded = a.select(a.compare("ogt", doubled, a.constant(40.0)), a.constant(40.0), doubled)
    r, tail, k = _reduced(a, bounded)
    large, small = _scaled(a, r, tail, _power_of_two(a, _whole(a, k)))
    e = a.add(large, small)
    below = a.add(e, a.constant(2.0))
    lost = a.sub(e, a.sub(below, a.constant(2.0)))  # by that addition; it counts where e is small
    weight = a.select(
        a.compare("olt", e, a.constant(0.5)), a.mul(e, a.constant(-0.5)), a.constant(0.0)
    )
    return a.call("copysign", a.div(a.add(large, a.fma(lost, weight, small)), below), x)


def _log_of(a: Arithmetic, f: str, k: str, correction: str | None) -> str:
    """log(1+f) + k log 2, with a small addend ``correction``."""
    half = a.mul(a.mul(f, f), a.constant(0.5))
    s = a.div(f, a.add(f, a.constant(2.0)))
    z = a.mul(s, s)
    r = a.mul(z, _polynomial(a, z, _LOG))
    tail = a.fma(k, a.constant(_LN2_LOW), a.mul(s, a.add(half, r)))
    if correction is not None:
        tail = a.add(tail, correction)
    return a.fma(k, a.constant(_LN2_HIGH), a.sub(f, a.sub(half, tail)))


def _split(a: Arithmetic, x: str) -> tuple[str, str]:
    """Return f and k (as a double) with x = (1+f) 2^k, 1+f from sqrt(1/2) to sqrt(2)."""
    below = _bits(sqrt(0.5))
    ints = a.as_ints(x)
    k = a.int_op("ashr", a.int_op("sub", ints, below), 52)
    mantissa = a.as_doubles(a.int_op("sub", ints, a.int_op("shl", k, 52)))
    as_double = a.sub(a.as_doubles(a.int_op("add", k, _bits(_ROUNDER))), a.constant(_ROUNDER))
    return a.sub(mantissa, a.constant(1.0)), as_double


def _ends(a: Arithmetic, x: str, result: str) -> str:
    """Put in log's special values: -inf at 0, nan below, inf and nan as they are."""
    zero = a.constant(0.0)
    result = a.select(a.compare("oeq", x, zero), a.constant(-inf), result)
    result = a.select(a.compare("olt", x, zero), a.constant(nan), result)
    return a.select(a.compare("oeq", x, a.constant(inf)), x, result)


def log_(a: Arithmetic, x: str) -> str:
    tiny = a.compare("olt", x, a.constant(2.0**-1022))
    scaled = a.select(tiny, a.mul(x, a.constant(2.0**54)), x)
    f, k = _split(a, scaled)
    k = a.select(tiny, a.sub(k, a.constant(54.0)), k)
    y = a.select(a.compare("uno", x, x), x, _log_of(a, f, k, None))
    return _ends(a, x, y)


def log1p(a: Arithmetic, x: str) -> str:
    """As log(1+x), adding what the rounding of 1+x lost; directly where x is small."""
    one = a.constant(1.0)
    u = a.add(x, one)
    f, k = _split(a, u)
    lost = a.select(a.compare("ogt", x, one), a.sub(one, a.sub(u, x)), a.sub(x, a.sub(u, one)))
    small = a.compare("olt", a.call("fabs", x), a.constant(0.29))
    f = a.select(small, x, f)
    k = a.select(small, a.constant(0.0), k)
    correction = a.select(small, a.constant(0.0), a.div(lost, u))
    y = a.select(a.compare("uno", x, x), x, _log_of(a, f, k, correction))
    y = a.select(a.compare("oeq", x, a.constant(0.0)), x, y)
    return _ends(a, u, y)


FUNCTIONS: dict[str, Callable[[Arithmetic, str], str]] = {
    "exp": exp,
    "exp_falling": exp_falling,
    "expm1": expm1,
    "log": log_,
    "log1p": log1p,
    "tanh": tanh,
}


def definition(name: str, lanes: int, *, inline: bool = True) -> str:
    """Return the definition of a function over ``lanes`` doubles, ``@name_lanes``."""
    lines = Lines()
    a = Arithmetic(lines, lanes)
    lines.do(f"ret {a.type} {FUNCTIONS[name](a, '%x')}")
    hint = "#0" if inline else "noinline nounwind"
    head = f"define internal {a.type} @{name}_{lanes}({a.type} %x) {hint} {{"
    return "\n".join([head, "entry:", *lines.lines, "}"])
