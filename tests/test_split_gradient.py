"""Large gradients in parts: the result does not depend on how many threads compute them."""

import ctypes
import random

import pytest

from microgradient import nn
from microgradient.compiler.llvm import jit, threads
from microgradient.compiler.llvm.addresses import BLOCKS
from microgradient.compiler.llvm.training_kernel import NetworkTrainer
from microgradient.nn.training.objective import Objective
from microgradient.nn.training.programs import training_programs

FEWEST = threads.PARTS * BLOCKS * jit.vector_width()  # patterns


@pytest.fixture(autouse=True)
def small_ones_too(monkeypatch):
    monkeypatch.setattr(threads, "_WORTH", 0)


def patterns(count):
    rng = random.Random(count)
    return [([rng.gauss(0, 1) for _ in range(5)], [rng.random()]) for _ in range(count)]


def programs_of(count):
    model = nn.MLP(5, [4, 1], "tanh", rng=0)
    optimizer = nn.Momentum(model.parameters(), 0.001, 0.5)
    objective = Objective(model, nn.half_squared_error, lambda outputs, targets: outputs[0] > -9)
    return training_programs(objective, optimizer, patterns(count)), model


def trained(count, workers, batch=None):
    """Return weights, errors and counts after three sweeps."""
    programs, model = programs_of(count)
    kernel = NetworkTrainer(programs.gradient, programs.update, batch or count, count)
    assert kernel.code.is_split
    kernel.threads = workers
    kernel.present(programs.patterns)
    kernel.set_column(0, [parameter.data for parameter in model.parameters()])
    progress = kernel.train(3, [(0.001, 0.5, 0.0)], False)
    return kernel.column(0), progress.errors, progress.right


@pytest.mark.parametrize("count", [FEWEST, FEWEST + 1, FEWEST + 3 * BLOCKS, 3 * FEWEST - 1])
def test_results_do_not_depend_on_the_threads(count):
    one = trained(count, 1)
    for workers in (2, 3, 4, 7):
        assert trained(count, workers) == one
    assert one[2] == [count] * 3  # every pattern counts once


def test_batches_are_split_too():
    count = 2 * FEWEST + 5  # the last batch is a small one
    assert trained(count, 2, FEWEST) == trained(count, 1, FEWEST)


def test_training_is_that_on_values(monkeypatch):
    given, found = patterns(FEWEST + 7), []
    for backend in ("eager", "llvm"):
        model = nn.MLP(5, [4, 1], "tanh", rng=0)
        optimizer = nn.Momentum(model.parameters(), 0.001, 0.5)
        history = nn.train(
            model,
            given,
            loss=nn.half_squared_error,
            optimizer=optimizer,
            sweeps=3,
            backend=backend,
        )
        found.append(([p.data for p in model.parameters()], history.errors))
    for eager, compiled in zip(*found):
        assert compiled == pytest.approx(eager, rel=1e-10)


def test_without_threads_the_parts_are_computed_one_by_one(monkeypatch):
    expected = trained(FEWEST, 1)
    refuse = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_void_p] * 4)(lambda *given: 11)  # EAGAIN
    address = jit._address

    def mocked(name):
        if name == "pthread_create":
            return ctypes.cast(refuse, ctypes.c_void_p).value
        return address(name)

    monkeypatch.setattr(jit, "_address", mocked)
    assert trained(FEWEST, 4) == expected


def test_small_gradients_are_not_split(monkeypatch):
    monkeypatch.undo()
    programs, _ = programs_of(FEWEST)
    assert not NetworkTrainer(programs.gradient, programs.update, FEWEST, FEWEST).code.is_split
