"""Deep networks: the gradient on its way down, what trains from many seeds, threshold units."""

import math
import pickle
import random
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from itertools import pairwise

import pytest

import microgradient as mg
from microgradient import Value, nn
from microgradient.rumelhart1986.deep import (
    BY_DEPTH,
    DEEP_STUDIES,
    HARD_THRESHOLD,
    OTHER_PATHS,
    REWRITE,
    DeepNetwork,
    DeepStudy,
    Kind,
    best_rate,
    deep_network,
    shrink_factors,
    study,
)
from microgradient.rumelhart1986.deep.gradients import CASES, gradient_sizes, shrink_factor
from microgradient.rumelhart1986.deep.network import PATTERNS
from microgradient.rumelhart1986.deep.rates import RATE_SEEDS, RATES
from microgradient.rumelhart1986.deep.threshold import threshold_network
from microgradient.rumelhart1986.study import Outcome

pytestmark = pytest.mark.once

SIGMOID, RELU = Kind("sigmoid", 0.5), Kind("relu", "he")
BLOCKS = replace(RELU, residual=True)

compiled = pytest.mark.skipif(find_spec("llvmlite") is None, reason="without it, training is slow")


def scaled(network, weight, bias=0.0):
    """Return ``network`` with ``weight`` from each unit to the one above it, and with no others."""
    for layer in network.layers[:-1]:
        for j, neuron in enumerate(layer.neurons):
            neuron.bias.data = bias
            for i, w in enumerate(neuron.weights):
                w.data = weight * (i == j)
    for w in network.layers[-1].neurons[0].weights:
        w.data = 1.0
    return network


def network_of(kind, *widths):
    return DeepNetwork(kind, widths, random.Random(0))


# --- the gradient on its way down ---------------------------------------------------------------


def test_linear_layers_shrink_a_gradient_by_their_weight():
    network = scaled(network_of(Kind("linear", 1.0), 2, 2, 2, 2, 1), 0.5)
    assert gradient_sizes(network, [(1.0, 3.0), (0.0, 0.0)]) == [0.25, 0.5, 1.0]
    assert shrink_factor(network, [(1.0, 3.0)]) == 2.0


def test_residual_layers_add_the_gradient():
    network = scaled(network_of(Kind("linear", 1.0, residual=True), 2, 2, 2, 2, 1), 0.5)
    assert gradient_sizes(network, [(1.0, 3.0)]) == [2.25, 1.5, 1.0]
    assert shrink_factor(network, [(1.0, 3.0)]) == pytest.approx(1 / 1.5, rel=1e-15)


def test_a_logistic_layer_multiplies_by_slope_and_weight():
    network = scaled(network_of(Kind("sigmoid", 1.0), 1, 1, 1, 1), 3.0, bias=-1.0)
    y = 1 / (1 + math.exp(-(3.0 * 0.2 - 1)))
    above = 1 / (1 + math.exp(-(3.0 * y - 1)))
    assert gradient_sizes(network, [(0.2,)]) == pytest.approx([3 * above * (1 - above), 1.0])


def test_sizes_are_means_over_units_and_cases():
    network = scaled(network_of(Kind("relu", 1.0), 2, 2, 2, 1), 4.0)
    cases = [(1.0, -1.0), (1.0, 1.0)]  # one unit of two on, then both
    assert gradient_sizes(network, cases) == [(2.0 + 4.0) / 2, 1.0]


def test_where_every_relu_is_off_no_gradient_arrives():
    network = scaled(network_of(RELU, 2, 2, 2, 1), 1.0, bias=-5.0)
    assert shrink_factor(network, [(1.0, 1.0)]) == math.inf


def test_networks_without_a_gradient_are_counted_apart():
    factors = [shrink_factor(deep_network(RELU, 12, seed), CASES) for seed in range(60)]
    off = [seed for seed, factor in enumerate(factors) if factor == math.inf]
    assert 0 < len(off) < 10
    (found,) = shrink_factors([*range(off[0] + 1), off[0] + 1], [RELU], [10])
    assert (found.seeds, found.lost) == (off[0] + 1, 1)
    assert math.isfinite(found.high)
    (found,) = shrink_factors([off[0]] * 2, [RELU], [10])
    assert (found.seeds, found.lost) == (0, 2)
    assert math.isnan(found.factor)


def test_the_factor_is_a_geometric_mean_with_an_interval():
    (found,) = shrink_factors(range(10), [SIGMOID], [3])
    factors = [shrink_factor(deep_network(SIGMOID, 5, seed), CASES) for seed in range(10)]
    assert found.factor == pytest.approx(math.prod(factors) ** 0.1)
    assert found.low < found.factor < found.high
    assert (found.layers, found.seeds, found.lost) == (3, 10, 0)
    (more,) = shrink_factors(range(40), [SIGMOID], [3])
    assert math.log(more.high / more.low) < 0.75 * math.log(found.high / found.low)


def test_logistic_layers_shrink_gradients_and_residual_ones_do_not():
    kinds = [Kind("sigmoid", "glorot"), Kind("sigmoid", "glorot", residual=True), RELU, BLOCKS]
    glorot, residual, relu, blocks = [x.factor for x in shrink_factors(range(30), kinds, [6])]
    assert 4.2 < glorot < 4.8
    assert 0.95 < residual < 1.05
    assert relu == pytest.approx(math.exp(5 / 32), rel=0.12)
    assert blocks == pytest.approx(math.sqrt(0.5), rel=0.05)  # He's weights double the square


def test_too_few_seeds_or_layers_are_refused():
    with pytest.raises(ValueError, match="two seeds or more, depths from 1, got 1"):
        shrink_factors([0])
    with pytest.raises(ValueError, match=r"got 100, \(2, 0\)"):
        shrink_factors(depths=[2, 0])
    with pytest.raises(ValueError, match="at least 2 layers, got 1"):
        deep_network(RELU, 1, 0)
    with pytest.raises(ValueError, match=r"at least two widths, got \[2\]"):
        network_of(RELU, 2)


# --- the networks -------------------------------------------------------------------------------


@pytest.mark.parametrize("layers", [2, 10])
def test_the_network_is_2_8_8_1(layers):
    network = deep_network(BLOCKS, layers, 0)
    assert len(network.parameters()) == 3 * 8 + (layers - 2) * 9 * 8 + 9
    assert [len(state) for state in network.states([0.0, 1.0])] == [8] * (layers - 1) + [1]
    assert len(network([0.0, 1.0])) == 1


def test_a_residual_layer_adds_its_inputs():
    blocks, plain = deep_network(BLOCKS, 4, 3), deep_network(RELU, 4, 3)
    assert blocks.state_dict() == plain.state_dict()
    first, second, *_ = blocks.states([0.0, 1.0])
    assert numbers(first) == numbers(plain.states([0.0, 1.0])[0])  # 2 inputs, 8 outputs
    f = plain.layers[1].outputs(first)
    assert numbers(second) == [h.data + y.data for h, y in zip(first, f)]
    assert numbers(second) != numbers(f)


def numbers(values):
    return [value.data for value in values]


def test_initial_weights():
    for kind, zero in ((SIGMOID, False), (Kind("sigmoid", "glorot"), True), (RELU, True)):
        network = deep_network(kind, 10, 1)
        biases = [neuron.bias.data for layer in network.layers for neuron in layer.neurons]
        assert all(b == 0 for b in biases) is zero
    assert max(abs(p.data) for p in deep_network(SIGMOID, 10, 1).parameters()) <= 0.5
    inner = [layer.neurons for layer in deep_network(RELU, 10, 1).layers[1:]]
    squares = [w.data**2 for neurons in inner for neuron in neurons for w in neuron.weights]
    assert math.fsum(squares) / len(squares) == pytest.approx(2 / 8, rel=0.2)
    assert deep_network(RELU, 4, 1).state_dict() != deep_network(RELU, 4, 2).state_dict()


# --- the studies --------------------------------------------------------------------------------


def test_cross_entropy_of_logits():
    loss = study.LOSSES["cross-entropy"]
    z = Value(0.3)
    y = 1 / (1 + math.exp(-0.3))
    assert loss([z], [1.0]).data == pytest.approx(-math.log(y))
    assert loss([z], [0.0]).data == pytest.approx(-math.log(1 - y))
    loss([z], [1.0]).backward()
    assert z.grad == pytest.approx(y - 1)
    assert loss([Value(-800.0)], [1.0]).data == 800.0
    assert study.LOSSES["half-squared"]([z], [1.0]).data == pytest.approx((1 - y) ** 2 / 2)


@compiled
@pytest.mark.parametrize(
    "one",
    [
        DeepStudy(Kind("sigmoid", 1.0), 4, "momentum", 0.5),
        DeepStudy(RELU, 10, "adam", 0.01),
        DeepStudy(BLOCKS, 10, "adamw", 0.01, "cross-entropy"),
    ],
    ids=lambda one: one.name,
)
def test_an_outcome_depends_on_the_seed_alone(one):
    together = one.outcomes(range(20), 2)
    assert [found.seed for found in together] == list(range(20))
    assert len({found.sweeps for found in together}) > 5
    assert one.outcomes([17, 3], 1) == [together[17], together[3]]
    assert one.outcomes([17], 2) == [together[17]]


@compiled
def test_what_learned_is_right():
    one = DeepStudy(RELU, 4, "adam", 0.01)
    (found,) = one.outcomes([1], 1)
    assert found == Outcome(1, True, found.sweeps, 4, 0)
    network = deep_network(RELU, 4, 1)
    history = nn.train(
        network,
        PATTERNS,
        loss=study.LOSSES["half-squared"],
        optimizer=nn.Adam(network.parameters(), 0.01),
        sweeps=study.SWEEPS,
        criterion=lambda z, d: abs(mg.sigmoid(z[0]) - d[0]) < 0.1,
        backend="eager",
    )
    assert (history.sweeps, history.stopped) == (found.sweeps, "criterion")
    errors = [abs(mg.sigmoid(network(xs)[0]).data - d) for xs, (d,) in PATTERNS]
    assert max(errors) < 0.1


@compiled
def test_a_network_that_diverges_has_not_learned():
    (found,) = DeepStudy(Kind("relu", 1.0), 4, "momentum", 1e300).outcomes([0], 1)
    assert not found.learned
    assert found.right == 0
    assert found.sweeps < study.SWEEPS


def test_an_interrupted_study_has_no_outcomes(monkeypatch):
    def interrupted(models, *_, **__):
        ends = ["criterion", "interrupted"]
        return [nn.Replica(model, 5, end, 0.0, 4) for model, end in zip(models, ends)]

    monkeypatch.setattr(study, "train_replicas", interrupted)
    one = DeepStudy(RELU, 4, "adam", 0.01)
    assert one.outcomes([0], 1) == [Outcome(0, True, 5, 4, 0)]
    with pytest.raises(KeyboardInterrupt):
        one.outcomes([0, 1], 1)


def test_names_and_contents_are_their_own():
    assert DeepStudy(RELU, 10, "adam", 0.01).name == "deep-xor 10 relu-he-adam"
    assert len({one.name for one in DEEP_STUDIES}) == len(DEEP_STUDIES)
    assert len({one.content for one in DEEP_STUDIES}) == len(DEEP_STUDIES)
    one = DeepStudy(RELU, 10, "adam", 0.01)
    others = [
        replace(one, kind=BLOCKS),
        replace(one, layers=4),
        replace(one, optimizer="adamw"),
        replace(one, rate=0.02),
        replace(one, loss="cross-entropy"),
    ]
    assert len({other.content for other in [one, *others]}) == 6
    assert replace(one, one_in=7).content == one.content
    assert replace(one, one_in=7).wanted(15) == range(3)
    assert HARD_THRESHOLD.wanted(15) == range(15)


def test_content_tells_of_the_constants(monkeypatch):
    one = DeepStudy(RELU, 10, "adam", 0.01)
    before = one.content
    for name in ("SWEEPS", "TOLERANCE", "WIDTH", "PATTERNS"):
        with monkeypatch.context() as patch:
            patch.setattr(study, name, 77)
            assert one.content != before
    monkeypatch.setattr(study, "OPTIMIZERS", {"adam": partial(nn.Adam, beta1=0.5)})
    assert one.content != before


def test_studies_can_be_pickled():
    everything = (*DEEP_STUDIES, HARD_THRESHOLD)
    assert pickle.loads(pickle.dumps(everything)) == everything


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="optimizer must be one of momentum, adam, adamw, got 'sg"):
        DeepStudy(RELU, 4, "sgd", 0.1)
    with pytest.raises(ValueError, match="loss must be one of half-squared, cross-entropy, got"):
        DeepStudy(RELU, 4, "adam", 0.1, "hinge")


def test_each_step_of_the_rewrite_changes_one_thing():
    def aspects(one):
        kind = one.kind
        return (kind.activation, kind.initial), kind.residual, one.loss, one.optimizer, one.layers

    steps = [aspects(one) for _, one in REWRITE]
    changes = [sum(a != b for a, b in zip(x, y)) for x, y in pairwise(steps)]
    assert changes == [1] * (len(REWRITE) - 1)
    assert REWRITE[0][1].kind == SIGMOID
    assert {one for _, one in (*REWRITE, *OTHER_PATHS)} | set(BY_DEPTH) == set(DEEP_STUDIES)
    assert {one.layers for one in BY_DEPTH} == {4, 6, 10}


def test_rates_are_those_that_were_tried():
    assert all(one.rate in RATES[one.optimizer] for one in DEEP_STUDIES)
    assert min(RATE_SEEDS) >= 1_000_000


def test_the_best_rate_learns_most_and_then_fastest(monkeypatch):
    def planted(self, seeds, workers):
        learned, sweeps = ends.get(self.rate, (0, 0))
        return [Outcome(seed, seed < learned, sweeps, 0, 0) for seed in seeds]

    monkeypatch.setattr(DeepStudy, "outcomes", planted)
    one = DeepStudy(RELU, 4, "adam", 0.01)
    ends = {0.1: (3, 50), 0.025: (4, 900), 0.005: (4, 800), 0.001: (4, 1000)}
    assert best_rate(one, range(5)) == 0.005
    ends = {0.1: (3, 50), 0.01: (2, 1)}
    assert best_rate(one, range(5)) == 0.1
    ends = {}
    assert best_rate(one, range(5)) == RATES["adam"][0]


# --- threshold units ----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_the_gradient_of_threshold_units_is_exactly_zero(seed):
    network = threshold_network(seed)
    assert {y.data for y in network.layers[0].outputs([0.0, 1.0])} <= {0.0, 1.0}
    for inputs, targets in PATTERNS:
        nn.half_squared_error(network(inputs), targets).backward()
    assert [p.grad for p in network.parameters()] == [0.0] * 9
    assert all(p.reached for p in network.layers[1].parameters())  # 0 because a sweep found 0


def test_the_gradient_of_logistic_units_is_not():
    network = threshold_network(0)
    for layer in network.layers:
        for neuron in layer.neurons:
            neuron.activation = mg.sigmoid
    nn.half_squared_error(network([0.0, 1.0]), [1.0]).backward()
    assert all(p.grad for p in network.layers[1].parameters())


@compiled
def test_threshold_units_never_learn():
    found = HARD_THRESHOLD.outcomes(range(50), 2)
    assert not any(one.learned for one in found)
    assert {one.findings["weights changed"] for one in found} == {0.0}
    assert {one.sweeps for one in found} == {study.SWEEPS}
