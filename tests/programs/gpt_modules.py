"""A GPT of Modules with nothing but what micrograd has: attention by ReLU, a margin loss."""

import random

from micrograd.engine import Value
from micrograd.nn import Layer, Module

random.seed(7)
text = "abcabdabcabd"
chars = sorted(set(text))
stoi = {c: i for i, c in enumerate(chars)}


class Embedding(Module):
    def __init__(self, num, dim):
        self.weight = [[Value(random.uniform(-1, 1)) for _ in range(dim)] for _ in range(num)]

    def __call__(self, i):
        return self.weight[i]

    def parameters(self):
        return [p for row in self.weight for p in row]


class Head(Module):
    """Causal attention; the weights are the positive scores, divided by their sum."""

    def __init__(self, dim, size):
        self.key = Layer(dim, size, nonlin=False)
        self.query = Layer(dim, size, nonlin=False)
        self.value = Layer(dim, size, nonlin=False)

    def __call__(self, xs):
        ks, qs, vs = ([f(x) for x in xs] for f in (self.key, self.query, self.value))
        out = []
        for t, q in enumerate(qs):
            scores = [sum(a * b for a, b in zip(q, k)).relu() + 0.1 for k in ks[: t + 1]]
            total = sum(scores)
            wei = [s / total for s in scores]
            out.append([sum(w * v[j] for w, v in zip(wei, vs)) for j in range(len(q))])
        return out

    def parameters(self):
        return self.key.parameters() + self.query.parameters() + self.value.parameters()


class Block(Module):
    def __init__(self, dim, heads):
        self.heads = [Head(dim, dim // heads) for _ in range(heads)]
        self.up = Layer(dim, 2 * dim)
        self.down = Layer(2 * dim, dim, nonlin=False)

    def __call__(self, xs):
        mixed = [[v for part in parts for v in part] for parts in zip(*(h(xs) for h in self.heads))]
        xs = [[a + b for a, b in zip(x, m)] for x, m in zip(xs, mixed)]
        return [[a + b for a, b in zip(x, self.down(self.up(x)))] for x in xs]

    def parameters(self):
        ps = [p for h in self.heads for p in h.parameters()]
        return ps + self.up.parameters() + self.down.parameters()


class GPT(Module):
    def __init__(self, vocab, dim, heads, context):
        self.token = Embedding(vocab, dim)
        self.position = Embedding(context, dim)
        self.block = Block(dim, heads)
        self.head = Layer(dim, vocab, nonlin=False)

    def __call__(self, idx):
        xs = [[a + b for a, b in zip(self.token(i), self.position(t))] for t, i in enumerate(idx)]
        return [self.head(x) for x in self.block(xs)]

    def parameters(self):
        parts = (self.token, self.position, self.block, self.head)
        return [p for part in parts for p in part.parameters()]


model = GPT(len(chars), dim=4, heads=2, context=5)
print(len(model.parameters()), "parameters")
data = [stoi[c] for c in text]
for step in range(12):
    start = step % (len(data) - 5)
    xb, yb = data[start : start + 5], data[start + 1 : start + 6]
    margins = [
        (1 + s - scores[y]).relu()
        for scores, y in zip(model(xb), yb)
        for i, s in enumerate(scores)
        if i != y
    ]
    loss = sum(margins) / len(yb)
    model.zero_grad()
    loss.backward()
    norm = sum(p.grad**2 for p in model.parameters()) ** 0.5
    for p in model.parameters():
        p.data -= 0.05 * min(1.0, 5.0 / norm) * p.grad
    print(f"step {step}: loss {loss.data}, |grad| {norm}")

idx = [stoi["a"]]
for _ in range(8):
    scores = [s.data for s in model(idx[-5:])[-1]]
    idx.append(scores.index(max(scores)))
print("".join(chars[i] for i in idx))
