"""Hypothesis strategies: smooth expressions with sharing, well inside every operation's domain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import mpmath
from hypothesis import strategies as st
from mpmath import mp, mpf

from microgradient import OPS
from mp import ORACLES

# Each maps the reals to the reals, smoothly and without growing beyond reason.
UNARY = [
    "sin",
    "cos",
    "tanh",
    "atan",
    "asinh",
    "sigmoid",
    "softplus",
    "erf",
    "gelu",
    "silu",
    "logsigmoid",
    "expm1",
    "neg",
]
BINARY = ["add", "sub", "mul", "hypot1", "div1", "maximum_smooth"]
NARY = ["fsum", "dot", "logsumexp", "prod"]

Step = tuple[str, tuple[int, ...]]


@dataclass(frozen=True)
class Expression:
    """A straight-line program: each step applies an operation to earlier results."""

    inputs: tuple[float, ...]
    steps: tuple[Step, ...]

    def __call__(self, xs: Sequence[Any], apply: Callable[..., Any] | None = None) -> Any:
        values = list(xs)
        for name, places in self.steps:
            values.append((apply or _apply)(name, [values[i] for i in places]))
        return values[-1]

    def exact(self, xs: Sequence[Any]) -> Any:
        """Evaluate in mpmath, by functions that are not the engine's."""
        return self(xs, _apply_mp)


def _apply(name: str, x: Sequence[Any]) -> Any:
    if name == "hypot1":
        return OPS["hypot"](x[0], OPS["add"](1.0, OPS["mul"](x[1], x[1])))
    if name == "div1":
        return OPS["div"](x[0], OPS["add"](2.0, OPS["sin"](x[1])))
    if name == "maximum_smooth":
        return OPS["logsumexp"](list(x))
    if name == "expm1":
        return OPS["expm1"](OPS["sin"](x[0]))
    if name == "dot":
        return OPS["dot"](x[: len(x) // 2], x[len(x) // 2 : 2 * (len(x) // 2)])
    return OPS[name](list(x)) if name in NARY else OPS[name](*x)


def _apply_mp(name: str, x: Sequence[Any]) -> Any:
    if name == "hypot1":
        return mp.sqrt(x[0] ** 2 + (1 + x[1] ** 2) ** 2)
    if name == "div1":
        return x[0] / (2 + mp.sin(x[1]))
    if name == "maximum_smooth":
        return mp.log(mpmath.fsum(map(mp.exp, x)))
    if name == "expm1":
        return mp.expm1(mp.sin(x[0]))
    return ORACLES[name](*(x[: len(x) // 2 * 2] if name == "dot" else x))


@st.composite
def expressions(draw: Any, most_steps: int = 12) -> Expression:
    inputs = draw(st.lists(st.floats(-2, 2).map(lambda x: round(x, 3)), min_size=1, max_size=4))
    steps: list[Step] = []
    for known in range(len(inputs), len(inputs) + draw(st.integers(1, most_steps))):
        name = draw(st.sampled_from(UNARY + BINARY + NARY))
        count = 1 if name in UNARY else 2 if name in BINARY else draw(st.integers(2, 5))
        places = tuple(draw(st.integers(0, known - 1)) for _ in range(count))
        steps.append((name, places))
    return Expression(tuple(inputs), tuple(steps))


def exact_gradient(expression: Expression, digits: int = 50) -> list[float]:
    with mp.workdps(digits):
        x = [mpf(t) for t in expression.inputs]

        def along(i: int) -> Callable[[Any], Any]:
            return lambda t: expression.exact([t if i == j else y for j, y in enumerate(x)])

        return [float(mp.diff(along(i), x[i])) for i in range(len(x))]
