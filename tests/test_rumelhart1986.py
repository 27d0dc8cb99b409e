"""The networks of 1986: their data, and that each learns from a fixed seed."""

import math
from collections import Counter
from dataclasses import replace

import pytest
from matplotlib.colors import to_hex

from microgradient.rumelhart1986 import (
    EXPERIMENTS,
    Architecture,
    Recipe,
    family_trees,
    picture,
    report,
    run,
)
from microgradient.rumelhart1986.experiment import SETTINGS, Experiment
from microgradient.rumelhart1986.network import Group
from microgradient.view.drawing.dot import COLOR

XOR, SYMMETRY = EXPERIMENTS["xor"], EXPERIMENTS["symmetry"]


# --- the family trees' data ---------------------------------------------------------------------


def test_112_facts_in_104_cases():
    assert len(set(family_trees.FACTS)) == len(family_trees.FACTS) == 112
    assert len(family_trees.CASES) == len(family_trees.PATTERNS) == 104
    assert Counter(map(len, family_trees.CASES.values())) == {1: 96, 2: 8}


def test_two_answers_are_uncles_and_aunts_of_four_children():
    double = {case for case, answers in family_trees.CASES.items() if len(answers) == 2}
    children = ("Colin", "Charlotte", "Alfonso", "Sophia")
    assert double == {(child, kin) for child in children for kin in ("uncle", "aunt")}
    assert set(family_trees.CASES["Colin", "aunt"]) == {"Jennifer", "Margaret"}


def test_cases_of_each_relation():
    counts = Counter(relation for _, relation in family_trees.CASES)
    assert counts == {
        **dict.fromkeys(["father", "mother", "son", "daughter"], 12),
        **dict.fromkeys(["husband", "wife"], 10),
        **dict.fromkeys(["nephew", "niece"], 8),
        **dict.fromkeys(["brother", "sister"], 6),
        **dict.fromkeys(["uncle", "aunt"], 4),
    }


def test_the_trees_are_isomorphic():
    english = family_trees.ENGLISH_MEN + family_trees.ENGLISH_WOMEN
    italian = family_trees.ITALIAN_MEN + family_trees.ITALIAN_WOMEN
    to_italian = dict(zip(english, italian))
    facts = set(family_trees.FACTS)
    ours = {fact for fact in facts if fact[0] in to_italian}
    assert {(to_italian[a], r, to_italian[b]) for a, r, b in ours} == facts - ours
    assert len(ours) == 56


def test_every_fact_has_its_converse():
    groups = (
        (("husband",), ("wife",)),
        (("father", "mother"), ("son", "daughter")),
        (("brother", "sister"), ("brother", "sister")),
        (("uncle", "aunt"), ("nephew", "niece")),
    )
    converse = {a: right for left, right in groups for a in left}
    converse |= {b: left for left, right in groups for b in right}
    facts = set(family_trees.FACTS)
    for a, relation, b in facts:
        assert any((b, back, a) in facts for back in converse[relation])


# --- architectures and recipes ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "variant", "text", "parameters"),
    [
        ("xor", "2-2-1", "2 input -> 2 hidden -> 1 output", 9),
        ("xor", "2-1-1", "2 input -> 1 hidden -> 1 output", 7),
        ("symmetry", "nature", "6 input -> 2 hidden -> 1 output", 17),
        ("encoder", "8-3-8", "8 input -> 3 hidden -> 8 output", 59),
        (
            "family-trees",
            "learns",
            "24 person + 12 relation -> 6 person code + 6 relation code -> 12 central "
            "-> 6 answer code -> 24 output",
            576 + 54,
        ),
    ],
)
def test_architecture(name, variant, text, parameters):
    result = run(EXPERIMENTS[name], variant, settings={"sweeps": 0})
    assert str(result.variant.architecture) == text
    assert len(result.network.parameters()) == parameters


@pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=EXPERIMENTS)
def test_every_setting_has_a_source(experiment: Experiment):
    for variant in experiment.variants.values():
        assert variant.original
        assert all(variant.recipe.sources.values())
        assert set(variant.recipe.sources) <= set(SETTINGS)
    recipe = next(iter(experiment.variants.values())).recipe
    with pytest.raises(ValueError, match="source of each setting"):
        replace(recipe, sources={})


@pytest.mark.parametrize(
    "change",
    [
        {"update": "epoch"},
        {"rate": 0.0},
        {"rate": math.nan},
        {"momentum": 1.0},
        {"decay": -0.1},
        {"tolerance": math.inf},
        {"sweeps": -1},
        {"off": 0.9},
        {"loss": "hinge"},
    ],
)
def test_recipes_are_checked(change):
    recipe: Recipe = XOR.variants["2-2-1"].recipe
    with pytest.raises(ValueError, match=f"{next(iter(change))} must be"):
        replace(recipe, **change)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([Group("a", 2), Group("b", 1, ("c",))], "reads"),
        ([Group("a", 2), Group("a", 1, ("a",))], "two groups"),
        ([Group("a", 0), Group("b", 1, ("a",))], "at least one unit"),
        ([Group("a", 1)], "input group and a group"),
    ],
)
def test_architectures_are_checked(groups, message):
    with pytest.raises(ValueError, match=message):
        Architecture(tuple(groups))


def test_unknown_names():
    with pytest.raises(ValueError, match="2-2-1, 2-1-1"):
        run(XOR, "3-3-1")
    with pytest.raises(ValueError, match=r"no setting 'rte'.*rate"):
        run(XOR, settings={"rte": 1.0})


# --- learning -----------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "variant", "seed"),
    [
        ("xor", "2-2-1", 1986),
        ("xor", "2-1-1", 1986),
        ("symmetry", "nature", 1986),
        ("symmetry", "pdp", 1),
        ("encoder", "8-3-8", 1986),
    ],
)
def test_network_learns(name, variant, seed):
    result = run(EXPERIMENTS[name], variant, seed=seed)
    assert result.learned
    assert result.history.stopped == "criterion"
    for pattern in result.training:
        for output, target in zip(result.network(pattern.inputs), pattern.targets):
            assert (output.data > 0.5) == (target > 0.5)


@pytest.mark.long
def test_family_trees_learn():
    """All of the 100 cases; nothing is promised about the 4 held out."""
    result = run(EXPERIMENTS["family-trees"], settings={"stop_when_met": True})
    assert result.learned
    assert (len(result.training), len(result.test)) == (100, 4)
    assert not set(result.training) & set(result.test)
    assert len(set(result.training) | set(result.test)) == 104


@pytest.mark.long
def test_symmetry_weights_are_in_the_ratio_of_nature():
    """Fig. 1: 1 : 2 : 4 for each hidden unit, with opposite signs on both sides of the middle."""
    result = run(SYMMETRY)
    for neuron in result.network.layers["hidden"].neurons:
        w = [weight.data for weight in neuron.weights]
        assert [-x for x in w[3:][::-1]] == pytest.approx(w[:3], rel=0.05)
        small, middle, large = sorted(map(abs, w[:3]))
        assert middle / small == pytest.approx(2, rel=0.15)
        assert large / small == pytest.approx(4, rel=0.15)


def test_same_seed_same_result_and_another_seed_another():
    one, two, other = (run(XOR, seed=s) for s in (5, 5, 6))
    assert one.network.state_dict() == two.network.state_dict()
    assert one.history == two.history
    assert one.network.state_dict() != other.network.state_dict()


@pytest.mark.parametrize("variant", ["decay", "literal"])
def test_the_other_family_recipes_stay_selectable(variant):
    result = run(EXPERIMENTS["family-trees"], variant, settings={"sweeps": 1})
    assert result.recipe.decay == 0.002
    assert not result.learned
    assert "Not learned: " in report.outcome(result)


def test_direct_links_reach_the_output():
    result = run(XOR, "2-1-1")
    assert len(result.network.layers["output"].neurons[0].weights) == 3


# --- pictures and prints ------------------------------------------------------------------------


def test_rows_and_columns_of_a_picture_have_names_and_signs_the_colours_of_drawings():
    trial = run(EXPERIMENTS["family-trees"], settings={"sweeps": 1})
    figure = picture.figure_of(trial)
    axes = {a.get_title(): a for a in figure.get_axes()}
    person = axes["to person code"]
    across = [text.get_text() for text in person.get_xticklabels()]
    assert across == ["bias", *family_trees.PEOPLE]
    assert [t.get_text() for t in person.get_yticklabels()][:2] == [
        "person code 1",
        "person code 2",
    ]
    output = axes["to output"]
    assert [text.get_text() for text in output.get_yticklabels()] == list(family_trees.PEOPLE)
    neuron = trial.network.layers["person code"].neurons[0]
    weights = [neuron.bias.data, *(w.data for w in neuron.weights)]
    colors = [to_hex(square.get_facecolor()) for square in person.patches[: len(weights)]]
    assert colors == [COLOR["positive" if w > 0 else "negative"] for w in weights]


def test_names_of_units_stand_in_the_tables_too():
    trial = run(EXPERIMENTS["family-trees"], settings={"sweeps": 0})
    tables = {table.title: table for table in report.weights(trial)}
    to_output = tables["Weights to output from answer code"]
    assert [row[0] for row in to_output.rows] == list(family_trees.PEOPLE)
    to_person = tables["Weights to person code from person"]
    assert [row[0] for row in to_person.rows] == ["bias", *family_trees.PEOPLE]


def test_names_and_better_variants_are_checked():
    with pytest.raises(ValueError, match="names of units do not fit"):
        replace(XOR, unit_names={"input": ("a", "b", "c")})
    with pytest.raises(ValueError, match="has no variant '3-3-1'"):
        variants = {"2-2-1": replace(XOR.variants["2-2-1"], better="3-3-1")}
        replace(XOR, variants=variants)


@pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=EXPERIMENTS)
def test_prints_are_short(experiment):
    trial = run(experiment, settings={"sweeps": 3})
    for thing in (experiment, trial, trial.history, *experiment.probes, trial.network):
        assert len(repr(thing)) < 400, thing
    assert f"{experiment.name!r}" in repr(experiment)
    assert "not learned after 3 sweeps" in repr(trial)
