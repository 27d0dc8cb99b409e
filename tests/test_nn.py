"""Modules, initializers, losses, optimizers."""

import copy
import math
import pickle
import random
import statistics

import pytest

from microgradient import Value, detach, grad, nn, where
from microgradient.nn.module import ACTIVATIONS


def test_parameters_have_names_and_stand_once():
    model = nn.MLP(2, [3, 1], rng=0)
    names = model.named_parameters()
    assert list(names)[:4] == [
        "layers.0.neurons.0.weights.0",
        "layers.0.neurons.0.weights.1",
        "layers.0.neurons.0.bias",
        "layers.0.neurons.1.weights.0",
    ]
    assert len(model.parameters()) == 3 * 3 + 4

    class Tied(nn.Module):
        def __init__(self):
            self.a = Value(1.0)
            self.parts = {"b": self.a, "c": (Value(2.0),)}

            self.computed = self.a * 2

    assert list(Tied().named_parameters()) == ["a", "parts.c.0"]


def test_state_goes_round_and_faults_change_nothing():
    model, other = nn.MLP(2, [3, 1], rng=0), nn.MLP(2, [3, 1], rng=1)
    state = model.state_dict()
    before = other.state_dict()
    for broken, message in (
        ({**state, "extra": 1.0}, "'extra', which this module does not have"),
        (dict(list(state.items())[1:]), "lacks 'layers.0.neurons.0.weights.0'"),
        ({**state, "layers.0.neurons.0.bias": math.nan}, "not finite"),
    ):
        with pytest.raises(ValueError, match=message):
            other.load_state_dict(broken)
        assert other.state_dict() == before
    other.load_state_dict(state)
    assert other.state_dict() == state


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nn.Neuron(3)([1.0]), "number of inputs of this neuron is 3, got 1"),
        (lambda: nn.Layer(3, 2)([1.0] * 10), "of this layer is 3, got 10"),
        (lambda: nn.MLP(3, [2, 1])([]), "of this layer is 3, got 0"),
        (lambda: nn.Neuron(0), "number of inputs must be a whole number of at least 1, got int 0"),
        (
            lambda: nn.Layer(2, 0),
            "number of neurons must be a whole number of at least 1, got int 0",
        ),
        (lambda: nn.MLP(2, []), "at least one layer"),
        (lambda: nn.MLP(2, [2.0]), "whole number"),
        (lambda: nn.MLP(2, [1], "rleu"), "rleu"),
        (lambda: nn.MLP(2, [2, 1], ["tanh"]), "layers, 2, got 1"),
        (lambda: nn.MLP(2, [2], initializer="xavier"), "glorot"),
        (lambda: nn.half_squared_error([Value(1.0)], [1.0, 2.0]), "outputs, 1, got 2"),
        (lambda: nn.margin_error([Value(1.0)], []), "outputs, 1, got 0"),
    ],
)
def test_misuse_names_what_was_expected(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_inputs_may_be_any_iterable_of_numbers_and_values():
    model = nn.MLP(2, [2, 1], "tanh", rng=0)
    assert model(x for x in (1, 2.0)).data == model([Value(1.0), 2]).data
    with pytest.raises(TypeError, match="real number"):
        model(["a", "b"])


def test_activations_by_name_and_by_function_for_each_layer():
    model = nn.MLP(1, [2, 2, 1], ["tanh", lambda x: x * x, "sigmoid"], rng=0)
    assert 0 < model([1.0]).data < 1
    for name in ACTIVATIONS:
        assert math.isfinite(nn.MLP(2, [1], name, output=name, rng=0)([0.3, -0.2]).data)


def test_one_unit_gives_a_value_and_several_give_a_list():
    assert type(nn.MLP(2, [1, 1, 1], rng=0)([1, 2])) is Value
    assert len(nn.MLP(2, [1, 2], rng=0)([1, 2])) == 2


def test_a_seed_or_a_generator_decides_the_weights():
    assert nn.MLP(2, [2], rng=3).state_dict() == nn.MLP(2, [2], rng=random.Random(3)).state_dict()
    assert nn.MLP(2, [2], rng=3).state_dict() != nn.MLP(2, [2], rng=4).state_dict()


def test_without_a_seed_the_global_generator_decides_the_weights_and_is_not_seeded():
    random.seed(7)
    first, second = nn.MLP(2, [2]).state_dict(), nn.MLP(2, [2], rng=random).state_dict()
    random.seed(7)
    assert nn.MLP(2, [2]).state_dict() == first != second
    before = random.getstate()
    nn.MLP(2, [2], rng=3)
    assert random.getstate() == before


@pytest.mark.parametrize(
    ("initializer", "variance"),
    [
        (nn.uniform(0.3), 0.3**2 / 3),
        (nn.normal(0.2), 0.04),
        ("glorot", 2 / 150),
        ("he", 2 / 100),
        ("zeros", 0.0),
    ],
)
def test_initializers_have_their_variance(initializer, variance):
    layer = nn.Layer(100, 50, initializer=initializer, rng=0)
    weights = [w.data for neuron in layer.neurons for w in neuron.weights]
    assert statistics.pvariance(weights) == pytest.approx(variance, rel=0.1)
    assert statistics.fmean(weights) == pytest.approx(0.0, abs=0.02)


def test_things_of_the_wrong_kind():
    for call, message in (
        (lambda: nn.MLP(2, 3), "sizes"),
        (lambda: nn.MLP(1, [1])(1.0), "sequence of inputs"),
        (lambda: nn.MLP(1, [1], rng=True), "seed"),
    ):
        with pytest.raises(TypeError, match=message):
            call()


def test_modules_may_refer_to_themselves_but_names_must_differ():
    class Odd(nn.Module):
        def __init__(self):
            self.w = Value(1.0)
            self.me = self

    assert list(Odd().named_parameters()) == ["w"]
    odd = Odd()
    odd.twice = {1: Value(1.0), "1": Value(2.0)}
    with pytest.raises(ValueError, match=r"two parameters have the name 'twice\.1'"):
        odd.named_parameters()


def test_models_are_pickled_and_copied():
    model = nn.MLP(2, [2, 1], "tanh", rng=0)
    for twin in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert twin([1.0, 2.0]).data == model([1.0, 2.0]).data
        assert not set(twin.parameters()) & set(model.parameters())
    assert copy.deepcopy(nn.half_squared_error) is nn.half_squared_error


# --- losses -------------------------------------------------------------------------------------


def _written_out(loss):
    """Return ``loss`` written in plain operators."""
    return {
        nn.half_squared_error: lambda ys, ds: sum(0.5 * (y - d) ** 2 for y, d in zip(ys, ds)),
        nn.hinge: lambda ys, ds: sum((1 - y * d).relu() for y, d in zip(ys, ds)),
        nn.margin_error: lambda ys, ds: sum(
            0.5
            * where((y < 0.8) if d > 0.5 else (y > 0.2), y - (0.8 if d > 0.5 else 0.2), 0.0) ** 2
            for y, d in zip(ys, ds)
        ),
        nn.cross_entropy: lambda ys, ds: (
            sum(y.exp() for y in ys).log() * sum(ds) - sum(y * d for y, d in zip(ys, ds))
        ),
    }[loss]


@pytest.mark.parametrize(
    ("loss", "targets"),
    [
        (nn.half_squared_error, [1.0, 0.0, 0.3]),
        (nn.margin_error, [1.0, 0.0, 1.0]),
        (nn.hinge, [1.0, -1.0, 1.0]),
        (nn.cross_entropy, [0.0, 1.0, 0.0]),
    ],
    ids=["half squared", "margin", "hinge", "cross-entropy"],
)
def test_loss_equals_its_formula_in_value_and_gradient(loss, targets):
    rng = random.Random(0)
    plain = _written_out(loss)
    for _ in range(50):
        ys = [rng.uniform(-0.5, 1.5) for _ in targets]
        one = grad(loss)(ys, targets)
        two = grad(plain)(ys, targets)
        assert one == pytest.approx(two, rel=1e-12, abs=1e-15)
        assert loss(ys, targets) == pytest.approx(
            detach(plain([Value(y) for y in ys], targets)), rel=1e-12, abs=1e-15
        )


def test_margin_error_is_zero_inside_the_margin():
    y = [Value(0.9), Value(0.1), Value(0.7), Value(0.3)]
    e = nn.margin_error(y, [1.0, 0.0, 1.0, 0.0])
    e.backward()
    assert e.data == pytest.approx(0.01)
    assert [v.grad for v in y] == pytest.approx([0.0, 0.0, -0.1, 0.1])


def test_losses_take_one_value_too():
    assert nn.half_squared_error(Value(0.5), 1.0).data == 0.125
    assert nn.hinge(Value(0.5), -1.0).data == 1.5
    assert nn.cross_entropy([Value(0.0), Value(0.0)], 1).data == pytest.approx(math.log(2))


def test_gradient_of_a_loss_by_its_targets_and_margins():
    assert grad(lambda d: nn.half_squared_error([1.0, 2.0], d))([0.5, 2.5]) == [-0.5, 0.5]
    assert grad(lambda high: nn.margin_error([0.5], [1.0], 0.2, high))(0.8) == pytest.approx(0.3)


# --- optimizers ---------------------------------------------------------------------------------


def _follow(optimizer_of, gradients):
    w = Value(1.0)
    optimizer = optimizer_of([w])
    path = []
    for g in gradients:
        w.grad = g
        optimizer.step()
        path.append(w.data)
    return path


def test_gradient_descent():
    assert _follow(lambda p: nn.GradientDescent(p, 0.1), [1.0, None, -2.0]) == [0.9, 0.9, 1.1]


def test_momentum_is_eq_9_of_nature():
    got = _follow(lambda p: nn.Momentum(p, 0.1, 0.9), [1.0, 1.0, 0.0])
    assert got == pytest.approx([0.9, 0.9 - 0.19, 0.9 - 0.19 - 0.171])


def test_decay_takes_its_share_after_each_change():
    assert _follow(lambda p: nn.Momentum(p, 0.1, 0.0, decay=0.5), [2.0])[0] == (1 - 0.2) * 0.5


def test_adam_by_hand():
    def by_hand(gradients, rate=0.1, b1=0.9, b2=0.999, eps=1e-8, decay=0.0):
        w, m, v, path = 1.0, 0.0, 0.0, []
        for t, g in enumerate(gradients, 1):
            w *= 1 - rate * decay
            m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
            w -= rate * (m / (1 - b1**t)) / (math.sqrt(v / (1 - b2**t)) + eps)
            path.append(w)
        return path

    gradients = [1.0, -0.5, 0.25, 3.0]
    assert _follow(lambda p: nn.Adam(p, 0.1), gradients) == pytest.approx(by_hand(gradients))
    for rate in (0.1, 0.02):
        assert _follow(lambda p, r=rate: nn.AdamW(p, r, decay=0.05), gradients) == pytest.approx(
            by_hand(gradients, rate, decay=0.05)
        )


def test_rmsprop_by_hand():
    w, v, path = 1.0, 0.0, []
    for g in (gradients := [1.0, -0.5, 0.25, 3.0]):
        v = 0.9 * v + 0.1 * g * g
        w -= 0.05 * g / (math.sqrt(v) + 1e-8)
        path.append(w)
    assert _follow(lambda p: nn.RMSprop(p, 0.05, alpha=0.9), gradients) == pytest.approx(path)


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        (lambda: nn.GradientDescent([], 0.1), ValueError),
        (lambda: nn.GradientDescent([1.0], 0.1), TypeError),
        (lambda: nn.GradientDescent([Value(1.0)], -0.1), ValueError),
        (lambda: nn.Momentum([Value(1.0)], 0.1, 1.5), ValueError),
        (lambda: nn.Momentum([Value(1.0)], math.nan), ValueError),
        (lambda: nn.Adam([Value(1.0)], beta1=1.0), ValueError),
        (lambda: nn.Adam([Value(1.0)], epsilon=0.0), ValueError),
        (lambda: nn.RMSprop([Value(1.0)], alpha=1.0), ValueError),
        (lambda: nn.RMSprop([Value(1.0)], epsilon=0.0), ValueError),
        (lambda: nn.GradientDescent([Value(1.0)], math.inf), ValueError),
        (lambda: nn.GradientDescent([Value(1.0)], "0.1"), TypeError),
        (lambda: nn.GradientDescent([Value(1.0)] * 2, 0.1), ValueError),
    ],
)
def test_bad_settings_are_refused(make, fault):
    with pytest.raises(fault, match="got"):
        make()


def test_weights_in_a_tuple_and_a_bias_that_is_a_number_are_read_too():
    layer = nn.Layer(2, 2, "tanh", rng=0)
    expected = [y.data for y in layer([1.0, -2.0])]
    for neuron in layer.neurons:
        neuron.weights, neuron.bias = tuple(neuron.weights), neuron.bias.data
    assert [y.data for y in layer([1.0, -2.0])] == expected
    layer.neurons[1].activation = lambda s: s.data
    assert type(layer([1.0, -2.0])[1]) is float
    del layer.neurons[1].activation
    with pytest.raises(AttributeError, match="activation"):
        layer([1.0, -2.0])


def test_neurons_of_other_widths_are_refused_in_a_layer():
    layer = nn.Layer(2, 2)
    layer.neurons[1].weights.append(Value(1.0))
    with pytest.raises(ValueError, match="inputs of this neuron is 3, got 2"):
        layer([1.0, 2.0])
