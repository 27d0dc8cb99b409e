"""Memory stays flat without the garbage collector: a graph is freed with its last node."""

import gc
import tracemalloc

import pytest

import microgradient as mg
from live import live_values
from microgradient import nn
from microgradient.check import check_gradient

PATTERNS = [([a, b], [float(a != b)]) for a in (0, 1) for b in (0, 1)]


def _growth(work, rounds):
    """Return how many bytes and Values ``work`` has left behind after so many rounds."""
    work(20)  # caches and the like fill up here
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        values, before = live_values(), tracemalloc.get_traced_memory()[0]
        work(rounds)
        return tracemalloc.get_traced_memory()[0] - before, live_values() - values
    finally:
        tracemalloc.stop()
        gc.enable()


def _assert_flat(work):
    """Check that 1,000 rounds leave what 200 leave: free lists of a few kilobytes."""
    (few, no_values), (many, none_either) = _growth(work, 200), _growth(work, 1_000)
    assert no_values == none_either == 0
    assert many - few < 3_000  # one graph alone takes ten times that


@pytest.mark.parametrize("optimizer", [nn.GradientDescent, nn.Momentum, nn.Adam])
def test_a_thousand_training_steps(optimizer):
    model = nn.MLP(2, [4, 1], "tanh", rng=0)
    rule = optimizer(model.parameters(), 0.01)

    def steps(count):
        for _ in range(count):
            rule.zero_grad()
            loss = mg.fsum([nn.half_squared_error(model(x), d) for x, d in PATTERNS])
            loss.backward()
            rule.step()

    _assert_flat(steps)


def test_train_keeps_only_its_history():
    model = nn.MLP(2, [3, 1], "tanh", rng=0)

    def sweeps(count):
        nn.train(
            model,
            PATTERNS,
            loss=nn.half_squared_error,
            optimizer=nn.Momentum(model.parameters(), 0.01),
            sweeps=count,
            progress=False,
            backend="eager",
        )

    _assert_flat(sweeps)


def test_higher_derivatives_and_checks():
    def work(count):
        for i in range(count):
            mg.hessian(lambda x: mg.sin(x[0]) * x[1] ** 2)([0.1 + i, 2.0])
            if i % 10 == 0:
                check_gradient(mg.tanh, 0.3)

    work(10)
    gc.collect()
    gc.disable()
    try:
        before = live_values()
        work(50)
        assert live_values() == before
    finally:
        gc.enable()
