"""Operations written down: a row evaluated in an arithmetic whose numbers are formulas.

One class, two notations: text that a programmer reads, and LaTeX.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from microgradient.engine import ops
from microgradient.engine.arithmetic import Arithmetic
from microgradient.engine.op import Op
from microgradient.engine.ops import OPS

CHOICE, SUM, MINUS, PRODUCT, ATOM = range(5)  # how strongly a formula holds together


@dataclass(frozen=True)
class Notation:
    """How a product, a quotient, a power, a call, a number and brackets are written."""

    times: str
    dots: str
    quotient: Callable[[Formula, Formula], Formula]
    power: Callable[[Formula, Formula], Formula]
    call: Callable[[str, Sequence[str]], str]
    number: Callable[[float], str]
    brackets: str


@dataclass(frozen=True)
class Formula:
    """A formula in a notation; ``+ - *`` and comparisons make longer ones."""

    text: str
    notation: Notation
    strength: int = ATOM

    def within(self, strength: int) -> str:
        """Return the text, in brackets unless it holds together at least that strongly."""
        return self.text if self.strength >= strength else self.notation.brackets % self.text

    def _of(self, other: Any) -> Formula:
        if isinstance(other, Formula):
            return other
        return number(self.notation, other)

    def _made(self, text: str, strength: int) -> Formula:
        return Formula(text, self.notation, strength)

    def __add__(self, other: Any) -> Formula:
        return self._made(f"{self.within(SUM)} + {self._of(other).within(PRODUCT)}", SUM)

    def __radd__(self, other: Any) -> Formula:
        return self._of(other) + self

    def __sub__(self, other: Any) -> Formula:
        return self._made(f"{self.within(SUM)} - {self._of(other).within(PRODUCT)}", SUM)

    def __rsub__(self, other: Any) -> Formula:
        return self._of(other) - self

    def __mul__(self, other: Any) -> Formula:
        text = f"{self.within(MINUS)}{self.notation.times}{self._of(other).within(PRODUCT)}"
        return self._made(text, PRODUCT)

    def __rmul__(self, other: Any) -> Formula:
        return self._of(other) * self

    def __neg__(self) -> Formula:
        return self._made(f"-{self.within(PRODUCT)}", MINUS)

    def __gt__(self, other: Any) -> Formula:
        return self._made(f"{self.text} > {self._of(other).text}", CHOICE)

    def __lt__(self, other: Any) -> Formula:
        return self._made(f"{self.text} < {self._of(other).text}", CHOICE)

    def __bool__(self) -> bool:
        raise TypeError("a formula is neither true nor false")


def number(notation: Notation, x: float) -> Formula:
    """Return the formula of a number; a negative one is bracketed in products."""
    text = notation.number(x)
    strength = MINUS if text.startswith("-") else PRODUCT if " " in text else ATOM
    return Formula(text, notation, strength)


def arithmetic(notation: Notation) -> Arithmetic[Any]:
    """Return the arithmetic that writes in ``notation``."""

    def of(x: Any) -> Formula:
        return x if isinstance(x, Formula) else number(notation, x)

    def call(name: str) -> Callable[..., Formula]:
        return lambda *xs: Formula(notation.call(name, [of(x).text for x in xs]), notation)

    def where(condition: Any, x: Any, y: Any) -> Formula:
        texts = of(x).text, condition.text, of(y).within(PRODUCT)
        return Formula("{} if {} else {}".format(*texts), notation, CHOICE)

    return Arithmetic(
        {
            **{name: call(name) for name in OPS},
            "add": lambda x, y: of(x) + of(y),
            "sub": lambda x, y: of(x) - of(y),
            "mul": lambda x, y: of(x) * of(y),
            "neg": lambda x: -of(x),
            "div": lambda x, y: notation.quotient(of(x), of(y)),
            "pow": lambda x, y: notation.power(of(x), of(y)),
            "fsum": lambda xs: _series(list(xs), lambda a, b: a + b, notation),
            "where": where,
            "equal": lambda x, y: Formula(f"{of(x).text} = {of(y).text}", notation, CHOICE),
            "detach": of,
        }
    )


_SIGNS = (ops.add, ops.sub, ops.mul, ops.neg, ops.div, ops.pow)
_MARKS = (ops.taken, ops.argument, ops.passed)  # a node that is its operand, on its way elsewhere
_FEW = 4  # terms of a sum that are written out; of more, the first two and the last


def _series(terms: list[Any], join: Callable[[Any, Any], Any], notation: Notation) -> Any:
    if not terms:
        return number(notation, 0.0)
    if len(terms) > _FEW:
        terms = [*terms[:2], Formula(notation.dots, notation), terms[-1]]
    total = terms[0]
    for term in terms[1:]:
        total = join(total, term)
    return total


def written(op: Op, operands: Sequence[Formula], notation: Notation) -> Formula:
    """Return the formula of ``op`` on ``operands``: ``w * x``, ``tanh(s)``, …"""
    m = arithmetic(notation)
    if op is ops.dot:
        n = len(operands) // 2
        products = [w * x for w, x in zip(operands[:n], operands[n : 2 * n])]
        return m.fsum([*products, *operands[2 * n :]])  # type: ignore[no-any-return]
    if op is ops.fsum:
        return m.fsum(operands)  # type: ignore[no-any-return]
    if op is ops.prod:
        return _series(list(operands), lambda a, b: a * b, notation)  # type: ignore[no-any-return]
    if op in _MARKS:
        return operands[0]
    if op in _SIGNS:
        return getattr(m, op.name)(*operands)  # type: ignore[no-any-return]
    texts = [operand.text for operand in operands]
    if len(texts) > 2 * _FEW:
        texts = [*texts[:_FEW], notation.dots, *texts[-2:]]
    return Formula(notation.call(op.name, texts), notation)


_SHORTER = {  # mathematically the row's derivative, in the form that is taught
    ops.tanh: lambda v, x: 1 - v * v,
    ops.sigmoid: lambda v, x: v * (1 - v),
}


def derivatives(
    op: Op, result: Formula, operands: Sequence[Formula], limit: int = 60
) -> Sequence[str]:
    """Return the local derivative by each operand as a formula; "" where it is a long one."""
    if op in _SHORTER:
        return [_SHORTER[op](result, operands[0]).text]
    try:
        partials = list(op.partials(arithmetic(result.notation), result, *operands))
    except Exception:  # a user's row may need more than formulas, and say so in any way
        return [""] * len(operands)
    texts = [p.text if isinstance(p, Formula) else result.notation.number(p) for p in partials]
    return [text if len(text) <= limit else "" for text in texts]


def _text_call(name: str, operands: Sequence[str]) -> str:
    return f"{name}({', '.join(operands)})"


TEXT: Notation = Notation(
    times=" * ",
    dots="…",
    quotient=lambda x, y: Formula(f"{x.within(MINUS)} / {y.within(ATOM)}", TEXT, PRODUCT),
    power=lambda x, y: Formula(f"{x.within(ATOM)}**{y.within(ATOM)}", TEXT, PRODUCT),
    call=_text_call,
    number=lambda x: f"{x:.6g}",
    brackets="(%s)",
)

_LATEX_NAMES = {"log": r"\ln", "asin": r"\arcsin", "acos": r"\arccos", "atan": r"\arctan"}
_LATEX_NAMES |= {name: rf"\{name}" for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")}
_LATEX_CALLS = {
    "exp": "e^{%s}",
    "sqrt": r"\sqrt{%s}",
    "cbrt": r"\sqrt[3]{%s}",
    "abs": r"\left|%s\right|",
    "floor": r"\left\lfloor %s\right\rfloor",
    "ceil": r"\left\lceil %s\right\rceil",
    "sigmoid": r"\sigma\left(%s\right)",
}


def _latex_call(name: str, operands: Sequence[str]) -> str:
    if name in _LATEX_CALLS:
        return _LATEX_CALLS[name] % operands[0]
    plain = name.replace("_", r"\_")
    function = _LATEX_NAMES.get(name) or rf"\operatorname{{{plain}}}"
    return rf"{function}\left({', '.join(operands)}\right)"


def _latex_number(x: float) -> str:
    if x - x != 0:
        return r"\text{nan}" if x != x else r"\infty" if x > 0 else r"-\infty"
    mantissa, e, exponent = f"{x:.6g}".partition("e")
    return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if e else mantissa


LATEX: Notation = Notation(
    times=r" \cdot ",
    dots=r"\dots",
    quotient=lambda x, y: Formula(rf"\frac{{{x.text}}}{{{y.text}}}", LATEX, PRODUCT),
    power=lambda x, y: Formula(f"{x.within(ATOM)}^{{{y.text}}}", LATEX, PRODUCT),
    call=_latex_call,
    number=_latex_number,
    brackets=r"\left(%s\right)",
)
