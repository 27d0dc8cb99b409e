"""detect_anomaly names the operation, the operands, the label and the line."""

import threading
from math import inf

import pytest

import microgradient as mg
from microgradient import Value, detect_anomaly


def test_forward():
    p = Value(0.0, label="p")
    with pytest.raises(FloatingPointError) as caught, detect_anomaly():
        mg.log(p) * 2  # the line to be named
    message = str(caught.value)
    assert "log(p = 0.0) gave -inf" in message
    assert "test_anomaly.py" in message
    assert "the line to be named" in message


@pytest.mark.parametrize(
    "make",
    [
        lambda: Value(-1.0).log(),
        lambda: Value(1.0) / 0,
        lambda: Value(-2.0) ** 0.5,
        lambda: Value(1e308) * 10,
        lambda: Value(inf) - inf,
        lambda: mg.dot([Value(inf)], [0.0]),
        lambda: mg.nn.MLP(1, [1], rng=0)([inf]),
    ],
)
def test_every_way_to_make_a_node_is_watched(make):
    make()
    with pytest.raises(FloatingPointError, match=r"test_anomaly\.py"), detect_anomaly():
        make()


def test_backward():
    x = Value(0.0, label="x")
    with pytest.raises(FloatingPointError) as caught, detect_anomaly():
        y = mg.sqrt(x)  # finite, but not its slope
        y.backward()
    assert "sqrt(x = 0.0)" in str(caught.value)
    assert "but not its slope" in str(caught.value)


def test_functional_gradient():
    with pytest.raises(FloatingPointError, match="sqrt"), detect_anomaly():
        mg.grad(lambda x: mg.sqrt(x) * 1.0)(0.0)


def test_forward_mode_and_sums():
    with pytest.raises(FloatingPointError, match="sqrt"), detect_anomaly():
        mg.derivative(mg.sqrt)(0.0)
    with pytest.raises(FloatingPointError, match="does not fit a float"), detect_anomaly():
        x = Value(0.0)
        (x * 1e308 + x * 1e308).backward()


def test_the_first_node_is_named_and_no_later_one():
    with pytest.raises(FloatingPointError, match=r"in sqrt\(x = 0\.0\)"), detect_anomaly():
        x = Value(0.0, label="x")
        mg.sqrt(x).sin().backward()


def test_no_false_alarms():
    """Formulas of derivatives compute branches that they do not take; constants have no slope."""
    with detect_anomaly():
        assert mg.hessian(lambda x: x**3)(-2.0) == -12.0
        assert mg.hessian(mg.elu)(1000.0) == 0.0
        mg.pow(Value(-2.0), 2).backward()
        mg.polygamma(1, Value(2.0)).backward()
        mg.grad(lambda x: x**2)(Value(-2.0))


def test_an_inner_block_knows_the_lines_of_the_outer_one():
    with pytest.raises(FloatingPointError, match="the outer line"), detect_anomaly():
        y = mg.sqrt(Value(0.0))  # the outer line
        with detect_anomaly():
            y.backward()


def test_all_is_well():
    with detect_anomaly():
        x = Value(2.0)
        y = mg.exp(x) ** 2 / 3
        y.backward()
    assert x.grad == pytest.approx(2 * y.data)


def test_off_again_and_not_in_other_threads():
    def work():
        seen.append(mg.log(Value(0.0)).data)

    seen = []
    with detect_anomaly():
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    work()
    assert seen == [-inf, -inf]


def test_message_is_bounded():
    xs = [Value(1.0) for _ in range(1000)]
    xs.append(Value(inf, label="culprit"))
    with pytest.raises(FloatingPointError) as caught, detect_anomaly():
        mg.fsum(xs)
    assert len(str(caught.value)) < 600
    assert "culprit" in str(caught.value)
