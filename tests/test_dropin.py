"""micrograd's code runs here with only its import changed, and gives the same numbers.

Each program is run twice from the same text: once importing the PyPI package ``micrograd``, once
importing ours. Between them they use everything that micrograd has.
"""

import math
import random

import pytest

from microgradient import Value, nn

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
d = (a * b + a).relu() + a * a + b**3
nodes, edges = trace(d)
result = [len(nodes), len(edges)]
ops = {op: i for i, op in enumerate(["", "+", "*", "ReLU", "**3"])}
for n in sorted(nodes, key=lambda n: (n.data, n._op)):
    result += [n.data, n.grad, ops[n._op]]
"""

BY_HAND = """
a, b = Value(2.0), Value(-3.0)
s = a * b
d = s + a
o = d.relu() * 3 + d**2
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

OWN_CLASSES = """
class Scaled(Neuron):
    def __call__(self, x):
        return super().__call__(x) * 10
class Normal(Neuron):
    def __init__(self, nin, nonlin=True):
        self.w = [Value(random.gauss(0, 1)) for _ in range(nin)]
        self.b = Value(0.5)
        self.nonlin = nonlin
class Squares(Layer):
    def __init__(self, nin, nout):
        self.nin, self.nout = nin, nout
        self.neurons = [Normal(nin, i > 0) for i in range(nout)]
    def __call__(self, x):
        return [o**2 for o in super().__call__(x)]
class Doubled(Module):
    def __call__(self, x):
        return [2 * v for v in x]
class Sum(Module):
    def __init__(self):
        self.w = Value(2.0)
    def __call__(self, x):
        return sum(x) * self.w
    def parameters(self):
        return [self.w]
class Net(MLP):
    def __init__(self):
        self.layers = [Doubled(), Squares(2, 3), Layer(3, 2), Layer(2, 2, nonlin=False)]
random.seed(3)
net = Net()
net.layers[2].neurons[0] = Scaled(3, nonlin=False)
net.layers[3].neurons[1] = Sum()
net.layers[3].neurons[0].nonlin = True
outputs = net([0.5, -1.25])
(outputs[0] + outputs[1]).backward()
net.layers.append(Sum())
result = [o.data for o in outputs] + [net([1.0, 2.0]).data] + [p.grad for p in net.parameters()]
neurons = [Neuron(2), Neuron(2, False), Neuron(2, True), net.layers[3].neurons[0]]
result += [n.nonlin for n in neurons]
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
    names: dict[str, object] = {"math": math, "random": random}
    exec(imports + program, names)
    return names["result"]  # type: ignore[return-value]


@pytest.mark.parametrize(
    "program",
    [OPERATORS, SHARED, TRAINING, MODULES, DRAWING, BY_HAND, SEEDED, OWN_CLASSES, UNUSED],
)
def test_same_numbers_with_only_the_import_changed(program: str) -> None:
    theirs, ours = _run(program, THEIRS), _run(program, OURS)
    assert len(ours) > 1
    assert ours == pytest.approx(theirs, rel=1e-12)


DIFFERENCES = {
    "a = Value(2.0); y = a * a * a; y.backward(); y.backward(); result = a.grad": (32, 24),
    "a = Value(2.0); y = a * a; a.data = 5.0; y.backward(); result = a.grad": (10, 4),
    "a = Value(2.0); y = a * a; z = y + 1; y.backward(); z.backward(); result = a.grad": (12, 8),
    "a = Value(2.0); result = [v._op for v in (a - 1, a / 2, -a)]": ("+**", "-/-"),
    "n = Neuron(2, nonlin=False)([1.0, 2.0]); result = [n._op, len(n._prev)]": (
        ["+", 2],
        ["dot", 5],
    ),
    "result = str(Value(2).data)": ("2", "2.0"),
    "result = (Value(3.0) * (2 > 1)).data": (3, TypeError),
    "result = Value(1j).data": (1j, TypeError),
    "result = (Value(0.0) ** -1).data": (ZeroDivisionError, math.inf),
    "result = math.isnan(abs((Value(-8.0) ** 0.5).data))": (False, True),
    "a = Value(math.nan); a.relu().backward(); result = math.isnan(a.grad)": (False, True),
    "result = [Value(2.0) == Value(2.0), Value(2.0) in [Value(2.0)]]": ([False] * 2, [True] * 2),
    "result = 1 if Value(0.0) else 0": (1, TypeError),
    "class W(Value): pass\nresult = W(2.0).data": (2, TypeError),
    "a = Value(2.0); result = Value(4.0, (a,), 'square').data": (4, TypeError),
    "Value(2.0).momentum = result = 0": (0, AttributeError),
    "class M(Module):\n def __init__(self): self.s = Value(2.0)\nresult = len(M().parameters())": (
        0,
        1,
    ),
    "n = Neuron(2); n.w = [Value(1.0)] * 2; result = len(n.parameters())": (3, 2),
    "n = Neuron(2); n.b.data = 1.0; result = n([]).data": (1, ValueError),
    "result = len(Layer(2, 0).parameters())": (0, ValueError),
    "result = MLP(2, []).parameters()": ([], ValueError),
    "result = len(Neuron(0).w)": (0, ValueError),
    "result = repr(Value(2.0))": ("Value(data=2.0, grad=0)", "Value(data=2.0)"),
    "result = repr(Layer(2, 1))": ("Layer of [ReLUNeuron(2)]", "Layer(2, 1)"),
}
"""What docs/conventions.md says differs: a program, micrograd's result, ours."""


@pytest.mark.parametrize("program", DIFFERENCES)
def test_what_differs(program: str) -> None:
    for imports, expected in zip((THEIRS, OURS), DIFFERENCES[program]):
        if isinstance(expected, type):
            with pytest.raises(expected):
                _run(program, imports)
        else:
            result = _run(program, imports)
            assert ("".join(result) if isinstance(expected, str) else result) == expected


def test_a_model_with_layers_of_ones_own_prints() -> None:
    class Doubled(nn.Module):
        def __call__(self, x: list[Value]) -> list[Value]:
            return [2 * v for v in x]

    net = nn.MLP(2, [1])
    net.layers.insert(0, Doubled())
    assert repr(net).startswith("MLP of [")
    layer = nn.Layer(2, 2)
    layer.neurons[0] = Doubled()
    assert repr(layer).startswith("Layer of [")
    assert layer([0.0, 0.0])[0][0] == 0
    layer.neurons = []
    assert (repr(layer), layer([1.0])) == ("Layer of []", [])
    assert net([1.0, 2.0]).data == pytest.approx(
        2 * (net.layers[1].neurons[0].w[0].data + 2 * net.layers[1].neurons[0].w[1].data)
    )
