"""One step of a small transformer on a tape of scalars, written once for any class of Values.

One layer, width 16, 4 heads, 8 positions, 27 tokens, a perceptron of 4 times the width, RMS
normalisation, causal attention, the mean cross-entropy of the 8 next tokens. Plain operators,
loops and ``sum``: what a reader of micrograd would write.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from closure_free import PlainValue

WIDTH, HEADS, POSITIONS, TOKENS = 16, 4, 8, 27
HEAD = WIDTH // HEADS

Vector = list[Any]
Matrix = list[Vector]
Parameters = dict[str, Matrix]
Product = Callable[[Sequence[Any], Sequence[Any]], Any]


class TapeValue:
    """A number that remembers how to pass its gradient on to the numbers it was computed from."""

    __slots__ = ("_pass_on", "_sources", "data", "grad")

    def __init__(self, data: float, sources: tuple[TapeValue, ...] = ()) -> None:
        self.data, self.grad = data, 0.0
        self._sources = sources
        self._pass_on: Callable[[], None] | None = None

    def __add__(self, other: TapeValue | float) -> TapeValue:
        y = other if isinstance(other, TapeValue) else TapeValue(other)
        result = TapeValue(self.data + y.data, (self, y))

        def pass_on() -> None:
            self.grad += result.grad
            y.grad += result.grad

        result._pass_on = pass_on
        return result

    def __mul__(self, other: TapeValue | float) -> TapeValue:
        y = other if isinstance(other, TapeValue) else TapeValue(other)
        result = TapeValue(self.data * y.data, (self, y))

        def pass_on() -> None:
            self.grad += y.data * result.grad
            y.grad += self.data * result.grad

        result._pass_on = pass_on
        return result

    def __pow__(self, power: float) -> TapeValue:
        return self._through(self.data**power, power * self.data ** (power - 1))

    def exp(self) -> TapeValue:
        e = math.exp(self.data)
        return self._through(e, e)

    def log(self) -> TapeValue:
        return self._through(math.log(self.data), 1 / self.data)

    def relu(self) -> TapeValue:
        return self._through(max(self.data, 0.0), float(self.data > 0))

    def _through(self, data: float, slope: float) -> TapeValue:
        """Return a function of this one number, given its value and its slope."""
        result = TapeValue(data, (self,))

        def pass_on() -> None:
            self.grad += slope * result.grad

        result._pass_on = pass_on
        return result

    def __neg__(self) -> TapeValue:
        return self * -1.0

    def __sub__(self, other: TapeValue | float) -> TapeValue:
        return self + -other

    def __truediv__(self, other: TapeValue | float) -> TapeValue:
        return self * other**-1.0

    def __rsub__(self, other: float) -> TapeValue:
        return -self + other

    def __rtruediv__(self, other: float) -> TapeValue:
        return self**-1.0 * other

    __radd__ = __add__
    __rmul__ = __mul__

    def backward(self) -> None:
        """Add to the gradients of all numbers that this one depends on, last first."""
        self.grad = 1.0
        for value in reversed(self._in_order()):
            if value._pass_on is not None:
                value._pass_on()

    def _in_order(self) -> list[TapeValue]:
        """Return all numbers that this one depends on, and this one, each after its sources."""
        order: list[TapeValue] = []
        entered: set[TapeValue] = set()
        stack: list[tuple[TapeValue, bool]] = [(self, False)]
        while stack:
            value, sources_done = stack.pop()
            if sources_done:
                order.append(value)
            elif value not in entered:
                entered.add(value)
                stack.append((value, True))
                stack += [(source, False) for source in value._sources if source not in entered]
        return order


def parameters(value_class: Any, rng: random.Random) -> Parameters:
    """Return the weight matrices by name, a row for each output."""

    def matrix(rows: int, columns: int) -> Matrix:
        return [[value_class(rng.gauss(0.0, 0.2)) for _ in range(columns)] for _ in range(rows)]

    return {
        "tokens": matrix(TOKENS, WIDTH),
        "positions": matrix(POSITIONS, WIDTH),
        **{name: matrix(WIDTH, WIDTH) for name in ("query", "key", "value", "mix")},
        "up": matrix(4 * WIDTH, WIDTH),
        "down": matrix(WIDTH, 4 * WIDTH),
        "out": matrix(TOKENS, WIDTH),
    }


def product(xs: Sequence[Any], ys: Sequence[Any]) -> Any:
    return sum(x * y for x, y in zip(xs, ys))


def linear(w: Matrix, x: Vector, product: Product) -> Vector:
    return [product(row, x) for row in w]


def plus(x: Vector, y: Vector) -> Vector:
    return [a + b for a, b in zip(x, y)]


def normalised(x: Vector, product: Product) -> Vector:
    """Divide by the root of the mean square."""
    scale = (product(x, x) / len(x) + 1e-5) ** -0.5
    return [v * scale for v in x]


def softmax(x: Vector) -> Vector:
    """Return positive numbers that sum to 1; the scores are small here, so none is shifted."""
    exponentials = [v.exp() for v in x]
    total = sum(exponentials)
    return [e / total for e in exponentials]


def attend(query: Vector, keys: Matrix, values: Matrix, product: Product) -> Vector:
    """In each head, mix the values of all positions so far by how well their keys fit the query."""
    mixed: Vector = []
    for start in range(0, WIDTH, HEAD):
        part = slice(start, start + HEAD)
        shares = softmax([product(query[part], key[part]) / HEAD**0.5 for key in keys])
        mixed += [product(shares, column) for column in zip(*(value[part] for value in values))]
    return mixed


def chances(w: Parameters, token: int, keys: Matrix, values: Matrix, product: Product) -> Vector:
    """Return the next token's probabilities; append this position to ``keys`` and ``values``."""

    def through(name: str, x: Vector) -> Vector:
        return linear(w[name], x, product)

    x = normalised(plus(w["tokens"][token], w["positions"][len(keys)]), product)
    h = normalised(x, product)
    keys.append(through("key", h))
    values.append(through("value", h))
    x = plus(x, through("mix", attend(through("query", h), keys, values, product)))
    h = [v.relu() for v in through("up", normalised(x, product))]
    return softmax(through("out", plus(x, through("down", h))))


def loss(params: Parameters, tokens: Sequence[int], product: Product = product) -> Any:
    """Return the mean cross-entropy of each token given those before it."""
    keys: Matrix = []
    values: Matrix = []
    losses = [
        -chances(params, token, keys, values, product)[following].log()
        for token, following in pairwise(tokens)
    ]
    return sum(losses) / len(losses)


def step(value_class: Any, product: Product = product, seed: int = 0) -> Callable[[], list[float]]:
    """Return a function of a step (forward, zero, backward): it returns loss and gradient."""
    rng = random.Random(seed)
    params = parameters(value_class, rng)
    tokens = [rng.randrange(TOKENS) for _ in range(POSITIONS + 1)]
    flat = [p for matrix in params.values() for row in matrix for p in row]

    def call() -> list[float]:
        result = loss(params, tokens, product)
        for p in flat:
            p.grad = 0.0
        result.backward()
        return [result.data, *(p.grad for p in flat)]

    return call


def contestants() -> dict[str, Callable[[], list[float]]]:
    """Return the step of each class, after checking that they give the same numbers."""
    import microgradient as mg

    steps = {
        "a closure-free Value": step(PlainValue),
        "a tape of closures": step(TapeValue),
        "microgradient, the same operators": step(mg.Value),
        "microgradient, dot": step(mg.Value, mg.dot),
    }
    expected = steps["a tape of closures"]()
    for name, contestant in steps.items():
        for got, want in zip(contestant(), expected, strict=True):
            if not math.isclose(got, want, rel_tol=1e-9, abs_tol=1e-12):
                raise AssertionError(f"{name} computes something else: {got} for {want}")
    return steps


def main() -> None:
    """Print the size of the step, and the times."""
    from contest import medians, show

    steps = contestants()
    first = next(iter(steps.values()))()
    rng = random.Random(0)
    params = parameters(TapeValue, rng)
    nodes = loss(params, [rng.randrange(TOKENS) for _ in range(POSITIONS + 1)])._in_order()
    print(f"{len(first) - 1} parameters, {len(nodes)} numbers on the tape, loss {first[0]:.6f}")
    show("a step of the transformer", medians(steps, rounds=5), "a closure-free Value")


if __name__ == "__main__":
    main()
