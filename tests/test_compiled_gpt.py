"""A transformer of scalars as people write it: lists of lists, ``exp`` in its softmax, token ids.

Compiled, it is traced once for each length of a document, and not for each document.
"""

import math
import random
from itertools import pairwise

import pytest

import microgradient as mg
from microgradient import CompileError, Value

VOCABULARY, WIDTH, CONTEXT = 5, 4, 6


def matrix(rng, rows, columns):
    return [[rng.gauss(0, 0.4) for _ in range(columns)] for _ in range(rows)]


def parameters(seed=0):
    rng = random.Random(seed)
    shapes = {"wte": (VOCABULARY, WIDTH), "wpe": (CONTEXT, WIDTH), "up": (8, WIDTH)}
    shapes |= dict.fromkeys(("q", "k", "v", "o"), (WIDTH, WIDTH))
    shapes |= {"down": (WIDTH, 8), "head": (VOCABULARY, WIDTH)}
    return {name: matrix(rng, *shape) for name, shape in shapes.items()}


def linear(x, w):
    return [sum(wi * xi for wi, xi in zip(row, x)) for row in w]


def softmax(logits):
    exponentials = [mg.exp(v) for v in logits]
    total = sum(exponentials)
    return [e / total for e in exponentials]


def rmsnorm(x):
    scale = (sum(v * v for v in x) / len(x) + 1e-5) ** -0.5
    return [v * scale for v in x]


def gpt(w, token, position, keys, values):
    x = [t + p for t, p in zip(mg.take(w["wte"], token), w["wpe"][position])]
    h = rmsnorm(x)
    q = linear(h, w["q"])
    keys.append(linear(h, w["k"]))
    values.append(linear(h, w["v"]))
    scores = [sum(a * b for a, b in zip(q, k)) / WIDTH**0.5 for k in keys]
    weights = softmax(scores)
    mixed = [sum(a * v[j] for a, v in zip(weights, values)) for j in range(WIDTH)]
    x = [a + b for a, b in zip(x, linear(mixed, w["o"]))]
    h = [mg.relu(v) for v in linear(rmsnorm(x), w["up"])]
    return linear([a + b for a, b in zip(x, linear(h, w["down"]))], w["head"])


def loss(w, tokens):
    keys, values = [], []
    losses = []
    for position, (token, following) in enumerate(pairwise(tokens)):
        chances = softmax(gpt(w, token, position, keys, values))
        losses.append(-mg.log(mg.take(chances, following)))
    return sum(losses) / len(losses)


DOCUMENTS = [[0, 1, 2, 0], [0, 3, 0], [0, 4, 4, 0], [0, 2, 0], [0, 1, 3, 0], [0, 1, 1, 2, 4, 0]]


@pytest.mark.parametrize("backend", ["llvm", "python"])
def test_it_is_traced_once_for_each_length(backend):
    w, eager = parameters(), mg.value_and_grad(loss)
    compiled = mg.compile(eager, backend=backend)
    for tokens in DOCUMENTS:
        got, want = compiled(w, tokens), eager(w, tokens)
        assert got[0] == pytest.approx(want[0], rel=1e-13)
        for name in w:
            for row, wanted in zip(got[1][name], want[1][name], strict=True):
                assert row == pytest.approx(wanted, rel=1e-10, abs=1e-14)
    assert compiled.cache_info()[:2] == (3, 3)


def test_it_learns_as_on_values():
    compiled = mg.compile(mg.value_and_grad(loss))
    w, on_values = (
        parameters(),
        {k: [list(map(Value, r)) for r in m] for k, m in parameters().items()},
    )
    losses = []
    for step in range(60):
        tokens = DOCUMENTS[step % len(DOCUMENTS)]
        value, gradient = compiled(w, tokens)
        node = loss(on_values, tokens)
        node.backward()
        assert value == pytest.approx(node.data, rel=1e-9)
        losses.append(value)
        for name in w:
            for i, row in enumerate(w[name]):
                for j in range(len(row)):
                    row[j] -= 0.2 * gradient[name][i][j]
                    p = on_values[name][i][j]
                    p.data -= 0.2 * p.grad
                    p.grad = 0.0
    assert sum(losses[-6:]) < 0.7 * sum(losses[:6])
    assert compiled.cache_info().misses == 3


def test_an_index_that_is_traced_names_take_and_the_static_argument():
    with pytest.raises(CompileError, match=r"take\(rows, index\), or .* static argument"):
        mg.compile(lambda rows, i: rows[i])([1.0, 2.0], 1)


# --- take -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["llvm", "python"])
@pytest.mark.parametrize("n", [1, 2, 3, 7, 8])
def test_take_is_the_element_and_its_gradient(backend, n):
    rows = [[float(i), [i * i + 0.5]] for i in range(n)]

    def f(rows, index):
        x, (y,) = mg.take(rows, index)
        return x * 3 + y * y

    compiled = mg.compile(mg.value_and_grad(f), backend=backend)
    for index in range(n):
        want = mg.value_and_grad(f)(rows, index)
        assert want[0] == index * 3 + (index * index + 0.5) ** 2
        assert compiled(rows, index) == want == mg.value_and_grad(f)(rows, Value(index))
    for wrong in (-1, n, 0.5, math.nan, math.inf):
        assert math.isnan(compiled(rows, wrong)[0])
        with pytest.raises(IndexError, match=f"from 0 to {n - 1}"):
            f(rows, wrong)


def test_take_is_not_touched_by_other_elements():
    rows = [1.0, math.nan, math.inf, -2.0]
    f = mg.value_and_grad(lambda rows, i: mg.take(rows, i) * 2)
    for index in (0, 3):
        assert mg.compile(f)(rows, index) == f(rows, index)
    with pytest.raises(ValueError, match="each element must be shaped like"):
        mg.compile(lambda i: mg.take([[1.0], [1.0, 2.0]], i))(0)
    with pytest.raises(IndexError, match="at least one element"):
        mg.compile(lambda i: mg.take([], i))(0)
    with pytest.raises(IndexError, match=r"from 0 to -1|empty"):
        mg.take([], 0)
