"""Updates after each pattern: vectors over the numbers of one, and the update with the gradient."""

import random

import pytest

pytest.importorskip("llvmlite")

import microgradient as mg
from microgradient import nn
from microgradient.compiler.llvm import training_kernel
from microgradient.compiler.llvm.presentation import presentation
from microgradient.compiler.llvm.training_kernel import NetworkTrainer
from microgradient.nn.training.objective import Objective
from microgradient.nn.training.programs import training_programs

OPTIMIZERS = {
    "descent": lambda p: nn.GradientDescent(p, 0.05),
    "momentum": lambda p: nn.Momentum(p, 0.03, 0.8, 0.001),
    "adam": lambda p: nn.Adam(p, 0.01),
    "adamw": lambda p: nn.AdamW(p, 0.01, 0.01),
}
SIZES = [(64, [16, 10]), (37, [13, 9, 5]), (25, [8, 2]), (9, [31, 7]), (70, [1, 3]), (17, [64, 4])]


def patterns_for(inputs, outputs, count=11, seed=0):
    rng = random.Random(seed)
    return [
        (
            [rng.gauss(0, 1) for _ in range(inputs)],
            [float(k == i % outputs) for k in range(outputs)],
        )
        for i in range(count)
    ]


def run(backend, sizes, optimizer="descent", *, loss=nn.cross_entropy, nonlin="tanh", **settings):
    model = nn.MLP(*sizes, nonlin, rng=1)
    rule = OPTIMIZERS[optimizer](model.parameters())
    patterns = patterns_for(sizes[0], sizes[1][-1])
    keywords = {"sweeps": 6, "update": "presentation", **settings}
    history = nn.train(
        model, patterns, loss=loss, optimizer=rule, backend=backend, progress=False, **keywords
    )
    memories = [x for name in rule.memories for x in getattr(rule, name)]
    return history, list(model.state_dict().values()), memories


def assert_same(one, other):
    assert one[0].errors == pytest.approx(other[0].errors, rel=1e-9)
    assert (one[0].right, one[0].stopped) == (other[0].right, other[0].stopped)
    for xs, ys in zip(one[1:], other[1:]):
        assert xs == pytest.approx(ys, rel=1e-6, abs=1e-8)


def programs_of(sizes, loss=nn.cross_entropy, optimizer="momentum"):
    model = nn.MLP(*sizes, "tanh", rng=1)
    rule = OPTIMIZERS[optimizer](model.parameters())
    patterns = patterns_for(sizes[0], sizes[1][-1])
    return training_programs(Objective(model, loss, None), rule, patterns)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_any_net_and_optimizer(sizes, optimizer):
    assert_same(run("eager", sizes, optimizer), run("llvm", sizes, optimizer))


@pytest.mark.parametrize("update", [2, 3, 4, 5, "sweep"])
def test_few_patterns_between_updates(update):
    assert_same(run("eager", SIZES[1], update=update), run("llvm", SIZES[1], update=update))


@pytest.mark.parametrize("lanes", [2, 4, 8])
def test_any_width_of_vectors(monkeypatch, lanes):
    monkeypatch.setattr(training_kernel, "vector_width", lambda: lanes)
    settings = {"loss": nn.half_squared_error, "nonlin": "relu"}  # exp by eight needs AVX-512
    for sizes in SIZES:
        one, other = (run(b, sizes, "adam", **settings) for b in ("eager", "llvm"))
        assert_same(one, other)


def test_the_update_is_done_with_the_gradient():
    programs = programs_of((64, [16, 10]))
    assert presentation(programs.gradient, programs.update, 4) is not None


def test_a_slope_that_is_a_weight_is_read_before_the_weight_moves():
    patterns, learned = patterns_for(20, 4), []
    for backend in ("eager", "llvm"):
        model, pair = nn.MLP(20, [9, 4], "tanh", rng=1), [mg.Value(0.5), mg.Value(-0.25)]

        def loss(outputs, targets, pair=pair):
            return nn.cross_entropy(outputs, targets) + pair[0] * pair[1]

        optimizer = nn.Momentum([*model.parameters(), *pair], 0.1)
        programs = training_programs(Objective(model, loss, None), optimizer, patterns)
        assert presentation(programs.gradient, programs.update, 4) is None
        keywords = {"sweeps": 5, "update": "presentation", "backend": backend}
        nn.train(model, patterns, loss=loss, optimizer=optimizer, **keywords)
        learned.append([parameter.data for parameter in optimizer.parameters])
    assert learned[0] == pytest.approx(learned[1], rel=1e-9)


def test_the_criterion_ends_training_at_the_same_sweep():
    settings = {"criterion": lambda ys, ts: sum(y * t for y, t in zip(ys, ts)) > 1.5, "sweeps": 200}
    one, other = run("eager", SIZES[1], **settings), run("llvm", SIZES[1], **settings)
    assert one[0].stopped == "criterion"
    assert_same(one, other)


def test_divergence_is_found():
    for backend in ("eager", "llvm"):
        model = nn.MLP(20, [9, 4], "relu", rng=1)
        with pytest.raises(nn.TrainingDiverged, match="in sweep"):
            nn.train(
                model,
                patterns_for(20, 4),
                loss=nn.half_squared_error,
                optimizer=nn.GradientDescent(model.parameters(), 1e4),
                sweeps=50,
                update="presentation",
                backend=backend,
            )


# --- shuffling ----------------------------------------------------------------------------------


@pytest.mark.parametrize("update", ["presentation", 2, 4, 5, "sweep"])
@pytest.mark.parametrize("sizes", [(2, [3, 2]), (37, [13, 5])], ids=str)
def test_shuffled_patterns_come_in_the_eager_order(update, sizes):
    settings = {"update": update, "shuffle": 7, "sweeps": 12}
    assert_same(run("eager", sizes, **settings), run("llvm", sizes, **settings))


def test_the_generator_ends_where_the_eager_one_does():
    right = {"criterion": lambda ys, ts: sum(y * t for y, t in zip(ys, ts)) > 1.5, "sweeps": 300}
    states = []
    for backend in ("eager", "llvm"):
        rng = random.Random(5)
        rng.gauss(0, 1)  # which keeps a second number for the next call
        history, *_ = run(backend, (25, [8, 3]), shuffle=rng, **right)
        assert 1 < history.sweeps < 300
        states.append(rng.getstate())
    assert states[0] == states[1]


@pytest.mark.parametrize("count", [1, 2, 3, 31, 32, 33, 1000])
def test_the_order_is_that_of_python(count):
    programs = programs_of((2, [2]))
    kernel = NetworkTrainer(programs.gradient, programs.update, 1, count, shuffled=True)
    kernel.present((programs.patterns * count)[:count])
    kernel.set_column(0, [0.1] * 6)
    rng, python = random.Random(count), random.Random(count)
    order = list(range(count))
    for sweeps in (1, 3):
        kernel.train(sweeps, [(0.0, 0.0, 1.0)], False, rng)
        for _ in range(sweeps):
            python.shuffle(order)
        assert kernel.order == order
        assert rng.getstate() == python.getstate()


def test_a_generator_of_ones_own_shuffles_in_its_way():
    class Reversing(random.Random):
        def shuffle(self, x):
            x.reverse()

    for update in ("presentation", 5):
        one, other = (
            run(backend, (25, [8, 3]), update=update, shuffle=Reversing(0))
            for backend in ("eager", "llvm")
        )
        assert_same(one, other)
