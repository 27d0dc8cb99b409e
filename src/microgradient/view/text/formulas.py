"""Operations as formulas: their rows evaluated in an arithmetic whose numbers are formulas.

There are three notations: program text, LaTeX and MathML.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from math import pi, sqrt
from operator import add, mul
from typing import Any

from microgradient.engine import ops
from microgradient.engine.arithmetic import Arithmetic
from microgradient.engine.op import Op
from microgradient.engine.ops import OPS
from microgradient.view.escaping import markup
from microgradient.view.graph.composites import Sum

CHOICE, SUM, MINUS, PRODUCT, ATOM = range(5)  # how strongly a formula binds


@dataclass(frozen=True)
class Notation:
    """How to write sums, products, remainders, quotients, powers, calls, numbers and brackets."""

    signs: Mapping[str, str]
    times: str
    modulo: str
    dots: str
    quotient: Callable[[Formula, Formula], Formula]
    power: Callable[[Formula, Formula], Formula]
    call: Callable[[str, Sequence[str]], str]
    number: Callable[[float], str]
    brackets: str


@dataclass(frozen=True)
class Formula:
    """A formula in a notation; ``+ - *`` and comparisons make larger ones."""

    text: str
    notation: Notation
    strength: int = ATOM

    def within(self, strength: int) -> str:
        """Return the text, in brackets unless it binds at least that strongly."""
        return self.text if self.strength >= strength else self.notation.brackets % self.text

    def _of(self, other: Formula | float) -> Formula:
        return other if isinstance(other, Formula) else number(self.notation, other)

    def _made(self, text: str, strength: int) -> Formula:
        return Formula(text, self.notation, strength)

    def __add__(self, other: Formula | float) -> Formula:
        plus = self.notation.signs["+"]
        return self._made(f"{self.within(SUM)}{plus}{self._of(other).within(PRODUCT)}", SUM)

    def __radd__(self, other: Formula | float) -> Formula:
        return self._of(other) + self

    def __sub__(self, other: Formula | float) -> Formula:
        minus = self.notation.signs["-"]
        return self._made(f"{self.within(SUM)}{minus}{self._of(other).within(PRODUCT)}", SUM)

    def __rsub__(self, other: Formula | float) -> Formula:
        return self._of(other) - self

    def __mul__(self, other: Formula | float) -> Formula:
        text = f"{self.within(MINUS)}{self.notation.times}{self._of(other).within(PRODUCT)}"
        return self._made(text, PRODUCT)

    def __rmul__(self, other: Formula | float) -> Formula:
        return self._of(other) * self

    def _remainder(self, other: Formula) -> Formula:
        texts = self.within(MINUS), other.within(ATOM)
        return self._made(self.notation.modulo.join(texts), PRODUCT)

    def __neg__(self) -> Formula:
        return self._made(f"{self.notation.signs['neg']}{self.within(PRODUCT)}", MINUS)

    def __gt__(self, other: Formula | float) -> Formula:
        return self._made(f"{self.text}{self.notation.signs['>']}{self._of(other).text}", CHOICE)

    def __lt__(self, other: Formula | float) -> Formula:
        return self._made(f"{self.text}{self.notation.signs['<']}{self._of(other).text}", CHOICE)

    def __bool__(self) -> bool:
        raise TypeError("a formula has no truth value: write where(condition, a, b)")


def number(notation: Notation, x: float) -> Formula:
    """Return a number as a formula; a negative one needs brackets in products."""
    mantissa, e, _ = f"{x:.6g}".partition("e")
    written_as_product = e and notation is not TEXT
    strength = MINUS if mantissa.startswith("-") else PRODUCT if written_as_product else ATOM
    return Formula(notation.number(x), notation, strength)


def arithmetic(notation: Notation) -> Arithmetic[Any]:
    """Return the arithmetic that writes in ``notation``."""

    def of(x: Formula | float) -> Formula:
        return x if isinstance(x, Formula) else number(notation, x)

    def call(name: str) -> Callable[..., Formula]:
        return lambda *xs: Formula(notation.call(name, [of(x).text for x in xs]), notation)

    def where(condition: Formula, x: Formula | float, y: Formula | float) -> Formula:
        texts = of(x).text, condition.text, of(y).within(PRODUCT)
        return Formula(notation.signs["if"].format(*texts), notation, CHOICE)

    return Arithmetic(
        {
            **{name: call(name) for name in OPS},
            "add": lambda x, y: of(x) + of(y),
            "sub": lambda x, y: of(x) - of(y),
            "mul": lambda x, y: of(x) * of(y),
            "neg": lambda x: -of(x),
            "div": lambda x, y: notation.quotient(of(x), of(y)),
            "mod": lambda x, y: of(x)._remainder(of(y)),
            "pow": lambda x, y: notation.power(of(x), of(y)),
            "square": lambda x: notation.power(of(x), of(2.0)),
            "exp2": lambda x: notation.power(of(2.0), of(x)),
            "reciprocal": lambda x: notation.quotient(of(1.0), of(x)),
            "fsum": lambda xs: _series([of(x) for x in xs], add, notation),
            "where": where,
            "equal": lambda x, y: Formula(
                f"{of(x).text}{notation.signs['=']}{of(y).text}", notation, CHOICE
            ),
            "detach": of,
        }
    )


_SIGNS = {ops.add, ops.sub, ops.mul, ops.neg, ops.div, ops.pow, ops.mod}
_SIGNS |= {ops.square, ops.exp2, ops.reciprocal}
_MARKS = (ops.taken, ops.argument, ops.passed)  # identities: a node that repeats its operand
_FEW = 4  # a sum of more terms is written as its first two and its last


def _series(
    terms: Sequence[Formula], join: Callable[[Formula, Formula], Formula], notation: Notation
) -> Formula:
    if not terms:
        return number(notation, 0.0)
    if len(terms) > _FEW:
        terms = [*terms[:2], Formula(notation.dots, notation), terms[-1]]
    return reduce(join, terms)


def written(op: Op, operands: Sequence[Formula], notation: Notation) -> Formula:
    """Return the formula of ``op`` on ``operands``: ``w * x``, ``tanh(s)``, …"""
    if op is ops.dot:
        n = len(operands) // 2
        products = [w * x for w, x in zip(operands[:n], operands[n : 2 * n])]
        return _series([*products, *operands[2 * n :]], add, notation)
    if op is ops.fsum or isinstance(op, Sum):
        return _series(operands, add, notation)
    if op is ops.prod:
        return _series(operands, mul, notation)
    if op in _MARKS:
        return operands[0]
    if op in _SIGNS:
        formula: Formula = getattr(arithmetic(notation), op.name)(*operands)
        return formula
    texts = [operand.text for operand in operands]
    if len(texts) > 2 * _FEW:
        texts = [*texts[:_FEW], notation.dots, *texts[-2:]]
    return Formula(notation.call(op.name, texts), notation)


_SHORTER: dict[
    Op, Callable[..., Sequence[Any]]
] = {  # the same derivative as in the row, in the form that is taught
    ops.tanh: lambda m, v, x: (1 - v * v,),
    ops.sigmoid: lambda m, v, x: (v * (1 - v),),
    ops.pow: lambda m, v, x, p: (p * m.pow(x, p - 1), v * m.log(x)),
    ops.asin: lambda m, v, x: (m.div(1.0, m.sqrt(1 - x * x)),),
    ops.acos: lambda m, v, x: (m.div(-1.0, m.sqrt(1 - x * x)),),
    ops.atanh: lambda m, v, x: (m.div(1.0, 1 - x * x),),
    ops.erfinv: lambda m, v, x: (sqrt(pi) / 2 * m.exp(v * v),),
    ops.mod: lambda m, v, x, y: (1.0, -m.floor(m.div(x, y))),
}


def derivatives(
    op: Op, result: Formula, operands: Sequence[Formula], limit: int = 60
) -> Sequence[str]:
    """Return the local derivative by each operand as text; "" for one longer than ``limit``."""
    try:
        partials_of = _SHORTER.get(op, op.partials)
        partials = list(partials_of(arithmetic(result.notation), result, *operands))
    except Exception:  # a user's row may not work on formulas, and raise anything
        return [""] * len(operands)
    texts = [p.text if isinstance(p, Formula) else result.notation.number(p) for p in partials]
    return [text if _length(text) <= limit else "" for text in texts]


def _length(text: str) -> int:
    """Return how many characters of a formula are seen: MathML's tags are not."""
    return len(re.sub(r"<[^>]*>", "", text))


def _text_call(name: str, operands: Sequence[str]) -> str:
    return f"{name}({', '.join(operands)})"


_SIGNS_IN_TEXT = {s: f" {s} " for s in "+-><="} | {"neg": "-", "if": "{} if {} else {}"}

TEXT: Notation = Notation(
    signs=_SIGNS_IN_TEXT,
    times=" * ",
    modulo=" % ",
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
    "gamma": r"\Gamma\left(%s\right)",
    "erfinv": r"\operatorname{erf}^{-1}\left(%s\right)",
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
    signs=_SIGNS_IN_TEXT,
    times=r" \cdot ",
    modulo=r" \bmod ",
    dots=r"\dots",
    quotient=lambda x, y: Formula(rf"\frac{{{x.text}}}{{{y.text}}}", LATEX, PRODUCT),
    power=lambda x, y: Formula(f"{x.within(ATOM)}^{{{y.text}}}", LATEX, PRODUCT),
    call=_latex_call,
    number=_latex_number,
    brackets=r"\left(%s\right)",
)

_MATHML_NAMES = {"log": "ln", "asin": "arcsin", "acos": "arccos", "atan": "arctan", "sigmoid": "σ"}
_MATHML_CALLS = {
    "exp": "<msup><mi>e</mi><mrow>{}</mrow></msup>",
    "sqrt": "<msqrt>{}</msqrt>",
    "cbrt": "<mroot><mrow>{}</mrow><mn>3</mn></mroot>",
    "abs": "<mrow><mo>|</mo>{}<mo>|</mo></mrow>",
    "floor": "<mrow><mo>⌊</mo>{}<mo>⌋</mo></mrow>",
    "ceil": "<mrow><mo>⌈</mo>{}<mo>⌉</mo></mrow>",
}


def _mathml_call(name: str, operands: Sequence[str]) -> str:
    if name in _MATHML_CALLS:
        return _MATHML_CALLS[name].format(operands[0])
    inside = "<mo>,</mo>".join(operands)
    function = f"<mi>{markup(_MATHML_NAMES.get(name, name))}</mi><mo>&#x2061;</mo>"
    return f"<mrow>{function}<mo>(</mo>{inside}<mo>)</mo></mrow>"


def _mathml_number(x: float) -> str:
    mantissa, e, exponent = f"{abs(x):.6g}".partition("e")
    number = f"<mi>{mantissa}</mi>" if x - x != 0 else f"<mn>{mantissa}</mn>"
    if e:
        power = f"<msup><mn>10</mn><mn>{int(exponent)}</mn></msup>".replace("-", "−")
        number = f"<mrow>{number}<mo>·</mo>{power}</mrow>"
    return f"{_MATHML_MINUS}{number}" if f"{x:g}".startswith("-") else number


_MATHML_MINUS = '<mo form="prefix">−</mo>'

MATHML: Notation = Notation(
    signs={
        "+": "<mo>+</mo>",
        "-": "<mo>−</mo>",
        ">": "<mo>&gt;</mo>",
        "<": "<mo>&lt;</mo>",
        "=": "<mo>=</mo>",
        "neg": _MATHML_MINUS,
        "if": "{}<mtext> if </mtext>{}<mtext> else </mtext>{}",
    },
    times="<mo>·</mo>",
    modulo="<mo>mod</mo>",
    dots="<mo>…</mo>",
    quotient=lambda x, y: Formula(
        f"<mfrac><mrow>{x.text}</mrow><mrow>{y.text}</mrow></mfrac>", MATHML, PRODUCT
    ),
    power=lambda x, y: Formula(
        f"<msup><mrow>{x.within(ATOM)}</mrow><mrow>{y.text}</mrow></msup>", MATHML, PRODUCT
    ),
    call=_mathml_call,
    number=_mathml_number,
    brackets="<mrow><mo>(</mo>%s<mo>)</mo></mrow>",
)
