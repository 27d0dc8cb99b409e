"""Replicas: each has its result to the last digit, whatever trains beside it, in any thread."""

import random
import threading

import pytest

pytest.importorskip("llvmlite")

from microgradient import nn
from microgradient.compiler.llvm import training_kernel
from microgradient.nn.training import replicas as replicas_module
from microgradient.nn.training.programs import training_programs

XOR = [([a, b], [0.9 if a != b else 0.1]) for a in (0.0, 1.0) for b in (0.0, 1.0)]
SMALL, LARGE = (2, [2, 1]), (20, [30, 3])  # in lanes side by side, and alone
OPTIMIZERS = {
    "momentum": lambda parameters: nn.Momentum(parameters, 0.3),
    "adam": lambda parameters: nn.Adam(parameters, 0.03),  # whose settings differ from step to step
}
SETTINGS = {
    "presentations": {"update": "presentation"},
    "sweeps": {},
    "shuffled": {"update": "presentation", "shuffle": 3},
    "shuffled batches": {"update": 3, "shuffle": 4},
    "to the end": {"stop_when_met": False},
    "scheduled": {"schedule": {20: {"rate": 0.01}}},
}


def patterns_for(sizes, count=6):
    if sizes == SMALL:
        return XOR
    rng, outputs = random.Random(0), sizes[1][-1]
    wanted = [[0.9 * (k == i % outputs) for k in range(outputs)] for i in range(count)]
    return [([rng.gauss(0, 1) for _ in range(sizes[0])], targets) for targets in wanted]


def models_of(sizes, seeds):
    return [nn.MLP(*sizes, "sigmoid", output="sigmoid", rng=seed) for seed in seeds]


def trained(sizes, seeds, optimizer="momentum", **settings):
    keywords = {"sweeps": 300, "criterion": nn.within(0.2), "workers": 1, **settings}
    results = nn.train_replicas(
        models_of(sizes, seeds),
        patterns_for(sizes),
        loss=nn.half_squared_error,
        optimizer=OPTIMIZERS[optimizer],
        backend="llvm",
        **keywords,
    )
    return [
        (r.sweeps, r.stopped, r.error, r.right, [p.data for p in r.model.parameters()])
        for r in results
    ]


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("sizes", [SMALL, LARGE], ids=["small", "large"])
def test_results_do_not_depend_on_neighbours_or_workers(sizes, optimizer, settings):
    keywords = SETTINGS[settings]
    seeds = list(range(23))
    together = dict(zip(seeds, trained(sizes, seeds, optimizer, **keywords)))
    for workers in (2, 3):
        again = trained(sizes, seeds, optimizer, workers=workers, **keywords)
        assert dict(zip(seeds, again)) == together
    others = [19, 4, 22, 4 + 100, 7, 0]
    for seed, result in zip(others, trained(sizes, others, optimizer, workers=2, **keywords)):
        assert seed not in together or result == together[seed]
    assert trained(sizes, [11], optimizer, **keywords) == [together[11]]


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("sizes", [SMALL, LARGE], ids=["small", "large"])
def test_a_replica_is_trained_as_by_train(sizes, settings):
    keywords = {"sweeps": 300, "criterion": nn.within(0.2), **SETTINGS[settings]}
    for seed, result in enumerate(trained(sizes, range(4), **keywords)):
        (model,) = models_of(sizes, [seed])
        history = nn.train(
            model,
            patterns_for(sizes),
            loss=nn.half_squared_error,
            optimizer=OPTIMIZERS["momentum"](model.parameters()),
            backend="eager",
            **keywords,
        )
        sweeps, stopped, error, right, weights = result
        assert (sweeps, stopped, right) == (history.sweeps, history.stopped, history.right[-1])
        assert error == pytest.approx(history.errors[-1], rel=1e-7)
        assert weights == pytest.approx([p.data for p in model.parameters()], rel=1e-6, abs=1e-9)


def test_all_workers_take_part(monkeypatch):
    threads, both = set(), threading.Barrier(2, timeout=60)
    give = replicas_module._Queue._give

    def watched(self, i, ended):
        if threading.get_ident() not in threads:
            threads.add(threading.get_ident())
            both.wait()  # which breaks, and fails, unless another worker comes too
        give(self, i, ended)

    monkeypatch.setattr(replicas_module._Queue, "_give", watched)
    trained(LARGE, range(12), workers=2)
    assert len(threads) == 2


def test_the_first_ctrl_c_keeps_what_has_ended(monkeypatch):
    give = replicas_module._Queue._give

    def interrupted(self, i, ended):
        give(self, i, ended)
        if i == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(replicas_module._Queue, "_give", interrupted)
    results = trained(LARGE, range(9), criterion=None, sweeps=50)
    assert [r[1] for r in results] == ["sweeps"] * 4 + ["interrupted"] * 5
    assert [r[0] for r in results] == [50] * 4 + [0] * 5


def test_tied_weights_are_seen():
    def tied(seed, which):
        model = nn.MLP(2, [2, 1], "sigmoid", output="sigmoid", rng=seed)
        neurons = model.layers[0].neurons
        neurons[1].weights[which] = neurons[0].weights[which]
        return model

    keywords = {"loss": nn.half_squared_error, "sweeps": 5, "backend": "llvm"}
    optimizer = OPTIMIZERS["momentum"]
    alike = [tied(0, 0), tied(1, 0)]
    assert len(nn.train_replicas(alike, XOR, optimizer=optimizer, **keywords)) == 2
    with pytest.raises(ValueError, match="of one architecture"):
        nn.train_replicas([tied(0, 0), tied(1, 1)], XOR, optimizer=optimizer, **keywords)


def test_what_is_large_trains_alone():
    def width(sizes, update):
        (model,) = models_of(sizes, [0])
        optimizer = OPTIMIZERS["momentum"](model.parameters())
        objective = replicas_module.Objective(model, nn.half_squared_error, None)
        programs = training_programs(objective, optimizer, patterns_for(sizes))
        parts = programs.gradient, programs.update, update, programs.patterns
        return training_kernel.Replicas(*parts, count=100, watch=False)._code.width

    assert width(SMALL, 1) == training_kernel.WIDTH
    assert width(LARGE, 1) == 1
