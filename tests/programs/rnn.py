"""A recurrent network on characters: backpropagation through time, clipped, by plain descent."""

import random

from programs.tape import Value

random.seed(5)
data = "hello hello help "
chars = sorted(set(data))
char_to_ix = {ch: i for i, ch in enumerate(chars)}
hidden_size, seq_length, learning_rate = 6, 5, 0.2
vocab_size = len(chars)


def randn(rows, cols):
    return [[Value(random.gauss(0, 1) * 0.3) for _ in range(cols)] for _ in range(rows)]


Wxh = randn(hidden_size, vocab_size)
Whh = randn(hidden_size, hidden_size)
Why = randn(vocab_size, hidden_size)
bh = [Value(0.0) for _ in range(hidden_size)]
by = [Value(0.0) for _ in range(vocab_size)]
params = [p for W in (Wxh, Whh, Why) for row in W for p in row] + bh + by


def step(ix, h):
    h = [
        (Wxh[i][ix] + sum(w * hj for w, hj in zip(Whh[i], h)) + bh[i]).tanh()
        for i in range(hidden_size)
    ]
    return h, [sum(w * hj for w, hj in zip(row, h)) + b for row, b in zip(Why, by)]


def loss_fun(inputs, targets, h):
    loss = Value(0.0)
    for ix, target in zip(inputs, targets):
        h, scores = step(ix, h)
        exps = [s.exp() for s in scores]
        loss -= (exps[target] / sum(exps)).log()
    return loss, h


p, hprev, smooth = 0, [0.0] * hidden_size, 0.0
for n in range(20):
    if p + seq_length + 1 >= len(data):
        p, hprev = 0, [0.0] * hidden_size
    inputs = [char_to_ix[ch] for ch in data[p : p + seq_length]]
    targets = [char_to_ix[ch] for ch in data[p + 1 : p + seq_length + 1]]
    loss, h = loss_fun(inputs, targets, hprev)
    for param in params:
        param.grad = 0.0
    loss.backward()
    for param in params:
        param.data -= learning_rate * max(-1.0, min(1.0, param.grad))
    hprev = [v.data for v in h]  # truncated: the next piece starts from numbers
    smooth = loss.data if n == 0 else 0.9 * smooth + 0.1 * loss.data
    print(f"iter {n}, loss: {loss.data:.10f}, smooth {smooth:.10f}")
    p += seq_length

h, ix, text = [0.0] * hidden_size, char_to_ix["h"], "h"
for _ in range(10):
    h, scores = step(ix, h)
    ix = max(range(vocab_size), key=lambda i: scores[i].data)
    text += chars[ix]
print(repr(text))
