"""A proof by sympy that the local derivatives of a row are the derivatives of its value.

A row that chooses (``m.where``) is a smooth formula on each branch. The branches are found by
trying points of the domain; on each, sympy must simplify the difference of the formulas to 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from operator import add
from typing import Any

from microgradient.check.numbers.branches import branches
from microgradient.check.numbers.number_systems import named_as_in
from microgradient.check.numbers.running_error import NOT_IN_THIS_ARITHMETIC
from microgradient.engine.arithmetic import FLOATS, Arithmetic
from microgradient.engine.op import Op

_FEW = 8


def prove(op: Op, points: Sequence[Sequence[float]]) -> str:
    """Return "proved, … branches", "refuted: …" or "not decided: …" for the row ``op``.

    ``points`` are operands in its domain; the branches taken there are the ones proved. Raises
    ImportError, saying what to install, without sympy.
    """
    sp = _sympy()
    cases: dict[tuple[Any, ...], Sequence[float]] = {}
    taken = set()
    for point in points:
        here = branches(op, point, FLOATS)
        taken.add(here)
        signs = [x > 0 for x in point] if len(point) <= _FEW else []  # they double for each operand
        cases.setdefault((here, *signs), point)
    for point in cases.values():
        try:
            verdict = _prove_case(sp, op, point)
        except NOT_IN_THIS_ARITHMETIC as fault:
            return f"not decided: {fault}"
        if verdict:
            return verdict
    return f"proved, {len(taken)} branch{'es' * (len(taken) > 1)}"


def _prove_case(sp: Any, op: Op, point: Sequence[float]) -> str | None:
    m, symbols = _arithmetic(sp, point)
    for i, (low, high) in enumerate(op.domain):
        if low == high:
            symbols[i] = sp.nsimplify(low)  # a fixed number: an order, for example
    v = op.value(m, *symbols)
    for i, (x, partial) in enumerate(zip(symbols, op.partials(m, v, *symbols))):
        low, high = op.domain[min(i, len(op.domain) - 1)]
        if low == high:
            continue  # no derivative by it
        residual = _exact_numbers(sp, (sp.diff(v, x) - partial).subs(m.detached))
        at = dict(zip(symbols, map(sp.Rational, map(str, point))))
        number = complex(residual.subs(at).evalf(30)).real
        size = abs(complex(sp.sympify(partial).subs(m.detached).subs(at).evalf(30)))
        if abs(number) > 1e-14 * size:  # an unrecognised constant may differ by a rounding
            return f"refuted: by operand {i} at {list(point)} the row is off by {-number:.3g}"
        if abs(number) <= 1e-20 * size and _is_zero(sp, residual):
            continue
        return f"not decided: by operand {i}, sympy does not simplify the difference to 0"
    return None


def _is_zero(sp: Any, residual: Any) -> bool:
    tries: tuple[Callable[[Any], Any], ...] = (
        lambda e: e,
        sp.simplify,
        lambda e: sp.simplify(sp.expand(e.rewrite(sp.exp), func=True)),
        lambda e: sp.simplify(sp.expand_func(e)),
    )
    return any(attempt(residual) == 0 for attempt in tries)


def _exact_numbers(sp: Any, expression: Any) -> Any:
    """Return ``expression`` with the constants that its floats stand for: log(2) for 0.693…"""
    known = [sp.log(2), sp.log(10), sp.sqrt(2), sp.sqrt(sp.pi), sp.sqrt(2 * sp.pi), sp.pi]
    known += [sp.pi / 180, sp.Integer(1)]
    known += [1 / c for c in known]
    half, stands_for = sp.Rational(1, 2), {}
    for number in sp.sympify(expression).atoms(sp.Float):
        exact = [c * k for c in known for k in (1, -1, 2, -2, half, -half)]
        near = [e for e in exact if abs(float(e) - float(number)) <= 1e-15 * abs(float(number))]
        stands_for[number] = near[0] if near else sp.Rational(float(number))
    return sp.sympify(expression).xreplace(stands_for)


def _arithmetic(sp: Any, point: Sequence[float]) -> tuple[Any, list[Any]]:
    """Return the arithmetic of formulas that branches as at ``point``, and symbols to use in it."""
    symbols = [
        sp.Symbol(f"x{i}", positive=True) if x > 0 else sp.Symbol(f"x{i}", real=True)
        for i, x in enumerate(point)
    ]
    here: dict[Any, Any] = dict(zip(symbols, map(sp.Float, point)))
    detached: dict[Any, Any] = {}

    def holds(condition: Any) -> bool:
        known: Mapping[Any, Any] = {**here, **{d: x.subs(here) for d, x in detached.items()}}
        return bool(sp.sympify(condition).subs(known))

    def where(condition: Any, x: Any, y: Any) -> Any:
        return sp.sympify(x if holds(condition) else y)

    def fixed(x: Any) -> Any:
        """Return a symbol that stands for ``x`` and that no derivative passes through."""
        symbol = sp.Symbol(f"c{len(detached)}", real=True)
        detached[symbol] = sp.sympify(x).subs(detached)
        return symbol

    def sinc_derivative(n: Any, x: Any) -> Any:
        t = sp.Dummy()
        return sp.diff(sp.sin(sp.pi * t) / (sp.pi * t), t, int(n)).subs(t, x)

    def sign(x: Any) -> Any:
        return where(x > 0, 1, where(x < 0, -1, 0))

    m: Any = Arithmetic(
        {
            **named_as_in(sp),
            "lgamma": sp.loggamma,
            "expm1": lambda x: sp.exp(x) - 1,
            "log1p": lambda x: sp.log(1 + x),
            "log2": lambda x: sp.log(x) / sp.log(2),
            "log10": lambda x: sp.log(x) / sp.log(10),
            "cbrt": lambda x: sign(x) * (sign(x) * x) ** sp.Rational(1, 3),
            "div": lambda x, y: sp.sympify(x) / y,
            "pow": lambda x, p: x**p,
            "mod": lambda x, y: x - y * fixed(sp.floor(x / y)),
            "sinc": lambda x: sp.sin(sp.pi * x) / (sp.pi * x),
            "sinc_derivative": sinc_derivative,
            "hypot": lambda x, y: sp.sqrt(x * x + y * y),
            "abs": lambda x: sign(x) * x,
            "sign": sign,
            "step": lambda x: where(x > 0, 1, 0),
            "floor": lambda x: fixed(sp.floor(x)),
            "ceil": lambda x: fixed(sp.ceiling(x)),
            "maximum": lambda x, y: where(x > y, x, y),
            "minimum": lambda x, y: where(x < y, x, y),
            "fsum": lambda xs: reduce(add, xs, sp.Integer(0)),
            "where": where,
            "equal": lambda x, y: sp.Eq(x, y),
            "detach": lambda x: x,  # the derivative is the value's, whatever the row cuts off
        }
    )
    m.detached = detached
    return m, symbols


def _sympy() -> Any:
    try:
        import sympy
    except ImportError:
        raise ImportError(
            "a proof needs sympy; install it with: pip install 'microgradient[check]'"
        ) from None
    return sympy
