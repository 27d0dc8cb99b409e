"""train and train_replicas, compiled: the numbers of the eager engine, within rounding."""

import itertools
import math
import random
import signal
import subprocess
import sys

import pytest
from hypothesis import given, settings

import microgradient as mg
from microgradient import CompileError, nn
from microgradient.check import strategies
from microgradient.nn.training import loop as training
from microgradient.nn.training.objective import Objective
from microgradient.nn.training.programs import training_programs
from microgradient.rumelhart1986 import EXPERIMENTS, run

XOR = [([a, b], [0.9 if a != b else 0.1]) for a in (0.0, 1.0) for b in (0.0, 1.0)]
OPTIMIZERS = {
    "descent": lambda p: nn.GradientDescent(p, 0.3),
    "momentum": lambda p: nn.Momentum(p, 0.25, 0.9, 0.001),
    "rmsprop": lambda p: nn.RMSprop(p, 0.02, 0.9),
    "adam": lambda p: nn.Adam(p, 0.02),
    "adamw": lambda p: nn.AdamW(p, 0.02, 0.01),
}


def model(seed=3, sizes=(2, [3, 1])):
    return nn.MLP(*sizes, "tanh", output="sigmoid", rng=seed)


def trained(backend, optimizer="momentum", network=None, patterns=XOR, **settings):
    network = network or model()
    rule = OPTIMIZERS[optimizer](network.parameters())
    keywords = {"loss": nn.half_squared_error, "sweeps": 60, "criterion": nn.within(0.1)}
    history = nn.train(
        network, patterns, optimizer=rule, backend=backend, **{**keywords, **settings}
    )
    return network, rule, history


def assert_equal_runs(one, other):
    (network, rule, history), (network_2, rule_2, history_2) = one, other
    assert history.right == history_2.right
    assert history.errors == pytest.approx(history_2.errors, rel=1e-9, abs=1e-12)
    assert (history.stopped, history.met_at) == (history_2.stopped, history_2.met_at)
    assert network.state_dict() == pytest.approx(network_2.state_dict(), rel=1e-8, abs=1e-10)
    for name in rule.memories:
        assert getattr(rule, name) == pytest.approx(getattr(rule_2, name), rel=1e-7, abs=1e-10)
    assert getattr(rule, "steps", 0) == getattr(rule_2, "steps", 0)


@pytest.mark.parametrize("update", ["presentation", "sweep", 3])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_compiled_equals_eager(optimizer, update):
    assert_equal_runs(
        trained("eager", optimizer, update=update), trained("llvm", optimizer, update=update)
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
    assert_equal_runs(trained("eager", **settings), trained("llvm", **settings))


def test_penalties_on_weights_and_fixed_weights_are_compiled():
    for backend in ("eager", "llvm"):
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
            backend=backend,
        )
        if backend == "eager":
            expected = network.state_dict()
    assert network.state_dict() == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("update", ["presentation", 2, 3, 6, 8, "sweep"])
def test_layers_that_are_loops_train_with_any_batch(update):
    """Layers large enough for loops and kernels; batches that end within a vector."""
    rng = random.Random(1)
    patterns = [
        ([rng.uniform(-1, 1) for _ in range(20)], [rng.random(), rng.random()]) for _ in range(16)
    ]
    runs = [
        trained(
            backend,
            network=nn.MLP(20, [20, 2], "tanh", output="sigmoid", rng=2),
            patterns=patterns,
            update=update,
            criterion=nn.within(0.45),
            sweeps=20,
        )
        for backend in ("eager", "llvm")
    ]
    assert_equal_runs(*runs)


class Remembering(nn.Optimizer):
    """An optimizer that keeps the previous weight and the last two gradients."""

    memories = ("before", "last", "older")

    def __init__(self, parameters, rate):
        super().__init__(parameters, rate)
        for name in self.memories:
            setattr(self, name, [0.0] * len(self.parameters))

    def settings(self, step):
        return (self.rate,)

    @staticmethod
    def rule(settings, weight, gradient, *memories):
        before, last, older = memories
        moved = weight - settings[0] * (gradient + 0.5 * last - 0.1 * older) + 0.1 * before
        return moved, weight, gradient, last


class Adagrad(nn.Optimizer):
    """Divides by a memory that stays 0 where there is no gradient."""

    memories = ("squares",)

    def __init__(self, parameters, rate):
        super().__init__(parameters, rate)
        self.squares = [0.0] * len(self.parameters)

    def settings(self, step):
        return (self.rate,)

    @staticmethod
    def rule(settings, weight, gradient, *memories):
        squares = memories[0] + gradient * gradient
        return weight - settings[0] * mg.div(gradient, mg.sqrt(squares)), squares


@pytest.mark.parametrize("hidden", [1, 2, 3, 4, 8])
def test_what_lies_behind_the_weights_may_become_nan(hidden):
    """Vectors reach beyond the last weight, where 0 is divided by 0."""
    errors = []
    for backend in ("eager", "llvm"):
        network = model(sizes=(2, [hidden, 1]))
        rule = Adagrad(network.parameters(), 0.1)
        settings = {"loss": nn.half_squared_error, "optimizer": rule, "sweeps": 20}
        errors.append(nn.train(network, XOR, backend=backend, **settings).errors)
    assert errors[0] == pytest.approx(errors[1], rel=1e-9)


def test_replicas_whose_optimizers_order_the_parameters_differently():
    made = []

    def momentum(p):
        made.append(p)
        return nn.Momentum(p if len(made) < 3 else p[::-1], 0.5)

    def ended(backend):
        made.clear()
        settings = {"loss": nn.half_squared_error, "optimizer": momentum, "sweeps": 30}
        replicas = nn.train_replicas([model(s) for s in range(4)], XOR, backend=backend, **settings)
        return [r.error for r in replicas]

    assert ended("auto") == pytest.approx(ended("eager"), rel=1e-9)
    with pytest.raises(CompileError):
        ended("llvm")


def test_what_a_rule_or_a_schedule_of_its_own_reads_is_not_frozen():
    class Bound(nn.GradientDescent):
        def rule(self, settings, weight, gradient, *memories):
            return (weight - self.rate * gradient,)

    class Cooling(nn.GradientDescent):
        steady = False

        def __init__(self, parameters, rate, horizon):
            super().__init__(parameters, rate)
            self.horizon = horizon

        def settings(self, step):
            return (self.rate * max(0.0, 1 - step / self.horizon),)

    network = model()
    settings = {"loss": nn.half_squared_error, "sweeps": 3}
    with pytest.raises(CompileError, match="rule of Bound must be a static method"):
        rule = Bound(network.parameters(), 0.1)
        nn.train(network, XOR, optimizer=rule, backend="llvm", **settings)
    weights = []
    for backend in ("eager", "llvm"):
        horizons = iter((2, 1000))
        several = [model(1), model(2)]
        nn.train_replicas(
            several,
            XOR,
            optimizer=lambda p: Cooling(p, 0.1, next(horizons)),  # noqa: B023
            backend=backend,
            **settings,
        )
        weights.append([x for one in several for x in one.state_dict().values()])
    assert weights[1] == pytest.approx(weights[0], rel=1e-9)


def test_trying_to_compile_draws_no_random_number():
    def drawing(x):
        return network(x) * random.random()

    results = []
    for backend in ("eager", "auto"):
        network = model()
        random.seed(0)
        rule = nn.Momentum(network.parameters(), 0.1)
        settings = {"loss": nn.half_squared_error, "optimizer": rule, "sweeps": 400}
        results.append(nn.train(drawing, XOR, backend=backend, **settings).errors)
    assert results[0] == results[1]


@pytest.mark.parametrize("backend", ["eager", "llvm"])
def test_trying_to_compile_can_be_interrupted(backend):
    def interrupting(x):
        raise KeyboardInterrupt

    rule = nn.Momentum(model().parameters(), 0.1)
    settings = {"loss": nn.half_squared_error, "optimizer": rule, "sweeps": 4}
    history = nn.train(interrupting, XOR, backend=backend, **settings)
    assert (history.stopped, history.sweeps) == ("interrupted", 0)


def test_rules_that_hand_memories_on():
    results = []
    for backend in ("eager", "llvm"):
        network = model()
        rule = Remembering(network.parameters(), 0.1)
        settings = {"loss": nn.half_squared_error, "optimizer": rule, "sweeps": 12}
        history = nn.train(network, XOR, backend=backend, **settings)
        results.append((history.errors, network.state_dict(), rule.older))
    (errors, state, older), (errors_2, state_2, older_2) = results
    assert errors == pytest.approx(errors_2, rel=1e-10)
    assert state == pytest.approx(state_2, rel=1e-10)
    assert older == pytest.approx(older_2, rel=1e-9)


def test_rules_with_the_wrong_number_of_results_are_refused():
    class Wrong(nn.GradientDescent):
        @staticmethod
        def rule(settings, weight, gradient, *memories):
            return weight, gradient

    for backend in ("eager", "llvm"):
        network = model()
        rule = Wrong(network.parameters(), 0.1)
        settings = {"loss": nn.half_squared_error, "optimizer": rule, "sweeps": 2}
        with pytest.raises((CompileError, ValueError)):
            nn.train(network, XOR, backend=backend, **settings)


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
        nn.train(network, [([1.0], [-1.5])], optimizer=rule, backend="llvm", **settings)
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
    for backend in ("eager", "llvm"):
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
                backend=backend,
            )
        states.append((rule.changes, network.state_dict(), rule.rate))
    (changes, state, rate), (changes_2, state_2, rate_2) = states
    assert changes == pytest.approx(changes_2)
    assert state == pytest.approx(state_2)
    assert rate == rate_2


def test_a_setting_that_makes_its_first_sweep_diverge_is_taken_back():
    for backend in ("eager", "python", "llvm"):
        w = mg.Value(1.0)
        rule = nn.Momentum([w], 0.1, 0.5)
        with pytest.raises(nn.TrainingDiverged, match="in sweep 4") as caught:
            nn.train(
                lambda x, w=w: w * x[0],
                [((1.0,), 0.5), ((1.0,), 0.25)],
                loss=nn.half_squared_error,
                optimizer=rule,
                sweeps=6,
                update="presentation",
                schedule={3: {"rate": 1e308}},
                backend=backend,
            )
        assert (rule.rate, rule.steps) == (0.1, 6)
        assert (caught.value.history.sweeps, caught.value.history.stopped) == (3, "diverged")


@given(strategies.recipes())
@settings(max_examples=15)
def test_any_recipe(recipe):
    network, history = recipe.train()
    again, compiled = recipe.train(backend="llvm")
    assert again.state_dict() == pytest.approx(network.state_dict(), rel=1e-9, abs=1e-12)
    assert compiled.errors == pytest.approx(history.errors, rel=1e-9, abs=1e-14)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_networks_of_1986(name):
    """A few sweeps of each, eager and compiled, agree."""
    settings = {"sweeps": 3}
    eager = run(EXPERIMENTS[name], settings=settings, backend="eager")
    compiled = run(EXPERIMENTS[name], settings=settings, backend="llvm")
    assert compiled.history.errors == pytest.approx(eager.history.errors, rel=1e-11)
    assert compiled.network.state_dict() == pytest.approx(eager.network.state_dict(), rel=1e-11)


def test_python_source_trains_too():
    settings = {"update": 3, "shuffle": 1, "sweeps": 30, "stop_when_met": False}
    assert_equal_runs(trained("eager", "adam", **settings), trained("python", "adam", **settings))


def test_divergence_restores_the_last_whole_sweep_and_names_the_fault():
    for backend in ("eager", "llvm"):
        network = nn.MLP(1, [1], "linear", rng=0)
        with pytest.raises(nn.TrainingDiverged, match="in sweep") as caught:
            nn.train(
                network,
                [([3.0], [1.0])],
                loss=lambda y, d: mg.exp(nn.half_squared_error(y, d)),
                optimizer=nn.GradientDescent(network.parameters(), 5.0),
                sweeps=50,
                backend=backend,
            )
        assert all(map(math.isfinite, network.state_dict().values()))
        if backend == "eager":
            sweeps, state = caught.value.history.sweeps, network.state_dict()
    assert caught.value.history.sweeps == sweeps
    assert network.state_dict() == pytest.approx(state)


def test_on_sweep_sees_every_sweep_with_its_weights():
    seen = []
    network = model()
    trained(
        "llvm",
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

    def dropping(x):
        return network([a * float(rng.random() < 0.5) for a in x])

    calls = itertools.count(1)

    def counting(x):
        scale = next(calls)
        return network([a * scale for a in x])

    def reading(x):
        return network([x[0] * (1 + network.layers[0].neurons[0].weights[0].data), x[1]])

    def choosing(x):
        return network(x) if network.layers[0].neurons[0].weights[0].data > 0.1 else -network(x)

    def failing(x):
        if network.layers[0].neurons[0].weights[0].data != first:
            raise ArithmeticError("no such weight")
        return network(x)

    first = model().layers[0].neurons[0].weights[0].data
    frozen = "something else each time"
    for bad, message in (
        (branching, "where"),
        (noisy, frozen),
        (dropping, frozen),
        (counting, frozen),
        (reading, frozen),
        (choosing, frozen),
    ):
        network = model()
        rule = nn.Momentum(network.parameters(), 0.1)
        settings = {"loss": nn.half_squared_error, "optimizer": rule, "sweeps": 300}
        with pytest.raises(CompileError, match=message):
            nn.train(bad, XOR, backend="llvm", **settings)
        assert nn.train(bad, XOR, backend="auto", **settings).sweeps == 300

    network = model()
    settings = {"optimizer": nn.Momentum(network.parameters(), 0.1), "sweeps": 300}
    with pytest.raises(CompileError, match=r"fails for other numbers than its own.*no such weight"):
        nn.train(failing, XOR, loss=nn.half_squared_error, backend="llvm", **settings)

    factors = itertools.cycle((1.0, 3.0))

    def other_slope(y, d):
        """The same error each time, but not the same gradient."""
        z = y - d[0]
        return mg.detach(z * z) + next(factors) * (z - mg.detach(z))

    with pytest.raises(CompileError, match="something else each time"):
        nn.train(network, XOR, loss=other_slope, backend="llvm", **settings)

    class Own(nn.Momentum):
        def step(self):
            super().step()

    network = model()
    with pytest.raises(CompileError, match="Own overrides step"):
        nn.train(
            network,
            XOR,
            loss=nn.half_squared_error,
            optimizer=Own(network.parameters(), 0.1),
            sweeps=3,
            backend="llvm",
        )
    with pytest.raises(ValueError, match="backend must be one of auto, llvm, python, eager"):
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
    eager = nn.train_replicas([model(s) for s in range(40)], XOR, backend="eager", **keywords)
    compiled = nn.train_replicas([model(s) for s in range(40)], XOR, backend="llvm", **keywords)
    for one, other in zip(eager, compiled, strict=True):
        assert (one.sweeps, one.stopped, one.right) == (other.sweeps, other.stopped, other.right)
        assert other.error == pytest.approx(one.error, rel=1e-8)
        assert other.model.state_dict() == pytest.approx(one.model.state_dict(), rel=1e-7, abs=1e-8)


def test_replicas_that_diverge_keep_their_weights():
    models = [nn.MLP(1, [1], "linear", rng=s) for s in range(3)]
    before = [m.state_dict() for m in models]
    for backend in ("eager", "llvm"):
        results = nn.train_replicas(
            models,
            [([3.0], [1.0])],
            loss=lambda y, d: mg.exp(nn.half_squared_error(y, d)),
            optimizer=lambda p: nn.GradientDescent(p, 5.0),
            sweeps=50,
            backend=backend,
        )
        assert [(r.stopped, r.right) for r in results] == [("diverged", 0)] * 3
        assert all(math.isnan(r.error) for r in results)
        assert [m.state_dict() for m in models] == before


def test_replicas_that_diverge_have_done_the_same_sweeps():
    results = [
        nn.train_replicas(
            [nn.MLP(1, [1], "linear", rng=s) for s in range(3)],
            [([3.0], [1.0])],
            loss=lambda y, d: mg.exp(nn.half_squared_error(y, d)),
            optimizer=lambda p: nn.GradientDescent(p, 0.05),
            sweeps=50,
            criterion=nn.within(0.001),
            backend=backend,
        )
        for backend in ("eager", "llvm")
    ]
    eager, compiled = ([(r.stopped, r.sweeps) for r in one] for one in results)
    assert eager == compiled == [("criterion", 9), ("diverged", 1), ("diverged", 3)]


def test_replicas_keep_the_memories_that_their_optimizers_begin_with():
    def started(p):
        rule = nn.Momentum(p, 0.01)
        rule.changes = [0.5] * len(p)
        return rule

    def states(backend):
        settings = {"loss": nn.half_squared_error, "optimizer": started, "sweeps": 3}
        models = [model(1), model(2)]
        return [
            r.model.state_dict()
            for r in nn.train_replicas(models, XOR, backend=backend, **settings)
        ]

    for one, other in zip(states("llvm"), states("eager"), strict=True):
        assert one == pytest.approx(other, rel=1e-9)


def test_replicas_that_are_not_alike_are_refused_or_trained_eagerly():
    class Scaled(nn.Module):
        def __init__(self, scale):
            self.inner, self.scale = model(), scale

        def __call__(self, x):
            return self.inner(x) * self.scale

    def momentum(p):
        return nn.Momentum(p, 0.2)

    first, shared = model(1), model(2)
    cases = [
        (lambda: [Scaled(1.0), Scaled(3.0)], momentum, nn.half_squared_error),
        (lambda: [shared, shared], momentum, nn.half_squared_error),
        (
            lambda: [first, model(2)],
            momentum,
            lambda y, d: nn.half_squared_error(y, d) + first.parameters()[0] ** 2,
        ),
        (
            lambda: [model(1), model(2)],
            lambda p: nn.Momentum([*p, mg.Value(0.0)], 0.2),
            nn.half_squared_error,
        ),
    ]
    for make, optimizer, loss in cases:
        settings = {"optimizer": optimizer, "loss": loss, "sweeps": 5}
        with pytest.raises((CompileError, ValueError)):
            nn.train_replicas(make(), XOR, backend="llvm", **settings)
        assert len(nn.train_replicas(make(), XOR, backend="auto", **settings)) == 2


def test_replicas_take_parameters_in_the_optimizers_order():
    results = [
        nn.train_replicas(
            [model(s) for s in range(3)],
            XOR,
            loss=nn.half_squared_error,
            optimizer=lambda p: nn.Momentum(p[::-1], 0.2),
            sweeps=20,
            backend=backend,
        )
        for backend in ("eager", "llvm")
    ]
    for one, other in zip(*results):
        assert other.model.state_dict() == pytest.approx(one.model.state_dict(), rel=1e-9)


def test_replicas_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match="one architecture: model 1 is MLP"):
        nn.train_replicas(
            [model(), model(sizes=(2, [4, 1]))],
            XOR,
            loss=nn.half_squared_error,
            optimizer=OPTIMIZERS["descent"],
            sweeps=3,
            backend="llvm",
        )
    settings = {"loss": nn.hinge, "optimizer": OPTIMIZERS["descent"], "sweeps": 3}
    assert nn.train_replicas([], XOR, **settings) == []


# --- interruption ---------------------------------------------------------------------------------

LONG = """
import signal
import threading
import time
from microgradient import nn
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job of a shell ignores it
model = nn.MLP(2, [3, 1], "tanh", rng=0)
patterns = [([float(a), float(b)], [float(a != b)]) for a in (0, 1) for b in (0, 1)]
weights = [p.data for p in model.parameters()]

def tell_when_it_has_begun():
    while [p.data for p in model.parameters()] == weights:
        time.sleep(0.01)
    print("begun", flush=True)

threading.Thread(target=tell_when_it_has_begun, daemon=True).start()
h = nn.train(model, patterns, loss=nn.half_squared_error, sweeps=10**9, backend="llvm",
             optimizer=nn.Momentum(model.parameters(), 0.01), update="presentation")
small = all(abs(x) < 100 for x in model.state_dict().values())
print(h.stopped, h.sweeps > 0, len(h.errors) == h.sweeps, small)
"""


def test_ctrl_c_ends_training_and_keeps_whole_sweeps():
    with subprocess.Popen([sys.executable, "-c", LONG], stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout.readline() == "begun\n"
            child.send_signal(signal.SIGINT)
            assert child.stdout.read() == "interrupted True True True\n"
        finally:
            child.kill()


LOOP = """
import signal
import sys
import threading
import time
from microgradient import nn
from microgradient.nn.training import interruption
signal.signal(signal.SIGINT, signal.default_int_handler)
interruption.SOON = float(sys.argv[1])  # the machine's speed must not matter
patterns = [([float(a), float(b)], [float(a != b)]) for a in (0, 1) for b in (0, 1)]
settings = dict(loss=nn.half_squared_error, sweeps=10**9, update="presentation")
runs = []

def tell_when_it_has_begun(models):
    weights = [p.data for m in models for p in m.parameters()]
    while weights == [p.data for m in models for p in m.parameters()]:
        time.sleep(0.01)
    print("begun", flush=True)

def descent(parameters):
    if not threads or not threads[-1].is_alive():  # replicas show no weights before they end
        threads.append(threading.Timer(1.0, lambda: print("begun", flush=True)))
        threads[-1].daemon = True
        threads[-1].start()
    return nn.GradientDescent(parameters, 1e-6)

def train(models):
    if sys.argv[2] == "replicas":
        ended = nn.train_replicas(models, patterns, optimizer=descent, **settings)
        runs.append([replica.stopped for replica in ended])
    else:
        threading.Thread(target=tell_when_it_has_begun, args=(models,), daemon=True).start()
        rule = nn.Momentum(models[0].parameters(), 0.01)
        one = nn.train(models[0], patterns, optimizer=rule, backend="llvm", **settings)
        runs.append(one.stopped)

threads = []
try:
    for seed in range(3):
        train([nn.MLP(2, [3, 1], "tanh", rng=10 * seed + k) for k in range(2)])
except KeyboardInterrupt:
    runs.append("raised")
print(runs)
"""


@pytest.mark.parametrize("what", ["one", "replicas"])
@pytest.mark.parametrize(("soon", "presses", "ends"), [("1e9", 2, ["raised"]), ("0", 3, [])])
def test_ctrl_c_ends_one_run_and_a_second_one_soon_after_the_loop(what, soon, presses, ends):
    command = [sys.executable, "-c", LOOP, soon, what]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        try:
            for _ in range(presses):
                assert child.stdout.readline() == "begun\n"
                child.send_signal(signal.SIGINT)
            stopped = "interrupted" if what == "one" else ["interrupted", "interrupted"]
            whole = presses - len(ends)
            assert child.stdout.read() == f"{[stopped] * whole + ends}\n"
        finally:
            child.kill()


class Accumulating(nn.Optimizer):
    """Steps get smaller with all squares so far, of which there is a stock at the beginning."""

    memories = ("total",)

    def __init__(self, parameters, rate):
        super().__init__(parameters, rate)
        self.total = [5.0 + i for i in range(len(self.parameters))]

    def settings(self, step):
        return (self.rate,)

    @staticmethod
    def rule(settings, weight, gradient, *memories):
        total = memories[0] + gradient * gradient
        return weight - settings[0] * gradient / mg.sqrt(total), total


@pytest.mark.parametrize("kind", [Accumulating, nn.Momentum, nn.Adam])
@pytest.mark.parametrize("count", [1, 40])
def test_replicas_begin_and_end_with_the_memories_of_their_optimizers(kind, count):
    patterns = [([a, b], [0.9 if a != b else 0.1]) for a in (0.0, 1.0) for b in (0.0, 1.0)]
    ended = {}
    for backend in ("eager", "llvm"):
        made = []

        def optimizer(parameters, made=made):
            made.append(kind(parameters, 0.1))
            return made[-1]

        replicas = nn.train_replicas(
            [nn.MLP(2, [2, 1], "sigmoid", output="sigmoid", rng=seed) for seed in range(count)],
            patterns,
            loss=nn.half_squared_error,
            sweeps=20,
            update="presentation",
            optimizer=optimizer,
            backend=backend,
        )
        ended[backend] = [
            [r.error, o.steps, *list(r.model.state_dict().values())]
            + [x for name in o.memories for x in getattr(o, name)]
            for r, o in zip(replicas, made, strict=True)
        ]
    for got, want in zip(ended["llvm"], ended["eager"], strict=True):
        assert got == pytest.approx(want, rel=1e-9, abs=1e-14)


@pytest.mark.parametrize("backend", ["eager", "python", "llvm"])
@pytest.mark.parametrize("nouts", [[1], [5, 1]])  # a part of a group of weights, and several
def test_a_gradient_too_large_for_the_optimizer_ends_training(backend, nouts):
    """Adam's second moment would be infinite for ever, and the weight would never move again."""
    model = nn.MLP(1, nouts, "tanh", rng=0)
    before = model.state_dict()
    with pytest.raises(nn.TrainingDiverged, match=r"in sweep 1: a gradient is too large") as caught:
        nn.train(
            model,
            [([1.0], [0.0])],
            loss=lambda output, targets: output * 1e200,
            optimizer=nn.Adam(model.parameters(), rate=0.1),
            sweeps=10,
            backend=backend,
        )
    assert "of the optimizer" in str(caught.value) or "Adam.squares" in str(caught.value)
    assert model.state_dict() == before


def test_a_replica_whose_gradient_is_too_large_diverges():
    for backend in ("eager", "llvm"):
        models = [nn.MLP(1, [1], rng=seed) for seed in range(3)]
        ended = nn.train_replicas(
            models,
            [([1.0], [0.0])],
            loss=lambda output, targets: mg.where(output > 0.0, 1e200, 1.0) * output,
            optimizer=lambda parameters: nn.Adam(parameters, rate=1e-3),
            sweeps=2,
            backend=backend,
        )
        large = [model([1.0]).data > 0 for model in [nn.MLP(1, [1], rng=s) for s in range(3)]]
        assert [r.stopped == "diverged" for r in ended] == large
        assert set(large) == {True, False}


@pytest.mark.parametrize("count", [5, 64, 70, 131])  # patterns: of a part of a tile, and of several
@pytest.mark.parametrize("sizes", [(150, [14, 3]), (300, [13, 2]), (67, [31, 12])], ids=str)
def test_layers_that_read_more_than_fits_the_cache(sizes, count):
    rng = random.Random(0)
    patterns = [
        ([rng.gauss(0, 1) for _ in range(sizes[0])], [rng.random() for _ in range(sizes[1][-1])])
        for _ in range(count)
    ]
    objective = Objective(model(sizes=sizes), nn.half_squared_error, None)
    optimizer = nn.GradientDescent(objective.model.parameters(), 0.01)
    programs = training_programs(objective, optimizer, patterns)
    each = [objective.evaluated(pattern, optimizer.parameters) for pattern in patterns]
    expected = [math.fsum(xs) for xs in zip(*each)]
    from microgradient.compiler.llvm.training_kernel import NetworkTrainer

    kernel = NetworkTrainer(programs.gradient, programs.update, count, count)
    kernel.present(programs.patterns)
    weights = [parameter.data for parameter in optimizer.parameters]
    kernel.set_column(0, weights)
    kernel.train(1, [(1.0,)], False)
    slopes = [before - after for before, after in zip(weights, kernel.column(0))]
    assert slopes == pytest.approx(expected[:-2], rel=1e-9, abs=1e-12)
