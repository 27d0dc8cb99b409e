"""exp, expm1, log, log1p and tanh over lanes: within 2 ulps, with IEEE's special values.

The polynomials interpolate at Chebyshev points; their relative errors are below 2^-57 (that of
``_EXP_ALONE``: 2^-54). Argument reduction by k log 2 in two parts: W. J. Cody and W. Waite,
Software Manual for the Elementary Functions, 1980, chapter 6. log(1+f) from s = f/(2+f):
Abramowitz and Stegun 4.1.27.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from functools import partial
from math import inf, log, nan, sqrt

from microgradient.compiler.llvm.builder import Builder, Callee, Function
from microgradient.compiler.llvm.lanes import Integers, Lanes, Vector

_LOG2E = 1 / log(2)
_LN2_HIGH, _LN2_LOW = float.fromhex("0x1.62e42fefa0000p-1"), float.fromhex("0x1.cf79abc9e3b3ap-40")
_ROUNDER = 1.5 * 2.0**52  # adding it rounds to a whole number, whose bits then stand lowest


def _numbers(hexadecimal: str) -> tuple[float, ...]:
    return tuple(map(float.fromhex, hexadecimal.split()))


_EXP = _numbers(  # (expm1(r) - r) / r^2 for |r| <= log(2)/2
    "0x1.0000000000000p-1 0x1.5555555555555p-3 0x1.5555555555556p-5 0x1.11111111100dfp-7 "
    "0x1.6c16c16c162d6p-10 0x1.a01a01abe6323p-13 0x1.a01a01a6d7831p-16 0x1.71de0237484cdp-19 "
    "0x1.27e4db67ac2b0p-22 0x1.af4ddda1c08cdp-26 0x1.1f72fc83bcbc7p-29"
)
_EXP_ALONE = _numbers(  # the same, to 2^-54: enough where 1 is added
    "0x1.0000000000001p-1 0x1.5555555555556p-3 0x1.5555555553d68p-5 0x1.11111111109b5p-7 "
    "0x1.6c16c17889f3cp-10 0x1.a01a01a7c2f2cp-13 0x1.a019b914881bap-16 0x1.71de0db2eb873p-19 "
    "0x1.28917c9f3a495p-22 0x1.af389eea54156p-26"
)
_LOG = _numbers(  # (2 atanh(s) - 2s) / s^3 in s^2, for |s| <= (sqrt(2)-1)/(sqrt(2)+1)
    "0x1.5555555555558p-1 0x1.99999999952e2p-2 0x1.2492492df14bcp-2 0x1.c71c62e57c3c4p-3 "
    "0x1.7462b4ac441afp-3 0x1.39fe604146b74p-3 0x1.2b584c6b42d60p-3"
)


def fma(x: Vector, y: Vector | float, z: Vector | float) -> Vector:
    """Return x * y + z, rounded once where the processor can."""
    return x.lanes.intrinsic("fmuladd", x, x.like(y), x.like(z))


def _polynomial(x: Vector, coefficients: Sequence[float]) -> Vector:
    """Pair neighbours first (Estrin): half as long a chain as Horner's."""
    x2 = x * x
    terms = [x.like(c) for c in coefficients]
    pairs = [
        fma(x, terms[i + 1], terms[i]) if i + 1 < len(terms) else terms[i]
        for i in range(0, len(terms), 2)
    ]
    result = pairs[-1]
    for pair in reversed(pairs[:-1]):
        result = fma(result, x2, pair)
    return result


def _reduced(x: Vector, coefficients: Sequence[float] = _EXP) -> tuple[Vector, Vector, Vector]:
    """Return r, expm1(r) - r and the whole number k (as a double) with x = k log 2 + r."""
    k = fma(x, _LOG2E, _ROUNDER) - _ROUNDER
    minus_k = -k
    r = fma(minus_k, _LN2_LOW, fma(minus_k, _LN2_HIGH, x))
    return r, r * r * _polynomial(r, coefficients), k


def _whole(k: Vector) -> Integers:
    """Return the whole number k as an integer."""
    return (k + _ROUNDER).bits() - _bits(_ROUNDER)


def _bits(x: float) -> int:
    return int(struct.unpack("<q", struct.pack("<d", x))[0])


def _power_of_two(k: Integers) -> Vector:
    return ((k + 1023) << 52).doubles()


def _halves(k: Integers) -> tuple[Vector, Vector]:
    """Return two powers of two whose product is 2^k: 2^1024 is no double, nor is 2^-1074 normal."""
    half = k >> 1
    return _power_of_two(half), _power_of_two(k - half)


def _at_most(x: Vector, high: float) -> Vector:
    """Return x or the bound, nan staying nan."""
    return (x > high).choose(high, x)


def _at_least(x: Vector, low: float) -> Vector:
    return (x < low).choose(low, x)


def _scaled(r: Vector, tail: Vector, scale: Vector) -> tuple[Vector, Vector]:
    """Return a large and a small part of scale (1 + r + tail) - 1."""
    base = scale - 1.0
    sum_ = fma(scale, r, base)
    lost = fma(scale, r, base - sum_)
    return sum_, fma(scale, tail, lost)


def exp(x: Vector) -> Vector:
    """2^k (1 + expm1(r)), scaled in two steps so that subnormal results are rounded once."""
    return exp_nonpositive(_at_most(x, 710.0))


def exp_nonpositive(x: Vector) -> Vector:
    """exp for arguments that are known not to be large, such as -|x|."""
    r, tail, k = _reduced(_at_least(x, -746.0), _EXP_ALONE)
    p = r + tail + 1.0
    if x.lanes.count == 8:  # AVX-512 has one instruction for it
        kind = x.lanes.type
        callee = Callee("llvm.x86.avx512.mask.scalef.pd.512", kind, (kind, kind, kind, "i8", "i32"))
        return Vector(
            x.lanes, x.lanes.builder.call(callee, p.name, k.name, "zeroinitializer", -1, 4)
        )
    first, second = _halves(_whole(k))
    return p * first * second


def expm1(x: Vector) -> Vector:
    """2^k expm1(r) + (2^k - 1): near 0, where k is 0, nothing but the polynomial."""
    bounded = _at_least(_at_most(x, 710.0), -40.0)
    r, tail, k = _reduced(bounded)
    first, second = _halves(_whole(k))
    large, small = _scaled(r, tail, first * second)
    far = (r + tail + 1.0) * first * second
    result = (bounded > 700.0).choose(far, large + small)
    return x.compare("oeq", 0.0).choose(x, result)  # -0 stays -0


def tanh(x: Vector) -> Vector:
    """e / (e + 2) with e = expm1(2 |x|), and the sign of x."""
    size = x.lanes.intrinsic("fabs", x)
    r, tail, k = _reduced(_at_most(size + size, 40.0))
    large, small = _scaled(r, tail, _power_of_two(_whole(k)))
    e = large + small
    below = e + 2.0
    lost = e - (below - 2.0)  # by that addition; it counts where e is small
    weight = (e < 0.5).choose(e * -0.5, 0.0)
    return x.lanes.intrinsic("copysign", (large + fma(lost, weight, small)).divided_by(below), x)


def _log_of(f: Vector, k: Vector, correction: Vector | None) -> Vector:
    """log(1+f) + k log 2, with a small addend ``correction``."""
    half = f * f * 0.5
    s = f.divided_by(f + 2.0)
    z = s * s
    tail = fma(k, _LN2_LOW, s * (half + z * _polynomial(z, _LOG)))
    if correction is not None:
        tail = tail + correction
    return fma(k, _LN2_HIGH, f - (half - tail))


def _split(x: Vector) -> tuple[Vector, Vector]:
    """Return f and k (as a double) with x = (1+f) 2^k, 1+f from sqrt(1/2) to sqrt(2)."""
    bits = x.bits()
    k = (bits - _bits(sqrt(0.5))) >> 52
    mantissa = (bits - (k << 52)).doubles()
    return mantissa - 1.0, (k + _bits(_ROUNDER)).doubles() - _ROUNDER


def _ends(x: Vector, result: Vector) -> Vector:
    """Put in log's special values: -inf at 0, nan below, inf and nan as they are."""
    result = x.compare("oeq", 0.0).choose(-inf, result)
    result = (x < 0.0).choose(nan, result)
    return x.compare("oeq", inf).choose(x, result)


def log_(x: Vector) -> Vector:
    """k log 2 + log(1+f) of x = (1+f) 2^k; subnormal numbers are scaled first."""
    tiny = x < 2.0**-1022
    f, k = _split(tiny.choose(x * 2.0**54, x))
    k = tiny.choose(k - 54.0, k)
    return _ends(x, x.compare("uno", x).choose(x, _log_of(f, k, None)))


def log1p(x: Vector) -> Vector:
    """As log(1+x), adding what the rounding of 1+x lost; directly where x is small."""
    u = x + 1.0
    f, k = _split(u)
    lost = (x > 1.0).choose(1.0 - (u - x), x - (u - 1.0))
    small = x.lanes.intrinsic("fabs", x) < 0.29
    f = small.choose(x, f)
    k = small.choose(0.0, k)
    correction = small.choose(0.0, lost.divided_by(u))
    y = x.compare("uno", x).choose(x, _log_of(f, k, correction))
    return _ends(u, x.compare("oeq", 0.0).choose(x, y))


FUNCTIONS: dict[str, Callable[[Vector], Vector]] = {
    "exp": exp,
    "exp_nonpositive": exp_nonpositive,
    "expm1": expm1,
    "log": log_,
    "log1p": log1p,
    "tanh": tanh,
}


def calling(name: str) -> Callable[[Vector], Vector]:
    """Return the operation that calls a function of this module, one function for all lanes."""

    def called(x: Vector) -> Vector:
        lanes = x.lanes
        definition = partial(_definition, name, lanes.count)
        callee = Callee(
            f"{name}_{lanes.count}", lanes.type, (lanes.type,), definition, inlined=True
        )
        return lanes.call(callee, x)

    return called


def _definition(name: str, count: int, inline: bool) -> Function:
    """Return the function ``@name_count`` over ``count`` doubles."""
    builder = Builder()
    lanes = Lanes(builder, count)
    result = FUNCTIONS[name](Vector(lanes, "%x"))
    hint = "#0" if inline else "noinline nounwind"
    full = f"{name}_{count}"
    head = f"internal {lanes.type} @{full}({lanes.type} %x) {hint}"
    return builder.function(head, full, f"{lanes.type} {result.name}")
