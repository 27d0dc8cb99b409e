"""A GPT of functions over a dict of parameters, trained by value_and_grad."""

import random

import autograd.numpy as np
from autograd import value_and_grad

rng = random.Random(0)
DIM, CONTEXT, VOCAB = 4, 4, 4


def init(rows, cols):
    return [[rng.gauss(0.0, 0.3) for _ in range(cols)] for _ in range(rows)]


params = {
    "tok": init(VOCAB, DIM),
    "pos": init(CONTEXT, DIM),
    "attn": {"q": init(DIM, DIM), "k": init(DIM, DIM), "v": init(DIM, DIM), "o": init(DIM, DIM)},
    "mlp": (init(2 * DIM, DIM), init(DIM, 2 * DIM)),
    "out": init(VOCAB, DIM),
}


def tree_map(f, tree, *rest):
    if isinstance(tree, dict):
        return {k: tree_map(f, v, *(r[k] for r in rest)) for k, v in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)([tree_map(f, *parts) for parts in zip(tree, *rest)])
    return f(tree, *rest)


def dot(a, b):
    return sum(x * y for x, y in zip(a, b))


def matvec(w, x):
    return [dot(row, x) for row in w]


def add(a, b):
    return [x + y for x, y in zip(a, b)]


def norm(x):
    scale = 1.0 / np.sqrt(dot(x, x) / len(x) + 1e-5)
    return [v * scale for v in x]


def logsumexp(x):
    top = max(x)
    return top + np.log(sum(np.exp(v - top) for v in x))


def forward(p, tokens):
    ks, vs, out = [], [], []
    for t, token in enumerate(tokens):
        x = add(p["tok"][token], p["pos"][t])
        h = norm(x)
        ks.append(matvec(p["attn"]["k"], h))
        vs.append(matvec(p["attn"]["v"], h))
        q = matvec(p["attn"]["q"], h)
        scores = [dot(q, k) / DIM**0.5 for k in ks]
        total = logsumexp(scores)
        weights = [np.exp(s - total) for s in scores]
        mixed = [dot(weights, [v[j] for v in vs]) for j in range(DIM)]
        x = add(x, matvec(p["attn"]["o"], mixed))
        up, down = p["mlp"]
        h = [np.tanh(v) for v in matvec(up, norm(x))]
        x = add(x, matvec(down, h))
        out.append(matvec(p["out"], norm(x)))
    return out


def loss_fn(p, tokens, targets):
    logits = forward(p, tokens)
    nll = [logsumexp(row) - row[target] for row, target in zip(logits, targets)]
    return sum(nll) / len(nll)


step_fn = value_and_grad(loss_fn)
velocity = tree_map(lambda p: 0.0, params)
sequence = [0, 1, 2, 3, 2, 1] * 3
for step in range(6):
    start = step % 6
    tokens = sequence[start : start + CONTEXT]
    targets = sequence[start + 1 : start + CONTEXT + 1]
    loss, grads = step_fn(params, tokens, targets)
    velocity = tree_map(lambda v, g: 0.9 * v + g, velocity, grads)
    params = tree_map(lambda p, v: p - 0.1 * v, params, velocity)
    print(f"step {step} loss {float(loss):.12f}")

logits = forward(params, [0, 1, 2])
print([f"{float(x):.9f}" for x in logits[-1]])
