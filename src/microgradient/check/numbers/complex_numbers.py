"""Complex numbers for the complex step: f(x + ih) = f(x) + ih f'(x) + O(h²).

No difference is taken, so with h = 1e-200 the derivative is right to the last digits. This holds
for analytic functions; abs, max and comparisons use the real part, and so take the branch that the
real function takes. Source: Squire and Trapp, Using Complex Variables to Estimate Derivatives of
Real Functions, 1998.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable
from functools import cache, reduce
from operator import add

from microgradient.check.numbers.number_systems import named_as_in
from microgradient.check.numbers.taylor import AtKink
from microgradient.engine.arithmetic import Arithmetic


def step_at(x: float) -> float:
    """Return a step that vanishes beside x, but whose products do not underflow."""
    return 1e-200 if x == 0 or abs(x) > 1e-100 else abs(x) * 1e-100


class Complex:
    """A complex number that compares by its real part."""

    __slots__ = ("z",)

    def __init__(self, z: complex) -> None:
        self.z = z

    def __neg__(self) -> Complex:
        return Complex(-self.z)

    def __add__(self, other: Complex | float) -> Complex:
        return Complex(self.z + lifted(other).z)

    def __sub__(self, other: Complex | float) -> Complex:
        return Complex(self.z - lifted(other).z)

    def __rsub__(self, other: Complex | float) -> Complex:
        return Complex(lifted(other).z - self.z)

    def __mul__(self, other: Complex | float) -> Complex:
        a, b = self.z, lifted(other).z
        return Complex(
            complex(a.real * b.real - a.imag * b.imag, a.real * b.imag + a.imag * b.real)
        )

    __radd__ = __add__
    __rmul__ = __mul__

    def __lt__(self, other: Complex | float) -> bool:
        return self.z.real < lifted(other).z.real

    def __gt__(self, other: Complex | float) -> bool:
        return self.z.real > lifted(other).z.real


def lifted(x: Complex | float) -> Complex:
    return x if isinstance(x, Complex) else Complex(complex(x))


def _of_real(function: Callable[[float], float], x: Complex) -> Complex:
    return Complex(complex(function(x.z.real)))


def _equal(x: Complex | float, y: Complex | float) -> bool:
    a, b = lifted(x).z, lifted(y).z
    if a.real == b.real and a.imag != b.imag:
        raise AtKink("equal")
    return a.real == b.real


def _power(x: complex, p: complex) -> complex:
    if p.imag == 0 and p.real == math.floor(p.real):  # Python goes polar for exponents above 100
        slope = p.real * x.real ** (p.real - 1) if p.real else 0.0
        return complex(x.real**p.real, slope * x.imag)
    if x.real < 0 and p.imag:  # real at whole exponents alone, so without a derivative by them
        return complex(math.nan, math.nan)
    if x == 0 and p.real > 0:
        return 0j
    return cmath.exp(p * cmath.log(x))


@cache
def complex_numbers() -> Arithmetic[Complex]:
    """Return the arithmetic of complex numbers: the functions of cmath, and those built on them."""

    def function(name: str, f: Callable[..., complex]) -> Callable[..., Complex]:
        def applied(*operands: Complex | float) -> Complex:
            try:
                return Complex(f(*[lifted(x).z for x in operands]))
            except (OverflowError, ValueError, ZeroDivisionError):
                return Complex(complex(math.nan, math.nan))

        return applied

    functions: dict[str, Callable[..., complex]] = {
        **named_as_in(cmath),
        "div": lambda x, y: x / y,
        "log2": lambda z: cmath.log(z) / math.log(2),
        "log1p": lambda z: complex(math.log1p(z.real), z.imag / (1 + z.real)),
        "expm1": lambda z: complex(math.expm1(z.real), z.imag * math.exp(z.real)),
        "hypot": lambda x, y: cmath.sqrt(x * x + y * y),
        "pow": _power,
        "abs": lambda z: -z if z.real < 0 else z,
    }
    flat: dict[str, Callable[[float], float]] = {
        "sign": lambda x: float((x > 0) - (x < 0)),
        "step": lambda x: float(x > 0),
        "floor": lambda x: float(math.floor(x)),
        "ceil": lambda x: float(math.ceil(x)),
    }

    def constant(f: Callable[[float], float]) -> Callable[[Complex | float], Complex]:
        return lambda x: _of_real(f, lifted(x))

    return Arithmetic(
        {
            **{name: function(name, f) for name, f in functions.items()},
            **{name: constant(f) for name, f in flat.items()},
            "maximum": lambda x, y: lifted(x) if lifted(x) > y else lifted(y),
            "minimum": lambda x, y: lifted(x) if lifted(x) < y else lifted(y),
            "fsum": lambda xs: reduce(add, xs, Complex(0j)),
            "where": lambda condition, x, y: x if condition else y,
            "equal": _equal,
            "detach": lambda x: _of_real(float, lifted(x)),
            "lift": lifted,
        }
    )
