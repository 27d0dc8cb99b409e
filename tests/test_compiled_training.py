"""train and train_replicas, compiled: the numbers of the eager engine, to within roundings."""

import math
import random
import signal
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings

import microgradient as mg
from microgradient import CompileError, nn
from microgradient.check import strategies
from microgradient.nn.training import loop as training
from microgradient.nn.training.compiled import PythonRun
from microgradient.nn.training.eager import EagerRun
from microgradient.nn.training.programs import programs
from microgradient.rumelhart1986 import EXPERIMENTS, run

XOR = [([a, b], [0.9 if a != b else 0.1]) for a in (0.0, 1.0) for b in (0.0, 1.0)]
OPTIMIZERS = {
    "descent": lambda p: nn.GradientDescent(p, 0.3),
    "momentum": lambda p: nn.Momentum(p, 0.25, 0.9, 0.001),
    "adam": lambda p: nn.Adam(p, 0.02),
    "adamw": lambda p: nn.AdamW(p, 0.02, 0.01),
}


def model(seed=3, sizes=(2, [3, 1])):
    return nn.MLP(*sizes, "tanh", output="sigmoid", rng=seed)


def trained(engine, optimizer="momentum", network=None, patterns=XOR, **settings):
    network = network or model()
    rule = OPTIMIZERS[optimizer](network.parameters())
    keywords = {"loss": nn.half_squared_error, "sweeps": 60, "criterion": nn.within(0.1)}
    history = nn.train(network, patterns, optimizer=rule, engine=engine, **{**keywords, **settings})
    return network, rule, history


def assert_equal_runs(one, other):
    (network, rule, history), (network_2, rule_2, history_2) = one, other
    assert history.right == history_2.right
    assert history.errors == pytest.approx(history_2.errors, rel=1e-9, abs=1e-12)
    assert (history.stopped, history.met_at) == (history_2.stopped, history_2.met_at)
    assert network.state() == pytest.approx(network_2.state(), rel=1e-8, abs=1e-10)
    for name in rule.memories:
        assert getattr(rule, name) == pytest.approx(getattr(rule_2, name), rel=1e-7, abs=1e-10)
    assert getattr(rule, "steps", 0) == getattr(rule_2, "steps", 0)


@pytest.mark.parametrize("update", ["presentation", "sweep", 3])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_compiled_equals_eager(optimizer, update):
    assert_equal_runs(
        trained("eager", optimizer, update=update), trained("compiled", optimizer, update=update)
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"schedule": {0: {"rate": 0.01}, 5: {"rate": 0.4}, 31: {"rate": 0.1}}},
        {"shuffle": 5, "update": 2},
        {"criterion": None},
        {"sweeps": 2000, "update": "presentation"},
        {"sweeps": 2000, "update": "presentation", "stop_when_met": False},
        {"sweeps": 0},
        {"loss": nn.hinge},
        {"loss": lambda y, d: nn.half_squared_error(y, d) + 0.01 * mg.abs(y)},
    ],
    ids=["schedule", "shuffle", "no criterion", "met", "met, goes on", "none", "hinge", "own loss"],
)
def test_settings(settings):
    assert_equal_runs(trained("eager", **settings), trained("compiled", **settings))


def test_penalties_on_weights_and_fixed_weights_are_compiled():
    for engine in ("eager", "compiled"):
        network = model()
        fixed = network.layers[0].neurons[0].bias
        learned = [p for p in network.parameters() if p is not fixed]

        def loss(y, d, weights=tuple(learned)):
            return nn.half_squared_error(y, d) + 0.001 * mg.fsum([w * w for w in weights])

        nn.train(
            network,
            XOR,
            loss=loss,
            optimizer=nn.Momentum(learned, 0.2),
            sweeps=20,
            engine=engine,
        )
        if engine == "eager":
            expected = network.state()
    assert network.state() == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("update", ["presentation", 2, 3, 6, 8, "sweep"])
def test_layers_that_are_loops_train_with_any_batch(update):
    """Large enough for loops and kernels; batches that end within a vector."""
    rng = random.Random(1)
    patterns = [
        ([rng.uniform(-1, 1) for _ in range(20)], [rng.random(), rng.random()]) for _ in range(16)
    ]
    runs = [
        trained(
            engine,
            network=nn.MLP(20, [20, 2], "tanh", output="sigmoid", rng=2),
            patterns=patterns,
            update=update,
            criterion=nn.within(0.45),
            sweeps=20,
        )
        for engine in ("eager", "compiled")
    ]
    assert_equal_runs(*runs)


class Remembering(nn.Optimizer):
    """Keeps the weight before, the last gradient and the one before it."""

    memories = ("before", "last", "older")

    def __init__(self, parameters, rate):
        super().__init__(parameters, rate)
        for name in self.memories:
            setattr(self, name, [0.0] * len(self.parameters))

    def settings(self):
        return (self.rate,)

    @staticmethod
    def rule(settings, weight, gradient, *memories):
        before, last, older = memories
        moved = weight - settings[0] * (gradient + 0.5 * last - 0.1 * older) + 0.1 * before
        return moved, weight, gradient, last


def test_rules_that_hand_memories_on():
    results = []
    for engine in ("eager", "compiled"):
        network = model()
        rule = Remembering(network.parameters(), 0.1)
        settings = {"loss": nn.half_squared_error, "optimizer": rule, "sweeps": 12}
        history = nn.train(network, XOR, engine=engine, **settings)
        results.append((history.errors, network.state(), rule.older))
    (errors, state, older), (errors_2, state_2, older_2) = results
    assert errors == pytest.approx(errors_2, rel=1e-10)
    assert state == pytest.approx(state_2, rel=1e-10)
    assert older == pytest.approx(older_2, rel=1e-9)


def test_rules_with_the_wrong_number_of_results_are_refused():
    class Wrong(nn.GradientDescent):
        @staticmethod
        def rule(settings, weight, gradient, *memories):
            return weight, gradient

    for engine in ("eager", "compiled"):
        network = model()
        rule = Wrong(network.parameters(), 0.1)
        settings = {"loss": nn.half_squared_error, "optimizer": rule, "sweeps": 2}
        with pytest.raises((CompileError, ValueError)):
            nn.train(network, XOR, engine=engine, **settings)


def test_a_branch_on_a_weight_is_not_frozen():
    def build():
        w = mg.Value(0.3)

        class Bent(nn.Module):
            def __init__(self):
                self.w = w

            def __call__(self, x):
                return (self.w if self.w > 0 else 3 * self.w) * x[0]

        return Bent()

    settings = {"loss": nn.half_squared_error, "sweeps": 1500}
    with pytest.raises(CompileError, match="a branch on a weight"):
        network = build()
        rule = nn.GradientDescent(network.parameters(), 0.01)
        nn.train(network, [([1.0], [-1.5])], optimizer=rule, engine="compiled", **settings)
    network = build()
    rule = nn.GradientDescent(network.parameters(), 0.01)
    nn.train(network, [([1.0], [-1.5])], optimizer=rule, **settings)
    assert network.w.data == pytest.approx(-0.5, abs=1e-3)


def test_auto_compiles_what_takes_long(monkeypatch):
    made = []
    real = training.MachineRun
    monkeypatch.setattr(training, "MachineRun", lambda *a: made.append(1) or real(*a))
    patterns = [([a / 7, 0.5], [a / 9]) for a in range(8)]
    for criterion in (None, nn.within(0.001)):
        trained("auto", patterns=patterns, sweeps=4000, criterion=criterion)
    assert len(made) == 2
    trained("auto", patterns=patterns, sweeps=5)
    trained("auto", patterns=patterns, sweeps=4000, on_sweep=lambda m, h: None)
    assert len(made) == 2


def test_divergence_leaves_the_optimizer_as_it_was():
    states = []
    for engine in ("eager", "compiled"):
        network = nn.MLP(1, [1], "linear", rng=0)
        rule = nn.Momentum(network.parameters(), 5.0)
        with pytest.raises(nn.TrainingDiverged):
            nn.train(
                network,
                [([3.0], [1.0]), ([1.0], [2.0])],
                loss=lambda y, d: mg.exp(nn.half_squared_error(y, d)),
                optimizer=rule,
                sweeps=50,
                schedule={1: {"rate": 8.0}},
                engine=engine,
            )
        states.append((rule.changes, network.state(), rule.rate))
    (changes, state, rate), (changes_2, state_2, rate_2) = states
    assert changes == pytest.approx(changes_2)
    assert state == pytest.approx(state_2)
    assert rate == rate_2


@given(strategies.recipes())
@settings(max_examples=15)
def test_any_recipe(recipe):
    network, history = recipe.train()
    again, compiled = recipe.train(engine="compiled")
    assert again.state() == pytest.approx(network.state(), rel=1e-9, abs=1e-12)
    assert compiled.errors == pytest.approx(history.errors, rel=1e-9, abs=1e-14)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_networks_of_1986(name):
    """A few sweeps of each: eager, and compiled."""
    settings = {"sweeps": 3}
    eager = run(EXPERIMENTS[name], settings=settings, engine="eager")
    compiled = run(EXPERIMENTS[name], settings=settings, engine="compiled")
    assert compiled.history.errors == pytest.approx(eager.history.errors, rel=1e-11)
    assert compiled.network.state() == pytest.approx(eager.network.state(), rel=1e-11)


def test_python_source_trains_too():
    networks = []
    for kind in (EagerRun, PythonRun):
        network = model()
        rule = nn.Adam(network.parameters(), 0.02)
        eager = EagerRun(network, nn.half_squared_error, rule, nn.within(0.1), XOR, 3)
        args = network, nn.half_squared_error, rule, nn.within(0.1), XOR
        work = eager if kind is EagerRun else PythonRun(eager, programs(*args))
        shuffled = random.Random(1)
        results = [work.advance({}, shuffled, 1, True) for _ in range(30)]
        networks.append((network.state(), [r.errors for r in results], [r.right for r in results]))
    (state, errors, right), (state_2, errors_2, right_2) = networks
    assert state == pytest.approx(state_2, rel=1e-10)
    assert right == right_2
    assert [e for (e,) in errors] == pytest.approx([e for (e,) in errors_2], rel=1e-11)


def test_divergence_restores_the_last_whole_sweep_and_names_the_fault():
    for engine in ("eager", "compiled"):
        network = nn.MLP(1, [1], "linear", rng=0)
        with pytest.raises(nn.TrainingDiverged, match="in sweep") as caught:
            nn.train(
                network,
                [([3.0], [1.0])],
                loss=lambda y, d: mg.exp(nn.half_squared_error(y, d)),
                optimizer=nn.GradientDescent(network.parameters(), 5.0),
                sweeps=50,
                engine=engine,
            )
        assert all(map(math.isfinite, network.state().values()))
        if engine == "eager":
            sweeps, state = caught.value.history.sweeps, network.state()
    assert caught.value.history.sweeps == sweeps
    assert network.state() == pytest.approx(state)


def test_on_sweep_sees_every_sweep_with_its_weights():
    seen = []
    network = model()
    trained(
        "compiled",
        network=network,
        on_sweep=lambda m, h: seen.append((h.sweeps, m.parameters()[0].data)),
    )
    assert [n for n, _ in seen] == list(range(1, 61))
    assert len({w for _, w in seen}) == 60


def test_what_cannot_be_compiled_is_refused_or_trained_eagerly():
    def branching(x):
        y = network(x)
        return y if y > 0 else -y

    rng = random.Random(0)

    def noisy(x):
        return network(x) * rng.random()

    for bad, message in ((branching, "where"), (noisy, "something else each time")):
        network = model()
        rule = nn.Momentum(network.parameters(), 0.1)
        settings = {"loss": nn.half_squared_error, "optimizer": rule, "sweeps": 300}
        with pytest.raises(CompileError, match=message):
            nn.train(bad, XOR, engine="compiled", **settings)
        assert nn.train(bad, XOR, engine="auto", **settings).sweeps == 300

    class Own(nn.Momentum):
        def step(self):
            super().step()

    network = model()
    with pytest.raises(CompileError, match="Own has a step of its own"):
        nn.train(
            network,
            XOR,
            loss=nn.half_squared_error,
            optimizer=Own(network.parameters(), 0.1),
            sweeps=3,
            engine="compiled",
        )
    with pytest.raises(ValueError, match="engine must be one of auto, compiled, eager"):
        trained("fast")


# --- replicas -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("optimizer", "settings"),
    [
        ("momentum", {"update": "presentation"}),
        ("momentum", {"update": "sweep"}),
        ("adam", {"update": 3}),
        ("momentum", {"update": 2, "schedule": {20: {"rate": 0.3}}}),
        ("descent", {"update": "sweep", "criterion": None}),
    ],
)
def test_replicas_equal_runs_of_their_own(optimizer, settings):
    keywords = {"loss": nn.half_squared_error, "sweeps": 250, "criterion": nn.within(0.1)}
    keywords |= {"optimizer": OPTIMIZERS[optimizer], **settings}
    eager = nn.train_replicas([model(s) for s in range(40)], XOR, engine="eager", **keywords)
    compiled = nn.train_replicas([model(s) for s in range(40)], XOR, engine="compiled", **keywords)
    for one, other in zip(eager, compiled, strict=True):
        assert (one.sweeps, one.stopped, one.right) == (other.sweeps, other.stopped, other.right)
        assert other.error == pytest.approx(one.error, rel=1e-8)
        assert other.model.state() == pytest.approx(one.model.state(), rel=1e-7, abs=1e-8)


def test_replicas_that_diverge_keep_their_weights():
    models = [nn.MLP(1, [1], "linear", rng=s) for s in range(3)]
    before = [m.state() for m in models]
    for engine in ("eager", "compiled"):
        results = nn.train_replicas(
            models,
            [([3.0], [1.0])],
            loss=lambda y, d: mg.exp(nn.half_squared_error(y, d)),
            optimizer=lambda p: nn.GradientDescent(p, 5.0),
            sweeps=50,
            engine=engine,
        )
        assert [r.stopped for r in results] == ["diverged"] * 3
        assert [m.state() for m in models] == before


def test_replicas_that_are_not_alike_are_refused_or_trained_eagerly():
    class Scaled(nn.Module):
        def __init__(self, scale):
            self.inner, self.scale = model(), scale

        def __call__(self, x):
            return self.inner(x) * self.scale

    def momentum(p):
        return nn.Momentum(p, 0.2)

    first, shared = model(1), model(2)
    rates = iter([0.1, 0.2, 0.1, 0.2, 0.1, 0.2])
    cases = [
        (lambda: [Scaled(1.0), Scaled(3.0)], momentum, nn.half_squared_error),
        (lambda: [shared, shared], momentum, nn.half_squared_error),
        (lambda: [model(1), model(2)], lambda p: nn.Momentum(p[1:], 0.2), nn.half_squared_error),
        (
            lambda: [first, model(2)],
            momentum,
            lambda y, d: nn.half_squared_error(y, d) + first.parameters()[0] ** 2,
        ),
        (lambda: [model(1), model(2)], lambda p: nn.Momentum(p, next(rates)), nn.hinge),
    ]
    for make, optimizer, loss in cases:
        settings = {"optimizer": optimizer, "loss": loss, "sweeps": 5}
        with pytest.raises((CompileError, ValueError)):
            nn.train_replicas(make(), XOR, engine="compiled", **settings)
        assert len(nn.train_replicas(make(), XOR, engine="auto", **settings)) == 2


def test_replicas_take_parameters_in_the_optimizers_order():
    results = [
        nn.train_replicas(
            [model(s) for s in range(3)],
            XOR,
            loss=nn.half_squared_error,
            optimizer=lambda p: nn.Momentum(p[::-1], 0.2),
            sweeps=20,
            engine=engine,
        )
        for engine in ("eager", "compiled")
    ]
    for one, other in zip(*results):
        assert other.model.state() == pytest.approx(one.model.state(), rel=1e-9)


def test_replicas_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match="one architecture: model 1 is MLP"):
        nn.train_replicas(
            [model(), model(sizes=(2, [4, 1]))],
            XOR,
            loss=nn.half_squared_error,
            optimizer=OPTIMIZERS["descent"],
            sweeps=3,
            engine="compiled",
        )
    settings = {"loss": nn.hinge, "optimizer": OPTIMIZERS["descent"], "sweeps": 3}
    assert nn.train_replicas([], XOR, **settings) == []


# --- interruption ---------------------------------------------------------------------------------

LONG = """
import sys
from microgradient import nn
model = nn.MLP(2, [3, 1], "tanh", rng=0)
patterns = [([float(a), float(b)], [float(a != b)]) for a in (0, 1) for b in (0, 1)]
print("ready", flush=True)
h = nn.train(model, patterns, loss=nn.half_squared_error, sweeps=10**9, engine="compiled",
             optimizer=nn.Momentum(model.parameters(), 0.01), update="presentation")
small = all(abs(x) < 100 for x in model.state().values())
print(h.stopped, h.sweeps > 0, len(h.errors) == h.sweeps, small)
"""


def test_ctrl_c_ends_training_and_keeps_whole_sweeps():
    process = subprocess.Popen([sys.executable, "-c", LONG], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert out == "interrupted True True True\n"
