"""Gradients in many threads at once: there is no global trace that they could disturb."""

import gc
import math
import sys
import threading

import pytest

import microgradient as mg
from microgradient import Value
from microgradient.engine import native, sweeps
from microgradient.engine.graph import computed_nodes
from microgradient.engine.services import watching
from microgradient.engine.services.collector import without_collector

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


def test_the_collector_is_on_again_after_calls_that_overlap():
    def pausing(i):
        for _ in range(20_000):
            without_collector(int)

    _in_threads(pausing)
    assert gc.isenabled()
    assert without_collector(lambda: (without_collector(gc.isenabled), gc.isenabled())) == (0, 0)
    gc.disable()
    try:
        assert not without_collector(gc.isenabled)
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_ctrl_c_leaves_the_collector_on_and_nothing_watched():
    """It comes between the instructions of Python: here, as any function of a gradient begins."""

    def interrupt(frame, event, argument):
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt

    before, interrupted = sys.gettrace(), 0
    while interrupted < 1_000:
        left = interrupted
        sys.settrace(interrupt)
        try:
            without_collector(mg.grad(lambda x: mg.tanh(x) * x), 0.5)
            with mg.detect_anomaly():
                mg.exp(Value(1.0))
            break
        except KeyboardInterrupt:
            interrupted += 1
        finally:
            sys.settrace(before)
        assert gc.isenabled()
        assert watching.open_blocks == 0
        assert mg.log(Value(0.0)).data == -math.inf
    assert 20 < interrupted < 1_000


def test_a_sweep_within_a_collection_within_a_sweep():
    """A new list may start the collector, once the spare ones are used up, and that a sweep."""
    gradients = sweeps.gradients if native.node is None else native.node.gradients
    x = Value(2.0)
    y = x
    for _ in range(50):
        y = y * 1.01 + x
    order = computed_nodes(y)
    inputs, weights, others, seen = [x, *order], {y: 1.0}, {order[25]: -3.0}, []
    expected = gradients(order, weights, inputs)
    before = gc.get_threshold()
    gc.callbacks.append(lambda phase, info: seen.append(gradients(order, others, inputs[:1])))
    gc.set_threshold(1)
    try:
        results = [gradients(order, weights, inputs) for _ in range(500)]
    finally:
        gc.set_threshold(*before)
        gc.callbacks.pop()
    assert seen
    assert all(result == expected for result in results)
