"""Gradients in many threads at once: there is no global trace that they could disturb."""

import sys
import threading

import pytest

import microgradient as mg
from microgradient import Value

THREADS, GRADIENTS = 8, 1_500


def _second(x):
    """A gradient in a gradient, closing over the outer variable."""
    return mg.grad(lambda t: t * mg.grad(lambda s: mg.sin(s * t) * s)(x))(x)


def _in_threads(work):
    faults = []

    def guarded(k):
        try:
            work(k)
        except BaseException as fault:
            faults.append(fault)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=guarded, args=(k,)) for k in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert faults == []


@pytest.mark.long
def test_nested_gradients_are_right_in_eight_threads():
    points = [0.1 + i / GRADIENTS for i in range(GRADIENTS)]
    expected = [_second(x) for x in points]
    wrong = []

    def work(k):
        for i in range(GRADIENTS):
            i = (i + k * GRADIENTS // THREADS) % GRADIENTS
            if _second(points[i]) != expected[i]:
                wrong.append((k, i))

    _in_threads(work)
    assert wrong == []


def test_threads_may_share_leaves_of_a_functional_gradient():
    """grad mutates nothing: many may differentiate through one and the same Value."""
    shared = Value(1.5)
    results = []
    _in_threads(
        lambda k: results.extend(mg.grad(lambda x: x * shared * x)(float(k)) for _ in range(200))
    )
    assert sorted(set(results)) == [3.0 * k for k in range(THREADS)]
    assert len(results) == 200 * THREADS
    assert not shared.reached


def test_an_anomaly_block_is_its_own_threads():
    seen = []

    def work(k):
        if k % 2:
            with mg.detect_anomaly(), pytest.raises(FloatingPointError):
                for _ in range(100):
                    mg.log(Value(float(k - k)))
        else:
            seen.extend(mg.log(Value(0.0)).data for _ in range(100))

    _in_threads(work)
    assert len(seen) == 400
