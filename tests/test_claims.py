"""Verdicts on the survey page's claims, by rules that the measured intervals decide."""

from dataclasses import replace

import pytest

from microgradient.rumelhart1986.claims import riddle
from microgradient.rumelhart1986.claims.family_readings import (
    CHOSEN,
    FRESH,
    FRESH_SEED,
    HELD_OUT_IN_TURN,
    SCAN,
    name_of,
    reading,
)
from microgradient.rumelhart1986.claims.judged import summary, verdicts
from microgradient.rumelhart1986.claims.readings import READINGS, XOR_NO_MOMENTUM, XOR_RATES
from microgradient.rumelhart1986.claims.verdict import (
    ABSENT,
    CONDITIONS,
    HOLDS,
    NOT,
    TOO_FEW,
    combined,
    count_text,
    of_all,
    of_count,
    of_never,
    of_rate,
)
from microgradient.rumelhart1986.deep import HARD_THRESHOLD, Kind, ShrinkFactor
from microgradient.rumelhart1986.experiments.family_trees import FAMILY_TREES
from microgradient.rumelhart1986.report import riddle as section
from microgradient.rumelhart1986.report.figures import sweeps_in
from microgradient.rumelhart1986.study import Outcome
from microgradient.rumelhart1986.variant_study import BEYOND, HELD_OUT

pytestmark = pytest.mark.once


def ended(*sweeps, stuck=0):
    learned = [Outcome(seed, True, n, 4, 0) for seed, n in enumerate(sweeps)]
    return learned + [Outcome(len(learned) + k, False, 10_000, 3, 0) for k in range(stuck)]


RUNS = ended(*range(700, 1301, 2))


@pytest.mark.parametrize(
    ("claimed", "verdict"),
    [(1000, HOLDS), (1080, HOLDS), (740, CONDITIONS), (690, NOT), (6587, NOT)],
)
def test_a_count_holds_at_the_median_and_under_conditions_for_single_runs(claimed, verdict):
    assert of_count(claimed, RUNS) == verdict


def test_other_rules():
    assert of_rate(0.1, 100, 1000) == HOLDS
    assert of_rate(0.1, 140, 1000) == NOT
    assert of_rate(0.1, 0, 30) == HOLDS  # thirty runs cannot tell it from 0
    assert {of_rate(0.1, 0, 10), of_never(0, 3), of_all(3, 3)} == {TOO_FEW}
    assert of_count(1000, RUNS[:19]) == TOO_FEW
    assert (of_never(0, 90), of_never(100, 1000), of_never(600, 1000)) == (HOLDS, CONDITIONS, NOT)
    assert (of_all(1000, 1000), of_all(400, 1000), of_all(2, 1000)) == (HOLDS, CONDITIONS, NOT)
    assert of_count(1000, ended(1000, stuck=29)) == NOT  # one run has no median
    assert combined([HOLDS, TOO_FEW]) == TOO_FEW
    assert combined([HOLDS, HOLDS]) == HOLDS
    assert combined([HOLDS, NOT]) == combined([CONDITIONS]) == CONDITIONS
    assert (combined([NOT, NOT]), combined([])) == (NOT, ABSENT)
    assert count_text(ended(5, 5, 5, stuck=1)) == "5 sweeps (5 to 5), 3 of 4"
    assert count_text(ended(stuck=2)) == "0 of 2"


def judged(found, factors=()):
    return {one.claim: one for one in verdicts(lambda name: found.get(name, []), factors)}


def test_without_outcomes_nothing_is_judged_that_must_be_measured():
    counts = summary(judged({}).values())
    assert counts[ABSENT] >= 16
    assert HOLDS in counts


def test_verdicts_follow_the_outcomes():
    """Outcomes made up so that the page is right, and others so that it is wrong."""
    claim = "XOR 2-2-1 learns in about 6,587 epochs"
    names = [f"{XOR_RATES.name} {name}" for name in XOR_RATES.variants]
    right = {name: ended(*range(6400, 6800, 4)) for name in names}
    assert judged(right)[claim].verdict == HOLDS
    wrong = dict.fromkeys(names, RUNS)
    assert judged(wrong)[claim].verdict == NOT
    assert judged({**wrong, names[2]: right[names[2]]})[claim].verdict == CONDITIONS
    assert "1,000 sweeps" in judged(wrong)[claim].measured

    slow = {
        f"{XOR_NO_MOMENTUM.name} {name}": ended(*range(9000, 11001, 10))
        for name in XOR_NO_MOMENTUM.variants
    }
    claim = "without momentum, XOR takes 5 to 10 times as long"
    assert judged({**wrong, **slow})[claim].verdict == HOLDS
    assert judged({**right, **slow})[claim].verdict == NOT


def test_factors_are_judged():
    sigmoid = ShrinkFactor(Kind("sigmoid", "glorot"), 10, 4.5, 4.4, 4.6, 100, 0)
    relu = ShrinkFactor(Kind("relu", "he"), 10, 1.2, 1.1, 1.3, 100, 0)
    found = judged({}, [sigmoid, relu])
    assert [one.verdict for claim, one in found.items() if "layer" in claim] == [HOLDS, HOLDS]
    found = judged({}, [replace(sigmoid, low=1.5, high=1.7), replace(relu, low=2.5, high=3.0)])
    assert [one.verdict for claim, one in found.items() if "layer" in claim] == [NOT, NOT]


def test_readings_differ_in_what_they_are_named_after():
    for experiment in READINGS:
        recipes = [repr(variant.recipe) for variant in experiment.variants.values()]
        assert len(set(recipes)) == len(recipes) > 1
        assert all(not variant.original for variant in experiment.variants.values())


def test_a_threshold_that_lets_weights_change_is_seen():
    def threshold(*changed):
        return {
            HARD_THRESHOLD.name: [
                Outcome(seed, False, 5000, 2, 0, {"weights changed": float(n)})
                for seed, n in enumerate(changed)
            ]
        }

    claim = "units with a hard threshold never learn"
    one = judged(threshold(*[0] * 30))[claim]
    assert (one.verdict, one.measured) == (HOLDS, "a weight changed in 0 of 30 networks")
    one = judged(threshold(9, 5, *[0] * 28))[claim]
    assert (one.verdict, one.measured) == (CONDITIONS, "a weight changed in 2 of 30 networks")


# --- the riddle ---------------------------------------------------------------------------------


def test_all_cases_are_held_out_in_turn():
    names = [name for held_out in HELD_OUT_IN_TURN.held_out for name in held_out]
    assert sorted(names) == sorted(pattern.name for pattern in FAMILY_TREES.patterns)
    assert len(HELD_OUT_IN_TURN.held_out) == 26
    assert len(FRESH) == 1 + len(CHOSEN)
    scanned = max(study.wanted(100_000)[-1] // len(study.experiment.variants) for study in SCAN)
    assert scanned < FRESH_SEED == min(study.first_seed for study in FRESH)


def test_the_scan_has_each_reading_once():
    names = [name for study in SCAN for name in study.experiment.variants]
    assert len(names) == len(set(names)) == 288
    assert {name_of(recipe) for recipe in CHOSEN} <= set(names)
    literal = name_of(reading("margin", (0.2, 0.8), 0.3, 0.01, 0.002))
    assert literal in names
    assert SCAN[0].wanted(1000) == range(16 * 48)


def of_family(beyond, tested, learned=True, seed=0):
    cases = {HELD_OUT + f"x's {name}": float(k < tested) for k, name in enumerate("abcd")}
    return Outcome(seed, learned, 1500, 100 if learned else 90, tested, {BEYOND: beyond, **cases})


def test_results_of_a_reading():
    outcomes = [of_family(100, 4), of_family(100, 2), of_family(90, 3), of_family(0, 0, False)]
    found = riddle.result_of("a reading", outcomes)
    assert (found.seeds, found.half, found.strict, found.tests, found.all) == (4, 3, 2, 2, 1)
    assert found.right == 9 / 4
    assert riddle.by_relation(outcomes) == {"a": (3, 4), "b": (3, 4), "c": (2, 4), "d": (1, 4)}


def test_the_best_readings_come_first():
    study = SCAN[0]
    several = [*study.experiment.variants]
    outcomes = [of_family(0, 0, False, seed=k) for k in range(len(several))]
    outcomes[7], outcomes[3] = of_family(100, 3, seed=7), of_family(100, 1, seed=3)
    best = riddle.scanned(lambda one: outcomes if one is study else [])
    assert [one.name for one in best[:2]] == [several[7], several[3]]
    assert len(best) == len(several)


@pytest.mark.parametrize(
    ("quantity", "value", "numbers"),
    [
        ("one run", "558 sweeps", [558]),
        ("sweeps", "about 5,000 to 10,000", [5000, 10000]),
        ("learns in", "about 6,587 epochs", [6587]),
        ("one run stuck in a local minimum", "6,587 sweeps", []),
        ("training cases right", "100 of 100, above 0.8 and below 0.2", []),
        ("sweeps", "thousands", []),
    ],
)
def test_numbers_of_sweeps_in_claims(quantity, value, numbers):
    claim = type("Claim", (), {"quantity": quantity, "value": value})
    assert sweeps_in(claim) == numbers


def test_relations_stand_below_their_readings():
    """Of an interrupted run, too, in which some were not held out yet."""
    each = {"one": {"son": (1, 2), "aunt": (2, 2)}, "two": {"son": (1, 2)}}
    ordered = section._in_one_order(each)
    assert [*ordered["one"]] == ["son", "aunt"]
    rows = section._relations(ordered).splitlines()[2:]
    assert [row.count("|") for row in rows] == [4, 4]
    assert rows[1].startswith("| aunt | 1.00 (")
    assert rows[1].endswith("| - |")
