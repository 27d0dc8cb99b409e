"""Write docs/operations.md, the table of operations, from its rows: python docs/operations.py

The formulas are the rows themselves, evaluated in an arithmetic whose numbers are text.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from microgradient import OPS, Op
from microgradient.engine.op import Arithmetic

HEAD = """# The table of operations

Made from the rows in `src/microgradient/engine/ops.py` by `python docs/operations.py`.

`v` is the result. Each operation is a function (`microgradient.sin(x)`) of numbers and Values, and
where Python has an operator or users expect a method (`x.sin()`), that too. *Kinks* are points
without a derivative; what is taken there stands in [conventions.md](conventions.md). The domain is
where the tests measure; the functions are defined wherever the mathematics is, and nan elsewhere.

| operation | derivative by each operand | domain | kinks |
|---|---|---|---|
"""
NAMES = {
    "pow": ["x", "p"],
    "polygamma": ["n", "x"],
    "atan2": ["y", "x"],
    "leaky_relu": ["x", "slope"],
    "elu": ["x", "alpha"],
    "clip": ["x", "low", "high"],
}
IN_WORDS = {  # the n-ary, and those whose row computes exp(-x^2) in two accurate factors
    "erf": "`1.12838 exp(-x^2)`",
    "erfc": "`-1.12838 exp(-x^2)`",
    "gelu": "`0.5 erfc(-x 0.707107) + 0.398942 x exp(-x^2 / 2)`",
    "fsum": "1 for each",
    "prod": "the product of the other operands",
    "dot": "x for each w, w for each x, 1 for the bias",
    "logsumexp": "softmax of the operands",
    "softmax_cross_entropy": "sum(target) softmax(logits) - target; logsumexp(logits) - logits",
}
CALLS = {
    "fsum": "fsum(xs)",
    "prod": "prod(xs)",
    "dot": "dot(ws, xs, bias=None)",
    "logsumexp": "logsumexp(xs)",
    "softmax_cross_entropy": "softmax_cross_entropy(logits, target)",
}
LOOSE, TIGHT, ATOM = range(3)  # how strongly a text holds together: sum, product, name


class Text:
    """A formula that writes itself down."""

    def __init__(self, text: str, strength: int = ATOM) -> None:
        self.text, self.strength = text, strength

    def within(self, strength: int) -> str:
        return self.text if self.strength >= strength else f"({self.text})"

    def __add__(self, other: Any) -> Text:
        return Text(f"{self.text} + {text(other).text}", LOOSE)

    def __radd__(self, other: Any) -> Text:
        return text(other) + self

    def __sub__(self, other: Any) -> Text:
        return Text(f"{self.text} - {text(other).within(TIGHT)}", LOOSE)

    def __rsub__(self, other: Any) -> Text:
        return text(other) - self

    def __mul__(self, other: Any) -> Text:
        return Text(f"{self.within(TIGHT)} {text(other).within(TIGHT)}", TIGHT)

    def __rmul__(self, other: Any) -> Text:
        return text(other) * self

    def __neg__(self) -> Text:
        return Text(f"-{self.within(TIGHT)}", TIGHT)

    def __gt__(self, other: Any) -> Text:
        return Text(f"{self.text} > {text(other).text}", LOOSE)

    def __lt__(self, other: Any) -> Text:
        return Text(f"{self.text} < {text(other).text}", LOOSE)


def text(x: Any) -> Text:
    return x if isinstance(x, Text) else Text(f"{x:.6g}")


def written(x: Any) -> str:
    return text(x).text


def _call(name: str) -> Any:
    return lambda *xs: Text(f"{name}({', '.join(map(written, xs))})")


def _where(condition: Any, x: Any, y: Any) -> Text:
    return Text(f"{written(x)} if {written(condition)} else {text(y).within(TIGHT)}", LOOSE)


TEXTS = Arithmetic(
    {
        **{name: _call(name) for name in OPS},
        "div": lambda x, y: Text(f"{text(x).within(TIGHT)} / {text(y).within(ATOM)}", TIGHT),
        "pow": lambda x, y: Text(f"{text(x).within(ATOM)}^{text(y).within(ATOM)}", TIGHT),
        "where": _where,
        "equal": lambda x, y: Text(f"{written(x)} = {written(y)}", LOOSE),
        "detach": text,
    }
)


def row(op: Op) -> str:
    names = NAMES.get(op.name, ["x", "y"][: len(op.domain)])
    if op.name in IN_WORDS:
        call, derivatives = CALLS.get(op.name, f"{op.name}(x)"), IN_WORDS[op.name]
    else:
        operands = [Text(name) for name in names]
        partials = op.partials(TEXTS, Text("v"), *operands)
        call = f"{op.name}({', '.join(names)})"
        derivatives = "; ".join(f"`{written(d)}`" for d in partials)
        if op.symbol != op.name:
            infix = f" {op.symbol} ".join(names) if len(names) > 1 else op.symbol + names[0]
            call = f"{call}, `{infix}`"
    domain = " × ".join(f"[{a:g}, {b:g}]" for a, b in op.domain)
    kinks = "integers" if len(op.kinks) > 1 else ", ".join(f"{k:g}" for k in op.kinks)
    return f"| {call} | {derivatives} | {domain} | {kinks} |"


def page() -> str:
    return HEAD + "\n".join(map(row, OPS.values())) + "\n"


if __name__ == "__main__":
    (Path(__file__).parent / "operations.md").write_text(page(), encoding="utf-8")
