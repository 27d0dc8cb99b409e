"""micrograd's code runs here with only its import changed, and gives the same numbers.

Each program is run twice from the same text: once importing the PyPI package ``micrograd``, once
importing ours. Between them they use everything that micrograd has.
"""

import random

import pytest

THEIRS = "from micrograd.engine import Value\nfrom micrograd.nn import MLP, Layer, Neuron, Module\n"
OURS = THEIRS.replace("micrograd", "microgradient")

OPERATORS = """
u, v = Value(1.5), Value(-2.25)
s = 3 - u * v + v / 4
s += u**2 - 1 / v
t = (s - 10).relu() + (10 - s).relu()
t *= -s + u**-3
w = t / (s * s + 1) - 0.5 * t + (2 + -u) + sum([u, v, s])
w.backward()
result = [w.data, u.grad, v.grad, s.grad, t.grad]
"""

SHARED = """
x = Value(0.7)
a = x * x
b = a * a + a + x
c = (b - a) * (b + a) * b
for _ in range(5):
    c = c * 0.5 + c / 3 + x
c.backward()
result = [c.data, x.grad, a.grad, b.grad]
"""

TRAINING = """
rng = random.Random(0)
net = MLP(3, [5, 4, 1])
for p in net.parameters():
    p.data = rng.uniform(-0.5, 0.5)
points = [[rng.gauss(0, 1) for _ in range(3)] for _ in range(8)]
wanted = [p[0] - 2 * p[1] for p in points]
result = []
for _ in range(25):
    error = sum((net([Value(c) for c in p]) - y) ** 2 for p, y in zip(points, wanted)) / len(points)
    error += 0.001 * sum(p * p for p in net.parameters())
    net.zero_grad()
    error.backward()
    for p in net.parameters():
        p.data += -0.02 * p.grad
    result.append(error.data)
result += [p.data for p in net.parameters()]
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
outputs += [Value(scale.w.grad)]
scale.zero_grad()
result = [float(o.data) for o in outputs] + [scale.w.grad, len(neuron.parameters())]
"""


DRAWING = """
def trace(root):
    nodes, edges = set(), set()
    def build(v):
        if v not in nodes:
            nodes.add(v)
            for child in v._prev:
                edges.add((child, v))
                build(child)
    build(root)
    return nodes, edges

a, b = Value(2.0), Value(-3.0)
d = (a * b + a).relu() + a * a
nodes, edges = trace(d)
result = [len(nodes), len(edges)]
for n in sorted(nodes, key=lambda n: (n.data, n._op.lower())):
    result += [n.data, n.grad, len(n._op)]
"""

BY_HAND = """
a, b = Value(2.0), Value(-3.0)
s = a * b
d = s + a
o = d.relu() * 3 + d
o.grad = 1.0
order, seen = [], set()
def build(v):
    if v not in seen:
        seen.add(v)
        for child in v._prev:
            build(child)
        order.append(v)
build(o)
for node in reversed(order):
    node._backward()
result = [n.grad for n in (a, b, s, d, o)]
"""

SEEDED = """
random.seed(1337)
net = MLP(2, [16, 16, 1])
random.seed(7)
neuron = Neuron(3)
result = [p.data for p in net.parameters()] + [w.data for w in neuron.w] + [neuron.b.data]
"""

UNUSED = """
rows = [[Value(0.1 * i + j) for i in range(3)] for j in range(4)]
result = []
for step in range(3):
    loss = sum(x * x for x in rows[step])
    loss.backward()
    for row in rows:
        for p in row:
            p.data -= 0.1 * p.grad
            result.append(p.grad)
            p.grad = 0
"""


def _run(program: str, imports: str) -> list[float]:
    names: dict[str, object] = {"random": random}
    exec(imports + program, names)
    return names["result"]  # type: ignore[return-value]


@pytest.mark.parametrize(
    "program",
    [OPERATORS, SHARED, TRAINING, MODULES, DRAWING, BY_HAND, SEEDED, UNUSED],
)
def test_same_numbers_with_only_the_import_changed(program: str) -> None:
    theirs, ours = _run(program, THEIRS), _run(program, OURS)
    assert len(ours) > 1
    assert ours == pytest.approx(theirs, rel=1e-12)
