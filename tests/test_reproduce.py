"""Many seeds of an experiment: outcomes kept on disk, and the table with intervals."""

import json
from dataclasses import replace

import pytest
from scipy.stats import binomtest

from microgradient.cli import main
from microgradient.rumelhart1986 import EXPERIMENTS, reproduce, study, trial
from microgradient.rumelhart1986.reproduce import Outcomes, study_of
from microgradient.rumelhart1986.statistics import median_interval, wilson
from microgradient.rumelhart1986.study import Outcome, outcomes

XOR = EXPERIMENTS["xor"]


@pytest.mark.parametrize(
    ("successes", "trials"), [(0, 1), (1, 1), (0, 10), (10, 10), (5, 10), (1, 30), (869, 1000)]
)
def test_wilson(successes, trials):
    expected = binomtest(successes, trials).proportion_ci(method="wilson")
    assert wilson(successes, trials) == pytest.approx(tuple(expected), rel=1e-12, abs=1e-15)


@pytest.mark.parametrize(("successes", "trials"), [(0, 0), (-1, 5), (6, 5)])
def test_impossible_counts_are_refused(successes, trials):
    with pytest.raises(ValueError, match="successes of at least one trial"):
        wilson(successes, trials)


def test_the_interval_of_a_median():
    low, high = median_interval(range(1000))
    assert 450 < low < 499.5 < high < 550
    assert (low, high) == median_interval(range(1000))
    assert median_interval([7.0]) == (7.0, 7.0)
    with pytest.raises(ValueError, match="no median"):
        median_interval([])


@pytest.mark.parametrize("name", ["xor", "negation", "shift-3", "sequences"])
def test_a_seed_ends_as_it_does_alone_and_on_any_number_of_workers(name):
    experiment = EXPERIMENTS[name]
    several = outcomes(experiment, experiment.default, range(6), jobs=2)
    assert [one.seed for one in several] == list(range(6))
    assert outcomes(experiment, experiment.default, range(6), jobs=1) == several
    assert outcomes(experiment, experiment.default, [4], jobs=1) == [several[4]]


def test_seeds_that_hold_out_other_cases_train_one_by_one():
    experiment = EXPERIMENTS["family-trees"]
    variant = experiment.variants["learns"]
    recipe = replace(variant.recipe, sweeps=3)
    short = replace(experiment, variants={"short": replace(variant, recipe=recipe, better=None)})
    found = outcomes(short, "short", range(3), jobs=1)
    assert [one.learned for one in found] == [False] * 3
    assert [one.sweeps for one in found] == [3] * 3
    assert outcomes(short, "short", range(3), jobs=2) == found


def test_what_is_on_disk_is_not_run_again(tmp_path, monkeypatch, capsys):
    arguments = ["reproduce", "xor", "--seeds", "5", "--out", str(tmp_path)]
    assert main(arguments) == 0
    report = (tmp_path / "report.md").read_text()
    assert "Exclusive or | 2-2-1" in report
    assert " of 5 (" in report
    ran = []

    def noted(experiment, variant, seeds, jobs):
        ran.append((variant, list(seeds)))
        return outcomes(experiment, variant, seeds, jobs)

    monkeypatch.setattr(reproduce, "outcomes", noted)
    assert main(arguments) == 0
    assert ran == []
    assert (tmp_path / "report.md").read_text() == report
    arguments[3] = "7"
    assert main(arguments) == 0
    assert ran == [(variant, [5, 6]) for variant in XOR.variants]


def test_a_line_that_was_cut_off_is_run_again(tmp_path):
    results = Outcomes(tmp_path)
    found = [Outcome(seed, True, 100 + seed, 4, 0) for seed in range(3)]
    results.add("a", found[:2])
    file = tmp_path / "outcomes.jsonl"
    whole = file.read_bytes()
    line = json.dumps({"study": "a", "outcomes": [{"seed": 2, "learned": True}]})
    file.write_bytes(whole + line[:-9].encode())  # killed while it was written
    again = Outcomes(tmp_path)
    assert again.known == {"a": {0: found[0], 1: found[1]}}
    again.add("a", found[2:])
    assert Outcomes(tmp_path).known == {"a": dict(enumerate(found))}


def test_a_study_is_known_by_all_that_it_consists_of():
    variant = XOR.variants["2-2-1"]
    others = [
        replace(variant, recipe=replace(variant.recipe, rate=0.3)),
        replace(variant, architecture=XOR.variants["2-1-1"].architecture),
    ]
    names = {study_of(replace(XOR, variants={"2-2-1": v}), "2-2-1") for v in (variant, *others)}
    names.add(study_of(replace(XOR, patterns=XOR.patterns[:3]), "2-2-1"))
    assert len(names) == 4
    sources = {**variant.recipe.sources, "rate": "elsewhere"}
    same = replace(variant, recipe=replace(variant.recipe, sources=sources))
    assert study_of(replace(XOR, variants={"2-2-1": same}), "2-2-1") in names


def test_an_interrupted_run_reports_what_is_there(tmp_path, monkeypatch, capsys):
    def stopped(experiment, variant, seeds, jobs):
        if variant == "2-1-1":
            raise KeyboardInterrupt
        return outcomes(experiment, variant, seeds, jobs)

    monkeypatch.setattr(reproduce, "outcomes", stopped)
    assert main(["reproduce", "xor", "--seeds", "3", "--out", str(tmp_path)]) == 130
    assert "goes on from there" in capsys.readouterr().out
    report = (tmp_path / "report.md").read_text()
    assert "2-2-1" in report
    assert "2-1-1" not in report


@pytest.mark.parametrize("name", ["xor", "family-trees"])
def test_what_was_interrupted_has_no_outcome(name, tmp_path, monkeypatch):
    """At the first Ctrl-C, ``train`` and ``train_replicas`` return what they have."""

    def interrupt(outputs, targets):
        raise KeyboardInterrupt

    for module in (study, trial):
        monkeypatch.setattr(module, "chosen_loss", lambda recipe: interrupt)
    results = Outcomes(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        reproduce.reproduce([EXPERIMENTS[name]], 2, 1, results, lambda text: None)
    assert results.known == {}
    assert Outcomes(tmp_path).known == {}


def test_a_seed_that_diverges_did_not_learn(monkeypatch):
    def diverging(outputs, targets):
        return outputs[0] * float("inf")

    for module in (study, trial):
        monkeypatch.setattr(module, "chosen_loss", lambda recipe: diverging)
    for name in ("xor", "family-trees"):
        experiment = EXPERIMENTS[name]
        found = outcomes(experiment, experiment.default, [0, 1], 1)
        assert found == [Outcome(seed, False, 0, 0, 0) for seed in (0, 1)]


@pytest.mark.parametrize("arguments", [["xer"], ["xor", "--seeds", "0"], ["xor", "--jobs", "two"]])
def test_bad_arguments_get_one_sentence(arguments, capsys, tmp_path):
    with pytest.raises(SystemExit) as exited:
        main(["reproduce", *arguments, "--out", str(tmp_path)])
    assert exited.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "xor" in error or "at least 1" in error
