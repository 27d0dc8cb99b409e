"""Two moons, a seeded network, a margin loss with a penalty on the weights."""

import math
import random

from micrograd.engine import Value
from micrograd.nn import MLP

random.seed(1337)


def make_moons(n, noise):
    X, y = [], []
    for i in range(n):
        t = math.pi * (i // 2) / (n // 2 - 1)
        upper = i % 2 == 0
        px, py = (math.cos(t), math.sin(t)) if upper else (1 - math.cos(t), 0.5 - math.sin(t))
        X.append([px + random.gauss(0, noise), py + random.gauss(0, noise)])
        y.append(1 if upper else -1)
    return X, y


X, y = make_moons(24, 0.1)
model = MLP(2, [8, 8, 1])
print("number of parameters", len(model.parameters()))


def loss(batch_size=None):
    if batch_size is None:
        Xb, yb = X, y
    else:
        ri = random.sample(range(len(X)), batch_size)
        Xb, yb = [X[i] for i in ri], [y[i] for i in ri]
    inputs = [list(map(Value, xrow)) for xrow in Xb]
    scores = list(map(model, inputs))
    losses = [(1 + -yi * scorei).relu() for yi, scorei in zip(yb, scores)]
    data_loss = sum(losses) * (1.0 / len(losses))
    alpha = 1e-4
    reg_loss = alpha * sum(p * p for p in model.parameters())
    total_loss = data_loss + reg_loss
    accuracy = [(yi > 0) == (scorei.data > 0) for yi, scorei in zip(yb, scores)]
    return total_loss, sum(accuracy) / len(accuracy)


steps = 20
for k in range(steps):
    total_loss, acc = loss(batch_size=None if k % 2 else 12)
    model.zero_grad()
    total_loss.backward()
    learning_rate = 0.5 - 0.4 * k / steps
    for p in model.parameters():
        p.data -= learning_rate * p.grad
    print(f"step {k} loss {total_loss.data}, accuracy {acc * 100:.1f}%")

for row in range(6):  # the plane, in letters
    line = ""
    for column in range(16):
        score = model([Value(-1.5 + 4 * column / 15), Value(1.5 - 2.5 * row / 5)])
        line += "o" if score.data > 0 else "."
    print(line)
