"""Write docs/operations.md, the table of operations, from its rows: python docs/operations.py

The formulas are the rows themselves, evaluated in an arithmetic whose numbers are formulas.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from microgradient import OPS, Op
from microgradient.view.text.formulas import TEXT, Formula, arithmetic

HEAD = """# The table of operations

Made from the rows in `src/microgradient/engine/ops.py` by `python docs/operations.py`.

`v` is the result. Each operation is a function (`microgradient.sin(x)`) of numbers and Values; some
are also an operator or a method (`x.sin()`). *Kinks* are points without a derivative;
[conventions.md](conventions.md) says what is used there. The domain is where the tests measure; the
functions are defined wherever the mathematics is, and are nan elsewhere.

| operation | derivative by each operand | domain | kinks |
|---|---|---|---|
"""
NAMES = {
    "pow": ["x", "p"],
    "polygamma": ["n", "x"],
    "sinc_derivative": ["n", "x"],
    "atan2": ["y", "x"],
    "leaky_relu": ["x", "slope"],
    "elu": ["x", "alpha"],
    "clip": ["x", "low", "high"],
}
IN_WORDS = {  # n-ary rows, and rows whose formulas mind rounding or infinity
    "pow": "`p * x**(p - 1)`; `v * log(x)` for x > 0",
    "mod": "`1`; `-floor(x / y)`",
    "asin": "`1 / sqrt(1 - x**2)`",
    "acos": "`-1 / sqrt(1 - x**2)`",
    "atanh": "`1 / (1 - x**2)`",
    "erf": "`1.12838 * exp(-x**2)`",
    "erfc": "`-1.12838 * exp(-x**2)`",
    "gelu": "`0.5 * erfc(-x * 0.707107) + 0.398942 * x * exp(-x**2 / 2)`",
    "erfinv": "`0.886227 * exp(v**2)`",
    "softsign": "`1 / (1 + abs(x))**2`",
    "silu": "`sigmoid(x) * (1 + x * sigmoid(-x))`",
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


def row(op: Op) -> str:
    names = NAMES.get(op.name, ["x", "y"][: len(op.domain)])
    call = CALLS.get(op.name, f"{op.name}({', '.join(names)})")
    if op.symbol != op.name:
        infix = f" {op.symbol} ".join(names) if len(names) > 1 else op.symbol + names[0]
        call = f"{call}, `{infix}`"
    if op.name in IN_WORDS:
        derivatives = IN_WORDS[op.name]
    else:
        operands = [Formula(name, TEXT) for name in names]
        partials = op.partials(arithmetic(TEXT), Formula("v", TEXT), *operands)
        derivatives = "; ".join(f"`{_text(d)}`" for d in partials)
    intervals = op.domain[:1] if op.sequences else op.domain
    domain = " × ".join(f"[{a:g}, {b:g}]" for a, b in intervals)
    kinks = "integers" if len(op.kinks) > 1 else ", ".join(f"{k:g}" for k in op.kinks)
    return f"| {call} | {derivatives} | {domain} | {kinks} |"


def _text(x: Any) -> str:
    return x.text if isinstance(x, Formula) else TEXT.number(x)


def page() -> str:
    return HEAD + "\n".join(map(row, OPS.values())) + "\n"


if __name__ == "__main__":
    (Path(__file__).parent / "operations.md").write_text(page(), encoding="utf-8")
