"""Ten thousand gradients against 50 digits in every run, and no false alarm. For more: trust.py."""

import json
from pathlib import Path

import pytest

import campaign

pytestmark = pytest.mark.once

PARTS = 8  # so that the cores share the work
GRADIENTS, ALARMS = 10_400, 1_200


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_gradients_equal_50_digits(part):
    each = GRADIENTS // PARTS
    seeds = range(part * each, (part + 1) * each)
    counts = sum(map(campaign.check_seed, seeds), campaign.Counts())
    assert counts.failures == ()
    assert counts.gradients >= 10_000 / PARTS  # a few lie on kinks
    assert counts.second > 100


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_no_false_alarms(part):
    seeds = range(2**32 + part, 2**32 + ALARMS, PARTS)
    counts = sum(map(campaign.check_differences, seeds), campaign.Counts())
    assert counts.failures == ()
    assert counts.derivatives >= ALARMS / PARTS


def test_expressions_are_the_same_in_every_run():
    assert repr(campaign.expression(1)) == (
        "Expression(lambda x0: [v1 := mg.radians(x0), mg.dot([v1, x0, -0.097], [v1, 1.567, x0], "
        "3.211)][-1], 0.277)"
    )


def test_two_workers_count_like_one():
    one = sum(campaign.run(campaign.check_seed, range(40), 1, chunk=10), campaign.Counts())
    two = sum(campaign.run(campaign.check_seed, range(40), 2, chunk=10), campaign.Counts())
    assert one == two
    assert one.gradients + one.at_kinks == 40


def test_failures_are_saved_with_their_code(tmp_path: Path):
    failure = campaign.Failure(7, "Expression(lambda x0: mg.sin(x0), 0.5)", "grad by x0: …")
    campaign.save([failure], tmp_path / "failures.json")
    assert json.loads((tmp_path / "failures.json").read_text(encoding="utf-8")) == [
        {"seed": 7, "expression": failure.expression, "what": failure.what}
    ]
