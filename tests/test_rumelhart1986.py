"""The networks of 1986: their data, and that each learns from a fixed seed."""

import itertools
import math
import random
from collections import Counter
from dataclasses import replace

import pytest
from matplotlib.colors import to_hex

from microgradient import nn
from microgradient.rumelhart1986 import (
    EXPERIMENTS,
    Architecture,
    Recipe,
    picture,
    run,
    trial_tables,
)
from microgradient.rumelhart1986.experiment import SETTINGS, Experiment
from microgradient.rumelhart1986.experiments import family_trees, tc
from microgradient.rumelhart1986.network import Link, Network, Read
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


def crossed(i, j):
    return (i, j) if i != j else None


@pytest.mark.parametrize(
    ("groups", "links", "settings", "message"),
    [
        ({"a": 2, "b": 1}, [Link("c", "b")], {}, "no group 'c'"),
        ({"a": 0, "b": 1}, [Link("a", "b")], {}, "at least one unit"),
        ({"a": 1}, [], {}, "needs a link"),
        ({"a": 2, "b": 1}, [Link("b", "a")], {}, "earlier unit, or have a delay"),
        ({"a": 2, "b": 2}, [Link("a", "b"), Link("b", "b", crossed)], {}, "earlier unit"),
        ({"a": 2, "b": 1}, [Link("a", "b", delay=1)], {}, "there is one step"),
        ({"a": 2, "b": 1}, [Link("a", "b", delay=-1)], {}, "at least 0, got -1"),
        ({"a": 2, "b": 2}, [Link("a", "b", lambda i, j: j or None)], {}, "unit 1 of 'b' reads"),
        ({"a": 2}, [Link("a", "a", delay=1)], {"steps": 3}, "give shown"),
        ({"a": 2, "b": 1}, [Link("a", "b")], {"steps": 0}, "at least 1, got 0"),
        ({"a": 2, "b": 1}, [Link("a", "b")], {"asked": [("c", 0)]}, "no group 'c'"),
        ({"a": 2, "b": 1}, [Link("a", "b")], {"asked": [("b", 1)]}, "not within the 1 steps"),
        ({"a": 2, "b": 1}, [Link("a", "b")], {"asked": [("a", 0)]}, "is shown and asked for"),
        ({"a": 2, "b": 1}, [Link("a", "b")], {"shown": [("b", 0)]}, "is shown and asked for"),
    ],
)
def test_architectures_are_checked(groups, links, settings, message):
    with pytest.raises(ValueError, match=message):
        Architecture(groups, tuple(links), **{k: _tuple(v) for k, v in settings.items()})


def _tuple(x):
    return tuple(x) if isinstance(x, list) else x


def test_links_share_weights_leave_pairs_out_and_lead_back():
    """Against the same network written out by hand."""
    net = Architecture(
        {"input": 2, "hidden": 2, "output": 1},
        (
            Link("input", "hidden", lambda i, j: abs(i - j)),  # two weights for four links
            Link("hidden", "hidden", lambda i, j: (i, j) if (i, j) == (0, 1) else None),
            Link("hidden", "hidden", lambda i, j: 0 if i == j else None, delay=1),
            Link("hidden", "output"),
        ),
        steps=2,
        shown=(("input", 0), ("input", 1)),
        asked=(("output", 0), ("output", 1)),
        start=0.25,
        bias=lambda group, j: group,
    )
    network = Network(net, 1.0, 0.5, random.Random(3))
    assert str(net) == "2 input -> 2 hidden -> 1 output, 2 steps"
    same, crossed_, bias, forward, back, w0, w1, out_bias = (
        p.data for p in _in_order(network, "hidden", "output")
    )

    def sigmoid(x):
        return 1 / (1 + math.exp(-x))

    h, outputs = [0.25, 0.25], []
    for a, b in ((1.0, 0.0), (0.5, 1.0)):
        first = sigmoid(same * a + crossed_ * b + back * h[0] + bias)
        second = sigmoid(crossed_ * a + same * b + forward * first + back * h[1] + bias)
        h = [first, second]
        outputs.append(sigmoid(w0 * first + w1 * second + out_bias))
    found = [y.data for y in network([1.0, 0.0, 0.5, 1.0])]
    assert found == pytest.approx(outputs, rel=1e-15)
    assert len(network.parameters()) == 8
    assert network.activities([1.0, 0.0, 0.5, 1.0])["hidden"] == pytest.approx(h, rel=1e-15)
    assert network.layers["hidden"].weight(0, Read("hidden", 0, 0)) is None


def _in_order(network, *groups):
    """Return the parameters: same, crossed, bias, forward, back, then those of the output."""
    hidden, output = (network.layers[name] for name in groups)
    first, _ = hidden.neurons
    weight = hidden.weight
    return [
        weight(0, Read("input", 0, 0)),
        weight(1, Read("input", 0, 0)),
        first.bias,
        weight(1, Read("hidden", 0, 0)),
        weight(1, Read("hidden", 1, 1)),
        *output.neurons[0].weights,
        output.neurons[0].bias,
    ]


def test_a_recurrent_network_trains_compiled_as_on_values():
    """A shift register: after two steps, each unit has what the one two places on had."""
    net = Architecture(
        {"units": 3}, (Link("units", "units", delay=1),), 3, (("units", 0),), (("units", 2),)
    )
    states = list(itertools.product((0.0, 1.0), repeat=3))
    patterns = [(state, [state[2], state[0], state[1]]) for state in states]
    found = []
    for backend in ("eager", "llvm"):
        network = Network(net, 1.0, 1.0, random.Random(0))
        nn.train(
            network,
            patterns,
            loss=nn.half_squared_error,
            optimizer=nn.Momentum(network.parameters(), 0.25, 0.9),
            sweeps=30,
            update="presentation",
            backend=backend,
        )
        found.append([p.data for p in network.parameters()])
    assert found[1] == pytest.approx(found[0], rel=1e-9)
    assert len(found[0]) == 12


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
        *((f"parity-{n}", f"{n}-{n}-1", 1986) for n in (2, 3, 4, 5, 7)),
        ("distributed-to-local", "2-1-4-4", 1986),
        ("addition", "4-3-3", 1986),
        ("addition", "4-2-3", 1986),
        ("negation", "4-3-3", 1986),
        ("t-c", "shared", 1986),
        ("shift-3", "recurrent", 1986),
        ("shift-5", "recurrent", 1986),
        ("sequences", "recurrent", 1986),
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
def test_one_unit_of_four_levels_tells_four_patterns_apart():
    """PDP vol. 1, ch. 8, pp. 337-339: the single unit takes 0, .2, .6 and 1."""
    result = run(EXPERIMENTS["distributed-to-local"])
    patterns = result.training
    levels = sorted(result.network.activities(p.inputs)["single"][0] for p in patterns)
    assert levels[0] < 0.1
    assert levels[3] > 0.9
    assert min(b - a for a, b in itertools.pairwise(levels)) > 0.1


@pytest.mark.parametrize("pattern", tc.PATTERNS, ids=lambda pattern: pattern.name)
def test_figures_touch_as_many_fields_as_printed(pattern):
    """PDP vol. 1, ch. 8, pp. 348-352: 21 for a T, 20 for a C, in every direction."""
    squares = [i for i, x in enumerate(pattern.inputs) if x]
    assert len(squares) == 5
    touched = {j for j in range(tc.FIELDS**2) for i in squares if tc.field(i, j) is not None}
    assert len(touched) == {"T": 21, "C": 20}[pattern.name[0]]


@pytest.mark.long
def test_the_fields_of_the_t_c_problem_detect_compactness():
    """All weights of a field have one sign, and a T changes one field more than a C."""
    result = run(EXPERIMENTS["t-c"])
    network = result.network
    assert len(network.parameters()) == 9 + 1 + 1 + 1
    signs = {w.data > 0 for w in network.layers["field"].neurons[0].weights}
    assert len(signs) == 1
    empty = [y > 0.5 for y in network.activities([0.0] * tc.SIDE**2)["field"]]
    for pattern in result.training:
        fields = [y > 0.5 for y in network.activities(pattern.inputs)["field"]]
        changed = sum(a != b for a, b in zip(fields, empty))
        assert changed == {"T": 21, "C": 20}[pattern.name[0]]


def test_shared_weights_are_shown_once():
    trial = run(EXPERIMENTS["t-c"], settings={"sweeps": 1})
    fields, output = trial_tables.weights(trial)
    assert fields.title == "Weights to field 1 from retina; all 25 units share them"
    assert len(fields.rows) == 1 + tc.REACH**2  # a bias too
    assert output.title == "Weights to output from field"
    titles = [axes.get_title() for part in picture.figure_of(trial).subfigs for axes in part.axes]
    assert "to field, each unit" in titles
    assert "to output" in titles


@pytest.mark.parametrize("backend", ["eager", "llvm"])
def test_the_biases_of_a_shift_register_stay_below_a_bound(backend):
    for bound in (0.0, -3.0):
        settings = {"sweeps": 30, "bias_at_most": bound}
        result = run(EXPERIMENTS["shift-3"], settings=settings, backend=backend)
        biases = [neuron.bias.data for neuron in result.network.layers["units"].neurons]
        assert max(biases) <= bound
    assert max(biases) == bound  # they would be larger without it


def test_sequences_are_held_out_by_name():
    result = run(EXPERIMENTS["sequences"], settings={"sweeps": 0})
    assert [pattern.name for pattern in result.test] == ["AD", "BE", "CA", "DB", "EC"]
    assert len(result.training) == 20
    wanted = {p.name: p.targets for p in result.test}["AD"]  # A is 12, D is 21
    assert wanted == (1, 0, 0, 0, 1, 0, 0, 1, 0, 1, 0, 0)


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
    assert "Not learned: " in trial_tables.outcome(result)


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
    tables = {table.title: table for table in trial_tables.weights(trial)}
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
