"""diagnose reports the faults that were planted, and nothing else."""

from math import inf

import pytest

import microgradient as mg
from microgradient import Value, diagnose, nn

PATTERNS = [([a, b], [float(a != b)]) for a in (0, 1) for b in (0, 1)]


def _kinds(model, loss=nn.half_squared_error, batch=PATTERNS):
    return {(f.kind, f.where) for f in diagnose(model, batch, loss).findings}


def test_a_healthy_network_has_nothing_to_name():
    model = nn.MLP(2, [4, 4, 1], "tanh", rng=0)
    it = diagnose(model, PATTERNS)
    assert it.findings == ()
    assert "Nothing wrong" in repr(it)
    assert [flow.neurons for flow in it.layers] == [4, 4, 1]
    assert "model.layers.1" in it._repr_html_()
    assert all(not p.reached for p in model.parameters())


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "softsign"])
def test_saturated(activation):
    model = nn.MLP(2, [3, 1], activation, rng=0)
    model.layers[0].neurons[1].bias.data = 60.0
    assert _kinds(model) == {("saturated", "model.layers.0.neurons.1")}


def test_saturation_is_measured_over_the_batch():
    model = nn.MLP(2, [1, 1], "sigmoid", rng=0)
    neuron = model.layers[0].neurons[0]
    neuron.weights[0].data, neuron.weights[1].data, neuron.bias.data = 100.0, 0.0, 0.0
    it = diagnose(model, PATTERNS)  # flat for half of them: where the first input is 1
    assert [unit.saturated for unit in it.units] == [0.5]
    assert not it.findings


def test_dead():
    model = nn.MLP(2, [3, 1], "relu", rng=2)
    for neuron in model.layers[0].neurons:
        neuron.bias.data = 5.0
    assert _kinds(model) == set()
    model.layers[0].neurons[2].bias.data = -50.0
    assert _kinds(model) == {("dead", "model.layers.0.neurons.2")}


@pytest.mark.parametrize(("scale", "kind"), [(0.001, "shrinking"), (1000.0, "growing")])
def test_gradients_that_shrink_or_grow(scale, kind):
    model = nn.MLP(2, [3, 3, 1], "linear", rng=0)
    for neuron in model.layers[1].neurons:
        for weight in neuron.weights:
            weight.data *= scale
    assert _kinds(model) == {(kind, "model.layers.0")}


def test_unused_parameters():
    model = nn.MLP(2, [2, 1], "tanh", rng=0)
    model.forgotten = nn.Neuron(2)
    assert _kinds(model) == {("unused", "forgotten.weights.0")}


def test_the_first_that_is_not_finite_with_operands_and_line():
    model = nn.MLP(2, [2, 1], "tanh", output="relu", rng=0)

    def loss(outputs, targets):
        return mg.log(outputs * 0)  # the line to be named

    finding = diagnose(model, PATTERNS, loss).findings[0]
    assert finding.kind == "not finite"
    assert "log(0.0) gave -inf" in finding.sentence
    assert "the line to be named" in finding.sentence
    model.layers[1].neurons[0].bias.data = inf
    finding = diagnose(model, PATTERNS).findings[0]
    assert finding.where == "bias[1,0]"


def test_an_adjoint_that_is_not_finite():
    model = nn.MLP(2, [1], "linear", rng=0)

    def loss(outputs, targets):
        return mg.sqrt(outputs * 0)  # finite, but not its slope

    finding = diagnose(model, PATTERNS, loss).findings[0]
    assert finding.kind == "not finite"
    assert "local derivative inf" in finding.sentence
    assert "not its slope" in finding.sentence


def test_bad_arguments():
    model = nn.Neuron(2, rng=0)
    with pytest.raises(TypeError, match="expects a module"):
        diagnose(lambda x: x, PATTERNS)
    with pytest.raises(ValueError, match="at least one; got none"):
        diagnose(model, [])
    for batch in (5, "ab", [1, 2], [(1, 2, 3)]):
        with pytest.raises(TypeError, match=r"a list of \(inputs, targets\)"):
            diagnose(model, batch)
    with pytest.raises(TypeError, match="loss must be a function"):
        diagnose(model, PATTERNS, "mse")
    with pytest.raises(TypeError, match="loss must return a Value"):
        diagnose(model, PATTERNS, lambda outputs, targets: 1.0)
    assert isinstance(model([Value(1.0), Value(2.0)]), Value)
