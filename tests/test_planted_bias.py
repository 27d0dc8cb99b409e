"""A bias planted in the data is learned as readily as the rule; when, and by which weights."""

import runpy
from math import prod
from pathlib import Path
from statistics import median
from types import SimpleNamespace

import pytest

import microgradient as mg
from microgradient import nn

EXAMPLE = Path(__file__).parents[1] / "examples" / "planted_bias.py"
SEEDS = range(21)


@pytest.fixture(scope="module")
def bias():
    return SimpleNamespace(**runpy.run_path(str(EXAMPLE), run_name="planted_bias"))


@pytest.fixture(scope="module")
def planted(bias):
    return [bias.learn(seed, bias.two_of_three, bias.SHARE) for seed in SEEDS]


def _medians(bias, courses, part):
    pairs = [bias.acquired(course, part) for course in courses]
    ratio = median(of_bias / of_rule for of_rule, of_bias in pairs)
    return *map(median, zip(*pairs)), ratio


def test_half_of_the_bias_is_learned_when_half_of_the_rule_is(bias, planted):
    rule, of_bias, ratio = _medians(bias, [course for _, course in planted], 0.5)
    assert 15 < rule < 35
    assert 15 < of_bias < 35
    assert 0.7 < ratio < 1.3
    pairs = [bias.acquired(course, 0.5) for _, course in planted]
    assert max(abs(b - r) for r, b in pairs) < 10  # in every seed
    followed = [course[-1] for _, course in planted]
    assert [median(x) for x in zip(*followed)] == pytest.approx([0.75, 0.25], abs=0.02)


def test_the_last_tenth_of_the_bias_takes_longer(bias, planted):
    rule, of_bias, ratio = _medians(bias, [course for _, course in planted], 0.9)
    assert rule < 40
    assert of_bias > 300
    assert ratio > 8


def test_the_bias_comes_first_where_the_rule_needs_hidden_units(bias):
    courses = [bias.learn(seed, bias.odd, bias.SHARE)[1] for seed in SEEDS]
    pairs = [bias.acquired(course, 0.5) for course in courses]
    assert all(3 * b < r < bias.SWEEPS for r, b in pairs)
    assert _medians(bias, courses, 0.9)[2] < 0.2


def test_clean_data_teach_the_rule_without_the_bias(bias):
    courses = [bias.learn(seed, bias.two_of_three, 0.0, sweeps=300)[1] for seed in SEEDS]
    assert max(abs(b) for course in courses for _, b in course) < 0.06
    assert max(abs(course[-1][1]) for course in courses) < 0.005
    assert min(course[-1][0] for course in courses) > 0.95


def test_the_first_gradients_stand_as_the_effects_on_the_decisions(bias):
    for seed in SEEDS:
        skill, group, of_skill, of_group = bias.pulls(bias.network(seed))
        assert of_group / skill == pytest.approx(0.25 / 0.375, rel=0.05)
        assert group < 0.1 * of_group  # the rule's decisions do not ask for the group,
        assert of_skill < 0.1 * skill  # nor those of the group for a skill


@pytest.mark.parametrize("sweeps", [0, 20, 100])
def test_both_kinds_of_decision_add_up_to_the_eager_gradient(bias, sweeps):
    model, _ = bias.learn(4, bias.two_of_three, bias.SHARE, sweeps)
    wanted = [bias.decided(case, bias.two_of_three) for case in bias.CASES]
    model.zero_grad()
    nn.half_squared_error([model(case) for case in bias.CASES], wanted).backward()
    eager = {name: weight.grad for name, weight in model.named_parameters().items()}
    parts = []
    for share in (0.0, 1.0):
        targets = [bias.decided(case, bias.two_of_three, share) for case in bias.CASES]
        parts.append(bias.sweep(model.state_dict(), targets)[1])
    both = {name: 0.75 * parts[0][name] + 0.25 * parts[1][name] for name in eager}
    assert both == pytest.approx(eager, rel=1e-9, abs=1e-14)


def test_paths_sum_to_the_derivative_and_are_products_of_weights_and_slopes(bias, planted):
    for model, _ in planted[:5]:
        out = model.layers[1].neurons[0]
        for case in bias.CASES:
            paths = bias.explained(model, case)
            assert paths.value == pytest.approx(mg.grad(model)(case)[3], rel=1e-12)
            hidden, y = [h.data for h in model.layers[0](case)], model(case).data
            expected = [
                prod((y * (1 - y), v.data, h * (1 - h), unit.weights[3].data))
                for v, h, unit in zip(out.weights, hidden, model.layers[0].neurons)
            ]
            assert paths.products == pytest.approx(expected, rel=1e-9)


def test_the_largest_path_goes_where_the_weights_and_the_lesions_say(bias, planted):
    for model, _ in planted:
        out, units = model.layers[1].neurons[0].weights, model.layers[0].neurons
        products = [abs(v.data * unit.weights[3].data) for v, unit in zip(out, units)]
        left = [bias.lesion(model, bias.names([3], [j]))[1] for j in range(len(units))]
        assert bias.carrier(model) == products.index(max(products)) == left.index(min(left))


def test_one_weight_carries_more_than_half_of_the_bias(bias, planted):
    for model, _ in planted:
        cut = bias.names([3], [bias.carrier(model)])
        assert bias.lesion(model, cut)[1] < 0.5 * bias.lesion(model, [])[1]


def test_the_weights_from_the_group_carry_the_bias_and_not_the_rule(bias, planted):
    for model, _ in planted:
        rule, of_bias = bias.lesion(model, [])
        assert of_bias > 0.2
        without_group, gone = bias.lesion(model, bias.names([3]))
        assert gone == pytest.approx(0.0, abs=1e-15)
        assert without_group > rule
        lost, kept = bias.lesion(model, bias.names([0, 1, 2]))
        assert lost == pytest.approx(0.0, abs=1e-15)
        assert kept > of_bias


def test_a_proxy_passes_the_bias_on_unless_pairs_change_it_too(bias):
    gaps = {}
    for what, (seen, changed) in bias.REMEDIES.items():
        found = bias.remedy(seen, changed, seeds=5)
        assert min(rule for rule, _ in found) > 0.7
        gaps[what] = [gap for _, gap in found]
    everything, proxy, skills, pairs, all_pairs = gaps.values()
    assert everything == pytest.approx([0.25] * 5, abs=0.03)
    assert proxy == pytest.approx([0.25 * 0.75**2] * 5, abs=0.02)  # agreement 7 - 1 of 8, twice
    assert pairs == pytest.approx([0.25 * 0.75**2] * 5, abs=0.03)
    assert skills == pytest.approx([0.0] * 5, abs=1e-15)
    assert all_pairs == pytest.approx([0.0] * 5, abs=0.005)


def test_it_prints_what_it_finds(bias, capsys):
    bias.main(3)
    printed = capsys.readouterr().out
    assert "dy/dgroup" in printed
    assert printed.count("half of it") == 2
    last = [line.split()[-1] for line in printed.splitlines()[-5:]]
    assert float(last[1]) > 0.1 > 0.01 > float(last[4])
