"""Replicas: each has its result to the last digit, whatever trains beside it, in any thread."""

import math
import random
import threading

import pytest

pytest.importorskip("llvmlite")

import microgradient as mg
from microgradient import nn
from microgradient.compiler.llvm import training_kernel
from microgradient.nn.training import replicas as replicas_module
from microgradient.nn.training.evaluation import evaluator

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
        return training_kernel.width_of(len(model.parameters()), update, 100, shuffled=False)

    assert width(SMALL, 1) == training_kernel.WIDTH
    assert width(LARGE, 1) == 1


# --- what each replica may have of its own -------------------------------------------------------

RATES = (0.05, 0.3, 0.7)
OWN = {
    "patterns": {"held_out": True},
    "settings": {"rates": RATES},
    "settings under a schedule": {"rates": RATES, "schedule": {20: {"momentum": 0.5}}},
    "frozen weights": {"frozen": 3},
    "all of them": {"held_out": True, "rates": RATES, "frozen": 3},
}


def own_patterns(sizes, i):
    """Leave one pattern out, another one for each replica."""
    several = patterns_for(sizes)
    return [pattern for k, pattern in enumerate(several) if k != i % len(several)]


def own_optimizer(i, model, rates, frozen):
    return nn.Momentum(model.parameters()[frozen:], rates[i % len(rates)], momentum=0.8)


def trained_apart(sizes, seeds, *, held_out=False, rates=(0.3,), frozen=0, **settings):
    models = models_of(sizes, seeds)
    keywords = {"sweeps": 60, "criterion": nn.within(0.2), "workers": 2, **settings}
    results = nn.train_replicas(
        models,
        (lambda i: own_patterns(sizes, seeds[i])) if held_out else patterns_for(sizes),
        loss=nn.half_squared_error,
        optimizer=[own_optimizer(i, m, rates, frozen) for i, m in zip(seeds, models)],
        backend="llvm",
        keep_history=True,
        **keywords,
    )
    return [(r.history, [p.data for p in r.model.parameters()]) for r in results]


@pytest.mark.parametrize("update", ["presentation", "sweep"])
@pytest.mark.parametrize("own", OWN)
@pytest.mark.parametrize("sizes", [SMALL, LARGE], ids=["small", "large"])
def test_what_is_a_replicas_own(sizes, own, update):
    """Each is trained as by ``train``, and as with other neighbours."""
    settings = {**OWN[own], "update": update}
    seeds = list(range(9))
    together = trained_apart(sizes, seeds, **settings)
    assert trained_apart(sizes, seeds, workers=1, **settings) == together
    assert trained_apart(sizes, [7, 2], **settings) == [together[7], together[2]]
    schedule = settings.get("schedule")
    for seed in (0, 4, 8):
        (model,) = models_of(sizes, [seed])
        before = [p.data for p in model.parameters()]
        rates, frozen = settings.get("rates", (0.3,)), settings.get("frozen", 0)
        history = nn.train(
            model,
            own_patterns(sizes, seed) if settings.get("held_out") else patterns_for(sizes),
            loss=nn.half_squared_error,
            optimizer=own_optimizer(seed, model, rates, frozen),
            backend="eager",
            sweeps=60,
            update=update,
            schedule=schedule,
            criterion=nn.within(0.2),
        )
        course, weights = together[seed]
        assert weights == pytest.approx([p.data for p in model.parameters()], rel=1e-6, abs=1e-9)
        assert weights[:frozen] == before[:frozen]
        assert course.errors == pytest.approx(history.errors, rel=1e-6)
        assert (course.right, course.stopped, course.met_at) == (
            *(history.right, history.stopped, history.met_at),
        )


def test_what_cannot_be_a_replicas_own():
    models = models_of(SMALL, range(3))
    keywords = {"loss": nn.half_squared_error, "sweeps": 5, "backend": "llvm"}
    optimizers = [nn.Momentum(m.parameters(), 0.1) for m in models]
    with pytest.raises(TypeError, match="a list of 3 optimizers"):
        nn.train_replicas(models, XOR, optimizer=optimizers[:2], **keywords)
    with pytest.raises(ValueError, match="replica 1 must have 4 patterns"):
        nn.train_replicas(models, lambda i: XOR[i:], optimizer=optimizers, **keywords)
    with pytest.raises(TypeError, match="patterns must be a list"):
        nn.train_replicas(models, lambda i: 3, optimizer=optimizers, **keywords)


class Capped(nn.GradientDescent):
    """Steps of at most ``most``, which may be infinite."""

    most = math.inf

    def settings(self, step):
        return (self.rate, self.most)

    @staticmethod
    def rule(settings, weight, gradient):
        rate, most = settings
        return (weight - mg.minimum(rate * gradient, most),)


@pytest.mark.parametrize("backend", ["eager", "llvm"])
def test_settings_of_a_replicas_own_may_be_infinite(backend):
    models = models_of(SMALL, range(3))
    optimizers = [Capped(m.parameters(), rate) for m, rate in zip(models, RATES)]
    keywords = {"loss": nn.half_squared_error, "sweeps": 5, "backend": backend}
    ended = nn.train_replicas(models, XOR, optimizer=optimizers, **keywords)
    assert [one.stopped for one in ended] == ["sweeps"] * 3


@pytest.mark.parametrize("backend", ["eager", "llvm"])
def test_all_replicas_have_as_many_patterns(backend):
    models = models_of(SMALL, range(3))
    optimizer = OPTIMIZERS["momentum"]
    keywords = {"loss": nn.half_squared_error, "sweeps": 5, "backend": backend}
    with pytest.raises(ValueError, match="replica 1 must have 4 patterns"):
        nn.train_replicas(models, lambda i: XOR[i:], optimizer=optimizer, **keywords)


def test_outputs_of_many_networks():
    first, second, other = models_of(SMALL, [1, 2]) + models_of((2, [3, 1]), [3])
    evaluate = evaluator(first)
    inputs = [xs for xs, _ in XOR]
    for model in (first, second):
        assert evaluate(model, inputs) == pytest.approx([model(xs).data for xs in inputs])
    with pytest.raises(ValueError, match="expected a module with the parameters of"):
        evaluate(other, inputs)


def test_progress_counts_the_replicas_that_have_ended(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr("microgradient.nn.training.progress._PAUSE", 0.0)
    trained(SMALL, range(5), progress=True)
    assert "network 5/5" in capsys.readouterr().err
