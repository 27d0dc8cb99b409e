"""Variants from many seeds: a seed ends as it does alone; grids stream through one training."""

import pickle
from dataclasses import replace

import pytest

from microgradient.rumelhart1986 import EXPERIMENTS, run, variant_study
from microgradient.rumelhart1986.grid import over_grid, points, spelled
from microgradient.rumelhart1986.study import Outcome
from microgradient.rumelhart1986.variant_study import BEYOND, HELD_OUT, GridStudy, VariantStudy

pytestmark = pytest.mark.once

XOR = EXPERIMENTS["xor"]


def shortened(name, sweeps):
    experiment = EXPERIMENTS[name]
    variant = experiment.variants[experiment.default]
    short = replace(variant, recipe=replace(variant.recipe, sweeps=sweeps), better=None)
    return replace(experiment, variants={"short": short})


def default_study(name):
    experiment = EXPERIMENTS[name]
    return VariantStudy(experiment, experiment.default)


@pytest.mark.parametrize("name", ["xor", "negation", "shift-3", "sequences"])
def test_a_seed_ends_as_it_does_alone_and_on_any_number_of_workers(name):
    study = default_study(name)
    several = study.outcomes(range(6), 2)
    assert [one.seed for one in several] == list(range(6))
    assert study.outcomes(range(6), 1) == several
    assert study.outcomes([4], 1) == [several[4]]


def test_seeds_that_hold_out_cases_of_their_own():
    study = VariantStudy(shortened("family-trees", 30), "short")
    several = study.outcomes(range(4), 2)
    assert study.outcomes([3, 1], 1) == [several[3], several[1]]
    held_out = [{name for name in one.findings if name.startswith(HELD_OUT)} for one in several]
    assert [len(names) for names in held_out] == [4] * 4
    assert len(set().union(*held_out)) > 8
    assert [one.sweeps for one in several] == [30] * 4


def test_sets_are_held_out_in_turn():
    sets = (("00",), ("01",), ("11",))
    experiment = replace(XOR, held_out=sets)
    for one in VariantStudy(experiment, "2-2-1").outcomes(range(4), 1):
        (name,) = one.findings
        assert name == HELD_OUT + sets[one.seed % 3][0]
    for bad, message in ((("00", "01"), "of one size"), (("02",), "no pattern '02'")):
        with pytest.raises(ValueError, match=message):
            replace(XOR, held_out=(("00",), bad))


@pytest.mark.parametrize("name", ["xor", "family-trees"])
def test_a_seed_ends_as_it_does_in_run(name):
    experiment = shortened(name, 400)
    trial = run(experiment, seed=5, backend="llvm")
    (one,) = VariantStudy(experiment, "short").outcomes([5], 1)
    assert (one.learned, one.sweeps) == (trial.learned, trial.history.sweeps)
    assert (one.right, one.tested) == (trial.right, len(trial.test_right))
    assert one.findings.get(BEYOND, trial.beyond_margin) == trial.beyond_margin


def test_a_grid_streams_through_one_training():
    variant = XOR.variants["2-2-1"]
    grid = {"rate": (0.1, 0.5), "momentum": (0.0, 0.9), "initial_range": (0.5,), "off": (0.1, 0.0)}
    experiment = replace(XOR, variants=over_grid(variant, grid, "a test"))
    study = GridStudy(experiment)
    assert study.wanted(3) == range(24)
    together = study.outcomes(study.wanted(3), 2)
    by_variant = study.by_variant(together)
    for name in experiment.variants:
        alone = VariantStudy(experiment, name).outcomes(range(3), 1)
        assert [replace(one, seed=0) for one in by_variant[name]] == [
            replace(one, seed=0) for one in alone
        ]
    assert study.outcomes([13, 2], 1) == [together[13], together[2]]


def test_a_grid_of_networks_that_need_code_of_their_own_is_refused():
    with pytest.raises(ValueError, match="must differ in nothing but rate"):
        GridStudy(XOR)


def test_points_have_names_of_their_own():
    assert [*points({"rate": (0.1, 1.0), "update": ("sweep",)})] == [
        "rate=0.1 update=sweep",
        "rate=1 update=sweep",
    ]
    assert [*points({})] == [""]
    assert spelled(0.1234567) != spelled(0.1234568)
    assert (spelled(True), spelled(1e-7)) == ("true", "1e-07")


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_studies_pickle(name):
    study = default_study(name)
    again = pickle.loads(pickle.dumps(study))
    assert again.content == study.content
    assert again.name == study.name


def test_a_study_is_known_by_all_that_it_consists_of():
    variant = XOR.variants["2-2-1"]
    others = [
        replace(variant, recipe=replace(variant.recipe, rate=0.3)),
        replace(variant, architecture=XOR.variants["2-1-1"].architecture),
    ]

    def content(experiment):
        return VariantStudy(experiment, "2-2-1").content

    several = {content(replace(XOR, variants={"2-2-1": v})) for v in (variant, *others)}
    several.add(content(replace(XOR, patterns=XOR.patterns[:3])))
    several.add(VariantStudy(XOR, "2-2-1", len).content)
    assert len(several) == 5
    sources = {**variant.recipe.sources, "rate": "elsewhere"}
    same = replace(variant, recipe=replace(variant.recipe, sources=sources))
    assert content(replace(XOR, variants={"2-2-1": same})) in several


def test_what_was_interrupted_has_no_outcome(monkeypatch):
    """At the first Ctrl-C, ``train_replicas`` returns what it has."""

    def interrupt(outputs, targets):
        raise KeyboardInterrupt

    monkeypatch.setattr(variant_study, "chosen_loss", lambda recipe: interrupt)
    with pytest.raises(KeyboardInterrupt):
        default_study("xor").outcomes([0], 1)


@pytest.mark.parametrize("name", ["xor", "family-trees"])
def test_a_seed_that_diverges_did_not_learn(name, monkeypatch):
    def diverging(outputs, targets):
        return outputs[0] * float("inf")

    monkeypatch.setattr(variant_study, "chosen_loss", lambda recipe: diverging)
    found = default_study(name).outcomes([0, 1], 1)
    assert [replace(one, findings={}) for one in found] == [
        Outcome(seed, False, 0, 0, 0) for seed in (0, 1)
    ]
    tested = EXPERIMENTS[name].tested
    assert [[*one.findings.values()] for one in found] == [[0] * tested] * 2


def test_measures_are_of_networks_that_learned():
    def weights(network):
        return {"weights": float(len(network.parameters()))}

    recipe = XOR.variants["2-2-1"].recipe
    variant = replace(XOR.variants["2-2-1"], recipe=replace(recipe, sweeps=300))
    experiment = replace(XOR, variants={"2-2-1": variant})
    found = VariantStudy(experiment, "2-2-1", weights).outcomes(range(8), 1)
    assert {one.learned for one in found} == {True, False}
    assert all(one.findings == ({"weights": 9.0} if one.learned else {}) for one in found)
