"""A test of the tests: no error planted in a row, an operator or a sweep goes unnoticed."""

from contextlib import nullcontext

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

import plants
from microgradient import OPS
from microgradient.engine import native
from rows import DISCRETE
from test_state_machine import Graphs

PLANTS = plants.plants()
SWEEPS = [plant for plant in PLANTS if not plant.rows]


def test_every_row_is_planted_with_both_errors():
    assert len(PLANTS) == 2 * (len(OPS) - len(DISCRETE)) + len(
        plants.MUTATIONS
    )  # an order has no derivative


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name)
def test_planted_error_is_caught(plant):
    told = plant.caught()
    assert told
    if plant.rows:  # and the row is named
        assert f"{plant.rows[0].name}(" in told


@pytest.mark.parametrize("plant", PLANTS[:3] + SWEEPS, ids=lambda plant: plant.name)
def test_without_the_error_nothing_is_caught(plant):
    plant = plants.Plant(plant.name, nullcontext, plant.rows)
    assert plant.caught(tries=30) == ""


if native.node is None:  # ``backward`` in C has no source to plant an error in

    @pytest.mark.parametrize(
        "plant",
        [p for p in SWEEPS if p.name.startswith("backward") and "complete" not in p.name],
        ids=lambda plant: plant.name,
    )
    def test_the_state_machine_notices(plant):
        found = settings(max_examples=60, phases=[Phase.generate], report_multiple_bugs=False)
        with plant.planted(), pytest.raises(AssertionError):
            run_state_machine_as_test(Graphs, settings=found)
