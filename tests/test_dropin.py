"""micrograd's code runs here with only its import changed, and gives the same numbers.

Each program is run twice from the same text: once importing the PyPI package ``micrograd``, once
importing ours. The first two compute what micrograd's own two test cases compute.
"""

import random

import pytest

THEIRS = "from micrograd.engine import Value\nfrom micrograd.nn import MLP, Layer, Neuron, Module\n"
OURS = "from microgradient import Value\nfrom microgradient.nn import MLP, Layer, Neuron, Module\n"

SANITY = """
x = Value(-4.0)
z = 2 * x + 2 + x
q = z.relu() + z * x
h = (z * z).relu()
y = h + q + q * x
y.backward()
result = [y.data, x.grad]
"""

MORE_OPERATIONS = """
a = Value(-4.0)
b = Value(2.0)
c = a + b
d = a * b + b**3
c += c + 1
c += 1 + c + (-a)
d += d * 2 + (b + a).relu()
d += 3 * d + (b - a).relu()
e = c - d
f = e**2
g = f / 2.0
g += 10.0 / f
g.backward()
result = [g.data, a.grad, b.grad]
"""

TRAINING = """
model = MLP(2, [4, 4, 1])
rng = random.Random(0)
for p in model.parameters():
    p.data = rng.uniform(-1, 1)
data = [((rng.uniform(-1, 1), rng.uniform(-1, 1)), rng.choice((-1, 1))) for _ in range(10)]
losses = []
for step in range(20):
    scores = [model(list(map(Value, x))) for x, _ in data]
    margins = [(1 + -y * s).relu() for (_, y), s in zip(data, scores)]
    data_loss = sum(margins) * (1.0 / len(margins))
    loss = data_loss + 1e-4 * sum((p * p for p in model.parameters()))
    model.zero_grad()
    loss.backward()
    for p in model.parameters():
        p.data -= (1.0 - 0.9 * step / 100) * 0.1 * p.grad
    losses.append(loss.data)
result = losses + [p.data for p in model.parameters()]
"""

MODULES = """
neuron, layer = Neuron(3, nonlin=False), Layer(3, 2, nonlin=False)
for p in neuron.parameters() + layer.parameters():
    p.data = 0.5
outputs = [neuron([1.0, 2.0, -1.0])] + layer([0.5, Value(1.0), 2]) + [Layer(3, 1)([1, 2, 3]) * 0]
class Scale(Module):
    def __init__(self):
        self.w = Value(3.0)
    def parameters(self):
        return [self.w]
scale = Scale()
(scale.w * 2).backward()
outputs += [scale.w.grad and Value(scale.w.grad)]
scale.zero_grad()
result = [float(o.data) for o in outputs] + [scale.w.grad, len(neuron.parameters())]
"""


def _run(program: str, imports: str) -> list[float]:
    names: dict[str, object] = {"random": random}
    exec(imports + program, names)
    return names["result"]  # type: ignore[return-value]


@pytest.mark.parametrize("program", [SANITY, MORE_OPERATIONS, TRAINING, MODULES])
def test_same_numbers_with_only_the_import_changed(program: str) -> None:
    theirs, ours = _run(program, THEIRS), _run(program, OURS)
    assert len(ours) > 1
    assert ours == pytest.approx(theirs, rel=1e-12)
