"""Hypothesis strategies for operands, expressions, networks and training recipes.

Examples shrink to few inputs, few steps and round numbers, and print as Python code that can be
pasted into a test. Needs Hypothesis: ``pip install 'microgradient[check]'``.

    from hypothesis import given
    from microgradient.check import check_gradient, strategies

    @given(strategies.expressions())
    def test_gradient(e):
        check_gradient(e.f, *e.inputs)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from microgradient.check.expressions import NEAR, TIED, Expression, choose_expression
from microgradient.check.operations.accuracy import SPECIAL_NUMBERS, intervals_of
from microgradient.engine.number import positive, shown
from microgradient.engine.op import Op
from microgradient.nn import losses, optimizers
from microgradient.nn.module import ACTIVATIONS, MLP
from microgradient.nn.training import loop as training
from microgradient.nn.training.history import History

try:
    from hypothesis import strategies as st
except ImportError:
    raise ImportError(
        "microgradient.check.strategies needs Hypothesis; install it with: "
        "pip install 'microgradient[check]'"
    ) from None

_UPDATES: tuple[str | int, ...] = ("sweep", "presentation", 2)


def numbers(low: float = -4.0, high: float = 4.0) -> st.SearchStrategy[float]:
    """Return floats from ``low`` to ``high``, mostly with few digits, that shrink towards 0."""
    if not -inf < low < high < inf:
        raise ValueError(f"numbers expects finite low < high, got {low!r} and {high!r}")
    width = high - low
    short = st.floats(low, high).map(lambda x: min(max(round(x, 3), low), high))
    return short if width > 0.1 else st.floats(low, high)


def special_numbers() -> st.SearchStrategy[float]:
    """Return any float, often a special one: zero, infinity, nan, the smallest and largest."""
    return st.sampled_from(SPECIAL_NUMBERS) | st.floats()


def operands(op: Op, count: int | None = None) -> st.SearchStrategy[list[float]]:
    """Return lists of operands of ``op``, inside its domain and away from its kinks.

    ``count`` is the number of operands, for an operation on sequences.
    """
    if not isinstance(op, Op):
        raise TypeError(f"operands expects an operation, such as mg.sin, got {shown(op)}")
    intervals = intervals_of(op, count)

    def spaced(xs: list[float]) -> list[float]:
        """Move the first operand off a kink, and tied operands apart, within the domain."""
        kinks = list(op.kinks)
        for i, (low, high) in enumerate(intervals):
            step = NEAR if xs[i] < (low + high) / 2 else -NEAR
            while low < high and any(abs(xs[i] - kink) < NEAR for kink in kinks):
                xs[i] += step
            kinks = xs[: i + 1] if op.name in TIED else []
        return xs

    return st.tuples(*[numbers(a, b) if a < b else st.just(a) for a, b in intervals]).map(
        lambda xs: spaced(list(xs))
    )


class _Drawn:
    """Choices that Hypothesis makes and can shrink."""

    def __init__(self, draw: Any) -> None:
        self._draw = draw

    def integer(self, low: int, high: int) -> int:
        return self._draw(st.integers(low, high))  # type: ignore[no-any-return]

    def number(self, low: float, high: float) -> float:
        return self._draw(numbers(low, high))  # type: ignore[no-any-return]

    def numbers(self, low: float, high: float, most: int) -> list[float]:
        return self._draw(  # type: ignore[no-any-return]
            st.lists(numbers(low, high), min_size=1, max_size=most)
        )

    def pick(self, options: Sequence[Any]) -> Any:
        return self._draw(st.sampled_from(options))


@st.composite
def expressions(
    draw: st.DrawFn,
    rows: Sequence[Op] | None = None,
    *,
    most_inputs: int = 3,
    most_steps: int = 12,
) -> Expression:
    """Return expressions with shared parts, each with a point to check it at.

    ``rows`` are the operations to use, by default the whole table. Every operand lies in its
    operation's domain, away from kinks.
    """
    table = () if rows is None else tuple(rows)
    for op in table:
        if not isinstance(op, Op):
            raise TypeError(f"rows must be operations, such as [mg.sin, mg.add], got {shown(op)}")
        intervals_of(op)
    if rows is not None and not any(op.domain[0][0] < op.domain[0][1] for op in table):
        raise ValueError(
            "rows must hold at least one operation whose first operand has an interval, got none"
        )
    positive(most_inputs, "most_inputs")
    positive(most_steps, "most_steps")
    return choose_expression(
        _Drawn(draw), most_inputs=most_inputs, most_steps=most_steps, rows=table
    )


def networks(
    most_inputs: int = 3, most_units: int = 4, most_layers: int = 3
) -> st.SearchStrategy[MLP]:
    """Return small multi-layer perceptrons with random hidden and output activations."""
    return st.builds(
        MLP,
        st.integers(1, most_inputs),
        st.lists(st.integers(1, most_units), min_size=1, max_size=most_layers),
        st.sampled_from(sorted(ACTIVATIONS)),
        output=st.sampled_from(["linear", "sigmoid", "tanh"]),
        rng=st.integers(0, 999),
    )


@dataclass(frozen=True)
class TrainingRecipe:
    """Everything that determines a training run: equal recipes give equal weights."""

    sizes: tuple[int, ...]
    activation: str
    seed: int
    optimizer: str
    rate: float
    update: str | int
    sweeps: int
    inputs: tuple[tuple[float, ...], ...]
    targets: tuple[float, ...]

    def network(self) -> MLP:
        """Return the network before training."""
        return MLP(self.sizes[0], [*self.sizes[1:], 1], self.activation, rng=self.seed)

    def train(self, network: MLP | None = None, *, backend: str = "eager") -> tuple[MLP, History]:
        """Train ``network``, by default a new one, and return it with its history.

        ``backend`` is the one of ``nn.train``.
        """
        network = network or self.network()
        rule = getattr(optimizers, self.optimizer)(network.parameters(), self.rate)
        history = training.train(
            network,
            list(zip(self.inputs, self.targets)),
            loss=losses.half_squared_error,
            optimizer=rule,
            sweeps=self.sweeps,
            update=self.update,
            progress=False,
            backend=backend,
        )
        return network, history


@st.composite
def recipes(draw: st.DrawFn, most_patterns: int = 4, most_sweeps: int = 5) -> TrainingRecipe:
    """Return training recipes for small networks with one output."""
    nin = draw(st.integers(1, 3))
    patterns = draw(st.integers(1, most_patterns))
    row = st.tuples(*[numbers(-1.0, 1.0)] * nin)
    return TrainingRecipe(
        sizes=(nin, *draw(st.lists(st.integers(1, 3), max_size=2))),
        activation=draw(st.sampled_from(["tanh", "sigmoid", "softplus"])),
        seed=draw(st.integers(0, 999)),
        optimizer=draw(
            st.sampled_from(["GradientDescent", "Momentum", "RMSprop", "Adam", "AdamW"])
        ),
        rate=draw(st.sampled_from([0.1, 0.01, 0.5])),
        update=draw(st.sampled_from(_UPDATES)),
        sweeps=draw(st.integers(1, most_sweeps)),
        inputs=tuple(draw(row) for _ in range(patterns)),
        targets=tuple(draw(numbers(0.0, 1.0)) for _ in range(patterns)),
    )
