"""A module with other parameters: values, derivatives, threads; the module stays as it is."""

from concurrent.futures import ThreadPoolExecutor

import pytest

import microgradient as mg
from microgradient import Value, nn
from microgradient.nn import functional_call

X = [0.3, 0.5]


def model():
    return nn.MLP(2, [2, 1], "tanh", rng=1)


def test_the_hessian_of_a_loss_is_one_line():
    net = model()
    state = net.state_dict()

    def loss(p):
        return (functional_call(net, p, (X,)) - 1.0) ** 2

    rows = mg.hessian(loss)(state)
    assert mg.compile(mg.hessian(loss))(state)[next(iter(state))] == pytest.approx(
        rows[next(iter(state))], rel=1e-13
    )
    (net(X) - 1.0).__pow__(2).backward()
    assert mg.grad(loss)(state) == {n: p.grad for n, p in net.named_parameters().items()}
    h = 1e-5
    for name in state:
        up, down = (mg.grad(loss)({**state, name: state[name] + s * h}) for s in (1, -1))
        numeric = {other: (up[other] - down[other]) / (2 * h) for other in state}
        assert rows[name] == pytest.approx(numeric, abs=1e-8)
    assert net.state_dict() == state


def test_some_parameters_and_floats():
    net = model()
    before = net(X).data
    assert functional_call(net, {}, X).data == before
    other = functional_call(net, {"layers.1.neurons.0.bias": 2.0}, X).data
    assert other == pytest.approx(before + 2.0 - net.layers[1].neurons[0].bias.data)
    assert net(X).data == before


class Shared(nn.Module):
    """One neuron twice, one Value twice, a method and a dict as attributes, keywords."""

    def __init__(self):
        self.neuron = nn.Neuron(1, "linear", rng=0)
        self.again = [self.neuron, (self.neuron,)]
        self.scale = Value(2.0)
        self.table = {"scale": self.scale}
        self.method = self.scaled
        self.itself = self
        self.calls = 0

    def scaled(self, x):
        return x * self.scale

    def __call__(self, xs, *, times=1.0):
        self.calls += 1
        y = self.neuron(xs) + self.again[0](xs) + self.again[1][0](xs)
        return self.method(y) * self.table["scale"] * times


def test_what_is_shared_stays_shared():
    net = Shared()
    p = {"neuron.weights.0": 1.5, "neuron.bias": 0.5, "scale": 3.0}
    assert net.named_parameters().keys() == p.keys()
    assert functional_call(net, p, ([2.0],), {"times": 2.0}).data == 3 * 3.5 * 9 * 2
    slopes = mg.grad(lambda p: functional_call(net, p, [2.0]))(p)
    assert slopes == {"neuron.weights.0": 54.0, "neuron.bias": 27.0, "scale": 2 * 3 * 3 * 3.5}
    assert (net.calls, net.scale.data, net.itself is net) == (0, 2.0, True)


def test_nested_calls_errors_and_threads():
    net = model()
    state = net.state_dict()
    before = [id(p) for p in net.parameters()]

    def at(shift):
        p = {name: x + shift for name, x in state.items()}
        inner = functional_call(net, state, X).data
        return functional_call(net, p, X).data, inner

    with ThreadPoolExecutor(4) as pool:
        shifts = [0.01 * i for i in range(50)]
        assert list(pool.map(at, shifts)) == [at(shift) for shift in shifts]
    with pytest.raises(ValueError, match="inputs"):
        functional_call(net, state, [1.0, 2.0, 3.0])
    assert [id(p) for p in net.parameters()] == before
    assert net(X).data == at(0.0)[1]


def test_misuse():
    net = model()
    with pytest.raises(ValueError, match="'weights'"):
        functional_call(net, {"weights": 1.0}, X)
    with pytest.raises(TypeError, match="module"):
        functional_call(lambda x: x, {}, X)
    with pytest.raises(TypeError, match="by name"):
        functional_call(net, [1.0], X)
    with pytest.raises(TypeError, match="real number"):
        functional_call(net, {"layers.1.neurons.0.bias": "x"}, X)


def test_a_function_that_closes_over_the_module_is_refused():
    class Scaled(nn.Module):
        def __init__(self):
            self.w = Value(2.0)
            self.scale = lambda x: self.w * x

        def __call__(self, x):
            return self.scale(x)

    model = Scaled()
    with pytest.raises(TypeError, match="closes over 'self'; make it a method"):
        mg.grad(lambda p: nn.functional_call(model, p, (3.0,)))(model.state_dict())
    model.scale = lambda x, w=model.w: x  # no closure
    assert nn.functional_call(model, {"w": 1.0}, (3.0,)) == 3.0
