"""A transformer of scalars: it learns to spell the names of the family trees.

python examples/scalar_gpt.py [steps]

Every number is a Value and every operation is on the page: token and position embeddings, RMS
normalisation, causal attention with several heads, a ReLU perceptron, residual connections, Adam.
Lists of numbers are vectors, lists of lists are matrices; there is no other data structure.
"""

from __future__ import annotations

import random
import sys
from itertools import pairwise

import microgradient as mg
from microgradient import Value, nn
from microgradient.rumelhart1986.experiments.family_trees import PEOPLE

WIDTH, HEADS, CONTEXT = 16, 4, 12
HEAD = WIDTH // HEADS
NAMES = [name.lower() for name in PEOPLE]
ALPHABET = sorted(set("".join(NAMES)))
END = len(ALPHABET)  # the token before the first letter and after the last

Vector = list[Value]
Matrix = list[Vector]
Parameters = dict[str, Matrix]


def parameters(rng: random.Random) -> Parameters:
    """Return the weight matrices by name, a row for each output."""

    def matrix(rows: int, columns: int) -> Matrix:
        return [[Value(rng.gauss(0.0, 0.08)) for _ in range(columns)] for _ in range(rows)]

    return {
        "tokens": matrix(END + 1, WIDTH),
        "positions": matrix(CONTEXT, WIDTH),
        **{name: matrix(WIDTH, WIDTH) for name in ("query", "key", "value", "mix")},
        "up": matrix(4 * WIDTH, WIDTH),
        "down": matrix(WIDTH, 4 * WIDTH),
        "out": matrix(END + 1, WIDTH),
    }


def linear(w: Matrix, x: Vector) -> Vector:
    return [mg.dot(row, x) for row in w]


def normalised(x: Vector) -> Vector:
    """Divide by the root of the mean square."""
    scale = (mg.dot(x, x) / len(x) + 1e-5) ** -0.5
    return [v * scale for v in x]


def softmax(x: Vector) -> Vector:
    total = mg.logsumexp(x)
    return [mg.exp(v - total) for v in x]


def plus(x: Vector, y: Vector) -> Vector:
    return [a + b for a, b in zip(x, y)]


def attend(query: Vector, keys: Matrix, values: Matrix) -> Vector:
    """In each head, mix the values of all positions so far by how well their keys fit the query."""
    mixed: Vector = []
    for start in range(0, WIDTH, HEAD):
        part = slice(start, start + HEAD)
        weights = softmax([mg.dot(query[part], key[part]) * HEAD**-0.5 for key in keys])
        mixed += [mg.dot(weights, column) for column in zip(*(value[part] for value in values))]
    return mixed


def logits(w: Parameters, token: int, keys: Matrix, values: Matrix) -> Vector:
    """Return the scores of the next token; append this position to ``keys`` and ``values``."""
    x = plus(w["tokens"][token], w["positions"][len(keys)])
    h = normalised(x)
    keys.append(linear(w["key"], h))
    values.append(linear(w["value"], h))
    x = plus(x, linear(w["mix"], attend(linear(w["query"], h), keys, values)))
    h = [mg.relu(v) for v in linear(w["up"], normalised(x))]
    return linear(w["out"], normalised(plus(x, linear(w["down"], h))))


def loss_of(w: Parameters, name: str) -> Value:
    """Return the mean cross-entropy of each letter, and of the end, given the letters before it."""
    tokens = [END, *map(ALPHABET.index, name), END]
    keys: Matrix = []
    values: Matrix = []
    losses = [
        mg.softmax_cross_entropy(logits(w, token, keys, values), following)
        for token, following in pairwise(tokens)
    ]
    mean: Value = mg.fsum(losses) / len(losses)
    return mean


def sample(w: Parameters, rng: random.Random) -> str:
    keys: Matrix = []
    values: Matrix = []
    name, token = "", END
    while len(name) < CONTEXT - 1:
        chances = [p.data for p in softmax(logits(w, token, keys, values))]
        token = rng.choices(range(END + 1), chances)[0]
        if token == END:
            break
        name += ALPHABET[token]
    return name


def train(steps: int = 300, seed: int = 0) -> tuple[Parameters, list[float]]:
    """Return the parameters after ``steps`` names, and the loss of each."""
    rng = random.Random(seed)
    w = parameters(rng)
    optimizer = nn.Adam([p for matrix in w.values() for row in matrix for p in row], rate=0.01)
    losses = []
    for step in range(steps):
        loss = loss_of(w, NAMES[rng.randrange(len(NAMES))])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.data)
        if step % 50 == 0 or step == steps - 1:
            print(f"step {step:4}  loss {sum(losses[-50:]) / len(losses[-50:]):.3f}", flush=True)
    return w, losses


if __name__ == "__main__":
    weights, _ = train(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
    generator = random.Random(1)
    print("samples:", ", ".join(sample(weights, generator) for _ in range(8)))
