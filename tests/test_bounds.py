"""error_bound and condition: that the bound holds, and is not absurdly wide."""

from math import inf

import mpmath
import pytest
from hypothesis import given, settings

import microgradient as mg
from campaign import expression
from microgradient import Value
from microgradient.check import condition, error_bound
from microgradient.check import strategies as mgst
from microgradient.check.gradients.recording import Recording
from microgradient.check.numbers.number_systems import exact


def _error(recording):
    """Return the true error of the recorded result, by 50 digits."""
    (y,) = recording.outputs
    return float(abs(recording.replayed(exact(), {})[y] - y.data))


@given(mgst.expressions())
@settings(max_examples=300)
def test_the_error_is_within_the_bound(e):
    recording = Recording(e.f, e.inputs)
    assert _error(recording) <= error_bound(recording.outputs[0])


def test_the_bound_is_near_the_error():
    """It is often within a factor of ten of the error, which is close for a sum of worst cases."""
    ratios = []
    for seed in range(300):
        recording = Recording(expression(seed).f, expression(seed).inputs)
        if error := _error(recording):
            bound = error_bound(recording.outputs[0])
            assert error <= bound
            ratios.append(bound / error)
    ratios.sort()
    assert 1 < ratios[len(ratios) // 2] < 20


def test_the_bound_of_a_long_sum_grows_with_its_length():
    def summed(n):
        total = Value(0.0)
        for i in range(n):
            total = total + Value(1.0 / (i + 1))
        return total

    bounds = [error_bound(summed(n)) for n in (10, 100, 1000)]
    assert 8 < bounds[1] / bounds[0] < 40
    assert error_bound(mg.fsum([Value(1.0 / (i + 1)) for i in range(1000)])) < bounds[0]


def test_what_is_exact_has_no_error():
    x = Value(3.0)
    for y in (x, x + 1, -x, mg.relu(x), mg.maximum(x, 2.0), x * 1, mg.abs(x) - 1):
        assert error_bound(y) == 0.0


def test_cancellation_shows_in_both():
    x = Value(1e8)
    y = (x + 0.1) - x
    assert abs(y.data - 0.1) <= error_bound(y)
    assert error_bound(y) > 1e-9
    assert condition(x - 0.999e8) > 500


def test_condition():
    x, w = Value(2.0), Value(3.0)
    assert condition(x**3, x) == pytest.approx(3.0)
    assert condition(mg.exp(x), x) == pytest.approx(2.0)
    y = w * x * x
    assert condition(y, x) == pytest.approx(2.0)
    assert condition(y, [x, w]) == condition(y) == pytest.approx(3.0)
    assert condition(x - 2, x) == inf
    assert condition(Value(0.0) * 1.0) == 0.0
    assert condition(y, Value(1.0)) == 0.0  # nothing depends on it


def test_condition_predicts_what_a_moved_input_does():
    y, moved = mg.tan(Value(1.5)), mg.tan(Value(1.5 * (1 + 1e-9)))
    with mpmath.mp.workdps(30):
        assert abs(moved.data / y.data - 1) == pytest.approx(1e-9 * condition(y), rel=1e-4)


def test_nothing_is_changed():
    x = Value(2.0)
    y = mg.sin(x) * x
    error_bound(y)
    condition(y)
    assert not x.reached
    assert not y.reached


@pytest.mark.parametrize("call", [error_bound, condition])
def test_misuse(call):
    with pytest.raises(TypeError, match="expected a Value, got float 2"):
        call(2.0)
    with pytest.raises(TypeError, match="expected a Value, got str"):
        condition(Value(1.0), ["x"])
