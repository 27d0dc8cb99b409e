"""What hidden units learned: right on networks made by hand, tested against chance, and drawn."""

import random
from collections import Counter
from dataclasses import replace
from math import dist

import pytest

from microgradient.nn.training.plan import within
from microgradient.rumelhart1986 import EXPERIMENTS, run
from microgradient.rumelhart1986.experiments.family_trees import PEOPLE
from microgradient.rumelhart1986.insight import figures
from microgradient.rumelhart1986.insight.codes import codes_of, distinct_codes, intermediate
from microgradient.rumelhart1986.insight.counting import counting_units
from microgradient.rumelhart1986.insight.family import (
    ANSWERS_SEX,
    LABELS,
    best_unit,
    correlation,
    permutation_p,
    person_codes,
    relation_codes,
)
from microgradient.rumelhart1986.insight.fields import field_of
from microgradient.rumelhart1986.insight.findings import FINDINGS, summarized
from microgradient.rumelhart1986.insight.lesions import concentration_p, lesions, removed
from microgradient.rumelhart1986.insight.path import path_of
from microgradient.rumelhart1986.insight.ratios import mirror_weights
from microgradient.rumelhart1986.insight.surface import (
    Plane,
    error_at,
    error_grid,
    plane_through,
    principal_plane,
)
from microgradient.rumelhart1986.insight.xor_runs import ORDER, equivalents, nearest, order_of
from microgradient.rumelhart1986.network import Network, Read
from microgradient.rumelhart1986.trial import trained_pattern

pytestmark = pytest.mark.once

PRINTED = (-3.18, 6.32, -12.56, 12.56, -6.32, 3.18)  # PDP vol. 1, ch. 8, Fig. 9


def untrained(name, variant=None):
    experiment = EXPERIMENTS[name]
    net = experiment.variants[variant or experiment.default].architecture
    return Network(net, 0.0, 0.0, random.Random(0))


def set_unit(network, group, j, weights, bias):
    neuron = network.layers[group].neurons[j]
    for weight, number in zip(neuron.weights, weights, strict=True):
        weight.data = number
    neuron.bias.data = bias


# --- codes, ratios, counting units, fields ------------------------------------------------------


def test_codes_of_an_encoder():
    network = untrained("encoder-4")
    set_unit(network, "hidden", 0, (9, 9, -9, -9), 0)
    set_unit(network, "hidden", 1, (9, -9, 9, 0), 0)
    codes = codes_of(network, "hidden", EXPERIMENTS["encoder-4"].patterns)
    assert [round(x) for x in codes[0]] == [1, 1]
    assert distinct_codes(codes) == 4
    assert intermediate(codes) == 1
    set_unit(network, "hidden", 0, (9, 9, -9, 9), 0)
    codes = codes_of(network, "hidden", EXPERIMENTS["encoder-4"].patterns)
    assert distinct_codes(codes) == 3  # 0.5 is not above 0.5
    with pytest.raises(ValueError, match="one with units that learn"):
        codes_of(network, "input", EXPERIMENTS["encoder-4"].patterns)


def test_the_printed_weights_are_at_124():
    network = untrained("symmetry")
    set_unit(network, "hidden", 0, PRINTED, -1.0)
    set_unit(network, "hidden", 1, [-w for w in PRINTED], -1.0)
    first, second = mirror_weights(network)
    assert first.is_124()
    assert second.is_124()
    assert first.ratios == pytest.approx((1, 1.987, 3.95), abs=0.01)
    assert first.asymmetry == 0
    for wrong in (
        (-3.18, 6.32, -12.56, 12.56, 6.32, 3.18),  # not mirrored
        (-3.18, 6.32, -9.0, 9.0, -6.32, 3.18),  # 1 : 2 : 2.8
        (0.0,) * 6,
    ):
        set_unit(network, "hidden", 0, wrong, -1.0)
        assert not mirror_weights(network)[0].is_124()
    with pytest.raises(ValueError, match="expected 6 input units"):
        mirror_weights(untrained("xor"))


def test_units_that_count():
    network, patterns = untrained("parity-4"), EXPERIMENTS["parity-4"].patterns
    set_unit(network, "hidden", 0, (9,) * 4, -13.5)  # on from two ones on
    set_unit(network, "hidden", 1, (9, 0, 0, 0), -4.5)  # on for the first input
    first, second, still, _ = counting_units(network, patterns)
    assert first.explained == pytest.approx(1)
    assert [round(mean) for mean in first.means] == [0, 0, 1, 1, 1]
    assert second.explained == pytest.approx(0.25)  # the correlation with the sum is 1/2
    assert first.switches_at == (2,)
    assert still.switches_at == ()
    some = [p for p in patterns if sum(p.inputs) in (1, 3)]
    assert counting_units(network, some)[0].numbers == (1, 3)
    assert (first.counts, second.counts, still.counts) == (True, False, False)


def test_a_field_that_sees_compactness():
    network = untrained("t-c")
    set_unit(network, "field", 0, (-8,) * 9, 4.0)
    field = field_of(network)
    assert field.is_compactness_detector
    assert (field.switched_by_t, field.switched_by_c) == (21, 20)  # as printed
    set_unit(network, "field", 0, (-8,) * 8 + (8,), 4.0)
    assert not field_of(network).is_compactness_detector


# --- family trees -------------------------------------------------------------------------------


def test_labels_are_those_of_the_trees():
    label = {name: dict(zip(PEOPLE, labels)) for name, labels in LABELS.items()}
    assert label["generation"]["Christopher"] == label["generation"]["Maria"] == 0
    assert label["generation"]["Colin"] == label["generation"]["Sophia"] == 2
    assert label["branch"]["Penelope"] == label["branch"]["Emilio"] == 0
    assert label["branch"]["Andrew"] == label["branch"]["Angela"] == 1
    assert label["branch"]["Charlotte"] == 0.5
    assert label["nationality"]["Colin"] == 1
    assert label["nationality"]["Alfonso"] == 0
    assert label["sex"]["Gina"] == 0
    assert [sum(labels) for labels in LABELS.values()] == [12, 20, 12, 12]


def test_a_planted_unit_is_better_than_chance_and_noise_is_not():
    rng = random.Random(3)
    noise = [[rng.random() for _ in range(5)] for _ in PEOPLE]
    labels = LABELS["nationality"]
    planted = [(*code, 0.8 * label + 0.1) for code, label in zip(noise, labels)]
    unit, size = best_unit(planted, labels)
    assert (unit, size) == (5, pytest.approx(1))
    assert permutation_p(planted, labels, 499) == 1 / 500
    several = [permutation_p(noise, labels, 99, seed) for seed in range(5)]
    assert min(several) > 0.05
    again = [[rng.random() for _ in range(6)] for _ in range(40) for _ in PEOPLE]
    tries = [permutation_p(again[i : i + 24], labels, 99) for i in range(0, 960, 24)]
    assert sum(p <= 0.25 for p in tries) == pytest.approx(10, abs=7)  # p is uniform by chance
    with pytest.raises(ValueError, match="at least 1"):
        permutation_p(noise, labels, 0)


def test_correlation():
    assert correlation((1, 2, 3), (2, 4, 6)) == pytest.approx(1)
    assert correlation((1, 2, 3), (1, 0, -1)) == pytest.approx(-1)
    assert correlation((1, 2, 1, 2), (1, 1, 2, 2)) == 0
    assert correlation((1, 1), (1, 2)) == 0


@pytest.fixture(scope="module")
def family():
    return run(EXPERIMENTS["family-trees"], seed=3, backend="llvm")


def test_the_person_units_of_a_trained_network(family):
    codes = person_codes(family.network)
    assert len(codes) == 24
    for name in ("nationality", "generation", "branch"):
        assert permutation_p(codes, LABELS[name], 199) <= 0.05
    assert permutation_p(codes, LABELS["sex"], 199) > 0.05


# --- lesions ------------------------------------------------------------------------------------


def test_a_unit_that_is_removed_breaks_what_needs_it():
    """The output reads the inputs through two units, a unit each."""
    network = untrained("xor")
    set_unit(network, "hidden", 0, (9, 0), -4.5)
    set_unit(network, "hidden", 1, (0, 9), -4.5)
    set_unit(network, "output", 0, (9, 9), -4.5)  # or
    patterns = [(p, [float("1" in p.name)]) for p in EXPERIMENTS["xor"].patterns]
    before = network.state_dict()
    found = lesions(network, "hidden", patterns, within(0.3))
    assert [[p.name for p in one.broken] for one in found] == [["10"], ["01"]]
    assert network.state_dict() == before
    with pytest.raises(RuntimeError), removed(network, "hidden", 1):
        assert network.layers["output"].weight(0, Read("hidden", 1, 0)).data == 0
        raise RuntimeError
    assert network.state_dict() == before
    for group, unit, message in (
        ("hidden", 2, "no unit 2"),
        ("none", 0, "group 'none'"),
        ("output", 0, "nothing reads unit 0"),
    ):
        with pytest.raises(ValueError, match=message), removed(network, group, unit):
            pass


def test_lesions_of_a_trained_network(family):
    patterns = [(p, trained_pattern(p, family.recipe)[1]) for p in family.training]
    found = lesions(family.network, "relation code", patterns, within(family.recipe.tolerance))
    assert all(one.broken for one in found)

    def relation(pattern):
        return pattern.name.rpartition(" ")[2]

    chances = [concentration_p(one.broken, family.training, relation, 200) for one in found]
    assert sum(p <= 0.05 for p in chances) >= 4  # a relation's code is in a few of six units
    known = Counter(map(relation, family.training))
    figure = figures.lesion_chart(found, [f"unit {k}" for k in range(6)], known)
    assert len(figure.axes[0].get_yticklabels()) == 6


def test_facts_drawn_at_random_are_not_concentrated():
    patterns, rng = EXPERIMENTS["family-trees"].patterns, random.Random(5)

    def relation(pattern):
        return pattern.name.rpartition(" ")[2]

    drawn = [concentration_p(rng.sample(patterns, 30), patterns, relation, 99) for _ in range(20)]
    assert sum(p <= 0.05 for p in drawn) <= 4
    fathers = [p for p in patterns if relation(p) == "father"]
    assert concentration_p(fathers, patterns, relation, 99) == 1 / 100


# --- paths and surfaces -------------------------------------------------------------------------


def test_a_path_begins_before_training_and_ends_after_it():
    path = path_of(EXPERIMENTS["xor"], seed=3, every=50)
    assert path.sweeps[0] == 0
    assert path.sweeps[-1] == path.trial.history.sweeps
    assert path.weights[-1] == tuple(p.data for p in path.trial.network.parameters())
    start = run(EXPERIMENTS["xor"], seed=3, settings={"sweeps": 0}).network
    assert path.weights[0] == tuple(p.data for p in start.parameters())
    with pytest.raises(ValueError, match="every must be at least 1"):
        path_of(EXPERIMENTS["xor"], every=0)


def test_planes():
    plane = plane_through((1.0, 0.0, 0.0), (3.0, 0.0, 0.0), (1.0, 2.0, 0.0))
    assert plane == Plane((1.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    assert plane.place((2.0, 3.0, 5.0)) == (1.0, 3.0)
    assert plane.weights(1.0, 3.0) == (2.0, 3.0, 0.0)
    with pytest.raises(ValueError, match="not all on one line"):
        plane_through((0.0, 0.0), (1.0, 1.0), (2.0, 2.0))


def test_the_principal_plane_holds_a_path_in_a_plane():
    path = path_of(EXPERIMENTS["xor"], seed=3, every=50)
    points = [(3.0 * k, float(k % 2), *[0.0] * 7) for k in range(9)]
    flat = replace(path, weights=tuple(points))
    plane = principal_plane(flat)
    assert abs(plane.across[0]) == pytest.approx(1, abs=1e-3)
    for point in points:
        assert plane.weights(*plane.place(point)) == pytest.approx(point, abs=1e-9)


def test_errors_on_a_plane():
    path = path_of(EXPERIMENTS["xor"], seed=3, every=50)
    trial, end = path.trial, path.weights[-1]
    plane = principal_plane(path)
    assert error_grid(trial, plane, [0.0, 1.0], [0.0])[0][0] == error_at(trial, end)
    assert error_at(trial, path.weights[0]) > error_at(trial, end)
    assert tuple(p.data for p in trial.network.parameters()) == end


def test_sixty_four_networks_have_the_same_error():
    path = path_of(EXPERIMENTS["xor"], seed=3, every=50)
    trial, end = path.trial, path.weights[-1]
    assert order_of(trial.network) == ORDER
    several = {change(end) for change in equivalents()}
    assert len(several) == 64
    for weights in several:
        assert error_at(trial, weights) == pytest.approx(error_at(trial, end), abs=1e-12)
        assert nearest(weights, end)(weights) == pytest.approx(end, abs=1e-12)


def test_all_runs_of_xor_that_learned_end_at_one_solution():
    """What looks like another one is the same with inputs negated."""
    paths = [path_of(EXPERIMENTS["xor"], seed=seed, every=1000) for seed in range(12)]
    ends = [path.weights[-1] for path in paths if path.trial.learned]
    assert len(ends) >= 8
    for end in ends:
        assert dist(nearest(end, ends[0])(end), ends[0]) < 5  # with 16 changes, 13 for some


def test_a_path_begins_with_biases_within_their_bound():
    for seed in range(3):
        path = path_of(EXPERIMENTS["shift-3"], seed=seed, settings={"sweeps": 1})
        network, bound = path.trial.network, path.trial.recipe.bias_at_most
        biases = {id(n.bias) for units in network.layers.values() for n in units.neurons}
        start = zip(network.parameters(), path.weights[0], strict=True)
        assert all(weight <= bound for parameter, weight in start if id(parameter) in biases)


def test_units_that_share_weights_are_not_removed_alone():
    network = untrained("t-c")
    with pytest.raises(ValueError, match="shares its weights"), removed(network, "field", 0):
        pass


def test_what_was_wrong_before_is_no_concentration():
    patterns, rng = EXPERIMENTS["family-trees"].patterns, random.Random(5)
    learned = [p for p in patterns if p.name.rpartition(" ")[2] in ("wife", "mother", "niece")]

    def relation(pattern):
        return pattern.name.rpartition(" ")[2]

    broken = rng.sample(learned, 12)
    assert concentration_p(broken, learned, relation, 99) > 0.05
    assert concentration_p(broken, patterns, relation, 99) <= 0.05
    with pytest.raises(ValueError, match="among patterns"):
        concentration_p(patterns, learned, relation, 99)
    with pytest.raises(ValueError, match="at least 1"):
        concentration_p(broken, patterns, relation, 0)
    with pytest.raises(ValueError, match="group must be one of"):
        lesions(untrained("xor"), "nope", [], within(0.1))


def test_relation_units_and_the_sex_of_the_answer(family):
    assert sum(ANSWERS_SEX) == 6
    assert permutation_p(relation_codes(family.network), ANSWERS_SEX, 199) <= 0.05
    with pytest.raises(ValueError, match="label for each code"):
        permutation_p([(0.1,)] * 24, (1.0, 0.0), 9)
    with pytest.raises(ValueError, match="label for each activity"):
        correlation((1, 2, 3), (1, 2))


# --- findings and figures -----------------------------------------------------------------------


@pytest.mark.parametrize("name", FINDINGS)
def test_every_finding_is_in_words(name, family):
    trained = family.network if name == "family-trees" else untrained(name)
    rows = dict(summarized([FINDINGS[name](trained)] * 3))
    assert rows
    assert all(text for text in rows.values())


def test_words_for_findings():
    findings = [
        {"all units count": 1.0, "codes": 8.0, "p of x": 0.01, "size": 0.25, "held out: a": 1.0},
        {"all units count": 0.0, "codes": 7.0, "p of x": 0.51, "size": 0.75, "held out: b": 1.0},
    ]
    assert summarized(findings) == [
        ("all units count", "1 of 2 (50%)"),
        ("codes", "7: 50%, 8: 50%"),
        ("x: better than chance", "1 of 2 (50%)"),
        ("size", "median 0.50 (0.25 to 0.75)"),
    ]


def test_figures_have_what_they_show(family):
    path = path_of(EXPERIMENTS["xor"], seed=3, every=20)
    lines = figures.weights_over_training(path).axes[0].get_lines()
    assert len([line for line in lines if len(line.get_xdata()) == len(path.sweeps)]) == 6
    drawn = figures.path_on_surface(path).axes[0]
    assert {text.get_text() for text in drawn.get_legend().get_texts()} == {"start", "end"}
    runs = figures.xor_runs(EXPERIMENTS["xor"], "2-2-1", range(5)).axes[0]
    texts = [text.get_text() for text in runs.get_legend().get_texts()]
    assert texts == ["4 that learned", "1 stuck"]
    with pytest.raises(ValueError, match="seeds that get stuck"):
        figures.xor_runs(EXPERIMENTS["xor"], "2-2-1", [0])
    persons = figures.person_units(family.network)
    titles = [axes.get_title() for axes in persons.axes]
    assert len(titles) == 6
    assert any("nationality" in title for title in titles)
