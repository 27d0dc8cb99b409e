"""Which branches a row takes: the outcomes of its choices, in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from microgradient.engine.arithmetic import Arithmetic
from microgradient.engine.op import Op
from microgradient.engine.ops import OPS


def choices(op: Op, operands: Sequence[Any], base: Arithmetic[Any]) -> tuple[bool, ...]:
    """Return the outcomes of every ``m.where`` in the value of ``op`` on ``operands``."""
    made: list[bool] = []

    def where(condition: Any, x: Any, y: Any) -> Any:
        made.append(bool(condition))
        return x if condition else y

    op.value(Arithmetic({**base.native, "where": where}), *operands)
    return tuple(made)


def branches(op: Op, operands: Sequence[Any], base: Arithmetic[Any]) -> tuple[Any, ...]:
    """Return the outcomes of all choices that evaluating ``op`` on ``operands`` makes."""
    made: list[Any] = []

    def where(condition: Any, x: Any, y: Any) -> Any:
        made.append(bool(condition))
        return x if condition else y

    def larger(x: Any, y: Any) -> Any:
        made.append((bool(x > y), bool(y > x)))
        return base.maximum(x, y)

    def smaller(x: Any, y: Any) -> Any:
        made.append((bool(x > y), bool(y > x)))
        return base.minimum(x, y)

    def sided(name: str) -> Any:
        def applied(x: Any) -> Any:
            made.append((bool(x > 0), bool(x < 0)))
            return getattr(base, name)(x)

        return applied

    m = Arithmetic(
        {
            **base.native,
            **{n: sided(n) for n, op in OPS.items() if op.primitive and op.kinks == (0,)},
            "where": where,
            "maximum": larger,
            "minimum": smaller,
        }
    )
    v = op.value(m, *operands)
    op.partials(m, v, *operands)
    if op.name == "mod":
        made.append(float(base.floor(base.div(operands[0] - v, operands[1]) + 0.5)))
    if op.name in ("floor", "ceil"):  # inside other rows they only sharpen a formula
        made.append(float(v))
    return tuple(made)
