"""Adam, with its moments kept on the parameters; the loss is that of a sine."""

import math
import random

from micrograd.engine import Value
from micrograd.nn import MLP


class Adam:
    def __init__(self, params, lr=0.03, betas=(0.9, 0.99), eps=1e-8):
        self.params, self.lr, self.betas, self.eps, self.t = params, lr, betas, eps, 0
        for p in self.params:
            p.m = 0.0
            p.v = 0.0

    def zero_grad(self):
        for p in self.params:
            p.grad = 0.0

    def step(self):
        self.t += 1
        b1, b2 = self.betas
        for p in self.params:
            p.m = b1 * p.m + (1 - b1) * p.grad
            p.v = b2 * p.v + (1 - b2) * p.grad**2
            m_hat = p.m / (1 - b1**self.t)
            v_hat = p.v / (1 - b2**self.t)
            p.data -= self.lr * m_hat / (v_hat**0.5 + self.eps)


random.seed(42)
model = MLP(1, [10, 1])
optim = Adam(model.parameters())
xs = [-3 + 6 * i / 14 for i in range(15)]
for epoch in range(40):
    preds = [model([Value(x)]) for x in xs]
    loss = sum((p - math.sin(x)) ** 2 for p, x in zip(preds, xs)) / len(xs)
    optim.zero_grad()
    loss.backward()
    optim.step()
    if epoch % 4 == 0:
        print(f"epoch {epoch:3d} | loss {loss.data}")
print([p.m for p in model.parameters()][:5], [p.v for p in model.parameters()][:5])
